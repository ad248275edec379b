/* Text through the board's 16550 serial port, by polling. The board has set the line up. */

#include "board.h"
#include "io.h"

enum { THR = 0, LSR = 5 }; /* Transmitter Holding Register, Line Status Register */
enum { LSR_THR_EMPTY = 1 << 5 };

static void print_character(char character) {
    while (!(mmio_read8(UART + LSR) & LSR_THR_EMPTY)) {
    }
    mmio_write8(UART + THR, (uint8_t)character);
}

void print_bytes(const char *bytes, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (bytes[i] == '\n') {
            print_character('\r');
        }
        print_character(bytes[i]);
    }
}

void print(const char *text) {
    unsigned length = 0;
    while (text[length]) {
        length++;
    }
    print_bytes(text, length);
}

void print_decimal(uint64_t value) {
    char digits[20];
    unsigned first = sizeof digits;
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    print_bytes(digits + first, (unsigned)sizeof digits - first);
}

void print_hex(uint64_t value) {
    char digits[16];
    unsigned first = sizeof digits;
    do {
        digits[--first] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    print("0x");
    print_bytes(digits + first, (unsigned)sizeof digits - first);
}
