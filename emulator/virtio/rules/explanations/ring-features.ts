// Explanations of the rules about features of rings and transports. [virtio 1.4, 2.9, 3.4, 4.1.5.2, 6]
import type { ExplanationTable } from './explanation';

export const ringFeatureExplanations: ExplanationTable = {
  'pci.notify-config-value': {
    demanded:
      'With VIRTIO_F_NOTIF_CONFIG_DATA a driver notification carries queue_notif_config_data of the queue: as the whole 16-bit value, or as its low half under VIRTIO_F_NOTIFICATION_DATA.',
    hardware:
      'A network card takes the value for the number of a hardware queue, which another guest may own. The right queue sleeps, a wrong one wakes up; where the two numbers happen to be equal the mistake stays hidden.',
    wrong: `write16(notify_base + off * multiplier, queue->index);`,
    right: `write16(common + QUEUE_SELECT, queue->index);
queue->notify_value = read16(common + QUEUE_NOTIF_CONFIG_DATA);
/* later */
write16(notify_base + off * multiplier, queue->notify_value);`,
  },
  'features.notif-config-data-declined': {
    demanded: 'A driver accepts VIRTIO_F_NOTIF_CONFIG_DATA when it is offered.',
    hardware: 'The device has to translate queue indices in its fast path, or it serves fewer queues.',
    wrong: `accepted = offered & ~(1ull << 39);`,
    right: `accepted = offered & (VERSION_1 | 1ull << 39);
/* and notify with queue_notif_config_data */`,
  },
};
