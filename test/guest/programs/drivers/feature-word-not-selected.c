/* DeviceFeaturesSel is written before DeviceFeatures is read. [virtio 1.4, 4.2.2.2] */

#include "driver.h"

static uint32_t low_features(uintptr_t base) {
#ifndef VIOLATION
    mmio_write32(base + DeviceFeaturesSel, 0);
#endif
    return mmio_read32(base + DeviceFeatures); /* HERE */
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    reset(base);
    add_status(base, ACKNOWLEDGE);
    add_status(base, DRIVER);
    print(low_features(base) ? "features on offer\n" : "no features on offer\n");
    finish(0);
}
