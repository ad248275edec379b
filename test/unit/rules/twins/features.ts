// Twins for feature negotiation. [virtio 1.4, 2.2.1, 6.1]
import { blockFeature } from '../../../../emulator/virtio/spec/block';
import { deviceId } from '../../../../emulator/virtio/spec/device-id';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../../emulator/virtio/spec/net';
import { blockDevice } from '../../../driver/bench';
import { TestModel } from '../../../driver/model';
import type { ScriptedDriver } from '../../../driver/driver';
import { at, introduce, type Twin } from './twin';

/** Negotiates after `change` had its way with what the driver accepts; returns the pc of the write that confirms. */
function accept(d: ScriptedDriver, change: bigint): bigint {
  introduce(d);
  d.readOffer();
  d.accepted = change;
  d.writeFeatures();
  return at(d, () => d.confirmFeatures());
}

/** A bit that is offered and that a driver should take. */
function declined(rule: string, bit: number): Twin {
  const offered = featureSet(feature.VERSION_1, bit);
  return {
    rule,
    bench: () => ({ own: { model: new TestModel(), offered } }),
    script: (d, wrong) => accept(d, wrong ? featureSet(feature.VERSION_1) : offered),
  };
}

export const featureTwins: readonly Twin[] = [
  {
    rule: 'features.select-before-read',
    script: (d, wrong) => {
      introduce(d);
      if (!wrong) d.selectDeviceFeatures(0);
      const pc = at(d, () => d.read('DeviceFeatures'));
      d.negotiate();
      return pc;
    },
  },
  {
    rule: 'features.select-before-write',
    script: (d, wrong) => {
      introduce(d);
      d.readOffer();
      d.chooseFeatures();
      if (!wrong) d.selectDriverFeatures(0);
      const pc = at(d, () => d.write('DriverFeatures', 0));
      d.writeFeatures();
      return pc;
    },
  },
  {
    rule: 'features.over-accepted',
    script: (d, wrong) => {
      introduce(d);
      d.readOffer();
      d.selectDriverFeatures(0);
      return at(d, () => d.write('DriverFeatures', 1 << (wrong ? blockFeature.RO : blockFeature.FLUSH)));
    },
  },
  {
    rule: 'features.undefined-bit',
    bench: () => ({ own: { model: new TestModel(), offered: featureSet(feature.VERSION_1, feature.RING_RESET, 44) } }),
    script: (d, wrong) => {
      introduce(d);
      d.readOffer();
      d.selectDriverFeatures(1);
      return at(d, () => d.write('DriverFeatures', 1 | (1 << ((wrong ? 44 : feature.RING_RESET) - 32))));
    },
  },
  {
    rule: 'features.requirement-missing',
    bench: () => ({
      own: {
        model: new TestModel({ deviceId: deviceId.net }),
        offered: featureSet(feature.VERSION_1, netFeature.GUEST_TSO4, netFeature.GUEST_CSUM),
      },
    }),
    script: (d, wrong) => {
      const chosen = featureSet(feature.VERSION_1, netFeature.GUEST_TSO4);
      return accept(d, wrong ? chosen : chosen | featureSet(netFeature.GUEST_CSUM));
    },
  },
  {
    rule: 'features.offer-not-read',
    script: (d, wrong) => {
      introduce(d);
      d.readFeatureWindow(1);
      if (!wrong) d.readFeatureWindow(0);
      d.accepted = featureSet(feature.VERSION_1);
      d.writeFeatures();
      return at(d, () => d.confirmFeatures());
    },
  },
  {
    rule: 'features.version-1-declined',
    script: (d, wrong) =>
      accept(d, wrong ? featureSet(blockFeature.FLUSH) : featureSet(blockFeature.FLUSH, feature.VERSION_1)),
  },
  {
    rule: 'features.changed-after-ok',
    script: (d, wrong) => {
      d.start();
      d.selectDriverFeatures(0);
      return at(d, () => d.write('DriverFeatures', wrong ? 1 << blockFeature.FLUSH : 0));
    },
  },
  {
    rule: 'features.narrowed-after-ok',
    driver: { features: featureSet(feature.VERSION_1, blockFeature.FLUSH) },
    script: (d, wrong) => {
      d.start();
      d.selectDriverFeatures(0);
      return at(d, () => d.write('DriverFeatures', wrong ? 0 : 1 << blockFeature.FLUSH));
    },
  },
  declined('features.access-platform-declined', feature.ACCESS_PLATFORM),
  declined('features.ring-packed-declined', feature.RING_PACKED),
  declined('features.order-platform-declined', feature.ORDER_PLATFORM),
  {
    rule: 'block.read-only-declined',
    bench: () => ({ devices: [blockDevice({ readOnly: true })] }),
    script: (d, wrong) =>
      accept(d, wrong ? featureSet(feature.VERSION_1) : featureSet(feature.VERSION_1, blockFeature.RO)),
  },
];
