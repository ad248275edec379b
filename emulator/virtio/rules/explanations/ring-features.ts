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
  'pci.shared-cause-half-served': {
    demanded:
      'One interrupt may stand for used buffers and for a configuration change at once, and the driver handles both.',
    hardware:
      'Reading the ISR status clears it. A handler that returns after the first bit loses the other: a link that went down, a disk that grew, DEVICE_NEEDS_RESET. It takes a change in the same microsecond as a completion, so it is seen once in a while.',
    wrong: `isr = read8(isr_status);
if (isr & 1)
  serve_queues();
else if (isr & 2)
  read_config();`,
    right: `isr = read8(isr_status);
if (isr & 2)
  read_config();
if (isr & 1)
  serve_queues();`,
  },
  'suspend.not-verified': {
    demanded:
      'After setting SUSPEND the driver reads Status back until SUSPEND is set and DRIVER_OK is clear: only then is the device suspended.',
    hardware:
      'A disk with a slow write under way goes on with it while the machine is being put to sleep or its memory is copied; the write lands in memory or on the disk that nobody expects to change.',
    wrong: `write32(Status, status | SUSPEND);
save_memory();`,
    right: `write32(Status, status | SUSPEND);
do
  now = read32(Status);
while (!(now & NEEDS_RESET) && (now & (SUSPEND | DRIVER_OK)) != SUSPEND);
save_memory();`,
  },
  'suspend.buffers-published': {
    demanded: 'From the write of SUSPEND on the driver makes no more buffers available.',
    hardware:
      'The device has stopped to consume buffers. One that came later is missing from the saved state of the device, or is found when it resumes, when its owner has long given it up.',
    wrong: `write32(Status, status | SUSPEND);
add_buffer(queue, request);`,
    right: `queue->frozen = true; /* submitters wait */
write32(Status, status | SUSPEND);`,
  },
  'suspend.notified': {
    demanded: 'From the write of SUSPEND on the driver notifies no queue.',
    hardware:
      'The notification is dropped, or it takes a powered-down function out of its sleep and counts as an error.',
    wrong: `write32(Status, status | SUSPEND);
write32(QueueNotify, 0);`,
    right: `write32(QueueNotify, 0);
wait_for_used(queue);
write32(Status, status | SUSPEND);`,
  },
  'suspend.config-written': {
    demanded:
      'From the write of SUSPEND on the driver changes nothing in the configuration space; Status is the one exception.',
    hardware: 'The write is ignored. A write cache that was to be switched off stays on, and data are lost later.',
    wrong: `write32(Status, status | SUSPEND);
config[WRITEBACK] = 0;`,
    right: `config[WRITEBACK] = 0;
write32(Status, status | SUSPEND);`,
  },
  'suspend.resumed-too-early': {
    demanded:
      'A driver that resumes a device by setting DRIVER_OK waits until Status shows DRIVER_OK without SUSPEND before it uses the device.',
    hardware:
      'A function that is still waking up loses notifications and writes; the first request after each wake-up hangs.',
    wrong: `write32(Status, status | DRIVER_OK);
write32(QueueNotify, 0);`,
    right: `write32(Status, status | DRIVER_OK);
do
  now = read32(Status);
while (!(now & NEEDS_RESET) && (now & (SUSPEND | DRIVER_OK)) != DRIVER_OK);
write32(QueueNotify, 0);`,
  },
  'features.notif-config-data-declined': {
    demanded: 'A driver accepts VIRTIO_F_NOTIF_CONFIG_DATA when it is offered.',
    hardware: 'The device has to translate queue indices in its fast path, or it serves fewer queues.',
    wrong: `accepted = offered & ~(1ull << 39);`,
    right: `accepted = offered & (VERSION_1 | 1ull << 39);
/* and notify with queue_notif_config_data */`,
  },
};
