/* queue_size has 16 bits, and a field is accessed at its own width. [virtio 1.4, 4.1.3.1] */

#include "block.h"

static void choose_size(void) {
    mmio_write16(function.common + queue_select, 0);
#ifdef VIOLATION
    mmio_write32(function.common + queue_size, QUEUE_SIZE); /* HERE */
#else
    mmio_write16(function.common + queue_size, QUEUE_SIZE);
#endif
}

_Noreturn void main(void) {
    pci_negotiate();
    pci_describe_queue();
    choose_size();
    pci_enable_queue();
    pci_add_status(DRIVER_OK);
    pci_read();
    finish(0);
}
