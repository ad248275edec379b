// virtio-pci: configuration space and base address registers, the structures and their fields, notification addresses, interrupts by
// wire and by message, the access window. Titles carry the layout review's behaviours. [virtio 1.4, 4.1]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeviceConfiguration, PciOptions } from '../../../../emulator/configuration';
import { swizzle } from '../../../../emulator/board/pci/host';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { cfgType } from '../../../../emulator/virtio/transport/pci-layout';
import { pciCommonRegisters } from '../../../../emulator/virtio/transport/pci-registers';
import { Bench, blockDevice, consoleDevice, entropyDevice } from '../../../driver/bench';
import { readSector } from '../../../driver/block';
import { LegacyPciDriver } from '../../../driver/legacy-pci-driver';
import { PciBus } from '../../../driver/pci-bus';
import { PciDriver } from '../../../driver/pci-driver';

type Transport = 'pci' | 'pci-transitional' | 'pci-legacy';

function bench(transport: Transport, pci: PciOptions = {}): Bench {
  return new Bench({ devices: [blockDevice({ transport, pci })] });
}
function driver(pci: PciOptions = {}, features = featureSet(feature.VERSION_1)): PciDriver {
  return new PciDriver(bench('pci', pci), { features });
}
function assertSilent({ monitor }: Bench): void {
  assert.deepEqual(
    monitor.violations.map(({ rule, message }) => `${rule}: ${message}`),
    [],
  );
}
/** Reads sectors and serves the interrupt of each. */
function useDisk(d: PciDriver | LegacyPciDriver): void {
  for (let sector = 0; sector < 12; sector++) {
    readSector(d, sector);
    d.serveInterrupt();
    assert.equal(d.ram(d.buffer(0x100), 1), sector, 'the data of the sector');
  }
  d.bench.idle();
}

describe('configuration space', () => {
  it('identifies a modern device (pci.discovery)', () => {
    const bus = new PciBus(bench('pci'), 1);
    assert.deepEqual(
      [bus.config(0, 2), bus.config(2, 2), bus.config(8, 1), bus.config(0x3d, 1)],
      [0x1af4, 0x1042, 1, 1],
    );
    assert.equal(bus.config(8, 4) >>> 8, 0x01_0000);
  });

  it('identifies transitional and legacy devices', () => {
    for (const transport of ['pci-transitional', 'pci-legacy'] as const) {
      const bus = new PciBus(bench(transport), 1);
      assert.deepEqual([bus.config(0, 4) >>> 16, bus.config(8, 1), bus.config(0x2e, 2)], [0x1001, 0, 2]);
    }
  });

  it('has no function where none is, and no second function', () => {
    const b = bench('pci');
    assert.equal(new PciBus(b, 5).config(0, 4), 0xffff_ffff);
    assert.equal(Number(b.load(0x3000_0000 + 0x9000, 2)), 0xffff);
    assert.equal(Number(b.load(0x3010_0000, 4)), 0xffff_ffff);
    assert.equal(new PciBus(b, 1).config(0x100, 4), 0xffff_ffff, 'beyond 256 bytes');
    assert.equal(new PciBus(b, 0).config(0, 4), 0x0008_1b36, 'the host bridge');
  });

  it('sizes and places base address registers', () => {
    const bus = new PciBus(bench('pci'), 1);
    bus.writeConfig(0x20, 4, 0xffff_ffff);
    bus.writeConfig(0x24, 4, 0xffff_ffff);
    assert.deepEqual([bus.config(0x20, 4), bus.config(0x24, 4)], [0xffff_c00c, 0xffff_ffff]);
    bus.writeConfig(0x20, 4, 0x4123_4567);
    assert.equal(bus.config(0x20, 4), 0x4123_400c);
  });

  it('answers behind a register only while memory space is on, and in the window above 4 GiB too', () => {
    const b = bench('pci');
    const bus = new PciBus(b, 1);
    bus.placeBars();
    bus.readCapabilities();
    const status = (): number => bus.structure(cfgType.common) + 20;
    assert.equal(Number(b.load(status(), 1)), 0xff);
    bus.enable(2);
    assert.equal(Number(b.load(status(), 1)), 0);
    bus.writeConfig(0x24, 4, 4);
    bus.bars.set(4, 0x4_0000_0000 + (bus.config(0x20, 4) & ~0xf));
    assert.equal(Number(b.load(status(), 1)), 0);
  });

  it('lists its capabilities, notify with its multiplier (pci.cap-struct, pci.cap-notify, pci.cap-isr, pci.cap-device)', () => {
    const bus = new PciBus(bench('pci'), 1);
    bus.discover();
    assert.deepEqual(
      bus.structures.map((one) => [one.cfgType, one.bar, one.offset, one.length]),
      [
        [1, 4, 0, 0x1000],
        [3, 4, 0x1000, 0x1000],
        [4, 4, 0x2000, 0x1000],
        [2, 4, 0x3000, 0x1000],
        [5, 0, 0, 0],
      ],
    );
    const notify = bus.structures[3]?.at ?? 0;
    assert.deepEqual([bus.config(notify + 2, 1), bus.config(notify + 16, 4)], [20, 4]);
  });
});

describe('common configuration', () => {
  const specified: readonly (readonly [number, string, 8 | 16 | 32, string])[] = [
    [0, 'device_feature_select', 32, 'rw'],
    [4, 'device_feature', 32, 'r'],
    [8, 'driver_feature_select', 32, 'rw'],
    [12, 'driver_feature', 32, 'rw'],
    [16, 'config_msix_vector', 16, 'rw'],
    [18, 'num_queues', 16, 'r'],
    [20, 'device_status', 8, 'rw'],
    [21, 'config_generation', 8, 'r'],
    [22, 'queue_select', 16, 'rw'],
    [24, 'queue_size', 16, 'rw'],
    [26, 'queue_msix_vector', 16, 'rw'],
    [28, 'queue_enable', 16, 'rw'],
    [30, 'queue_notify_off', 16, 'r'],
    [32, 'queue_desc_lo', 32, 'rw'],
    [36, 'queue_desc_hi', 32, 'rw'],
    [40, 'queue_driver_lo', 32, 'rw'],
    [44, 'queue_driver_hi', 32, 'rw'],
    [48, 'queue_device_lo', 32, 'rw'],
    [52, 'queue_device_hi', 32, 'rw'],
    [56, 'queue_notif_config_data', 16, 'r'],
    [58, 'queue_reset', 16, 'rw'],
  ];
  it('has every field of the specification (pci.common.0 to pci.common.56)', () => {
    const rows = pciCommonRegisters.map((r) => [r.offset, r.name, r.width, r.access]);
    for (const field of specified)
      assert.ok(
        rows.some((row) => JSON.stringify(row) === JSON.stringify(field)),
        String(field),
      );
  });

  it('reads back what was written (pci.select-features, pci.select-queue)', () => {
    const d = driver();
    d.probe();
    d.reset();
    for (const [name, value] of [
      ['device_feature_select', 1],
      ['driver_feature_select', 3],
      ['queue_select', 0],
      ['queue_desc_lo', 0x1000],
      ['queue_size', 16],
    ] as const) {
      d.setField(name, value);
      assert.equal(d.field(name), value, name);
    }
    assert.equal(d.field('num_queues'), 1);
    d.setField('queue_select', 7);
    assert.equal(d.field('queue_size'), 0, 'there is no such queue');
    d.setField('device_feature_select', 2);
    assert.equal(d.field('device_feature'), 0);
  });

  it('shows a queue that is not in use with its maximum size, and keeps what is written to it alone (pci.common.24 to pci.common.48)', () => {
    const d = new PciDriver(new Bench({ devices: [consoleDevice({ transport: 'pci' })] }));
    d.probe();
    d.reset();
    assert.equal(d.field('num_queues'), 2);
    d.setField('queue_select', 1);
    const [size, vector, enabled] = ['queue_size', 'queue_msix_vector', 'queue_enable'].map((name) => d.field(name));
    assert.deepEqual([size, vector, enabled], [d.bench.devices[0]?.inspect().queues[1]?.maximumSize, 0xffff, 0]);
    const places = ['queue_desc', 'queue_driver', 'queue_device'];
    for (const [at, name] of places.entries()) {
      d.setField(`${name}_lo`, 0x1000 * (at + 1));
      d.setField(`${name}_hi`, at + 1);
    }
    const [first, second] = d.bench.devices[0]?.inspect().queues ?? [];
    assert.deepEqual(
      [second?.descriptorAddress, second?.driverAddress, second?.deviceAddress],
      [0x1_0000_1000n, 0x2_0000_2000n, 0x3_0000_3000n],
    );
    assert.deepEqual([first?.descriptorAddress, first?.driverAddress, first?.deviceAddress], [0n, 0n, 0n]);
    assert.notEqual(d.field('queue_notify_off'), 0);
    d.setField('device_status', 1);
    assert.equal(d.field('device_status'), 1);
    d.setField('device_status', 0);
    assert.equal(d.field('device_status'), 0);
  });

  it('has the low byte of a field first, also behind the legacy header (pci.endian, pci.legacy-endian)', () => {
    const bytes = [64, 0, 0, 0];
    const d = driver();
    d.start();
    const legacy = new LegacyPciDriver(bench('pci-legacy'));
    legacy.start();
    for (const each of [d, legacy]) {
      assert.deepEqual([0, 1, 2, 3].map((at) => each.config(at, 1)), bytes); // prettier-ignore
      assert.equal(each.config(0, 4), 64);
      assert.deepEqual([each.bus.config(0, 1), each.bus.config(1, 1)], [0xf4, 0x1a]);
    }
  });

  it('lists no structure for a configuration that a device does not have (pci.device-cfg)', () => {
    const bus = new PciBus(new Bench({ devices: [entropyDevice({ transport: 'pci' })] }), 1);
    bus.discover();
    assert.ok(bus.structures.every((one) => one.cfgType !== cfgType.device));
  });
});

describe('a driver', () => {
  for (const [name, features] of [
    ['used flags', featureSet(feature.VERSION_1)],
    ['event indices and indirect tables', featureSet(feature.VERSION_1, feature.EVENT_IDX, feature.INDIRECT_DESC)],
  ] as const) {
    it(`of a modern device reads sectors with ${name}, and no rule is broken`, () => {
      const d = driver({}, features);
      d.start();
      assert.equal(d.accepted, features);
      useDisk(d);
      assertSilent(d.bench);
    });
    it(`of a transitional device uses the modern interface with ${name}`, () => {
      const d = new PciDriver(bench('pci-transitional'), { features });
      d.start();
      useDisk(d);
      assertSilent(d.bench);
    });
    for (const transport of ['pci-transitional', 'pci-legacy'] as const) {
      it(`of a ${transport} device uses the legacy header with ${name} (pci.legacy-header, pci.legacy-page)`, () => {
        const d = new LegacyPciDriver(bench(transport), { features, queueSize: 256 });
        d.start();
        assert.equal(d.accepted, features & 0xffff_ffffn);
        useDisk(d);
        assertSilent(d.bench);
      });
    }
  }

  const layouts: readonly (readonly [string, PciOptions])[] = [
    ['another order of capabilities (pci.cap-order)', { capabilities: ['config-access', 'notify', 'device', 'isr', 'common'] }],
    ['one notification address for all queues (pci.notify-multiplier)', { notifyOffMultiplier: 0 }],
    ['a small multiplier', { notifyOffMultiplier: 2 }],
    ['a large multiplier and offsets of its own (pci.notify-rule)', { notifyOffMultiplier: 4096, queueNotifyOff: [3] }],
    ['a 32-bit register (pci.cap-bar)', { bar: 2, barSpace: 'memory32' }],
    ['structures packed together', { spacing: 4, firstOffset: 0x40 }],
    ['longer capabilities (pci.cap-extra)', { capabilityPadding: 4 }],
    ['capabilities to pass over (pci.cap-reserved-type, pci.cap-reserved-bar, pci.cap-vendor)', { capabilities: ['reserved-bar', 'reserved-type', 'vendor', 'common', 'notify', 'isr', 'device'] }],
    ['several structures of a type', { capabilities: ['common', 'common', 'notify', 'notify', 'isr', 'isr', 'device'] }],
    ['huge structures (pci.cap-length)', { spacing: 0x4_0000 }],
    ['another revision', { revision: 77 }],
  ]; // prettier-ignore
  for (const [name, options] of layouts) {
    it(`copes with ${name}`, () => {
      const d = driver(options);
      d.start();
      useDisk(d);
      assertSilent(d.bench);
    });
  }

  it('may use the second structure of a type', () => {
    const d = driver({ capabilities: ['common', 'notify', 'isr', 'device', 'common'] });
    d.start();
    const again = d.bus.structure(cfgType.common, 1);
    assert.equal(Number(d.bench.load(again + 20, 1)), 15);
  });
});

/** A second driver in the same memory. */
class Neighbour extends PciDriver {
  override placeQueue(index: number): ReturnType<PciDriver['placeQueue']> {
    return { ...super.placeQueue(index + 1), index };
  }
  override buffer(offset = 0): number {
    return super.buffer(offset + 0x4000);
  }
}

describe('VIRTIO_F_NOTIF_CONFIG_DATA', () => {
  const bits = featureSet(feature.VERSION_1, feature.NOTIF_CONFIG_DATA);
  const withData = (pci: PciOptions = {}, more = 0n): PciDriver =>
    new PciDriver(new Bench({ devices: [blockDevice({ transport: 'pci', pci, featuresOn: bits | more })] }), {
      features: bits | more,
    });

  for (const [name, pci, value] of [
    ['a value of the device', {}, 0x100],
    ['a value of the configuration', { queueNotifConfigData: [0xbeef] }, 0xbeef],
    ['one address for all queues', { notifyOffMultiplier: 0, queueNotifConfigData: [0xbeef] }, 0xbeef],
  ] as const) {
    for (const more of [0n, featureSet(feature.NOTIFICATION_DATA)]) {
      it(`notifies with ${name}${more === 0n ? '' : ' and the ring position'}`, () => {
        const d = withData(pci, more);
        d.start();
        assert.equal(d.field('queue_notif_config_data'), value);
        useDisk(d);
        assertSilent(d.bench);
      });
    }
  }

  it('is known to the field once it is negotiated only', () => {
    const d = withData();
    d.probe();
    d.reset();
    assert.equal(d.field('queue_notif_config_data'), 0);
  });

  it('does not take the queue index where an address is shared', () => {
    const d = withData({ notifyOffMultiplier: 0 });
    d.start();
    const queue = d.queue();
    d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 16 }]));
    d.bench.store(d.notifyAddress(0), 2, 0);
    d.bench.run(100_000);
    assert.equal(d.hasUsed(queue), false);
  });

  it('is refused where a device cannot have it', () => {
    const devices = (pci: PciOptions, transport: 'mmio' | 'pci') => (): Bench =>
      new Bench({ devices: [consoleDevice({ transport, pci, featuresOn: bits })] });
    assert.throws(devices({ queueNotifConfigData: [1, 1] }, 'pci'), /queueNotifConfigData gives 1 to two queues/);
    assert.throws(devices({}, 'mmio'), /VIRTIO_F_NOTIF_CONFIG_DATA cannot be offered on transport mmio/);
  });
});

describe('interrupts', () => {
  it('are spread over four wires', () => {
    assert.deepEqual([0, 1, 2, 3, 4].map((device) => swizzle(device, 0)), [0, 1, 2, 3, 0]); // prettier-ignore
    const b = new Bench({
      devices: [
        blockDevice({ transport: 'pci' }),
        consoleDevice({ transport: 'pci' }),
        entropyDevice({ transport: 'pci' }),
      ],
    });
    assert.deepEqual(
      b.devices.map((device) => device.inspect().interruptSource),
      [33, 34, 35],
    );
  });

  it('by wire: the ISR status shows the cause, and reading it takes the wire down (pci.isr)', () => {
    const d = driver();
    d.start();
    readSector(d);
    d.bench.run(200);
    assert.equal(d.bus.config(6, 2) & 8, 8, 'Interrupt Status');
    assert.equal(d.bench.claim(), 33);
    assert.equal(d.readInterruptStatus(), 1);
    assert.equal(d.readInterruptStatus(), 0);
    assert.equal(d.bus.config(6, 2) & 8, 0);
    d.bench.complete(33);
    assert.equal(d.bench.claim(), 0);
  });

  it('are held back by Interrupt Disable', () => {
    const d = driver();
    d.start();
    d.bus.enable(7 | 0x400);
    readSector(d);
    d.bench.run(200);
    assert.equal(d.bench.claim(), 0);
    d.bus.enable(7);
    assert.equal(d.bench.claim(), 33);
  });

  it('two functions on one wire keep it up until both are served', () => {
    const devices: DeviceConfiguration[] = [1, 5].map((slot) => ({
      ...blockDevice({ transport: 'pci' }),
      name: `vd${slot}`,
      slot,
    }));
    const b = new Bench({ devices });
    const drivers = [new PciDriver(b, {}, 1), new Neighbour(b, {}, 5)];
    for (const d of drivers) {
      d.start();
      readSector(d);
    }
    b.run(200);
    assert.equal(b.claim(), 33);
    drivers[0]?.readInterruptStatus();
    b.complete(33);
    assert.equal(b.claim(), 33, 'the second still waits');
    drivers[1]?.readInterruptStatus();
    b.complete(33);
    assert.equal(b.claim(), 0);
    assertSilent(b);
  });
});

describe('MSI-X', () => {
  function withVectors(vectors = 3): PciDriver {
    const d = driver({ msixVectors: vectors });
    d.probe();
    const table = d.bus.bars.get(1) ?? 0;
    for (let vector = 0; vector < vectors; vector++) {
      d.bench.store(table + vector * 16, 4, 0x2800_0000);
      d.bench.store(table + vector * 16 + 4, 4, 0);
      d.bench.store(table + vector * 16 + 8, 4, 100 + vector);
      d.bench.store(table + vector * 16 + 12, 4, 0);
    }
    d.bus.writeConfig(d.bus.msix + 2, 2, 0x8000);
    return d;
  }
  function startWith(d: PciDriver, vector: number): void {
    d.reset();
    d.acknowledge();
    d.driver();
    d.negotiate();
    d.confirmFeatures();
    d.setField('config_msix_vector', 0);
    assert.equal(d.field('config_msix_vector'), 0);
    d.selectQueue(0);
    d.setField('queue_msix_vector', vector);
    d.field('queue_msix_vector');
    d.setUpQueue(0);
    d.driverOk();
  }

  it('sends the message of the queue’s vector, and leaves the ISR status alone (pci.msix-map, pci.msix-isr)', () => {
    const d = withVectors();
    startWith(d, 2);
    readSector(d);
    d.bench.run(200);
    assert.deepEqual(d.bench.messages, [{ address: 0x2800_0000n, data: 102 }]);
    assert.equal(d.bench.devices[0]?.inspect().interruptStatus, 0);
    assert.equal(d.bench.claim(), 0);
    assertSilent(d.bench);
  });

  it('reads NO_VECTOR after an impossible mapping and after a reset (pci.msix-readback)', () => {
    const d = withVectors();
    d.reset();
    d.setField('config_msix_vector', 3);
    assert.equal(d.field('config_msix_vector'), 0xffff);
    d.setField('config_msix_vector', 1);
    assert.equal(d.field('config_msix_vector'), 1);
    d.reset();
    assert.equal(d.field('config_msix_vector'), 0xffff);
  });

  it('keeps a masked message pending until it is unmasked', () => {
    const d = withVectors();
    startWith(d, 1);
    const table = d.bus.bars.get(1) ?? 0;
    d.bench.store(table + 16 + 12, 4, 1);
    readSector(d);
    d.bench.run(200);
    assert.deepEqual(d.bench.messages, []);
    assert.equal(Number(d.bench.load(table + 0x800, 8)), 2);
    d.bench.store(table + 16 + 12, 4, 0);
    assert.deepEqual(d.bench.messages, [{ address: 0x2800_0000n, data: 101 }]);
    assert.equal(Number(d.bench.load(table + 0x800, 4)), 0);
  });

  it('says nothing for a queue without a vector', () => {
    const d = withVectors();
    startWith(d, 0xffff);
    readSector(d);
    d.bench.run(200);
    assert.deepEqual(d.bench.messages, []);
  });

  it('moves the legacy configuration by four bytes (pci.legacy-msix)', () => {
    const d = new LegacyPciDriver(bench('pci-transitional', { msixVectors: 2 }));
    d.start();
    assert.equal(d.config(0, 4), 64);
    d.bus.writeConfig(d.bus.msix + 2, 2, 0x8000);
    assert.notEqual(d.config(0, 4), 64);
    d.msix = true;
    assert.equal(d.config(0, 4), 64);
  });
});

describe('bus mastering', () => {
  it('is what lets the device reach memory, and what waited is served when it comes', () => {
    const d = driver();
    d.start();
    d.bus.enable(2);
    const queue = d.queue();
    d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 16 }, { address: d.buffer(0x100), length: 512, deviceWritable: true }, { address: d.buffer(0x80), length: 1, deviceWritable: true }])); // prettier-ignore
    d.notify(queue);
    d.bench.run(30_000);
    assert.equal(d.hasUsed(queue), false);
    d.bus.enable(6);
    d.waitUsed(queue);
  });
});

describe('the access window in configuration space', () => {
  it('reads and writes what the pointers name (pci.cap-pci-cfg)', () => {
    const d = driver();
    d.probe();
    const window = d.bus.structures.find((one) => one.cfgType === cfgType['config-access'])?.at ?? 0;
    const open = (offset: number, length: number): void => {
      d.bus.writeConfig(window + 4, 1, 4);
      d.bus.writeConfig(window + 8, 4, offset);
      d.bus.writeConfig(window + 12, 4, length);
    };
    open(20, 1);
    d.bus.writeConfig(window + 16, 1, 0);
    assert.equal(d.bus.config(window + 16, 1), 0);
    d.bus.writeConfig(window + 16, 1, 1);
    assert.equal(d.read('Status'), 1);
    assert.equal(d.bus.config(window + 16, 1), 1);
    open(0x2000, 4);
    assert.equal(d.bus.config(window + 16, 4), 64, 'the capacity');
    assert.deepEqual(
      d.bench.monitor.violations.map(({ rule }) => rule),
      ['init.config-before-driver'],
    );
  });
});

describe('what cannot be is refused', () => {
  const refused: readonly (readonly [Transport, PciOptions, RegExp])[] = [
    ['pci', { notifyOffMultiplier: 3 }, /device vda: pci\.notifyOffMultiplier is 3/],
    ['pci', { notifyOffMultiplier: 1 }, /notifyOffMultiplier is 1/],
    ['pci', { capabilities: ['common', 'isr'] }, /lacks notify/],
    ['pci-transitional', { bar: 0 }, /pci\.bar is 0/],
    ['pci', { spacing: 3 }, /multiples of 4/],
    [
      'pci',
      { capabilities: Array.from({ length: 20 }, () => 'common' as const).concat(), notifyOffMultiplier: 4 },
      /lacks notify/,
    ],
  ];
  for (const [transport, options, problem] of refused) {
    it(String(problem), () => assert.throws(() => bench(transport, options), problem));
  }
});
