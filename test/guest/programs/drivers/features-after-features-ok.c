/* Features are settled by FEATURES_OK. [virtio 1.4, 3.1.1] */

#include "driver.h"

static void settle_features(uintptr_t base) {
    uint32_t low = (uint32_t)offered_features(base) & VIRTIO_F_INDIRECT_DESC;
    accept_features(base, VIRTIO_F_VERSION_1);
    mmio_write32(base + DriverFeaturesSel, 0);
#ifndef VIOLATION
    mmio_write32(base + DriverFeatures, low);
    confirm_features(base);
#else
    confirm_features(base);
    mmio_write32(base + DriverFeatures, low); /* HERE */
#endif
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    reset(base);
    add_status(base, ACKNOWLEDGE);
    add_status(base, DRIVER);
    settle_features(base);
    print("features settled\n");
    finish(0);
}
