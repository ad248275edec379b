/*
 * The handshake of the VIRTIO-30 draft, which was never published: features before DRIVER, two answers of the device, buffers that may wait,
 * and DEVICE_OK. With -DVIOLATION it does not look for the device's second answer.
 */

#include "driver.h"

enum { DEVICE_OK = 8 };

/* The device says no by clearing the bit again. */
static void ask(uintptr_t base, uint32_t bit) {
    add_status(base, bit);
    if (!(mmio_read32(base + Status) & bit)) {
        print("refused\n");
        finish(1);
    }
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    reset(base);
    add_status(base, ACKNOWLEDGE);
    accept_features(base, offered_features(base) & (VIRTIO_BLK_F_FLUSH | VIRTIO_F_VERSION_1));
    ask(base, DRIVER);
    accept_features(base, VIRTIO_F_VERSION_1); /* the second round may only take away */

    rings.avail.flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
    describe_queue(base);
    enable_queue(base);
#ifdef VIOLATION
    mmio_write32(base + Status, ACKNOWLEDGE | DRIVER | DRIVER_OK);
#else
    ask(base, DRIVER_OK);
#endif

    describe_read();
    publish(0);
    notify(base); /* HERE */
    print(rings.used.idx == 0 ? "the notification waits\n" : "the device was early\n");
    add_status(base, DEVICE_OK);
    wait_for_used(base, 1);
    print("read\n");
    finish(0);
}
