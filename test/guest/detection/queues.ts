// Bugs of queue set-up, of descriptors and of ring contents. [virtio 1.4, 2.7, 3.3.1, 4.2.3.2]
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { usedOffset } from '../../../emulator/virtio/spec/split-ring';
import { blockDevice, consoleDevice } from '../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../driver/block';
import type { Piece, ScriptedDriver } from '../../driver/driver';
import { handOver, introduce, negotiate } from '../../unit/rules/twins/twin';
import type { Detection } from './detection';

const withIndirect = { features: featureSet(feature.VERSION_1, feature.INDIRECT_DESC) };

function readPieces(d: ScriptedDriver, at = 0): readonly Piece[] {
  return piecesOf(blockParts(d, 0, { at }));
}

/** Publishes a read without notifying; returns its head. */
function publishRead(d: ScriptedDriver, at: number): number {
  const head = d.addChain(d.queue(), readPieces(d, at));
  d.publish(d.queue(), head);
  return head;
}

export const queueDetections: readonly Detection[] = [
  {
    bug: 'VB-039',
    does: 'makes the queue as large as it likes, above QueueSizeMax',
    rule: 'queue.size-above-maximum',
    script: (d, wrong) => {
      negotiate(d);
      d.selectQueue(0);
      const most = d.readMaximumSize();
      d.writeQueueSize(wrong ? most * 2 : most);
      return undefined;
    },
  },
  {
    bug: 'VB-041',
    does: 'links a descriptor to one at the queue size',
    rule: 'split.next-out-of-range',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addChain(queue, readPieces(d));
      if (wrong) d.bench.store(queue.descriptors + 14, 2, queue.size);
      handOver(d, queue, head, wrong);
      return undefined;
    },
  },
  {
    bug: 'VB-042',
    does: 'reads QueueSizeMax of the second queue before it selects that queue',
    rule: 'queue.size-maximum-not-read',
    bench: () => ({ devices: [consoleDevice()] }),
    script: (d, wrong) => {
      negotiate(d);
      d.setUpQueue(0);
      if (!wrong) d.selectQueue(1);
      d.readMaximumSize();
      if (wrong) d.selectQueue(1);
      d.writeQueueSize(8);
      return undefined;
    },
  },
  {
    bug: 'VB-046',
    does: 'gives the used ring an address that is 2 modulo 4',
    rule: 'queue.misaligned',
    script: (d, wrong) => {
      negotiate(d);
      const place = d.placeQueue(0);
      d.setUpQueue(0, wrong ? { used: place.used + 2 } : {});
      return undefined;
    },
  },
  {
    bug: 'VB-049',
    does: 'keeps a variable where avail_event of the used ring lies',
    rule: 'split.used-ring-written',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const end = queue.used + usedOffset.availEvent(queue.size);
      d.bench.store(wrong ? end : end + 2, 2, 0x1234);
      readSector(d);
      return undefined;
    },
  },
  {
    bug: 'VB-050',
    does: 'enables its queue and negotiates features afterwards',
    rule: 'init.queue-before-features-ok',
    script: (d, wrong) => {
      introduce(d);
      if (wrong) d.setUpQueue(0);
      d.negotiate();
      d.confirmFeatures();
      if (!wrong) d.setUpQueue(0);
      d.driverOk();
      return undefined;
    },
  },
  {
    bug: 'VB-071',
    does: 'lets the available index go from queue size - 1 to 0',
    rule: 'split.available-index-backwards',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      for (let i = 1; i < queue.size; i++) readSector(d);
      const head = d.addChain(queue, readPieces(d));
      d.storeSlot(queue, head);
      d.storeIndex(queue, wrong ? 0 : queue.size);
      return undefined;
    },
  },
  {
    bug: 'VB-083',
    does: 'puts a descriptor back on its free list twice and hands it out while it is in flight',
    rule: 'ownership.descriptor-published-twice',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const first = publishRead(d, 0);
      const second = d.addChain(queue, readPieces(d, 0x1000));
      d.publish(queue, wrong ? first : second);
      return undefined;
    },
  },
  {
    bug: 'VB-085',
    does: 'submits a request of more descriptors than are free',
    rule: 'ownership.descriptor-changed',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      publishRead(d, 0);
      publishRead(d, 0x1000);
      // Eight descriptors, six of them in flight: a third request does not fit.
      if (!wrong) {
        d.notify(queue);
        d.waitUsed(queue);
      }
      d.addChain(queue, readPieces(d, 0x2000));
      return undefined;
    },
  },
  {
    bug: 'VB-089',
    does: 'sends a block request of one readable descriptor',
    rule: 'block.no-status-byte',
    script: (d, wrong) => {
      d.start();
      const { header, data, status } = blockParts(d, 0);
      const queue = d.queue();
      handOver(d, queue, d.addChain(queue, wrong ? [header] : [header, ...data, status]), wrong);
      return undefined;
    },
  },
  {
    bug: 'VB-091',
    does: 'sends a request header with the padding that its compiler added',
    rule: 'block.data-length',
    script: (d, wrong) => {
      d.start();
      const { header, data, status } = blockParts(d, 1);
      const queue = d.queue();
      const sent = wrong ? { ...header, length: header.length + 8 } : header;
      handOver(d, queue, d.addChain(queue, [sent, ...data, status]), wrong);
      return undefined;
    },
  },
  {
    bug: 'VB-093',
    does: 'stores one descriptor more than the length of its indirect table says',
    rule: 'split.next-out-of-range',
    driver: withIndirect,
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const pieces = readPieces(d);
      const head = d.addIndirectChain(queue, pieces, d.table());
      if (wrong) d.bench.store(queue.descriptors + head * 16 + 8, 4, (pieces.length - 1) * 16);
      handOver(d, queue, head, wrong);
      return undefined;
    },
  },
  {
    bug: 'VB-095',
    does: 'frees its oldest chain at each used entry, whatever the id says',
    rule: 'ownership.descriptor-changed',
    bench: () => ({ devices: [blockDevice({ mood: ['outOfOrderCompletion'] })] }),
    driver: { queueSize: 16 },
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const heads = Array.from({ length: 4 }, (_, i) => publishRead(d, i * 0x1000));
      d.notifyIfWanted(queue);
      for (const oldest of heads) {
        const used = d.waitUsed(queue);
        queue.nextFree = wrong ? oldest : used;
        publishRead(d, ((wrong ? oldest : used) / 3) * 0x1000 + 0x400);
        d.notifyIfWanted(queue);
      }
      return undefined;
    },
  },
  {
    bug: 'VB-111',
    does: 'hands over a buffer on a stack that is mapped elsewhere, as a physical address outside RAM',
    rule: 'split.buffer-outside-memory',
    script: (d, wrong) => {
      d.start();
      const { header, data, status } = blockParts(d, 0);
      const queue = d.queue();
      const sent = wrong ? { ...header, address: 0x4000_0000 } : header;
      handOver(d, queue, d.addChain(queue, [sent, ...data, status]), wrong);
      return undefined;
    },
  },
  {
    bug: 'VB-127',
    does: 'puts a virtual address into a descriptor',
    rule: 'split.buffer-outside-memory',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addChain(queue, readPieces(d));
      if (wrong) d.bench.store(queue.descriptors + 16, 8, 0xffff_ffff_8002_0100n);
      handOver(d, queue, head, wrong);
      return undefined;
    },
  },
  {
    bug: 'VB-140',
    does: 'decides by avail_event without having negotiated VIRTIO_F_EVENT_IDX',
    rule: 'split.avail-event-read',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      publishRead(d, 0);
      if (wrong) d.ram(queue.used + usedOffset.availEvent(queue.size), 2);
      else d.ram(queue.used + usedOffset.flags, 2);
      d.notify(queue);
      d.waitUsed(queue);
      return undefined;
    },
  },
  {
    bug: 'VB-183',
    does: 'initialises the device again and keeps the indices of its last life in the ring',
    rule: 'queue.index-not-zero',
    script: (d, wrong) => {
      d.start();
      readSector(d);
      d.reset();
      d.acknowledge();
      d.driver();
      d.negotiate();
      d.confirmFeatures();
      const place = d.placeQueue(0);
      d.selectQueue(0);
      d.readMaximumSize();
      d.writeQueueSize(place.size);
      if (!wrong) d.clearRings(place);
      d.writeAddresses(place);
      d.enableQueue();
      d.driverOk();
      return undefined;
    },
  },
];
