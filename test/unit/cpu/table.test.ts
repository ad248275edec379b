// The instruction table: encodings are disjoint, decoding and encoding agree, every row has a text.
import assert from 'node:assert';
import { test } from 'node:test';
import { decode, encodable, instructionNames } from '../../../emulator/cpu/decoder';
import { disassemble } from '../../../emulator/cpu/disassembler';
import { compressedInstructions, instructions } from '../../../emulator/cpu/instructions';
import { parseEncoding } from '../../../emulator/cpu/instructions/format';
import { randomFrom } from './random';

test('no two 32-bit encodings overlap', () => {
  const encodings = instructions.map((row) => ({ name: row.name, ...parseEncoding(row.encoding) }));
  for (const [position, a] of encodings.entries()) {
    for (const b of encodings.slice(position + 1)) {
      const common = a.mask & b.mask;
      assert.notEqual((a.match & common) >>> 0, (b.match & common) >>> 0, `${a.name} and ${b.name} share a word`);
    }
  }
});

test('each of the 65536 halfwords is at most one compressed instruction', () => {
  const encodings = compressedInstructions.map((row) => ({ row, ...parseEncoding(row.encoding) }));
  for (let word = 0; word < 0x10000; word++) {
    if ((word & 3) === 3) continue;
    const decoded = decode(word);
    const matching = encodings.filter(({ mask, match }) => (word & mask) >>> 0 === match);
    if (decoded === undefined) continue;
    assert.equal(decoded.lengthBytes, 2);
    const others = matching.filter(({ row }) => row !== decoded.compressed);
    for (const { row } of others) {
      assert.ok(
        row.except !== undefined || decoded.compressed?.except !== undefined,
        `${word.toString(16)}: ${row.name}`,
      );
    }
  }
});

test('the all-zero and all-one halfwords are illegal', () => {
  assert.equal(decode(0), undefined);
  assert.equal(decode(0xffff_ffff), undefined);
});

test('encoding what was decoded gives the word back, for every row and random fields', () => {
  const random = randomFrom(11);
  for (const name of instructionNames) {
    const instruction = encodable(name);
    assert.ok(instruction !== undefined);
    const encoding = parseEncoding(
      [...instructions, ...compressedInstructions].find((row) => row.name === name)?.encoding ?? '',
    );
    for (let round = 0; round < 40; round++) {
      const width = encoding.lengthBytes === 4 ? 0xffff_ffff : 0xffff;
      const word = ((encoding.match | (random.word() & ~encoding.mask)) & width) >>> 0;
      const decoded = decode(word);
      if (decoded === undefined || (decoded.compressed ?? decoded.row).name !== name) {
        assert.equal(encoding.lengthBytes, 2, `${name} does not decode ${word.toString(16)}`);
        continue;
      }
      if (decoded.compressed !== undefined) continue;
      // fence.i and fence ignore their reserved fields, which no operand states.
      assert.equal(instruction.encode(decoded.fields), word, name);
    }
  }
});

test('a compressed instruction means what its expansion means', () => {
  for (const [word, text] of [
    [0x1141, 'addi sp, sp, -16'],
    [0x8082, 'ret'],
    [0x0001, 'nop'],
    [0x4501, 'li a0, 0'],
    [0x852e, 'mv a0, a1'],
    [0x9002, 'ebreak'],
    [0x6105, 'addi sp, sp, 32'],
    [0x6515, 'lui a0, 0x5'],
    [0xe406, 'sd ra, 8(sp)'],
    [0x60a2, 'ld ra, 8(sp)'],
    [0x0808, 'addi a0, sp, 16'],
  ] as const) {
    assert.equal(disassemble(word, 0n).text, text, word.toString(16));
  }
});

test('every row disassembles to its own name or an idiom, and operands are all filled in', () => {
  const random = randomFrom(5);
  for (const row of instructions) {
    const { mask, match } = parseEncoding(row.encoding);
    for (let round = 0; round < 20; round++) {
      const word = (match | (random.word() & ~mask)) >>> 0;
      const { text, lengthBytes } = disassemble(word, 0x8000_0000n);
      assert.equal(lengthBytes, 4);
      assert.doesNotMatch(text, /undefined|NaN|\brd\b|\brs1\b|\bimm\b|, $/, row.name);
      assert.match(text, /^[a-z]/, row.name);
    }
  }
});

test('texts of 32-bit instructions', () => {
  for (const [word, text] of [
    [0x0000_0073, 'ecall'],
    [0x3020_0073, 'mret'],
    [0x1050_0073, 'wfi'],
    [0x0ff0_000f, 'fence'],
    [0x8330_000f, 'fence.tso'],
    [0x0310_000f, 'fence rw, w'],
    [0x3005_1073, 'csrw mstatus, a0'],
    [0x0000_0517, 'auipc a0, 0x0'],
    [0x00c5_a52f, 'amoadd.w a0, a2, (a1)'],
    [0x06c5_a52f, 'amoadd.w.aqrl a0, a2, (a1)'],
    [0x02c5_f553, 'fadd.d fa0, fa1, fa2'],
    [0xc205_9553, 'fcvt.w.d a0, fa1, rtz'],
    [0x0005_8563, 'beqz a1, 0x8000000a'],
    [0xfe05_0ae3, 'beqz a0, 0x7ffffff4'],
  ] as const) {
    assert.equal(disassemble(word, 0x8000_0000n).text, text, word.toString(16));
  }
});
