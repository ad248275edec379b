/* The flags of the descriptor are visible before the driver looks whether the device wants to know. [virtio 1.4, 2.8.21.3.1] */

#include "packed.h"

static void read_sector(uintptr_t base) {
    packed_describe_read();
    fence(w, w);
    packed.desc[head].flags = packed_head_flags();
    packed_go_on();
#ifndef VIOLATION
    fence(w, r);
#endif
    if (packed.device_event.flags != RING_EVENT_FLAGS_DISABLE) { /* HERE */
        notify(base);
    }
    packed_take(base);
}

_Noreturn void main(void) {
    read_sector(packed_start());
    finish(0);
}
