/* How a RISC-V driver touches device registers, and the fences it needs around them. [RISC-V unprivileged, 2.7] */

#pragma once

#include <stdint.h>

static inline uint8_t mmio_read8(uintptr_t address) { return *(volatile uint8_t *)address; }
static inline void mmio_write8(uintptr_t address, uint8_t value) { *(volatile uint8_t *)address = value; }
static inline uint32_t mmio_read32(uintptr_t address) { return *(volatile uint32_t *)address; }
static inline void mmio_write32(uintptr_t address, uint32_t value) { *(volatile uint32_t *)address = value; }

/*
 * A fence has two sets. What stands before it and is named by the first set becomes visible before what stands after it and
 * is named by the second: r and w are loads and stores of memory, i and o are loads and stores of device registers.
 */
#define fence(before, after) __asm__ volatile("fence " #before "," #after ::: "memory")
