// The virtio-mmio window: its register table, width rules, what each access reports, and the behaviours of Akaros' and crosvm's mmio
// transports; titles carry the behaviour's id. [virtio 1.4, 4.2]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccessSize } from '../../../../emulator/bus/access';
import { mmioRegisters, mmioWindowBytes } from '../../../../emulator/virtio/transport/mmio-registers';
import { featureSet } from '../../../../emulator/virtio/spec/feature';
import { base, blockConfiguration, placesAt, ramBase, register, TestDisk, VirtioBench, withoutStamp } from '../bench';

const block = (): VirtioBench => new VirtioBench([blockConfiguration(new TestDisk(64 * 1024))]);
const console = (): VirtioBench => new VirtioBench([{ ...base, name: 'console0', type: 'console' }]);

/** Offset, direction and name as the specification's table has them. */
const specified: readonly (readonly [number, string, 'r' | 'w' | 'rw', string])[] = [
  [0x000, 'MagicValue', 'r', 'crosvm.reg.magicvalue'],
  [0x004, 'Version', 'r', 'crosvm.reg.version'],
  [0x008, 'DeviceID', 'r', 'crosvm.reg.deviceid'],
  [0x00c, 'VendorID', 'r', 'crosvm.reg.vendorid'],
  [0x010, 'DeviceFeatures', 'r', 'crosvm.reg.devicefeatures'],
  [0x014, 'DeviceFeaturesSel', 'w', 'crosvm.reg.devicefeaturessel'],
  [0x020, 'DriverFeatures', 'w', 'crosvm.reg.driverfeatures'],
  [0x024, 'DriverFeaturesSel', 'w', 'crosvm.reg.driverfeaturessel'],
  [0x030, 'QueueSel', 'w', 'crosvm.reg.queuesel'],
  [0x034, 'QueueSizeMax', 'r', 'crosvm.reg.queuenummax'],
  [0x038, 'QueueSize', 'w', 'crosvm.reg.queuenum'],
  [0x044, 'QueueReady', 'rw', 'crosvm.reg.queueready'],
  [0x050, 'QueueNotify', 'w', 'crosvm.reg.queuenotify'],
  [0x060, 'InterruptStatus', 'r', 'crosvm.reg.interruptstatus'],
  [0x064, 'InterruptACK', 'w', 'crosvm.reg.interruptack'],
  [0x070, 'Status', 'rw', 'crosvm.reg.status'],
  [0x080, 'QueueDescLow', 'w', 'crosvm.reg.queuedesc.low-high'],
  [0x084, 'QueueDescHigh', 'w', 'crosvm.reg.queuedesc.low-high'],
  [0x090, 'QueueDriverLow', 'w', 'crosvm.reg.queueavail.low-high'],
  [0x094, 'QueueDriverHigh', 'w', 'crosvm.reg.queueavail.low-high'],
  [0x0a0, 'QueueDeviceLow', 'w', 'crosvm.reg.queueused.low-high'],
  [0x0a4, 'QueueDeviceHigh', 'w', 'crosvm.reg.queueused.low-high'],
  [0x0ac, 'SHMSel', 'w', ''],
  [0x0b0, 'SHMLenLow', 'r', ''],
  [0x0b4, 'SHMLenHigh', 'r', ''],
  [0x0b8, 'SHMBaseLow', 'r', ''],
  [0x0bc, 'SHMBaseHigh', 'r', ''],
  [0x0c0, 'QueueReset', 'rw', ''],
  [0x0fc, 'ConfigGeneration', 'r', 'crosvm.reg.configgeneration'],
];

describe('register table', () => {
  it('has every register of the specification and no other', () => {
    assert.deepEqual(
      mmioRegisters.map((r) => [r.offset, r.name, r.access]),
      specified.map(([offset, name, access]) => [offset, name, access]),
    );
  });

  for (const [offset, name, access, behaviour] of specified) {
    it(`${name} at 0x${offset.toString(16)} answers as '${access}' says ${behaviour && `(${behaviour})`}`, () => {
      const bench = block();
      bench.read(offset);
      bench.write(offset, 1);
      const [read, write] = bench.events.filter((e) => e.kind === 'register-read' || e.kind === 'register-write');
      assert.ok(read?.kind === 'register-read' && write?.kind === 'register-write');
      assert.deepEqual([read.register, read.defect], [name, access === 'w' ? 'write-only' : undefined]);
      assert.deepEqual([write.register, write.defect], [name, access === 'r' ? 'read-only' : undefined]);
      const row = mmioRegisters.find((r) => r.offset === offset);
      assert.equal(row?.readFact !== undefined, access !== 'w', 'a readable register makes a fact');
      assert.equal(row?.writeFact !== undefined, access !== 'r', 'a writable register makes a fact');
    });
  }

  it("identifies itself (akaros.b.ids, with QEMU's VendorID; lguest.b.device-status-init)", () => {
    const bench = block();
    assert.deepEqual(
      [0x000, 0x004, 0x008, 0x00c, 0x070].map((offset) => bench.read(offset)),
      [0x74726976, 2, 2, 0x554d4551, 0],
    );
    bench.write(register.DeviceFeaturesSel, 1);
    assert.equal(bench.read(register.DeviceFeatures) & 1, 1, 'VERSION_1 is offered by default');
  });

  it('has no shared memory: length and base read all ones', () => {
    const bench = block();
    bench.write(0x0ac, 3);
    assert.deepEqual(
      [0xb0, 0xb4, 0xb8, 0xbc].map((offset) => bench.read(offset)),
      Array.from({ length: 4 }, () => 0xffff_ffff),
    );
    assert.equal(bench.eventsOf('shared-memory-access').length, 5);
  });

  it('reads QueueReset as 0 and does nothing when it is written', () => {
    const bench = block();
    const places = placesAt(ramBase, 8);
    bench.start([places]);
    bench.write(0x0c0, 1);
    assert.equal(bench.read(0x0c0), 0);
    assert.equal(bench.read(register.QueueReady), 1);
  });
});

describe('width and holes', () => {
  for (const size of [1, 2, 8] as const) {
    it(`a control register read with ${size} bytes gives 0, such a write is ignored (crosvm.width)`, () => {
      const bench = block();
      assert.equal(bench.read(register.MagicValue, size), 0);
      bench.write(register.Status, 1, size);
      assert.equal(bench.read(register.Status), 0);
      const defects = bench.events.flatMap((e) => ('defect' in e && e.defect !== undefined ? [e.defect] : []));
      assert.deepEqual(defects, ['width', 'width']);
      assert.deepEqual(bench.kinds('identity-read', 'status-write'), [], 'no meaning is given to it');
    });
  }

  it("a byte inside a register is a wrong width, with the register's name", () => {
    const bench = block();
    assert.equal(bench.read(0x071, 1), 0);
    const [fact] = bench.eventsOf('register-read');
    assert.deepEqual([fact?.register, fact?.defect], ['Status', 'width']);
  });

  it('offsets without a register read 0 and ignore writes (crosvm.unknown)', () => {
    const bench = block();
    for (const offset of [0x018, 0x028, 0x040, 0x048, 0x054, 0x068, 0x0a8, 0x0f8]) {
      assert.equal(bench.read(offset), 0);
      bench.write(offset, 0xffff_ffff);
    }
    const facts = [...bench.eventsOf('register-read'), ...bench.eventsOf('register-write')];
    assert.ok(facts.every((f) => f.register === undefined && f.defect === 'no-register'));
    assert.equal(bench.events.length, 16);
  });

  it('one page of 4096 bytes per slot, all of which answers (crosvm.size)', () => {
    const bench = block();
    for (const region of bench.virtio.regions) {
      assert.equal(region.sizeBytes, 4096);
      for (let offset = 0; offset < mmioWindowBytes; offset += 4) {
        assert.notEqual(region.read(offset, 4, bench.by()), undefined);
      }
    }
    assert.deepEqual(
      bench.virtio.regions.map((r) => r.base),
      Array.from({ length: 8 }, (_, i) => 0x1000_1000 + i * 0x1000),
    );
  });

  it('configuration space takes 1, 2 and 4 bytes as given and 8 as two halves, low first (crosvm.reg.device)', () => {
    const bench = block();
    const sectors = 128;
    assert.equal(bench.read(register.Config, 1), sectors & 0xff);
    assert.equal(bench.read(register.Config, 2), sectors);
    assert.equal(bench.read(register.Config, 4), sectors);
    assert.equal(bench.read(register.Config, 8), sectors);
    assert.deepEqual(
      bench.eventsOf('config-read').map((e) => [e.offset, e.size, e.field]),
      [
        [0, 1, 'capacity'],
        [0, 2, 'capacity'],
        [0, 4, 'capacity'],
        [0, 4, 'capacity'],
        [4, 4, 'capacity'],
      ],
    );
  });

  it('configuration bytes beyond the last field read as ones and have no field', () => {
    const bench = block();
    assert.equal(bench.read(0x100 + 60, 4), 0xffff_ffff);
    assert.equal(bench.read(0x900, 1), 0xff);
    assert.deepEqual(
      bench.eventsOf('config-read').map((e) => e.field),
      [undefined, undefined],
    );
  });

  it('peek gives what a read would, without a fact', () => {
    const bench = block();
    const region = bench.region();
    for (const size of [1, 2, 4, 8] as AccessSize[]) {
      for (let offset = 0; offset < 0x180; offset += size) {
        const peeked = region.peek(offset, size);
        assert.equal(bench.events.length, 0);
        assert.equal(peeked, region.read(offset, size, bench.by()), `offset ${offset} size ${size}`);
        bench.events.length = 0;
      }
    }
  });
});

describe('attempts', () => {
  it('ask about exactly the facts that are recorded afterwards, in the same words', () => {
    const bench = block();
    const places = placesAt(ramBase, 8);
    bench.start([places]);
    bench.read(register.Config, 8);
    bench.write(register.InterruptACK, 3);
    bench.write(register.Status, 0x8f);
    bench.write(register.Status, 0);
    bench.write(0x018, 1);
    const driver = bench.events.filter((e) => e.by === 'driver');
    const plain = driver.map(withoutStamp);
    assert.deepEqual(bench.attempts, plain);
  });

  it('stop the access when the sink says so, and change nothing', () => {
    const bench = block();
    bench.answer = (fact) => (fact.kind === 'status-write' ? 'stop' : 'proceed');
    const region = bench.region();
    assert.equal(region.attempt?.(register.Status, 4, 'write', 1n, bench.by()), 'stop');
    assert.equal(region.attempt?.(register.Status, 4, 'read', 0n, bench.by()), 'proceed');
    assert.equal(bench.inspect().status, 0);
    assert.equal(bench.events.length, 0);
  });
});

describe('an empty slot', () => {
  it('reads 0 except MagicValue, Version and VendorID, ignores writes, and reports them (akaros.b.no-device)', () => {
    const bench = block();
    for (const { offset, name } of mmioRegisters) {
      const expected = { MagicValue: 0x74726976, Version: 2, VendorID: 0x554d4551 }[name] ?? 0;
      assert.equal(bench.read(offset, 4, 3), expected, name);
      bench.write(offset, 0xff, 4, 3);
    }
    assert.equal(bench.read(register.Status, 4, 3), 0);
    assert.ok(bench.events.every((e) => e.device === 'slot3'));
    assert.deepEqual(
      bench.eventsOf('identity-read').map((e) => [e.register, e.value]),
      [
        ['MagicValue', 0x74726976],
        ['Version', 2],
        ['DeviceID', 0],
        ['VendorID', 0x554d4551],
      ],
    );
  });
});

describe('features', () => {
  it('shows 32 bits at a time; windows beyond the offered bits read 0 (akaros.b.select-high, as the specification has it)', () => {
    const bench = block();
    const words = [0, 1, 2, 3, 4, 0xffff_ffff].map((window) => {
      bench.write(register.DeviceFeaturesSel, window);
      return bench.read(register.DeviceFeatures);
    });
    const offered = bench.inspect().offeredFeatures;
    assert.deepEqual(words, [Number(offered & 0xffff_ffffn), Number(offered >> 32n), 0, 0, 0, 0]);
    assert.deepEqual(
      bench.eventsOf('device-features-read').map((e) => [e.window, e.selected]),
      [0, 1, 2, 3, 4, 0xffff_ffff].map((window) => [window, true]),
    );
  });

  it('knows whether a window was selected since reset', () => {
    const bench = block();
    bench.read(register.DeviceFeatures);
    bench.write(register.DriverFeatures, 1);
    bench.write(register.DriverFeaturesSel, 0);
    bench.write(register.DriverFeatures, 1);
    bench.write(register.Status, 0);
    bench.write(register.DriverFeatures, 1);
    assert.deepEqual(
      [...bench.eventsOf('device-features-read'), ...bench.eventsOf('driver-features-write')].map((e) => e.selected),
      [false, false, true, false],
    );
  });

  it('merges the words that the driver writes', () => {
    const bench = block();
    bench.write(register.DriverFeaturesSel, 1);
    bench.write(register.DriverFeatures, 1);
    bench.write(register.DriverFeaturesSel, 0);
    bench.write(register.DriverFeatures, 0x200);
    bench.write(register.DriverFeatures, 0x240);
    assert.equal(bench.inspect().acceptedFeatures, featureSet(32, 9, 6));
    assert.deepEqual(
      bench.eventsOf('driver-features-write').map((e) => [e.acceptedBefore, e.acceptedAfter]),
      [
        [0n, featureSet(32)],
        [featureSet(32), featureSet(32, 9)],
        [featureSet(32, 9), featureSet(32, 9, 6)],
      ],
    );
  });

  it('does not set FEATURES_OK for what was not offered, and the driver sees it (akaros.b.features-ok-refused)', () => {
    const bench = block();
    assert.equal(bench.negotiate([12]), 3);
    assert.deepEqual(
      bench.eventsOf('status-write').map((e) => [e.value, e.after]),
      [
        [0, 0],
        [1, 1],
        [3, 3],
        [11, 3],
      ],
    );
    assert.equal(bench.inspect().negotiatedFeatures, undefined);
    assert.equal(bench.negotiate([9]), 11, 'a reset and a valid set work again');
    assert.equal(bench.inspect().negotiatedFeatures, featureSet(32, 9));
  });

  it('sets FEATURES_OK without VERSION_1 as QEMU does, unless it is told to insist (virtio30.footnote-version1)', () => {
    for (const [onDriverError, answer] of [
      ['qemu', 11],
      ['ignore', 11],
      ['needs-reset', 3],
    ] as const) {
      const bench = new VirtioBench([{ ...blockConfiguration(new TestDisk(64 * 1024)), onDriverError }]);
      bench.write(register.Status, 3);
      bench.write(register.Status, 11);
      assert.equal(bench.read(register.Status) & 0xf, answer, onDriverError);
    }
  });

  it('drops DriverFeatures written after FEATURES_OK', () => {
    const bench = block();
    bench.negotiate([9]);
    bench.write(register.DriverFeaturesSel, 0);
    bench.write(register.DriverFeatures, 0);
    assert.equal(bench.inspect().acceptedFeatures, featureSet(32, 9));
    const last = bench.eventsOf('driver-features-write').at(-1);
    assert.equal(last?.acceptedBefore, last?.acceptedAfter);
  });
});

describe('status', () => {
  it('keeps only the low 8 bits (akaros.b.status-byte)', () => {
    const bench = block();
    bench.write(register.Status, 0xabcd_ef01);
    assert.equal(bench.read(register.Status), 1);
  });

  it('knows the status bits 1, 2, 4, 8 and 128 and the used buffer bit 1 (crosvm.status-bits)', () => {
    const bench = block();
    bench.negotiate();
    bench.write(register.Status, 15);
    bench.write(register.Status, 15 | 128);
    assert.equal(bench.read(register.Status), 143);
  });

  it('leaves DEVICE_NEEDS_RESET to the device', () => {
    const bench = block();
    bench.write(register.Status, 0x41);
    assert.equal(bench.read(register.Status), 1);
  });

  it('0 resets everything the driver made (akaros.b.reset, lguest.b.reset)', () => {
    const bench = block();
    const places = placesAt(ramBase, 8);
    bench.start([places], [9, 11]);
    bench.write(register.Config + 32, 0, 1);
    bench.write(register.QueueSel, 0);
    const generation = bench.read(register.ConfigGeneration);
    bench.chain(places.descriptor, 0, [
      { address: ramBase + 0x8000, length: 16 },
      { address: ramBase + 0x8010, length: 1, writable: true },
    ]);
    bench.memory.write32(ramBase + 0x8000, 4);
    bench.publish(places, 0);
    bench.notify(0);
    bench.advance(20_000);
    assert.equal(bench.read(register.InterruptStatus), 1);
    assert.equal(bench.lines.get(8), true);
    bench.write(register.Status, 0);
    bench.advance(50_000);
    const after = bench.inspect();
    assert.deepEqual(
      [after.status, after.acceptedFeatures, after.negotiatedFeatures, after.interruptStatus, after.interruptLine],
      [0, 0n, undefined, 0, false],
    );
    assert.equal(bench.lines.get(8), false);
    const [queue] = after.queues;
    assert.deepEqual([queue?.ready, queue?.lastAvailable, queue?.usedIndex, queue?.size], [false, 0, 0, 256]);
    assert.equal(bench.read(register.Config + 32, 1), 1, 'the default configuration is back');
    assert.notEqual(bench.read(register.ConfigGeneration), generation, 'and that is a new generation');
    assert.equal(bench.eventsOf('reset-done').length, 2);
  });

  it("a driver's own configuration write changes no generation and interrupts nobody (akaros.b.config-write, as the specification has it)", () => {
    const bench = block();
    bench.start([placesAt(ramBase, 8)], [9, 11]);
    const before = bench.read(register.ConfigGeneration);
    bench.write(register.Config + 32, 0, 1);
    bench.advance(50_000);
    assert.equal(bench.read(register.Config + 32, 1), 0);
    assert.equal(bench.read(register.ConfigGeneration), before);
    assert.equal(bench.read(register.InterruptStatus), 0);
  });
});

describe('queues', () => {
  it('a queue that does not exist has size 0, is never ready, and QueueSel takes any value (akaros.b.queue-sel-invalid)', () => {
    const bench = block();
    bench.negotiate();
    for (const queue of [1, 8, 0xffff_ffff]) {
      bench.write(register.QueueSel, queue);
      assert.equal(bench.read(register.QueueSizeMax), 0);
      bench.write(register.QueueReady, 1);
      assert.equal(bench.read(register.QueueReady), 0);
      assert.equal(bench.inspect().queueSelect, queue);
    }
  });

  it('QueueReady takes only 0 and 1 (akaros.b.queue-ready-toggle)', () => {
    const bench = block();
    bench.negotiate();
    const places = placesAt(ramBase, 8);
    bench.setUpQueue(0, places);
    bench.write(register.QueueReady, 2);
    assert.equal(bench.read(register.QueueReady), 1);
    bench.write(register.QueueReady, 1);
    bench.write(register.QueueReady, 0);
    bench.write(register.QueueReady, 3);
    assert.equal(bench.read(register.QueueReady), 0);
    assert.deepEqual(
      bench.eventsOf('queue-ready-write').map((e) => [e.before, e.value, e.after]),
      [
        [0, 1, 1],
        [1, 2, 1],
        [1, 1, 1],
        [1, 0, 0],
        [0, 3, 0],
      ],
    );
  });

  it('merges address halves and drops writes to a ready queue (crosvm.queue-after-activate)', () => {
    const bench = block();
    bench.negotiate();
    bench.write(register.QueueDescHigh, 0x12);
    bench.write(register.QueueDescLow, 0x8000_0000);
    assert.equal(bench.inspect().queues[0]?.descriptorAddress, 0x12_8000_0000n);
    for (const [offset, value] of [[0x94, 3], [0x90, 0x1000], [0xa4, 4], [0xa0, 0x2000]] as const) bench.write(offset, value); // prettier-ignore
    const [set] = bench.inspect().queues;
    assert.deepEqual([set?.driverAddress, set?.deviceAddress], [0x3_0000_1000n, 0x4_0000_2000n]);
    const places = placesAt(ramBase, 8);
    bench.setUpQueue(0, places);
    bench.write(register.QueueDescLow, 0);
    bench.write(register.QueueSize, 4);
    const [queue] = bench.inspect().queues;
    assert.deepEqual([queue?.descriptorAddress, queue?.size], [BigInt(ramBase), 8]);
    assert.deepEqual(
      bench
        .eventsOf('queue-setup')
        .slice(-2)
        .map((e) => [e.field, e.ready]),
      [
        ['QueueDescLow', true],
        ['QueueSize', true],
      ],
    );
  });

  it('drops sizes of 0 and above the maximum', () => {
    const bench = block();
    bench.negotiate();
    bench.write(register.QueueSize, 16);
    for (const size of [0, 257, 0xffff_ffff]) bench.write(register.QueueSize, size);
    assert.equal(bench.inspect().queues[0]?.size, 16);
  });

  it('ignores notifications of queues that do not exist (akaros.b.notify-range)', () => {
    const bench = block();
    bench.start([placesAt(ramBase, 8)]);
    bench.notify(77);
    bench.advance(50_000);
    assert.deepEqual(bench.kinds('fetch', 'needs-reset'), []);
    assert.deepEqual(
      bench.eventsOf('notify').map((e) => [e.queue, e.exists]),
      [[77, false]],
    );
  });
});

describe('interrupts', () => {
  it('InterruptACK clears the given bits and lowers the wire when none is left (akaros.b.isr-ack)', () => {
    const bench = console();
    const places = placesAt(ramBase, 8);
    bench.start([places, placesAt(ramBase + 0x4000, 8)]);
    bench.descriptor(places.descriptor, 0, ramBase + 0x8000, 16, 2);
    bench.publish(places, 0);
    bench.virtio.input('console0', Uint8Array.of(65));
    bench.advance(20_000);
    assert.equal(bench.read(register.InterruptStatus), 1);
    assert.equal(bench.lines.get(8), true);
    bench.write(register.InterruptACK, 2);
    assert.equal(bench.read(register.InterruptStatus), 1);
    assert.equal(bench.lines.get(8), true);
    bench.write(register.InterruptACK, 1);
    assert.equal(bench.read(register.InterruptStatus), 0);
    assert.equal(bench.lines.get(8), false);
    assert.deepEqual(
      bench.eventsOf('interrupt-line').map((e) => [e.device, e.source, e.level, e.hart]),
      [
        ['console0', 8, true, undefined],
        ['console0', 8, false, 0],
      ],
    );
    const kinds = bench.events.map((e) => e.kind);
    assert.ok(kinds.lastIndexOf('interrupt-acknowledge') < kinds.lastIndexOf('interrupt-line'));
  });
});

describe('activation', () => {
  it('happens once, when DRIVER_OK is set and FAILED is not (crosvm.activation, crosvm.activation-moves, lguest.b.start)', () => {
    const places = placesAt(ramBase, 8);
    const failed = block();
    failed.negotiate();
    failed.setUpQueue(0, places);
    failed.write(register.Status, 15 | 128);
    failed.notify(0);
    failed.advance(50_000);
    assert.deepEqual(failed.kinds('fetch'), []);

    const bench = block();
    bench.negotiate();
    bench.setUpQueue(0, places);
    bench.memory.write32(ramBase + 0x8000, 4);
    bench.chain(places.descriptor, 0, [
      { address: ramBase + 0x8000, length: 16 },
      { address: ramBase + 0x8010, length: 1, writable: true },
    ]);
    bench.publish(places, 0);
    bench.notify(0);
    bench.advance(50_000);
    assert.deepEqual(bench.kinds('fetch'), [], 'nothing is consumed before DRIVER_OK');
    bench.write(register.Status, 15);
    bench.write(register.Status, 15);
    bench.advance(50_000);
    assert.equal(bench.eventsOf('fetch').length, 1, 'what was published earlier is served once the device is live');
    assert.equal(bench.usedIndex(places), 1);
  });
});
