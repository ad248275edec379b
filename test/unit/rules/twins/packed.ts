// Twins for packed rings: their set-up, their contents, their ownership and their suppression structures. [virtio 1.4, 2.8]
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import {
  availableBits,
  eventFlag,
  eventOffset,
  offsetAndWrap,
  packedFlag,
  packedOffset,
} from '../../../../emulator/virtio/spec/packed-ring';
import { descriptorBytes, descriptorFlag } from '../../../../emulator/virtio/spec/split-ring';
import type { Bench, BenchOptions } from '../../../driver/bench';
import { blockDevice } from '../../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../../driver/block';
import type { DriverOptions, DriverQueue, Piece } from '../../../driver/driver';
import { PackedDriver } from '../../../driver/packed-driver';
import { at, type Twin } from './twin';

const { NEXT, WRITE, INDIRECT } = descriptorFlag;
const packedDevice = (): BenchOptions => ({
  devices: [blockDevice({ featuresOn: featureSet(feature.RING_PACKED), queueSize: 256 })],
});
const withIndirect = { features: featureSet(feature.INDIRECT_DESC) };
const withEventIdx = { features: featureSet(feature.EVENT_IDX) };

/** A twin whose driver speaks packed rings. */
function packedTwin(
  rule: string,
  script: (d: PackedDriver, wrong: boolean, bench: Bench) => bigint | undefined,
  driver: DriverOptions = {},
): Twin {
  return {
    rule,
    bench: packedDevice,
    script: (_plain, wrong, bench) => script(new PackedDriver(bench, driver), wrong, bench),
  };
}

/** Pieces of a request that reads sectors into `parts` buffers, of which all but the last are short. */
function readPieces(d: PackedDriver, parts = 1): readonly Piece[] {
  const request = blockParts(d, 0);
  const short = 16;
  const data = Array.from({ length: parts }, (_, i) => ({
    address: d.buffer(0x1000 + i * short),
    length: i < parts - 1 ? short : 512 - ((short * (parts - 1)) % 512),
    deviceWritable: true,
  }));
  return [request.header, ...data, request.status];
}

/** Publishes the list that was written last; only the conforming driver expects to get it back. */
function handOver(d: PackedDriver, queue: DriverQueue, wrong: boolean): void {
  d.publish(queue);
  d.notifyIfWanted(queue);
  if (!wrong) d.waitUsed(queue);
}

const size = { addr: 8, len: 4, id: 2, flags: 2 } as const;
type Field = keyof typeof size;

/** A read whose list is changed in one field of one descriptor before it is published. */
function changed(rule: string, index: number, field: Field, wrongValue: number, rightValue: number): Twin {
  return packedTwin(rule, (d, wrong) => {
    d.start();
    const queue = d.queue();
    d.addChain(queue, readPieces(d));
    const address = queue.descriptors + index * descriptorBytes + packedOffset[field];
    const pc = at(d, () => d.bench.store(address, size[field], wrong ? wrongValue : rightValue));
    handOver(d, queue, wrong);
    return pc;
  });
}

/** A read through a table whose naming descriptor or entry is changed in one field. */
function changedTable(
  rule: string,
  where: (d: PackedDriver) => number,
  bytes: 2 | 4,
  wrongValue: number,
  right: number,
) {
  return packedTwin(
    rule,
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.addIndirectChain(queue, readPieces(d), d.table());
      d.bench.store(where(d), bytes, wrong ? wrongValue : right);
      handOver(d, queue, wrong);
      return undefined;
    },
    withIndirect,
  );
}

/** A read that is written but not published, on a bench that judges the order of accesses. */
function orderTwin(
  rule: string,
  driver: DriverOptions,
  script: (d: PackedDriver, queue: DriverQueue, wrong: boolean) => bigint,
): Twin {
  const twin = packedTwin(
    rule,
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.addChain(queue, readPieces(d));
      return script(d, queue, wrong);
    },
    driver,
  );
  return { ...twin, bench: () => ({ ...packedDevice(), order: true }) };
}

export const packedTwins: readonly Twin[] = [
  packedTwin('packed.misaligned', (d, wrong) => {
    d.probe();
    d.reset();
    d.acknowledge();
    d.driver();
    d.negotiate();
    d.confirmFeatures();
    const { used } = d.placeQueue(0);
    d.setUpQueue(0, { used: used + (wrong ? 2 : 4) });
    return d.bench.nextPc - 4n;
  }),
  ...(['ring', 'device area'] as const).map((where) =>
    packedTwin('packed.not-zeroed', (d, wrong) => {
      d.probe();
      d.reset();
      d.acknowledge();
      d.driver();
      d.negotiate();
      d.confirmFeatures();
      const { descriptors, used } = d.placeQueue(0);
      const leftover = where === 'ring' ? descriptors + descriptorBytes + packedOffset.flags : used + eventOffset.flags;
      if (wrong) d.clearRings = () => undefined;
      d.bench.store(leftover, 2, where === 'ring' ? packedFlag.AVAIL | packedFlag.USED : eventFlag.DISABLE);
      d.setUpQueue(0);
      return d.bench.nextPc - 4n;
    }),
  ),
  packedTwin(
    'packed.flags-wrong-lap',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      readSector(d);
      // The second list takes slot 3 and, in the next lap, slots 0 and 1.
      const id = d.allocate(queue);
      const [header, data, state] = readPieces(d);
      if (header === undefined || data === undefined || state === undefined) throw new Error('a read has three pieces');
      const store = (position: number, piece: Piece, flags: number, lapOf: number): void => {
        const to = d.descriptorAt(queue, position);
        d.bench.store(to + packedOffset.addr, 8, piece.address);
        d.bench.store(to + packedOffset.len, 4, piece.length);
        d.bench.store(to + packedOffset.id, 2, id);
        d.bench.store(to + packedOffset.flags, 2, flags | availableBits(lapOf, queue.size));
      };
      d.state(queue).outstanding.set(id, { descriptors: 3 });
      const pc = d.bench.nextPc + 12n;
      store(4, data, WRITE | NEXT, wrong ? 3 : 4);
      store(5, state, WRITE, 5);
      store(3, header, NEXT, 3);
      queue.availableIndex = 6;
      d.notify(queue);
      if (!wrong) d.waitUsed(queue);
      return pc;
    },
    { queueSize: 4 },
  ),
  packedTwin(
    'packed.list-too-long',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.addChain(queue, readPieces(d, 2));
      const last = WRITE | availableBits(3, queue.size) | (wrong ? NEXT : 0);
      const pc = at(d, () => d.bench.store(d.descriptorAt(queue, 3) + packedOffset.flags, 2, last));
      handOver(d, queue, wrong);
      return pc;
    },
    { queueSize: 4 },
  ),
  packedTwin(
    'packed.no-space',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.addChain(queue, readPieces(d));
      d.publish(queue);
      d.notify(queue);
      if (!wrong) d.waitUsed(queue);
      // Slots 3 and 4 are free; the list of three would end in slot 0.
      const [header, data, state] = readPieces(d);
      if (header === undefined || data === undefined || state === undefined) throw new Error('a read has three pieces');
      const id = d.allocate(queue);
      const next = queue.availableIndex;
      d.state(queue).outstanding.set(id, { descriptors: 3 });
      d.state(queue).head = next;
      d.writeElement(queue, next, header, id, NEXT);
      d.writeElement(queue, next + 1, data, id, NEXT | WRITE);
      if (!wrong) d.writeElement(queue, next + 2, state, id, WRITE);
      const pc = at(d, () => d.storeFlags(queue, next, d.state(queue).headFlags));
      d.notify(queue);
      queue.availableIndex = next + 3;
      if (!wrong) d.waitUsed(queue);
      return pc;
    },
    { queueSize: 5 },
  ),
  packedTwin('packed.head-before-tail', (d, wrong) => {
    d.start();
    const queue = d.queue();
    const pieces = readPieces(d);
    const id = d.allocate(queue);
    const state = d.state(queue);
    state.outstanding.set(id, { descriptors: 3 });
    state.head = 0;
    state.next = 3;
    const flags = [NEXT, NEXT | WRITE, WRITE];
    const element = (i: number): void => {
      const piece = pieces[i];
      if (piece !== undefined) d.writeElement(queue, i, piece, id, flags[i] ?? 0);
    };
    element(0);
    element(1);
    let pc: bigint | undefined;
    if (wrong) pc = at(d, () => d.publish(queue));
    element(2);
    if (!wrong) d.publish(queue);
    d.notify(queue);
    if (!wrong) d.waitUsed(queue);
    return pc;
  }),
  changed('packed.readable-after-writable', 2, 'flags', packedFlag.AVAIL, packedFlag.AVAIL | WRITE),
  packedTwin('packed.indirect-not-negotiated', (d, wrong) => {
    d.start();
    const queue = d.queue();
    const pieces = readPieces(d);
    if (wrong) d.addIndirectChain(queue, pieces, d.table());
    else d.addChain(queue, pieces);
    handOver(d, queue, wrong);
    return undefined;
  }),
  changedTable('packed.indirect-entry-flags', (d) => d.table() + packedOffset.flags, 2, NEXT, 0),
  packedTwin(
    'packed.indirect-in-list',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      const pieces = readPieces(d);
      const [header, ...rest] = pieces;
      if (header === undefined) throw new Error('a read has a header');
      if (!wrong) {
        d.addIndirectChain(queue, pieces, d.table());
        handOver(d, queue, wrong);
        return undefined;
      }
      d.addIndirectChain(queue, rest, d.table());
      const table = { address: d.table(), length: rest.length * descriptorBytes };
      d.addChain(queue, [header, table]);
      const to = d.descriptorAt(queue, 1) + packedOffset.flags;
      const pc = at(d, () => d.bench.store(to, 2, INDIRECT | availableBits(1, queue.size)));
      handOver(d, queue, wrong);
      return pc;
    },
    withIndirect,
  ),
  changedTable('packed.indirect-length', (d) => d.queue().descriptors + packedOffset.len, 4, 3, 3 * descriptorBytes),
  changed('packed.buffer-outside-memory', 1, 'addr', 0x1000, 0x8002_1000),
  packedTwin('packed.zero-length', (d, wrong) => {
    d.start();
    const queue = d.queue();
    const [header, data, state] = readPieces(d);
    if (header === undefined || data === undefined || state === undefined) throw new Error('a read has three pieces');
    d.addChain(queue, [header, data, { ...data, address: data.address + 0x400, length: wrong ? 0 : 512 }, state]);
    handOver(d, queue, wrong);
    return undefined;
  }),
  packedTwin(
    'packed.above-device-limit',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      const limit = d.config(12, 4);
      d.addIndirectChain(queue, readPieces(d, wrong ? limit + 1 : limit), d.table());
      const pc = at(d, () => d.publish(queue));
      d.notifyIfWanted(queue);
      return pc;
    },
    { features: featureSet(feature.INDIRECT_DESC, 2) },
  ),
  packedTwin(
    'packed.above-device-limit',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.addIndirectChain(queue, readPieces(d, wrong ? 1023 : 1022), d.table());
      d.publish(queue);
      d.notifyIfWanted(queue);
      return undefined;
    },
    withIndirect,
  ),
  packedTwin('packed.buffer-id-in-use', (d, wrong) => {
    d.start();
    const queue = d.queue();
    const first = d.addChain(queue, readPieces(d));
    d.publish(queue);
    d.addChain(queue, piecesOf(blockParts(d, 0, { at: 0x2000 })));
    const last = d.descriptorAt(queue, 5) + packedOffset.id;
    if (wrong) d.bench.store(last, 2, first);
    const pc = at(d, () => d.publish(queue));
    d.notify(queue);
    d.waitUsed(queue);
    if (!wrong) d.waitUsed(queue);
    return pc;
  }),
  ...(['in flight', 'used'] as const).map((when) =>
    packedTwin('ownership.packed-descriptor-changed', (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.addChain(queue, readPieces(d));
      d.publish(queue);
      d.notify(queue);
      if (wrong) d.bench.run(when === 'in flight' ? 3_000 : 40_000);
      else d.waitUsed(queue);
      return at(d, () => d.bench.store(d.descriptorAt(queue, 1) + packedOffset.len, 4, 1024));
    }),
  ),
  packedTwin(
    'ownership.indirect-table-changed',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.addIndirectChain(queue, readPieces(d), d.table());
      d.publish(queue);
      d.notify(queue);
      if (!wrong) d.waitUsed(queue);
      return at(d, () => d.bench.store(d.table() + descriptorBytes + packedOffset.len, 4, 1024));
    },
    withIndirect,
  ),
  packedTwin('packed.device-area-written', (d, wrong) => {
    d.start();
    const { used } = d.queue();
    return at(d, () => (wrong ? d.bench.store(used + 2, 2, eventFlag.DISABLE) : d.ram(used + 2, 2)));
  }),
  packedTwin('packed.event-flags', (d, wrong) => {
    d.start();
    return at(d, () => d.wantInterrupts(d.queue(), wrong ? eventFlag.DESC : eventFlag.DISABLE));
  }),
  packedTwin(
    'packed.event-offset',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      return at(d, () => d.bench.store(queue.available, 2, wrong ? 8 | 0x8000 : offsetAndWrap(7, queue.size)));
    },
    withEventIdx,
  ),
  packedTwin(
    'packed.published-unseen',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.addIndirectChain(queue, readPieces(d), d.table());
      // With both flags set it looks used instead.
      const pc = at(d, () => d.storeFlags(queue, 0, d.state(queue).headFlags | (wrong ? packedFlag.USED : 0)));
      d.notify(queue);
      return pc;
    },
    withIndirect,
  ),
  packedTwin(
    'packed.published-unseen',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      queue.availableIndex = wrong ? 2 : 0;
      d.addIndirectChain(queue, readPieces(d), d.table());
      const pc = at(d, () => d.publish(queue));
      d.notify(queue);
      return pc;
    },
    withIndirect,
  ),
  ...(['notify.missing', 'notify.missing-at-event'] as const).map((rule) =>
    packedTwin(
      rule,
      (d, wrong) => {
        d.start();
        const queue = d.queue();
        d.addChain(queue, readPieces(d));
        const pc = at(d, () => d.publish(queue));
        if (!wrong) {
          d.notifyIfWanted(queue);
          d.waitUsed(queue);
        }
        d.bench.idle();
        return pc;
      },
      rule === 'notify.missing' ? {} : withEventIdx,
    ),
  ),
  ...(['notify.suppressed', 'notify.event-not-reached'] as const).map((rule) =>
    packedTwin(
      rule,
      (d, wrong) => {
        d.start();
        const queue = d.queue();
        d.addChain(queue, readPieces(d));
        d.publish(queue);
        d.notifyIfWanted(queue);
        d.bench.run(1_200);
        d.addChain(queue, piecesOf(blockParts(d, 0, { at: 0x2000 })));
        d.publish(queue);
        const wanted = d.isNotificationWanted(queue);
        const pc = d.bench.nextPc;
        if (wanted || wrong) d.notify(queue);
        d.waitUsed(queue);
        d.waitUsed(queue);
        return pc;
      },
      rule === 'notify.suppressed' ? {} : withEventIdx,
    ),
  ),
  ...([{}, withEventIdx] as const).flatMap((driver) => [
    orderTwin('ordering.packed-publish', driver, (d, queue, wrong) => {
      if (wrong) d.bench.fence('w', 'o');
      else d.orderStores();
      const pc = at(d, () => d.storeFlags(queue, 0, d.state(queue).headFlags));
      queue.availableIndex = 3;
      d.notifyIfWanted(queue);
      d.waitUsed(queue);
      return pc;
    }),
    orderTwin('ordering.packed-notification-check', driver, (d, queue, wrong) => {
      d.publish(queue);
      if (wrong) d.bench.fence('w', 'w');
      else d.orderCheck();
      const pc = at(d, () => d.ram(queue.used, 4));
      d.notify(queue);
      d.waitUsed(queue);
      return pc;
    }),
  ]),
  orderTwin('ordering.packed-publish-buffer', {}, (d, queue, wrong) => {
    if (wrong) d.orderStores();
    d.bench.store(d.buffer(4), 4, 0);
    if (!wrong) d.orderStores();
    const pc = at(d, () => d.storeFlags(queue, 0, d.state(queue).headFlags));
    queue.availableIndex = 3;
    d.notifyIfWanted(queue);
    d.waitUsed(queue);
    return pc;
  }),
  ...[packedOffset.id, packedOffset.len, undefined].map((field) =>
    orderTwin('ordering.packed-used-flags', {}, (d, queue, wrong) => {
      d.publish(queue);
      d.notifyIfWanted(queue);
      while (!d.hasUsed(queue)) d.bench.run(500);
      if (wrong) d.bench.fence('r', 'w');
      else d.orderUsed();
      const place = field === undefined ? d.buffer(0x80) : d.descriptorAt(queue, 0) + field;
      return at(d, () => d.ram(place, field === packedOffset.len ? 4 : 1));
    }),
  ),
  orderTwin('ordering.packed-recheck', {}, (d, queue, wrong) => {
    d.publish(queue);
    d.notifyIfWanted(queue);
    d.waitUsed(queue);
    d.wantInterrupts(queue, eventFlag.DISABLE);
    d.wantInterrupts(queue, eventFlag.ENABLE);
    if (!wrong) d.bench.fence('w', 'r');
    const flags = d.descriptorAt(queue, queue.lastUsed) + packedOffset.flags;
    const pc = at(d, () => d.ram(flags, 2));
    d.bench.idle();
    return pc;
  }),
  orderTwin('ordering.doorbell', {}, (d, queue, wrong) => {
    d.publish(queue);
    if (wrong) d.bench.fence('rw', 'rw');
    else d.orderDoorbell();
    const pc = at(d, () => d.write('QueueNotify', 0));
    d.waitUsed(queue);
    return pc;
  }),
];
