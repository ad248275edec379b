// Rules of feature negotiation. [virtio 1.4, 2.2.1, 4.2.2.2, 6.1]
import { deviceId } from '../spec/device-id';
import {
  bitsOf,
  feature,
  featureName,
  featureRange,
  findFeature,
  hasFeature,
  knowsDeviceFeatures,
} from '../spec/feature';
import { featureDefectText, missingRequirements } from '../spec/feature-check';
import { blockFeature } from '../spec/block';
import { status } from '../spec/status';
import { hex, registerPlace, seen } from './evidence';
import { type FactOf, type Finding, rule, type Rule, type RuleContext, type RuleTexts } from './rule';

type FeatureWrite = FactOf<'driver-features-write'>;
type StatusWrite = FactOf<'status-write'>;

/** Feature bits are 0 to 127; a driver may select windows far beyond, which hold none. */
const windows = 4;
const windowBits = (value: number, window: number): bigint =>
  window < windows ? BigInt(value >>> 0) << BigInt(32 * window) : 0n;
const windowOf = (features: bigint, window: number): number =>
  Number(BigInt.asUintN(32, features >> BigInt(32 * window)));
const confirms = (fact: StatusWrite): boolean => (fact.value & ~fact.before & status.FEATURES_OK) !== 0;

function negotiated(at: RuleContext, bits: readonly number[], message: string): Finding {
  const { accepted } = at.device.features;
  return {
    message,
    evidence: [seen('offered', hex(at.device.description.offered)), seen('accepted', hex(accepted))],
    place: bits[0] === undefined ? registerPlace('DriverFeatures') : { kind: 'feature', bit: bits[0] },
  };
}

/** Names of bits for a message. */
function named(at: RuleContext, bits: readonly number[]): string {
  return bits.map((bit) => featureName(at.device.description.deviceId, bit)).join(', ');
}

/** Bits that nobody may accept here, although this device offers them. */
function undefinedBits(fact: FeatureWrite, at: RuleContext): readonly number[] {
  const { offered, deviceId: device, transport } = at.device.description;
  return bitsOf(windowBits(fact.value, fact.window) & offered).filter((bit) => {
    const known = findFeature(device, bit);
    if (known === undefined) return featureRange(bit) !== 'device' || knowsDeviceFeatures(device);
    const isUnfit = known.legacy === true && !at.device.legacy;
    return isUnfit || (known.transports !== undefined && !known.transports.includes(transport));
  });
}

/** A rule that a bit is accepted when it is offered. */
export function shouldAccept(
  bit: number,
  texts: Pick<RuleTexts, 'id' | 'title' | 'why' | 'covers' | 'section' | 'needs'>,
): Rule {
  return rule('features', {
    ...texts,
    fix: 'Accept the bit when it is offered, and honour it.',
    level: 'should',
    blames: 'access',
    on: ['status-write'],
    broken: (fact, at) =>
      confirms(fact) &&
      hasFeature(at.device.description.offered, bit) &&
      !hasFeature(at.device.features.accepted, bit) &&
      negotiated(at, [bit], `${named(at, [bit])} is offered and was not accepted.`),
  });
}

export const featureRules: readonly Rule[] = [
  rule('features', {
    id: 'features.select-before-read',
    title: 'Driver read DeviceFeatures without selecting a window',
    why: 'After a reset it is not defined which 32 bits DeviceFeatures shows.',
    fix: 'Write 0 or 1 to DeviceFeaturesSel before each read of DeviceFeatures.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.12'],
    section: '4.2.2.2',
    needs: { transport: 'mmio', interface: 'modern' },
    on: ['device-features-read'],
    broken: (fact) =>
      !fact.selected && {
        message: `DeviceFeatures gave ${hex(fact.value)}, but DeviceFeaturesSel was not written since the reset.`,
        evidence: [seen('value', hex(fact.value))],
        place: registerPlace('DeviceFeaturesSel'),
      },
  }),
  rule('features', {
    id: 'features.select-before-write',
    title: 'Driver wrote DriverFeatures without selecting a window',
    why: 'After a reset it is not defined which 32 bits a write to DriverFeatures sets.',
    fix: 'Write 0 or 1 to DriverFeaturesSel before each write of DriverFeatures. It is another register than DeviceFeaturesSel.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.13'],
    section: '4.2.2.2',
    needs: { transport: 'mmio', interface: 'modern' },
    on: ['driver-features-write'],
    broken: (fact) =>
      !fact.selected && {
        message: `${hex(fact.value)} was written to DriverFeatures, but DriverFeaturesSel was not written since the reset.`,
        evidence: [seen('value', hex(fact.value))],
        place: registerPlace('DriverFeaturesSel'),
      },
  }),
  rule('features', {
    id: 'features.over-accepted',
    title: 'Driver accepted a feature that is not offered',
    why: 'The device does not know or does not want the feature; it will refuse FEATURES_OK, or driver and device mean different things from here on.',
    fix: 'Write only bits that are set in DeviceFeatures of the same window: offered & understood.',
    level: 'must',
    blames: 'access',
    covers: ['core.features.driver.1'],
    ancestors: ['lguest.over-accept', 'akaros.features-subset'],
    section: '2.2.1',
    on: ['driver-features-write'],
    broken: (fact, at) => {
      if (fact.window >= windows && fact.value !== 0) {
        return {
          message: `${hex(fact.value)} was written to DriverFeatures while window ${fact.window} is selected, which has no feature bits.`,
          evidence: [seen('window', fact.window), seen('value', hex(fact.value))],
          place: registerPlace('DriverFeatures'),
        };
      }
      const extra = bitsOf(windowBits(fact.value, fact.window) & ~at.device.description.offered);
      if (extra.length === 0) return false;
      return {
        message: `Bit ${extra.join(', ')} (${named(at, extra)}) was written to DriverFeatures and is not offered.`,
        evidence: [
          seen('window', fact.window),
          seen('value', hex(fact.value)),
          seen('offered', hex(windowOf(at.device.description.offered, fact.window))),
        ],
        place: { kind: 'feature', bit: extra[0] ?? 0 },
      };
    },
  }),
  rule('features', {
    id: 'features.undefined-bit',
    title: 'Driver accepted a feature bit that has no meaning here',
    why: 'The device offers a bit that is reserved, not defined for this type of device or not for this transport. A driver cannot know what it accepts, so it copied the whole offer.',
    fix: 'Mask the offer with the bits that the driver implements; ignore the others.',
    level: 'must',
    blames: 'access',
    covers: ['core.features.driver.4', 'core.features.driver.5', 'core.reserved-features.driver.10'],
    section: '2.2.1',
    on: ['driver-features-write'],
    broken: (fact, at) => {
      const unknown = undefinedBits(fact, at);
      if (unknown.length === 0) return false;
      return {
        message: `Bit ${unknown.join(', ')} was accepted, which is not defined for this device on this transport.`,
        evidence: [seen('window', fact.window), seen('value', hex(fact.value))],
        place: { kind: 'feature', bit: unknown[0] ?? 0 },
      };
    },
  }),
  rule('features', {
    id: 'features.requirement-missing',
    title: 'Driver accepted a feature without one that it needs',
    why: 'The feature builds on another one, and the device cannot provide it alone.',
    fix: 'Accept the required feature too, or leave the dependent one out.',
    level: 'must',
    blames: 'access',
    covers: ['core.features.driver.2'],
    ancestors: ['akaros.features-combination'],
    section: '2.2.1',
    needs: { interface: 'modern' },
    on: ['status-write'],
    broken: (fact, at) => {
      if (!confirms(fact)) return false;
      const device = at.device.description.deviceId;
      const missing = missingRequirements(device, at.device.features.accepted);
      if (missing.length === 0) return false;
      const bits = missing.flatMap((defect) => ('bit' in defect ? [defect.bit] : []));
      return negotiated(at, bits, `${missing.map((defect) => featureDefectText(device, defect)).join('; ')}.`);
    },
  }),
  rule('features', {
    id: 'features.offer-not-read',
    title: 'Driver confirmed features without reading the offer',
    why: 'The driver cannot know whether the device offers what it chose.',
    fix: 'Read both windows of DeviceFeatures before writing DriverFeatures.',
    level: 'must',
    blames: 'access',
    covers: ['core.features.driver.3'],
    section: '2.2.1',
    needs: { interface: 'modern' },
    on: ['status-write'],
    broken: (fact, at) => {
      if (!confirms(fact)) return false;
      const unread = [0, 1].filter(
        (window) =>
          windowOf(at.device.description.offered, window) !== 0 && !at.device.features.windowsEverRead.has(window),
      );
      return (
        unread.length !== 0 &&
        negotiated(at, [], `FEATURES_OK was set, but window ${unread.join(' and ')} of DeviceFeatures was never read.`)
      );
    },
  }),
  rule('features', {
    id: 'features.version-1-declined',
    title: 'Driver did not accept VIRTIO_F_VERSION_1',
    why: 'Without this bit the driver claims to follow the legacy interface, which the device on this transport does not have.',
    fix: 'Accept bit 32 whenever it is offered: it is bit 0 of window 1.',
    level: 'must',
    blames: 'access',
    covers: ['core.reserved-features.driver.1'],
    section: '6.1',
    needs: { interface: 'modern' },
    follows: ['init.features-not-written'],
    on: ['status-write'],
    broken: (fact, at) =>
      confirms(fact) &&
      hasFeature(at.device.description.offered, feature.VERSION_1) &&
      !hasFeature(at.device.features.accepted, feature.VERSION_1) &&
      negotiated(at, [feature.VERSION_1], 'VIRTIO_F_VERSION_1 is offered and was not accepted.'),
  }),
  rule('features', {
    id: 'features.changed-after-ok',
    title: 'Driver accepted more features after FEATURES_OK',
    why: 'The set is settled at FEATURES_OK. What is written later is not in force, whatever the driver believes.',
    fix: 'Write DriverFeatures before FEATURES_OK; to change the set reset the device.',
    level: 'must',
    blames: 'access',
    covers: ['core.init.driver.4'],
    ancestors: ['lguest.feature-write-after-features-ok', 'akaros.features-write-after-features-ok'],
    section: '3.1.1',
    needs: { interface: 'modern' },
    on: ['driver-features-write'],
    broken: (fact, at) => {
      const more = bitsOf(windowBits(fact.value, fact.window) & ~fact.acceptedBefore);
      if ((at.device.handshake.status & status.FEATURES_OK) === 0 || more.length === 0) return false;
      return {
        message: `Bit ${more.join(', ')} was added to DriverFeatures while FEATURES_OK is set.`,
        evidence: [
          seen('window', fact.window),
          seen('value', hex(fact.value)),
          seen('accepted', hex(fact.acceptedBefore)),
        ],
        place: { kind: 'feature', bit: more[0] ?? 0 },
        related: at.device.handshake.setBy.get(status.FEATURES_OK),
      };
    },
  }),
  rule('features', {
    id: 'features.narrowed-after-ok',
    title: 'Driver withdrew features after FEATURES_OK',
    why: 'The set is settled at FEATURES_OK: the device goes on with the features that the driver thinks it gave up.',
    fix: 'Decide before FEATURES_OK; to change the set reset the device.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    ancestors: ['lguest.feature-write-after-features-ok', 'akaros.features-write-after-features-ok'],
    section: '3.1.1',
    needs: { interface: 'modern' },
    on: ['driver-features-write'],
    broken: (fact, at) => {
      const window = windowBits(0xffffffff, fact.window);
      const less = bitsOf(fact.acceptedBefore & window & ~windowBits(fact.value, fact.window));
      if ((at.device.handshake.status & status.FEATURES_OK) === 0 || less.length === 0) return false;
      return {
        message: `Bit ${less.join(', ')} was left out of DriverFeatures while FEATURES_OK is set.`,
        evidence: [
          seen('window', fact.window),
          seen('value', hex(fact.value)),
          seen('accepted', hex(fact.acceptedBefore)),
        ],
        place: { kind: 'feature', bit: less[0] ?? 0 },
        related: at.device.handshake.setBy.get(status.FEATURES_OK),
      };
    },
  }),
  shouldAccept(feature.ACCESS_PLATFORM, {
    id: 'features.access-platform-declined',
    title: 'Driver did not accept VIRTIO_F_ACCESS_PLATFORM',
    why: 'The device says that its memory accesses are limited or translated by the platform. A driver that declines hands it addresses which may not work.',
    covers: ['core.reserved-features.driver.3'],
    section: '6.1',
  }),
  shouldAccept(feature.RING_PACKED, {
    id: 'features.ring-packed-declined',
    title: 'Driver did not accept VIRTIO_F_RING_PACKED',
    why: 'The device prefers packed rings, which cost it fewer memory accesses.',
    covers: ['core.reserved-features.driver.6'],
    section: '6.1',
  }),
  shouldAccept(feature.ORDER_PLATFORM, {
    id: 'features.order-platform-declined',
    title: 'Driver did not accept VIRTIO_F_ORDER_PLATFORM',
    why: 'The device needs the barriers of real hardware; a driver that declines may use weaker ones.',
    covers: ['core.reserved-features.driver.7'],
    section: '6.1',
  }),
  shouldAccept(feature.NOTIF_CONFIG_DATA, {
    id: 'features.notif-config-data-declined',
    title: 'Driver did not accept VIRTIO_F_NOTIF_CONFIG_DATA',
    why: 'The device has a shorter way to a queue by a number of its own; without it every notification has to be looked up.',
    covers: ['core.reserved-features.driver.13'],
    section: '6.1',
    needs: { transport: 'pci' },
  }),
  shouldAccept(blockFeature.RO, {
    id: 'block.read-only-declined',
    title: 'Driver did not accept VIRTIO_BLK_F_RO',
    why: 'The disk cannot be written. A driver that does not take notice will send writes that fail.',
    covers: ['block.op.driver.3'],
    section: '5.2.6.1',
    needs: { device: deviceId.block },
  }),
];
