// Several harts: turns, reservations, fences and waiting.
import assert from 'node:assert';
import { test } from 'node:test';
import { orderClass, type OrderClass, pageFlag } from '../../../emulator/cpu/contract';
import { createBench, ramBase, runProgram } from './harness';

const data = ramBase + 0x3000;

test('harts take turns of equal length in order, and one that waits ends its turn', () => {
  const bench = createBench({ harts: 3, turnSteps: 10 });
  const spin = bench.load(['spin:', ['addi', 'a0', 'a0', 1], ['j', 'spin']]);
  const sleep = bench.load([['nop'], ['wfi'], ['j', ramBase + 0x100]], ramBase + 0x100);
  bench.cpu.startHart(0, spin.base, 'M');
  bench.cpu.startHart(1, sleep.base, 'M');
  bench.cpu.startHart(2, spin.base, 'M');
  const order: number[] = [];
  while (bench.cpu.steps < 42) {
    order.push(bench.cpu.turn);
    bench.cpu.run(bench.cpu.steps + 1);
  }
  const turn = (hart: number): number[] => Array.from({ length: 10 }, () => hart);
  assert.deepEqual(order, [...turn(0), 1, 1, ...turn(2), ...turn(0), ...turn(2)]);
  assert.equal(bench.cpu.hartState(1), 'waiting');
});

test('run is idle when all harts wait, and an interrupt that is only enabled in mie wakes one', () => {
  const bench = createBench({ harts: 2 });
  const program = bench.load([
    ['csrwi', 'mie', 8],
    ['wfi'],
    ['li', 'a0', 1],
    ['wfi'],
    ['li', 'a0', 2],
    'spin:',
    ['j', 'spin'],
  ]);
  bench.cpu.startHart(0, program.base, 'M');
  bench.cpu.startHart(1, program.base, 'M');
  assert.deepEqual(bench.cpu.run(1000), { kind: 'idle' });
  assert.equal(bench.cpu.steps, 4);
  bench.cpu.setInterrupt(1, 'MTIP', true);
  assert.deepEqual(bench.cpu.run(1000), { kind: 'idle' });
  bench.cpu.setInterrupt(1, 'MSIP', true);
  assert.deepEqual(bench.cpu.run(1000), { kind: 'limit' });
  // Pending already: the second wfi does not wait.
  assert.equal(bench.x('a0', 1), 2n);
  assert.equal(bench.x('a0', 0), 0n);
  assert.equal(bench.cpu.hartState(0), 'waiting');
});

test('stopped harts do not run', () => {
  const bench = createBench({ harts: 2 });
  assert.deepEqual(bench.cpu.run(10), { kind: 'idle' });
  const program = bench.load(['spin:', ['addi', 'a0', 'a0', 1], ['j', 'spin']]);
  bench.cpu.startHart(1, program.base, 'M');
  assert.deepEqual(bench.cpu.run(10), { kind: 'limit' });
  bench.cpu.stopHart(1);
  assert.deepEqual(bench.cpu.run(20), { kind: 'idle' });
  assert.equal(bench.cpu.hartState(0), 'stopped');
});

test('SC succeeds after LR, once, and fails after a store of another hart, an outside write or a trap', () => {
  const outcome = (between: (bench: ReturnType<typeof createBench>) => void, address = data): bigint => {
    const bench = createBench({ harts: 2 });
    const program = bench.load([
      ['li', 's0', data],
      ['li', 's1', address],
      ['la', 't0', 'handler'],
      ['csrw', 'mtvec', 't0'],
      ['lr.d', 'a0', 's0'],
      'between:',
      ['nop'],
      ['sc.d', 'a1', 's0', 's1'],
      ['wfi'],
      ['.align', 4],
      'handler:',
      ['csrr', 't1', 'mepc'],
      ['addi', 't1', 't1', 4],
      ['csrw', 'mepc', 't1'],
      ['mret'],
    ]);
    bench.load([['li', 's0', data + 8], ['sd', 's0', 0, 's0'], ['wfi']], ramBase + 0x200);
    bench.cpu.startHart(0, program.base, 'M');
    bench.cpu.setBreakpoints([program.labels['between'] ?? 0n]);
    assert.equal(bench.cpu.run(1000).kind, 'breakpoint');
    bench.cpu.setBreakpoints([]);
    between(bench);
    bench.cpu.run(1000);
    return bench.x('a1');
  };
  assert.equal(
    outcome(() => undefined),
    0n,
  );
  assert.equal(
    outcome(() => undefined, data + 56),
    0n,
    'same reservation set',
  );
  assert.equal(
    outcome(() => undefined, data + 64),
    1n,
    'another reservation set',
  );
  assert.equal(
    outcome((bench) => bench.cpu.noteOutsideWrite(data + 60, 8)),
    1n,
    'outside write to the set',
  );
  assert.equal(
    outcome((bench) => bench.cpu.noteOutsideWrite(data + 64, 8)),
    0n,
    'outside write next to the set',
  );
  assert.equal(
    outcome((bench) => {
      bench.cpu.startHart(1, BigInt(ramBase + 0x200), 'M');
      for (let i = 0; i < 4; i++) bench.cpu.stepHart(1);
    }),
    1n,
    'store of another hart',
  );
  assert.equal(
    outcome((bench) => {
      const at = bench.cpu.readPc(0);
      bench.load([['ecall']], Number(at));
    }),
    1n,
    'trap',
  );
});

test('SC without a reservation fails, does not access, and a second SC fails', () => {
  const bench = createBench();
  runProgram(bench, [
    ['li', 's0', data],
    ['li', 's1', 0x4000],
    ['sc.d', 'a0', 's0', 's1'],
    ['lr.w', 'a1', 's0'],
    ['sc.w', 'a2', 's0', 's0'],
    ['sc.w', 'a3', 's0', 's0'],
    ['wfi'],
  ]);
  assert.deepEqual([bench.x('a0'), bench.x('a2'), bench.x('a3')], [1n, 0n, 1n]);
});

test('a constrained LR/SC loop makes progress on every hart, whatever the length of a turn', () => {
  for (const turnSteps of [1, 2, 3, 4, 5, 7, 11]) {
    const bench = createBench({ harts: 4, turnSteps });
    const program = bench.load([
      ['li', 's0', data],
      ['li', 's1', 100],
      'loop:',
      ['lr.w', 'a0', 's0'],
      ['addi', 'a0', 'a0', 1],
      ['nop'],
      ['sc.w', 'a1', 'a0', 's0'],
      ['bnez', 'a1', 'loop'],
      ['addi', 's1', 's1', -1],
      ['bnez', 's1', 'loop'],
      ['wfi'],
    ]);
    for (let hart = 0; hart < 4; hart++) bench.cpu.startHart(hart, program.base, 'M');
    assert.deepEqual(bench.cpu.run(100_000), { kind: 'idle' }, `turns of ${turnSteps}`);
    assert.equal(new DataView(bench.cpu.ram.buffer, bench.cpu.ram.byteOffset).getUint32(0x3000, true), 400);
  }
});

test('a hart that only loads with LR does not keep the others from running', () => {
  const bench = createBench({ harts: 2, turnSteps: 5 });
  const spin = bench.load([['li', 's0', data], 'spin:', ['lr.w', 'a0', 's0'], ['beqz', 'a0', 'spin'], ['wfi']]);
  const release = bench.load([['li', 's0', data], ['li', 'a0', 1], ['sw', 'a0', 0, 's0'], ['wfi']], ramBase + 0x100);
  bench.cpu.startHart(0, spin.base, 'M');
  bench.cpu.startHart(1, release.base, 'M');
  assert.deepEqual(bench.cpu.run(10_000), { kind: 'idle' });
});

test('fences record their step for each ordered pair of classes', () => {
  const bench = createBench();
  const program = bench.load([
    ['fence', 'iorw', 'iorw'],
    ['fence', 'w', 'o'],
    ['fence', 'r', 'rw'],
    ['.word', 0x8330_000f],
    ['fence.i', 0, 'zero', 'zero'].slice(0, 1) as ['fence.i'],
    ['wfi'],
  ]);
  const { cpu } = bench;
  cpu.startHart(0, program.base, 'M');
  const at = (pred: OrderClass, succ: OrderClass): number =>
    cpu.fenceEpochs(0).fence[orderClass[pred]]?.[orderClass[succ]] ?? NaN;
  const classes = Object.keys(orderClass) as OrderClass[];
  assert.ok(classes.every((pred) => classes.every((succ) => at(pred, succ) === -1)));
  cpu.run(1);
  assert.ok(classes.every((pred) => classes.every((succ) => at(pred, succ) === 0)));
  cpu.run(2);
  for (const pred of classes) {
    for (const succ of classes) assert.equal(at(pred, succ), pred === 'write' && succ === 'output' ? 1 : 0);
  }
  cpu.run(3);
  assert.deepEqual([at('read', 'read'), at('read', 'write'), at('write', 'write'), at('read', 'input')], [2, 2, 0, 0]);
  cpu.run(4);
  assert.deepEqual([at('read', 'read'), at('read', 'write'), at('write', 'write'), at('write', 'read')], [3, 3, 3, 0]);
  cpu.run(5);
  assert.equal(at('write', 'write'), 3);
});

test('acquire and release record the step of AMO, LR and SC, in fast and slow accesses', () => {
  const bench = createBench();
  const program = bench.load([
    ['li', 's0', data],
    ['lw', 't0', 0, 's0'],
    ['amoadd.w', 'a0', 'a0', 's0', 'aq'],
    ['amoadd.w', 'a0', 'a0', 's0', 'rl'],
    ['amoadd.w', 'a0', 'a0', 's0', 'aqrl'],
    ['amoadd.w', 'a0', 'a0', 's0'],
    ['lr.w', 'a0', 's0', 'aq'],
    ['sc.w', 'a0', 'a0', 's0', 'rl'],
    ['wfi'],
  ]);
  bench.cpu.startHart(0, program.base, 'M');
  const first = (program.bytes.length - 8 * 4) / 4;
  const epochs = (steps: number): number[] => {
    bench.cpu.run(steps);
    const { acquire, release } = bench.cpu.fenceEpochs(0);
    return [acquire, release].map((step) => (step < 0 ? step : step - first));
  };
  assert.deepEqual(epochs(first), [-1, -1]);
  assert.deepEqual(epochs(first + 2), [1, -1]);
  assert.deepEqual(epochs(first + 3), [1, 2]);
  assert.deepEqual(epochs(first + 4), [3, 3]);
  assert.deepEqual(epochs(first + 5), [3, 3]);
  assert.deepEqual(epochs(first + 6), [5, 3]);
  assert.deepEqual(epochs(first + 7), [5, 6]);
});

test('what was saved comes back: the run goes on as it would have', () => {
  const bench = createBench({ harts: 2, turnSteps: 7 });
  const program = bench.load([
    ['li', 's0', data],
    'loop:',
    ['amoadd.d', 'a0', 's0', 's0'],
    ['lr.d', 'a1', 's0'],
    ['addi', 'a1', 'a1', 3],
    ['sc.d', 'a2', 'a1', 's0'],
    ['add', 'a3', 'a3', 'a2'],
    ['j', 'loop'],
  ]);
  const { cpu } = bench;
  cpu.startHart(0, program.base, 'M');
  cpu.startHart(1, program.base, 'M');
  cpu.run(1003);
  const saved = cpu.save();
  const ram = cpu.ram.slice();
  cpu.run(2000);
  const end = [cpu.save(), cpu.ram.slice()];
  cpu.ram.set(ram);
  cpu.noteOutsideWrite(cpu.ramBase, ram.length);
  cpu.restore(saved);
  assert.equal(cpu.steps, 1003);
  assert.deepEqual(cpu.save(), saved);
  cpu.run(2000);
  assert.deepEqual([cpu.save(), cpu.ram.slice()], end);
  assert.throws(() => createBench({ harts: 1 }).cpu.restore(saved), /1 harts/);
  assert.throws(() => cpu.restore({}), /no saved processor/);
});

test('going back keeps decoded and compiled code, except what was made from bytes that changed', () => {
  const bench = createBench({ compileThreshold: 1 });
  const { cpu } = bench;
  const program = bench.load(['loop:', ['addi', 'a0', 'a0', 1], ['j', 'loop']]);
  cpu.startHart(0, program.base, 'M');
  cpu.run(1000);
  const saved = cpu.save();
  cpu.run(2000);
  cpu.restore(saved);
  assert.notEqual((cpu.pageFlags[0] ?? 0) & pageFlag.code, 0, 'the page still has its code');
  assert.equal(bench.x('a0'), 500n);
  cpu.run(2000);
  assert.equal(bench.x('a0'), 1000n);
  bench.load([['addi', 'a0', 'a0', 2]]);
  cpu.restore(saved);
  cpu.run(2000);
  assert.equal(bench.x('a0'), 1500n);
});
