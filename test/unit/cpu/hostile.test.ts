// Any bytes as code and as page tables: both tiers end in the same state, no access leaves RAM, and every run obeys its step limit.
import assert from 'node:assert';
import { test } from 'node:test';
import { createBench, ramBase } from './harness';
import { randomFrom } from './random';

const ramBytes = 0x4_0000;
const seeds = Number(process.env['FUZZ_RUNS'] ?? 12);
const csr = {
  satp: 0x180,
  menvcfg: 0x30a,
  medeleg: 0x302,
  mtvec: 0x305,
  stvec: 0x105,
  pmpcfg0: 0x3a0,
  pmpaddr0: 0x3b0,
};

type Random = ReturnType<typeof randomFrom>;

/** Words of which many are instructions, and many table entries that point into RAM. */
function randomWord(random: Random): bigint {
  switch (random.below(4)) {
    case 0:
      return random.bits();
    case 1: {
      const page = BigInt(ramBase / 4096 + random.below(ramBytes / 4096));
      return (page << 10n) | (random.bits() & 0xffn) | (random.below(8) === 0 ? random.bits() & (0x7ffn << 53n) : 0n);
    }
    case 2:
      return (BigInt(random.word() | 3) << 32n) | BigInt((random.word() | 3) >>> 0);
    default:
      return BigInt(ramBase + random.below(ramBytes));
  }
}

function runBoth(seed: number, mode: 'M' | 'S' | 'U'): void {
  const benches = [createBench({ ramBytes }), createBench({ ramBytes, compiler: 'on', compileThreshold: 2 })];
  const ends = benches.map(({ cpu, log }) => {
    const random = randomFrom(seed);
    const view = new DataView(cpu.ram.buffer, cpu.ram.byteOffset, ramBytes);
    for (let at = 0; at < ramBytes; at += 8) view.setBigUint64(at, BigInt.asUintN(64, randomWord(random)), true);
    cpu.noteOutsideWrite(ramBase, ramBytes);
    cpu.startHart(0, BigInt(ramBase + random.below(ramBytes)), 'M');
    for (const number of [csr.mtvec, csr.stvec]) cpu.pokeCsr(0, number, BigInt(ramBase + random.below(ramBytes) * 4));
    cpu.pokeCsr(0, csr.menvcfg, random.bits());
    cpu.pokeCsr(0, csr.medeleg, random.bits());
    cpu.pokeCsr(0, csr.pmpaddr0, (1n << 54n) - 1n);
    cpu.pokeCsr(0, csr.pmpcfg0, 0x1fn);
    if (mode !== 'M') {
      cpu.startHart(0, BigInt(ramBase + random.below(ramBytes)), mode);
      const scheme = BigInt(random.below(4));
      const root = BigInt(ramBase / 4096 + random.below(ramBytes / 4096));
      if (scheme > 0n) cpu.pokeCsr(0, csr.satp, ((7n + scheme) << 60n) | root);
    }
    for (let register = 1; register < 32; register++) cpu.writeX(0, register, randomWord(random));
    for (let slice = 0; slice < 6; slice++) {
      const before = cpu.steps;
      const exit = cpu.run(before + 500);
      assert.ok(cpu.steps - before <= 500);
      if (exit.kind === 'idle') break;
      cpu.translate(0, randomWord(random));
      // Another place to go on from, as most of such code ends in a loop of traps.
      cpu.writePc(0, BigInt(ramBase + random.below(ramBytes)));
    }
    const registers = Array.from({ length: 32 }, (_, register) => [cpu.readX(0, register), cpu.readF(0, register)]);
    const csrs = cpu.csrs.map(({ name, number }) => [name, cpu.peekCsr(0, number)]);
    return { steps: cpu.steps, pc: cpu.readPc(0), mode: cpu.mode(0), registers, csrs, ram: cpu.ram.slice(), log };
  });
  assert.deepEqual(ends[1], ends[0], `seed ${seed}`);
}

for (const mode of ['M', 'S', 'U'] as const) {
  test(`random code and tables in ${mode}-mode, ${seeds} runs in each tier`, () => {
    for (let seed = 1; seed <= seeds; seed++) runBoth(seed, mode);
  });
}
