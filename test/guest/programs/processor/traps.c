/* Exceptions in machine, supervisor and user mode, and delegation. [RISC-V privileged, 3.1.8, 3.1.15, 4.1] */

#include "processor.h"

static uint64_t delegated_cause, delegated_value;

__attribute__((interrupt("supervisor"), aligned(4))) static void supervisor_trap(void) {
    delegated_cause = csr_read(scause);
    delegated_value = csr_read(stval);
    csr_write(sepc, csr_read(sepc) + 4);
}

static void environment_call(void) { __asm__ volatile(".option push; .option norvc; ecall; .option pop" ::: "memory"); }
static void illegal_instruction(void) { __asm__ volatile(".word 0xffffffff"); }
static void illegal_short_instruction(void) { __asm__ volatile(".half 0x0000"); }
static void machine_register(void) { __asm__ volatile("csrr t0, mscratch" ::: "t0"); }
static void read_only_register(void) { __asm__ volatile("csrw cycle, zero"); }
static void return_from_machine(void) { __asm__ volatile("mret"); }
static void load_from_hole(void) { (void)*(volatile uint32_t *)0x40000000000; }
static void store_to_hole(void) { *(volatile uint32_t *)0x50000 = 1; }

int main(void) {
    csr_write(pmpaddr0, -1);
    csr_write(pmpcfg0, 0x1f);

    environment_call();
    report_trap("ecall from M");
    illegal_instruction();
    report_trap("illegal instruction");
    illegal_short_instruction();
    report_trap("illegal 16-bit instruction");
    read_only_register();
    report_trap("write to a read-only CSR");
    load_from_hole();
    report_trap("load from nothing");
    store_to_hole();
    report_trap("store to nothing");

    run_in_mode(SUPERVISOR, environment_call);
    report_trap("ecall from S");
    run_in_mode(SUPERVISOR, machine_register);
    report_trap("machine CSR from S");
    run_in_mode(SUPERVISOR, return_from_machine);
    report_trap("mret from S");
    run_in_mode(USER, environment_call);
    report_trap("ecall from U");
    run_in_mode(USER, machine_register);
    report_trap("machine CSR from U");

    csr_write(stvec, (uintptr_t)supervisor_trap);
    csr_write(medeleg, 1 << 2 | 1 << 5);
    report("medeleg", csr_read(medeleg));
    run_in_mode(USER, illegal_instruction);
    report_trap("delegated, seen by M");
    report("delegated scause", delegated_cause);
    report("delegated stval", delegated_value);
    csr_write(medeleg, 0);

    finish(0);
}
