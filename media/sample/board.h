/* QEMU's `virt` board: where things are, and the parts of it that the sample needs. */

#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    TEST_FINISHER = 0x00100000,
    PLIC = 0x0c000000,
    UART = 0x10000000,
    VIRTIO_MMIO = 0x10001000, /* slot n is at VIRTIO_MMIO + n * VIRTIO_MMIO_STRIDE and raises interrupt 1 + n */
    VIRTIO_MMIO_STRIDE = 0x1000,
    VIRTIO_MMIO_SLOTS = 8,
};

/* uart.c */
void print(const char *text);
void print_bytes(const char *bytes, unsigned count);
void print_decimal(uint64_t value);
void print_hex(uint64_t value);

/* plic.c */
void plic_enable(unsigned interrupt);
unsigned plic_claim(void);
void plic_complete(unsigned interrupt);

/* trap.c */
typedef void interrupt_handler(void);
void set_interrupt_handler(unsigned interrupt, interrupt_handler *handler);
void wait_until(const volatile bool *condition);
_Noreturn void finish(uint16_t code);
