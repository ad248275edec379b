/* VIRTQ_DESC_F_INDIRECT needs VIRTIO_F_INDIRECT_DESC. [virtio 1.4, 2.7.5.3.1] */

#include "driver.h"

#ifndef VIOLATION
#define WANTED VIRTIO_F_INDIRECT_DESC
#else
#define WANTED 0
#endif

static struct virtq_desc table[3] __attribute__((aligned(16)));

static void read_sector(uintptr_t base) {
    describe_read();
    for (unsigned i = 0; i < 3; i++) {
        table[i] = rings.desc[i];
    }
    set_descriptor(0, table, sizeof table, 0, 0);
    rings.desc[0].flags = VIRTQ_DESC_F_INDIRECT; /* HERE */
    perform_read(base);
}

_Noreturn void main(void) {
    read_sector(start_device(WANTED));
    finish(0);
}
