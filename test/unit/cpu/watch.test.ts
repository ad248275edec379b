// Watch pages, device accesses and dirty flags: who is told what, when, and what a refusal leaves behind.
import assert from 'node:assert';
import { test } from 'node:test';
import { pageFlag } from '../../../emulator/cpu/contract';
import type { Line } from '../../assembler';
import { createBench, ramBase, runProgram } from './harness';

const dataPage = 3;
const data = ramBase + dataPage * 0x1000;
const both = pageFlag.watchLoad | pageFlag.watchStore;

test('stores and loads of a watched page are reported before and after, with exact operands', () => {
  const bench = createBench();
  bench.cpu.watch(dataPage, both);
  const program = runProgram(bench, [
    ['li', 's0', data],
    ['li', 'a0', 0x1234_5678],
    'store:',
    ['sw', 'a0', 8, 's0'],
    'load:',
    ['lhu', 'a1', 8, 's0'],
    ['wfi'],
  ]);
  const store = {
    hart: 0,
    pc: program.labels['store'],
    virtualAddress: BigInt(data + 8),
    physicalAddress: data + 8,
    size: 4,
    kind: 'store',
    loads: false,
    value: 0x1234_5678n,
    before: 0n,
    acquire: false,
    release: false,
  };
  const first = bench.before[0]?.step ?? -1;
  const load = {
    ...store,
    pc: program.labels['load'],
    size: 2,
    kind: 'load',
    loads: true,
    value: 0x5678n,
    before: 0x5678n,
  };
  assert.deepEqual(bench.before, [
    { ...store, step: first },
    { ...load, step: first + 1 },
  ]);
  assert.deepEqual(bench.after, bench.before);
  assert.equal(bench.x('a1'), 0x5678n);
});

test('a refused store changes nothing, is not counted, and happens when it is let through', () => {
  const bench = createBench();
  bench.cpu.watch(dataPage, pageFlag.watchStore);
  bench.answers.watched = () => 'stop';
  const program = bench.load([
    ['li', 's0', data],
    ['li', 'a0', 7],
    'store:',
    ['sd', 'a0', 0, 's0'],
    ['ld', 'a1', 0, 's0'],
    ['wfi'],
  ]);
  bench.cpu.startHart(0, program.base, 'M');
  const pc = program.labels['store'];
  assert.deepEqual(bench.cpu.run(1000), { kind: 'refused', hart: 0, pc });
  const steps = bench.cpu.steps;
  assert.deepEqual(bench.cpu.run(1000), { kind: 'refused', hart: 0, pc });
  assert.equal(bench.cpu.steps, steps);
  assert.equal(bench.cpu.ram[dataPage * 0x1000], 0);
  assert.equal(bench.after.length, 0);
  bench.answers.watched = () => 'proceed';
  assert.deepEqual(bench.cpu.run(1000), { kind: 'idle' });
  assert.equal(bench.x('a1'), 7n);
  assert.equal(bench.cpu.retired(0), bench.cpu.steps);
});

test('only the watched direction is reported', () => {
  for (const [flags, kinds] of [
    [pageFlag.watchLoad, ['load']],
    [pageFlag.watchStore, ['store']],
    [0, []],
  ] as const) {
    const bench = createBench();
    bench.cpu.watch(dataPage, flags);
    runProgram(bench, [['li', 's0', data], ['sd', 's0', 0, 's0'], ['ld', 'a0', 0, 's0'], ['wfi']]);
    assert.deepEqual(
      bench.before.map((access) => access.kind),
      kinds,
    );
  }
});

test('a page is watched from the moment it is asked for, although it was in use', () => {
  const bench = createBench();
  const program = bench.load([
    ['li', 's0', data],
    'loop:',
    ['sd', 's0', 0, 's0'],
    ['ld', 'a0', 0, 's0'],
    ['j', 'loop'],
  ]);
  bench.cpu.startHart(0, program.base, 'M');
  bench.cpu.run(100);
  assert.equal(bench.before.length, 0);
  bench.cpu.watch(dataPage, both);
  bench.cpu.run(103);
  assert.equal(bench.before.length, 2);
  bench.cpu.watch(dataPage, 0);
  bench.cpu.run(200);
  assert.equal(bench.before.length, 2);
});

test('atomics are one access that loads and stores, with their ordering', () => {
  const bench = createBench();
  bench.cpu.watch(dataPage, pageFlag.watchStore);
  runProgram(bench, [
    ['li', 's0', data],
    ['li', 'a0', 5],
    ['amoadd.w', 'a1', 'a0', 's0', 'aqrl'],
    ['amoadd.w', 'a1', 'a0', 's0', 'rl'],
    ['lr.w', 'a2', 's0', 'aq'],
    ['sc.w', 'a3', 'a0', 's0', 'rl'],
    ['sc.w', 'a4', 'a0', 's0'],
    ['wfi'],
  ]);
  assert.deepEqual(
    bench.before.map(({ kind, loads, value, before, acquire, release }) => ({
      kind,
      loads,
      value,
      before,
      acquire,
      release,
    })),
    [
      { kind: 'atomic', loads: true, value: 5n, before: 0n, acquire: true, release: true },
      { kind: 'atomic', loads: true, value: 10n, before: 5n, acquire: false, release: true },
      { kind: 'atomic', loads: false, value: 5n, before: 10n, acquire: false, release: true },
    ],
  );
  assert.equal(bench.x('a3'), 0n);
  assert.equal(bench.x('a4'), 1n);
  assert.deepEqual(bench.after, bench.before);
});

test('a refused atomic and a refused store-conditional can be repeated', () => {
  const bench = createBench();
  bench.cpu.watch(dataPage, both);
  let refusals = 0;
  bench.answers.watched = (access) => (access.kind === 'atomic' && refusals++ % 2 === 0 ? 'stop' : 'proceed');
  const program = bench.load([
    ['li', 's0', data],
    ['li', 'a0', 5],
    ['amoadd.d', 'a1', 'a0', 's0'],
    ['lr.d', 'a2', 's0'],
    ['sc.d', 'a3', 's0', 's0'],
    ['wfi'],
  ]);
  bench.cpu.startHart(0, program.base, 'M');
  assert.equal(bench.cpu.run(1000).kind, 'refused');
  assert.equal(bench.cpu.run(1000).kind, 'refused');
  assert.equal(bench.cpu.run(1000).kind, 'idle');
  assert.equal(bench.x('a2'), 5n);
  assert.equal(bench.x('a3'), 0n);
});

test('an access across the edge of a watched page reports the bytes that lie in it', () => {
  const bench = createBench();
  bench.cpu.watch(dataPage, both);
  runProgram(bench, [
    ['li', 's0', data - 3],
    ['li', 'a0', 0x1122_3344_5566_7788n],
    ['sd', 'a0', 0, 's0'],
    ['ld', 'a1', 0, 's0'],
    ['wfi'],
  ]);
  assert.equal(bench.x('a1'), 0x1122_3344_5566_7788n);
  const bytes = [0x55n, 0x44n, 0x33n, 0x22n, 0x11n];
  const stores = bench.before.filter((access) => access.kind === 'store');
  assert.deepEqual(
    stores.map((access) => access.value),
    bytes,
  );
  assert.deepEqual(
    stores.map((access) => access.physicalAddress),
    [0, 1, 2, 3, 4].map((i) => data + i),
  );
  assert.deepEqual(
    bench.before.filter((access) => access.kind === 'load').map((access) => access.value),
    bytes,
  );
  assert.ok(bench.before.every((access) => access.size === 1));
});

test('a misaligned access inside a watched page is one access', () => {
  const bench = createBench();
  bench.cpu.watch(dataPage, both);
  runProgram(bench, [['li', 's0', data + 1], ['li', 'a0', -1], ['sw', 'a0', 0, 's0'], ['lw', 'a1', 0, 's0'], ['wfi']]);
  assert.deepEqual(
    bench.before.map(({ size, physicalAddress }) => [size, physicalAddress]),
    [
      [4, data + 1],
      [4, data + 1],
    ],
  );
  assert.equal(bench.x('a1'), 0xffff_ffff_ffff_ffffn);
});

test('floating-point loads and stores are watched too', () => {
  const bench = createBench();
  bench.cpu.watch(dataPage, both);
  runProgram(bench, [
    ['li', 't0', 0x6000],
    ['csrs', 'mstatus', 't0'],
    ['li', 's0', data],
    ['fsd', 'fa0', 0, 's0'],
    ['flw', 'fa1', 0, 's0'],
    ['wfi'],
  ]);
  assert.deepEqual(
    bench.before.map(({ kind, size }) => [kind, size]),
    [
      ['store', 8],
      ['load', 4],
    ],
  );
});

test('fetches, page-table walks and A/D updates of watched pages are not reported', () => {
  const bench = createBench();
  // Sv39 root at page 4 maps gigabyte 2 to itself.
  const root = ramBase + 0x4000;
  new DataView(bench.cpu.ram.buffer, bench.cpu.ram.byteOffset).setBigUint64(
    0x4000 + 2 * 8,
    (0x8000_0000n >> 2n) | 0xfn,
    true,
  );
  for (let page = 0; page < 6; page++) if (page !== dataPage) bench.cpu.watch(page, both);
  runProgram(bench, [
    ['li', 't0', (8n << 60n) | (BigInt(root) >> 12n)],
    ['csrw', 'satp', 't0'],
    ['li', 't0', 0x1f],
    ['csrw', 'pmpcfg0', 't0'],
    ['li', 't0', -1],
    ['csrw', 'pmpaddr0', 't0'],
    ['li', 't0', 0x800],
    ['csrs', 'mstatus', 't0'],
    ['la', 't0', 'supervisor'],
    ['csrw', 'mepc', 't0'],
    ['mret'],
    'supervisor:',
    ['li', 's0', data],
    ['sd', 's0', 0, 's0'],
    ['wfi'],
  ]);
  assert.equal(bench.cpu.mode(0), 'S');
  assert.equal(bench.before.length, 0);
  assert.equal(bench.cpu.ram[0x4000 + 2 * 8], 0xcf, 'accessed and dirty were set');
  assert.equal(bench.cpu.ram[dataPage * 0x1000], data & 0xff);
});

test('aliases of a watched page are seen by physical address', () => {
  const bench = createBench();
  const view = new DataView(bench.cpu.ram.buffer, bench.cpu.ram.byteOffset);
  view.setBigUint64(0x4000 + 2 * 8, (0x8000_0000n >> 2n) | 0xcfn, true);
  view.setBigUint64(0x4000 + 5 * 8, (0x8000_0000n >> 2n) | 0xcfn, true);
  bench.cpu.watch(dataPage, both);
  runProgram(
    bench,
    supervisorProgram([['li', 's0', 0x1_4000_0000 + dataPage * 0x1000], ['sd', 's0', 0, 's0'], ['wfi']]),
  );
  assert.equal(bench.before.length, 1);
  assert.equal(bench.before[0]?.physicalAddress, data);
  assert.equal(bench.before[0]?.virtualAddress, BigInt(0x1_4000_0000 + dataPage * 0x1000));
});

/** Turns Sv39 on with the root at page 4 and goes on in S-mode. */
function supervisorProgram(lines: readonly Line[]): Line[] {
  return [
    ['li', 't0', (8n << 60n) | (BigInt(ramBase + 0x4000) >> 12n)],
    ['csrw', 'satp', 't0'],
    ['li', 't0', 0x1f],
    ['csrw', 'pmpcfg0', 't0'],
    ['li', 't0', -1],
    ['csrw', 'pmpaddr0', 't0'],
    ['li', 't0', 0x800],
    ['csrs', 'mstatus', 't0'],
    ['la', 't0', 'supervisor'],
    ['csrw', 'mepc', 't0'],
    ['mret'],
    'supervisor:',
    ...lines,
  ];
}

test('device accesses reach the environment naturally aligned; others are access faults', () => {
  const bench = createBench();
  bench.answers.load = () => 0x1_ffff_fff0n;
  bench.answers.store = () => 'done';
  const program = runProgram(bench, [
    ['la', 't0', 'handler'],
    ['csrw', 'mtvec', 't0'],
    ['li', 's0', 0x1000_0000],
    'load:',
    ['lw', 'a0', 4, 's0'],
    ['sb', 's0', 1, 's0'],
    ['lw', 'a1', 2, 's0'],
    ['wfi'],
    ['.align', 4],
    'handler:',
    ['wfi'],
  ]);
  assert.equal(bench.x('a0'), 0xffff_ffff_ffff_fff0n);
  const pc = (program.labels['load'] ?? 0n).toString(16);
  assert.equal(bench.log.length, 2);
  assert.match(bench.log[0] ?? '', new RegExp(`^load 10000004 4 pc=${pc} step=\\d+ hart=0$`));
  assert.match(bench.log[1] ?? '', /^store 10000001 1 0 /);
  assert.equal(bench.cpu.peekCsr(0, 0x342), 5n);
  assert.equal(bench.cpu.peekCsr(0, 0x343), 0x1000_0002n);
});

test('a device may fault or refuse; the refused access is asked for again', () => {
  const bench = createBench();
  bench.answers.store = () => 'stop';
  const program = bench.load([['li', 's0', 0x1000_0000], 'store:', ['sw', 's0', 0, 's0'], ['wfi']]);
  bench.cpu.startHart(0, program.base, 'M');
  assert.deepEqual(bench.cpu.run(100), { kind: 'refused', hart: 0, pc: program.labels['store'] });
  bench.answers.store = () => 'done';
  assert.deepEqual(bench.cpu.run(100), { kind: 'idle' });
  assert.equal(bench.log.length, 2);
});

test('the first store to a page sets its dirty flag, again after they were cleared', () => {
  const bench = createBench();
  const program = bench.load([
    ['li', 's0', data],
    'loop:',
    ['sd', 's0', 0, 's0'],
    ['ld', 'a0', 8, 's0'],
    ['j', 'loop'],
  ]);
  bench.cpu.clearDirty();
  bench.cpu.startHart(0, program.base, 'M');
  bench.cpu.run(100);
  const dirty = (): number[] =>
    [...bench.cpu.pageFlags].flatMap((flags, page) => ((flags & pageFlag.dirty) !== 0 ? [page] : []));
  assert.deepEqual(dirty(), [dataPage]);
  bench.cpu.clearDirty();
  assert.deepEqual(dirty(), []);
  bench.cpu.run(110);
  assert.deepEqual(dirty(), [dataPage]);
  bench.cpu.noteOutsideWrite(ramBase + 0x7ffe, 4);
  assert.deepEqual(dirty(), [dataPage, 7, 8]);
});
