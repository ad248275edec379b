// Decoded code: it follows stores, outside writes and mappings, also across pages and when slots run out. And a fuzz of random code.
import assert from 'node:assert';
import { test } from 'node:test';
import { encodable } from '../../../emulator/cpu/decoder';
import { instructions } from '../../../emulator/cpu/instructions';
import { parseEncoding } from '../../../emulator/cpu/instructions/format';
import { createBench, ramBase, runProgram } from './harness';
import { randomFrom } from './random';

const word = (name: string, fields: Record<string, number>): number => encodable(name)?.encode(fields) ?? 0;
const addOne = word('addi', { rd: 10, rs1: 10, imm: 1 });
const addTwo = word('addi', { rd: 10, rs1: 10, imm: 2 });

test('code that changes itself runs as changed, even the very next instruction', () => {
  const bench = createBench();
  runProgram(bench, [
    ['la', 's0', 'patched'],
    ['li', 's1', addTwo],
    ['li', 's2', 3],
    'loop:',
    ['sw', 's1', 0, 's0'],
    'patched:',
    ['.word', addOne],
    ['xori', 's1', 's1', 0],
    ['addi', 's2', 's2', -1],
    ['bnez', 's2', 'loop'],
    ['wfi'],
  ]);
  assert.equal(bench.x('a0'), 6n);
});

test('half an instruction may be replaced', () => {
  const bench = createBench();
  const program = bench.load(['again:', ['addi', 'a0', 'a0', 1], ['c.j', 'again']]);
  bench.cpu.startHart(0, program.base, 'M');
  bench.cpu.run(4);
  assert.equal(bench.x('a0'), 2n);
  const upper = new DataView(program.bytes.buffer).getUint16(2, true) + (4 << 4);
  bench.cpu.ram.set([upper & 0xff, upper >> 8], 2);
  bench.cpu.noteOutsideWrite(ramBase + 2, 2);
  bench.cpu.run(6);
  assert.equal(bench.x('a0'), 2n + 5n);
});

test('a store to the next page changes the instruction that reaches into it', () => {
  const bench = createBench();
  const at = ramBase + 0xff6;
  const program = bench.load(
    [
      'loop:',
      ['sh', 's1', 2, 's0'],
      ['nop'],
      'across:',
      ['.word', addOne],
      ['addi', 's2', 's2', -1],
      ['bnez', 's2', 'loop'],
      ['wfi'],
    ],
    at,
  );
  assert.equal(program.labels['across'], BigInt(ramBase + 0xffe));
  bench.cpu.startHart(0, program.base, 'M');
  bench.cpu.writeX(0, 8, BigInt(ramBase + 0xffe));
  bench.cpu.writeX(0, 9, BigInt(addTwo >>> 16));
  bench.cpu.writeX(0, 18, 4n);
  assert.deepEqual(bench.cpu.run(100), { kind: 'idle' });
  assert.equal(bench.x('a0'), 8n);
});

test('more pages of code than slots', () => {
  const pages = 1100;
  const bench = createBench({ ramBytes: (pages + 4) * 0x1000 });
  // Each page adds its number and jumps to the next; the last one jumps back until the counter is used up.
  for (let page = 1; page <= pages; page++) {
    if (page === pages) break;
    const next = ramBase + (page + 1) * 0x1000;
    bench.load(
      [
        ['addi', 'a0', 'a0', page % 1024],
        ['jal', 'zero', next],
      ],
      ramBase + page * 0x1000,
    );
  }
  const far = bench.load([
    ['addi', 's2', 's2', -1],
    ['bltz', 's2', 'end'],
    ['li', 't0', ramBase + 0x1000],
    ['jr', 't0'],
    'end:',
    ['wfi'],
  ]);
  bench.load(
    [
      ['addi', 'a0', 'a0', pages % 1024],
      ['li', 't0', ramBase],
      ['jr', 't0'],
    ],
    ramBase + pages * 0x1000,
  );
  bench.cpu.startHart(0, far.base, 'M');
  bench.cpu.writeX(0, 18, 3n);
  assert.deepEqual(bench.cpu.run(100_000), { kind: 'idle' });
  let sum = 0;
  for (let page = 1; page <= pages; page++) sum += page % 1024;
  assert.equal(bench.x('a0'), BigInt(3 * sum));
});

test('random code never throws, never leaves RAM and always comes back', () => {
  const random = randomFrom(20240411);
  const size = 0x1_0000;
  for (let round = 0; round < 60; round++) {
    const bench = createBench({ harts: 1 + (round % 3), ramBytes: size, turnSteps: 50 });
    const { cpu } = bench;
    const view = new DataView(cpu.ram.buffer, cpu.ram.byteOffset);
    for (let at = 0; at < size; at += 4) {
      const row = instructions[random.below(instructions.length)];
      if (row === undefined || random.below(5) === 0) view.setUint32(at, random.word(), true);
      else {
        const { mask, match } = parseEncoding(row.encoding);
        view.setUint32(at, (match | (random.word() & ~mask)) >>> 0, true);
      }
    }
    bench.answers.load = () => (random.below(2) === 0 ? random.bits() : 'fault');
    bench.answers.store = () => random.pick(['done', 'fault'] as const);
    bench.answers.fetch = () => (random.below(2) === 0 ? -1 : random.below(0x10000));
    for (let page = 0; page < size / 0x1000; page++) cpu.watch(page, random.below(4));
    for (let hart = 0; hart < cpu.harts; hart++) {
      cpu.startHart(hart, BigInt(ramBase + random.below(size)), random.pick(['M', 'S', 'U'] as const));
      cpu.pokeCsr(hart, 0x300, random.bits());
      cpu.pokeCsr(hart, 0x305, BigInt(ramBase + (random.below(size) & ~3)));
      cpu.pokeCsr(hart, 0x105, BigInt(ramBase + (random.below(size) & ~3)));
      cpu.pokeCsr(hart, 0x302, random.bits());
      cpu.pokeCsr(hart, 0x180, (random.pick([0n, 8n, 9n]) << 60n) | (BigInt(ramBase + random.below(size)) >> 12n));
      for (let register = 1; register < 32; register++) {
        cpu.writeX(hart, register, random.below(2) === 0 ? random.operand() : BigInt(ramBase + random.below(size)));
      }
    }
    const limit = 3000;
    while (cpu.steps < limit) {
      const before = cpu.steps;
      const exit = cpu.run(limit);
      assert.ok(cpu.steps >= before && cpu.steps <= limit);
      if (exit.kind === 'idle') break;
      if (random.below(3) === 0) {
        cpu.setInterrupt(
          random.below(cpu.harts),
          random.pick(['MTIP', 'SEIP', 'SSIP'] as const),
          random.below(2) === 0,
        );
      }
    }
    for (let hart = 0; hart < cpu.harts; hart++) {
      assert.equal(cpu.readX(hart, 0), 0n);
      assert.ok(cpu.retired(hart) <= cpu.steps || cpu.retired(hart) >= 0);
    }
  }
});
