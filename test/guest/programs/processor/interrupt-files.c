/* The CSRs of Smaia and Ssaia, and the interrupt files behind them, in machine and supervisor mode. [RISC-V AIA 1.0, 2, 3, 5] */

#include "processor.h"

#define siselect 0x150
#define sireg 0x151
#define stopei 0x15c
#define stopi 0xdb0
#define mvien 0x308
#define mvip 0x309
#define miselect 0x350
#define mireg 0x351
#define mtopei 0x35c
#define mtopi 0xfb0
#define SPELL(csr, function) function(csr)
#define READ(csr) SPELL(csr, csr_read)
#define WRITE(csr, value) csr_write_number(csr, value)
#define csr_write_number(csr, value) __asm__ volatile("csrw %0, %1" ::"i"(csr), "r"((uint64_t)(value)) : "memory")
#define csr_swap(csr, value)                                                                                           \
    ({                                                                                                                 \
        uint64_t csr_value;                                                                                            \
        __asm__ volatile("csrrw %0, %1, %2" : "=r"(csr_value) : "i"(csr), "r"((uint64_t)(value)) : "memory");          \
        csr_value;                                                                                                     \
    })

enum { EIDELIVERY = 0x70, EITHRESHOLD = 0x72, EIP = 0x80, EIE = 0xc0 };
enum { MACHINE_FILE = 0x24000000, SUPERVISOR_FILE = 0x28000000 };

static void try_select(uint64_t select) {
    print("select ");
    print_hex(select);
    WRITE(miselect, select);
    print(", which reads ");
    print_hex(READ(miselect));
    WRITE(mireg, 0xffffffffffffffff);
    uint64_t ones = READ(mireg);
    WRITE(mireg, 0);
    print(": ");
    print_hex(ones);
    report_trap("");
}
static void put(uint64_t select, uint64_t value) {
    WRITE(miselect, select);
    WRITE(mireg, value);
}
static uint64_t get(uint64_t select) {
    WRITE(miselect, select);
    return READ(mireg);
}
static uint64_t external(void) { return csr_read(mip) & 0xa00; }

static volatile unsigned taken[8];
static volatile unsigned taken_count;
void on_interrupt(unsigned cause) {
    taken[taken_count++ & 7] = cause;
    csr_clear(mie, 1ul << cause);
}

static void in_supervisor_mode(void) {
    WRITE(siselect, EIDELIVERY);
    WRITE(sireg, 1);
    report("sireg", READ(sireg));
    WRITE(siselect, EIE);
    WRITE(sireg, 1ull << 40);
    report("stopei before", READ(stopei));
    mmio_write32(SUPERVISOR_FILE, 40);
    report("stopei", READ(stopei));
    report("sip", csr_read(sip));
    csr_write(sie, 1 << 9 | 1 << 1);
    report("stopi identity", READ(stopi) >> 16);
    csr_write(sip, 2);
    report("stopi identity with software too", READ(stopi) >> 16);
    report("claimed", csr_swap(stopei, 0));
    report("stopi identity then", READ(stopi) >> 16);
    csr_write(sip, 0);
    report("stopi", READ(stopi));
    report_trap("supervisor");
    (void)READ(mtopei);
    report_trap("mtopei below machine mode");
    WRITE(siselect, 0x90 + 1);
    (void)READ(sireg);
    report_trap("odd select");
}

int main(void) {
    static const uint16_t selects[] = {0,    1,    0x30, 0x31, 0x32,  0x34,  0x3e,  0x3f,  0x40,  0x6f,  0x70, 0x71,
                                       0x72, 0x73, 0x74, 0x7f, 0x80,  0x81,  0x82,  0x86,  0x88,  0xbe,  0xbf, 0xc0,
                                       0xc2, 0xc6, 0xc8, 0xfe, 0xff,  0x100, 0x1ff, 0x200, 0xfff, 0x170, 0x180};
    for (unsigned i = 0; i < sizeof selects / sizeof selects[0]; i++) {
        /* QEMU lets priorities of interrupts that do not exist be set. */
        if (selects[i] < 0x30 || selects[i] > 0x3f || selects[i] % 2) try_select(selects[i]);
    }
    report("mvien", READ(mvien));
    report("mvip", READ(mvip));
    report("mtopi", READ(mtopi));
    report("mtopei", READ(mtopei));
    WRITE(mtopi, 1);
    report_trap("write of mtopi");

    put(EIDELIVERY, 1);
    put(EIE, ~0ull);
    put(EIE + 2, ~0ull);
    put(EIE + 6, ~0ull);
    report("nothing pending", external());
    mmio_write32(MACHINE_FILE, 0);
    mmio_write32(MACHINE_FILE, 256);
    mmio_write32(MACHINE_FILE, 0xffffffff);
    report("identities that do not exist", external());
    mmio_write32(MACHINE_FILE, 255);
    mmio_write32(MACHINE_FILE, 65);
    mmio_write32(MACHINE_FILE, 3);
    mmio_write32(MACHINE_FILE + 8, 5);
    report("read of the page", mmio_read32(MACHINE_FILE));
    report("eip0", get(EIP));
    report("eip2", get(EIP + 2));
    report("eip6", get(EIP + 6));
    report("mip", external());
    report("mtopei", READ(mtopei));
    put(EITHRESHOLD, 3);
    report("threshold 3", READ(mtopei));
    put(EITHRESHOLD, 4);
    report("threshold 4", READ(mtopei));
    put(EITHRESHOLD, 0);
    report("first claim", csr_swap(mtopei, 0));
    report("second claim", csr_swap(mtopei, 77));
    put(EIE + 6, 0);
    report("one is left, disabled", READ(mtopei));
    report("mip", external());
    put(EIE + 6, ~0ull);
    put(EIDELIVERY, 0);
    report("not delivered", external());
    report("but shown", READ(mtopei));
    put(EIDELIVERY, 1);
    report("delivered", external());
    csr_write(mie, 1 << 11);
    report("mtopi identity", READ(mtopi) >> 16);
    report("last claim", csr_swap(mtopei, 0));
    report("none", csr_swap(mtopei, 0));
    put(EIP, 1ull << 9 | 1);
    report("made pending by hand", READ(mtopei));
    put(EIP, 0);
    report("and taken away", READ(mtopei));
    put(EIE, 0);

    /* By default the external interrupt goes first; a priority of the software interrupt's own does not change that. */
    csr_write(mie, 0);
    put(EIE, 1ull << 7);
    mmio_write32(MACHINE_FILE, 7);
    mmio_write32(0x02000000, 1);
    csr_write(mie, 1 << 11 | 1 << 3);
    csr_set(mstatus, MSTATUS_MIE);
    csr_clear(mstatus, MSTATUS_MIE);
    report("interrupts taken", taken_count);
    report("first", taken[0]);
    report("second", taken[1]);
    mmio_write32(0x02000000, 0);
    WRITE(mtopei, 0);

    csr_write(mideleg, 0x222);
    csr_write(mie, 0);
    csr_write(pmpaddr0, ~0ull);
    csr_write(pmpcfg0, 0x1f);
    run_in_mode(SUPERVISOR, in_supervisor_mode);
    finish(0);
}
