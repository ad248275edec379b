/* The firmware configuration device: its items by register and by DMA, and what it answers to what makes no sense. [QEMU, specs/fw_cfg] */

#include "processor.h"

enum { BASE = 0x10100000, DATA = BASE, SELECTOR = BASE + 8, DMA = BASE + 16 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

static struct {
    uint32_t control;
    uint32_t length;
    uint64_t address;
} request __attribute__((aligned(16)));
static uint8_t buffer[256];

static uint64_t swap(uint64_t value, unsigned bytes) {
    uint64_t result = 0;
    for (unsigned i = 0; i < bytes; i++) {
        result = result << 8 | (value >> 8 * i & 0xff);
    }
    return result;
}
static uint16_t swap16(uint16_t value) { return swap(value, 2); }
static uint32_t swap32(uint32_t value) { return swap(value, 4); }
static uint64_t swap64(uint64_t value) { return swap(value, 8); }

static uint8_t read_byte(void) { return *(volatile uint8_t *)DATA; }
static void select(uint16_t key) { *(volatile uint16_t *)SELECTOR = swap16(key); }

static uint32_t transfer(uint32_t control, uint32_t length, uint64_t address) {
    request.control = swap32(control);
    request.length = swap32(length);
    request.address = swap64(address);
    *(volatile uint64_t *)DMA = swap64((uintptr_t)&request);
    return swap32(*(volatile uint32_t *)&request.control);
}

static uint64_t sum(void) {
    uint64_t value = 0;
    for (unsigned i = 0; i < sizeof buffer; i++) {
        value = value * 31 + buffer[i];
    }
    return value;
}
static void fill(void) {
    for (unsigned i = 0; i < sizeof buffer; i++) {
        buffer[i] = 0xee;
    }
}

int main(void) {
    report("signature after reset", *(volatile uint32_t *)DATA);
    for (unsigned key = 0; key < 0x23; key++) {
        select(key);
        uint64_t value = 0;
        for (unsigned i = 0; i < 8; i++) {
            value = value << 8 | read_byte();
        }
        report("item", key << 24);
        report("first bytes", value);
    }
    for (unsigned key = 0x3fff; key < 0x10000; key = key * 2 + 1) {
        select(key);
        report("item beyond", *(volatile uint64_t *)DATA);
    }
    select(0x8000);
    report("item of the architecture", *(volatile uint64_t *)DATA);
    select(0x4000);
    report("write channel", *(volatile uint64_t *)DATA);

    select(0x19);
    uint64_t count = swap32(*(volatile uint32_t *)DATA);
    report("files", count);
    for (unsigned i = 0; i < count; i++) {
        report("file size", swap32(*(volatile uint32_t *)DATA));
        report("file key", swap16(*(volatile uint16_t *)DATA));
        uint64_t hash = *(volatile uint16_t *)DATA;
        for (unsigned byte = 0; byte < 56; byte++) {
            hash = hash * 31 + read_byte();
        }
        report("file name", hash);
    }
    report("behind the directory", *(volatile uint64_t *)DATA);

    select(0);
    report("half", *(volatile uint16_t *)DATA);
    report("running out", *(volatile uint32_t *)DATA);
    select(0);
    report("word at 4", *(volatile uint32_t *)(DATA + 4));
    *(volatile uint32_t *)DATA = 0x12345678;
    select(0);
    report("after a write", *(volatile uint64_t *)DATA);

    report("DMA signature", *(volatile uint64_t *)DMA);
    report("its first half", *(volatile uint32_t *)DMA);
    report("its second half", *(volatile uint32_t *)(DMA + 4));
    report("a byte of it", *(volatile uint8_t *)(DMA + 2));
    fill();
    report("read", transfer(DMA_SELECT | DMA_READ | 0x19 << 16, 100, (uintptr_t)buffer));
    report("bytes", sum());
    report("read on, past the end", transfer(DMA_READ, 200, (uintptr_t)buffer));
    report("bytes", sum());
    report("skip", transfer(DMA_SELECT | DMA_SKIP | 0x19 << 16, 8, 0));
    report("read", transfer(DMA_READ, 4, (uintptr_t)buffer));
    report("bytes", sum());
    report("both", transfer(DMA_SELECT | DMA_READ | DMA_SKIP | 0x0 << 16, 2, (uintptr_t)buffer));
    report("rest", *(volatile uint32_t *)DATA);
    report("write", transfer(DMA_SELECT | DMA_WRITE | 0x5 << 16, 2, (uintptr_t)buffer));
    report("nothing", transfer(0, 5, (uintptr_t)buffer));
    report("nowhere", transfer(DMA_SELECT | DMA_READ | 0x0 << 16, 4, 0x40));
    report("no item", transfer(DMA_SELECT | DMA_READ | 0x1234 << 16, 16, (uintptr_t)buffer));
    report("bytes", sum());
    report("length 0", transfer(DMA_SELECT | DMA_READ | 0x0 << 16, 0, 0x40));
    request.control = swap32(DMA_SELECT | DMA_READ | 0x1 << 16);
    request.length = swap32(4);
    request.address = swap64((uintptr_t)buffer);
    *(volatile uint32_t *)DMA = 0;
    *(volatile uint32_t *)(DMA + 4) = swap32((uintptr_t)&request);
    report("by halves", swap32(*(volatile uint32_t *)&request.control));
    report("bytes", sum());
    *(volatile uint64_t *)DMA = swap64(0x40);

    report("traps so far", trapped.count);
    (void)*(volatile uint16_t *)SELECTOR;
    report("selector read", trapped.cause);
    *(volatile uint32_t *)SELECTOR = 0;
    report("selector of four bytes, traps", trapped.count);
    *(volatile uint16_t *)DMA = 0;
    report("DMA of two bytes, traps", trapped.count);
    (void)*(volatile uint32_t *)(BASE + 0x18);
    report("behind the registers, traps", trapped.count);
    finish(0);
}
