/* A 64-bit field of the configuration space is read by 32 bits. [virtio 1.4, 4.2.2.2] */

#include "driver.h"

static uint64_t capacity(uintptr_t base) {
#ifndef VIOLATION
    uint32_t generation, low, high;
    do {
        generation = mmio_read32(base + ConfigGeneration);
        low = mmio_read32(base + Config);
        high = mmio_read32(base + Config + 4);
    } while (mmio_read32(base + ConfigGeneration) != generation);
    return (uint64_t)high << 32 | low;
#else
    return *(volatile uint64_t *)(base + Config); /* HERE */
#endif
}

_Noreturn void main(void) {
    uintptr_t base = start_device(0);
    print_decimal(capacity(base));
    print(" sectors\n");
    finish(0);
}
