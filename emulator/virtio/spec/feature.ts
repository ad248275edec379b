// Feature bits: the device-independent ones, how bit numbers are allocated, and the questions asked of any feature table.
// [virtio 1.4, 2.2 and 6]
import { blockFeatures } from './block';
import { consoleFeatures } from './console';
import { deviceId } from './device-id';
import { netFeatures } from './net';

export type TransportName = 'mmio' | 'mmio-legacy' | 'pci' | 'pci-transitional' | 'pci-legacy';

export interface FeatureBit {
  readonly bit: number;
  /** In the specification's spelling, e.g. `VIRTIO_F_EVENT_IDX`. */
  readonly name: string;
  /** `ring`: how buffers are exchanged; `transport`: how device and driver reach each other; `device`: of one device type. */
  readonly group: 'ring' | 'transport' | 'device';
  /** One line, in our words. */
  readonly meaning: string;
  readonly section: string;
  /** Other names in use for the same bit. */
  readonly aliases?: readonly string[];
  /** Of each inner list at least one bit has to be accepted too. */
  readonly requires?: readonly (readonly number[])[];
  /** Where the bit may be negotiated; absent: on every transport. */
  readonly transports?: readonly TransportName[];
  /** Only for legacy or transitional devices. */
  readonly legacy?: boolean;
}

/** Numbers of the device-independent bits. */
export const feature = {
  INDIRECT_DESC: 28,
  EVENT_IDX: 29,
  VERSION_1: 32,
  ACCESS_PLATFORM: 33,
  RING_PACKED: 34,
  IN_ORDER: 35,
  ORDER_PLATFORM: 36,
  SR_IOV: 37,
  NOTIFICATION_DATA: 38,
  NOTIF_CONFIG_DATA: 39,
  RING_RESET: 40,
  ADMIN_VQ: 41,
  SUSPEND: 43,
} as const;

/** Bits that only legacy interfaces have. [6.3] */
export const legacyFeature = { NOTIFY_ON_EMPTY: 24, ANY_LAYOUT: 27 } as const;

const onPci: readonly TransportName[] = ['pci', 'pci-transitional'];
const onLegacy: readonly TransportName[] = ['mmio-legacy', 'pci-transitional', 'pci-legacy'];

export const commonFeatures: readonly FeatureBit[] = [
  {
    bit: 24,
    name: 'VIRTIO_F_NOTIFY_ON_EMPTY',
    group: 'ring',
    meaning: 'The device interrupts when it runs out of buffers, even if interrupts are suppressed.',
    section: '6.3',
    transports: onLegacy,
    legacy: true,
  },
  {
    bit: 27,
    name: 'VIRTIO_F_ANY_LAYOUT',
    group: 'ring',
    meaning: 'The device accepts any split of a request into descriptors.',
    section: '6.3',
    transports: onLegacy,
    legacy: true,
  },
  {
    bit: 28,
    name: 'VIRTIO_F_INDIRECT_DESC',
    group: 'ring',
    meaning: 'A descriptor may point at a table of further descriptors.',
    section: '6',
    aliases: ['VIRTIO_RING_F_INDIRECT_DESC'],
  },
  {
    bit: 29,
    name: 'VIRTIO_F_EVENT_IDX',
    group: 'ring',
    meaning: 'Both sides say by index when they want the next notification.',
    section: '6',
    aliases: ['VIRTIO_RING_F_EVENT_IDX'],
  },
  {
    bit: 30,
    name: 'UNUSED',
    group: 'ring',
    meaning: 'Marks very early drivers that did not negotiate properly; not to be accepted.',
    section: '6.3',
    transports: onLegacy,
    legacy: true,
  },
  {
    bit: 32,
    name: 'VIRTIO_F_VERSION_1',
    group: 'transport',
    meaning: 'Device and driver follow virtio 1.0 or later, not the legacy interface.',
    section: '6',
  },
  {
    bit: 33,
    name: 'VIRTIO_F_ACCESS_PLATFORM',
    group: 'transport',
    meaning: 'The platform limits or translates the addresses the device uses, for example by an IOMMU.',
    section: '6',
    aliases: ['VIRTIO_F_IOMMU_PLATFORM'],
  },
  {
    bit: 34,
    name: 'VIRTIO_F_RING_PACKED',
    group: 'ring',
    meaning: 'Queues use the packed layout instead of the split one.',
    section: '6',
  },
  {
    bit: 35,
    name: 'VIRTIO_F_IN_ORDER',
    group: 'ring',
    meaning: 'The device gives buffers back in the order in which they were made available.',
    section: '6',
  },
  {
    bit: 36,
    name: 'VIRTIO_F_ORDER_PLATFORM',
    group: 'transport',
    meaning: 'Memory accesses are ordered as for real hardware, so the driver needs the stronger barriers.',
    section: '6',
  },
  {
    bit: 37,
    name: 'VIRTIO_F_SR_IOV',
    group: 'transport',
    meaning: 'The device supports PCI single root I/O virtualization.',
    section: '6',
    transports: onPci,
  },
  {
    bit: 38,
    name: 'VIRTIO_F_NOTIFICATION_DATA',
    group: 'transport',
    meaning: 'Driver notifications carry the position in the ring besides the queue.',
    section: '6',
  },
  {
    bit: 39,
    name: 'VIRTIO_F_NOTIF_CONFIG_DATA',
    group: 'transport',
    meaning: 'The driver notifies with a value given by the device instead of the queue index.',
    section: '6',
    transports: onPci,
  },
  {
    bit: 40,
    name: 'VIRTIO_F_RING_RESET',
    group: 'ring',
    meaning: 'The driver can reset one queue on its own.',
    section: '6',
  },
  {
    bit: 41,
    name: 'VIRTIO_F_ADMIN_VQ',
    group: 'transport',
    meaning: 'The device has administration virtqueues.',
    section: '6',
    transports: onPci,
  },
  {
    bit: 43,
    name: 'VIRTIO_F_SUSPEND',
    group: 'transport',
    meaning: 'The driver can suspend the device through its status.',
    section: '6',
  },
];

const deviceFeatures: Readonly<Record<number, readonly FeatureBit[]>> = {
  [deviceId.net]: netFeatures,
  [deviceId.block]: blockFeatures,
  [deviceId.console]: consoleFeatures,
  [deviceId.entropy]: [],
};

/** Whether the device-specific bits of this device type are in our tables, so that an unlisted bit is truly undefined. */
export function knowsDeviceFeatures(device: number): boolean {
  return deviceFeatures[device] !== undefined;
}

/** All bits that a device of this type may have, by bit number. A legacy bit may share its number with a current one. */
export function featuresOf(device: number): readonly FeatureBit[] {
  return [...(deviceFeatures[device] ?? []), ...commonFeatures].sort((a, b) => a.bit - b.bit);
}

/** The feature that a bit stands for; undefined when the specification does not define it for this device. */
export function findFeature(device: number, bit: number): FeatureBit | undefined {
  const candidates = featuresOf(device).filter((f) => f.bit === bit);
  return candidates.find((f) => f.legacy !== true) ?? candidates[0];
}

/** For people: the name, or `bit 45`. */
export function featureName(device: number, bit: number): string {
  return findFeature(device, bit)?.name ?? `bit ${bit}`;
}

/** What the allocation of bit numbers says about a bit. ADMIN_VQ lies in a device range but is common. [virtio 1.4, 2.2 and 6] */
export function featureRange(bit: number): 'device' | 'common' | 'reserved' {
  if (bit === feature.ADMIN_VQ || bit === feature.SUSPEND || (bit >= 24 && bit <= 40)) return 'common';
  return bit <= 23 || bit === 42 || (bit >= 50 && bit <= 127) ? 'device' : 'reserved';
}

/** Bits set in a feature set, ascending. */
export function bitsOf(features: bigint): number[] {
  const bits: number[] = [];
  for (let bit = 0, rest = features; rest !== 0n; bit++, rest >>= 1n) if ((rest & 1n) === 1n) bits.push(bit);
  return bits;
}

export function hasFeature(features: bigint, bit: number): boolean {
  return ((features >> BigInt(bit)) & 1n) === 1n;
}

export function featureSet(...bits: readonly number[]): bigint {
  return bits.reduce((set, bit) => set | (1n << BigInt(bit)), 0n);
}

/**
 * The bit that a name in a launch configuration means: `EVENT_IDX`, `RING_EVENT_IDX`, `VIRTIO_F_EVENT_IDX`, `BLK_F_RO`, `RO`, in any
 * case. Undefined when this device type has no such feature.
 */
export function parseFeatureName(device: number, text: string): number | undefined {
  const wanted = text.trim().toUpperCase();
  const matches = featuresOf(device).filter((f) =>
    [f.name, ...(f.aliases ?? [])].some((name) => spellings(name).includes(wanted)),
  );
  return (matches.find((f) => f.legacy !== true) ?? matches[0])?.bit;
}

/** `VIRTIO_RING_F_EVENT_IDX`: also `RING_F_EVENT_IDX`, `RING_EVENT_IDX` and `EVENT_IDX`. */
function spellings(name: string): string[] {
  const short = name.replace(/^VIRTIO_/, '');
  return [name, short, short.replace(/(^|_)F_/, '$1'), short.replace(/^.*?F_/, '')];
}
