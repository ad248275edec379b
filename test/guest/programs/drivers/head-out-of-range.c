/* The available ring holds indices into the descriptor table. [virtio 1.4, 2.7.6] */

#include "driver.h"

static void read_sector(uintptr_t base) {
    uint16_t head = 0;
#ifdef VIOLATION
    head += QUEUE_SIZE;
#endif
    describe_read();
    rings.avail.ring[0] = head; /* HERE */
    fence(w, w);
    rings.avail.idx = 1;
    notify(base);
    wait_for_used(base, 1);
}

_Noreturn void main(void) {
    read_sector(start_device(0));
    print("over\n");
    finish(0);
}
