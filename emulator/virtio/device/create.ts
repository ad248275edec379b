// From a device's configuration to its model: which features each type offers by default and may offer at all.
// Defaults are those of QEMU's block, console and rng devices on virtio-mmio, and of its net device on a tap. [virtio 1.4, 5 and 6]
import type { DeviceConfiguration } from '../../configuration';
import { blockFeature } from '../spec/block';
import { consoleFeature } from '../spec/console';
import { deviceId } from '../spec/device-id';
import { bitsOf, commonFeatures, feature, featureName, featureSet, hasFeature, legacyFeature } from '../spec/feature';
import { featureDefectText, missingRequirements } from '../spec/feature-check';
import { netFeature } from '../spec/net';
import { AdministeredDevice } from './administration/administered';
import { BlockDevice } from './block/block';
import { ConsoleDevice } from './console/console';
import { EntropyDevice } from './entropy';
import type { VirtioDevice } from './interface';
import { NetDevice } from './net/net';

interface DeviceType {
  readonly deviceId: number;
  readonly defaultFeatures: bigint;
  /** Offered only when the configuration asks. */
  readonly optionalFeatures: bigint;
  readonly queueSize: number;
}

const commonDefaults = featureSet(feature.VERSION_1, feature.INDIRECT_DESC, feature.EVENT_IDX);

/** Ring and transport features of every type that only the configuration switches on. */
const commonOptional = featureSet(
  feature.ACCESS_PLATFORM,
  feature.RING_PACKED,
  feature.IN_ORDER,
  feature.ORDER_PLATFORM,
  feature.NOTIFICATION_DATA,
  feature.NOTIF_CONFIG_DATA,
  feature.RING_RESET,
  feature.ADMIN_VQ,
  feature.SUSPEND,
);

/** The device types that can be configured. */
export const deviceTypes: Readonly<Record<DeviceConfiguration['type'], DeviceType>> = {
  block: {
    deviceId: deviceId.block,
    defaultFeatures:
      commonDefaults |
      featureSet(
        blockFeature.SEG_MAX,
        blockFeature.GEOMETRY,
        blockFeature.BLK_SIZE,
        blockFeature.FLUSH,
        blockFeature.TOPOLOGY,
        blockFeature.CONFIG_WCE,
        blockFeature.DISCARD,
        blockFeature.WRITE_ZEROES,
      ),
    optionalFeatures: featureSet(blockFeature.RO),
    queueSize: 256,
  },
  console: {
    deviceId: deviceId.console,
    defaultFeatures: commonDefaults | featureSet(consoleFeature.SIZE, consoleFeature.EMERG_WRITE),
    optionalFeatures: 0n,
    queueSize: 128,
  },
  entropy: { deviceId: deviceId.entropy, defaultFeatures: commonDefaults, optionalFeatures: 0n, queueSize: 8 },
  net: {
    deviceId: deviceId.net,
    defaultFeatures:
      commonDefaults |
      featureSet(
        netFeature.CSUM,
        netFeature.GUEST_CSUM,
        netFeature.CTRL_GUEST_OFFLOADS,
        netFeature.MTU,
        netFeature.MAC,
        netFeature.GUEST_TSO4,
        netFeature.GUEST_TSO6,
        netFeature.GUEST_ECN,
        netFeature.HOST_TSO4,
        netFeature.HOST_TSO6,
        netFeature.HOST_ECN,
        netFeature.MRG_RXBUF,
        netFeature.STATUS,
        netFeature.CTRL_VQ,
        netFeature.CTRL_RX,
        netFeature.CTRL_VLAN,
        netFeature.CTRL_RX_EXTRA,
        netFeature.GUEST_ANNOUNCE,
        netFeature.CTRL_MAC_ADDR,
      ),
    optionalFeatures: featureSet(
      netFeature.MQ,
      netFeature.GUEST_USO4,
      netFeature.GUEST_USO6,
      netFeature.HOST_USO,
      netFeature.SPEED_DUPLEX,
      netFeature.NOTF_COAL,
      netFeature.VQ_NOTF_COAL,
      netFeature.RSS,
      netFeature.HASH_REPORT,
    ),
    queueSize: 256,
  },
};

/**
 * Everything a configured device offers, transport and ring bits included. Throws an Error that names device and feature when the
 * device does not support a feature that is switched on, or cannot do without one that is switched off.
 */
export function offeredFeatures(configuration: DeviceConfiguration): bigint {
  const { name, type, featuresOn, featuresOff } = configuration;
  const { deviceId: id, defaultFeatures, optionalFeatures } = deviceTypes[type];
  const readOnly = configuration.type === 'block' && configuration.readOnly ? featureSet(blockFeature.RO) : 0n;
  for (const bit of bitsOf(featuresOn & ~(defaultFeatures | optionalFeatures | commonOptional))) {
    throw new Error(`device ${name}: ${featureName(id, bit)} is not supported by the ${type} device`);
  }
  const multiqueue = configuration.type === 'net' && configuration.pairs > 1 ? featureSet(netFeature.MQ) : 0n;
  const wanted = (defaultFeatures | featuresOn | readOnly | multiqueue) & ~featuresOff;
  const whole = type === 'net' ? withoutOrphans(wanted, featuresOn | multiqueue) : wanted;
  const offered = transportFeatures(configuration, whole);
  if (readOnly !== 0n && !hasFeature(offered, blockFeature.RO)) {
    throw new Error(`device ${name}: VIRTIO_BLK_F_RO cannot be switched off while the disk is read-only`);
  }
  if (type === 'block' && hasFeature(offered, blockFeature.CONFIG_WCE) && !hasFeature(offered, blockFeature.FLUSH)) {
    throw new Error(`device ${name}: VIRTIO_BLK_F_CONFIG_WCE needs VIRTIO_BLK_F_FLUSH; switch off both`);
  }
  if (type === 'net' && hasFeature(offered, netFeature.HASH_REPORT) && !hasFeature(offered, netFeature.RSS)) {
    throw new Error(`device ${name}: VIRTIO_NET_F_HASH_REPORT is supported only together with VIRTIO_NET_F_RSS`);
  }
  const [missing] = missingRequirements(id, offered);
  if (missing !== undefined) throw new Error(`device ${name}: ${featureDefectText(id, missing)}`);
  return offered;
}

/** Legacy devices have the first 32 bits only, and take any split of a request, which they say; the others are what VERSION_1 says. */
function transportFeatures(
  { name, transport = 'mmio', featuresOn, featuresOff }: DeviceConfiguration,
  offered: bigint,
) {
  if (transport === 'mmio-legacy' || transport === 'pci-legacy') {
    const [unreachable] = bitsOf(featuresOn & ~legacyFeatures);
    if (unreachable !== undefined) {
      throw new Error(`device ${name}: feature bit ${unreachable} cannot be offered on transport ${transport}`);
    }
    return (offered & legacyFeatures) | (featureSet(legacyFeature.ANY_LAYOUT) & ~featuresOff);
  }
  const unfit = commonFeatures.find(
    (one) => hasFeature(featuresOn, one.bit) && one.transports?.includes(transport) === false,
  );
  if (unfit !== undefined) throw new Error(`device ${name}: ${unfit.name} cannot be offered on transport ${transport}`);
  if (!hasFeature(offered, feature.VERSION_1)) {
    throw new Error(`device ${name}: VIRTIO_F_VERSION_1 cannot be switched off on transport ${transport}`);
  }
  return transport === 'pci-transitional' ? offered | (featureSet(legacyFeature.ANY_LAYOUT) & ~featuresOff) : offered;
}
const legacyFeatures = 0xffff_ffffn;

/** Drops defaults whose requirement was switched off: without CTRL_VQ there are no commands. What was asked for stays, and is refused. */
function withoutOrphans(offered: bigint, asked: bigint): bigint {
  let rest = offered;
  for (;;) {
    const orphans = missingRequirements(deviceId.net, rest).flatMap((defect) =>
      defect.kind === 'requires' && !hasFeature(asked, defect.bit) ? [defect.bit] : [],
    );
    if (!hasFeature(rest, netFeature.CTRL_VQ)) orphans.push(netFeature.CTRL_RX_EXTRA);
    const next = rest & ~(featureSet(...orphans) & ~asked);
    if (next === rest) return rest;
    rest = next;
  }
}

/** Largest size of an administration virtqueue. */
const administrationQueueSize = 64;

/** Builds the model, with an administration virtqueue where VIRTIO_F_ADMIN_VQ is offered. `emergencyOutput` takes what a console sends without its driver. */
export function createDevice(
  configuration: DeviceConfiguration,
  features: bigint,
  emergencyOutput: (bytes: Uint8Array) => void,
): VirtioDevice {
  const model = createModel(configuration, features, emergencyOutput);
  return hasFeature(features, feature.ADMIN_VQ) ? new AdministeredDevice(model, administrationQueueSize) : model;
}

function createModel(
  configuration: DeviceConfiguration,
  features: bigint,
  emergencyOutput: (bytes: Uint8Array) => void,
): VirtioDevice {
  const queueSize = configuration.queueSize ?? deviceTypes[configuration.type].queueSize;
  switch (configuration.type) {
    case 'block':
      return new BlockDevice({
        backend: configuration.backend,
        readOnly: configuration.readOnly || hasFeature(features, blockFeature.RO),
        serial: configuration.serial ?? configuration.name,
        queueSize,
        features,
      });
    case 'console':
      return new ConsoleDevice({ queueSize, features, columns: 80, rows: 25, emergencyOutput });
    case 'entropy':
      return new EntropyDevice(queueSize);
    case 'net':
      return new NetDevice({
        address: configuration.address,
        mtu: configuration.mtu,
        pairs: configuration.pairs,
        queueSize,
        features,
        announceAfter: configuration.announceAfterNanoseconds,
        arrivals: configuration.arrivals ?? [],
      });
  }
}
