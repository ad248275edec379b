/* From publishing until the used ring returns it, a descriptor belongs to the device. [virtio 1.4, 2.7.13 and 3.3.1] */

#include "driver.h"

static void read_sector(uintptr_t base) {
    describe_read();
    publish(0);
    notify(base);
#ifdef VIOLATION
    rings.desc[2].next = 3; /* HERE */
#endif
    wait_for_used(base, 1);
#ifndef VIOLATION
    rings.desc[2].next = 3;
#endif
    print_bytes(request.data, 32);
    print("\n");
}

_Noreturn void main(void) {
    read_sector(start_device(0));
    finish(0);
}
