/* Misaligned loads and stores of every width, within a page and across two. [RISC-V unprivileged, 2.6] */

#include "processor.h"

static uint8_t bytes[8192] __attribute__((aligned(4096)));

#define LOAD(instruction, address)                                                                                     \
    ({                                                                                                                 \
        uint64_t loaded;                                                                                               \
        __asm__ volatile(instruction " %0, 0(%1)" : "=r"(loaded) : "r"(address) : "memory");                           \
        loaded;                                                                                                        \
    })
#define STORE(instruction, value, address)                                                                             \
    __asm__ volatile(instruction " %0, 0(%1)" ::"r"((uint64_t)(value)), "r"(address) : "memory")

static void fill(void) {
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 37 + 128);
    }
}

static void around(const char *name, uint8_t *start) {
    print(name);
    print("\n");
    for (unsigned offset = 1; offset < 8; offset++) {
        uint8_t *address = start + offset;
        report("  lh", LOAD("lh", address));
        report("  lhu", LOAD("lhu", address));
        report("  lw", LOAD("lw", address));
        report("  lwu", LOAD("lwu", address));
        report("  ld", LOAD("ld", address));
        STORE("sh", 0x1122, address);
        report("  after sh", LOAD("ld", start));
        STORE("sw", 0x33445566, address);
        report("  after sw", LOAD("ld", start));
        STORE("sd", 0x778899aabbccddee, address);
        report("  after sd", LOAD("ld", start));
        report("  and behind", LOAD("ld", start + 8));
    }
}

int main(void) {
    fill();
    around("within a page", bytes + 64);
    around("across two pages", bytes + 4096 - 8);
    __asm__ volatile("lr.d t0, (%0)" ::"r"(bytes + 4) : "t0", "memory");
    report_trap("misaligned lr.d");
    finish(0);
}
