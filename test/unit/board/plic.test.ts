// The platform-level interrupt controller: gateways, priorities, claim and completion.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Plic } from '../../../emulator/board/plic';
import { bench, port } from './bench';

const enable = (context: number, source: number): number => 0x2000 + context * 0x80 + (source >> 5) * 4;
const threshold = (context: number): number => 0x20_0000 + context * 0x1000;
const claim = (context: number): number => threshold(context) + 4;

function make(harts = 1) {
  const b = bench(harts);
  const plic = new Plic(b.context);
  const registers = port(plic);
  const open = (context: number, source: number, priority = 1): void => {
    registers.write32(source * 4, priority);
    registers.write32(enable(context, source), registers.read32(enable(context, source)) | (1 << (source & 31)));
  };
  return { b, plic, registers, open };
}

test('a level reaches the context that enables its source, through claim and completion', () => {
  const { b, plic, registers, open } = make(2);
  open(3, 8);
  plic.line(8).set(true);
  assert.equal(b.wire(1, 'SEIP'), true, 'context 3 is S-mode of hart 1');
  assert.equal(b.wire(0, 'SEIP'), false);
  assert.equal(b.wire(1, 'MEIP'), false);
  assert.equal(registers.read32(0x1000), 1 << 8);
  assert.equal(registers.read32(claim(3)), 8);
  assert.equal(b.wire(1, 'SEIP'), false, 'the claim takes the request');
  assert.equal(registers.read32(0x1000), 0);
  assert.equal(registers.read32(claim(3)), 0, 'the gateway forwards nothing until completion');
  plic.line(8).set(false);
  registers.write32(claim(3), 8);
  assert.equal(b.wire(1, 'SEIP'), false);
});

test('a level that is still high at completion interrupts again when its device drives it again, as on QEMU', () => {
  const { b, plic, registers, open } = make();
  open(1, 10);
  plic.line(10).set(true);
  assert.equal(registers.read32(claim(1)), 10);
  registers.write32(claim(1), 10);
  assert.equal(b.wire(0, 'SEIP'), false);
  plic.line(10).set(true);
  assert.equal(b.wire(0, 'SEIP'), true);
});

test('a request that comes while its source is in service waits for the completion', () => {
  const { b, plic, registers, open } = make();
  open(1, 10);
  plic.line(10).set(true);
  assert.equal(registers.read32(claim(1)), 10);
  plic.line(10).set(true);
  assert.equal(b.wire(0, 'SEIP'), false);
  registers.write32(claim(1), 10);
  assert.equal(b.wire(0, 'SEIP'), true);
});

test('a request that its device withdraws before the claim is forgotten', () => {
  const { b, plic, registers, open } = make();
  open(1, 10);
  plic.line(10).set(true);
  plic.line(10).set(false);
  assert.equal(b.wire(0, 'SEIP'), false);
  assert.equal(registers.read32(claim(1)), 0);
});

test('the highest priority is claimed first, then the lowest source', () => {
  const { plic, registers, open } = make();
  open(0, 1, 3);
  open(0, 2, 5);
  open(0, 40, 5);
  open(0, 96, 7);
  for (const source of [40, 2, 1, 96]) plic.line(source).set(true);
  const order = [1, 2, 3, 4, 5].map(() => registers.read32(claim(0)));
  assert.deepEqual(order, [96, 2, 40, 1, 0]);
});

test('priority 0 and the threshold keep the wire low; the claim register disregards the threshold', () => {
  const { b, plic, registers, open } = make();
  open(0, 5, 0);
  plic.line(5).set(true);
  assert.equal(b.wire(0, 'MEIP'), false);
  assert.equal(registers.read32(claim(0)), 0);
  registers.write32(threshold(0), 3);
  registers.write32(5 * 4, 3);
  assert.equal(b.wire(0, 'MEIP'), false);
  registers.write32(5 * 4, 4);
  assert.equal(b.wire(0, 'MEIP'), true);
  registers.write32(threshold(0), 7);
  assert.equal(b.wire(0, 'MEIP'), false);
  assert.equal(registers.read32(claim(0)), 5);
});

test('registers beyond the last source or context are ignored, source 0 does not exist, priorities have 3 bits', () => {
  const { registers } = make();
  registers.write32(0, 7);
  registers.write32(97 * 4, 7);
  registers.write32(96 * 4, 0xff);
  registers.write32(enable(0, 0), 0xffff_ffff);
  registers.write32(enable(0, 96), 0xffff_ffff);
  registers.write32(enable(0, 128), 0xffff_ffff);
  registers.write32(enable(2, 0), 0xffff_ffff);
  registers.write32(claim(0), 1234);
  assert.equal(registers.read32(0), 0);
  assert.equal(registers.read32(97 * 4), 0);
  assert.equal(registers.read32(96 * 4), 7);
  assert.equal(registers.read32(enable(0, 0)), 0xffff_fffe);
  assert.equal(registers.read32(enable(0, 96)), 1, 'only source 96 of its word exists');
  assert.equal(registers.read32(enable(0, 128)), 0);
  assert.equal(registers.read32(enable(2, 0)), 0, 'one hart has contexts 0 and 1');
});

test('observers see claims and completions; a peek of the claim register claims nothing', () => {
  const { plic, registers, open } = make();
  const seen: string[] = [];
  plic.observe({
    claimed: (context, source) => void seen.push(`claim ${context} ${source}`),
    completed: (context, source) => void seen.push(`complete ${context} ${source}`),
  });
  open(1, 3);
  plic.line(3).set(true);
  assert.equal(plic.peek(claim(1), 4), 3n);
  assert.deepEqual(seen, []);
  registers.read32(claim(1));
  registers.write32(claim(1), 7);
  registers.write32(claim(1), 3);
  registers.write32(claim(1), 3);
  assert.deepEqual(seen, ['claim 1 3', 'complete 1 3']);
});

test('a saved state brings everything back, claims under way included', () => {
  const { b, plic, registers, open } = make();
  open(1, 3);
  open(1, 4);
  plic.line(3).set(true);
  registers.read32(claim(1));
  const saved = structuredClone(plic.save());
  plic.line(3).set(false);
  registers.write32(claim(1), 3);
  registers.write32(enable(1, 0), 0);
  plic.restore(saved);
  assert.equal(registers.read32(enable(1, 0)), 0b11000);
  plic.line(4).set(true);
  assert.equal(b.wire(0, 'SEIP'), true);
  assert.equal(registers.read32(claim(1)), 4);
  plic.line(3).set(true);
  assert.equal(registers.read32(claim(1)), 0, 'source 3 is in service');
  registers.write32(claim(1), 3);
  assert.equal(registers.read32(claim(1)), 3);
});

test('only sources 1 to 96 have a wire', () => {
  const { plic } = make();
  for (const source of [0, 97, -1, 1.5]) assert.throws(() => plic.line(source), RangeError);
  assert.equal(plic.line(96), plic.line(96));
});
