/* Traps, waiting for an interrupt, and the end of the run. [RISC-V privileged, 3.1 and 3.3.3] */

#include "board.h"
#include "io.h"

enum { MSTATUS_MIE = 1 << 3, MIE_MEIE = 1 << 11 };
#define MCAUSE_MACHINE_EXTERNAL_INTERRUPT (1ul << 63 | 11)

enum { INTERRUPTS = VIRTIO_MMIO_SLOTS + 1 };
static interrupt_handler *handlers[INTERRUPTS];

void set_interrupt_handler(unsigned interrupt, interrupt_handler *handler) {
    handlers[interrupt] = handler;
    plic_enable(interrupt);
    __asm__ volatile("csrs mie, %0" ::"r"(MIE_MEIE));
}

/* Called by trap_entry in start.S. */
void trap_handler(uint64_t mcause, uint64_t mepc, uint64_t mtval) {
    if (mcause != MCAUSE_MACHINE_EXTERNAL_INTERRUPT) {
        print("unexpected trap: mcause ");
        print_hex(mcause);
        print(" mepc ");
        print_hex(mepc);
        print(" mtval ");
        print_hex(mtval);
        print("\n");
        finish(1);
    }
    for (unsigned interrupt = plic_claim(); interrupt != 0; interrupt = plic_claim()) {
        if (interrupt < INTERRUPTS && handlers[interrupt]) {
            handlers[interrupt]();
        }
        plic_complete(interrupt);
    }
}

/*
 * Sleeps until an interrupt handler has made the condition true. Interrupts are taken here and nowhere else, so the driver
 * never has to guard its data against its own handler. wfi returns when an interrupt is pending even while mstatus.MIE is
 * clear: one that arrives between the test and the wfi is not lost.
 */
void wait_until(const volatile bool *condition) {
    while (!*condition) {
        __asm__ volatile("wfi");
        __asm__ volatile("csrs mstatus, %0" ::"r"(MSTATUS_MIE) : "memory");
        __asm__ volatile("csrc mstatus, %0" ::"r"(MSTATUS_MIE) : "memory");
    }
}

/* Ends the machine through the board's test finisher: code 0 is success. */
_Noreturn void finish(uint16_t code) {
    mmio_write32(TEST_FINISHER, code == 0 ? 0x5555 : (uint32_t)code << 16 | 0x3333);
    for (;;) {
        __asm__ volatile("wfi");
    }
}
