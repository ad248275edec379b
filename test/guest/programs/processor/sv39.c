/* Sv39: leaves at every level, permissions, SUM and MXR, accessed and dirty bits, SFENCE.VMA. [RISC-V privileged, 4.3 and 4.4] */

#include "processor.h"

enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128 };
typedef uint64_t table[512] __attribute__((aligned(4096)));
static table root, middle, leaves;
static uint64_t page[512] __attribute__((aligned(4096)));
static uint64_t other_page[512] __attribute__((aligned(4096)));

/* The last gibibyte of the lower half. */
static volatile uint64_t *const alias = (volatile uint64_t *)(255ull << 30);

static uint64_t entry(const void *target, uint64_t flags) { return (uintptr_t)target >> 12 << 10 | flags; }
static void set_leaf(uint64_t value) {
    leaves[0] = value;
    __asm__ volatile("sfence.vma" ::: "memory");
}

static volatile uint64_t seen;
static void load_alias(void) { seen = alias[1]; }
static void store_alias(void) { alias[1] = 0x77; }
static void load_not_canonical(void) { seen = *(volatile uint64_t *)(1ull << 40); }
static void load_unmapped(void) { seen = *(volatile uint64_t *)(254ull << 30); }
static void sfence(void) { __asm__ volatile("sfence.vma" ::: "memory"); }

static void attempt(const char *name, void (*action)(void)) {
    seen = 0;
    run_in_mode(SUPERVISOR, action);
    report_trap(name);
}

int main(void) {
    csr_write(pmpaddr0, -1);
    csr_write(pmpcfg0, 0x1f);
    /* Devices and RAM as they are, in gibibytes. */
    root[0] = entry(0, V | R | W | A | D);
    root[2] = entry((void *)0x80000000, V | R | W | X | A | D);
    root[255] = entry(middle, V);
    middle[0] = entry(leaves, V);
    page[1] = 0x1111;
    other_page[1] = 0x2222;
    csr_write(satp, 8ull << 60 | (uintptr_t)root >> 12);
    report("satp mode", csr_read(satp) >> 60);

    set_leaf(entry(page, V | R | W | A | D));
    attempt("load through 4 KiB page", load_alias);
    report("value", seen);
    attempt("store through 4 KiB page", store_alias);
    report("stored", page[1]);

    set_leaf(entry(other_page, V | R | A));
    attempt("load after remapping", load_alias);
    report("value", seen);
    attempt("store to read-only page", store_alias);

    set_leaf(entry(page, V | R | W));
    attempt("load sets the accessed bit", load_alias);
    report("entry flags", leaves[0] & 0xff);
    attempt("store sets the dirty bit", store_alias);
    report("entry flags", leaves[0] & 0xff);

    set_leaf(entry(page, V | R | W | U | A | D));
    attempt("user page without SUM", load_alias);
    csr_set(mstatus, MSTATUS_SUM);
    attempt("user page with SUM", load_alias);
    csr_clear(mstatus, MSTATUS_SUM);

    set_leaf(entry(page, V | X | A));
    attempt("load from execute-only page", load_alias);
    csr_set(mstatus, MSTATUS_MXR);
    attempt("load from execute-only page with MXR", load_alias);
    csr_clear(mstatus, MSTATUS_MXR);

    set_leaf(entry(page, V | W | A | D));
    attempt("reserved encoding: writable, not readable", load_alias);
    set_leaf(0);
    attempt("invalid leaf", load_alias);
    attempt("unmapped gibibyte", load_unmapped);
    attempt("address that is not canonical", load_not_canonical);

    middle[0] = entry(page, V | R | A) & ~(511ull << 10);
    sfence();
    attempt("2 MiB page", load_alias);
    middle[0] |= 1 << 10;
    sfence();
    attempt("misaligned 2 MiB page", load_alias);

    /* Loads in machine mode with the translation of supervisor mode. */
    middle[0] = entry(leaves, V);
    set_leaf(entry(other_page, V | R | A | D));
    csr_clear(mstatus, MSTATUS_MPP);
    csr_set(mstatus, (uint64_t)SUPERVISOR << 11);
    csr_set(mstatus, MSTATUS_MPRV);
    uint64_t value = alias[1];
    csr_clear(mstatus, MSTATUS_MPRV);
    report("load with MPRV", value);

    finish(0);
}
