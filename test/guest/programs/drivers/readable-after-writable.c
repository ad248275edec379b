/* What the device reads comes before what it writes. [virtio 1.4, 2.7.4.2] */

#include "driver.h"

static void read_sector(uintptr_t base) {
    describe_read();
#ifdef VIOLATION
    /* Status first, header second: 2 -> 0 -> 1. */
    rings.desc[1].flags = VIRTQ_DESC_F_WRITE;
    rings.desc[2].next = 0;
    rings.desc[2].flags = VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT; /* HERE */
    publish(2);
    notify(base);
    wait_for_used(base, 1);
#else
    perform_read(base);
#endif
}

_Noreturn void main(void) {
    read_sector(start_device(0));
    finish(0);
}
