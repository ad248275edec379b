/* A descriptor that refers to an indirect table ends its chain. [virtio 1.4, 2.7.5.3.1] */

#include "driver.h"

static struct virtq_desc table[3] __attribute__((aligned(16)));

static void read_sector(uintptr_t base) {
    uint16_t flags = VIRTQ_DESC_F_INDIRECT;
    describe_read();
    for (unsigned i = 0; i < 3; i++) {
        table[i] = rings.desc[i];
    }
#ifdef VIOLATION
    flags |= VIRTQ_DESC_F_NEXT;
#endif
    set_descriptor(0, table, sizeof table, 0, 4);
    set_descriptor(4, &request.status, 1, VIRTQ_DESC_F_WRITE, 0);
    rings.desc[0].flags = flags; /* HERE */
    perform_read(base);
}

_Noreturn void main(void) {
    read_sector(start_device(VIRTIO_F_INDIRECT_DESC));
    finish(0);
}
