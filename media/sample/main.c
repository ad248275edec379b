/* The sample: brings up a block device, reads text from it, writes a sector, and checks that it came back. */

#include "board.h"
#include "virtio.h"
#include "virtio_blk.h"

enum { TEXT_SECTORS = 4 };

static char text[TEXT_SECTORS * SECTOR_SIZE];
static char written[SECTOR_SIZE];
static char read_back[SECTOR_SIZE];
static char id[VIRTIO_BLK_ID_BYTES + 1];

static void require(bool condition, const char *what) {
    if (!condition) {
        print("failed: ");
        print(what);
        print("\n");
        finish(1);
    }
}

static void print_text_sectors(void) {
    require(virtio_blk_read(0, TEXT_SECTORS, text), "read");
    for (unsigned i = 0; i < TEXT_SECTORS; i++) {
        const char *sector = text + i * SECTOR_SIZE;
        unsigned length = 0;
        while (length < SECTOR_SIZE && sector[length] != '\n') {
            length++;
        }
        print("sector ");
        print_decimal(i);
        print(": ");
        print_bytes(sector, length);
        print("\n");
    }
}

static void write_and_verify(uint64_t sector) {
    for (unsigned i = 0; i < SECTOR_SIZE; i++) {
        written[i] = (char)(i * 7);
        read_back[i] = 0;
    }
    require(virtio_blk_write(sector, 1, written), "write");
    require(virtio_blk_flush(), "flush");
    require(virtio_blk_read(sector, 1, read_back), "read back");
    for (unsigned i = 0; i < SECTOR_SIZE; i++) {
        require(read_back[i] == written[i], "verify");
    }
    print("sector ");
    print_decimal(sector);
    print(": written, flushed and verified\n");
}

_Noreturn void main(void) {
    require(virtio_blk_start(), "start");
    print("block device: ");
    print_decimal(virtio_blk_capacity());
    print(" sectors of 512 bytes\n");

    print_text_sectors();
    if (!virtio_blk_read_only()) {
        write_and_verify(virtio_blk_capacity() - 1);
    }
    require(virtio_blk_get_id(id), "get id");
    print("identifier: ");
    print(id);
    print("\ndone\n");
    finish(0);
}
