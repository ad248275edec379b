// From a device's configuration to its model: which features each type offers by default and may offer at all.
// Defaults are those of QEMU's block, console and rng devices on virtio-mmio. [virtio 1.4, 5 and 6]
import type { DeviceConfiguration } from '../../configuration';
import { blockFeature } from '../spec/block';
import { consoleFeature } from '../spec/console';
import { deviceId } from '../spec/device-id';
import { bitsOf, feature, featureName, featureSet, hasFeature, legacyFeature } from '../spec/feature';
import { featureDefectText, missingRequirements } from '../spec/feature-check';
import { BlockDevice } from './block/block';
import { ConsoleDevice } from './console/console';
import { EntropyDevice } from './entropy';
import type { VirtioDevice } from './interface';

interface DeviceType {
  readonly deviceId: number;
  readonly defaultFeatures: bigint;
  /** Offered only when the configuration asks. */
  readonly optionalFeatures: bigint;
  readonly queueSize: number;
}

const commonDefaults = featureSet(feature.VERSION_1, feature.INDIRECT_DESC, feature.EVENT_IDX);

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
};

/**
 * Everything a configured device offers, transport and ring bits included. Throws an Error that names device and feature when the
 * device does not support a feature that is switched on, or cannot do without one that is switched off.
 */
export function offeredFeatures(configuration: DeviceConfiguration): bigint {
  const { name, type, featuresOn, featuresOff } = configuration;
  const { deviceId: id, defaultFeatures, optionalFeatures } = deviceTypes[type];
  const readOnly = configuration.type === 'block' && configuration.readOnly ? featureSet(blockFeature.RO) : 0n;
  for (const bit of bitsOf(featuresOn & ~(defaultFeatures | optionalFeatures))) {
    throw new Error(`device ${name}: ${featureName(id, bit)} is not supported by the ${type} device`);
  }
  const offered = transportFeatures(configuration, (defaultFeatures | featuresOn | readOnly) & ~featuresOff);
  if (readOnly !== 0n && !hasFeature(offered, blockFeature.RO)) {
    throw new Error(`device ${name}: VIRTIO_BLK_F_RO cannot be switched off while the disk is read-only`);
  }
  if (type === 'block' && hasFeature(offered, blockFeature.CONFIG_WCE) && !hasFeature(offered, blockFeature.FLUSH)) {
    throw new Error(`device ${name}: VIRTIO_BLK_F_CONFIG_WCE needs VIRTIO_BLK_F_FLUSH; switch off both`);
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
  if (!hasFeature(offered, feature.VERSION_1)) {
    throw new Error(`device ${name}: VIRTIO_F_VERSION_1 cannot be switched off on transport ${transport}`);
  }
  return transport === 'pci-transitional' ? offered | (featureSet(legacyFeature.ANY_LAYOUT) & ~featuresOff) : offered;
}
const legacyFeatures = 0xffff_ffffn;

/** Builds the model. `emergencyOutput` takes what a console sends without its driver. */
export function createDevice(
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
  }
}
