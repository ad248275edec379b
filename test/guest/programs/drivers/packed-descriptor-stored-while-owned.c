/* A descriptor is the device's from the moment it is available until it is used. [virtio 1.4, 2.8.1] */

#include "packed.h"

static void read_sector(uintptr_t base) {
    packed_describe_read();
    fence(w, w);
    packed.desc[head].flags = packed_head_flags();
#ifdef VIOLATION
    packed.desc[head + 1].len = 1; /* HERE */
#endif
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
