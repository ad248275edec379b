/* The rest of a descriptor is visible before the flags that make it available. [virtio 1.4, 2.8.21.1] */

#include "packed.h"

static void read_sector(uintptr_t base) {
    packed_describe_read();
#ifndef VIOLATION
    fence(w, w);
#endif
    packed.desc[head].flags = packed_head_flags(); /* HERE */
    packed_go_on();
    fence(w, r);
    if (packed_wants_notification()) {
        notify(base);
    }
    packed_take(base);
}

_Noreturn void main(void) {
    read_sector(packed_start());
    finish(0);
}
