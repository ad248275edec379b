// The core-local interruptor and the machine timer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clint } from '../../../emulator/board/clint';
import { MachineTimer } from '../../../emulator/board/timer';
import { bench, port } from './bench';

function make(harts = 2) {
  const b = bench(harts);
  const timer = new MachineTimer(b.clock);
  const clint = new Clint(b.context, timer);
  clint.reset();
  return { b, timer, clint, registers: port(clint) };
}
const mtimecmp = 0x4000;
const mtime = 0xbff8;

test('msip drives the software interrupt of its own hart, by bit 0 alone', () => {
  const { b, registers } = make();
  registers.write32(4, 0xffff_ffff);
  assert.equal(b.wire(1, 'MSIP'), true);
  assert.equal(b.wire(0, 'MSIP'), false);
  assert.equal(registers.read32(4), 1);
  registers.write32(4, 2);
  assert.equal(b.wire(1, 'MSIP'), false);
});

test('mtime counts 10 MHz of virtual time and the interrupt is pending exactly while mtime >= mtimecmp', () => {
  const { b, timer, registers } = make();
  assert.equal(b.wire(0, 'MTIP'), true, 'mtimecmp is 0 at reset, as on QEMU');
  registers.write64(mtimecmp, 50n);
  assert.equal(b.wire(0, 'MTIP'), false);
  b.pass(4_999);
  assert.equal(timer.now(), 49n);
  assert.equal(b.wire(0, 'MTIP'), false);
  b.pass(1);
  assert.equal(registers.read64(mtime), 50n);
  assert.equal(b.wire(0, 'MTIP'), true);
  assert.equal(b.wire(1, 'MTIP'), true, 'hart 1 never moved its comparator');
  registers.write64(mtimecmp, 51n);
  assert.equal(b.wire(0, 'MTIP'), false);
});

test('64-bit registers can be accessed by halves', () => {
  const { b, registers } = make();
  registers.write32(mtimecmp + 8, 0x89ab_cdef);
  registers.write32(mtimecmp + 12, 0x0123_4567);
  assert.equal(registers.read64(mtimecmp + 8), 0x0123_4567_89ab_cdefn);
  assert.equal(registers.read32(mtimecmp + 12), 0x0123_4567);
  registers.write32(mtime + 4, 2);
  assert.equal(registers.read64(mtime), 0x2_0000_0000n);
  b.pass(1_000);
  assert.equal(registers.read32(mtime), 10);
});

test('setting mtime judges every comparator anew', () => {
  const { b, registers } = make();
  registers.write64(mtimecmp, 1_000_000n);
  registers.write64(mtime, 1_000_000n);
  assert.equal(b.wire(0, 'MTIP'), true);
  registers.write64(mtime, 999_990n);
  assert.equal(b.wire(0, 'MTIP'), false);
  b.pass(1_000);
  assert.equal(b.wire(0, 'MTIP'), true);
});

test('a comparator of all ones never fires and schedules nothing', () => {
  const { b, registers } = make(1);
  registers.write64(mtimecmp, 0xffff_ffff_ffff_ffffn);
  assert.equal(b.wire(0, 'MTIP'), false);
  assert.equal(b.clock.nextStep(), undefined);
});

test('a saved state brings timer, comparators and software interrupts back', () => {
  const { b, clint, registers } = make();
  registers.write64(mtime, 12_345n);
  registers.write64(mtimecmp, 99_999n);
  registers.write32(0, 1);
  const saved = structuredClone(clint.save());
  registers.write64(mtime, 0n);
  registers.write64(mtimecmp, 0n);
  registers.write32(0, 0);
  clint.restore(saved);
  assert.equal(registers.read64(mtime), 12_345n);
  assert.equal(registers.read64(mtimecmp), 99_999n);
  assert.equal(registers.read32(0), 1);
  b.pass(100);
  assert.equal(registers.read64(mtime), 12_346n);
});

test('widths below a word fault, registers of harts that do not exist read 0 and ignore writes', () => {
  const { clint, registers } = make();
  assert.equal(clint.peek(0, 1), undefined);
  assert.equal(clint.peek(0, 2), undefined);
  assert.equal(clint.write(0, 2, 1n), false);
  registers.write32(8, 1);
  assert.equal(registers.read32(8), 0);
  registers.write64(mtimecmp + 16, 5n);
  assert.equal(registers.read64(mtimecmp + 16), 0n);
});
