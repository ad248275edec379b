/* Without VIRTIO_F_EVENT_IDX the driver enables or disables interrupts, and names no descriptor. [virtio 1.4, 2.8.10] */

#include "packed.h"

static void suppress(void) {
#ifdef VIOLATION
    packed.driver_event.flags = RING_EVENT_FLAGS_DESC; /* HERE */
#else
    packed.driver_event.flags = RING_EVENT_FLAGS_DISABLE;
#endif
}

_Noreturn void main(void) {
    uintptr_t base = packed_start();
    suppress();
    packed_read(base);
    packed_read(base);
    packed_read(base);
    finish(0);
}
