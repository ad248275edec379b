// The feature tables and the questions asked of them. [virtio 1.4, 2.2, 5 and 6]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bitsOf,
  commonFeatures,
  featureName,
  featureRange,
  featureSet,
  featuresOf,
  findFeature,
  parseFeatureName,
} from '../../../../emulator/virtio/spec/feature';
import { checkAcceptedFeatures, missingRequirements } from '../../../../emulator/virtio/spec/feature-check';
import { blockConfigFields } from '../../../../emulator/virtio/spec/block';
import { consoleConfigFields } from '../../../../emulator/virtio/spec/console';
import { netConfigFields } from '../../../../emulator/virtio/spec/net';
import { statusText } from '../../../../emulator/virtio/spec/status';

const [net, block, consoleId, entropy] = [1, 2, 3, 4] as const;

describe('feature tables', () => {
  it('give each current bit one name, in the range that is its own', () => {
    for (const device of [net, block, consoleId, entropy]) {
      const current = featuresOf(device).filter((f) => f.legacy !== true);
      assert.equal(new Set(current.map((f) => f.bit)).size, current.length);
      for (const f of current) {
        assert.equal(featureRange(f.bit), f.group === 'device' ? 'device' : 'common', f.name);
        assert.match(f.meaning, /\.$/, f.name);
      }
    }
  });

  it('know the numbers of the specification', () => {
    assert.deepEqual(
      ['INDIRECT_DESC', 'EVENT_IDX', 'VERSION_1', 'ACCESS_PLATFORM', 'RING_PACKED', 'RING_RESET', 'SUSPEND'].map(
        (name) => commonFeatures.find((f) => f.name === `VIRTIO_F_${name}`)?.bit,
      ),
      [28, 29, 32, 33, 34, 40, 43],
    );
    assert.equal(featureName(block, 9), 'VIRTIO_BLK_F_FLUSH');
    assert.equal(featureName(net, 41), 'VIRTIO_F_ADMIN_VQ');
    assert.equal(featureName(net, 68), 'VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM');
    assert.equal(findFeature(block, 3), undefined);
    assert.deepEqual([44, 49, 128].map(featureRange), ['reserved', 'reserved', 'reserved']);
  });

  it('require only bits that exist', () => {
    for (const device of [net, block, consoleId]) {
      for (const f of featuresOf(device)) {
        for (const bit of (f.requires ?? []).flat()) assert.ok(findFeature(device, bit) !== undefined, f.name);
      }
    }
  });
});

describe('feature names in a configuration', () => {
  it('are found in every usual spelling', () => {
    for (const text of ['EVENT_IDX', 'RING_EVENT_IDX', 'VIRTIO_F_EVENT_IDX', 'VIRTIO_RING_F_EVENT_IDX', 'event_idx']) {
      assert.equal(parseFeatureName(block, text), 29, text);
    }
    for (const text of ['VERSION_1', 'VIRTIO_F_VERSION_1', 'F_VERSION_1']) {
      assert.equal(parseFeatureName(block, text), 32, text);
    }
    for (const text of ['RO', 'BLK_F_RO', 'VIRTIO_BLK_F_RO']) assert.equal(parseFeatureName(block, text), 5, text);
    assert.equal(parseFeatureName(block, 'WCE'), 9);
    assert.equal(parseFeatureName(block, 'IOMMU_PLATFORM'), 33);
    assert.equal(parseFeatureName(block, 'RING_PACKED'), 34);
    assert.equal(parseFeatureName(block, 'RING_RESET'), 40);
    assert.equal(parseFeatureName(net, 'STATUS'), 16);
    assert.equal(parseFeatureName(consoleId, 'SIZE'), 0);
  });

  it('are found for every bit of every table by their full name', () => {
    for (const device of [net, block, consoleId, entropy]) {
      for (const f of featuresOf(device)) assert.equal(parseFeatureName(device, f.name), f.bit, f.name);
    }
  });

  it('are unknown elsewhere', () => {
    for (const text of ['', 'RO', 'NET_F_MAC', 'EVENT', '29', 'VIRTIO_F_']) {
      assert.equal(parseFeatureName(entropy, text), undefined, text);
    }
    assert.equal(parseFeatureName(consoleId, 'BLK_F_SIZE'), undefined, 'the prefix of another device type');
    assert.equal(parseFeatureName(net, 'BLK_F_RO'), undefined);
  });
});

describe('accepted features', () => {
  const offered = featureSet(32, 28, 29, 9, 11);
  it('name every defect', () => {
    assert.deepEqual(checkAcceptedFeatures(block, offered, featureSet(32, 9)), []);
    assert.deepEqual(checkAcceptedFeatures(block, offered, featureSet(9, 12, 60)), [
      { kind: 'not-offered', bit: 12 },
      { kind: 'not-offered', bit: 60 },
      { kind: 'version-1-missing' },
    ]);
  });

  it('follow the requirements of the network device, alternatives included', () => {
    const missing = (...bits: number[]): (number | readonly number[])[][] =>
      missingRequirements(net, featureSet(...bits)).map((d) => (d.kind === 'requires' ? [d.bit, d.oneOf] : []));
    assert.deepEqual(missing(7), [[7, [1]]]);
    assert.deepEqual(missing(1, 7, 9), []);
    assert.deepEqual(missing(9), [[9, [7, 8]]]);
    assert.deepEqual(missing(51, 17), [[51, [60, 57]]]);
    assert.deepEqual(missing(18), [[18, [17]]]);
    assert.deepEqual(missing(0, 11, 12, 67), [[67, [56]]]);
  });

  it('are sets of bits up to 127', () => {
    assert.deepEqual(bitsOf(featureSet(0, 63, 64, 127)), [0, 63, 64, 127]);
  });
});

describe('configuration layouts', () => {
  it('do not overlap and are naturally aligned', () => {
    for (const fields of [blockConfigFields, consoleConfigFields, netConfigFields]) {
      let end = 0;
      for (const field of fields) {
        assert.ok(field.offset >= end, `${field.name} overlaps`);
        assert.equal(field.offset % Math.min(field.size, 4), 0, `${field.name} is not aligned`);
        end = field.offset + field.size;
      }
    }
    assert.equal(Math.max(...blockConfigFields.map((f) => f.offset + f.size)), 93);
  });
});

describe('status text', () => {
  it('names known bits and shows unknown ones', () => {
    assert.equal(statusText(0), '0');
    assert.equal(statusText(15), 'ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK');
    assert.equal(statusText(0x61), 'ACKNOWLEDGE | DEVICE_NEEDS_RESET | 0x20');
  });
});
