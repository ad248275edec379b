// A driver that spins on the used index: one event for the whole spin, and everything that follows from its loads all the same. [2.7.8]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockRequestType } from '../../../emulator/virtio/spec/block';
import { usedOffset } from '../../../emulator/virtio/spec/split-ring';
import { Bench, type BenchOptions, blockDevice } from '../../driver/bench';
import { blockParts, piecesOf } from '../../driver/block';
import { type DriverQueue, ScriptedDriver } from '../../driver/driver';

const spinPc = 0x6000_0000n;

interface Spin {
  readonly d: ScriptedDriver;
  readonly queue: DriverQueue;
  /** The kinds of the events since the last look. */
  readonly news: () => string[];
  readonly look: (pc?: bigint, bytes?: 1 | 2 | 4) => void;
}

/** A driver that has published one request, with a device that takes its time. */
function published(options: Omit<BenchOptions, 'devices' | 'own'> = {}): Spin {
  const d = new ScriptedDriver(new Bench({ devices: [blockDevice()], ...options }));
  d.start();
  const queue = d.queue();
  d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN))));
  const { events } = d.bench.monitor;
  let seen = events.length;
  return {
    d,
    queue,
    news: () => {
      const kinds = events.slice(seen).map(({ kind }) => kind);
      seen = events.length;
      return kinds;
    },
    look: (pc = spinPc, bytes = 2) => void d.bench.load(queue.used + usedOffset.idx, bytes, pc),
  };
}

const isLook = (kind: string): boolean => kind === 'ring-load' || kind === 'collect';

test('a spin is one event, and history stays', () => {
  const { d, look, news } = published({ eventCapacity: 500 });
  d.notify(d.queue());
  news();
  const first = d.bench.monitor.events.first;
  for (let i = 0; i < 900; i++) look();
  assert.deepEqual(news(), ['ring-load']);
  assert.equal(d.bench.monitor.events.first, first);
});

test('whatever happens to the queue shows the next look again', () => {
  const { d, look, news } = published();
  d.notify(d.queue());
  news();
  look();
  look();
  d.bench.run(1_000);
  for (let i = 0; i < 3; i++) look();
  assert.deepEqual(news().filter(isLook), ['ring-load', 'ring-load']);
  d.bench.run(20_000);
  for (let i = 0; i < 3; i++) look();
  assert.deepEqual(news().filter(isLook), ['ring-load', 'collect', 'ring-load']);
  assert.equal(d.bench.monitor.device('vda')?.queues[0]?.collectedIndex, 1);
  assert.deepEqual(d.bench.monitor.violations, []);
});

test('a register access of the device shows the next look again', () => {
  const { d, look, news } = published();
  look();
  d.read('InterruptStatus');
  look();
  look();
  assert.deepEqual(news().filter(isLook), ['ring-load', 'ring-load']);
});

test('other instructions and other widths are other looks', () => {
  const { look, news } = published();
  look(spinPc);
  look(spinPc + 4n);
  look(spinPc);
  look(spinPc, 1);
  look(spinPc, 1);
  assert.deepEqual(news(), ['ring-load', 'ring-load', 'ring-load', 'ring-load']);
  // The word holds flags and idx: two facts, told each time.
  look(spinPc, 4);
});

test('an index that jumps is collected even where the spin looked before', () => {
  const { d, queue, look, news } = published();
  look();
  look();
  // As a debugger would: no event, only other bytes.
  d.bench.memory.write16(queue.used + usedOffset.idx, 3);
  look();
  d.bench.memory.write16(queue.used + usedOffset.idx, 0);
  look();
  assert.deepEqual(news(), ['ring-load', 'ring-load', 'collect', 'ring-load', 'collect']);
});

test('a spin without a notification is found after the same number of looks', () => {
  const { d, look } = published();
  let looks = 0;
  while (d.bench.monitor.violations.length === 0 && looks < 2_000) {
    look();
    looks++;
  }
  assert.deepEqual(
    d.bench.monitor.violations.map(({ rule }) => rule),
    ['notify.missing'],
  );
  assert.equal(looks, 1_001);
});

test('a machine that was put back tells the spin as the first time', () => {
  const { d, look, news } = published();
  look();
  look();
  const saved = structuredClone(d.bench.monitor.save());
  look();
  d.read('InterruptStatus');
  look();
  const first = news();
  d.bench.monitor.restore(saved);
  const from = d.bench.monitor.events.length;
  look();
  d.read('InterruptStatus');
  look();
  assert.deepEqual(
    d.bench.monitor.events.slice(from).map(({ kind }) => kind),
    first.slice(1),
  );
});
