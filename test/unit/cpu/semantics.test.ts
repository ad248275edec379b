// Every instruction that computes, moves or branches: generated code against the BigInt reference, on random and edge operands.
import assert from 'node:assert';
import { test } from 'node:test';
import { decode } from '../../../emulator/cpu/decoder';
import { compressedInstructions, instructions } from '../../../emulator/cpu/instructions';
import { parseEncoding } from '../../../emulator/cpu/instructions/format';
import { createBench, ramBase } from './harness';
import { randomFrom } from './random';
import { NotModelled, ReferenceMeaning, type ReferenceState } from './reference';

const codeAt = 0x1_8000;
const dataAt = 0x8000;
const mstatusNumber = 0x300;

const bench = createBench({ ramBytes: 0x2_0000 });
const { cpu } = bench;

/** Rows about the machine beyond registers and memory have tests of their own. */
function isModelled(name: string): boolean {
  return !/^(csr|cbo|sinval|lr\.|sc\.|[ms]ret|wfi|sfence|ecall|ebreak|c\.ebreak|f(n?m)?(add|sub|mul|div|sqrt|min|max|eq|lt|le|class|cvt|li\.|round))/.test(
    name,
  );
}

for (const row of [...instructions, ...compressedInstructions].filter(({ name }) => isModelled(name))) {
  test(row.name, () => {
    const random = randomFrom(row.name.length * 7919 + row.name.charCodeAt(0));
    const { mask, match, lengthBytes } = parseEncoding(row.encoding);
    let compared = 0;
    for (let round = 0; round < 60; round++) {
      const width = lengthBytes === 4 ? 0xffff_ffff : 0xffff;
      const word = ((match | (random.word() & ~mask)) & width) >>> 0;
      const decoded = decode(word);
      if (decoded === undefined || (decoded.compressed ?? decoded.row).name !== row.name) continue;
      compare(word, random);
      compared++;
    }
    assert.ok(compared > 10, `only ${compared} words of ${row.name} were compared`);
  });
}

function compare(word: number, random: ReturnType<typeof randomFrom>): void {
  const decoded = decode(word);
  assert.ok(decoded !== undefined);
  cpu.startHart(0, BigInt(ramBase + codeAt), 'M');
  cpu.pokeCsr(0, mstatusNumber, 0x6000n);
  for (let at = 0; at < 0x1000; at += 4)
    new DataView(cpu.ram.buffer, cpu.ram.byteOffset).setUint32(dataAt + at, random.word(), true);
  const code = new DataView(cpu.ram.buffer, cpu.ram.byteOffset);
  code.setUint32(codeAt, word, true);
  cpu.noteOutsideWrite(ramBase + codeAt, 4);
  const accesses = /\(rs1\)/.test(decoded.row.text);
  for (let register = 1; register < 32; register++) cpu.writeX(0, register, random.operand());
  for (let register = 0; register < 32; register++) {
    const box = random.below(4) === 0 ? 0n : 0xffff_ffff_0000_0000n;
    cpu.writeF(0, register, random.below(2) === 0 ? random.bits() : box | (random.bits() & 0xffff_ffffn));
  }
  if (accesses) {
    const immediate = BigInt(decoded.fields['imm'] ?? 0);
    const spread = decoded.row.text.endsWith(', (rs1)') ? random.below(64) * 8 : random.below(512);
    cpu.writeX(0, decoded.fields['rs1'] ?? 0, BigInt(ramBase + dataAt + 0x800 + spread) - immediate);
    if (decoded.fields['rs1'] === 0) return;
  }
  const ram = cpu.ram.slice();
  const state: ReferenceState = {
    x: Array.from({ length: 32 }, (_, register) => cpu.readX(0, register)),
    f: Array.from({ length: 32 }, (_, register) => cpu.readF(0, register)),
    pc: cpu.readPc(0),
    ram: new DataView(ram.buffer),
    ramBase: BigInt(ramBase),
  };
  try {
    new ReferenceMeaning(state, decoded).execute();
  } catch (error) {
    if (error instanceof NotModelled) assert.fail(`${decoded.row.name} is not modelled: ${error.message}`);
    throw error;
  }
  cpu.stepHart(0);
  const what = `${decoded.row.name} ${word.toString(16)} ${JSON.stringify(decoded.fields)}`;
  assert.equal(cpu.readPc(0), state.pc, `pc after ${what}`);
  for (let register = 0; register < 32; register++) {
    assert.equal(cpu.readX(0, register), state.x[register], `x${register} after ${what}`);
    assert.equal(cpu.readF(0, register), state.f[register], `f${register} after ${what}`);
  }
  assert.deepEqual(
    cpu.ram.subarray(dataAt, dataAt + 0x2000),
    ram.subarray(dataAt, dataAt + 0x2000),
    `RAM after ${what}`,
  );
}
