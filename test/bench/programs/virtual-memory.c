/* S-mode under Sv39 with 4 KiB pages: pointers that lead from page to page at random, and remapping with fences. */

#include "processor.h"

enum { V = 1, R = 2, W = 4, X = 8, A = 64, D = 128, PAGES = 2048 };
typedef uint64_t table[512] __attribute__((aligned(4096)));
static table root, middle, leaves[PAGES / 512];
static uint64_t memory[PAGES][512] __attribute__((aligned(4096)));

/* Where the pages lie, one after the other. */
static uint64_t (*const view)[512] = (uint64_t (*)[512])(64ull << 30);
static uint64_t result;

static uint64_t entry(const void *target, uint64_t flags) { return (uintptr_t)target >> 12 << 10 | flags; }

static void chase(void) {
    /* A cycle through all pages: each pointer lies at another offset of its page. */
    uint64_t page = 0;
    uint64_t *cell = &view[0][0];
    for (unsigned i = 0; i < PAGES; i++) {
        uint64_t next = (page + 1031) % PAGES;
        uint64_t *target = &view[next][next * 7 % 512];
        *cell = (uintptr_t)target;
        cell = target;
        page = next;
    }
    *cell = (uintptr_t)&view[0][0];

    uint64_t sum = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        /* Far apart: translations are evicted. */
        uint64_t *at = &view[0][0];
        for (unsigned i = 0; i < 2 * PAGES; i++) {
            sum += (uintptr_t)at;
            at = (uint64_t *)*at;
        }
        /* Near: translations stay. */
        for (unsigned i = 0; i < 32; i++) {
            for (unsigned j = 0; j < 512; j += 2) {
                sum ^= view[i][j] + j;
                view[i][j + 1] = sum;
            }
        }
        if (round % 16 == 0) {
            __asm__ volatile("sfence.vma" ::: "memory");
        }
    }
    result = sum;
}

int main(void) {
    csr_write(pmpaddr0, -1);
    csr_write(pmpcfg0, 0x1f);
    root[0] = entry(0, V | R | W | A | D);
    root[2] = entry((void *)0x80000000, V | R | W | X | A | D);
    root[64] = entry(middle, V);
    for (unsigned i = 0; i < PAGES; i++) {
        middle[i / 512] = entry(leaves[i / 512], V);
        leaves[i / 512][i % 512] = entry(memory[(i * 5) % PAGES], V | R | W | A | D);
    }
    csr_write(satp, 8ull << 60 | (uintptr_t)root >> 12);
    __asm__ volatile("sfence.vma" ::: "memory");
    print("begin\n");
    run_in_mode(SUPERVISOR, chase);
    report("end", result);
    finish(0);
}
