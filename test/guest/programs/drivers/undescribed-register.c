/* Only described registers are touched. [virtio 1.4, 4.2.2.2] */

#include "driver.h"

/* GuestPageSize of the legacy layout, at the offset where version 2 has nothing. */
enum { GuestPageSize = 0x028 };

static void set_page_size(uintptr_t base) {
#ifdef VIOLATION
    mmio_write32(base + GuestPageSize, 4096); /* HERE */
#endif
    mmio_write32(base + QueueSel, 0);
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    negotiate(base, 0);
    set_page_size(base);
    print("set\n");
    finish(0);
}
