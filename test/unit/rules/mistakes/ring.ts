// Mistakes in rings and descriptors, in both formats. [virtio 1.4, 2.7, 2.8]
import { eventOffset, packedFlag, packedOffset } from '../../../../emulator/virtio/spec/packed-ring';
import {
  availableOffset,
  descriptorBytes,
  descriptorFlag,
  descriptorOffset,
  usedOffset,
} from '../../../../emulator/virtio/spec/split-ring';
import type { Piece } from '../../../driver/driver';
import type { Traffic } from '../../../driver/traffic';
import { all, either, isPacked, isSplit, type Mistake } from './mistake';

/** A read whose pieces are changed, published and notified. */
function sendChanged(t: Traffic, change: (pieces: Piece[]) => Piece[], table = false): void {
  t.publish(t.add(change(t.pieces(1, 1)), table));
  t.notify();
}

function store(t: Traffic, at: number, field: 'flags' | 'next', value: number): void {
  const offset = t.ring.packed ? packedOffset.flags : descriptorOffset[field];
  t.bench.store(at + offset, 2, value);
}

export const ringMistakes: readonly Mistake[] = [
  {
    name: 'a header behind the data',
    rule: either('split.readable-after-writable', 'packed.readable-after-writable'),
    make: (t) => sendChanged(t, ([header, data, status]) => (header && data && status ? [data, header, status] : [])),
  },
  {
    name: 'a virtual address',
    rule: either('split.buffer-outside-memory', 'packed.buffer-outside-memory'),
    make: (t) =>
      sendChanged(t, (pieces) => pieces.map((piece, i) => (i === 1 ? { ...piece, address: 0x40_0000_0000 } : piece))),
  },
  {
    name: 'an empty buffer',
    rule: either('split.zero-length', 'packed.zero-length'),
    make: (t) =>
      sendChanged(t, ([header, data, ...rest]) =>
        header && data ? [header, data, { ...data, length: 0 }, ...rest] : [],
      ),
  },
  {
    name: 'a table without the feature',
    applies: ({ indirect }) => !indirect,
    rule: either('split.indirect-not-negotiated', 'packed.indirect-not-negotiated'),
    make: (t) => {
      t.publish(t.d.addIndirectChain(t.queue, t.pieces(1, 1), t.table()));
      t.notify();
    },
  },
  {
    name: 'a stray flag in a table',
    applies: ({ indirect, inOrder }) => indirect && !inOrder,
    rule: either('split.indirect-nested', 'packed.indirect-entry-flags'),
    make: (t) => {
      const table = t.table();
      const head = t.add(t.pieces(1, 1), true);
      store(t, table, 'flags', descriptorFlag.INDIRECT | (t.ring.packed ? 0 : descriptorFlag.NEXT));
      t.publish(head);
      t.notify();
    },
  },
  {
    name: 'a store to what the device has',
    rule: either('ownership.descriptor-changed', 'ownership.packed-descriptor-changed'),
    make: (t) => {
      const position = t.queue.availableIndex;
      const head = t.add(t.pieces(1, 1), false);
      t.publish(head);
      const slot = t.ring.packed ? position % t.queue.size : head;
      t.bench.store(t.queue.descriptors + slot * descriptorBytes + descriptorOffset.len, 4, 0x7777);
    },
  },
  {
    name: 'a store to what the device says',
    rule: either('split.used-ring-written', 'packed.device-area-written'),
    make: (t) => {
      const at = t.queue.used + (t.ring.packed ? eventOffset.desc : usedOffset.id(0));
      t.bench.store(at, 2, t.bench.memory.read16(at) ^ 0x5555);
    },
  },
  {
    name: 'suppression flags that mean nothing',
    rule: either('split.available-flags', 'packed.event-flags'),
    make: (t) => t.bench.store(t.queue.available + (t.ring.packed ? eventOffset.flags : 0), 2, 3),
  },
  {
    name: 'no notification',
    rule: ({ eventIdx }) => (eventIdx ? 'notify.missing-at-event' : 'notify.missing'),
    make: (t) => {
      t.publish(t.add(t.pieces(1, 1), false));
      t.bench.idle();
    },
  },
  {
    name: 'a head that does not exist',
    applies: isSplit,
    rule: () => 'split.head-out-of-range',
    make: (t) => {
      t.add(t.pieces(1, 1), false);
      t.publish(t.queue.size);
      t.notify();
    },
  },
  {
    name: 'a loop',
    applies: ({ packed, inOrder }) => !packed && !inOrder,
    rule: () => 'split.chain-endless',
    make: (t) => {
      const head = t.add(t.pieces(1, 1), false);
      const second = t.queue.descriptors + ((head + 1) % t.queue.size) * descriptorBytes;
      store(t, second, 'next', head);
      t.publish(head);
      t.notify();
    },
  },
  {
    name: 'an index that goes back',
    applies: isSplit,
    rule: () => 'split.available-index-backwards',
    make: (t) => t.d.storeIndex(t.queue, (t.queue.availableIndex - 1) & 0xffff),
  },
  {
    name: 'an index that jumps',
    applies: isSplit,
    rule: () => 'split.available-index-jump',
    make: (t) => t.d.storeIndex(t.queue, (t.queue.availableIndex + t.queue.size + 1) & 0xffff),
  },
  {
    name: 'a forgotten wrap counter',
    applies: isPacked,
    rule: () => 'packed.flags-wrong-lap',
    make: (t) => {
      t.add(t.pieces(1, 1), false);
      const { head, headFlags } = t.packed.state(t.queue);
      t.packed.storeFlags(t.queue, head, headFlags ^ (packedFlag.AVAIL | packedFlag.USED));
    },
  },
  {
    name: 'a list whose tail is missing',
    applies: isPacked,
    rule: () => 'packed.head-before-tail',
    make: (t) => {
      t.add([t.pieces(1, 1)[0] ?? { address: t.d.buffer(), length: 16 }], false);
      const { head, headFlags } = t.packed.state(t.queue);
      t.d.orderStores();
      t.packed.storeFlags(t.queue, head, headFlags | descriptorFlag.NEXT);
    },
  },
  {
    name: 'an id that is in use',
    applies: ({ packed, inOrder }) => packed && !inOrder,
    rule: () => 'packed.buffer-id-in-use',
    make: (t) => {
      const first = t.add(t.pieces(1, 1), false);
      t.publish(first);
      t.add(t.pieces(2, 1), false);
      const last = t.packed.descriptorAt(t.queue, t.packed.state(t.queue).next - 1);
      t.bench.store(last + packedOffset.id, 2, first);
      t.d.publish(t.queue, first);
      t.d.notify(t.queue);
    },
  },
  {
    name: 'a buffer published twice',
    applies: isSplit,
    rule: () => 'ownership.descriptor-published-twice',
    make: (t) => {
      const head = t.add(t.pieces(1, 1), false);
      t.publish(head);
      t.publish(head);
    },
  },
  {
    name: 'a link out of the table',
    applies: all(isSplit, ({ inOrder }) => !inOrder),
    rule: () => 'split.next-out-of-range',
    make: (t) => {
      const head = t.add(t.pieces(1, 1), false);
      store(t, t.queue.descriptors + head * descriptorBytes, 'next', t.queue.size);
      t.publish(head);
      t.notify();
    },
  },
  {
    name: 'a descriptor with a table and a link',
    applies: ({ indirect }) => indirect,
    rule: either('split.indirect-and-next', 'packed.indirect-in-list'),
    make: (t) => {
      const head = t.add(t.pieces(1, 1), true);
      if (t.ring.packed) {
        const state = t.packed.state(t.queue);
        state.headFlags |= descriptorFlag.NEXT;
      } else {
        const at = t.queue.descriptors + head * descriptorBytes;
        store(t, at, 'flags', descriptorFlag.INDIRECT | descriptorFlag.NEXT);
      }
      t.publish(head);
      t.notify();
    },
  },
  {
    name: 'a table of a broken length',
    applies: ({ indirect }) => indirect,
    rule: either('split.indirect-length', 'packed.indirect-length'),
    make: (t) => {
      const position = t.queue.availableIndex;
      const head = t.add(t.pieces(1, 1), true);
      const slot = t.ring.packed ? position % t.queue.size : head;
      t.bench.store(t.queue.descriptors + slot * descriptorBytes + descriptorOffset.len, 4, 3 * descriptorBytes + 8);
      t.publish(head);
      t.notify();
    },
  },
  {
    name: 'an index stored in parts',
    applies: isSplit,
    rule: () => 'split.torn-access',
    make: (t) => {
      const at = t.queue.available + availableOffset.idx;
      t.bench.store(at, 1, t.queue.availableIndex & 0xff);
    },
  },
];
