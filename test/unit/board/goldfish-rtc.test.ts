// The real-time clock: time, alarm and its interrupt.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GoldfishRtc } from '../../../emulator/board/goldfish-rtc';
import { bench, port } from './bench';

const start = 0x1234_5678_ffff_ff00n;

function make() {
  const b = bench(1, start);
  let level = false;
  const rtc = new GoldfishRtc(b.context, { source: 11, set: (to) => (level = to) });
  return { b, rtc, registers: port(rtc), interrupted: () => level };
}

test('the time is the wall clock at reset plus virtual time; the upper half belongs to the lower one read last', () => {
  const { b, rtc, registers } = make();
  assert.equal(registers.read32(0), 0xffff_ff00);
  b.pass(0x200);
  assert.equal(registers.read32(4), 0x1234_5678, 'latched by the read of the lower half');
  assert.equal(registers.read32(0), 0x100);
  assert.equal(registers.read32(4), 0x1234_5679);
  assert.equal(rtc.now(), start + 0x200n);
});

test('the time can be set', () => {
  const { b, rtc, registers } = make();
  registers.write32(4, 1);
  registers.write32(0, 2);
  b.pass(10);
  assert.equal(rtc.now(), 0x1_0000_000cn);
});

test('the alarm starts with its lower half, rings at its time and interrupts where enabled', () => {
  const { b, rtc, registers, interrupted } = make();
  const at = rtc.now() + 1_000n;
  registers.write32(0x10, 1);
  registers.write32(0x0c, Number(at >> 32n));
  assert.equal(registers.read32(0x18), 0);
  registers.write32(0x08, Number(at & 0xffff_ffffn));
  assert.equal(registers.read32(0x18), 1);
  b.pass(999);
  assert.equal(interrupted(), false);
  b.pass(1);
  assert.equal(interrupted(), true);
  assert.equal(registers.read32(0x18), 0);
  registers.write32(0x1c, 1);
  assert.equal(interrupted(), false);
});

test('an alarm in the past rings at once; a cleared one never', () => {
  const { b, registers, interrupted } = make();
  registers.write32(0x08, 0);
  assert.equal(interrupted(), false, 'not enabled');
  registers.write32(0x10, 1);
  assert.equal(interrupted(), true);
  registers.write32(0x1c, 0);
  registers.write32(0x0c, 0x1234_5679);
  registers.write32(0x08, 0x100);
  registers.write32(0x14, 0);
  b.pass(1_000_000);
  assert.equal(interrupted(), false);
  assert.equal(b.clock.nextStep(), undefined);
});

test('only word accesses are answered', () => {
  const { rtc } = make();
  for (const size of [1, 2, 8] as const) {
    assert.equal(rtc.read(0, size), undefined);
    assert.equal(rtc.write(0, size, 0n), false);
  }
});
