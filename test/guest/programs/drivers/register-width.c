/* Control registers are accessed by 32 bits. [virtio 1.4, 4.2.2.2] */

#include "driver.h"

static bool is_live(uintptr_t base) {
#ifndef VIOLATION
    return mmio_read32(base + Status) & DRIVER_OK;
#else
    return mmio_read8(base + Status) & DRIVER_OK; /* HERE */
#endif
}

_Noreturn void main(void) {
    uintptr_t base = start_device(0);
    print(is_live(base) ? "live\n" : "not live\n");
    finish(0);
}
