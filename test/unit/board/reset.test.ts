// The way into the machine and out of it: reset ROM and test finisher.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registersAfterResetRom, ResetRom, resetRomContent } from '../../../emulator/board/reset-rom';
import { TestFinisher } from '../../../emulator/board/test-finisher';
import type { FinishOutcome } from '../../../emulator/board/contract';
import { port } from './bench';

test('the reset ROM holds what QEMU 7.2 puts there', () => {
  const rom = new ResetRom(resetRomContent({ start: 0x8000_0000n, deviceTree: 0x87e0_0000n, next: 0x8020_0000n }));
  const registers = port(rom);
  const words = Array.from({ length: 20 }, (_, index) => registers.read32(index * 4));
  // Measured: the monitor's `xp/20wx 0x1000` with a 128 MiB machine and a kernel under firmware.
  assert.deepEqual(words, [
    ...[0x0000_0297, 0x0282_8613, 0xf140_2573, 0x0202_b583, 0x0182_b283, 0x0002_8067, 0x8000_0000, 0],
    ...[0x87e0_0000, 0, 0x4942_534f, 0, 2, 0, 0x8020_0000, 0, 1, 0, 0, 0],
  ]);
  assert.equal(rom.write(), true);
  assert.equal(registers.read8(0xefff), 0);
});

test('registers after the ROM are those that its code leaves', () => {
  assert.deepEqual(registersAfterResetRom(3, { start: 0x8000_0000n, deviceTree: 0x87e0_0000n, next: 0n }), [
    [5, 0x8000_0000n],
    [10, 3n],
    [11, 0x87e0_0000n],
    [12, 0x1028n],
  ]);
});

test('the finisher knows power-off, reset and failure codes, and ignores the rest', () => {
  const outcomes: FinishOutcome[] = [];
  const finisher = new TestFinisher((outcome) => outcomes.push(outcome));
  const registers = port(finisher);
  registers.write32(0, 0x5555);
  registers.write32(0, 0x7777);
  registers.write32(0, 0x002a_3333);
  registers.write32(0, 0x1234);
  registers.write32(4, 0x5555);
  finisher.write(0, 2, 0x3333n);
  assert.equal(finisher.write(0, 1, 0x55n), false);
  assert.equal(registers.read32(0), 0);
  assert.deepEqual(outcomes, [
    { kind: 'power-off' },
    { kind: 'reset' },
    { kind: 'fail', code: 42 },
    { kind: 'fail', code: 0 },
  ]);
});
