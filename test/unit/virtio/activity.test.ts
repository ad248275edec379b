// What the device does by itself and when: one fact for each scheduled action, latencies, suppression, driver errors, save and restore.
// [virtio 1.4, 2.7; design: when a device acts, what the device does about it]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OnDriverError } from '../../../emulator/configuration';
import type { EventKind } from '../../../emulator/record/events';
import {
  blockConfiguration,
  type Piece,
  placesAt,
  ramBase,
  register,
  TestDisk,
  VirtioBench,
  withoutStamp,
} from './bench';

const EVENT_IDX = 29;
const places = placesAt(ramBase, 8);
const header = ramBase + 0x8000;
const data = ramBase + 0x9000;
const statusByte = ramBase + 0xa000;

function bench(more: { onDriverError?: OnDriverError; queueSize?: number } = {}): VirtioBench {
  return new VirtioBench([blockConfiguration(new TestDisk(64 * 1024), more)]);
}

/** A read of one sector; three descriptors from `head`. */
function readRequest(b: VirtioBench, head: number, sector = 2): void {
  b.memory.write32(header, 0);
  b.memory.write64(header + 8, BigInt(sector));
  b.chain(places.descriptor, head, [
    { address: header, length: 16 },
    { address: data, length: 512, writable: true },
    { address: statusByte, length: 1, writable: true },
  ]);
}

const deviceKinds: EventKind[] = ['fetch', 'dma-read', 'request', 'dma-write', 'used', 'suppression', 'interrupt'];

describe('a request in time', () => {
  it('is fetched 1 us after the notification and used 10 us after the fetch', () => {
    const b = bench();
    b.start([places]);
    readRequest(b, 0);
    b.publish(places, 0);
    b.notify(0);
    const notified = b.eventsOf('notify')[0]?.virtualNanoseconds ?? 0;
    b.advance(100_000);
    const at = (kind: 'fetch' | 'used'): number | undefined => b.eventsOf(kind)[0]?.virtualNanoseconds;
    assert.deepEqual([at('fetch'), at('used')], [notified + 1_000, notified + 11_000]);
  });

  it('makes one fact for each scheduled action, so that stepping can stop between any two', () => {
    const b = bench();
    b.start([places]);
    readRequest(b, 0);
    b.publish(places, 0);
    b.notify(0);
    const perAction: EventKind[][] = [];
    for (let guard = 0; guard < 100; guard++) {
      const before = b.events.length;
      b.step = Math.max(b.step, b.clock.nextStep() ?? b.step);
      if (!b.clock.runOneDue()) break;
      perAction.push(b.events.slice(before).map((e) => e.kind));
    }
    for (const kinds of perAction) {
      const facts = kinds.filter((kind) => kind !== 'interrupt-line');
      assert.ok(facts.length <= 1, `one action made ${facts.join(', ')}`);
    }
    assert.deepEqual(perAction.flat(), [
      'suppression',
      'fetch',
      'dma-read',
      'request',
      'suppression',
      'dma-write',
      'dma-write',
      'used',
      'interrupt',
      'interrupt-line',
    ]);
  });

  it('acts only after the notifying store, never inside it', () => {
    const b = bench();
    b.start([places]);
    readRequest(b, 0);
    b.publish(places, 0);
    b.notify(0);
    assert.deepEqual(b.kinds(...deviceKinds), []);
    assert.equal(b.inspect().queues[0]?.notificationPending, true);
  });

  it('shows the buffer in flight with its state and times', () => {
    const b = bench();
    b.start([places]);
    readRequest(b, 3);
    b.publish(places, 3);
    b.notify(0);
    b.advance(5_000);
    const [queue] = b.inspect().queues;
    assert.deepEqual(
      queue?.inFlight.map((f) => [
        f.head,
        f.state,
        f.description,
        f.status,
        f.written,
        f.readableLength,
        f.writableLength,
      ]),
      [[3, 'completing', 'read 1 sector from sector 2', 'VIRTIO_BLK_S_OK', 513, 16, 513]],
    );
    const [flight] = queue?.inFlight ?? [];
    assert.equal(flight?.dueNanoseconds, (flight?.fetchedAtNanoseconds ?? 0) + 10_000);
    assert.deepEqual([queue?.lastAvailable, queue?.usedIndex], [1, 0]);
    assert.equal(b.peek(data, 8), 0n, 'data reaches memory only when the latency is over');
    b.advance(10_000);
    assert.deepEqual(b.inspect().queues[0]?.inFlight, []);
  });

  it('gives buffers back in the order of fetching', () => {
    const b = bench();
    b.start([places]);
    readRequest(b, 0);
    readRequest(b, 3);
    b.publish(places, 3, 0);
    b.notify(0);
    b.advance(50_000);
    assert.deepEqual(
      b.eventsOf('used').map((e) => [e.head, e.slot, e.usedIndex, e.length]),
      [
        [3, 0, 1, 513],
        [0, 1, 2, 513],
      ],
    );
    assert.deepEqual([b.usedIndex(places), b.usedElement(places, 0)], [2, { id: 3, len: 513 }]);
  });

  it('runs on past the wrap of the 16-bit indices, with a queue size that is no power of two too', () => {
    for (const size of [4, 3]) {
      const b = bench();
      const small = placesAt(ramBase, size);
      b.start([small], [EVENT_IDX]);
      b.memory.write32(header, 4);
      b.chain(small.descriptor, 0, [
        { address: header, length: 16 },
        { address: statusByte, length: 1, writable: true },
      ]);
      for (let i = 0; i < 200; i++) {
        b.publish(small, 0);
        b.notify(0);
        b.advance(20_000);
      }
      assert.equal(b.usedIndex(small), 200);
      assert.equal(b.inspect().needsReset, undefined);
    }
  });
});

describe('notifications from the driver', () => {
  it('are silenced by NO_NOTIFY while the device looks by itself, and what comes meanwhile is found', () => {
    const b = bench();
    b.start([places]);
    readRequest(b, 0);
    readRequest(b, 3);
    b.publish(places, 0);
    b.notify(0);
    b.advance(1_500);
    assert.equal(b.memory.read16(places.used), 1, 'NO_NOTIFY is set');
    b.publish(places, 3);
    b.advance(50_000);
    assert.equal(b.memory.read16(places.used), 0);
    assert.equal(b.usedIndex(places), 2, 'the second was served without a notification');
    assert.deepEqual(
      b.eventsOf('suppression').map((e) => [e.field, e.value]),
      [
        ['flags', 1],
        ['flags', 0],
        ['flags', 1],
        ['flags', 0],
      ],
    );
  });

  it('with EVENT_IDX are asked for by avail_event, and used.flags stays 0', () => {
    const b = bench();
    b.start([places], [EVENT_IDX]);
    readRequest(b, 0);
    b.publish(places, 0);
    b.notify(0);
    b.advance(50_000);
    assert.deepEqual(
      b.eventsOf('suppression').map((e) => [e.field, e.value]),
      [['avail_event', 1]],
    );
    assert.equal(b.memory.read16(places.used), 0);
    assert.equal(b.memory.read16(places.used + 4 + 8 * 8), 1);
    assert.equal(b.inspect().queues[0]?.writtenAvailableEvent, 1);
  });

  it('without new buffers are harmless (lguest.b.spurious)', () => {
    const b = bench();
    b.start([places]);
    for (let i = 0; i < 3; i++) {
      b.notify(0);
      b.advance(5_000);
    }
    assert.deepEqual(b.kinds('fetch', 'used', 'interrupt', 'needs-reset'), []);
    readRequest(b, 0);
    b.publish(places, 0);
    b.notify(0);
    b.advance(50_000);
    assert.equal(b.usedIndex(places), 1);
  });

  it('published without a notification stays unfetched', () => {
    const b = bench();
    b.start([places]);
    b.advance(10_000);
    readRequest(b, 0);
    b.publish(places, 0);
    b.advance(1_000_000);
    assert.deepEqual(b.kinds('fetch'), []);
  });
});

describe('interrupts to the driver', () => {
  function serve(b: VirtioBench, count: number): void {
    for (let i = 0; i < count; i++) {
      readRequest(b, 0);
      b.publish(places, 0);
      b.notify(0);
      b.advance(20_000);
    }
  }

  it('are not raised while avail.flags has NO_INTERRUPT (lguest.b.no-interrupt-flag)', () => {
    const b = bench();
    b.start([places]);
    b.store(places.available, 2, 1);
    serve(b, 1);
    assert.deepEqual(
      b.eventsOf('interrupt').map((e) => e.outcome),
      ['suppressed'],
    );
    assert.equal(b.read(register.InterruptStatus), 0);
    assert.equal(b.inspect().queues[0]?.seenAvailableFlags, 1);
    b.store(places.available, 2, 0);
    serve(b, 2);
    assert.deepEqual(
      b.eventsOf('interrupt').map((e) => e.outcome),
      ['suppressed', 'raised', 'already-pending'],
    );
  });

  it('ignore used_event while EVENT_IDX is not negotiated (lguest.b.ignore-used-event)', () => {
    const b = bench();
    b.start([places]);
    b.store(places.available + 4 + 16, 2, 1000);
    serve(b, 1);
    assert.equal(b.eventsOf('interrupt')[0]?.outcome, 'raised');
  });

  it('with EVENT_IDX follow used_event and ignore the flag', () => {
    const b = bench();
    b.start([places], [EVENT_IDX]);
    b.store(places.available, 2, 1);
    b.store(places.available + 4 + 16, 2, 2);
    serve(b, 4);
    assert.deepEqual(
      b.eventsOf('interrupt').map((e) => e.outcome),
      // The first decision has nothing to compare with, as in QEMU; then only the entry with index 2 counts.
      ['raised', 'suppressed', 'already-pending', 'suppressed'],
    );
    assert.equal(b.inspect().queues[0]?.seenUsedEvent, 2);
  });
});

describe('a stopped queue or device', () => {
  it('QueueReady 0 drops what is under way and leaves memory alone', () => {
    const b = bench();
    b.start([places]);
    readRequest(b, 0);
    b.publish(places, 0);
    b.notify(0);
    b.advance(5_000);
    b.write(register.QueueReady, 0);
    const before = b.memory.read(ramBase, 0x10000);
    b.advance(100_000);
    assert.deepEqual(b.memory.read(ramBase, 0x10000), before);
    assert.deepEqual(b.kinds('used'), []);
    assert.deepEqual(b.inspect().queues[0]?.inFlight, []);
  });

  it('a reset at any moment of a request leaves nothing that acts later', () => {
    for (let after = 0; after < 12_000; after += 500) {
      const b = bench();
      b.start([places]);
      readRequest(b, 0);
      b.publish(places, 0);
      b.notify(0);
      b.advance(after);
      b.write(register.Status, 0);
      const count = b.events.length;
      const memory = b.memory.read(ramBase, 0x10000);
      b.advance(100_000);
      assert.deepEqual(
        b.events.slice(count).map((e) => e.kind),
        ['reset-done'],
      );
      assert.deepEqual(b.memory.read(ramBase, 0x10000), memory);
    }
  });
});

describe('driver errors', () => {
  const NEXT = 1;
  const loop = (b: VirtioBench): void => {
    b.descriptor(places.descriptor, 0, header, 16, NEXT, 1);
    b.descriptor(places.descriptor, 1, header, 16, NEXT, 0);
    b.publish(places, 0);
  };
  const provoke: readonly (readonly [string, (b: VirtioBench) => void])[] = [
    ['a loop', loop],
    ['a head out of range', (b) => b.publish(places, 8)],
    ['an available index that jumps', (b) => b.store(places.available + 2, 2, 500)],
    [
      'a request without a status byte',
      (b) => {
        b.chain(places.descriptor, 0, [{ address: header, length: 16 }]);
        b.publish(places, 0);
      },
    ],
    [
      'a buffer outside RAM',
      (b) => {
        b.chain(places.descriptor, 0, [{ address: 0x10, length: 16 }]);
        b.publish(places, 0);
      },
    ],
  ];

  for (const [what, make] of provoke) {
    for (const policy of ['qemu', 'needs-reset'] as const) {
      it(`${what}: ${policy} sets DEVICE_NEEDS_RESET, interrupts for it and stops`, () => {
        const b = bench({ onDriverError: policy });
        b.start([places]);
        make(b);
        b.notify(0);
        b.advance(50_000);
        assert.equal(b.read(register.Status), 15 | 64);
        assert.equal(b.read(register.InterruptStatus), 2);
        assert.ok((b.inspect().needsReset ?? '').length > 0);
        assert.deepEqual(b.kinds('needs-reset', 'used'), ['needs-reset']);
        readRequest(b, 4);
        b.publish(places, 4);
        b.notify(0);
        b.advance(50_000);
        assert.equal(b.usedIndex(places), 0);
        b.start([placesAt(ramBase + 0x4000, 8)]);
        assert.equal(b.read(register.Status), 15, 'a reset helps');
      });
    }

    it(`${what}: ignore goes on with the next request`, () => {
      const b = bench({ onDriverError: 'ignore' });
      b.start([places]);
      make(b);
      b.notify(0);
      b.advance(50_000);
      assert.equal(b.read(register.Status), 15);
      readRequest(b, 4);
      b.publish(places, 4);
      b.notify(0);
      b.advance(50_000);
      assert.equal(b.eventsOf('used').at(-1)?.head, 4);
      assert.deepEqual(b.kinds('needs-reset'), []);
    });
  }

  it('an available index that jumps while the device is quiet does not silence the driver for ever', () => {
    const b = bench({ onDriverError: 'ignore' });
    b.start([places]);
    readRequest(b, 0);
    b.publish(places, 0);
    b.notify(0);
    b.advance(1_100);
    assert.equal(b.memory.read16(places.used), 1);
    b.store(places.available + 2, 2, 500);
    b.notify(0);
    b.advance(50_000);
    assert.equal(b.memory.read16(places.used), 0);
  });

  it('a chain that breaks a rule but can be served is served by qemu, not by needs-reset', () => {
    for (const [policy, used] of [
      ['qemu', 1],
      ['ignore', 1],
      ['needs-reset', 0],
    ] as const) {
      const b = bench({ onDriverError: policy });
      b.start([places]);
      const table = ramBase + 0xb000;
      b.memory.write32(header, 4);
      b.chain(table, 0, [
        { address: header, length: 16 },
        { address: statusByte, length: 1, writable: true },
      ]);
      b.descriptor(places.descriptor, 0, table, 32, 4);
      b.publish(places, 0);
      b.notify(0);
      b.advance(50_000);
      assert.equal(b.usedIndex(places), used, policy);
    }
  });

  it('a queue outside RAM is ready but never served; qemu and needs-reset give up', () => {
    for (const [policy, status] of [
      ['qemu', 11 | 64],
      ['needs-reset', 11 | 64],
      ['ignore', 11],
    ] as const) {
      const b = bench({ onDriverError: policy });
      b.negotiate();
      b.setUpQueue(0, { ...places, used: 0x1000 });
      b.advance(1_000);
      assert.equal(b.read(register.Status), status, policy);
      assert.equal(b.read(register.QueueReady), 1);
      assert.equal(b.inspect().queues[0]?.inMemory, false);
      b.write(register.Status, 15);
      b.notify(0);
      b.advance(50_000);
      assert.deepEqual(b.kinds('fetch'), []);
    }
  });

  it('illegal register writes are dropped by qemu and end the device with needs-reset', () => {
    for (const [policy, status] of [
      ['qemu', 11],
      ['ignore', 11],
      ['needs-reset', 11 | 64],
    ] as const) {
      const b = bench({ onDriverError: policy });
      b.negotiate();
      b.write(register.MagicValue, 1);
      b.advance(10);
      assert.equal(b.read(register.Status), status, policy);
    }
  });

  it('over-accepted features: refused by qemu, masked by ignore', () => {
    assert.equal(bench({ onDriverError: 'qemu' }).negotiate([12]), 3);
    const b = bench({ onDriverError: 'ignore' });
    assert.equal(b.negotiate([12]), 11);
    assert.equal(b.inspect().negotiatedFeatures, 1n << 32n);
  });
});

describe('save and restore', () => {
  /** A run of several requests that touches every kind of action. */
  function drive(b: VirtioBench): void {
    b.start([places], [EVENT_IDX]);
    for (const head of [0, 3]) readRequest(b, head);
    b.publish(places, 0, 3);
    b.notify(0);
  }

  it('going on from a restored state is the same as never having stopped, at any moment', () => {
    for (let moment = 0; moment <= 24_000; moment += 600) {
      const original = bench();
      drive(original);
      original.advance(moment);
      const saved = structuredClone({ virtio: original.virtio.save(), clock: original.clock.save() });
      const memory = original.memory.read(ramBase, 0x10000);

      const copy = bench();
      // The copy has a past of its own, which has to be forgotten.
      drive(copy);
      copy.advance(7_000);
      copy.memory.write(ramBase, memory);
      copy.virtio.restore(saved.virtio);
      copy.clock.restore(saved.clock);
      copy.step = original.step;
      copy.lines.clear();
      assert.deepEqual(copy.virtio.save(), original.virtio.save());
      assert.deepEqual(copy.inspect(), original.inspect());

      const from = [original.events.length, copy.events.length] as const;
      for (const b of [original, copy]) {
        b.advance(30_000);
        b.write(register.InterruptACK, b.read(register.InterruptStatus));
        readRequest(b, 0);
        b.publish(places, 0);
        b.notify(0);
        b.advance(30_000);
      }
      const tail = (b: VirtioBench, start: number): unknown[] =>
        b.events.slice(start).map((event) => [event.step, event.virtualNanoseconds, withoutStamp(event)]);
      assert.deepEqual(tail(copy, from[1]), tail(original, from[0]));
      assert.deepEqual(copy.virtio.save(), original.virtio.save());
      assert.deepEqual(copy.memory.read(ramBase, 0x10000), original.memory.read(ramBase, 0x10000));
    }
  });

  it('saved state shares nothing with the live one, and looking changes nothing', () => {
    const b = bench();
    drive(b);
    b.advance(4_000);
    const saved = b.virtio.save();
    const before = structuredClone(saved);
    b.inspect();
    for (const region of b.virtio.regions) region.peek(0x70, 4);
    assert.deepEqual(b.virtio.save(), before);
    b.advance(50_000);
    assert.deepEqual(saved, before);
  });
});

describe('indirect tables', () => {
  it('carry requests when negotiated', () => {
    const b = bench();
    b.start([places], [28]);
    const table = ramBase + 0xb000;
    const pieces: Piece[] = [
      { address: header, length: 16 },
      { address: data, length: 512, writable: true },
      { address: statusByte, length: 1, writable: true },
    ];
    b.memory.write32(header, 0);
    b.chain(table, 0, pieces);
    b.descriptor(places.descriptor, 5, table, 48, 4);
    b.publish(places, 5);
    b.notify(0);
    b.advance(50_000);
    assert.deepEqual(b.usedElement(places, 0), { id: 5, len: 513 });
    assert.deepEqual(b.eventsOf('fetch')[0]?.chain.defects, []);
  });
});
