// Twins for taking used buffers back, on both kinds of ring. [virtio 1.4, 2.7.8, 2.7.14, 2.8.22]
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { packedOffset } from '../../../../emulator/virtio/spec/packed-ring';
import { usedOffset } from '../../../../emulator/virtio/spec/split-ring';
import { type BenchOptions, blockDevice, consoleDevice } from '../../../driver/bench';
import { blockParts, piecesOf } from '../../../driver/block';
import type { DriverQueue, ScriptedDriver } from '../../../driver/driver';
import { PackedDriver } from '../../../driver/packed-driver';
import { at, type Twin } from './twin';
import { longTime, send } from './waiting';

const withPacked = featureSet(feature.RING_PACKED);
const packedBlock = (): BenchOptions => ({ devices: [blockDevice({ featuresOn: withPacked, queueSize: 256 })] });

function publishRead(d: ScriptedDriver, queue: DriverQueue, place = 0): void {
  d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0, { at: place }))));
  d.notify(queue);
}

/** A console that has sent two bytes into its first buffer. */
function received(d: ScriptedDriver): DriverQueue {
  d.start();
  const queue = d.queue();
  d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 64, deviceWritable: true }]));
  d.notify(queue);
  d.bench.run(20_000);
  d.bench.input('console0', Uint8Array.of(65, 66));
  while (!d.hasUsed(queue)) d.bench.run(500);
  return queue;
}

export const consumptionTwins: readonly Twin[] = [
  {
    rule: 'consumption.id-not-loaded',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      publishRead(d, queue);
      d.bench.run(5_000);
      publishRead(d, queue, 0x1000);
      while (!d.hasUsed(queue)) d.bench.run(500);
      if (!wrong) d.collect(queue);
      d.storeSlot(queue, 0);
      queue.availableIndex++;
      const pc = at(d, () => d.storeIndex(queue, queue.availableIndex));
      d.notify(queue);
      return pc;
    },
  },
  {
    rule: 'consumption.id-not-loaded',
    bench: packedBlock,
    script: (_, wrong, bench) => {
      const d = new PackedDriver(bench, { queueSize: 8, features: featureSet(feature.INDIRECT_DESC) });
      d.start();
      const queue = d.queue();
      publishRead(d, queue);
      d.bench.run(5_000);
      publishRead(d, queue, 0x1000);
      while (!d.hasUsed(queue)) d.bench.run(500);
      const used = d.descriptorAt(queue, 0) + packedOffset.id;
      if (!wrong) d.ram(used, 2);
      d.state(queue).freeIds.unshift(0);
      queue.lastUsed += 3;
      d.addIndirectChain(queue, piecesOf(blockParts(d, 0, { at: 0x2000 })), d.table());
      const pc = at(d, () => d.publish(queue));
      d.notify(queue);
      return pc;
    },
  },
  {
    rule: 'consumption.length-not-loaded',
    bench: () => ({ devices: [consoleDevice()] }),
    script: (d, wrong) => {
      const queue = received(d);
      const slot = queue.lastUsed % queue.size;
      const head = d.ram(queue.used + usedOffset.id(slot), 4);
      if (!wrong) d.ram(queue.used + usedOffset.len(slot), 4);
      d.storeSlot(queue, head);
      queue.availableIndex++;
      const pc = at(d, () => d.storeIndex(queue, queue.availableIndex));
      d.notify(queue);
      return pc;
    },
  },
  {
    rule: 'consumption.out-of-step',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      publishRead(d, queue);
      while (!d.hasUsed(queue)) d.bench.run(500);
      // The index itself taken for the slot: one too far.
      const slot = wrong ? d.ram(queue.used + usedOffset.idx, 2) % queue.size : 0;
      return at(d, () => d.ram(queue.used + usedOffset.id(slot), 4));
    },
  },
  {
    rule: 'consumption.entries-left',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      publishRead(d, queue);
      d.waitUsed(queue);
      send(d, 0x1000);
      d.bench.run(20_000);
      d.serveInterrupt();
      const pc = at(d, () => d.ram(queue.used + usedOffset.idx, 2));
      if (!wrong) d.collect(queue);
      d.bench.run(longTime);
      return pc;
    },
  },
];
