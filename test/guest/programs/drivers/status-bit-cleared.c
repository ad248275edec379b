/* A status bit, once set, stays set until a reset. [virtio 1.4, 2.1.1] */

#include "driver.h"

static void introduce(uintptr_t base) {
    reset(base);
    mmio_write32(base + Status, ACKNOWLEDGE);
#ifndef VIOLATION
    mmio_write32(base + Status, ACKNOWLEDGE | DRIVER);
#else
    mmio_write32(base + Status, DRIVER); /* HERE */
#endif
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    introduce(base);
    print("introduced\n");
    finish(0);
}
