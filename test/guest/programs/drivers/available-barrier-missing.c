/* The ring entry is visible before the index that exposes it. [virtio 1.4, 2.7.13.3.1] */

#include "driver.h"

static void read_sector(uintptr_t base) {
    describe_read();
    rings.avail.ring[0] = 0;
#ifndef VIOLATION
    fence(w, w);
#endif
    rings.avail.idx = 1; /* HERE */
    notify(base);
    wait_for_used(base, 1);
    print_bytes(request.data, 32);
    print("\n");
}

_Noreturn void main(void) {
    read_sector(start_device(0));
    finish(0);
}
