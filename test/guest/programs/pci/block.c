/* See block.h. */

#include "block.h"

struct virtio_pci function;

static uint8_t status(void) { return mmio_read8(function.common + device_status); }

void pci_reset(void) {
    mmio_write8(function.common + device_status, 0);
    while (status() != 0) {
    }
}

void pci_add_status(uint8_t bit) { mmio_write8(function.common + device_status, status() | bit); }

void pci_negotiate(void) {
    pci_find(&function);
    pci_reset();
    pci_add_status(ACKNOWLEDGE);
    pci_add_status(DRIVER);
    uint32_t accepted[2] = {0, VIRTIO_F_VERSION_1 >> 32};
    for (unsigned window = 0; window < 2; window++) {
        mmio_write32(function.common + device_feature_select, window);
        accepted[window] &= mmio_read32(function.common + device_feature);
        mmio_write32(function.common + driver_feature_select, window);
        mmio_write32(function.common + driver_feature, accepted[window]);
    }
    pci_add_status(FEATURES_OK);
    if (!(status() & FEATURES_OK)) {
        pci_add_status(FAILED);
        print("features refused\n");
        finish(1);
    }
}

static void set_address(unsigned field, volatile const void *memory) {
    mmio_write32(function.common + field, (uint32_t)(uintptr_t)memory);
    mmio_write32(function.common + field + 4, (uint32_t)((uintptr_t)memory >> 32));
}

void pci_describe_queue(void) {
    rings.avail.flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
    mmio_write16(function.common + queue_select, 0);
    if (mmio_read16(function.common + queue_size) < QUEUE_SIZE) {
        print("no queue\n");
        finish(1);
    }
    mmio_write16(function.common + queue_size, QUEUE_SIZE);
    set_address(queue_desc, rings.desc);
    set_address(queue_driver, &rings.avail);
    set_address(queue_device, &rings.used);
}

void pci_enable_queue(void) {
    fence(w, o);
    mmio_write16(function.common + queue_enable, 1);
}

void pci_start(void) {
    pci_negotiate();
    pci_describe_queue();
    pci_enable_queue();
    pci_add_status(DRIVER_OK);
}

uintptr_t pci_notify_address(void) {
    return function.notify + mmio_read16(function.common + queue_notify_off) * function.notify_off_multiplier;
}

void pci_take(uint16_t count) {
    while (rings.used.idx != count) {
        if (status() & DEVICE_NEEDS_RESET) {
            print("the device needs a reset\n");
            return;
        }
    }
    fence(r, r);
    if (request.status == VIRTIO_BLK_S_OK) {
        print_bytes(request.data, 32);
        print("\n");
    }
}

void pci_read(void) {
    uint16_t before = rings.used.idx;
    describe_read();
    publish(0);
    fence(w, o);
    mmio_write16(pci_notify_address(), 0);
    pci_take((uint16_t)(before + 1));
}
