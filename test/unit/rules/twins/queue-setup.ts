// Twins for configuring, enabling and stopping queues. [virtio 1.4, 2.7.1, 4.2.2.2, 4.2.3.2]
import { blockDevice } from '../../../driver/bench';
import { blockParts, piecesOf } from '../../../driver/block';
import type { DriverQueue, ScriptedDriver } from '../../../driver/driver';
import { at, negotiate, type Twin } from './twin';

/** Everything of a queue's set-up but the last write. */
function prepare(d: ScriptedDriver, change: Partial<DriverQueue> = {}): DriverQueue {
  const queue = { ...d.placeQueue(0), ...change };
  d.selectQueue(0);
  d.checkQueueIdle();
  d.readMaximumSize();
  d.writeQueueSize(queue.size);
  d.clearRings(queue);
  d.writeAddresses(queue);
  return queue;
}

export const queueSetupTwins: readonly Twin[] = [
  {
    rule: 'queue.not-available',
    script: (d, wrong) => {
      negotiate(d);
      d.selectQueue(wrong ? 1 : 0);
      d.readMaximumSize();
      return at(d, () => d.writeQueueSize(8));
    },
  },
  {
    rule: 'queue.size-above-maximum',
    bench: () => ({ devices: [blockDevice({ queueSize: 8 })] }),
    script: (d, wrong) => {
      negotiate(d);
      d.selectQueue(0);
      d.readMaximumSize();
      return at(d, () => d.writeQueueSize(wrong ? 16 : 8));
    },
  },
  {
    rule: 'queue.size-not-power-of-two',
    script: (d, wrong) => {
      negotiate(d);
      d.selectQueue(0);
      d.readMaximumSize();
      return at(d, () => d.writeQueueSize(wrong ? 12 : 8));
    },
  },
  {
    rule: 'queue.size-maximum-not-read',
    script: (d, wrong) => {
      negotiate(d);
      d.selectQueue(0);
      if (!wrong) d.readMaximumSize();
      return at(d, () => d.writeQueueSize(8));
    },
  },
  {
    rule: 'queue.changed-while-ready',
    script: (d, wrong) => {
      negotiate(d);
      d.setUpQueue(0);
      if (!wrong) d.stopQueue();
      return at(d, () => d.writeAddress('QueueDesc', d.queue().descriptors));
    },
  },
  {
    rule: 'queue.not-configured',
    script: (d, wrong) => {
      negotiate(d);
      const queue = d.placeQueue(0);
      d.selectQueue(0);
      d.readMaximumSize();
      d.writeQueueSize(queue.size);
      d.clearRings(queue);
      d.writeAddress('QueueDesc', queue.descriptors);
      d.writeAddress('QueueDriver', queue.available);
      d.write('QueueDeviceLow', queue.used);
      if (!wrong) d.write('QueueDeviceHigh', 0);
      return at(d, () => d.enableQueue());
    },
  },
  {
    rule: 'queue.misaligned',
    script: (d, wrong) => {
      negotiate(d);
      prepare(d, wrong ? { descriptors: d.placeQueue(0).descriptors + 8 } : {});
      return at(d, () => d.enableQueue());
    },
  },
  {
    rule: 'queue.area-outside-memory',
    script: (d, wrong) => {
      negotiate(d);
      const queue = prepare(d);
      d.writeAddress('QueueDriver', wrong ? 0x40_0000_0000 + queue.available : queue.available);
      return at(d, () => d.enableQueue());
    },
  },
  {
    rule: 'queue.areas-overlap',
    script: (d, wrong) => {
      negotiate(d);
      const { descriptors } = d.placeQueue(0);
      prepare(d, { available: descriptors + (wrong ? 120 : 128) });
      return at(d, () => d.enableQueue());
    },
  },
  {
    rule: 'queue.used-flags-not-zero',
    script: (d, wrong) => {
      negotiate(d);
      const queue = prepare(d);
      d.bench.store(queue.used, 2, wrong ? 1 : 0);
      return at(d, () => d.enableQueue());
    },
  },
  {
    rule: 'queue.index-not-zero',
    script: (d, wrong) => {
      negotiate(d);
      const queue = prepare(d);
      d.bench.store(queue.used + 2, 2, wrong ? 7 : 0);
      return at(d, () => d.enableQueue());
    },
  },
  {
    rule: 'queue.ready-value',
    script: (d, wrong) => {
      negotiate(d);
      prepare(d);
      return at(d, () => d.write('QueueReady', wrong ? 2 : 1));
    },
  },
  {
    rule: 'queue.stop-not-read-back',
    script: (d, wrong) => {
      negotiate(d);
      const queue = d.setUpQueue(0);
      d.write('QueueReady', 0);
      if (!wrong) d.read('QueueReady');
      return at(d, () => d.writeQueueSize(queue.size));
    },
  },
  {
    rule: 'queue.stopped-in-flight',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
      d.notify(queue);
      if (!wrong) d.waitUsed(queue);
      return at(d, () => d.stopQueue());
    },
  },
];
