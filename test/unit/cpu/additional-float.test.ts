// Zfa: its encodings, written down as the words they are, and that the processor executes them. What they compute is judged in
// float.test.ts. [RISC-V unpriv. 24, version 1.0]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instructionSet } from '../../../emulator/cpu/extensions';
import { decode } from '../../../emulator/cpu/decoder';
import { disassemble } from '../../../emulator/cpu/disassembler';
import { createBench, ramBase } from './harness';

/** With every register field 0 and, where there is one, rm as given. */
const words: readonly (readonly [name: string, word: number])[] = [
  ['fli.s', 0xf010_0053],
  ['fli.d', 0xf210_0053],
  ['fminm.s', 0x2800_2053],
  ['fmaxm.s', 0x2800_3053],
  ['fminm.d', 0x2a00_2053],
  ['fmaxm.d', 0x2a00_3053],
  ['fround.s', 0x4040_0053],
  ['froundnx.s', 0x4050_0053],
  ['fround.d', 0x4240_0053],
  ['froundnx.d', 0x4250_0053],
  ['fcvtmod.w.d', 0xc280_1053],
  ['fleq.s', 0xa000_4053],
  ['fltq.s', 0xa000_5053],
  ['fleq.d', 0xa200_4053],
  ['fltq.d', 0xa200_5053],
];

test('each word is the instruction it is in the standard', () => {
  for (const [name, word] of words) {
    assert.equal(decode(word)?.row.name, name);
    assert.match(disassemble(word, 0n).text, new RegExp(`^${name}\\b`));
  }
  // fcvtmod.w.d exists with rm = RTZ only.
  for (const rm of [0, 2, 3, 4, 7]) assert.equal(decode((0xc280_0053 | (rm << 12)) >>> 0), undefined);
  assert.match(instructionSet(false), /_zihpm_zfa_zba_/);
});

for (const compiler of ['off', 'on'] as const) {
  test(`constants, rounding and a wrapping conversion, compiler ${compiler}`, () => {
    const bench = createBench({ compiler, compileThreshold: 1 });
    const { cpu } = bench;
    const view = new DataView(cpu.ram.buffer, cpu.ram.byteOffset);
    const program = [
      0xf21a_80d3, // fli.d f1, 2.5, which is number 21
      0x4240_0153, // fround.d f2, f0, rne
      0x4250_11d3, // froundnx.d f3, f0, rtz
      0xc280_1553, // fcvtmod.w.d x10, f0
      0xf01f_8253, // fli.s f4, NaN
      0xa200_45d3, // fleq.d x11, f0, f0
      0xfe9f_f06f, // j -24
    ];
    program.forEach((word, index) => view.setUint32(index * 4, word, true));
    cpu.noteOutsideWrite(ramBase, program.length * 4);
    cpu.startHart(0, BigInt(ramBase), 'M');
    cpu.pokeCsr(0, 0x300, 0x6000n);
    const operand = new DataView(new ArrayBuffer(8));
    operand.setFloat64(0, 2 ** 32 + 7.5);
    cpu.writeF(0, 0, operand.getBigUint64(0));
    cpu.run(7 * 50);
    const number = (register: number): number => {
      const bits = new DataView(new ArrayBuffer(8));
      bits.setBigUint64(0, cpu.readF(0, register));
      return bits.getFloat64(0);
    };
    assert.equal(number(1), 2.5);
    assert.equal(number(2), 2 ** 32 + 8);
    assert.equal(number(3), 2 ** 32 + 7);
    assert.equal(cpu.readF(0, 4), 0xffff_ffff_7fc0_0000n);
    assert.equal(bench.x('a0'), 7n);
    assert.equal(bench.x('a1'), 1n);
    // Inexact from froundnx, invalid from a value that does not fit.
    assert.equal(cpu.peekCsr(0, 0x001), 0x11n);
  });
}
