/* What the processor guests share: CSR access, traps that are recorded and skipped, and code run in a lower privilege mode. */

#pragma once

#include "board.h"
#include "io.h"

#include <stddef.h>

#define csr_read(csr)                                                                                                  \
    ({                                                                                                                 \
        uint64_t csr_value;                                                                                            \
        __asm__ volatile("csrr %0, " #csr : "=r"(csr_value)::"memory");                                                \
        csr_value;                                                                                                     \
    })
#define csr_write(csr, value) __asm__ volatile("csrw " #csr ", %0" ::"r"((uint64_t)(value)) : "memory")
#define csr_set(csr, bits) __asm__ volatile("csrs " #csr ", %0" ::"r"((uint64_t)(bits)) : "memory")
#define csr_clear(csr, bits) __asm__ volatile("csrc " #csr ", %0" ::"r"((uint64_t)(bits)) : "memory")

#define INTERRUPT (1ull << 63)
enum { MIE_MSIE = 1 << 3, MIE_MTIE = 1 << 7, MIE_MEIE = 1 << 11 };
enum { MSTATUS_MIE = 1 << 3, MSTATUS_MPP = 3 << 11, MSTATUS_FS = 3 << 13, MSTATUS_MPRV = 1 << 17, MSTATUS_SUM = 1 << 18, MSTATUS_MXR = 1 << 19 };
enum { USER = 0, SUPERVISOR = 1, MACHINE = 3 };

/* The newest exception that was recorded. Its instruction was skipped. `count` is 0 when there was none. */
struct trap_record {
    unsigned count;
    uint64_t cause;
    uint64_t tval;
};
extern volatile struct trap_record trapped;
/* Called for every interrupt; the guest defines it when it enables one. */
void on_interrupt(unsigned cause);

/* Runs a function in mode USER or SUPERVISOR, and comes back in machine mode. */
void run_in_mode(unsigned mode, void (*function)(void));

/* Prints "name: cause 5 tval 0x10" or "name: no trap", and forgets the trap. */
void report_trap(const char *name);
/* Prints "name: 0x12". */
void report(const char *name, uint64_t value);
