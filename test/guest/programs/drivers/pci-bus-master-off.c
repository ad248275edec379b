/* A function that is no bus master reaches no memory, so neither its rings. [PCI Local Bus 3.0, 6.2.2] */

#include "block.h"

static void go_live(void) {
#ifdef VIOLATION
    mmio_write16(function.config + COMMAND, MEMORY_SPACE);
    mmio_write8(function.common + device_status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK); /* HERE */
#else
    mmio_write8(function.common + device_status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
#endif
}

_Noreturn void main(void) {
    pci_negotiate();
    pci_describe_queue();
    pci_enable_queue();
    go_live();
    pci_read();
    finish(0);
}
