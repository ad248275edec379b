/* QueueReady is read back after it was written 0. [virtio 1.4, 4.2.2.2] */

#include "driver.h"

static void restart_queue(uintptr_t base) {
    mmio_write32(base + QueueReady, 0);
#ifndef VIOLATION
    while (mmio_read32(base + QueueReady) != 0) {
    }
#endif
    mmio_write32(base + QueueSize, QUEUE_SIZE); /* HERE */
    mmio_write32(base + QueueReady, 1);
}

_Noreturn void main(void) {
    uintptr_t base = find_device();
    negotiate(base, 0);
    describe_queue(base);
    enable_queue(base);
    restart_queue(base);
    print("restarted\n");
    finish(0);
}
