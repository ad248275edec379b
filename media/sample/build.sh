#!/bin/sh
# Rebuilds correct.elf, faulty.elf and disk.img. The result depends on the sources and the compiler only: no path, date or name of
# the building machine gets in. Needs riscv64-linux-gnu-gcc (Debian: gcc-riscv64-linux-gnu); CC and the output folder can be given:
#     CC=riscv64-unknown-elf-gcc ./build.sh [OUTPUT]
set -eu
cd "$(dirname "$0")"
output=${1:-.}
export LC_ALL=C

: "${CC:=riscv64-linux-gnu-gcc}"
if ! command -v "$CC" >/dev/null; then
    echo "build.sh: $CC not found; install it (Debian: apt install gcc-riscv64-linux-gnu) or set CC" >&2
    exit 1
fi

# medany: code may run anywhere, here at 0x8000_0000.
flags="-march=rv64gc -mabi=lp64 -mcmodel=medany -std=c11 -Og -g -gdwarf-5 -Wall -Wextra -Werror
    -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -I.
    -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments -T link.ld"
include=$("$CC" -print-file-name=include)

build() {
    elf=$1
    shift
    # The prefix maps make every path in the debug information relative to this folder.
    # shellcheck disable=SC2086
    "$CC" $flags "-ffile-prefix-map=$PWD=." "-ffile-prefix-map=$include=include" -o "$output/$elf" \
        start.S main.c uart.c plic.c trap.c "$@"
}

build correct.elf virtio_mmio.c virtqueue.c virtio_blk.c
build faulty.elf faulty/virtio_mmio.c virtqueue.c faulty/virtio_blk.c

# 64 KiB: a line of text in each sector, padded with spaces.
line() { printf '%s\n%*s' "$1" $((511 - ${#1})) ''; }
{
    line "A driver writes descriptors, puts the head of the chain in the available ring, and rings the doorbell."
    line "The device follows the chain, does the work, and puts the head in the used ring."
    line "In between, descriptors and buffers belong to the device."
    line "Ringside stops where a driver forgets that."
    sector=4
    while [ "$sector" -lt 128 ]; do
        line "This is sector $sector."
        sector=$((sector + 1))
    done
} >"$output/disk.img"
