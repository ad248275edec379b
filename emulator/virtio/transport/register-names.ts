// What registers are called on each transport. Rules and their texts use the names of virtio-mmio; whoever drives a device over another
// transport reads the names of that one. [virtio 1.4, 4.1.4.3, 4.1.4.10, 4.2.2, 4.2.4]
import type { TransportName } from '../spec/feature';

type Names = Readonly<Record<string, string>>;

const pciNames: Names = {
  DeviceFeaturesSel: 'device_feature_select',
  DeviceFeatures: 'device_feature',
  DriverFeaturesSel: 'driver_feature_select',
  DriverFeatures: 'driver_feature',
  QueueSel: 'queue_select',
  QueueSizeMax: 'queue_size',
  QueueSize: 'queue_size',
  QueueReady: 'queue_enable',
  QueueReset: 'queue_reset',
  QueueNotify: 'Queue Notify',
  QueueDescLow: 'queue_desc_lo',
  QueueDescHigh: 'queue_desc_hi',
  QueueDriverLow: 'queue_driver_lo',
  QueueDriverHigh: 'queue_driver_hi',
  QueueDeviceLow: 'queue_device_lo',
  QueueDeviceHigh: 'queue_device_hi',
  InterruptStatus: 'ISR status',
  InterruptACK: 'ISR status',
  Status: 'device_status',
  ConfigGeneration: 'config_generation',
};

/** The header of a legacy interface has fewer. */
const pciLegacyNames: Names = {
  DeviceFeatures: 'Device Features',
  DriverFeatures: 'Driver Features',
  QueueSel: 'queue_select',
  QueueSizeMax: 'queue_size',
  QueueSize: 'queue_size',
  QueuePFN: 'Queue Address',
  QueueNotify: 'Queue Notify',
  InterruptStatus: 'ISR Status',
  InterruptACK: 'ISR Status',
  Status: 'Device Status',
};

/** Whole words, longer ones first; `ISR status` and the like are no register of that name. */
const anyName = new RegExp(
  `(?<!(?:ISR|Device|Interrupt) )\\b(?:${Object.keys({ ...pciNames, ...pciLegacyNames })
    .sort((a, b) => b.length - a.length)
    .join('|')})\\b`,
  'g',
);

/** A text with the names that registers have on this transport. `legacy`: over the legacy interface of a transitional device. */
export function inWordsOf(transport: TransportName, legacy: boolean, text: string): string {
  if (!transport.startsWith('pci')) return text;
  const names = legacy ? pciLegacyNames : pciNames;
  return text.replace(anyName, (name) => names[name] ?? name);
}

/** The registers that texts name, with what they are called on virtio-pci. */
export function pciNamesIn(...texts: readonly string[]): readonly (readonly [mmio: string, pci: string])[] {
  const found = new Set(texts.flatMap((text) => text.match(anyName) ?? []));
  return Object.entries(pciNames).filter(([mmio]) => found.has(mmio));
}
