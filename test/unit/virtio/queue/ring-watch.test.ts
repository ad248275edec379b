// Which facts loads and stores on ring memory make. [virtio 1.4, 2.7; design: who accesses]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AccessSize } from '../../../../emulator/bus/access';
import { pageFlag } from '../../../../emulator/cpu/contract';
import type { VirtioEvent } from '../../../../emulator/record/events';
import { blockConfiguration, placesAt, ramBase, register, TestDisk, VirtioBench, withoutStamp } from '../bench';

const places = placesAt(ramBase + 0x1000, 8);
const page = 1;
const table = ramBase + 0x6000;

function started(features: readonly number[] = [28]): VirtioBench {
  const b = new VirtioBench([blockConfiguration(new TestDisk(4096))]);
  b.start([places], features);
  b.events.length = 0;
  b.attempts.length = 0;
  return b;
}

function ringFacts(b: VirtioBench): Extract<VirtioEvent, { kind: 'ring-load' | 'ring-store' }>[] {
  return [...b.events].filter(
    (e): e is Extract<VirtioEvent, { kind: 'ring-load' | 'ring-store' }> =>
      e.kind === 'ring-load' || e.kind === 'ring-store',
  );
}

describe('ring watch', () => {
  it('watches the pages of a queue from enable until it is stopped', () => {
    const b = new VirtioBench([blockConfiguration(new TestDisk(4096))]);
    b.negotiate();
    assert.equal(b.watchFlags.get(page) ?? 0, 0);
    b.setUpQueue(0, places);
    assert.equal(b.watchFlags.get(page), pageFlag.watchLoad | pageFlag.watchStore);
    b.write(register.QueueReady, 0);
    assert.equal(b.watchFlags.get(page), 0);
    b.write(register.QueueReady, 1);
    b.write(register.Status, 0);
    assert.equal(b.watchFlags.get(page), 0);
  });

  it('names the field, its whole value before and after, and partial accesses', () => {
    const b = started();
    b.memory.write64(places.descriptor + 16, 0x1111_2222_3333_4444n);
    b.store(places.descriptor + 16 + 4, 4, 0xaaaa_bbbb);
    const [fact] = ringFacts(b);
    assert.ok(fact !== undefined);
    assert.deepEqual(
      [fact.kind, fact.place, fact.physicalAddress, fact.before, fact.after, fact.partial, fact.device, fact.queue],
      [
        'ring-store',
        { part: 'descriptor', index: 1, field: 'addr' },
        places.descriptor + 16,
        0x1111_2222_3333_4444n,
        0xaaaa_bbbb_3333_4444n,
        true,
        'vda',
        0,
      ],
    );
  });

  it('reports a wide access once for each field, in address order', () => {
    const b = started();
    b.store(places.descriptor + 8, 8, 0x0005_0003_0000_0200n);
    assert.deepEqual(
      ringFacts(b).map((f) => [f.place.part === 'descriptor' ? f.place.field : '', f.after, f.partial]),
      [
        ['len', 0x200n, false],
        ['flags', 3n, false],
        ['next', 5n, false],
      ],
    );
  });

  it('says nothing about other bytes of a watched page', () => {
    const b = started();
    b.store(ramBase + 0x1f00, 8, 1);
    b.load(ramBase + 0x1f00, 4);
    assert.deepEqual(b.events, []);
  });

  it('publishes when the available index moves, with the chains as they stand then', () => {
    const b = started();
    b.chain(places.descriptor, 0, [
      { address: ramBase + 0x8000, length: 16 },
      { address: ramBase + 0x8010, length: 1, writable: true },
    ]);
    b.publish(places, 0);
    const kinds = b.events.map((e) => e.kind);
    assert.deepEqual(kinds.slice(-2), ['ring-store', 'publish']);
    const [publish] = b.eventsOf('publish');
    assert.deepEqual([publish?.before, publish?.after, publish?.chains.length], [0, 1, 1]);
    assert.deepEqual(
      publish?.chains[0]?.elements.map((e) => [e.index, e.length, e.deviceWritable]),
      [
        [0, 16, false],
        [1, 1, true],
      ],
    );
    b.store(places.available + 2, 2, 1);
    assert.equal(b.eventsOf('publish').length, 1, 'storing the same index publishes nothing');
  });

  it('publishes from memory as it will be when one store covers index and entry', () => {
    const b = started();
    b.descriptor(places.descriptor, 6, ramBase + 0x8000, 16, 0);
    // flags 0, idx 1, ring[0] = 6, ring[1] = 0
    b.store(places.available, 8, 0x0000_0006_0001_0000n);
    const [publish] = b.eventsOf('publish');
    assert.deepEqual([publish?.after, publish?.chains[0]?.head, publish?.chains[0]?.defects.length], [1, 6, 0]);
    assert.equal(b.events.at(-1)?.kind, 'publish');
  });

  it('asks before, in the same words, and before the store has taken effect', () => {
    const b = started();
    b.descriptor(places.descriptor, 6, ramBase + 0x8000, 16, 0);
    b.store(places.available, 8, 0x0000_0006_0001_0000n);
    b.load(places.used + 2, 2);
    const recorded = b.events.map(withoutStamp);
    assert.deepEqual(b.attempts, recorded);
  });

  it('stops an access when the sink says so', () => {
    const b = started();
    b.answer = (fact) => (fact.kind === 'publish' ? 'stop' : 'proceed');
    const access = b.access(places.available + 2, 2, 'store', 1n);
    assert.equal(b.virtio.beforeWatched(access), 'stop');
    assert.equal(b.virtio.beforeWatched(b.access(places.available, 2, 'store', 1n)), 'proceed');
    assert.deepEqual(b.events, []);
  });

  it('describes an access anew when memory was changed while it was stopped', () => {
    const b = started();
    b.descriptor(places.descriptor, 0, ramBase + 0x8000, 16, 0);
    b.answer = (fact) => (fact.kind === 'publish' ? 'stop' : 'proceed');
    const access = b.access(places.available + 2, 2, 'store', 1n);
    b.virtio.beforeWatched(access);
    b.memory.write32(places.descriptor + 8, 99);
    b.memory.write16(places.available + 2, 1);
    b.virtio.afterWatched(access);
    assert.equal(b.eventsOf('publish')[0]?.chains[0]?.elements[0]?.length, 99);
  });

  it('collects when a load of the used index shows something new', () => {
    const b = started();
    b.load(places.used + 2, 2);
    assert.deepEqual(b.kinds('collect'), []);
    b.memory.write32(ramBase + 0x8000, 4);
    b.chain(places.descriptor, 0, [
      { address: ramBase + 0x8000, length: 16 },
      { address: ramBase + 0x8010, length: 1, writable: true },
    ]);
    b.publish(places, 0);
    b.notify(0);
    b.advance(50_000);
    assert.equal(b.inspect().queues[0]?.collectedIndex, 0);
    b.load(places.used, 4);
    b.load(places.used + 2, 2);
    assert.deepEqual(
      b.eventsOf('collect').map((e) => [e.before, e.after]),
      [[0, 1]],
    );
    assert.equal(b.inspect().queues[0]?.collectedIndex, 1);
  });

  it('an atomic that loads makes both facts', () => {
    const b = started();
    const access = { ...b.access(places.available, 4, 'atomic', 0x0001_0000n), loads: true, acquire: true };
    b.virtio.beforeWatched(access);
    b.memory.write32(places.available, 0x0001_0000);
    b.virtio.afterWatched(access);
    assert.deepEqual(
      b.events.map((e) => e.kind),
      ['ring-load', 'ring-load', 'ring-store', 'ring-store', 'publish'],
    );
    assert.deepEqual(
      ringFacts(b).map((f) => [f.before, f.after, f.acquire]),
      [
        [0n, 0n, true],
        [0n, 0n, true],
        [0n, 0n, true],
        [0n, 1n, true],
      ],
    );
  });

  it('watches an indirect table from publish until the device gives it back', () => {
    const b = started();
    b.chain(table, 0, [
      { address: ramBase + 0x8000, length: 16 },
      { address: ramBase + 0x8010, length: 1, writable: true },
    ]);
    assert.deepEqual(ringFacts(b), []);
    b.memory.write32(ramBase + 0x8000, 4);
    b.descriptor(places.descriptor, 0, table, 32, 4);
    b.publish(places, 0);
    b.notify(0);
    b.events.length = 0;
    b.store(table + 16 + 8, 4, 1);
    const [fact] = ringFacts(b);
    assert.deepEqual(fact?.place, { part: 'descriptor', index: 1, field: 'len', table });
    b.advance(50_000);
    assert.equal(b.usedIndex(places), 1);
    b.events.length = 0;
    b.store(table + 16 + 8, 4, 1);
    assert.deepEqual(ringFacts(b), [], "the table is the driver's again");
  });

  it('keeps the number of watched pages bounded however many tables a driver uses', () => {
    const b = started();
    b.memory.write32(ramBase + 0x8000, 4);
    const tables = Array.from({ length: 230 }, (_, i) => ramBase + 0x10000 + i * 0x1000);
    for (let round = 0; round < 2; round++) {
      for (const at of tables) {
        const shifted = at + round * 0x40;
        b.chain(shifted, 0, [
          { address: ramBase + 0x8000, length: 16 },
          { address: ramBase + 0x8010, length: 1, writable: true },
        ]);
        b.descriptor(places.descriptor, 0, shifted, 32, 4);
        b.publish(places, 0);
        b.notify(0);
        b.advance(20_000);
      }
    }
    const watched = [...b.watchFlags.values()].filter((flags) => flags !== 0).length;
    assert.ok(watched <= 257, `${watched} pages`);
    b.write(register.Status, 0);
    assert.ok(
      [...b.watchFlags.values()].every((flags) => flags === 0),
      'all are given up at reset',
    );
  });

  it('never throws on any access to hostile rings, and what it records is what memory holds', () => {
    const sizes: AccessSize[] = [1, 2, 4, 8];
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            offset: fc.nat(0x150),
            size: fc.constantFrom(...sizes),
            value: fc.oneof(fc.constantFrom(0n, 1n, 4n, 7n, 0x0007_0003n), fc.bigInt(0n, 0xffff_ffff_ffff_ffffn)),
            load: fc.boolean(),
          }),
          { maxLength: 40 },
        ),
        (accesses) => {
          const b = started();
          for (const { offset, size, value, load } of accesses) {
            const address = places.descriptor + (offset - (offset % size));
            b.events.length = 0;
            if (load) b.load(address, size);
            else b.store(address, size, BigInt.asUintN(size * 8, value));
            for (const fact of ringFacts(b)) {
              const width = fact.place.part === 'descriptor' && fact.place.field === 'addr' ? 8 : undefined;
              const bytes = width ?? fieldBytes(fact.place);
              assert.equal(fact.after, b.peek(fact.physicalAddress, bytes));
            }
          }
          b.notify(0);
          b.advance(100_000);
        },
      ),
      { numRuns: 200 },
    );
  });
});

function fieldBytes(place: { readonly part: string; readonly field: string }): number {
  if (place.part === 'descriptor') return place.field === 'addr' ? 8 : place.field === 'len' ? 4 : 2;
  return place.part === 'used' && (place.field === 'id' || place.field === 'len') ? 4 : 2;
}
