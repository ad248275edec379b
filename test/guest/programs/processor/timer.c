/* Timer and software interrupts of the CLINT, wfi, and what is pending while interrupts are off. [RISC-V privileged, 3.1.9, 3.2.1, 3.3.3] */

#include "processor.h"

enum { CLINT_MSIP = 0x02000000, CLINT_MTIMECMP = 0x02004000, CLINT_MTIME = 0x0200bff8 };
static volatile uint64_t *const mtime = (volatile uint64_t *)CLINT_MTIME;
static volatile uint64_t *const mtimecmp = (volatile uint64_t *)CLINT_MTIMECMP;

static volatile unsigned ticks, messages;

void on_interrupt(unsigned cause) {
    if (cause == 7) {
        ticks++;
        *mtimecmp = *mtime + 1000;
    } else if (cause == 3) {
        messages++;
        mmio_write32(CLINT_MSIP, 0);
    } else {
        finish(2);
    }
}

int main(void) {
    *mtimecmp = -1;
    report("pending at first", csr_read(mip));
    *mtimecmp = 0;
    report("pending when due", csr_read(mip));
    *mtimecmp = -1;
    report("pending when moved away", csr_read(mip));

    csr_set(mie, MIE_MTIE | MIE_MSIE);
    *mtimecmp = *mtime + 1000;
    while (ticks < 3) {
        __asm__ volatile("wfi");
        csr_set(mstatus, MSTATUS_MIE);
        csr_clear(mstatus, MSTATUS_MIE);
    }
    report("ticks", ticks);
    *mtimecmp = -1;

    mmio_write32(CLINT_MSIP, 1);
    report("software interrupt pending", csr_read(mip) & MIE_MSIE);
    csr_set(mstatus, MSTATUS_MIE);
    csr_clear(mstatus, MSTATUS_MIE);
    report("messages", messages);
    report("software interrupt pending", csr_read(mip) & MIE_MSIE);

    uint64_t before = csr_read(time);
    while (csr_read(time) == before) {
    }
    report("time moves", csr_read(time) > before);
    uint64_t first = *mtime, second = csr_read(time), third = *mtime;
    report("time is mtime", first <= second && second <= third);
    finish(0);
}
