/* ACKNOWLEDGE comes before DRIVER. [virtio 1.4, 3.1.1] */

#include "driver.h"

static void introduce(uintptr_t base) {
    reset(base);
#ifndef VIOLATION
    mmio_write32(base + Status, ACKNOWLEDGE);
    mmio_write32(base + Status, ACKNOWLEDGE | DRIVER);
#else
    mmio_write32(base + Status, DRIVER); /* HERE */
#endif
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    introduce(base);
    accept_features(base, offered_features(base) & VIRTIO_F_VERSION_1);
    confirm_features(base);
    print("features settled\n");
    finish(0);
}
