/* Discovery and initialisation of a virtio device on the MMIO transport, version 2. [virtio 1.4, 3.1 and 4.2]
 * Part of the faulty driver: some lines here break the specification. ANSWERS.md says which. */

#include "virtio_mmio.h"

#include "board.h"
#include "io.h"

uintptr_t virtio_mmio_find(uint32_t device_id, unsigned *slot) {
    for (unsigned n = 0; n < VIRTIO_MMIO_SLOTS; n++) {
        uintptr_t base = VIRTIO_MMIO + n * VIRTIO_MMIO_STRIDE;
        /* 4.2.3.1.1: in this order, and nothing else unless all three are good. DeviceID 0 is an empty slot. */
        if (mmio_read32(base + MagicValue) != MAGIC || mmio_read32(base + Version) != 2) {
            continue;
        }
        if (mmio_read32(base + DeviceID) == device_id) {
            *slot = n;
            return base;
        }
    }
    return 0;
}

static inline uint64_t mmio_read64(uintptr_t address) { return *(volatile uint64_t *)address; }

static uint64_t read_device_features(uintptr_t base) {
    mmio_write32(base + DeviceFeaturesSel, 0);
    uint64_t low = mmio_read32(base + DeviceFeatures);
    mmio_write32(base + DeviceFeaturesSel, 1);
    uint64_t high = mmio_read32(base + DeviceFeatures);
    return high << 32 | low;
}

static void write_driver_features(uintptr_t base, uint64_t features) {
    mmio_write32(base + DriverFeaturesSel, 0);
    mmio_write32(base + DriverFeatures, (uint32_t)features);
    mmio_write32(base + DriverFeaturesSel, 1);
    mmio_write32(base + DriverFeatures, (uint32_t)(features >> 32));
}

bool virtio_mmio_negotiate(uintptr_t base, uint64_t known, uint64_t *accepted) {
    /* 2.4.2: the reset is complete when Status reads 0. */
    mmio_write32(base + Status, 0);
    while (mmio_read32(base + Status) != 0) {
    }

    /* 3.1.1: this driver knows the device, and it has noticed it. */
    uint32_t status = DRIVER;
    mmio_write32(base + Status, status);
    status |= ACKNOWLEDGE;
    mmio_write32(base + Status, status);

    /* 2.2.1: the driver works with a device that offers anything at all of what it knows. */
    if (!(read_device_features(base) & known)) {
        return false;
    }
    *accepted = known;
    write_driver_features(base, *accepted);

    /* 3.1.1 step 5: the features are settled. */
    status |= FEATURES_OK;
    mmio_write32(base + Status, status);
    return true;
}

bool virtio_mmio_setup_queue(uintptr_t base, struct virtqueue *queue) {
    /* 4.2.3.2: select, check that it is not in use, check its size, describe it, enable it. */
    mmio_write32(base + QueueSel, queue->index);
    if (mmio_read32(base + QueueReady) != 0 || mmio_read32(base + QueueSizeMax) < QUEUE_SIZE) {
        return false;
    }
    mmio_write32(base + QueueSize, QUEUE_SIZE);

    uint64_t desc = (uintptr_t)queue->desc;
    uint64_t avail = (uintptr_t)&queue->avail;
    uint64_t used = (uintptr_t)&queue->used;
    mmio_write32(base + QueueDescLow, (uint32_t)desc);
    mmio_write32(base + QueueDescHigh, (uint32_t)(desc >> 32));
    mmio_write32(base + QueueDriverLow, (uint32_t)avail);
    mmio_write32(base + QueueDriverHigh, (uint32_t)(avail >> 32));
    mmio_write32(base + QueueDeviceLow, (uint32_t)used);
    mmio_write32(base + QueueDeviceHigh, (uint32_t)(used >> 32));

    /* The initial contents of the rings must be visible before the device may look at them. */
    fence(w, o);
    mmio_write32(base + QueueReady, 1);
    return true;
}

uint64_t virtio_mmio_config64(uintptr_t base, unsigned offset) {
    uint32_t generation;
    uint64_t value;
    /* 2.5.1: a value counts only if the generation did not change while it was read. */
    do {
        generation = mmio_read32(base + ConfigGeneration);
        value = mmio_read64(base + Config + offset);
    } while (mmio_read32(base + ConfigGeneration) != generation);
    return value;
}

void virtio_mmio_driver_ok(uintptr_t base) {
    mmio_write32(base + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

void virtio_mmio_failed(uintptr_t base) {
    mmio_write32(base + Status, mmio_read32(base + Status) | FAILED);
}

uint32_t virtio_mmio_interrupt_status(uintptr_t base) {
    /* 4.2.2.2: bits that the specification does not define are ignored. */
    return mmio_read32(base + InterruptStatus) & (USED_BUFFER_NOTIFICATION | CONFIGURATION_CHANGE_NOTIFICATION);
}

void virtio_mmio_interrupt_acknowledge(uintptr_t base, uint32_t handled) {
    /* What has been handled, and whatever else came up meanwhile. */
    mmio_write32(base + InterruptACK, handled | ~(uint32_t)CONFIGURATION_CHANGE_NOTIFICATION);
}
