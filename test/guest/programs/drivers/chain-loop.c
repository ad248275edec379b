/* A chain ends. [virtio 1.4, 2.7.5.2] */

#include "driver.h"

static void read_sector(uintptr_t base) {
    describe_read();
#ifdef VIOLATION
    rings.desc[2].flags = VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT;
    rings.desc[2].next = 1; /* HERE */
#endif
    perform_read(base);
}

_Noreturn void main(void) {
    read_sector(start_device(0));
    finish(0);
}
