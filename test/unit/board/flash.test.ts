// Parallel flash: two interleaved chips with the Intel command set, as drivers probe and use them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlashBank } from '../../../emulator/board/flash';
import { memoryMap } from '../../../emulator/board/memory-map';
import { port } from './bench';

function make() {
  const bank = new FlashBank('flash 0', memoryMap.flash0);
  return { bank, registers: port(bank) };
}
/** The same command for both chips. */
const both = (value: number): number => (value << 16) | value;
const ready = both(0x80);

test('after reset the array is empty and reads 0 at every width', () => {
  const { registers } = make();
  assert.equal(registers.read32(0), 0);
  assert.equal(registers.read64(0x1ff_fff8), 0n);
  assert.equal(registers.read8(0x123), 0);
});

test('the query answers QRY on both lanes and describes 2 x 16 MiB in blocks of 128 KiB', () => {
  const { registers } = make();
  registers.write32(0x55 * 4, both(0x98));
  const query = (index: number): number => {
    const word = registers.read32(index * 4);
    assert.equal(word >>> 16, word & 0xffff, 'both chips say the same');
    return word & 0xffff;
  };
  assert.equal(String.fromCharCode(query(0x10), query(0x11), query(0x12)), 'QRY');
  assert.equal(query(0x13), 1, 'Intel extended');
  assert.equal(2 ** query(0x27), 16 << 20);
  assert.equal(query(0x2c), 1);
  assert.equal((query(0x2d) | (query(0x2e) << 8)) + 1, 128);
  assert.equal((query(0x2f) | (query(0x30) << 8)) * 256, 128 << 10);
  const extended = query(0x15) | (query(0x16) << 8);
  assert.equal(String.fromCharCode(query(extended), query(extended + 1), query(extended + 2)), 'PRI');
  registers.write32(0, both(0xff));
  assert.equal(registers.read32(0x40), 0);
});

test('a command at any width reaches both chips, as on QEMU', () => {
  const { bank, registers } = make();
  bank.write(0xaa, 2, 0x98n);
  assert.equal(registers.read32(0x40), 0x0051_0051);
  bank.write(1, 1, 0xffn);
  assert.equal(registers.read32(0x40), 0);
});

test('erase sets a block to ones, programming replaces what was there', () => {
  const { registers } = make();
  const block = 0x4_0000;
  registers.write32(block, both(0x20));
  registers.write32(block, both(0xd0));
  assert.equal(registers.read32(block), ready | 0);
  registers.write32(0, both(0xff));
  assert.equal(registers.read32(block), 0xffff_ffff);
  assert.equal(registers.read32(block + 0x3_fffc), 0xffff_ffff);
  assert.equal(registers.read32(block - 4), 0);
  assert.equal(registers.read32(block + 0x4_0000), 0);

  registers.write32(block + 8, both(0x40));
  registers.write32(block + 8, 0x1234_5678);
  registers.write32(block + 8, both(0x10));
  registers.write32(block + 8, 0xff00_8001);
  registers.write32(0, both(0xff));
  assert.equal(registers.read32(block + 8), 0xff00_8001);
  assert.equal(registers.read32(block + 12), 0xffff_ffff);
});

test('a buffered program writes its words after the confirmation', () => {
  const { registers } = make();
  registers.write32(0, both(0x20));
  registers.write32(0, both(0xd0));
  registers.write32(0x100, both(0xe8));
  assert.equal(registers.read32(0), ready | 0);
  registers.write32(0x100, both(1));
  registers.write32(0x100, 0xdead_beef);
  registers.write32(0x104, 0x0bad_cafe);
  registers.write32(0x100, both(0xd0));
  registers.write32(0, both(0xff));
  assert.deepEqual([registers.read32(0x100), registers.read32(0x104)], [0xdead_beef, 0x0bad_cafe]);
});

test('a broken sequence sets both error bits until they are cleared', () => {
  const { registers } = make();
  registers.write32(0, both(0x20));
  registers.write32(0, both(0x12));
  assert.equal(registers.read32(0), both(0xb0));
  registers.write32(0, both(0x50));
  registers.write32(0, both(0x70));
  assert.equal(registers.read32(0), both(0x80));
});

test('a saved state is not touched by later programming, and comes back', () => {
  const { bank, registers } = make();
  const program = (value: number): void => {
    registers.write32(4, both(0x40));
    registers.write32(4, value);
    registers.write32(4, both(0xff));
  };
  registers.write32(0, both(0x20));
  registers.write32(0, both(0xd0));
  program(0xffff_0000);
  const saved = bank.save();
  const copy = structuredClone(saved);
  program(0);
  assert.deepEqual(saved, copy);
  assert.equal(registers.read32(4), 0);
  bank.restore(saved);
  assert.equal(registers.read32(4), 0xffff_0000);
  program(0x0fff_0000);
  assert.deepEqual(saved, copy, 'nor after it was restored');
});
