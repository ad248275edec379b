// Twins for the contents of split rings and for their ownership. [virtio 1.4, 2.7, 3.3.1]
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import {
  descriptorBytes,
  descriptorFlag,
  descriptorOffset,
  usedOffset,
} from '../../../../emulator/virtio/spec/split-ring';
import { blockParts, readSector } from '../../../driver/block';
import type { DriverQueue, Piece, ScriptedDriver } from '../../../driver/driver';
import { TestModel } from '../../../driver/model';
import { at, handOver, request, storePc, type Twin } from './twin';

const { NEXT, WRITE, INDIRECT } = descriptorFlag;
const withIndirect = { features: featureSet(feature.VERSION_1, feature.INDIRECT_DESC) };

/** Pieces of a request that reads sector 0 into `parts` buffers. */
function readPieces(d: ScriptedDriver, parts = 1): readonly Piece[] {
  const request = blockParts(d, 0);
  const data = Array.from({ length: parts }, (_, i) => ({
    address: d.buffer(0x1000 + i * 0x200),
    length: 512,
    deviceWritable: true,
  }));
  return [request.header, ...data, request.status];
}

type Field = keyof typeof descriptorOffset;

/** A read whose chain is changed in one field before it is published. */
function changed(rule: string, index: number, field: Field, wrongValue: number, rightValue: number): Twin {
  return {
    rule,
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addChain(queue, readPieces(d));
      const pc = at(d, () => storeField(d, queue, index, field, wrong ? wrongValue : rightValue));
      handOver(d, queue, head, wrong);
      return pc;
    },
  };
}

function storeField(d: ScriptedDriver, queue: DriverQueue, index: number, field: Field, value: number): void {
  const size = { addr: 8, len: 4, flags: 2, next: 2 } as const;
  d.bench.store(queue.descriptors + index * descriptorBytes + descriptorOffset[field], size[field], value);
}

/** A read through an indirect table whose naming descriptor is changed in one field. */
function changedIndirect(rule: string, field: Field, wrongValue: number, rightValue: number): Twin {
  return {
    rule,
    driver: withIndirect,
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addIndirectChain(queue, readPieces(d), d.table());
      const pc = at(d, () => storeField(d, queue, head, field, wrong ? wrongValue : rightValue));
      handOver(d, queue, head, wrong);
      return pc;
    },
  };
}

export const ringTwins: readonly Twin[] = [
  {
    rule: 'split.head-out-of-range',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addChain(queue, readPieces(d));
      const pc = d.bench.nextPc;
      handOver(d, queue, wrong ? queue.size : head, wrong);
      return pc;
    },
  },
  changed('split.next-out-of-range', 0, 'next', 8, 1),
  changed('split.chain-endless', 1, 'next', 0, 2),
  changed('split.readable-after-writable', 2, 'flags', 0, WRITE),
  {
    rule: 'split.indirect-not-negotiated',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const pieces = readPieces(d);
      // The naming descriptor is written after the three entries of the table.
      const pc = storePc(d.bench.nextPc, 'flags', 3);
      const head = wrong ? d.addIndirectChain(queue, pieces, d.table()) : d.addChain(queue, pieces);
      handOver(d, queue, head, wrong);
      return pc;
    },
  },
  {
    rule: 'split.indirect-nested',
    driver: withIndirect,
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addIndirectChain(queue, readPieces(d), d.table());
      d.bench.store(d.table() + descriptorOffset.flags, 2, NEXT | (wrong ? INDIRECT : 0));
      handOver(d, queue, head, wrong);
      return undefined;
    },
  },
  {
    rule: 'split.chain-too-long',
    driver: withIndirect,
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addIndirectChain(queue, readPieces(d, wrong ? queue.size - 1 : queue.size - 2), d.table());
      handOver(d, queue, head, wrong);
      return undefined;
    },
  },
  changedIndirect('split.indirect-and-next', 'flags', INDIRECT | NEXT, INDIRECT),
  changedIndirect('split.indirect-length', 'len', 3, 3 * descriptorBytes),
  changed('split.buffer-outside-memory', 1, 'addr', 0x1000, 0x8002_1000),
  {
    rule: 'split.zero-length',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const [header, data, state] = readPieces(d);
      if (header === undefined || data === undefined || state === undefined) throw new Error('a read has three pieces');
      const extra = { ...data, address: data.address + 512, length: wrong ? 0 : 512 };
      const pc = storePc(d.bench.nextPc, 'len', 2);
      request(d, queue, [header, data, extra, state], wrong);
      return pc;
    },
  },
  {
    rule: 'split.in-order-links',
    bench: () => ({ own: { model: new TestModel(), offered: featureSet(feature.VERSION_1, feature.IN_ORDER) } }),
    driver: { features: featureSet(feature.VERSION_1, feature.IN_ORDER) },
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const second = wrong ? 2 : 1;
      const piece = { address: d.buffer(), length: 64 };
      const pc = storePc(d.bench.nextPc, 'next');
      d.writeDescriptor(queue.descriptors, 0, piece, NEXT, second);
      d.writeDescriptor(queue.descriptors, second, piece, 0, 0);
      handOver(d, queue, 0, wrong);
      return pc;
    },
  },
  {
    rule: 'split.available-index-backwards',
    script: (d, wrong) => {
      d.start();
      readSector(d);
      const queue = d.queue();
      return at(d, () => d.storeIndex(queue, wrong ? 0 : queue.availableIndex));
    },
  },
  {
    rule: 'split.available-index-jump',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addChain(queue, readPieces(d));
      d.storeSlot(queue, head);
      queue.availableIndex = wrong ? queue.size + 1 : 1;
      return at(d, () => d.storeIndex(queue, queue.availableIndex));
    },
  },
  {
    rule: 'split.available-flags',
    script: (d, wrong) => {
      d.start();
      return at(d, () => d.bench.store(d.queue().available, 2, wrong ? 2 : 1));
    },
  },
  {
    rule: 'split.used-ring-written',
    script: (d, wrong) => {
      d.start();
      readSector(d);
      const { used } = d.queue();
      return at(d, () => (wrong ? d.bench.store(used + usedOffset.idx, 2, 0) : d.ram(used + usedOffset.idx, 2)));
    },
  },
  {
    rule: 'split.avail-event-read',
    script: (d, wrong) => {
      d.start();
      const { used, size } = d.queue();
      return at(d, () => d.ram(used + (wrong ? usedOffset.availEvent(size) : usedOffset.flags), 2));
    },
  },
  {
    rule: 'split.slot-mismatch',
    script: (d, wrong) => {
      d.start();
      readSector(d);
      const queue = d.queue();
      const head = d.addChain(queue, readPieces(d));
      d.bench.store(queue.available + 4 + 2 * (wrong ? 0 : 1), 2, head);
      queue.availableIndex = 2;
      return at(d, () => d.storeIndex(queue, 2));
    },
  },
  {
    rule: 'ownership.descriptor-changed',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addChain(queue, readPieces(d));
      d.publish(queue, head);
      d.notify(queue);
      if (wrong) d.bench.run(3_000);
      else d.waitUsed(queue);
      return at(d, () => storeField(d, queue, 1, 'len', 1024));
    },
  },
  {
    rule: 'ownership.indirect-table-changed',
    driver: withIndirect,
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addIndirectChain(queue, readPieces(d), d.table());
      d.publish(queue, head);
      d.notify(queue);
      if (!wrong) d.waitUsed(queue);
      return at(d, () => d.bench.store(d.table() + descriptorBytes + descriptorOffset.len, 4, 1024));
    },
  },
  {
    rule: 'ownership.slot-changed',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, readPieces(d)));
      d.notify(queue);
      if (!wrong) d.waitUsed(queue);
      return at(d, () => d.bench.store(queue.available + 4, 2, 5));
    },
  },
  {
    rule: 'ownership.descriptor-published-twice',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addChain(queue, readPieces(d));
      d.publish(queue, head);
      d.notify(queue);
      if (!wrong) d.waitUsed(queue);
      d.storeSlot(queue, head);
      queue.availableIndex++;
      const pc = at(d, () => d.storeIndex(queue, queue.availableIndex));
      d.notify(queue);
      return pc;
    },
  },
];
