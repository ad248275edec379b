// The device's side of packed rings, driven by the scripted driver: laps, lists, tables, used descriptors, both suppressions, and what
// the watch makes of it. [virtio 1.4, 2.8]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { VirtioEvent } from '../../../../emulator/record/events';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import {
  eventFlag,
  offsetAndWrap,
  packedFlag,
  packedOffset,
  passesEvent,
  positionFrom,
} from '../../../../emulator/virtio/spec/packed-ring';
import { Bench, blockDevice, consoleDevice, entropyDevice } from '../../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../../driver/block';
import type { DriverOptions, Piece } from '../../../driver/driver';
import { PackedDriver } from '../../../driver/packed-driver';

const packed = featureSet(feature.RING_PACKED);
const eventIdx = featureSet(feature.EVENT_IDX);

function started(options: DriverOptions = {}): PackedDriver {
  const d = new PackedDriver(new Bench({ devices: [blockDevice({ featuresOn: packed, queueSize: 256 })] }), options);
  d.start();
  return d;
}

type EventOf<Kind> = Extract<VirtioEvent, { kind: Kind }>;
function eventsOf<Kind extends VirtioEvent['kind']>(d: PackedDriver, kind: Kind): readonly EventOf<Kind>[] {
  const events: VirtioEvent[] = [...d.bench.monitor.events.slice()];
  return events.filter((event): event is EventOf<Kind> => event.kind === kind);
}

function assertSilent(d: PackedDriver): void {
  assert.deepEqual(
    d.bench.monitor.violations.map(({ rule, message }) => `${rule}: ${message}`),
    [],
  );
}

describe('positions', () => {
  it('name a slot and a wrap counter, and are found again from them', () => {
    for (const size of [1, 3, 8]) {
      for (let position = 0; position < 40; position++) {
        const value = offsetAndWrap(position, size);
        for (let from = Math.max(0, position - 2 * size + 1); from <= position; from++) {
          assert.equal(positionFrom(from, value, size), position, `size ${size}, position ${position} from ${from}`);
        }
      }
    }
    assert.equal(positionFrom(0, 8 | 0x8000, 8), undefined);
  });

  it('pass an event exactly when it lies between old and new', () => {
    const size = 5;
    for (let old = 0; old < 20; old++) {
      for (let now = old; now <= old + size; now++) {
        for (let event = old; event < old + 2 * size; event++) {
          assert.equal(passesEvent(offsetAndWrap(event, size), now, old, size), event >= old && event < now);
        }
      }
    }
  });
});

describe('a packed ring', () => {
  for (const queueSize of [3, 5, 8, 100]) {
    it(`serves many laps of a ring of ${queueSize}`, () => {
      const d = started({ queueSize });
      for (let sector = 0; sector < 60; sector++) {
        d.bench.memory.write(d.buffer(0x100), new Uint8Array(512));
        readSector(d, sector);
        assert.deepEqual([...d.bench.memory.read(d.buffer(0x100), 512)], Array(512).fill(sector));
        assert.deepEqual([...d.bench.memory.read(d.buffer(0x80), 1)], [0]);
        d.serveInterrupt();
      }
      d.bench.idle();
      assertSilent(d);
      assert.equal(eventsOf(d, 'publish').length, 60);
      assert.equal(eventsOf(d, 'collect').length, 60);
      const [first] = eventsOf(d, 'publish');
      assert.deepEqual([first?.before, first?.after, first?.packedSize], [0, 3, queueSize]);
      assert.equal(eventsOf(d, 'used').at(-1)?.usedIndex, 180);
    });
  }

  it('takes indirect tables and marks their pages', () => {
    const d = started({ features: featureSet(feature.INDIRECT_DESC), queueSize: 4 });
    for (let i = 0; i < 10; i++) {
      const pieces = piecesOf(blockParts(d, 0, { sector: i }));
      const id = d.addIndirectChain(d.queue(), pieces, d.table());
      d.publish(d.queue());
      d.notifyIfWanted(d.queue());
      assert.equal(d.waitUsed(d.queue()), id);
      assert.equal(d.bench.memory.read(d.buffer(0x100), 1)[0], i);
      d.serveInterrupt();
    }
    assertSilent(d);
    assert.deepEqual(eventsOf(d, 'fetch').at(-1)?.chain.packed, { wrap: 1, descriptors: 1 });
  });

  it('writes the used descriptor over the first slot, with WRITE where something could be written', () => {
    const d = started({ queueSize: 8 });
    readSector(d, 1);
    const at = d.queue().descriptors;
    const { memory } = d.bench;
    assert.equal(memory.read16(at + packedOffset.flags), packedFlag.AVAIL | packedFlag.USED | 2);
    assert.equal(memory.read32(at + packedOffset.len), 513);
    d.submit(d.queue(), piecesOf(blockParts(d, 4, { bytes: 0 })));
    assert.equal(memory.read32(at + 3 * 16 + packedOffset.len), 1);
  });

  it('carries console output over a queue of its own', () => {
    const d = new PackedDriver(new Bench({ devices: [consoleDevice({ featuresOn: packed })] }), {
      queues: [0, 1],
      queueSize: 4,
    });
    d.start();
    const queue = d.queue(1);
    for (let i = 0; i < 20; i++) d.submit(queue, [{ address: d.buffer(), length: 3 }]);
    assertSilent(d);
    assert.equal(queue.lastUsed, 20);
  });

  it('serves several lists under one notification', () => {
    const d = started({ queueSize: 16 });
    const queue = d.queue();
    for (let lap = 0; lap < 7; lap++) {
      for (const at of [0, 0x1000, 0x2000]) {
        d.addChain(queue, piecesOf(blockParts(d, 0, { at, sector: lap })));
        d.publish(queue);
      }
      d.notifyIfWanted(queue);
      for (let i = 0; i < 3; i++) d.waitUsed(queue);
    }
    assertSilent(d);
  });

  it('exposes lists that were prepared behind the first', () => {
    const d = started({ queueSize: 16 });
    const queue = d.queue();
    const first = d.addChain(queue, piecesOf(blockParts(d, 0)));
    const { head, headFlags, next } = d.state(queue);
    queue.availableIndex = next;
    const second = d.addChain(queue, piecesOf(blockParts(d, 0, { at: 0x1000 })));
    d.publish(queue);
    assert.equal(eventsOf(d, 'publish').length, 0);
    d.storeFlags(queue, head, headFlags);
    const [published] = eventsOf(d, 'publish');
    assert.deepEqual(
      published?.chains.map((chain) => chain.head),
      [first, second],
    );
    d.notifyIfWanted(queue);
    assert.deepEqual([d.waitUsed(queue), d.waitUsed(queue)], [first, second]);
    assertSilent(d);
  });

  it('interrupts as the driver event suppression structure says', () => {
    const d = started({ features: eventIdx, queueSize: 8 });
    const queue = d.queue();
    const outcome = (): string | undefined => eventsOf(d, 'interrupt').at(-1)?.outcome;
    d.wantInterrupts(queue, eventFlag.DISABLE);
    readSector(d);
    assert.equal(outcome(), 'suppressed');
    d.wantInterrupts(queue, eventFlag.ENABLE);
    readSector(d);
    assert.equal(outcome(), 'raised');
    d.serveInterrupt();
    d.wantInterruptAt(queue, queue.lastUsed + 3);
    readSector(d);
    assert.equal(outcome(), 'suppressed');
    readSector(d);
    assert.equal(outcome(), 'raised');
    d.serveInterrupt();
    assertSilent(d);
  });

  it('asks for notifications by place when event indices are negotiated', () => {
    const d = started({ features: eventIdx, queueSize: 8 });
    readSector(d);
    d.bench.run(50_000);
    const { memory } = d.bench;
    assert.equal(memory.read16(d.queue().used), offsetAndWrap(3, 8));
    assert.equal(memory.read16(d.queue().used + 2), eventFlag.DESC);
    readSector(d);
    readSector(d);
    d.bench.run(50_000);
    assert.equal(memory.read16(d.queue().used), offsetAndWrap(9, 8));
    assertSilent(d);
  });

  it('carries entropy', () => {
    const d = new PackedDriver(new Bench({ devices: [entropyDevice({ featuresOn: packed })] }), { queueSize: 8 });
    d.start();
    const pieces: readonly Piece[] = [{ address: d.buffer(), length: 16, deviceWritable: true }];
    for (let i = 0; i < 20; i++) d.submit(d.queue(), pieces);
    assertSilent(d);
    assert.notDeepEqual([...d.bench.memory.read(d.buffer(), 16)], Array(16).fill(0));
  });

  it('is spun on without filling the log', () => {
    const d = started({ queueSize: 8 });
    const queue = d.queue();
    const before = d.bench.monitor.events.length;
    for (let i = 0; i < 500; i++) d.hasUsed(queue);
    assert.equal(d.bench.monitor.events.length, before + 1);
    readSector(d);
    assertSilent(d);
  });
});
