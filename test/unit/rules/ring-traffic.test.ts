// Legal random traffic through every combination of ring format and features finds no violation; the same traffic with one mistake of a
// list finds exactly the rule for that mistake. [virtio 1.4, 2.7, 2.8]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { eventFlag, eventOffset, packedFlag, packedOffset } from '../../../emulator/virtio/spec/packed-ring';
import {
  availableOffset,
  descriptorBytes,
  descriptorFlag,
  descriptorOffset,
  usedOffset,
} from '../../../emulator/virtio/spec/split-ring';
import { Bench, blockDevice } from '../../driver/bench';
import { blockParts } from '../../driver/block';
import { type DriverQueue, type Piece, ScriptedDriver } from '../../driver/driver';
import { PackedDriver } from '../../driver/packed-driver';

interface Ring {
  readonly packed: boolean;
  readonly indirect: boolean;
  readonly eventIdx: boolean;
  readonly inOrder: boolean;
  readonly notificationData: boolean;
  readonly queueSize: number;
}
type Action =
  | { readonly kind: 'submit'; readonly sector: number; readonly parts: number; readonly table: boolean }
  | { readonly kind: 'notify' | 'collect' | 'interrupt' }
  | { readonly kind: 'run'; readonly steps: number }
  | { readonly kind: 'suppress'; readonly how: 'none' | 'all' | 'event' };

const ringArbitrary: fc.Arbitrary<Ring> = fc
  .record({
    packed: fc.boolean(),
    indirect: fc.boolean(),
    eventIdx: fc.boolean(),
    inOrder: fc.boolean(),
    notificationData: fc.boolean(),
    exponent: fc.integer({ min: 3, max: 5 }),
    odd: fc.integer({ min: 0, max: 5 }),
  })
  .map(({ exponent, odd, ...ring }) => ({ ...ring, queueSize: ring.packed ? (1 << exponent) + odd : 1 << exponent }));

const submit = fc.record({
  kind: fc.constant('submit' as const),
  sector: fc.nat(60),
  parts: fc.integer({ min: 1, max: 3 }),
  table: fc.boolean(),
});
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: submit },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('notify' as const, 'collect', 'interrupt') }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('run' as const), steps: fc.integer({ min: 1, max: 15_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('suppress' as const),
      how: fc.constantFrom('none' as const, 'all', 'event'),
    }),
  },
);

/** Places of buffers and tables: one for each request that can be under way. */
const places = 16;

class Traffic {
  readonly bench: Bench;
  readonly d: ScriptedDriver;
  readonly queue: DriverQueue;
  private readonly sizes = new Map<number, number>();
  private taken = 0;
  private submitted = 0;
  private unnotified = false;

  constructor(readonly ring: Ring) {
    const bits = [
      ...(ring.packed ? [feature.RING_PACKED] : []),
      ...(ring.inOrder ? [feature.IN_ORDER] : []),
      ...(ring.notificationData ? [feature.NOTIFICATION_DATA] : []),
    ];
    this.bench = new Bench({ devices: [blockDevice({ featuresOn: featureSet(...bits), queueSize: 256 })] });
    const features = featureSet(
      feature.VERSION_1,
      ...bits,
      ...(ring.indirect ? [feature.INDIRECT_DESC] : []),
      ...(ring.eventIdx ? [feature.EVENT_IDX] : []),
    );
    const options = { features, queueSize: ring.queueSize };
    this.d = ring.packed ? new PackedDriver(this.bench, options) : new ScriptedDriver(this.bench, options);
    this.d.start();
    this.queue = this.d.queue();
  }

  get packed(): PackedDriver {
    assert.ok(this.d instanceof PackedDriver);
    return this.d;
  }

  /** A read of one sector in several buffers, at a place that no request under way uses. */
  pieces(sector: number, parts: number): Piece[] {
    const { header, status } = blockParts(this.d, 0, { sector, at: (this.submitted % places) * 0x400 });
    let address = header.address + 0x100;
    const data = dataLengths(parts).map((length) => {
      const piece = { address, length, deviceWritable: true };
      address += length;
      return piece;
    });
    return [header, ...data, status];
  }

  table(): number {
    return this.d.table((this.submitted % places) * 0x100);
  }

  /** Adds a chain and remembers how much it takes; the caller publishes. */
  add(pieces: readonly Piece[], table: boolean): number {
    const useTable = table && this.ring.indirect;
    const need = useTable ? 1 : pieces.length;
    while (this.queue.size - this.taken < need || this.sizes.size >= places) this.wait();
    const head = useTable
      ? this.d.addIndirectChain(this.queue, pieces, this.table())
      : this.d.addChain(this.queue, pieces);
    this.sizes.set(head, need);
    this.taken += need;
    this.submitted++;
    return head;
  }

  publish(head: number): void {
    this.d.publish(this.queue, head);
    this.unnotified = true;
  }

  act(each: Action): void {
    switch (each.kind) {
      case 'submit':
        this.publish(this.add(this.pieces(each.sector, each.parts), each.table));
        return;
      case 'notify':
        this.notify();
        return;
      case 'collect':
        if (this.d.hasUsed(this.queue)) this.collect();
        return;
      case 'interrupt':
        this.d.serveInterrupt();
        return;
      case 'run':
        this.bench.run(each.steps);
        return;
      case 'suppress':
        this.suppress(each.how);
    }
  }

  notify(): void {
    if (this.unnotified) this.d.notifyIfWanted(this.queue);
    this.unnotified = false;
  }

  /** Everything comes back, interrupts are wanted again, and nothing is left to do. */
  finish(): void {
    this.suppress('none');
    while (this.sizes.size > 0) this.wait();
    while (this.d.serveInterrupt());
    this.bench.idle();
  }

  private wait(): void {
    this.notify();
    this.d.serveInterrupt();
    this.collect();
  }

  private collect(): void {
    const before = [...this.sizes.keys()];
    const id = this.d.waitUsed(this.queue);
    const done = this.ring.inOrder ? before.slice(0, before.indexOf(id) + 1) : [id];
    for (const head of done) {
      this.taken -= this.sizes.get(head) ?? 0;
      this.sizes.delete(head);
    }
  }

  private suppress(how: 'none' | 'all' | 'event'): void {
    const { queue, d } = this;
    if (this.ring.packed) {
      if (how === 'event' && this.ring.eventIdx) this.packed.wantInterruptAt(queue, queue.lastUsed);
      else this.packed.wantInterrupts(queue, how === 'all' ? eventFlag.DISABLE : eventFlag.ENABLE);
    } else if (this.ring.eventIdx) {
      this.bench.store(queue.available + availableOffset.usedEvent(queue.size), 2, queue.lastUsed);
    } else this.bench.store(queue.available, 2, how === 'all' ? 1 : 0);
    // Whoever asks for interrupts looks once more for what came before. [2.7.7, 2.8.14]
    d.hasUsed(queue);
  }
}

/** 512 bytes in so many parts. */
function dataLengths(parts: number): readonly number[] {
  const lengths = Array.from({ length: parts - 1 }, (_, i) => 512 / 2 ** (i + 1));
  return [...lengths, 512 - lengths.reduce((sum, length) => sum + length, 0)];
}

function causes({ monitor }: Bench): readonly string[] {
  const { violations } = monitor;
  const consequences = new Set(violations.flatMap((violation) => violation.consequences));
  return violations.filter(({ number }) => !consequences.has(number)).map(({ rule }) => rule);
}
const told = ({ monitor }: Bench): string =>
  monitor.violations.map(({ rule, message }) => `${rule}: ${message}`).join('\n');

test('legal traffic is told nothing', () => {
  fc.assert(
    fc.property(ringArbitrary, fc.array(action, { minLength: 5, maxLength: 60 }), (ring, actions) => {
      const traffic = new Traffic(ring);
      for (const each of actions) traffic.act(each);
      traffic.finish();
      assert.equal(told(traffic.bench), '');
      const statuses = traffic.bench.monitor.events.slice().flatMap((e) => (e.kind === 'request' ? [e.status] : []));
      assert.ok(
        statuses.every((status) => status === undefined || status === 'VIRTIO_BLK_S_OK'),
        statuses.join(),
      );
    }),
    { numRuns: 120, seed: 20261121 },
  );
});

/** One mistake: made at the end of legal traffic, where it applies, and the rule that has to name it. */
interface Mutation {
  readonly name: string;
  readonly applies?: (ring: Ring) => boolean;
  readonly rule: (ring: Ring) => string;
  readonly make: (t: Traffic) => void;
}

const either = (split: string, packed: string) => (ring: Ring) => (ring.packed ? packed : split);
const isSplit = ({ packed }: Ring): boolean => !packed;
const isPacked = ({ packed }: Ring): boolean => packed;

/** A read whose pieces are changed, published and notified. */
function sendChanged(t: Traffic, change: (pieces: Piece[]) => Piece[], table = false): void {
  t.publish(t.add(change(t.pieces(1, 1)), table));
  t.notify();
}

function store(t: Traffic, at: number, field: 'flags' | 'next', value: number): void {
  const offset = t.ring.packed ? packedOffset.flags : descriptorOffset[field];
  t.bench.store(at + offset, 2, value);
}

const mutations: readonly Mutation[] = [
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
    name: 'a notification for another queue',
    rule: () => 'notify.unknown-queue',
    make: (t) => t.d.write('QueueNotify', t.queue.index + 5),
  },
  {
    name: 'wrong notification data',
    applies: ({ notificationData }) => notificationData,
    rule: () => 'notify.data-wrong',
    make: (t) => t.d.write('QueueNotify', (t.d.notification(t.queue) ^ 0x4_0000) >>> 0),
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
];

for (const mutation of mutations) {
  test(`one mistake is found by its rule: ${mutation.name}`, () => {
    fc.assert(
      fc.property(ringArbitrary, fc.array(action, { maxLength: 25 }), (ring, actions) => {
        fc.pre(mutation.applies?.(ring) ?? true);
        const traffic = new Traffic(ring);
        for (const each of actions) traffic.act(each);
        traffic.finish();
        // The device has gone to rest, so that it wants to be notified of what follows.
        traffic.bench.run(20_000);
        assert.equal(told(traffic.bench), '');
        mutation.make(traffic);
        traffic.bench.run(30_000);
        assert.deepEqual(causes(traffic.bench), [mutation.rule(ring)], told(traffic.bench));
      }),
      { numRuns: 12, seed: 20261121 },
    );
  });
}

test('every combination of format and features is met', () => {
  const met = new Set(
    fc
      .sample(ringArbitrary, { numRuns: 400, seed: 1 })
      .map(({ packed, indirect, eventIdx, inOrder, notificationData }) =>
        [packed, indirect, eventIdx, inOrder, notificationData].map(Number).join(''),
      ),
  );
  assert.equal(met.size, 32);
});
