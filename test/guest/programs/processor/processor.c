/* See processor.h. [RISC-V privileged, 3.1 and 3.3] */

#include "processor.h"

volatile struct trap_record trapped;
extern const char lower_mode_exit[];

__attribute__((weak)) void on_interrupt(unsigned cause) {
    print("unexpected interrupt ");
    print_decimal(cause);
    print("\n");
    finish(2);
}

/* Called by trap_entry of the sample's start.S. */
void trap_handler(uint64_t mcause, uint64_t mepc, uint64_t mtval) {
    if (mcause & INTERRUPT) {
        on_interrupt((unsigned)mcause);
        return;
    }
    if (mepc == (uintptr_t)lower_mode_exit) {
        csr_write(mepc, mepc + 4);
        csr_set(mstatus, MSTATUS_MPP);
        return;
    }
    trapped.count++;
    trapped.cause = mcause;
    trapped.tval = mtval;
    uint16_t first = *(volatile uint16_t *)mepc;
    csr_write(mepc, mepc + ((first & 3) == 3 ? 4 : 2));
}

void run_in_mode(unsigned mode, void (*function)(void)) {
    extern void enter_lower_mode(void (*)(void));
    csr_clear(mstatus, MSTATUS_MPP);
    csr_set(mstatus, (uint64_t)mode << 11);
    enter_lower_mode(function);
}

void report_trap(const char *name) {
    print(name);
    if (trapped.count == 0) {
        print(": no trap\n");
        return;
    }
    print(": cause ");
    print_decimal(trapped.cause);
    print(" tval ");
    print_hex(trapped.tval);
    print(trapped.count > 1 ? " more than once\n" : "\n");
    trapped.count = 0;
}

void report(const char *name, uint64_t value) {
    print(name);
    print(": ");
    print_hex(value);
    print("\n");
}
