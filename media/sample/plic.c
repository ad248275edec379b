/* The platform-level interrupt controller, seen by hart 0 in machine mode (context 0). [RISC-V PLIC 1.0] */

#include "board.h"
#include "io.h"

enum {
    PRIORITY = 0x000000, /* one word per interrupt */
    ENABLE = 0x002000,   /* one bit per interrupt */
    THRESHOLD = 0x200000,
    CLAIM_COMPLETE = 0x200004,
};

void plic_enable(unsigned interrupt) {
    uintptr_t enable = PLIC + ENABLE + interrupt / 32 * 4;
    mmio_write32(PLIC + PRIORITY + interrupt * 4, 1);
    mmio_write32(enable, mmio_read32(enable) | 1u << interrupt % 32);
    mmio_write32(PLIC + THRESHOLD, 0);
}

/* Returns 0 when no interrupt is pending. */
unsigned plic_claim(void) { return mmio_read32(PLIC + CLAIM_COMPLETE); }

void plic_complete(unsigned interrupt) { mmio_write32(PLIC + CLAIM_COMPLETE, interrupt); }
