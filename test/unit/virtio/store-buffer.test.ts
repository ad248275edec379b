// The mood storeBuffer: a device sees unordered stores late and out of order, fences and releases make them seen, and a hand-over between harts
// that orders nothing is found by this mood only. [RISC-V unpriv. 17.1; virtio 1.4, 2.7.13.3]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WatchedAccess } from '../../../emulator/bus/access';
import type { OrderClass } from '../../../emulator/cpu/contract';
import { Ram } from '../../../emulator/bus/ram';
import { StoreBuffer } from '../../../emulator/virtio/store-buffer';
import { Bench, blockDevice } from '../../driver/bench';
import { blockParts, piecesOf } from '../../driver/block';
import { ScriptedDriver } from '../../driver/driver';

const base = 0x8000_0000;

/** Memory, a clock and fences in the test's hand; every store is delayed by the greatest time unless `choices` say otherwise. */
function world(choices: (limit: number) => number = (limit) => limit - 1, harts = 1) {
  const ram = new Ram({ ram: new Uint8Array(4096), ramBase: base, noteOutsideWrite: () => undefined });
  const state = { now: 0, step: 0, release: -1, fence: new Map<OrderClass, number>() };
  const buffer = new StoreBuffer({
    memory: ram,
    now: () => state.now,
    choose: choices,
    fences: {
      harts,
      lastFence: (_hart, earlier, later) => (earlier === 'write' ? (state.fence.get(later) ?? -1) : -1),
      fenceEpochs: () => ({ fence: [], acquire: -1, release: state.release }),
    },
  });
  const store = (offset: number, value: number, change: Partial<WatchedAccess> = {}): void => {
    const physicalAddress = base + offset;
    const before = BigInt(ram.read16(physicalAddress));
    ram.write16(physicalAddress, value);
    const access = { hart: 0, pc: 0n, virtualAddress: 0n, step: state.step++, physicalAddress, size: 2, kind: 'store', loads: false, value: BigInt(value), before, acquire: false, release: false } as const; // prettier-ignore
    buffer.stored({ ...access, ...change });
  };
  const fence = (...later: OrderClass[]): void => {
    for (const each of later) state.fence.set(each, state.step);
    state.step++;
  };
  return { ram, buffer, state, store, fence };
}

test('a store is seen late by the device and at once by harts', () => {
  const { ram, buffer, state, store } = world();
  store(0, 7);
  assert.equal(ram.read16(base), 7);
  assert.equal(buffer.read16(base), 0);
  state.now = 20_000;
  assert.equal(buffer.read16(base), 7);
});

test('a fence towards loads or registers makes earlier stores seen', () => {
  for (const later of ['read', 'output', 'input'] as const) {
    const { buffer, store, fence } = world();
    store(0, 7);
    fence(later);
    assert.equal(buffer.read16(base), 7, later);
  }
});

test('a fence between stores keeps their order and no more', () => {
  const choices = [1, 9_000, 1, 10];
  const { buffer, state, store, fence } = world((limit) => Math.min(choices.shift() ?? 0, limit - 1));
  store(0, 7);
  fence('write');
  store(2, 8);
  assert.deepEqual([buffer.read16(base), buffer.read16(base + 2)], [0, 0]);
  state.now = 12;
  assert.deepEqual([buffer.read16(base), buffer.read16(base + 2)], [7, 8]);
});

test('among several harts a fence between stores makes the earlier one seen: another hart may have seen the later one and told the device', () => {
  for (const harts of [1, 2]) {
    const { buffer, store, fence } = world(undefined, harts);
    store(0, 7);
    fence('write');
    assert.equal(buffer.read16(base), harts === 1 ? 0 : 7);
  }
});

test('without a fence the later store may be seen first, and the earlier one is told as missed', () => {
  const choices = [1, 9_000, 0];
  const { buffer, store } = world((limit) => Math.min(choices.shift() ?? 0, limit - 1));
  store(0, 7);
  store(2, 8);
  const { result, missed } = buffer.watching(() => [buffer.read16(base), buffer.read16(base + 2)]);
  assert.deepEqual(result, [0, 8]);
  assert.deepEqual(
    missed.map(({ address, step }) => [address, step]),
    [[base, 0]],
  );
});

test('stores to the same bytes stay in order', () => {
  const choices = [1, 9_000, 1, 10];
  const { buffer, state, store } = world((limit) => Math.min(choices.shift() ?? 0, limit - 1));
  store(0, 7);
  store(0, 8);
  assert.equal(buffer.read16(base), 0);
  state.now = 12;
  assert.equal(buffer.read16(base), 8);
});

test('an atomic with release is seen with everything before it', () => {
  const { buffer, store } = world();
  store(0, 7);
  store(2, 8, { kind: 'atomic', release: true });
  assert.deepEqual([buffer.read16(base), buffer.read16(base + 2)], [7, 8]);
});

test('a release to unwatched memory makes earlier stores seen', () => {
  const { buffer, state, store } = world();
  store(0, 7);
  state.release = state.step++;
  assert.equal(buffer.read16(base), 7);
});

test('a store that was under way comes after what the device writes', () => {
  const { ram, buffer, state, store } = world();
  store(0, 0xffff);
  buffer.write16(base, 1);
  assert.deepEqual([buffer.read16(base), ram.read16(base)], [1, 0xffff]);
  state.now = 20_000;
  assert.equal(buffer.read16(base), 0xffff);
});

test('saved and restored, stores are as late as before', () => {
  const [first, second] = [world(), world()];
  first.store(0, 7);
  second.ram.write16(base, 7);
  second.buffer.restore(first.buffer.save());
  assert.equal(second.buffer.read16(base), 0);
});

class Careless extends ScriptedDriver {
  override orderStores(): void {
    // Forgotten.
  }
}

/** Reads sectors one after the other; the request is lost or wrong when the device has not seen it whole. */
function read(
  driver: typeof ScriptedDriver,
  mood: readonly ('storeBuffer' | 'eagerFetch')[],
  rules: Record<string, 'report' | 'off'> = {},
): ScriptedDriver {
  const d = new driver(
    new Bench({ devices: [blockDevice({ mood })], rules: { '*': 'report', ...rules }, order: true }),
  );
  d.start();
  const queue = d.queue();
  for (let i = 0; i < 40; i++) {
    const head = d.addChain(queue, piecesOf(blockParts(d, 0, { sector: i })));
    d.publish(queue, head);
    d.notifyIfWanted(queue);
    d.bench.run(30_000);
    if (!d.hasUsed(queue)) break;
    d.collect(queue);
    d.serveInterrupt();
  }
  return d;
}
const kindsOf = ({ bench }: ScriptedDriver): string[] => bench.monitor.events.slice(0).map(({ kind }) => kind);
/** Causes, without what only follows from them. */
function rulesOf({ bench }: ScriptedDriver): string[] {
  const { violations } = bench.monitor;
  const attached = new Set(violations.flatMap(({ consequences }) => consequences));
  return [...new Set(violations.filter(({ number }) => !attached.has(number)).map(({ rule }) => rule))];
}

test('a driver without the fence before the index works with an eager device, and not with one that sees stores late too', () => {
  const [friendly, late] = [read(Careless, ['eagerFetch']), read(Careless, ['eagerFetch', 'storeBuffer'])];
  assert.ok(!kindsOf(friendly).includes('stale-fetch'));
  assert.ok(kindsOf(late).includes('stale-fetch'));
  assert.deepEqual(rulesOf(friendly), ['ordering.publish']);
  assert.deepEqual(rulesOf(late), ['ordering.publish'], 'one cause, one stop');
});

test('a driver with its fences works under late stores without an alarm', () => {
  const d = read(ScriptedDriver, ['eagerFetch', 'storeBuffer']);
  assert.deepEqual(rulesOf(d), []);
  assert.equal(kindsOf(d).filter((kind) => kind === 'used').length, 40);
});

/** One hart fills descriptors and slot, another publishes. */
function handOver(mood: readonly 'storeBuffer'[], ordered: boolean): readonly string[] {
  const bench = new Bench({ devices: [blockDevice({ mood })], rules: { '*': 'report' }, order: true });
  const d = new ScriptedDriver(bench);
  d.start();
  const queue = d.queue();
  for (let i = 0; i < 40 && bench.monitor.violations.length === 0; i++) {
    const head = d.addChain(queue, piecesOf(blockParts(d, 0, { sector: i })));
    d.storeSlot(queue, head);
    if (ordered) bench.fence('rw', 'w');
    bench.hart = 1;
    bench.fence('r', 'rw');
    queue.availableIndex = (queue.availableIndex + 1) & 0xffff;
    d.storeIndex(queue, queue.availableIndex);
    d.notifyIfWanted(queue);
    bench.hart = 0;
    bench.run(30_000);
    if (!d.hasUsed(queue)) break;
    d.collect(queue);
    d.serveInterrupt();
  }
  return rulesOf(d);
}

test('a hand-over between harts that orders nothing shows under this mood only, and one that does never', () => {
  assert.deepEqual(handOver([], false), []);
  assert.deepEqual(handOver(['storeBuffer'], false), ['ordering.stale-fetch']);
  assert.deepEqual(handOver(['storeBuffer'], true), []);
});
