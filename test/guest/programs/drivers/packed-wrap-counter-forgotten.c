/* The wrap counter flips with each lap of the ring. [virtio 1.4, 2.8.1] */

#include "packed.h"

static void read_sector(uintptr_t base) {
    packed_describe_read();
    fence(w, w);
#ifdef VIOLATION
    packed.desc[head].flags = VIRTQ_DESC_F_NEXT | packed_lap(true); /* HERE */
#else
    packed.desc[head].flags = packed_head_flags();
#endif
    packed_go_on();
    fence(w, r);
    if (packed_wants_notification()) {
        notify(base);
    }
}

_Noreturn void main(void) {
    uintptr_t base = packed_start();
    for (unsigned turn = 0; turn < 3; turn++) {
        read_sector(base);
#ifdef VIOLATION
        if (turn == 2) {
            break;
        }
#endif
        packed_take(base);
    }
    finish(0);
}
