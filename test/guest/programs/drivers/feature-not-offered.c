/* Only offered features are accepted. [virtio 1.4, 2.2.1] */

#include "driver.h"

static void choose_features(uintptr_t base) {
    uint64_t known = VIRTIO_F_VERSION_1 | VIRTIO_BLK_F_MQ;
#ifndef VIOLATION
    known &= offered_features(base);
#else
    offered_features(base);
#endif
    mmio_write32(base + DriverFeaturesSel, 1);
    mmio_write32(base + DriverFeatures, (uint32_t)(known >> 32));
    mmio_write32(base + DriverFeaturesSel, 0);
    mmio_write32(base + DriverFeatures, (uint32_t)known); /* HERE */
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    reset(base);
    add_status(base, ACKNOWLEDGE);
    add_status(base, DRIVER);
    choose_features(base);
    print("features chosen\n");
    finish(0);
}
