/* A 64-bit field of the configuration space is read by 32 bits. [virtio 1.4, 4.2.2.2] */

#include "driver.h"

static uint64_t capacity(uintptr_t base) {
    uint32_t generation;
    uint64_t value;
    do {
        generation = mmio_read32(base + ConfigGeneration);
#ifndef VIOLATION
        value = mmio_read32(base + Config);
        value |= (uint64_t)mmio_read32(base + Config + 4) << 32;
#else
        value = *(volatile uint64_t *)(base + Config); /* HERE */
#endif
    } while (mmio_read32(base + ConfigGeneration) != generation);
    return value;
}

_Noreturn void main(void) {
    uintptr_t base = start_device(0);
    print_decimal(capacity(base));
    print(" sectors\n");
    finish(0);
}
