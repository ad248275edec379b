/* Traps and privilege: calls from S-mode to M-mode, illegal instructions, and CSR accesses between them. */

#include "processor.h"

static uint64_t sum;

static void call(void) {
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            __asm__ volatile(".option push\n.option norvc\necall\n.option pop" ::: "memory");
            csr_write(sscratch, sum + i);
            sum += csr_read(sscratch) ^ csr_read(sstatus);
            csr_set(sie, 2);
            csr_clear(sie, 2);
        }
        for (unsigned i = 0; i < 200; i++) {
            /* An M-mode CSR, which S-mode must not read. */
            __asm__ volatile("csrr zero, mscratch" ::: "memory");
        }
    }
}

int main(void) {
    csr_write(pmpaddr0, -1);
    csr_write(pmpcfg0, 0x1f);
    print("begin\n");
    run_in_mode(SUPERVISOR, call);
    report("traps", trapped.count);
    report("end", sum);
    finish(0);
}
