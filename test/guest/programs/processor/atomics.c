/* Atomic memory operations and reservations. [RISC-V unprivileged, "A" extension] */

#include "processor.h"

static uint64_t cell[16] __attribute__((aligned(64)));

#define AMO(operation)                                                                                                 \
    do {                                                                                                               \
        static const uint64_t left[] = {5, 0x80000000, 0xffffffffffffffff, 0x7fffffffffffffff};                        \
        static const uint64_t right[] = {7, 0x7fffffff, 1, 0x8000000000000000};                                        \
        for (unsigned i = 0; i < 4; i++) {                                                                             \
            uint64_t before;                                                                                           \
            cell[0] = left[i];                                                                                         \
            __asm__ volatile(operation " %0, %1, (%2)" : "=r"(before) : "r"(right[i]), "r"(cell) : "memory");          \
            print(operation " ");                                                                                      \
            print_hex(before);                                                                                         \
            report("", cell[0]);                                                                                       \
        }                                                                                                              \
    } while (0)

static uint64_t load_reserved(uint64_t *address) {
    uint64_t value;
    __asm__ volatile("lr.d %0, (%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}
static uint64_t store_conditional(uint64_t *address, uint64_t value) {
    uint64_t failed;
    __asm__ volatile("sc.d %0, %1, (%2)" : "=&r"(failed) : "r"(value), "r"(address) : "memory");
    return failed != 0;
}

int main(void) {
    AMO("amoswap.w"); AMO("amoadd.w"); AMO("amoxor.w"); AMO("amoand.w"); AMO("amoor.w");
    AMO("amomin.w"); AMO("amomax.w"); AMO("amominu.w"); AMO("amomaxu.w");
    AMO("amoswap.d"); AMO("amoadd.d"); AMO("amoxor.d"); AMO("amoand.d"); AMO("amoor.d");
    AMO("amomin.d"); AMO("amomax.d"); AMO("amominu.d"); AMO("amomaxu.d"); AMO("amoadd.w.aqrl");

    cell[0] = 41;
    report("sc without lr", store_conditional(cell, 1));
    report("lr", load_reserved(cell));
    report("sc", store_conditional(cell, 42));
    report("cell", cell[0]);
    report("sc again", store_conditional(cell, 43));
    load_reserved(cell);
    report("sc elsewhere", store_conditional(cell + 8, 44));
    report("sc after it", store_conditional(cell, 45));
    report("cell", cell[0]);

    /* An increment as it is meant to be written, a thousand times. */
    for (unsigned i = 0; i < 1000; i++) {
        __asm__ volatile("1: lr.w t0, (%0)\n addi t0, t0, 1\n sc.w t1, t0, (%0)\n bnez t1, 1b" ::"r"(cell + 1) : "t0", "t1", "memory");
    }
    report("increments", cell[1]);
    finish(0);
}
