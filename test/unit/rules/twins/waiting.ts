// Twins for absence: a driver that does not come back, and the same driver that does. [virtio 1.4, 2.7.7.1, 2.7.8, 4.2.3.4.1]
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { availableOffset, usedOffset } from '../../../../emulator/virtio/spec/split-ring';
import { eventFlag } from '../../../../emulator/virtio/spec/packed-ring';
import { blockDevice, consoleDevice, entropyDevice } from '../../../driver/bench';
import { blockParts, piecesOf } from '../../../driver/block';
import type { DriverQueue, ScriptedDriver } from '../../../driver/driver';
import { TestModel } from '../../../driver/model';
import { PackedDriver } from '../../../driver/packed-driver';
import { PciDriver } from '../../../driver/pci-driver';
import { at, type Twin } from './twin';

const withEventIdx = { features: featureSet(feature.VERSION_1, feature.EVENT_IDX) };
/** Longer than any window, in steps of one nanosecond. */
export const longTime = 1_500_000_000;

/** Publishes a read, always with a notification; returns the pc of the store to the index. */
export function send(d: ScriptedDriver, place = 0): bigint {
  const queue = d.queue();
  const head = d.addChain(queue, piecesOf(blockParts(d, 0, { at: place })));
  d.storeSlot(queue, head);
  queue.availableIndex = (queue.availableIndex + 1) & 0xffff;
  const pc = at(d, () => d.storeIndex(queue, queue.availableIndex));
  d.notify(queue);
  return pc;
}

/** A read from its publish to its interrupt. */
export function serveOne(d: ScriptedDriver, place = 0): void {
  send(d, place);
  d.bench.run(20_000);
  d.serveInterrupt();
  drain(d, d.queue());
}

export function drain(d: ScriptedDriver, queue: DriverQueue): void {
  while (d.hasUsed(queue)) d.collect(queue);
}

export function storeUsedEvent(d: ScriptedDriver, queue: DriverQueue, index: number): void {
  d.bench.store(queue.available + availableOffset.usedEvent(queue.size), 2, index);
}

/** Whether an interrupt came in time and was served. */
function sleep(d: ScriptedDriver): void {
  d.bench.run(20_000);
  if (d.serveInterrupt()) drain(d, d.queue());
  d.bench.run(longTime);
}

/** A driver of a packed ring that has asked for interrupts as `ask` does, and sleeps over a read. */
function packedSleep(
  rule: string,
  features: bigint,
  ask: (d: PackedDriver, queue: DriverQueue, wrong: boolean) => void,
): Twin {
  return {
    rule,
    bench: () => ({ devices: [blockDevice({ featuresOn: featureSet(feature.RING_PACKED), queueSize: 256 })] }),
    script: (_, wrong, bench) => {
      const d = new PackedDriver(bench, { features });
      d.start();
      const queue = d.queue();
      const read = (place: number): void => {
        d.addChain(queue, piecesOf(blockParts(d, 0, { at: place })));
        d.publish(queue);
        d.notify(queue);
      };
      read(0);
      d.waitUsed(queue);
      d.serveInterrupt();
      ask(d, queue, wrong);
      read(0x1000);
      sleep(d);
      return undefined;
    },
  };
}

let model = new TestModel();

export const waitingTwins: readonly Twin[] = [
  {
    rule: 'waiting.event-idx-not-honoured',
    driver: withEventIdx,
    script: (d, wrong) => {
      d.start();
      serveOne(d);
      if (!wrong) storeUsedEvent(d, d.queue(), 1);
      const pc = send(d);
      sleep(d);
      return pc;
    },
  },
  {
    rule: 'waiting.used-event-stale',
    driver: withEventIdx,
    script: (d, wrong) => {
      d.start();
      storeUsedEvent(d, d.queue(), 0);
      serveOne(d);
      const pc = at(d, () => storeUsedEvent(d, d.queue(), wrong ? 0 : 1));
      send(d);
      sleep(d);
      return pc;
    },
  },
  {
    rule: 'waiting.interrupts-left-off',
    script: (d, wrong) => {
      d.start();
      d.bench.store(d.queue().available + availableOffset.flags, 2, wrong ? 1 : 0);
      const pc = send(d);
      sleep(d);
      return pc;
    },
  },
  {
    rule: 'waiting.completion-hidden',
    bench: () => ({ devices: [blockDevice({ transport: 'pci' })] }),
    script: (_, wrong, bench) => {
      const d = new PciDriver(bench);
      d.start();
      const queue = d.queue();
      send(d);
      d.bench.run(5_000);
      send(d, 0x1000);
      while (!d.hasUsed(queue)) d.bench.run(500);
      const source = d.bench.claim();
      drain(d, queue);
      d.bench.run(10_000);
      const pc = at(d, () => d.readInterruptStatus());
      if (!wrong) drain(d, queue);
      d.bench.complete(source);
      d.bench.run(longTime);
      return pc;
    },
  },
  {
    rule: 'waiting.completion-hidden',
    script: (d, wrong) => {
      d.start();
      send(d);
      d.bench.run(5_000);
      send(d, 0x1000);
      while (!d.hasUsed(d.queue())) d.bench.run(500);
      const source = d.bench.claim();
      const bits = d.readInterruptStatus();
      drain(d, d.queue());
      d.bench.run(10_000);
      const pc = at(d, () => d.acknowledgeInterrupt(bits));
      if (!wrong) drain(d, d.queue());
      d.bench.complete(source);
      d.bench.run(longTime);
      return pc;
    },
  },
  packedSleep('waiting.packed-interrupts-left-off', 0n, (d, queue, wrong) =>
    d.wantInterrupts(queue, wrong ? eventFlag.DISABLE : eventFlag.ENABLE),
  ),
  packedSleep('waiting.packed-event-stale', featureSet(feature.EVENT_IDX), (d, queue, wrong) =>
    d.wantInterruptAt(queue, wrong ? 0 : queue.lastUsed),
  ),
  {
    rule: 'waiting.completion-unseen',
    script: (d, wrong) => {
      d.start();
      d.bench.maskInterrupts();
      const pc = send(d);
      if (!wrong) d.waitUsed(d.queue());
      d.bench.run(longTime);
      return pc;
    },
  },
  {
    rule: 'waiting.config-change-ignored',
    bench: () => {
      model = new TestModel();
      return { own: { model, offered: featureSet(feature.VERSION_1) } };
    },
    script: (d, wrong) => {
      d.start();
      d.bench.run(100);
      model.changeConfig();
      d.bench.run(100);
      const source = d.bench.claim();
      const bits = d.readInterruptStatus();
      const pc = at(d, () => d.acknowledgeInterrupt(bits));
      if (!wrong) d.config(8, 4);
      d.bench.complete(source);
      d.bench.run(longTime);
      return pc;
    },
  },
  {
    rule: 'waiting.receive-queue-empty',
    bench: () => ({ devices: [consoleDevice()] }),
    driver: { queues: [0, 1] },
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      if (!wrong) {
        d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 64, deviceWritable: true }]));
        d.notify(queue);
      }
      d.bench.run(100_000);
      d.bench.input('console0', Uint8Array.of(65, 66));
      d.bench.run(100_000);
      if (!wrong) drain(d, queue);
      d.bench.run(longTime);
      return undefined;
    },
  },
  {
    rule: 'entropy.length-not-read',
    bench: () => ({ devices: [entropyDevice()] }),
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 64, deviceWritable: true }]));
      d.notify(queue);
      d.bench.run(50_000);
      const pc = at(d, () => d.ram(queue.used + usedOffset.idx, 2));
      d.ram(queue.used + usedOffset.id(0), 4);
      if (!wrong) d.ram(queue.used + usedOffset.len(0), 4);
      d.bench.run(longTime);
      return pc;
    },
  },
];
