/* The 16550: reads a line by polling and sends it back in capitals. [16550D data sheet, 8] */

#include "board.h"
#include "io.h"

enum { RBR = 0, LSR = 5, SCR = 7, LSR_DATA_READY = 1 };

static char read_character(void) {
    while (!(mmio_read8(UART + LSR) & LSR_DATA_READY)) {
    }
    return (char)mmio_read8(UART + RBR);
}

int main(void) {
    mmio_write8(UART + SCR, 0x5a);
    print(mmio_read8(UART + SCR) == 0x5a ? "scratch register works\n" : "no scratch register\n");
    print("say something\n");
    for (;;) {
        char character = read_character();
        if (character == '\n') {
            break;
        }
        if (character >= 'a' && character <= 'z') {
            character -= 'a' - 'A';
        }
        print_bytes(&character, 1);
    }
    print("\n");
    finish(0);
}

void trap_handler(void) { finish(1); }
