/* The reset is over when device_status reads 0. [virtio 1.4, 4.1.4.3.2] */

#include "block.h"

static void restart(void) {
#ifdef VIOLATION
    mmio_write8(function.common + device_status, 0);
    mmio_write8(function.common + device_status, ACKNOWLEDGE); /* HERE */
#else
    pci_reset();
    pci_add_status(ACKNOWLEDGE);
#endif
}

_Noreturn void main(void) {
    pci_find(&function);
    restart();
    pci_start();
    pci_read();
    finish(0);
}
