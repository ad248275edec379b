/* Registers of direction W are not read. [virtio 1.4, 4.2.2.2] */

#include "driver.h"

static void select_queue(uintptr_t base) {
#ifdef VIOLATION
    if (mmio_read32(base + QueueSel) != 0) /* HERE */
#endif
        mmio_write32(base + QueueSel, 0);
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    negotiate(base, 0);
    select_queue(base);
    print("selected\n");
    finish(0);
}
