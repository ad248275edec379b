/* A driver that does nothing but block requests, some small and some large, and waits for each. */

#include "board.h"
#include "virtio.h"
#include "virtio_blk.h"

static char data[16 * SECTOR_SIZE];

_Noreturn void main(void) {
    if (!virtio_blk_start()) {
        finish(1);
    }
    print("begin\n");
    uint64_t sum = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned sectors = round % 16 == 0 ? 16 : 1;
        if (!virtio_blk_read(round % 64, sectors, data)) {
            finish(2);
        }
        sum = sum * 31 + (unsigned char)data[round % SECTOR_SIZE];
    }
    print_decimal(sum);
    print("\n");
    finish(0);
}
