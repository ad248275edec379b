/* InterruptACK gets the bits that InterruptStatus showed, and no others. [virtio 1.4, 4.2.2.2] */

#include "driver.h"

static void acknowledge_interrupt(uintptr_t base) {
    uint32_t handled = mmio_read32(base + InterruptStatus);
#ifdef VIOLATION
    handled = ~0u;
#endif
    mmio_write32(base + InterruptACK, handled); /* HERE */
}

_Noreturn void main(void) {
    uintptr_t base = start_device(0);
    rings.avail.flags = 0;
    describe_read();
    perform_read(base);
    acknowledge_interrupt(base);
    finish(0);
}
