/* The descriptor area is aligned to 16 bytes. [virtio 1.4, 2.7.1] */

#include "driver.h"

static char space[sizeof(struct virtq_desc) * (QUEUE_SIZE + 1)] __attribute__((aligned(16)));

static void place_descriptors(uintptr_t base) {
    uintptr_t area = (uintptr_t)space;
#ifdef VIOLATION
    area += 8;
#endif
    mmio_write32(base + QueueDescHigh, (uint32_t)(area >> 32));
    mmio_write32(base + QueueDescLow, (uint32_t)area);
}

static void use_queue(uintptr_t base) {
    fence(w, o);
    mmio_write32(base + QueueReady, 1); /* HERE */
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    negotiate(base, 0);
    describe_queue(base);
    place_descriptors(base);
    use_queue(base);
    print("queue in use\n");
    finish(0);
}
