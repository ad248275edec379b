/* One virtio function on bus 0, found and placed without firmware. [PCI Local Bus 3.0, 6; virtio 1.4, 4.1] */

#pragma once

#include "board.h"
#include "io.h"

#include <stdint.h>

enum { ECAM = 0x30000000, MEMORY_WINDOW = 0x40000000, IO_WINDOW = 0x03000000 };
/* Offsets in configuration space, and bits of the command. */
enum { VENDOR = 0, DEVICE = 2, COMMAND = 4, REVISION = 8, BAR0 = 0x10, CAPABILITIES = 0x34 };
enum { IO_SPACE = 1, MEMORY_SPACE = 2, BUS_MASTER = 4 };
enum { CAPABILITY_VENDOR = 9, CAPABILITY_MSIX = 0x11, MSIX_ENABLE = 0x8000, MSIX_FUNCTION_MASK = 0x4000 };
enum { NO_VECTOR = 0xffff };

/* Where the driver finds what. Structures that the device does not have are 0. */
struct virtio_pci {
    uintptr_t config;
    uintptr_t bars[6];
    uintptr_t common, notify, isr, device;
    uint32_t notify_off_multiplier;
    uintptr_t msix; /* the capability */
    unsigned vectors;
    uintptr_t table, pending;
};

static inline uint16_t mmio_read16(uintptr_t address) { return *(volatile uint16_t *)address; }
static inline void mmio_write16(uintptr_t address, uint16_t value) { *(volatile uint16_t *)address = value; }

/* Finds the first virtio function, gives every base address register a place, and fills in what its capabilities say. */
void pci_find(struct virtio_pci *function);
/* Where a message of one vector goes; the entry is left masked or not. */
void msix_set(const struct virtio_pci *function, unsigned vector, uintptr_t address, uint32_t data, uint32_t masked);
void msix_control(const struct virtio_pci *function, uint16_t bits);
