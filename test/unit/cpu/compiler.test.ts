// Compiled and interpreted code are one machine: equal states, events and steps at every stop, whatever the program does.
import assert from 'node:assert';
import { test } from 'node:test';
import type { RunExit } from '../../../emulator/cpu/contract';
import { instructions } from '../../../emulator/cpu/instructions';
import { parseEncoding } from '../../../emulator/cpu/instructions/format';
import { allowEngineFeatures } from '../../../extension/worker/engine-features';
import { dataBase, programBase, randomProgram } from './compiler-programs';
import { type Bench, type BenchOptions, createBench, ramBase } from './harness';
import { type Random, randomFrom } from './random';

allowEngineFeatures();

/** Everything that can be seen of a processor. */
function visible(bench: Bench): Record<string, unknown> {
  const { cpu, log, before, after, traps } = bench;
  return {
    steps: cpu.steps,
    turn: cpu.turn,
    saved: cpu.save(),
    csrs: Array.from({ length: cpu.harts }, (_, hart) => cpu.csrs.map(({ number }) => cpu.peekCsr(hart, number))),
    dirty: cpu.pageFlags.map((flags) => flags & 4),
    counts: [log.length, before.length, after.length, traps.length],
    last: [log.at(-1), before.at(-1), after.at(-1), traps.at(-1)],
  };
}

interface Pair {
  readonly interpreted: Bench;
  readonly compiled: Bench;
  both(action: (bench: Bench) => void): void;
  /** Runs both to a step and compares. */
  run(limit: number): RunExit;
  compareRam(): void;
}

function createPair(options: BenchOptions, threshold: number, name: string): Pair {
  const interpreted = createBench({ ...options, compiler: 'off' });
  const compiled = createBench({ ...options, compiler: 'on', compileThreshold: threshold });
  return {
    interpreted,
    compiled,
    both: (action) => {
      action(interpreted);
      action(compiled);
    },
    run: (limit) => {
      const exits = [interpreted, compiled].map((bench) => bench.cpu.run(limit));
      assert.deepStrictEqual(exits[1], exits[0], `${name}: how the run ended, limit ${limit}`);
      assert.deepStrictEqual(visible(compiled), visible(interpreted), `${name}: state after limit ${limit}`);
      return exits[0] ?? { kind: 'limit' };
    },
    compareRam: () => assert.ok(Buffer.from(compiled.cpu.ram).equals(interpreted.cpu.ram), `${name}: RAM`),
  };
}

function runRandomProgram(seed: number): void {
  const random = randomFrom(seed);
  const program = randomProgram(seed);
  const harts = random.below(4) === 0 ? 2 : 1;
  const turnSteps = 1 + random.below(400);
  const pair = createPair({ harts, turnSteps, ramBytes: 0x8_0000 }, 1 + random.below(6), `program ${seed}`);
  pair.both((bench) => {
    bench.answers.load = (address) => BigInt(address + bench.log.length);
    bench.answers.store = () => (bench.log.length % 5 === 0 ? 'fault' : 'done');
    const { base } = bench.load(program.lines, programBase);
    for (let hart = 0; hart < harts; hart++) bench.cpu.startHart(hart, base, 'M');
    bench.cpu.watch((dataBase - ramBase) / 4096 + 2, seed % 4);
    bench.cpu.reportTraps(seed % 2 === 0);
  });
  let limit = 0;
  for (let part = 0; part < 12; part++) {
    limit += 1 + random.below(random.pick([3, 50, 4000]));
    disturb(pair, random, harts);
    for (let stops = 0; stops < 50; stops++) {
      const exit = pair.run(limit);
      if (exit.kind === 'limit' || exit.kind === 'idle') break;
      if (exit.kind === 'breakpoint') pair.both((bench) => bench.cpu.passBreakpointOnce());
    }
  }
  pair.compareRam();
}

/** What the world around the processor does between two runs. */
function disturb(pair: Pair, random: Random, harts: number): void {
  const hart = random.below(harts);
  switch (random.below(7)) {
    case 0:
    case 1: {
      const level = random.below(2) === 0;
      return pair.both((bench) => bench.cpu.setInterrupt(hart, 'MTIP', level));
    }
    case 2: {
      const offset = BigInt(programBase + 2 * random.below(0x1800));
      return pair.both((bench) => bench.cpu.setBreakpoints([offset, offset + 0x40n]));
    }
    case 3:
      return pair.both((bench) => bench.cpu.setBreakpoints([]));
    case 4:
      return pair.both((bench) => bench.cpu.clearDirty());
    case 5: {
      const at = random.below(0x3000);
      return pair.both((bench) => bench.cpu.noteOutsideWrite(ramBase + at, 64));
    }
    default:
      return pair.both((bench) => void bench.cpu.stepHart(hart));
  }
}

const programs = Number(process.env['PROGRAMS'] ?? 60);
const firstSeed = Number(process.env['SEED'] ?? 1);

test(`${programs} random programs from seed ${firstSeed} run alike in both tiers`, () => {
  for (let seed = firstSeed; seed < firstSeed + programs; seed++) runRandomProgram(seed);
});

test('a hot instruction across two pages follows what becomes of its second half', () => {
  const pair = createPair({ ramBytes: 0x1_0000 }, 2, 'straddling');
  // addi a0, a0, 1 at 0x8000_0ffe; its second half is 0x0015 and lies in the next page.
  const lines = [
    ['li', 's0', 300],
    ['la', 't0', 'last'],
    ['j', 'loop'],
    ['.space', 0xffe - 16],
    'loop:',
    ['.word', 0x0015_0513],
    'last:',
    ['addi', 's0', 's0', -1],
    ['li', 't1', 100],
    ['bne', 's0', 't1', 'same'],
    // From here on it is addi a0, a0, 2.
    ['li', 't1', 0x25],
    ['sh', 't1', -2, 't0'],
    'same:',
    ['bnez', 's0', 'loop'],
    ['wfi'],
  ] as const;
  pair.both((bench) => {
    const { base, labels } = bench.load(lines);
    assert.equal(labels['loop'], base + 0xffen);
    bench.cpu.startHart(0, base, 'M');
  });
  for (const limit of [200, 900, 5000]) pair.run(limit);
  assert.equal(pair.compiled.x('a0'), 200n + 2n * 100n);
});

test('LR and SC in a hot loop: success, failure for lack of a reservation, and another address', () => {
  const pair = createPair({ ramBytes: 0x1_0000 }, 2, 'reservations');
  pair.both((bench) => {
    const { base } = bench.load([
      ['li', 's0', 400],
      ['li', 't0', ramBase + 0x8000],
      ['li', 't1', ramBase + 0x8040],
      'again:',
      ['lr.d', 'a1', 't0', 'aq'],
      ['addi', 'a1', 'a1', 3],
      ['sc.d', 'a2', 'a1', 't0', 'rl'],
      ['sc.d', 'a3', 'a1', 't0'],
      ['lr.w', 'a4', 't0'],
      ['sc.w', 'a5', 'a1', 't1'],
      ['add', 's1', 's1', 'a2'],
      ['add', 's2', 's2', 'a3'],
      ['add', 's3', 's3', 'a5'],
      ['addi', 's0', 's0', -1],
      ['bnez', 's0', 'again'],
      ['wfi'],
    ]);
    bench.cpu.startHart(0, base, 'M');
  });
  for (const limit of [1000, 1003, 8000]) pair.run(limit);
  pair.compareRam();
  const x = (name: string): bigint => pair.compiled.x(name);
  assert.deepEqual([x('a1'), x('s1'), x('s2'), x('s3')], [1200n, 0n, 400n, 400n]);
});

test('random bytes run alike in both tiers', () => {
  for (let round = 0; round < 40; round++) {
    const random = randomFrom(firstSeed * 1000 + round);
    const size = 0x1_0000;
    const pair = createPair({ ramBytes: size, harts: 1 + (round % 2), turnSteps: 64 }, 1, `bytes ${round}`);
    const bytes = new DataView(new ArrayBuffer(size));
    for (let at = 0; at < size; at += 4) {
      const row = instructions[random.below(instructions.length)];
      if (row === undefined || random.below(5) === 0) bytes.setUint32(at, random.word(), true);
      else {
        const { mask, match } = parseEncoding(row.encoding);
        bytes.setUint32(at, (match | (random.word() & ~mask)) >>> 0, true);
      }
    }
    const registers = Array.from({ length: 32 }, () => BigInt(ramBase + random.below(size)));
    pair.both(({ cpu, answers }) => {
      answers.load = (address) => BigInt(address);
      answers.store = () => 'done';
      cpu.ram.set(new Uint8Array(bytes.buffer));
      for (let hart = 0; hart < cpu.harts; hart++) {
        cpu.startHart(hart, registers[hart + 1] ?? 0n, 'M');
        cpu.pokeCsr(hart, 0x305, (registers[3] ?? 0n) & ~3n);
        cpu.pokeCsr(hart, 0x300, 0x6000n);
        registers.forEach((value, register) => cpu.writeX(hart, register, value));
      }
    });
    for (let limit = 700; limit <= 3500; limit += 700) if (pair.run(limit).kind === 'idle') break;
    pair.compareRam();
  }
});
