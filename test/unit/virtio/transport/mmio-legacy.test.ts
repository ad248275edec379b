// The legacy virtio-mmio window, version 1: its register table, queues by page frame number, features without FEATURES_OK, and which
// rules leave its drivers alone. [virtio 1.4, 3.1.2, 4.2.4]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { legacyAreas } from '../../../../emulator/virtio/spec/split-ring';
import { mmioLegacyRegisters } from '../../../../emulator/virtio/transport/mmio-legacy-registers';
import { Bench, blockDevice } from '../../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../../driver/block';
import { LegacyMmioDriver } from '../../../driver/legacy-driver';

const specified: readonly (readonly [number, string, 'r' | 'w' | 'rw'])[] = [
  [0x000, 'MagicValue', 'r'],
  [0x004, 'Version', 'r'],
  [0x008, 'DeviceID', 'r'],
  [0x00c, 'VendorID', 'r'],
  [0x010, 'HostFeatures', 'r'],
  [0x014, 'HostFeaturesSel', 'w'],
  [0x020, 'GuestFeatures', 'w'],
  [0x024, 'GuestFeaturesSel', 'w'],
  [0x028, 'GuestPageSize', 'w'],
  [0x030, 'QueueSel', 'w'],
  [0x034, 'QueueNumMax', 'r'],
  [0x038, 'QueueNum', 'w'],
  [0x03c, 'QueueAlign', 'w'],
  [0x040, 'QueuePFN', 'rw'],
  [0x050, 'QueueNotify', 'w'],
  [0x060, 'InterruptStatus', 'r'],
  [0x064, 'InterruptACK', 'w'],
  [0x070, 'Status', 'rw'],
];

function driver(features = 0n): LegacyMmioDriver {
  return new LegacyMmioDriver(new Bench({ devices: [blockDevice({ transport: 'mmio-legacy' })] }), { features });
}

function rulesOf(d: LegacyMmioDriver): readonly string[] {
  return d.bench.monitor.violations.map(({ rule, message }) => `${rule}: ${message}`);
}

describe('legacy mmio', () => {
  it('has every register of the legacy layout and no other', () => {
    assert.deepEqual(
      mmioLegacyRegisters.map((r) => [r.offset, r.name, r.access]),
      specified,
    );
  });

  it('is version 1 and offers 32 features, without VERSION_1', () => {
    const d = driver();
    assert.equal(d.read('Version'), 1);
    d.reset();
    assert.equal(d.readFeatureWindow(1), 0);
    assert.equal(d.readFeatureWindow(0) & (1 << 27), 1 << 27, 'ANY_LAYOUT');
  });

  for (const [name, features] of [
    ['used flags', 0n],
    ['event indices and indirect tables', featureSet(feature.EVENT_IDX, feature.INDIRECT_DESC)],
  ] as const) {
    it(`reads sectors with ${name}, and no rule is broken`, () => {
      const d = driver(features);
      d.start();
      assert.equal(d.accepted, features, 'what is offered');
      for (let sector = 0; sector < 20; sector++) {
        readSector(d, sector);
        d.serveInterrupt();
        assert.equal(d.ram(d.buffer(0x100), 1), sector, 'the data of the sector');
      }
      d.bench.idle();
      assert.deepEqual(rulesOf(d), []);
    });
  }

  it('takes config reads of any width, byte by byte too', () => {
    const d = driver();
    d.start();
    assert.deepEqual(
      [0, 1, 2, 3].map((at) => d.config(at, 1)),
      [64, 0, 0, 0],
    );
    assert.deepEqual(rulesOf(d), []);
  });

  it('places the used ring at the next multiple of QueueAlign', () => {
    assert.deepEqual(legacyAreas(0x8000_0000n, 8, 4096), {
      descriptor: 0x8000_0000n,
      available: 0x8000_0080n,
      used: 0x8000_1000n,
    });
    const d = driver();
    d.start();
    const [queue] = d.bench.devices[0]?.inspect().queues ?? [];
    assert.equal(queue?.deviceAddress, BigInt(d.queue().used));
    assert.equal(d.read('QueuePFN'), d.queue().descriptors / 4096);
  });

  it('keeps GuestPageSize over a reset, and forgets the queue', () => {
    const d = driver();
    d.start();
    d.reset();
    assert.equal(d.read('QueuePFN'), 0);
    d.acknowledge();
    d.driver();
    d.negotiate();
    d.setUpQueue(0);
    d.driverOk();
    readSector(d, 3);
    assert.equal(d.ram(d.buffer(0x100), 1), 3);
    assert.deepEqual(rulesOf(d), []);
  });

  it('serves a driver that notifies before DRIVER_OK, which is a hazard only', () => {
    const d = driver();
    d.probe();
    d.writePageSize();
    d.reset();
    d.acknowledge();
    d.driver();
    d.negotiate();
    const queue = d.setUpQueue(0);
    d.submit(queue, piecesOf(blockParts(d, 0, { sector: 5 })));
    assert.equal(d.ram(d.buffer(0x100), 1), 5);
    assert.deepEqual(
      d.bench.monitor.violations.map(({ rule, level }) => [rule, level]),
      [['legacy.used-before-driver-ok', 'hazard']],
    );
  });

  it('takes no bit of the status back, whatever was accepted (virtio30.legacy-feature-check, virtio30.legacy-no-readback)', () => {
    const d = driver();
    d.probe();
    d.writePageSize();
    d.reset();
    d.acknowledge();
    d.driver();
    d.writeFeatureWindow(0, 1 << 23);
    d.driverOk();
    assert.equal(d.read('Status'), 7);
    assert.equal(d.bench.devices[0]?.inspect().needsReset ?? false, false);
  });

  it('is stopped by page frame number 0', () => {
    const d = driver();
    d.start();
    d.stopQueue();
    assert.equal(d.read('QueuePFN'), 0);
    assert.equal(d.bench.devices[0]?.inspect().queues[0]?.ready, false);
  });

  it('a queue set up after DRIVER_OK is late here too', () => {
    const d = driver();
    d.probe();
    d.writePageSize();
    d.reset();
    d.acknowledge();
    d.driver();
    d.negotiate();
    d.driverOk();
    d.setUpQueue(0);
    assert.deepEqual(
      d.bench.monitor.violations.map(({ rule }) => rule),
      ['init.queue-after-driver-ok'],
    );
  });
});
