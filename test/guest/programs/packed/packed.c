/* See packed.h. */

#include "packed.h"

struct packed_ring packed;
unsigned head;
bool wrap = true;

uintptr_t packed_start(void) {
    uintptr_t base = find_device();
    if (!(negotiate(base, VIRTIO_F_RING_PACKED) & VIRTIO_F_RING_PACKED)) {
        print("no packed ring\n");
        finish(1);
    }
    packed.driver_event.flags = RING_EVENT_FLAGS_DISABLE;
    mmio_write32(base + QueueSel, 0);
    if (mmio_read32(base + QueueReady) != 0 || mmio_read32(base + QueueSizeMax) < QUEUE_SIZE) {
        print("no queue\n");
        finish(1);
    }
    mmio_write32(base + QueueSize, QUEUE_SIZE);
    mmio_write32(base + QueueDescLow, (uint32_t)(uintptr_t)packed.desc);
    mmio_write32(base + QueueDescHigh, 0);
    mmio_write32(base + QueueDriverLow, (uint32_t)(uintptr_t)&packed.driver_event);
    mmio_write32(base + QueueDriverHigh, 0);
    mmio_write32(base + QueueDeviceLow, (uint32_t)(uintptr_t)&packed.device_event);
    mmio_write32(base + QueueDeviceHigh, 0);
    enable_queue(base);
    add_status(base, DRIVER_OK);
    return base;
}

uint16_t packed_lap(bool lap) { return lap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED; }

static void describe(unsigned part, volatile const void *buffer, uint32_t length, uint16_t flags) {
    volatile struct pvirtq_desc *desc = &packed.desc[head + part];
    desc->addr = (uintptr_t)buffer;
    desc->len = length;
    desc->id = 0;
    if (part > 0) {
        desc->flags = flags | packed_lap(wrap);
    }
}

void packed_describe_read(void) {
    request.header.type = VIRTIO_BLK_T_IN;
    request.header.reserved = 0;
    request.header.sector = 0;
    request.status = 0xff;
    describe(0, &request.header, sizeof request.header, VIRTQ_DESC_F_NEXT);
    describe(1, request.data, SECTOR_SIZE / 2, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE);
    describe(2, request.data + SECTOR_SIZE / 2, SECTOR_SIZE / 2, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE);
    describe(3, &request.status, 1, VIRTQ_DESC_F_WRITE);
}

uint16_t packed_head_flags(void) { return VIRTQ_DESC_F_NEXT | packed_lap(wrap); }

void packed_go_on(void) {
    head += PARTS;
    if (head == QUEUE_SIZE) {
        head = 0;
        wrap = !wrap;
    }
}

bool packed_wants_notification(void) { return packed.device_event.flags != RING_EVENT_FLAGS_DISABLE; }

void packed_take(uintptr_t base) {
    /* The used descriptor stands where the request's head stood, with both bits at the wrap counter of its lap. */
    unsigned used = head == 0 ? QUEUE_SIZE - PARTS : head - PARTS;
    bool lap = head == 0 ? !wrap : wrap;
    uint16_t wanted = lap ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0;
    while ((packed.desc[used].flags & (VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED)) != wanted) {
        if (mmio_read32(base + Status) & DEVICE_NEEDS_RESET) {
            print("the device needs a reset\n");
            return;
        }
    }
    fence(r, r);
    if (packed.desc[used].id == 0 && packed.desc[used].len == SECTOR_SIZE + 1 && request.status == VIRTIO_BLK_S_OK) {
        print_bytes(request.data, 32);
        print("\n");
    }
}

void packed_read(uintptr_t base) {
    packed_describe_read();
    fence(w, w);
    packed.desc[head].flags = packed_head_flags();
    packed_go_on();
    fence(w, r);
    if (packed_wants_notification()) {
        notify(base);
    }
    packed_take(base);
}
