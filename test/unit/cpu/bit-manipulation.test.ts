// Zba, Zbb, Zbc, Zbs and Zicond against definitions of the tests' own, in both tiers: the rows' meaning is what is judged here.
// [RISC-V unpriv. 28.4, 11]
import assert from 'node:assert';
import { test } from 'node:test';
import { bitManipulation } from '../../../emulator/cpu/instructions/bit-manipulation';
import { createBench } from './harness';
import { randomFrom } from './random';

const wide = (value: bigint): bigint => BigInt.asUintN(64, value);
const word = (value: bigint): bigint => BigInt.asUintN(32, value);
const sign = (value: bigint, bits: number): bigint => wide(BigInt.asIntN(bits, value));
const signed = (value: bigint): bigint => BigInt.asIntN(64, value);
const bitsOf = (value: bigint, count = 64): number[] =>
  Array.from({ length: count }, (_, index) => Number((value >> BigInt(index)) & 1n));
const fromBits = (bits: readonly number[]): bigint =>
  bits.reduce((value, bit, index) => value | (BigInt(bit) << BigInt(index)), 0n);
const bytesOf = (value: bigint): bigint[] => Array.from({ length: 8 }, (_, at) => (value >> BigInt(at * 8)) & 0xffn);
const fromBytes = (bytes: readonly bigint[]): bigint =>
  bytes.reduce((value, byte, at) => value | (byte << BigInt(at * 8)), 0n);
const rotated = (value: bigint, by: number, count: number): bigint =>
  fromBits(bitsOf(value, count).map((_, index, all) => all[(index + by) % count] ?? 0));
/** All 127 bits of the carry-less product. */
const product = (a: bigint, b: bigint): bigint =>
  bitsOf(b).reduce((sum, bit, index) => (bit === 1 ? sum ^ (a << BigInt(index)) : sum), 0n);
const run = (bits: readonly number[], of: number): bigint => {
  const end = bits.findIndex((bit) => bit !== of);
  return BigInt(end < 0 ? bits.length : end);
};
const six = (b: bigint): bigint => b & 63n;

const definitions: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  'add.uw': (a, b) => wide(word(a) + b),
  sh1add: (a, b) => wide(a * 2n + b),
  sh2add: (a, b) => wide(a * 4n + b),
  sh3add: (a, b) => wide(a * 8n + b),
  'sh1add.uw': (a, b) => wide(word(a) * 2n + b),
  'sh2add.uw': (a, b) => wide(word(a) * 4n + b),
  'sh3add.uw': (a, b) => wide(word(a) * 8n + b),
  'slli.uw': (a, b) => wide(word(a) << b),
  andn: (a, b) => a & ~b & wide(-1n),
  orn: (a, b) => wide(a | ~b),
  xnor: (a, b) => wide(~(a ^ b)),
  clz: (a) => run(bitsOf(a).reverse(), 0),
  clzw: (a) => run(bitsOf(a, 32).reverse(), 0),
  ctz: (a) => run(bitsOf(a), 0),
  ctzw: (a) => run(bitsOf(a, 32), 0),
  cpop: (a) => BigInt(bitsOf(a).filter((bit) => bit === 1).length),
  cpopw: (a) => BigInt(bitsOf(a, 32).filter((bit) => bit === 1).length),
  max: (a, b) => (signed(a) > signed(b) ? a : b),
  maxu: (a, b) => (a > b ? a : b),
  min: (a, b) => (signed(a) < signed(b) ? a : b),
  minu: (a, b) => (a < b ? a : b),
  'sext.b': (a) => sign(a, 8),
  'sext.h': (a) => sign(a, 16),
  'zext.h': (a) => a & 0xffffn,
  rol: (a, b) => rotated(a, 64 - Number(six(b)), 64),
  rolw: (a, b) => sign(rotated(a, 32 - Number(b & 31n), 32), 32),
  ror: (a, b) => rotated(a, Number(six(b)), 64),
  rori: (a, b) => rotated(a, Number(six(b)), 64),
  rorw: (a, b) => sign(rotated(a, Number(b & 31n), 32), 32),
  roriw: (a, b) => sign(rotated(a, Number(b & 31n), 32), 32),
  'orc.b': (a) => fromBytes(bytesOf(a).map((byte) => (byte === 0n ? 0n : 0xffn))),
  rev8: (a) => fromBytes(bytesOf(a).reverse()),
  clmul: (a, b) => wide(product(a, b)),
  clmulh: (a, b) => product(a, b) >> 64n,
  clmulr: (a, b) => wide(product(a, b) >> 63n),
  bclr: (a, b) => a & ~(1n << six(b)),
  bclri: (a, b) => a & ~(1n << six(b)),
  bext: (a, b) => (a >> six(b)) & 1n,
  bexti: (a, b) => (a >> six(b)) & 1n,
  binv: (a, b) => a ^ (1n << six(b)),
  binvi: (a, b) => a ^ (1n << six(b)),
  bset: (a, b) => a | (1n << six(b)),
  bseti: (a, b) => a | (1n << six(b)),
  'czero.eqz': (a, b) => (b === 0n ? 0n : a),
  'czero.nez': (a, b) => (b === 0n ? a : 0n),
};

test('every row has a definition here', () => {
  assert.deepEqual(bitManipulation.map(({ name }) => name).sort(), Object.keys(definitions).sort());
});

for (const tier of ['interpreted', 'compiled'] as const) {
  const bench = createBench(tier === 'compiled' ? { compiler: 'on', compileThreshold: 1 } : {});
  for (const { name, text } of bitManipulation) {
    test(`${name}, ${tier}`, () => {
      const random = randomFrom(name.length * 31 + name.charCodeAt(0));
      const define = definitions[name];
      assert.ok(define);
      for (let round = 0; round < 24; round++) {
        const amount = random.below(name.endsWith('w') ? 32 : 64);
        const second = text.endsWith('shamt') ? [amount] : text.endsWith('rs2') ? ['a2'] : [];
        const [a, b] = [round % 8 === 0 ? 0n : random.operand(), round % 5 === 0 ? 0n : random.operand()];
        const program = bench.load([
          ['li', 't0', 3],
          'again:',
          [name, 'a0', 'a1', ...second],
          [name, 'a1', 'a1', ...second],
          ['mv', 'a1', 'a3'],
          ['addi', 't0', 't0', -1],
          ['bnez', 't0', 'again'],
          ['wfi'],
        ]);
        bench.cpu.startHart(0, program.base, 'M');
        for (const [register, value] of [
          [11, a],
          [12, b],
          [13, a],
        ] as const)
          bench.cpu.writeX(0, register, value);
        assert.equal(bench.cpu.run(bench.cpu.steps + 100).kind, 'idle');
        const operand = text.endsWith('shamt') ? BigInt(amount) : b;
        const what = `${name} of ${a.toString(16)} and ${operand.toString(16)}`;
        assert.equal(bench.x('a0'), wide(define(a, operand)), what);
        assert.equal(bench.x('a1'), a, `${what} leaves its operands alone`);
      }
    });
  }
}
