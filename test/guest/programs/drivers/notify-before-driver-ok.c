/* No notification before DRIVER_OK. [virtio 1.4, 3.1.1] */

#include "driver.h"

static void go_live(uintptr_t base) {
#ifndef VIOLATION
    add_status(base, DRIVER_OK);
    fence(w, o);
    mmio_write32(base + QueueNotify, 0);
#else
    fence(w, o);
    mmio_write32(base + QueueNotify, 0); /* HERE */
    add_status(base, DRIVER_OK);
#endif
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    negotiate(base, 0);
    rings.avail.flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
    describe_queue(base);
    enable_queue(base);
    go_live(base);
    print("live\n");
    finish(0);
}
