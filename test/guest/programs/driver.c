/* The steps of a small polling block driver; see driver.h. [virtio 1.4, 2.7, 3.1 and 4.2] */

#include "driver.h"

struct rings rings;
struct block_request request;

static void give_up(const char *why) {
    print(why);
    print("\n");
    finish(1);
}

uintptr_t find_device(void) {
    for (unsigned slot = 0; slot < VIRTIO_MMIO_SLOTS; slot++) {
        uintptr_t base = VIRTIO_MMIO + slot * VIRTIO_MMIO_STRIDE;
        if (mmio_read32(base + MagicValue) == MAGIC && mmio_read32(base + Version) == 2 &&
            mmio_read32(base + DeviceID) == BLOCK_DEVICE_ID) {
            return base;
        }
    }
    give_up("no block device");
    return 0;
}

void reset(uintptr_t base) {
    mmio_write32(base + Status, 0);
    while (mmio_read32(base + Status) != 0) {
    }
}

void add_status(uintptr_t base, uint32_t bit) { mmio_write32(base + Status, mmio_read32(base + Status) | bit); }

uint64_t offered_features(uintptr_t base) {
    mmio_write32(base + DeviceFeaturesSel, 0);
    uint64_t low = mmio_read32(base + DeviceFeatures);
    mmio_write32(base + DeviceFeaturesSel, 1);
    return (uint64_t)mmio_read32(base + DeviceFeatures) << 32 | low;
}

void accept_features(uintptr_t base, uint64_t features) {
    mmio_write32(base + DriverFeaturesSel, 0);
    mmio_write32(base + DriverFeatures, (uint32_t)features);
    mmio_write32(base + DriverFeaturesSel, 1);
    mmio_write32(base + DriverFeatures, (uint32_t)(features >> 32));
}

void confirm_features(uintptr_t base) {
    add_status(base, FEATURES_OK);
    if (!(mmio_read32(base + Status) & FEATURES_OK)) {
        add_status(base, FAILED);
        give_up("features refused");
    }
}

uint64_t negotiate(uintptr_t base, uint64_t wanted) {
    reset(base);
    add_status(base, ACKNOWLEDGE);
    add_status(base, DRIVER);
    uint64_t accepted = offered_features(base) & (wanted | VIRTIO_F_VERSION_1);
    accept_features(base, accepted);
    confirm_features(base);
    return accepted;
}

void describe_queue(uintptr_t base) {
    mmio_write32(base + QueueSel, 0);
    if (mmio_read32(base + QueueReady) != 0 || mmio_read32(base + QueueSizeMax) < QUEUE_SIZE) {
        give_up("no queue");
    }
    mmio_write32(base + QueueSize, QUEUE_SIZE);
    mmio_write32(base + QueueDescLow, (uint32_t)(uintptr_t)rings.desc);
    mmio_write32(base + QueueDescHigh, (uint32_t)((uintptr_t)rings.desc >> 32));
    mmio_write32(base + QueueDriverLow, (uint32_t)(uintptr_t)&rings.avail);
    mmio_write32(base + QueueDriverHigh, (uint32_t)((uintptr_t)&rings.avail >> 32));
    mmio_write32(base + QueueDeviceLow, (uint32_t)(uintptr_t)&rings.used);
    mmio_write32(base + QueueDeviceHigh, (uint32_t)((uintptr_t)&rings.used >> 32));
}

void enable_queue(uintptr_t base) {
    fence(w, o);
    mmio_write32(base + QueueReady, 1);
}

uintptr_t start_device(uint64_t wanted) {
    uintptr_t base = find_device();
    uint64_t accepted = negotiate(base, wanted);
    /* A polling driver wants no interrupts; with VIRTIO_F_EVENT_IDX the flags stay 0 and used_event is left behind. */
    rings.avail.flags = accepted & VIRTIO_F_EVENT_IDX ? 0 : VIRTQ_AVAIL_F_NO_INTERRUPT;
    describe_queue(base);
    enable_queue(base);
    add_status(base, DRIVER_OK);
    return base;
}

void set_descriptor(uint16_t index, volatile const void *buffer, uint32_t length, uint16_t flags, uint16_t next) {
    rings.desc[index].addr = (uintptr_t)buffer;
    rings.desc[index].len = length;
    rings.desc[index].flags = flags;
    rings.desc[index].next = next;
}

void describe_read(void) {
    request.header.type = VIRTIO_BLK_T_IN;
    request.header.reserved = 0;
    request.header.sector = 0;
    request.status = 0xff;
    set_descriptor(0, &request.header, sizeof request.header, VIRTQ_DESC_F_NEXT, 1);
    set_descriptor(1, request.data, sizeof request.data, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 2);
    set_descriptor(2, &request.status, 1, VIRTQ_DESC_F_WRITE, 0);
}

void publish(uint16_t head) {
    uint16_t idx = rings.avail.idx;
    rings.avail.ring[idx % QUEUE_SIZE] = head;
    fence(w, w);
    rings.avail.idx = (uint16_t)(idx + 1);
}

void notify(uintptr_t base) {
    fence(w, o);
    mmio_write32(base + QueueNotify, 0);
}

void wait_for_used(uintptr_t base, uint16_t count) {
    while (rings.used.idx != count) {
        if (mmio_read32(base + Status) & DEVICE_NEEDS_RESET) {
            print("the device needs a reset\n");
            return;
        }
    }
    fence(r, r);
}

void perform_read(uintptr_t base) {
    uint16_t before = rings.used.idx;
    publish(0);
    notify(base);
    wait_for_used(base, (uint16_t)(before + 1));
    if (request.status == VIRTIO_BLK_S_OK) {
        print_bytes(request.data, 32);
        print("\n");
    }
}
