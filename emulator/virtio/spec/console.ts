// Console device: features and configuration space. Data buffers have no structure. [virtio 1.4, 5.3]
import type { ConfigField } from '../device/interface';
import type { FeatureBit } from './feature';
import type { WireStructure } from './wire-layout';

export const consoleFeature = { SIZE: 0, MULTIPORT: 1, EMERG_WRITE: 2 } as const;

export const consoleFeatures: readonly FeatureBit[] = [
  {
    bit: consoleFeature.SIZE,
    name: 'VIRTIO_CONSOLE_F_SIZE',
    group: 'device',
    meaning: 'cols and rows give the size of the terminal.',
    section: '5.3.3',
  },
  {
    bit: consoleFeature.MULTIPORT,
    name: 'VIRTIO_CONSOLE_F_MULTIPORT',
    group: 'device',
    meaning: 'There are several ports, managed over control queues.',
    section: '5.3.3',
  },
  {
    bit: consoleFeature.EMERG_WRITE,
    name: 'VIRTIO_CONSOLE_F_EMERG_WRITE',
    group: 'device',
    meaning: 'A character can be sent through the configuration space, without queues.',
    section: '5.3.3',
  },
];

/** struct virtio_console_config. [5.3.4] */
export const consoleConfigFields: readonly ConfigField[] = [
  { name: 'cols', offset: 0, size: 2, feature: consoleFeature.SIZE, meaning: 'columns of the terminal' },
  { name: 'rows', offset: 2, size: 2, feature: consoleFeature.SIZE, meaning: 'rows of the terminal' },
  { name: 'max_nr_ports', offset: 4, size: 4, feature: consoleFeature.MULTIPORT, meaning: 'largest number of ports' },
  {
    name: 'emerg_wr',
    offset: 8,
    size: 4,
    feature: consoleFeature.EMERG_WRITE,
    writable: true,
    meaning: 'the low byte written here is sent at once',
  },
];

export const consoleQueue = { receive: 0, transmit: 1, controlReceive: 2, controlTransmit: 3 } as const;

/** struct virtio_console_control, on the control queues. [5.3.6.2] */
export const consoleControlMessage: WireStructure = {
  name: 'virtio_console_control',
  size: 8,
  section: '5.3.6.2',
  fields: [
    { name: 'id', offset: 0, type: 'le32', size: 4, meaning: 'port' },
    { name: 'event', offset: 4, type: 'le16', size: 2, meaning: 'what happened' },
    { name: 'value', offset: 6, type: 'le16', size: 2, meaning: 'detail of the event' },
  ],
};
