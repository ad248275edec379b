/* Initialisation begins with a reset. [virtio 1.4, 3.1.1] */

#include "driver.h"

static void introduce(uintptr_t base) {
#ifndef VIOLATION
    reset(base);
#endif
    mmio_write32(base + Status, ACKNOWLEDGE); /* HERE */
    mmio_write32(base + Status, ACKNOWLEDGE | DRIVER);
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    introduce(base);
    print("introduced\n");
    finish(0);
}
