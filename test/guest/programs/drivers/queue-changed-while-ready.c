/* A queue that is ready keeps its size and its place. [virtio 1.4, 4.2.2.2] */

#include "driver.h"

static void shrink(uintptr_t base) {
#ifdef VIOLATION
    mmio_write32(base + QueueReady, 1);
#endif
    mmio_write32(base + QueueSize, QUEUE_SIZE / 2); /* HERE */
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    negotiate(base, 0);
    describe_queue(base);
    fence(w, o);
    shrink(base);
    print("shrunk\n");
    finish(0);
}
