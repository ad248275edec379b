/* What the device reads comes before what it writes. [virtio 1.4, 2.7.4.2] */

#include "driver.h"

static void write_sector(uintptr_t base) {
    request.header.type = VIRTIO_BLK_T_OUT;
    request.header.sector = 5;
    request.status = 0xff;
    set_descriptor(0, &request.header, sizeof request.header, VIRTQ_DESC_F_NEXT, 1);
#ifndef VIOLATION
    set_descriptor(1, request.data, sizeof request.data, VIRTQ_DESC_F_NEXT, 2);
    set_descriptor(2, &request.status, 1, VIRTQ_DESC_F_WRITE, 0);
#else
    set_descriptor(1, &request.status, 1, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 2);
    set_descriptor(2, request.data, sizeof request.data, VIRTQ_DESC_F_WRITE, 0);
    rings.desc[2].flags = 0; /* HERE */
#endif
    publish(0);
    notify(base);
    wait_for_used(base, 1);
    print(request.status == VIRTIO_BLK_S_OK ? "written\n" : "not written\n");
}

_Noreturn void main(void) {
    write_sector(start_device(0));
    finish(0);
}
