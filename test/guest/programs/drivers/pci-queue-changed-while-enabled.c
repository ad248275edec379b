/* What is enabled stays as it is. [virtio 1.4, 4.1.4.3.2] */

#include "block.h"

static void shrink(void) {
#ifdef VIOLATION
    mmio_write16(function.common + queue_size, QUEUE_SIZE / 2); /* HERE */
#endif
}

_Noreturn void main(void) {
    pci_start();
    shrink();
    pci_read();
    finish(0);
}
