// The composition: slots, names, offered features, and the public device interface. [virtio 1.4, 4.2; design: virtio, launch configuration]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeviceConfiguration } from '../../../emulator/configuration';
import { deviceTypes, offeredFeatures } from '../../../emulator/virtio/device/create';
import { featureSet, hasFeature, parseFeatureName } from '../../../emulator/virtio/spec/feature';
import { missingRequirements } from '../../../emulator/virtio/spec/feature-check';
import { base, blockConfiguration, TestDisk, VirtioBench } from './bench';

const disk = new TestDisk(4096);
const entropy = (name: string, slot?: number): DeviceConfiguration => ({
  ...base,
  name,
  type: 'entropy',
  ...(slot !== undefined && { slot }),
});

describe('slots', () => {
  it('fill from the top around those that are asked for, as in QEMU', () => {
    const b = new VirtioBench([entropy('a'), entropy('b', 7), entropy('c', 0), entropy('d')]);
    assert.deepEqual(
      b.virtio.devices.map((d) => [d.name, d.inspect().slot, d.inspect().base, d.interruptSource]),
      [
        ['a', 6, 0x1000_7000, 7],
        ['b', 7, 0x1000_8000, 8],
        ['c', 0, 0x1000_1000, 1],
        ['d', 5, 0x1000_6000, 6],
      ],
    );
    assert.deepEqual(
      b.virtio.regions.map((r) => r.name),
      ['c', 'slot1', 'slot2', 'slot3', 'slot4', 'd', 'a', 'b'],
    );
  });

  it('are refused by name when they cannot be', () => {
    assert.throws(() => new VirtioBench([entropy('a', 3), entropy('b', 3)]), /device b: slot 3 is taken by device a/);
    assert.throws(() => new VirtioBench([entropy('a', 8)]), /device a: slot 8 does not exist/);
    assert.throws(() => new VirtioBench([entropy('a'), entropy('a')]), /two devices are called a/);
    const nine = Array.from({ length: 9 }, (_, i) => entropy(`rng${i}`));
    assert.throws(() => new VirtioBench(nine), /device rng8: all 8 virtio-mmio slots are taken/);
  });

  it('keep devices apart: each acts on its own', () => {
    const b = new VirtioBench([entropy('a'), entropy('b')]);
    b.negotiate([], 7);
    assert.deepEqual([b.inspect(0).status, b.inspect(1).status], [11, 0]);
  });
});

describe('offered features', () => {
  it("are QEMU's defaults", () => {
    const names = (configuration: DeviceConfiguration, ...wanted: string[]): boolean[] =>
      wanted.map((name) => {
        const bit = parseFeatureName(deviceTypes[configuration.type].deviceId, name);
        return bit !== undefined && hasFeature(offeredFeatures(configuration), bit);
      });
    const block = blockConfiguration(disk);
    const on = ['VERSION_1', 'INDIRECT_DESC', 'EVENT_IDX', 'SEG_MAX', 'BLK_SIZE', 'FLUSH', 'TOPOLOGY', 'CONFIG_WCE'];
    assert.ok(names(block, ...on, 'DISCARD', 'WRITE_ZEROES').every(Boolean));
    assert.deepEqual(names(block, 'RO', 'MQ', 'RING_PACKED', 'ACCESS_PLATFORM'), [false, false, false, false]);
    assert.deepEqual(names(blockConfiguration(disk, { readOnly: true }), 'RO'), [true]);
  });

  it('follow the configuration, and refuse by name what the device does not support', () => {
    const off = offeredFeatures(blockConfiguration(disk, { featuresOff: featureSet(28, 29) }));
    assert.deepEqual([hasFeature(off, 28), hasFeature(off, 29), hasFeature(off, 32)], [false, false, true]);
    const refused: readonly (readonly [Partial<Parameters<typeof blockConfiguration>[1] & object>, RegExp])[] = [
      [{ featuresOn: featureSet(37) }, /device vda: VIRTIO_F_SR_IOV is not supported by the block device/],
      [{ featuresOn: featureSet(41) }, /device vda: VIRTIO_F_ADMIN_VQ cannot be offered on transport mmio/],
      [{ featuresOn: featureSet(45) }, /device vda: bit 45 is not supported/],
      [{ featuresOff: featureSet(32) }, /device vda: VIRTIO_F_VERSION_1 cannot be switched off/],
      [{ featuresOff: featureSet(9) }, /device vda: VIRTIO_BLK_F_CONFIG_WCE needs VIRTIO_BLK_F_FLUSH/],
      [{ readOnly: true, featuresOff: featureSet(5) }, /device vda: VIRTIO_BLK_F_RO cannot be switched off/],
    ];
    for (const [more, message] of refused) {
      assert.throws(() => offeredFeatures(blockConfiguration(disk, more)), message);
    }
  });

  it('never offer a feature without what it requires', () => {
    for (const { deviceId, defaultFeatures } of Object.values(deviceTypes)) {
      assert.deepEqual(missingRequirements(deviceId, defaultFeatures), []);
    }
  });
});

describe('the device interface (crosvm.trait.*)', () => {
  it('shows queue maximum sizes, features and configuration through the transport', () => {
    const b = new VirtioBench([blockConfiguration(disk, { queueSize: 16 })]);
    const device = b.inspect();
    assert.deepEqual(
      device.queues.map((q) => [q.name, q.maximumSize, q.size]),
      [['requestq1', 16, 16]],
    );
    assert.equal(device.typeName, 'block');
    assert.equal(device.deviceId, 2);
    assert.equal(device.configFields.find((f) => f.name === 'seg_max')?.value, 14n);
  });

  it('inspection is plain, structured-clonable data', () => {
    const b = new VirtioBench([blockConfiguration(disk)]);
    assert.deepEqual(structuredClone(b.inspect()), b.inspect());
  });
});
