/* Ends a test guest: code 0 is success. */

#include "board.h"
#include "io.h"

_Noreturn void finish(uint16_t code) {
    mmio_write32(TEST_FINISHER, code == 0 ? 0x5555 : (uint32_t)code << 16 | 0x3333);
    for (;;) {
        __asm__ volatile("wfi");
    }
}
