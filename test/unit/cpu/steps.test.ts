// Steps, retirement, limits, stops, breakpoints and single steps.
import assert from 'node:assert';
import { test } from 'node:test';
import { createCpu } from '../../../emulator/cpu';
import { createBench, ramBase, runProgram } from './harness';

const countdown = [['li', 'a0', 5], 'loop:', ['addi', 'a0', 'a0', -1], ['bnez', 'a0', 'loop'], ['wfi']] as const;
const minstret = 0xb02;
const mcycle = 0xb00;

test('a step is an instruction attempted, and run stops at its limit exactly', () => {
  for (let limit = 0; limit <= 12; limit++) {
    const bench = createBench();
    const program = bench.load(countdown);
    bench.cpu.startHart(0, program.base, 'M');
    assert.deepEqual(bench.cpu.run(limit), { kind: 'limit' });
    assert.equal(bench.cpu.steps, limit);
    assert.equal(bench.cpu.retired(0), limit);
  }
  const bench = createBench();
  runProgram(bench, countdown);
  assert.equal(bench.cpu.steps, 12);
  assert.equal(bench.cpu.hartState(0), 'waiting');
  assert.deepEqual(bench.cpu.run(1000), { kind: 'idle' });
});

test('a trapping instruction is a step but does not retire', () => {
  const bench = createBench();
  runProgram(bench, [
    ['la', 't0', 'handler'],
    ['csrw', 'mtvec', 't0'],
    ['.word', 0],
    ['.align', 4],
    'handler:',
    ['wfi'],
  ]);
  assert.equal(bench.cpu.steps, 5);
  assert.equal(bench.cpu.retired(0), 4);
  assert.equal(bench.cpu.peekCsr(0, 0x342), 2n);
});

test('a fetch that faults is a step', () => {
  const bench = createBench();
  const program = bench.load([
    ['la', 't0', 'handler'],
    ['csrw', 'mtvec', 't0'],
    ['jr', 'zero'],
    ['.align', 4],
    'handler:',
    ['wfi'],
  ]);
  bench.cpu.startHart(0, program.base, 'M');
  bench.cpu.run(4);
  assert.equal(bench.cpu.readPc(0), 0n);
  bench.cpu.run(5);
  assert.equal(bench.cpu.steps, 5);
  assert.equal(bench.cpu.readPc(0), program.labels['handler']);
  assert.equal(bench.cpu.peekCsr(0, 0x342), 1n);
  assert.equal(bench.cpu.retired(0), 4);
});

test('minstret and mcycle count, can be written and stopped', () => {
  const bench = createBench();
  runProgram(bench, [
    ['csrr', 'a0', 'minstret'],
    ['csrr', 'a1', 'mcycle'],
    ['csrw', 'minstret', 'zero'],
    ['csrr', 'a2', 'minstret'],
    ['nop'],
    ['csrr', 'a3', 'instret'],
    ['li', 't0', 4],
    ['csrw', 'mcountinhibit', 't0'],
    ['csrr', 'a4', 'minstret'],
    ['nop'],
    ['csrr', 'a5', 'minstret'],
    ['csrw', 'mcountinhibit', 'zero'],
    ['csrr', 'a6', 'minstret'],
    ['wfi'],
  ]);
  assert.equal(bench.x('a0'), 0n);
  assert.equal(bench.x('a1'), 1n);
  assert.equal(bench.x('a2'), 0n);
  assert.equal(bench.x('a3'), 2n);
  assert.equal(bench.x('a5'), bench.x('a4'));
  assert.equal(bench.x('a6'), bench.x('a5') + 1n);
  assert.equal(bench.cpu.peekCsr(0, mcycle), 14n);
  assert.equal(bench.cpu.pokeCsr(0, minstret, 100n), true);
});

test('however a run is cut into pieces, it ends in the same state', () => {
  const lines = [
    ['li', 's0', ramBase + 0x2000],
    ['li', 's1', 300],
    'loop:',
    ['sd', 's1', 0, 's0'],
    ['ld', 'a0', 0, 's0'],
    ['mul', 'a1', 'a0', 's1'],
    ['amoadd.d', 'a2', 'a1', 's0'],
    ['csrrw', 'a3', 'mscratch', 'a1'],
    ['addi', 's1', 's1', -1],
    ['bnez', 's1', 'loop'],
    'spin:',
    ['j', 'spin'],
  ] as const;
  const finish = (pieces: (step: number) => number, harts: number): unknown => {
    const bench = createBench({ harts });
    const program = bench.load(lines);
    for (let hart = 0; hart < harts; hart++) bench.cpu.startHart(hart, program.base, 'M');
    const { cpu } = bench;
    while (cpu.steps < 5000) cpu.run(Math.min(5000, pieces(cpu.steps)));
    return [cpu.save(), Buffer.from(cpu.ram).toString('base64').slice(0, 20000)];
  };
  for (const harts of [1, 3]) {
    const whole = finish(() => 5000, harts);
    assert.deepEqual(
      finish((step) => step + 1, harts),
      whole,
      'one step at a time',
    );
    assert.deepEqual(
      finish((step) => step + 7 + (step % 13), harts),
      whole,
      'odd pieces',
    );
  }
});

test('breakpoints stop before the instruction, may be passed once, and stepHart ignores them', () => {
  const bench = createBench();
  const program = bench.load(countdown);
  const { cpu } = bench;
  cpu.startHart(0, program.base, 'M');
  const loop = program.labels['loop'] ?? 0n;
  cpu.setBreakpoints([loop]);
  const stopped = { kind: 'breakpoint', hart: 0, pc: loop };
  assert.deepEqual(cpu.run(1000), stopped);
  assert.equal(cpu.steps, 1);
  assert.deepEqual(cpu.run(1000), stopped);
  assert.equal(cpu.steps, 1);
  cpu.passBreakpointOnce();
  assert.deepEqual(cpu.run(1000), stopped);
  assert.equal(cpu.steps, 3);
  assert.deepEqual(cpu.stepHart(0), { kind: 'limit' });
  assert.equal(cpu.readPc(0), loop + 4n);
  cpu.setBreakpoints([]);
  assert.deepEqual(cpu.run(1000), { kind: 'idle' });
  assert.equal(cpu.steps, 12);
});

test('a breakpoint on another page with the same offset does not stop', () => {
  const bench = createBench();
  const program = bench.load(countdown);
  bench.cpu.startHart(0, program.base, 'M');
  bench.cpu.setBreakpoints([(program.labels['loop'] ?? 0n) + 0x1000n]);
  assert.deepEqual(bench.cpu.run(1000), { kind: 'idle' });
  assert.equal(bench.cpu.steps, 12);
});

test('a breakpoint on an instruction across two pages', () => {
  const bench = createBench();
  const at = ramBase + 0xffa;
  const program = bench.load([['addi', 'a0', 'a0', 1], 'across:', ['addi', 'a0', 'a0', 2], ['wfi']], at);
  bench.cpu.startHart(0, program.base, 'M');
  const across = program.labels['across'] ?? 0n;
  assert.equal(across, BigInt(ramBase + 0xffe));
  bench.cpu.setBreakpoints([across]);
  assert.deepEqual(bench.cpu.run(1000), { kind: 'breakpoint', hart: 0, pc: across });
  assert.equal(bench.x('a0'), 1n);
  bench.cpu.passBreakpointOnce();
  assert.deepEqual(bench.cpu.run(1000), { kind: 'idle' });
  assert.equal(bench.x('a0'), 3n);
  assert.equal(bench.cpu.steps, 3);
});

test('code outside RAM is fetched through the environment, breakpoints included', () => {
  const bench = createBench();
  const rom = bench.load(
    [
      ['li', 'a0', 3],
      ['c.addi', 'a0', 1],
      ['li', 't0', ramBase + 0x100],
      ['jr', 't0'],
    ],
    ramBase,
  );
  const image = new DataView(rom.bytes.buffer);
  bench.answers.fetch = (address) =>
    address >= 0x1000 && address + 2 <= 0x1000 + rom.bytes.length ? image.getUint16(address - 0x1000, true) : -1;
  bench.load([['wfi']], ramBase + 0x100);
  bench.cpu.startHart(0, 0x1000n, 'M');
  bench.cpu.setBreakpoints([0x1004n]);
  assert.deepEqual(bench.cpu.run(1000), { kind: 'breakpoint', hart: 0, pc: 0x1004n });
  bench.cpu.passBreakpointOnce();
  assert.deepEqual(bench.cpu.run(1000), { kind: 'idle' });
  assert.equal(bench.x('a0'), 4n);
});

for (const [compiler, bound] of [
  ['off', 10_000],
  ['on', 100_000],
] as const) {
  test(`the stop word ends a run within ${bound} steps, compiler ${compiler}`, () => {
    const stopWord = new Int32Array(new SharedArrayBuffer(4));
    const bench = createBench({ ramBytes: 0x1000, stopWord, compiler, compileThreshold: 1 });
    let setAt = NaN;
    bench.answers.store = () => {
      Atomics.store(stopWord, 0, 1);
      setAt = bench.cpu.steps;
      return 'done';
    };
    const { base } = bench.load([
      ['li', 't0', 0x1000_0000],
      ['li', 't1', 25_000],
      'wait:',
      ['addi', 't1', 't1', -1],
      ['bnez', 't1', 'wait'],
      ['sw', 'zero', 0, 't0'],
      'spin:',
      ['j', 'spin'],
    ]);
    bench.cpu.startHart(0, base, 'M');
    assert.deepEqual(bench.cpu.run(1e9), { kind: 'stop' });
    assert.ok(bench.cpu.steps - setAt <= bound, `${bench.cpu.steps - setAt} steps later`);
    assert.deepEqual(bench.cpu.run(1e9), { kind: 'stop' }, 'it stays while the word is set');
    Atomics.store(stopWord, 0, 0);
    assert.deepEqual(bench.cpu.run(1_000_000), { kind: 'limit' });
  });
}

test('requestStop and limitTo from a device end the run at the next boundary and at the step', () => {
  const lines = [
    ['li', 't0', 0x1000_0000],
    ['sw', 'zero', 0, 't0'],
    ['nop'],
    ['nop'],
    ['nop'],
    ['nop'],
    ['wfi'],
  ] as const;
  const stopping = createBench();
  stopping.answers.store = () => {
    stopping.cpu.requestStop();
    return 'done';
  };
  const program = stopping.load(lines);
  stopping.cpu.startHart(0, program.base, 'M');
  assert.deepEqual(stopping.cpu.run(1000), { kind: 'stop' });
  assert.equal(stopping.cpu.steps, 2);
  assert.deepEqual(stopping.cpu.run(1000), { kind: 'idle' });

  const limiting = createBench();
  limiting.answers.store = () => {
    limiting.cpu.limitTo(limiting.cpu.steps + 3);
    return 'done';
  };
  limiting.load(lines);
  limiting.cpu.startHart(0, program.base, 'M');
  assert.deepEqual(limiting.cpu.run(1000), { kind: 'limit' });
  assert.equal(limiting.cpu.steps, 4);
});

test('a handler that cannot be fetched is reported once, with the first trap', () => {
  const bench = createBench();
  const program = bench.load([['nop'], ['ecall']]);
  bench.cpu.startHart(0, program.base, 'M');
  assert.deepEqual(bench.cpu.run(1000), { kind: 'lost', hart: 0, pc: program.base + 4n, cause: 11, tval: 0n });
  assert.equal(bench.cpu.steps, 2);
  assert.equal(bench.cpu.readPc(0), 0n);
  assert.deepEqual(bench.cpu.run(1000), { kind: 'limit' });
  assert.equal(bench.cpu.steps, 1000);
});

test('a jump into nothing is reported as lost', () => {
  const bench = createBench();
  const program = bench.load([
    ['li', 't0', 0x4000_0000],
    ['jr', 't0'],
  ]);
  bench.cpu.startHart(0, program.base, 'M');
  assert.deepEqual(bench.cpu.run(1000), { kind: 'lost', hart: 0, pc: 0x4000_0000n, cause: 1, tval: 0x4000_0000n });
});

test('an exception of the environment reaches the caller and leaves the processor usable', () => {
  const bench = createBench();
  bench.answers.load = () => {
    throw new Error('device is broken');
  };
  const program = bench.load([['li', 't0', 0x1000_0000], ['lw', 'a0', 0, 't0'], ['wfi']]);
  bench.cpu.startHart(0, program.base, 'M');
  assert.throws(() => bench.cpu.run(1000), /device is broken/);
  bench.answers.load = () => 7n;
  assert.equal(bench.cpu.readPc(0), program.base + 4n);
  assert.deepEqual(bench.cpu.run(1000), { kind: 'idle' });
  assert.equal(bench.x('a0'), 7n);
});

test('options out of range are refused', () => {
  const environment = {} as never;
  for (const options of [
    { harts: 0, ramBase, ramBytes: 4096 },
    { harts: 9, ramBase, ramBytes: 4096 },
    { harts: 1, ramBase, ramBytes: 1000 },
    { harts: 1, ramBase: 5, ramBytes: 4096 },
  ]) {
    assert.throws(() => createCpu(options, environment), RangeError);
  }
});
