// Twins for the bytes that the device owns, and for indices accessed in parts. [virtio 1.4, 2.7.6, 3.3.1]
import { blockRequestType } from '../../../../emulator/virtio/spec/block';
import { availableOffset, descriptorBytes, usedOffset } from '../../../../emulator/virtio/spec/split-ring';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { type Bench, blockDevice, consoleDevice } from '../../../driver/bench';
import { type BlockParts, blockParts, piecesOf, readSector } from '../../../driver/block';
import type { DriverQueue, ScriptedDriver } from '../../../driver/driver';
import { PackedDriver } from '../../../driver/packed-driver';
import { at, type Twin } from './twin';

/** A header is changed while the device has it, or once it has given it back. */
function changedHeader(rule: string, stackPointer: (header: number) => number, before = 0): Twin {
  return {
    rule,
    bench: () => ({ devices: [blockDevice()], order: true }),
    script: (d, wrong, bench) => {
      d.start();
      const queue = d.queue();
      for (let i = 0; i < before; i++) readSector(d);
      const parts = blockParts(d, blockRequestType.IN);
      const change = (): void => bench.store(parts.header.address + 4, 4, 7);
      bench.stackPointer = BigInt(stackPointer(parts.header.address));
      d.storeSlot(queue, d.addChain(queue, piecesOf(parts)));
      queue.availableIndex++;
      d.orderStores();
      const pc = at(d, () => d.storeIndex(queue, queue.availableIndex));
      d.notifyIfWanted(queue);
      if (wrong) change();
      d.waitUsed(queue);
      if (!wrong) change();
      return pc;
    },
  };
}

/** A read is published and `misuse` done to it, before its used entry was seen or behind that. Returns where that begins. */
function misused(
  rule: string,
  misuse: (d: ScriptedDriver, parts: BlockParts) => void,
  driverOf?: (bench: Bench) => ScriptedDriver,
): Twin {
  return {
    rule,
    ...(driverOf !== undefined && {
      bench: () => ({ devices: [blockDevice({ featuresOn: featureSet(feature.RING_PACKED), queueSize: 256 })] }),
    }),
    script: (plain, wrong, bench) => {
      const d = driverOf?.(bench) ?? plain;
      d.start();
      const queue = d.queue();
      const parts = blockParts(d, blockRequestType.IN);
      d.publish(queue, d.addChain(queue, piecesOf(parts)));
      d.notify(queue);
      if (!wrong) d.waitUsed(queue);
      const pc = at(d, () => misuse(d, parts));
      if (wrong) d.waitUsed(queue);
      return pc;
    },
  };
}

const onPacked = (bench: Bench): ScriptedDriver => new PackedDriver(bench);
const clearStatus = (d: ScriptedDriver, { status }: BlockParts): void => d.bench.store(status.address, 1, 0xff);
const lookAtData = (d: ScriptedDriver, { data }: BlockParts): void => void d.ram(data[0]?.address ?? 0, 8);

/** Two requests at once; the second one's status byte lies where `place` says. */
function overlapping(place: (d: ScriptedDriver, queue: DriverQueue) => number): Twin {
  return {
    rule: 'ownership.buffer-overlap',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const first = blockParts(d, blockRequestType.IN);
      const second = blockParts(d, blockRequestType.IN, { at: 0x1000 });
      const status = wrong ? { ...second.status, address: place(d, queue) } : second.status;
      d.publish(queue, d.addChain(queue, piecesOf(first)));
      d.storeSlot(queue, d.addChain(queue, piecesOf({ ...second, status })));
      queue.availableIndex = 2;
      const pc = at(d, () => d.storeIndex(queue, 2));
      d.notifyIfWanted(queue);
      d.waitUsed(queue);
      d.waitUsed(queue);
      return pc;
    },
  };
}

export const bufferTwins: readonly Twin[] = [
  overlapping((d) => d.buffer(0x100)),
  overlapping((_, queue) => queue.descriptors + 7 * descriptorBytes),
  misused('ownership.buffer-stored', clearStatus),
  misused('ownership.buffer-stored', clearStatus, onPacked),
  misused('ownership.buffer-read-early', lookAtData),
  misused('ownership.buffer-read-early', lookAtData, onPacked),
  {
    rule: 'ownership.read-beyond-length',
    bench: () => ({ devices: [consoleDevice()] }),
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 256, deviceWritable: true }]));
      d.notify(queue);
      d.bench.run(20_000);
      d.bench.input('console0', Uint8Array.of(65, 66));
      d.waitUsed(queue);
      for (let i = 0; i < 64; i++) d.ram(d.buffer(i), 1);
      return at(d, () => void d.ram(d.buffer(wrong ? 64 : 0), 1));
    },
  },
  // Only the first requests are followed store by store.
  changedHeader('ownership.buffer-changed', () => 0, 70),
  changedHeader('ownership.dead-stack-frame', (header) => header - 0x40),
  {
    rule: 'split.torn-access',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.storeSlot(queue, d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN))));
      queue.availableIndex = 1;
      const index = queue.available + availableOffset.idx;
      const pc = at(d, () => d.bench.store(index, wrong ? 1 : 2, 1));
      d.notifyIfWanted(queue);
      d.waitUsed(queue);
      return pc;
    },
  },
  {
    rule: 'split.torn-access',
    script: (d, wrong) => {
      d.start();
      return at(d, () => d.ram(d.queue().used + usedOffset.idx, wrong ? 1 : 2));
    },
  },
];
