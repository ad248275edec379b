/*
 * The legacy handshake over virtio-mmio version 1: one window of features, no FEATURES_OK, the queue in one piece at a page frame number.
 * With -DVIOLATION it sets FEATURES_OK all the same. [virtio 1.4, 3.1.2 and 4.2.4]
 */

#include "driver.h"

enum { GuestPageSize = 0x028, QueueAlign = 0x03c, QueuePFN = 0x040, PAGE_BYTES = 4096 };

static struct {
    volatile struct virtq_desc desc[QUEUE_SIZE];
    volatile struct virtq_avail avail;
    volatile struct virtq_used used __attribute__((aligned(PAGE_BYTES)));
} queue __attribute__((aligned(PAGE_BYTES)));

static uintptr_t find_legacy_device(void) {
    for (unsigned slot = 0; slot < VIRTIO_MMIO_SLOTS; slot++) {
        uintptr_t base = VIRTIO_MMIO + slot * VIRTIO_MMIO_STRIDE;
        if (mmio_read32(base + MagicValue) == MAGIC && mmio_read32(base + Version) == 1 &&
            mmio_read32(base + DeviceID) == BLOCK_DEVICE_ID) {
            return base;
        }
    }
    print("no legacy block device\n");
    finish(1);
}

static void settle(uintptr_t base) {
#ifdef VIOLATION
    add_status(base, FEATURES_OK); /* the accessor writes: HERE */
#else
    (void)base;
#endif
}

_Noreturn void main(void) {
    uintptr_t base = find_legacy_device();
    mmio_write32(base + GuestPageSize, PAGE_BYTES);
    reset(base);
    add_status(base, ACKNOWLEDGE);
    add_status(base, DRIVER);
    mmio_write32(base + DeviceFeaturesSel, 0);
    uint32_t offered = mmio_read32(base + DeviceFeatures);
    mmio_write32(base + DriverFeaturesSel, 0);
    mmio_write32(base + DriverFeatures, offered & (uint32_t)VIRTIO_BLK_F_FLUSH);
    settle(base);

    queue.avail.flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
    mmio_write32(base + QueueSel, 0);
    if (mmio_read32(base + QueuePFN) != 0 || mmio_read32(base + QueueSizeMax) < QUEUE_SIZE) {
        print("no queue\n");
        finish(1);
    }
    mmio_write32(base + QueueSize, QUEUE_SIZE);
    mmio_write32(base + QueueAlign, PAGE_BYTES);
    fence(w, o);
    mmio_write32(base + QueuePFN, (uint32_t)((uintptr_t)&queue / PAGE_BYTES));
    add_status(base, DRIVER_OK);

    request.header.type = VIRTIO_BLK_T_IN;
    volatile struct virtq_desc *desc = queue.desc;
    desc[0] = (struct virtq_desc){(uintptr_t)&request.header, sizeof request.header, VIRTQ_DESC_F_NEXT, 1};
    desc[1] = (struct virtq_desc){(uintptr_t)request.data, SECTOR_SIZE, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 2};
    desc[2] = (struct virtq_desc){(uintptr_t)&request.status, 1, VIRTQ_DESC_F_WRITE, 0};
    queue.avail.ring[0] = 0;
    fence(w, w);
    queue.avail.idx = 1;
    fence(w, o);
    mmio_write32(base + QueueNotify, 0);
    while (queue.used.idx != 1) {
    }
    print("read\n");
    finish(0);
}
