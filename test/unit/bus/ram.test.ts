// RAM as devices see it: little-endian, bounded, and the processor hears of every write.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdleCpu, memoryOf } from '../board/bench';

test('values are little-endian and copies are copies', () => {
  const cpu = new IdleCpu(1, 4096);
  const ram = memoryOf(cpu);
  ram.write64(0x8000_0008, 0x1122_3344_5566_7788n);
  assert.deepEqual([...ram.read(0x8000_0008, 3)], [0x88, 0x77, 0x66]);
  assert.equal(ram.read16(0x8000_000e), 0x1122);
  assert.equal(ram.read32(0x8000_000c), 0x1122_3344);
  ram.read(0x8000_0008, 8).fill(0);
  assert.equal(ram.read64(0x8000_0008), 0x1122_3344_5566_7788n);
});

test('the processor hears of every write, with address and length', () => {
  const cpu = new IdleCpu(1, 4096);
  const ram = memoryOf(cpu);
  ram.write(0x8000_0010, Uint8Array.of(1, 2, 3));
  ram.write16(0x8000_0020, 1);
  ram.write32(0x8000_0030, 0xffff_ffff);
  ram.write64(0x8000_0ff8, 1n);
  ram.write(0x8000_0040, new Uint8Array(0));
  assert.deepEqual(cpu.noted, [
    [0x8000_0010, 3],
    [0x8000_0020, 2],
    [0x8000_0030, 4],
    [0x8000_0ff8, 8],
  ]);
});

test('nothing outside RAM is contained, readable or writable', () => {
  const cpu = new IdleCpu(1, 4096);
  const ram = memoryOf(cpu);
  const inside: [number, number][] = [
    [0x8000_0000, 4096],
    [0x8000_1000, 0],
  ];
  const outside: [number, number][] = [
    [0x7fff_ffff, 1],
    [0x8000_0fff, 2],
    [0x8000_1000, 1],
    [0x8000_0000, -1],
    [0x8000_0000, Number.POSITIVE_INFINITY],
    [Number.NaN, 1],
    [0x8000_0000 + 0.5, 1],
    [2 ** 53, 2],
  ];
  for (const [address, length] of inside) assert.ok(ram.contains(address, length), `${address} ${length}`);
  for (const [address, length] of outside) {
    assert.ok(!ram.contains(address, length), `${address} ${length}`);
    assert.throws(() => ram.read(address, length), RangeError);
  }
  assert.throws(() => ram.write64(0x8000_0ffc, 0n), /not inside RAM/);
  assert.equal(cpu.noted.length, 0);
});
