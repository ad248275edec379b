/* The PLIC with the serial port as its source: priorities, threshold, claim and completion. [RISC-V PLIC 1.0] */

#include "processor.h"

enum { UART_INTERRUPT = 10, IER = 1, IIR = 2, IER_THR_EMPTY = 2 };
enum {
    PRIORITY = PLIC + 4 * UART_INTERRUPT,
    PENDING = PLIC + 0x1000,
    ENABLE = PLIC + 0x2000,
    THRESHOLD = PLIC + 0x200000,
    CLAIM = PLIC + 0x200004,
};

static uint32_t is_pending(void) { return mmio_read32(PENDING) >> UART_INTERRUPT & 1; }
static uint32_t external(void) { return csr_read(mip) >> 11 & 1; }

/* Printing uses the serial port, whose interrupt is what is looked at: facts are noted first and printed at the end. */
static struct {
    const char *name;
    uint32_t value;
} notes[32];
static unsigned noted;
static void note(const char *name, uint32_t value) {
    notes[noted].name = name;
    notes[noted].value = value;
    noted++;
}

int main(void) {
    note("pending at first", is_pending());
    mmio_write32(ENABLE, 1 << UART_INTERRUPT);
    mmio_write32(PRIORITY, 1);
    mmio_write32(THRESHOLD, 7);

    mmio_write8(UART + IER, IER_THR_EMPTY);
    note("pending", is_pending());
    note("below the threshold", external());
    mmio_write32(THRESHOLD, 0);
    note("above the threshold", external());
    mmio_write32(PRIORITY, 0);
    note("priority 0", external());
    mmio_write32(PRIORITY, 3);
    note("priority 3", external());

    note("claim", mmio_read32(CLAIM));
    note("pending while claimed", is_pending());
    note("external while claimed", external());
    note("second claim", mmio_read32(CLAIM));
    note("reason", mmio_read8(UART + IIR) & 0xf);
    note("reason, read again", mmio_read8(UART + IIR) & 0xf);
    mmio_write32(CLAIM, UART_INTERRUPT);
    note("pending when completed", is_pending());

    /* Asking again raises it again. */
    mmio_write8(UART + IER, 0);
    mmio_write8(UART + IER, IER_THR_EMPTY);
    note("pending again", is_pending());
    note("claim again", mmio_read32(CLAIM));
    mmio_write32(CLAIM, UART_INTERRUPT);
    mmio_write8(UART + IER, 0);

    note("priority", mmio_read32(PRIORITY));
    note("enable", mmio_read32(ENABLE));
    note("threshold", mmio_read32(THRESHOLD));
    for (unsigned i = 0; i < noted; i++) {
        report(notes[i].name, notes[i].value);
    }
    finish(0);
}
