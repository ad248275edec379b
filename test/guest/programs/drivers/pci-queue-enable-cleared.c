/* A queue is enabled by 1; nothing else may be written to queue_enable. [virtio 1.4, 4.1.4.3.2] */

#include "block.h"

static void enable(void) {
#ifdef VIOLATION
    mmio_write16(function.common + queue_enable, 0); /* HERE */
#endif
    pci_enable_queue();
}

_Noreturn void main(void) {
    pci_negotiate();
    pci_describe_queue();
    enable();
    pci_add_status(DRIVER_OK);
    pci_read();
    finish(0);
}
