/* QueueSize is at most QueueSizeMax. [virtio 1.4, 4.2.2.2] */

#include "driver.h"

static void choose_size(uintptr_t base) {
    mmio_write32(base + QueueSel, 0);
    uint32_t size = mmio_read32(base + QueueSizeMax);
#ifdef VIOLATION
    size *= 2;
#endif
    mmio_write32(base + QueueSize, size); /* HERE */
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    negotiate(base, 0);
    choose_size(base);
    print("size chosen\n");
    finish(0);
}
