/* An APLIC that delivers directly, with the serial port as its source. [RISC-V AIA 1.0, 4] */

#include "processor.h"

enum { APLIC = 0x0c000000, BELOW = 0x0d000000, UART_INTERRUPT = 10, IER = 1, IIR = 2, IER_THR_EMPTY = 2 };
enum {
    DOMAINCFG = 0,
    SOURCECFG = 4,
    SETIP = 0x1c00,
    SETIPNUM = 0x1cdc,
    IN_CLRIP = 0x1d00,
    CLRIPNUM = 0x1ddc,
    SETIE = 0x1e00,
    SETIENUM = 0x1edc,
    CLRIE = 0x1f00,
    CLRIENUM = 0x1fdc,
    TARGET = 0x3004,
    IDELIVERY = 0x4000,
    IFORCE = 0x4004,
    ITHRESHOLD = 0x4008,
    TOPI = 0x4018,
    CLAIMI = 0x401c,
};
enum { DELEGATE = 0x400, DETACHED = 1, EDGE_RISING = 4, LEVEL_HIGH = 6 };

static struct {
    const char *name;
    uint32_t value;
} notes[96];
static unsigned noted;
static void note(const char *name, uint32_t value) {
    notes[noted].name = name;
    notes[noted].value = value;
    noted++;
}
static uintptr_t domain = APLIC;
static void put(unsigned offset, uint32_t value) { mmio_write32(domain + offset, value); }
static uint32_t get(unsigned offset) { return mmio_read32(domain + offset); }
static unsigned of(unsigned source) { return 4 * (source - 1); }
static uint32_t external(void) { return csr_read(mip) & 0xa00; }

/* Sources of QEMU 7.2 begin with what was in its memory. */
static void clear(void) {
    for (unsigned source = 1; source <= 96; source++) {
        put(SOURCECFG + of(source), DETACHED);
        put(CLRIPNUM, source);
        put(CLRIENUM, source);
        put(SOURCECFG + of(source), 0);
    }
}

static void registers(void) {
    clear();
    note("domaincfg", get(DOMAINCFG));
    put(DOMAINCFG, 0xffffffff);
    note("domaincfg with all ones", get(DOMAINCFG));
    put(SETIENUM, 5);
    note("an inactive source is not enabled", get(SETIE));
    put(SOURCECFG + of(5), DETACHED);
    put(SOURCECFG + of(6), LEVEL_HIGH);
    put(SOURCECFG + of(7), EDGE_RISING);
    note("detached", get(SOURCECFG + of(5)));
    note("level", get(SOURCECFG + of(6)));
    note("edge", get(SOURCECFG + of(7)));
    put(SETIE, 0xffffffff);
    note("enabled", get(SETIE));
    put(CLRIENUM, 5);
    note("one less", get(SETIE));
    put(CLRIE, 1 << 6);
    note("two less", get(SETIE));
    note("clrie reads", get(CLRIE));
    put(SETIENUM, 5);
    put(SETIPNUM, 5);
    put(SETIP, 1 << 7);
    note("pending", get(SETIP));
    note("inputs", get(IN_CLRIP));
    put(TARGET + of(5), 3);
    put(TARGET + of(7), 2);
    note("target", get(TARGET + of(5)));
    put(TARGET + of(6), 0);
    note("the least priority number", get(TARGET + of(6)));
    note("topi, nothing delivered yet", get(TOPI));
    note("mip", external());
    put(IDELIVERY, 1);
    note("idelivery", get(IDELIVERY));
    note("mip when delivered", external());
    put(SETIENUM, 7);
    note("topi", get(TOPI));
    put(ITHRESHOLD, 2);
    note("threshold 2", get(TOPI));
    note("mip below it", external());
    put(ITHRESHOLD, 3);
    note("threshold 3", get(TOPI));
    put(ITHRESHOLD, 0);
    put(DOMAINCFG, 0);
    note("mip of a domain that is off", external());
    put(DOMAINCFG, 0x100);
    note("claim", get(CLAIMI));
    note("claim again", get(CLAIMI));
    note("claim of nothing", get(CLAIMI));
    note("mip then", external());
    put(IFORCE, 1);
    note("forced", external());
    note("claim of a forced one", get(CLAIMI));
    /* QEMU 7.2 takes the wire down at the next change only. */
    put(IFORCE, 0);
    note("no more", external());
    put(SETIPNUM, 7);
    put(CLRIPNUM, 7);
    note("pending and taken away", get(SETIP));
    put(SOURCECFG + of(5), 0);
    put(SOURCECFG + of(6), 0);
    put(SOURCECFG + of(7), 0);
    note("past the end", get(SOURCECFG + of(97)));
    note("genmsi", get(0x3000));
}

static void serial_port(void) {
    put(SOURCECFG + of(UART_INTERRUPT), LEVEL_HIGH);
    put(TARGET + of(UART_INTERRUPT), 1);
    put(SETIENUM, UART_INTERRUPT);
    mmio_write8(UART + IER, IER_THR_EMPTY);
    note("serial port", get(SETIP));
    note("its input", get(IN_CLRIP));
    note("mip", external());
    note("claim", get(CLAIMI));
    note("a level stays", get(SETIP));
    note("reason", mmio_read8(UART + IIR) & 0xf);
    mmio_write8(UART + IER, 0);
    note("input is gone", get(IN_CLRIP));
}

int main(void) {
    registers();
    serial_port();
    /* What a supervisor has is what machine level gave it. */
    put(SOURCECFG + of(5), DELEGATE);
    put(SOURCECFG + of(6), DELEGATE);
    put(SOURCECFG + of(7), DELEGATE);
    put(SOURCECFG + of(UART_INTERRUPT), DELEGATE);
    note("delegated", get(SOURCECFG + of(5)));
    domain = BELOW;
    registers();
    serial_port();
    for (unsigned i = 0; i < noted; i++) {
        report(notes[i].name, notes[i].value);
    }
    finish(0);
}
