// Twins for the order of accesses: each differs in one fence. [virtio 1.4, 2.7.13.3.1, 2.7.13.4.1, 2.7.14]
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { blockRequestType } from '../../../../emulator/virtio/spec/block';
import { availableOffset, usedOffset } from '../../../../emulator/virtio/spec/split-ring';
import { blockDevice, type BenchOptions } from '../../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../../driver/block';
import type { DriverQueue, ScriptedDriver } from '../../../driver/driver';
import { TestModel } from '../../../driver/model';
import { at, type Twin } from './twin';

const ordered = (): BenchOptions => ({ devices: [blockDevice()], order: true });
const withEventIdx = { features: featureSet(feature.VERSION_1, feature.EVENT_IDX) };

const platform = { features: featureSet(feature.VERSION_1, feature.ORDER_PLATFORM) };

/** Makes a read available, all but the store of the index. */
function fill(d: ScriptedDriver): DriverQueue {
  d.start();
  const queue = d.queue();
  d.storeSlot(queue, d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN))));
  queue.availableIndex = 1;
  return queue;
}

function finish(d: ScriptedDriver, queue: DriverQueue): void {
  d.notifyIfWanted(queue);
  d.waitUsed(queue);
}

/** Publishes a read, notifies with or without the fence for device registers, and waits. */
const doorbell: Twin['script'] = (d, wrong) => {
  const queue = fill(d);
  d.orderStores();
  d.storeIndex(queue, 1);
  if (!wrong) d.orderDoorbell();
  else d.bench.fence('rw', 'rw');
  const pc = at(d, () => d.write('QueueNotify', 0));
  d.waitUsed(queue);
  return pc;
};

/** Asks for an interrupt, looks once more, and waits. */
function recheck(driver?: Twin['driver']): Twin {
  return {
    rule: 'ordering.recheck',
    bench: ordered,
    ...(driver !== undefined && { driver }),
    script: (d, wrong) => {
      d.start();
      readSector(d);
      const queue = d.queue();
      if (driver === undefined) {
        d.bench.store(queue.available + availableOffset.flags, 2, 1);
        d.bench.store(queue.available + availableOffset.flags, 2, 0);
      } else d.bench.store(queue.available + availableOffset.usedEvent(queue.size), 2, queue.lastUsed);
      if (!wrong) d.bench.fence('w', 'r');
      const pc = at(d, () => d.ram(queue.used + usedOffset.idx, 2));
      d.bench.idle();
      return pc;
    },
  };
}

/** Collects a read, with or without the fence, and loads what `place` says. */
function used(place: (d: ScriptedDriver, queue: DriverQueue) => number): Twin {
  return {
    rule: 'ordering.used-index',
    bench: ordered,
    script: (d, wrong) => {
      const queue = fill(d);
      d.orderStores();
      d.storeIndex(queue, 1);
      d.notifyIfWanted(queue);
      while (!d.hasUsed(queue)) d.bench.run(500);
      if (wrong) d.bench.fence('r', 'w');
      else d.orderUsed();
      return at(d, () => d.ram(place(d, queue), 1));
    },
  };
}

export const orderingTwins: readonly Twin[] = [
  {
    rule: 'ordering.publish',
    bench: ordered,
    script: (d, wrong) => {
      const queue = fill(d);
      if (wrong) d.bench.fence('w', 'o');
      else d.orderStores();
      const pc = at(d, () => d.storeIndex(queue, 1));
      finish(d, queue);
      return pc;
    },
  },
  {
    rule: 'ordering.publish-buffer',
    bench: ordered,
    script: (d, wrong) => {
      const queue = fill(d);
      if (wrong) d.orderStores();
      d.bench.store(d.buffer(4), 4, 0);
      if (!wrong) d.orderStores();
      const pc = at(d, () => d.storeIndex(queue, 1));
      finish(d, queue);
      return pc;
    },
  },
  ...[undefined, withEventIdx].map((driver): Twin => ({
    rule: 'ordering.notification-check',
    bench: ordered,
    ...(driver !== undefined && { driver }),
    script: (d, wrong) => {
      const queue = fill(d);
      d.orderStores();
      d.storeIndex(queue, 1);
      if (wrong) d.bench.fence('w', 'w');
      else d.orderCheck();
      const wish = driver === undefined ? usedOffset.flags : usedOffset.availEvent(queue.size);
      const pc = at(d, () => d.ram(queue.used + wish, 2));
      d.notify(queue);
      d.waitUsed(queue);
      return pc;
    },
  })),
  {
    rule: 'ordering.stale-fetch',
    bench: () => ({ devices: [blockDevice({ mood: ['storeBuffer'] })], order: true }),
    script: (d, wrong, bench) => {
      d.start();
      const queue = d.queue();
      for (let i = 0; i < 30 && !bench.monitor.events.slice(0).some(({ kind }) => kind === 'stale-fetch'); i++) {
        d.storeSlot(queue, d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN))));
        if (!wrong) d.orderStores();
        // The other hart has been told, and publishes.
        bench.hart = 1;
        queue.availableIndex++;
        d.storeIndex(queue, queue.availableIndex);
        d.notifyIfWanted(queue);
        bench.hart = 0;
        bench.run(30_000);
        if (d.hasUsed(queue)) d.collect(queue);
        d.serveInterrupt();
      }
      return undefined;
    },
  },
  { rule: 'ordering.doorbell', bench: ordered, script: doorbell },
  {
    rule: 'ordering.doorbell-platform',
    bench: () => ({ own: { model: new TestModel(), offered: platform.features }, order: true }),
    driver: platform,
    script: doorbell,
  },
  used((_, queue) => queue.used + usedOffset.id(0)),
  used((d) => d.buffer(0x80)),
  recheck(),
  recheck(withEventIdx),
];
