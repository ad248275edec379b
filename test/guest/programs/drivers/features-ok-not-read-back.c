/* The device may refuse FEATURES_OK; the driver reads it back before it goes on. [virtio 1.4, 3.1.1] */

#include "driver.h"

static void settle_features(uintptr_t base) {
    mmio_write32(base + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK);
#ifndef VIOLATION
    if (!(mmio_read32(base + Status) & FEATURES_OK)) {
        finish(1);
    }
#endif
}

static void choose_queue(uintptr_t base) {
    mmio_write32(base + QueueSel, 0);
    if (mmio_read32(base + QueueSizeMax) < QUEUE_SIZE) {
        finish(1);
    }
    mmio_write32(base + QueueSize, QUEUE_SIZE); /* HERE */
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    reset(base);
    add_status(base, ACKNOWLEDGE);
    add_status(base, DRIVER);
    accept_features(base, offered_features(base) & VIRTIO_F_VERSION_1);
    settle_features(base);
    choose_queue(base);
    print("queue chosen\n");
    finish(0);
}
