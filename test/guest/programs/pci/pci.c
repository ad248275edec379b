/* See pci.h. */

#include "pci.h"

enum { VIRTIO_VENDOR = 0x1af4, DEVICES = 32, DEVICE_STRIDE = 1 << 15 };

static uintptr_t place(uintptr_t config, unsigned bar, uintptr_t memory, uintptr_t *bars) {
    uintptr_t at = config + BAR0 + 4 * bar;
    mmio_write32(at, 0xffffffff);
    uint32_t mask = mmio_read32(at);
    if (mask == 0) {
        return memory;
    }
    if (mask & 1) {
        mmio_write32(at, 0x1000);
        bars[bar] = IO_WINDOW + 0x1000;
        return memory;
    }
    uint32_t size = ~(mask & ~15u) + 1;
    memory = (memory + size - 1) & ~((uintptr_t)size - 1);
    mmio_write32(at, (uint32_t)memory);
    if (mask & 4) {
        mmio_write32(at + 4, 0);
    }
    bars[bar] = memory;
    return memory + size;
}

static void read_capability(struct virtio_pci *function, uintptr_t capability) {
    if (mmio_read8(capability) == CAPABILITY_MSIX) {
        uint32_t table = mmio_read32(capability + 4), pending = mmio_read32(capability + 8);
        function->msix = capability;
        function->vectors = (mmio_read16(capability + 2) & 0x7ff) + 1;
        function->table = function->bars[table & 7] + (table & ~7u);
        function->pending = function->bars[pending & 7] + (pending & ~7u);
    }
    if (mmio_read8(capability) != CAPABILITY_VENDOR || mmio_read8(capability + 4) > 5) {
        return;
    }
    uintptr_t structure = function->bars[mmio_read8(capability + 4)] + mmio_read32(capability + 8);
    switch (mmio_read8(capability + 3)) {
    case 1:
        function->common = structure;
        break;
    case 2:
        function->notify = structure;
        function->notify_off_multiplier = mmio_read32(capability + 16);
        break;
    case 3:
        function->isr = structure;
        break;
    case 4:
        function->device = structure;
        break;
    }
}

void pci_find(struct virtio_pci *function) {
    for (unsigned device = 1; device < DEVICES; device++) {
        uintptr_t config = ECAM + device * DEVICE_STRIDE;
        if (mmio_read16(config + VENDOR) != VIRTIO_VENDOR) {
            continue;
        }
        function->config = config;
        uintptr_t memory = MEMORY_WINDOW;
        for (unsigned bar = 0; bar < 6; bar++) {
            /* The upper half of a register that was placed reads as 0 and stays that way. */
            unsigned wide = bar > 0 && function->bars[bar - 1] && (mmio_read32(config + BAR0 + 4 * (bar - 1)) & 5) == 4;
            if (!wide) {
                memory = place(config, bar, memory, function->bars);
            }
        }
        mmio_write16(config + COMMAND, IO_SPACE | MEMORY_SPACE | BUS_MASTER);
        for (uint8_t at = mmio_read8(config + CAPABILITIES); at != 0; at = mmio_read8(config + at + 1)) {
            read_capability(function, config + at);
        }
        return;
    }
    print("no virtio function on the bus\n");
    extern _Noreturn void finish(uint16_t);
    finish(3);
}

void msix_set(const struct virtio_pci *function, unsigned vector, uintptr_t address, uint32_t data, uint32_t masked) {
    uintptr_t entry = function->table + 16 * vector;
    mmio_write32(entry + 12, 1);
    mmio_write32(entry, (uint32_t)address);
    mmio_write32(entry + 4, (uint32_t)(address >> 32));
    mmio_write32(entry + 8, data);
    mmio_write32(entry + 12, masked);
}

void msix_control(const struct virtio_pci *function, uint16_t bits) {
    mmio_write16(function->msix + 2, bits);
}
