/* The flags of a list's first descriptor are stored last. [virtio 1.4, 2.8.21.1] */

#include "packed.h"

static void read_sector(uintptr_t base) {
    packed_describe_read();
#ifdef VIOLATION
    uint16_t last = packed.desc[head + PARTS - 1].flags;
    packed.desc[head + PARTS - 1].flags = 0;
    fence(w, w);
    packed.desc[head].flags = packed_head_flags(); /* HERE */
    fence(w, w);
    packed.desc[head + PARTS - 1].flags = last;
#else
    fence(w, w);
    packed.desc[head].flags = packed_head_flags();
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
