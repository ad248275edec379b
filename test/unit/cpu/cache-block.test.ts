// Zicbom, Zicboz and Zicbop: what cache-block instructions change, who may execute them, and how they fault. [RISC-V unpriv. 19]
import assert from 'node:assert';
import { test } from 'node:test';
import type { Line } from '../../assembler';
import { pageFlag } from '../../../emulator/cpu/contract';
import { disassemble } from '../../../emulator/cpu/disassembler';
import { createBench, ramBase, runProgram } from './harness';

const menvcfg = 0x30a;
const senvcfg = 0x10a;
const enable = { 'cbo.zero': 0x80n, 'cbo.clean': 0x40n, 'cbo.flush': 0x40n, 'cbo.inval': 0x30n } as const;
const names = ['cbo.zero', 'cbo.clean', 'cbo.flush', 'cbo.inval'] as const;
const dataAt = 0x5000;

/** Executes one line in a mode; the cause of its trap, 3 for the ebreak behind it. */
function causeOf(mode: 'M' | 'S' | 'U', line: Line, machine: bigint, supervisor: bigint) {
  const bench = createBench();
  const program = bench.load([line, ['ebreak']]);
  const { cpu } = bench;
  cpu.startHart(0, program.base, 'S');
  cpu.startHart(0, program.base, mode);
  cpu.pokeCsr(0, menvcfg, machine);
  cpu.pokeCsr(0, senvcfg, supervisor);
  cpu.writeX(0, 10, BigInt(ramBase + dataAt + 0x123));
  cpu.ram.fill(0xee, dataAt, dataAt + 0x1000);
  cpu.reportTraps(true);
  bench.answers.trap = () => cpu.requestStop();
  cpu.run(cpu.steps + 10);
  return { cause: bench.traps[0]?.cause, bench };
}

test('cbo.zero clears the 64 bytes that hold the address, and nothing else', () => {
  const { bench, cause } = causeOf('M', ['cbo.zero', 'a0'], 0n, 0n);
  assert.equal(cause, 3);
  const bytes = bench.cpu.ram.subarray(dataAt, dataAt + 0x1000);
  assert.ok(bytes.every((byte, at) => byte === (at >= 0x100 && at < 0x140 ? 0 : 0xee)));
  assert.notEqual((bench.cpu.pageFlags[dataAt >> 12] ?? 0) & pageFlag.dirty, 0);
});

test('management changes no byte', () => {
  for (const name of ['cbo.clean', 'cbo.flush', 'cbo.inval'] as const) {
    const { bench, cause } = causeOf('M', [name, 'a0'], 0n, 0n);
    assert.equal(cause, 3);
    assert.ok(bench.cpu.ram.subarray(dataAt, dataAt + 0x1000).every((byte) => byte === 0xee));
  }
});

test('S-mode needs the bit of menvcfg, U-mode that of senvcfg too, M-mode none', () => {
  for (const name of names) {
    const bit = enable[name];
    for (const [mode, machine, supervisor, allowed] of [
      ['M', 0n, 0n, true],
      ['S', 0n, bit, false],
      ['S', bit, 0n, true],
      ['U', bit, 0n, false],
      ['U', 0n, bit, false],
      ['U', bit, bit, true],
      ['U', 0xf1n & ~bit, 0xf1n, false],
    ] as const) {
      const { cause } = causeOf(mode, [name, 'a0'], machine, supervisor);
      assert.equal(cause, allowed ? 3 : 2, `${name} in ${mode}-mode, menvcfg ${machine}, senvcfg ${supervisor}`);
    }
  }
});

test('the reserved value of CBIE is not taken', () => {
  const bench = createBench();
  bench.cpu.startHart(0, BigInt(ramBase), 'M');
  for (const number of [menvcfg, senvcfg]) {
    for (const [written, kept] of [
      [0x10n, 0x10n],
      [0x20n, 0x10n],
      [0x30n, 0x30n],
      [0x20n, 0x30n],
      [0x00n, 0x00n],
      [0x20n, 0x00n],
    ] as const) {
      bench.cpu.pokeCsr(0, number, written);
      assert.equal(bench.cpu.peekCsr(0, number), kept);
    }
  }
});

test('a fault is a store fault at the address of the instruction', () => {
  const bad = 0x123n;
  for (const name of names) {
    const bench = createBench();
    runProgram(bench, [
      ['la', 't0', 'handler'],
      ['csrw', 'mtvec', 't0'],
      ['li', 'a0', bad],
      [name, 'a0'],
      ['wfi'],
      ['.align', 4],
      'handler:',
      ['csrr', 'a1', 'mcause'],
      ['csrr', 'a2', 'mtval'],
      ['wfi'],
    ]);
    // There is nothing to manage where there is no memory; zeros need some.
    assert.deepEqual([bench.x('a1'), bench.x('a2')], name === 'cbo.zero' ? [7n, bad] : [0n, 0n], name);
  }
});

test('watchers hear of the eight stores of cbo.zero, and may refuse them', () => {
  const lines: Line[] = [['li', 's0', ramBase + dataAt + 0x47], ['cbo.zero', 's0'], ['wfi']];
  const bench = createBench();
  bench.cpu.ram.fill(0xee, dataAt, dataAt + 0x1000);
  bench.cpu.watch(dataAt >> 12, pageFlag.watchStore);
  runProgram(bench, lines);
  assert.deepEqual(
    bench.after.map(({ physicalAddress, size, kind, value }) => [physicalAddress, size, kind, value]),
    Array.from({ length: 8 }, (_, index) => [ramBase + dataAt + 0x40 + index * 8, 8, 'store', 0n]),
  );
  const refusing = createBench();
  refusing.cpu.ram.fill(0xee, dataAt, dataAt + 0x1000);
  refusing.cpu.watch(dataAt >> 12, pageFlag.watchStore);
  refusing.answers.watched = () => 'stop';
  const program = refusing.load(lines);
  refusing.cpu.startHart(0, program.base, 'M');
  assert.equal(refusing.cpu.run(100).kind, 'refused');
  assert.ok(refusing.cpu.ram.subarray(dataAt, dataAt + 0x1000).every((byte) => byte === 0xee));
});

test('texts of cache-block instructions, prefetches and pause', () => {
  for (const [word, text] of [
    [0x0045_200f, 'cbo.zero (a0)'],
    [0x0005_200f, 'cbo.inval (a0)'],
    [0x0015_200f, 'cbo.clean (a0)'],
    [0x0025_200f, 'cbo.flush (a0)'],
    [0x0405_6013, 'prefetch.i 64(a0)'],
    [0xfe15_6013, 'prefetch.r -32(a0)'],
    [0x0035_6013, 'prefetch.w 0(a0)'],
    [0x0025_6013, 'ori zero, a0, 2'],
    [0x0100_000f, 'pause'],
  ] as const) {
    assert.equal(disassemble(word, 0n).text, text);
  }
});
