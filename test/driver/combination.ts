// Every way in which a scripted driver can reach a device: transport, ring format and ring features, and the driver that speaks them.
// [virtio 1.4, 2.7, 2.8, 4.1, 4.2, 6]
import type { DeviceConfiguration } from '../../emulator/configuration';
import { feature, featureSet, type TransportName } from '../../emulator/virtio/spec/feature';
import type { Bench } from './bench';
import { type DriverOptions, ScriptedDriver } from './driver';
import { LegacyMmioDriver } from './legacy-driver';
import { LegacyPciDriver } from './legacy-pci-driver';
import { PackedDriver } from './packed-driver';
import { PackedPciDriver } from './packed-pci-driver';
import { PciDriver } from './pci-driver';

/** A transport and the interface that its driver uses: a transitional device has two. */
export interface Reach {
  readonly transport: TransportName;
  readonly legacy: boolean;
}

export const reaches: readonly Reach[] = [
  { transport: 'mmio', legacy: false },
  { transport: 'mmio-legacy', legacy: true },
  { transport: 'pci', legacy: false },
  { transport: 'pci-transitional', legacy: false },
  { transport: 'pci-transitional', legacy: true },
  { transport: 'pci-legacy', legacy: true },
];

export const reachName = ({ transport, legacy }: Reach): string =>
  transport === 'pci-transitional' ? `${transport}, ${legacy ? 'legacy' : 'modern'} interface` : transport;

export interface Combination {
  readonly reach: Reach;
  readonly ring: 'split' | 'packed';
  /** Ring and transport features beside VERSION_1 and RING_PACKED. */
  readonly features: readonly number[];
}

/** Offered unless they are switched off. */
const usual = featureSet(feature.INDIRECT_DESC, feature.EVENT_IDX);

const ringBits = ({ ring, features }: Combination): bigint =>
  featureSet(...features, ...(ring === 'packed' ? [feature.RING_PACKED] : []));

/** What a device is told to offer, so that it offers these features and no other of the ring. */
export function offerOf(
  combination: Combination,
): Pick<DeviceConfiguration, 'transport' | 'featuresOn' | 'featuresOff'> {
  const wanted = ringBits(combination);
  return { transport: combination.reach.transport, featuresOn: wanted, featuresOff: usual & ~wanted };
}

/** The only feature bits that a legacy interface has. */
const legacyBits = 0xffff_ffffn;

/**
 * What the specification says against a combination; undefined: nothing. `device`: no such device can be made. `driver`: the device offers
 * the features, and its legacy interface does not show them.
 */
export function forbidden({ reach, ...rest }: Combination): 'device' | 'driver' | undefined {
  const wanted = ringBits({ reach, ...rest });
  const onPci = reach.transport.startsWith('pci');
  if ((wanted & featureSet(feature.NOTIF_CONFIG_DATA)) !== 0n && !onPci) return 'device';
  if (!reach.legacy || (wanted & ~legacyBits) === 0n) return undefined;
  return reach.transport === 'pci-transitional' ? 'driver' : 'device';
}

/** The driver for a combination, which accepts exactly its features and `more`. */
export function driverOf(
  bench: Bench,
  combination: Combination,
  more = 0n,
  options: Omit<DriverOptions, 'features'> = {},
): ScriptedDriver {
  const { reach, ring } = combination;
  const modern = { ...options, features: ringBits(combination) | more | featureSet(feature.VERSION_1) };
  const isPci = reach.transport.startsWith('pci');
  if (reach.legacy) {
    const legacy = { ...options, features: ringBits(combination) | more };
    return isPci ? new LegacyPciDriver(bench, legacy) : new LegacyMmioDriver(bench, legacy);
  }
  if (ring === 'packed') return isPci ? new PackedPciDriver(bench, modern) : new PackedDriver(bench, modern);
  return isPci ? new PciDriver(bench, modern) : new ScriptedDriver(bench, modern);
}
