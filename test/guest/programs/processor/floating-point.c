/* Floating point: arithmetic, rounding modes, exception flags, conversions, NaN boxing, classes. [RISC-V unprivileged, "F" and "D"] */

#include "processor.h"

static const uint64_t doubles[] = {
    0x0000000000000000, 0x8000000000000000, 0x3ff0000000000000, 0xbff8000000000000, 0x400921fb54442d18,
    0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0x7ff4000000000001, 0x0000000000000001,
    0x7fefffffffffffff, 0x3ca0000000000000, 0x41dfffffffc00000, 0x43f0000000000000,
};
static const uint32_t singles[] = {
    0x00000000, 0x80000000, 0x3f800000, 0xbfc00000, 0x40490fdb, 0x7f800000, 0xff800000,
    0x7fc00000, 0x7fa00001, 0x00000001, 0x7f7fffff, 0x33800000, 0x4f000000, 0x5f800000,
};
enum { COUNT = sizeof singles / sizeof singles[0] };

static uint64_t flags(void) {
    uint64_t value = csr_read(fflags);
    csr_write(fflags, 0);
    return value;
}
static void line(uint64_t value) {
    uint64_t raised = flags();
    print(" ");
    print_hex(value);
    print("/");
    print_hex(raised);
}

#define BINARY(operation, move, values)                                                                                \
    for (unsigned i = 0; i < COUNT; i++) {                                                                             \
        print(operation);                                                                                              \
        for (unsigned j = 0; j < COUNT; j++) {                                                                         \
            uint64_t bits;                                                                                             \
            __asm__ volatile("fmv." move ".x ft0, %1\n fmv." move ".x ft1, %2\n" operation " ft2, ft0, ft1\n fmv.x." move " %0, ft2" \
                             : "=r"(bits) : "r"((uint64_t)values[i]), "r"((uint64_t)values[j]) : "ft0", "ft1", "ft2"); \
            line(bits);                                                                                                \
        }                                                                                                              \
        print("\n");                                                                                                   \
    }
#define COMPARE(operation, move, values)                                                                               \
    for (unsigned i = 0; i < COUNT; i++) {                                                                             \
        print(operation);                                                                                              \
        for (unsigned j = 0; j < COUNT; j++) {                                                                         \
            uint64_t bits;                                                                                             \
            __asm__ volatile("fmv." move ".x ft0, %1\n fmv." move ".x ft1, %2\n" operation " %0, ft0, ft1"             \
                             : "=r"(bits) : "r"((uint64_t)values[i]), "r"((uint64_t)values[j]) : "ft0", "ft1");        \
            line(bits);                                                                                                \
        }                                                                                                              \
        print("\n");                                                                                                   \
    }
#define UNARY(operation, from, to, values)                                                                             \
    print(operation);                                                                                                  \
    for (unsigned i = 0; i < COUNT; i++) {                                                                             \
        uint64_t bits;                                                                                                 \
        __asm__ volatile("fmv." from ".x ft0, %1\n" operation " ft2, ft0\n fmv.x." to " %0, ft2"                       \
                         : "=r"(bits) : "r"((uint64_t)values[i]) : "ft0", "ft2");                                      \
        line(bits);                                                                                                    \
    }                                                                                                                  \
    print("\n");
#define TO_INTEGER(operation, rounding, move, values)                                                                  \
    print(operation rounding);                                                                                         \
    for (unsigned i = 0; i < COUNT; i++) {                                                                             \
        uint64_t bits;                                                                                                 \
        __asm__ volatile("fmv." move ".x ft0, %1\n" operation " %0, ft0" rounding                                      \
                         : "=r"(bits) : "r"((uint64_t)values[i]) : "ft0");                                             \
        line(bits);                                                                                                    \
    }                                                                                                                  \
    print("\n");
#define FUSED(operation, move, values)                                                                                 \
    for (unsigned i = 0; i < COUNT; i++) {                                                                             \
        print(operation);                                                                                              \
        for (unsigned j = 0; j < COUNT; j++) {                                                                         \
            uint64_t bits;                                                                                             \
            __asm__ volatile("fmv." move ".x ft0, %1\n fmv." move ".x ft1, %2\n fmv." move ".x ft3, %3\n" operation    \
                             " ft2, ft0, ft1, ft3\n fmv.x." move " %0, ft2"                                            \
                             : "=r"(bits)                                                                              \
                             : "r"((uint64_t)values[i]), "r"((uint64_t)values[j]), "r"((uint64_t)values[(i + j) % COUNT]) \
                             : "ft0", "ft1", "ft2", "ft3");                                                            \
            line(bits);                                                                                                \
        }                                                                                                              \
        print("\n");                                                                                                   \
    }

static void doubles_in_all_roundings(void) {
    for (unsigned mode = 0; mode < 5; mode++) {
        csr_write(frm, mode);
        report("rounding mode", csr_read(fcsr));
        BINARY("fadd.d", "d", doubles)
        BINARY("fmul.d", "d", doubles)
        BINARY("fdiv.d", "d", doubles)
        UNARY("fsqrt.d", "d", "d", doubles)
        UNARY("fcvt.s.d", "d", "w", doubles)
        FUSED("fmadd.d", "d", doubles)
    }
    csr_write(frm, 0);
}

int main(void) {
    __asm__ volatile("csrr t0, fcsr" ::: "t0");
    report_trap("fcsr while floating point is off");
    csr_set(mstatus, MSTATUS_FS);
    csr_write(fcsr, 0);

    doubles_in_all_roundings();
    BINARY("fsub.d", "d", doubles)
    BINARY("fmin.d", "d", doubles)
    BINARY("fmax.d", "d", doubles)
    BINARY("fsgnjx.d", "d", doubles)
    COMPARE("feq.d", "d", doubles)
    COMPARE("flt.d", "d", doubles)
    COMPARE("fle.d", "d", doubles)
    FUSED("fnmsub.d", "d", doubles)

    BINARY("fadd.s", "w", singles)
    BINARY("fmul.s", "w", singles)
    BINARY("fdiv.s", "w", singles)
    BINARY("fmin.s", "w", singles)
    BINARY("fsgnjn.s", "w", singles)
    COMPARE("fle.s", "w", singles)
    UNARY("fsqrt.s", "w", "w", singles)
    UNARY("fcvt.d.s", "w", "d", singles)
    FUSED("fmadd.s", "w", singles)
    FUSED("fnmadd.s", "w", singles)

    TO_INTEGER("fcvt.w.d", ", rtz", "d", doubles)
    TO_INTEGER("fcvt.wu.d", ", rup", "d", doubles)
    TO_INTEGER("fcvt.l.d", ", rdn", "d", doubles)
    TO_INTEGER("fcvt.lu.d", ", rmm", "d", doubles)
    TO_INTEGER("fcvt.w.s", ", rne", "w", singles)
    TO_INTEGER("fcvt.lu.s", ", rtz", "w", singles)
    TO_INTEGER("fclass.d", "", "d", doubles)
    TO_INTEGER("fclass.s", "", "w", singles)

    /* A single that is not NaN-boxed reads as the canonical NaN. */
    uint64_t bits;
    __asm__ volatile("fmv.d.x ft0, %1\n fadd.s ft1, ft0, ft0\n fmv.x.d %0, ft1" : "=r"(bits) : "r"(0x3f800000ull) : "ft0", "ft1");
    report("not NaN-boxed", bits);
    __asm__ volatile("fmv.w.x ft0, %1\n fmv.x.d %0, ft0" : "=r"(bits) : "r"(0x3f800000ull) : "ft0");
    report("NaN-boxed", bits);
    report("mstatus.FS", csr_read(mstatus) >> 13 & 3);
    finish(0);
}
