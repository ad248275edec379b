// Devices that are suspended and resumed: what they finish, what they leave alone, what they do again. [virtio 1.4, 3.4]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeviceConfiguration } from '../../../emulator/configuration';
import { blockFeature } from '../../../emulator/virtio/spec/block';
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../emulator/virtio/spec/net';
import { status } from '../../../emulator/virtio/spec/status';
import { Bench, blockDevice, netDevice } from '../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../driver/block';
import { type DriverOptions, ScriptedDriver } from '../../driver/driver';
import { PackedDriver } from '../../driver/packed-driver';
import { PciDriver } from '../../driver/pci-driver';

const suspend = featureSet(feature.SUSPEND);
const plain = featureSet(feature.VERSION_1, feature.SUSPEND);

const drivers = {
  'mmio, split': { transport: 'mmio', bits: plain, make: (b: Bench, o: DriverOptions) => new ScriptedDriver(b, o) },
  'mmio, packed': {
    transport: 'mmio',
    bits: plain | featureSet(feature.RING_PACKED),
    make: (b: Bench, o: DriverOptions) => new PackedDriver(b, o),
  },
  'pci, split': { transport: 'pci', bits: plain, make: (b: Bench, o: DriverOptions) => new PciDriver(b, o) },
  'mmio, split, event indices': {
    transport: 'mmio',
    bits: plain | featureSet(feature.EVENT_IDX),
    make: (b: Bench, o: DriverOptions) => new ScriptedDriver(b, o),
  },
} as const;

function assertSilent({ monitor }: Bench): void {
  assert.deepEqual(
    monitor.violations.map(({ rule, message }) => `${rule}: ${message}`),
    [],
  );
}
const kinds = ({ monitor }: Bench): readonly string[] => monitor.events.slice().map(({ kind }) => kind);

for (const [name, { transport, bits, make }] of Object.entries(drivers)) {
  describe(`a suspended device on ${name}`, () => {
    const started = (change: Partial<DeviceConfiguration> = {}): ScriptedDriver => {
      const device = { ...blockDevice({ transport, featuresOn: bits }), ...change } as DeviceConfiguration;
      const d = make(new Bench({ devices: [device] }), { features: bits });
      d.start();
      return d;
    };

    it('shows SUSPEND and no DRIVER_OK, and works again afterwards', () => {
      const d = started();
      for (let sector = 0; sector < 10; sector++) {
        readSector(d, sector);
        d.suspend();
        assert.equal(d.read('Status'), 0x1b);
        d.bench.run(50_000);
        d.resume();
        assert.equal(d.read('Status'), 0x0f);
      }
      readSector(d, 11);
      assert.equal(d.ram(d.buffer(0x100), 1), 11);
      d.bench.idle();
      assertSilent(d.bench);
    });

    it('finishes what it works on before it says so', () => {
      const d = started();
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
      d.notifyIfWanted(queue);
      d.bench.run(1_500);
      d.suspend();
      assert.ok(d.hasUsed(queue), 'the buffer that was fetched came back first');
      const told = kinds(d.bench);
      assert.ok(told.lastIndexOf('interrupt') < told.indexOf('suspended'));
      d.collect(queue);
      d.resume();
      assertSilent(d.bench);
    });

    it('touches no queue until it runs again', () => {
      const d = started();
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
      d.notifyIfWanted(queue);
      d.suspend();
      const before = kinds(d.bench).length;
      d.bench.run(1_000_000);
      assert.deepEqual(kinds(d.bench).slice(before), []);
      assert.equal(d.hasUsed(queue), false);
      d.resume();
      d.waitUsed(queue);
      assertSilent(d.bench);
    });

    it('is reset like any other', () => {
      const d = started();
      d.suspend();
      d.start();
      assert.equal(d.read('Status'), 0x0f);
      readSector(d, 5);
      assertSilent(d.bench);
    });
  });
}

describe('SUSPEND', () => {
  it('means nothing to a device that is not initialised, or without the feature', () => {
    for (const features of [plain, featureSet(feature.VERSION_1)]) {
      const d = new ScriptedDriver(new Bench({ devices: [blockDevice({ featuresOn: suspend })] }), { features });
      d.probe();
      d.reset();
      d.write('Status', status.ACKNOWLEDGE | status.SUSPEND);
      assert.equal(d.read('Status'), status.ACKNOWLEDGE);
      if (features === plain) continue;
      d.start();
      d.askSuspend();
      d.bench.run(100_000);
      assert.equal(d.read('Status'), 0x0f);
    }
  });

  it('keeps the configuration as it is', () => {
    const features = plain | featureSet(blockFeature.CONFIG_WCE, blockFeature.FLUSH);
    const d = new ScriptedDriver(new Bench({ devices: [blockDevice({ featuresOn: suspend })] }), { features });
    d.start();
    d.suspend();
    const before = d.config(32, 1);
    d.writeConfig(32, 1, 1 - before);
    assert.equal(d.config(32, 1), before);
  });

  it('puts changes of the configuration off until the device runs again', () => {
    const features = plain | featureSet(netFeature.STATUS, netFeature.CTRL_VQ, netFeature.GUEST_ANNOUNCE);
    const device = { ...netDevice({ featuresOn: suspend }), announceAfterNanoseconds: 50_000 } as DeviceConfiguration;
    const d = new ScriptedDriver(new Bench({ devices: [device] }), { features, queues: [0, 1, 2] });
    d.start();
    d.suspend();
    d.bench.run(500_000);
    assert.ok(!kinds(d.bench).includes('config-change'));
    assert.equal(d.read('InterruptStatus'), 0);
    d.resume();
    d.bench.run(1_000);
    assert.ok(kinds(d.bench).includes('config-change'));
    assert.equal(d.read('InterruptStatus'), 2);
  });

  it('that is under way is forgotten by a reset', () => {
    const d = new ScriptedDriver(new Bench({ devices: [blockDevice({ featuresOn: suspend })] }), { features: plain });
    d.start();
    const queue = d.queue();
    d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
    d.notifyIfWanted(queue);
    d.askSuspend();
    assert.equal(d.read('Status'), 0x0f, 'the device still works');
    d.start();
    d.bench.run(100_000);
    assert.equal(d.read('Status'), 0x0f);
    readSector(d, 7);
    assert.ok(!kinds(d.bench).includes('suspended'));
  });
});
