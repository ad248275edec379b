/* Without VIRTIO_F_NOTIFICATION_DATA a notification has 16 bits. [virtio 1.4, 4.1.5.2] */

#include "block.h"

static void read_sector(void) {
    describe_read();
    publish(0);
    fence(w, o);
#ifdef VIOLATION
    mmio_write32(pci_notify_address(), 0); /* HERE */
#else
    mmio_write16(pci_notify_address(), 0);
#endif
    pci_take(1);
}

_Noreturn void main(void) {
    pci_start();
    read_sector();
    finish(0);
}
