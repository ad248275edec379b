/* Registers of direction R are not written. [virtio 1.4, 4.2.2.2] */

#include "driver.h"

static void drop_interrupts(uintptr_t base) {
#ifndef VIOLATION
    mmio_write32(base + InterruptACK, mmio_read32(base + InterruptStatus));
#else
    mmio_write32(base + InterruptStatus, 0); /* HERE */
#endif
}

_Noreturn void main(void) {
    uintptr_t base = start_device(0);
    rings.avail.flags = 0;
    describe_read();
    perform_read(base);
    drop_interrupts(base);
    finish(0);
}
