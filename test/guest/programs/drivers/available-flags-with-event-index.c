/* With VIRTIO_F_EVENT_IDX the flags of the available ring stay 0. [virtio 1.4, 2.7.7.1] */

#include "driver.h"

static void read_sector(uintptr_t base) {
    describe_read();
#ifdef VIOLATION
    rings.avail.flags = VIRTQ_AVAIL_F_NO_INTERRUPT; /* HERE */
#else
    rings.avail.flags = 0;
#endif
    perform_read(base);
}

_Noreturn void main(void) {
    read_sector(start_device(VIRTIO_F_EVENT_IDX));
    finish(0);
}
