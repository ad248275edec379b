/*
 * The handshake of 1.x, for comparison with the other dialects. With -DVIOLATION it does not look whether the device kept FEATURES_OK.
 * [virtio 1.4, 3.1.1]
 */

#include "driver.h"

_Noreturn void main(void) {
    uintptr_t base = find_device();
    reset(base);
    add_status(base, ACKNOWLEDGE);
    add_status(base, DRIVER);
    accept_features(base, offered_features(base) & VIRTIO_F_VERSION_1);
#ifdef VIOLATION
    mmio_write32(base + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    describe_queue(base);
#else
    confirm_features(base);
    describe_queue(base);
#endif
    enable_queue(base);
    rings.avail.flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
    add_status(base, DRIVER_OK);
    describe_read();
    perform_read(base);
    print("read\n");
    finish(0);
}
