/* What was made available cannot be taken back. [virtio 1.4, 2.7.6.1] */

#include "driver.h"

static void change_of_mind(uintptr_t base) {
    describe_read();
    publish(0);
#ifdef VIOLATION
    rings.avail.idx = 0; /* HERE */
    (void)base;
#else
    notify(base);
    wait_for_used(base, 1);
#endif
}

_Noreturn void main(void) {
    change_of_mind(start_device(0));
    print("over\n");
    finish(0);
}
