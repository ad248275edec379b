// Shared memory regions: found by the registers of virtio-mmio and by capabilities on PCI, and memory for whoever maps them.
// [virtio 1.4, 2.10, 4.1.4.7, 4.2.2]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeviceConfiguration, PciOptions, SharedMemoryOptions } from '../../../../emulator/configuration';
import { virtioSharedMemory } from '../../../../emulator/board/memory-map';
import { cfgType } from '../../../../emulator/virtio/transport/pci-layout';
import { Bench, blockDevice, entropyDevice } from '../../../driver/bench';
import { readSector } from '../../../driver/block';
import { ScriptedDriver } from '../../../driver/driver';
import { PciDriver } from '../../../driver/pci-driver';

const regions: readonly SharedMemoryOptions[] = [
  { id: 1, bytes: 0x2000 },
  { id: 7, bytes: 0x1000 },
];
const disk = (transport: 'mmio' | 'pci' | 'pci-transitional', pci: PciOptions = {}): DeviceConfiguration => ({
  ...blockDevice({ transport, pci }),
  sharedMemory: regions,
});
function assertSilent({ monitor }: Bench): void {
  assert.deepEqual(
    monitor.violations.map(({ rule, message }) => `${rule}: ${message}`),
    [],
  );
}
/** Writes in one width and reads in others. */
function assertMemory(bench: Bench, base: number, bytes: number): void {
  bench.store(base, 8, 0x1122_3344_5566_7788n);
  bench.store(base + bytes - 1, 1, 0xab);
  assert.equal(bench.load(base + 4, 4), 0x1122_3344n);
  assert.equal(bench.load(base + 6, 2), 0x1122n);
  assert.equal(bench.load(base + bytes - 4, 4), 0xab00_0000n);
}

describe('on virtio-mmio', () => {
  it('length and base follow SHMSel, and are all ones where there is no region', () => {
    const d = new ScriptedDriver(new Bench({ devices: [disk('mmio')] }));
    d.start();
    const region = (id: number): readonly number[] => {
      d.write('SHMSel', id);
      return ['SHMLenHigh', 'SHMLenLow', 'SHMBaseHigh', 'SHMBaseLow'].map((name) => d.read(name));
    };
    const { base } = virtioSharedMemory;
    assert.deepEqual(region(1), [0, 0x2000, 0, base]);
    assert.deepEqual(region(7), [0, 0x1000, 0, base + 0x2000]);
    assert.deepEqual(region(2), [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff]);
    assertMemory(d.bench, base, 0x2000);
    assertMemory(d.bench, base + 0x2000, 0x1000);
    readSector(d, 4);
    assertSilent(d.bench);
  });

  it('accesses of the registers of a device without any are still found', () => {
    const d = new ScriptedDriver(new Bench({ devices: [blockDevice()] }));
    d.start();
    d.read('SHMLenLow');
    assert.deepEqual(
      d.bench.monitor.violations.map(({ rule }) => rule),
      ['register.shared-memory'],
    );
  });

  it('several devices share the window, which ends', () => {
    const large = { ...entropyDevice(), sharedMemory: [{ id: 0, bytes: 0x10_0000 }] };
    assert.throws(() => new Bench({ devices: [large] }), /rng0.shm0: the shared memory of all virtio-mmio devices/);
  });
});

describe('on PCI', () => {
  for (const [name, transport, pci] of [
    ['behind the other structures', 'pci', {}],
    ['of a transitional device', 'pci-transitional', {}],
    ['beside structures in another register', 'pci', { bar: 2 }],
    ['named first', 'pci', { capabilities: ['shared-memory', 'common', 'notify', 'isr', 'device'] }],
    ['with vectors', 'pci', { bar: 0, msixVectors: 2 }],
  ] as const) {
    it(`stands in a base address register of its own, ${name}`, () => {
      const d = new PciDriver(new Bench({ devices: [disk(transport, pci)] }));
      d.start();
      const found = d.bus.structures.filter((one) => one.cfgType === cfgType['shared-memory']);
      assert.deepEqual(
        found.map(({ at, offset, length }) => [d.bus.config(at + 5, 1), d.bus.config(at + 16, 4), offset, length]),
        [
          [1, 0, 0, 0x2000],
          [7, 0, 0x2000, 0x1000],
        ],
      );
      const base = d.bus.bars.get(found[0]?.bar ?? -1) ?? 0;
      assertMemory(d.bench, base, 0x2000);
      assertMemory(d.bench, base + 0x2000, 0x1000);
      readSector(d, 4);
      assertSilent(d.bench);
    });
  }
});

it('regions that cannot be are refused by name', () => {
  for (const [sharedMemory, message] of [
    [[{ id: 256, bytes: 0x1000 }], /vda: sharedMemory has id 256/],
    [[{ id: 0, bytes: 100 }], /vda: sharedMemory 0 has 100 bytes/],
    [
      [
        { id: 0, bytes: 0x1000 },
        { id: 0, bytes: 0x1000 },
      ],
      /vda: sharedMemory has id 0 twice/,
    ],
  ] as const) {
    const device: DeviceConfiguration = { ...blockDevice(), sharedMemory };
    assert.throws(() => new Bench({ devices: [device] }), message);
  }
});
