// Explanations of the rules about initialisation and features. [virtio 1.4, 2.1, 2.2, 3.1.1, 6.1]
import type { ExplanationTable } from './explanation';

const bringUp = `write32(Status, 0);
while (read32(Status) != 0) { }
write32(Status, ACKNOWLEDGE);
write32(Status, ACKNOWLEDGE | DRIVER);`;

const settle = `status |= FEATURES_OK;
write32(Status, status);
if (!(read32(Status) & FEATURES_OK)) return give_up(FAILED);`;

const lowHigh = `write32(DeviceFeaturesSel, 0);
low = read32(DeviceFeatures);
write32(DeviceFeaturesSel, 1);
high = read32(DeviceFeatures);`;

export const handshakeExplanations: ExplanationTable = {
  'init.not-identified': {
    demanded: 'Discovery begins by reading MagicValue and Version and checking both.',
    hardware: 'On a board with empty or other devices at the address the driver programs whatever is there.',
    wrong: `write32(Status, 0);`,
    right: `if (read32(MagicValue) != 0x74726976) return;
if (read32(Version) != 2) return;`,
  },
  'init.device-id-not-read': {
    demanded: 'After MagicValue and Version the driver reads DeviceID, and leaves the device alone when it is 0.',
    hardware: 'Machines with fixed slots show placeholders: they look like virtio devices and have no function.',
    wrong: `if (read32(MagicValue) != 0x74726976) return;
write32(Status, 0);`,
    right: `if (read32(MagicValue) != 0x74726976) return;
if (read32(Version) != 2) return;
if (read32(DeviceID) != DEVICE_BLOCK) return;`,
  },
  'init.placeholder-used': {
    demanded: 'A DeviceID of 0 ends the initialisation: no other register is accessed.',
    hardware: 'QEMU has eight such slots; on other machines the registers may not exist and the access traps.',
    wrong: `id = read32(DeviceID);
write32(Status, 0);`,
    right: `if (read32(DeviceID) == 0) return;
write32(Status, 0);`,
  },
  'status.bit-cleared': {
    demanded: 'Bits of Status are only added; the single way to clear them is the reset, which writes 0.',
    hardware: 'QEMU takes the value as it is and forgets the step; strict devices refuse the write or break.',
    wrong: `write32(Status, DRIVER);`,
    right: `write32(Status, read32(Status) | DRIVER);`,
  },
  'status.after-failed': {
    demanded: 'Once FAILED is set the device is reset before it is used again.',
    hardware: 'A device may have stopped looking at its registers, so that the second attempt fails as well.',
    wrong: `write32(Status, status | FAILED);
write32(Status, ACKNOWLEDGE);`,
    right: `write32(Status, status | FAILED);
write32(Status, 0);
while (read32(Status) != 0) { }`,
  },
  'status.read-after-failed': {
    demanded: 'A device that was given up tells nothing more until it is reset.',
    hardware: 'Fields may hold values of a configuration that was never settled.',
    wrong: `write32(Status, status | FAILED);
capacity = read_config64(0);`,
    right: `capacity = read_config64(0);
if (capacity == 0) write32(Status, status | FAILED);`,
  },
  'status.unknown-bit': {
    demanded: 'A driver writes the bits of Status that the specification gives to drivers, and no others.',
    hardware: 'A later version of the specification may use the bit; a device of today may refuse the write.',
    wrong: `write32(Status, 0xff);`,
    right: `write32(Status, read32(Status) | DRIVER_OK);`,
  },
  'status.steps-combined': {
    demanded: 'The steps are taken one after the other, and each is told to the device when it is done.',
    hardware: 'A device that prepares its offer at DRIVER, or checks the features at FEATURES_OK, gets no chance to.',
    wrong: `write32(Status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);`,
    right: bringUp,
  },
  'status.reset-not-read-back': {
    demanded: 'A reset counts as done when Status reads 0.',
    hardware:
      'Emulators reset at once. A device in hardware, or behind another process, takes time, in which writes are lost and its DMA goes on.',
    wrong: `write32(Status, 0);
write32(Status, ACKNOWLEDGE);`,
    right: `write32(Status, 0);
while (read32(Status) != 0) { }
write32(Status, ACKNOWLEDGE);`,
  },
  'status.use-after-needs-reset': {
    demanded: 'When DEVICE_NEEDS_RESET is set a driver no longer counts on requests to complete; it resets the device.',
    hardware: 'QEMU sets the bit for malformed rings and then ignores the queues: a driver that waits hangs.',
    wrong: `publish(queue, head);
write32(QueueNotify, 0);`,
    right: `if (read32(Status) & DEVICE_NEEDS_RESET) return restart_device();
publish(queue, head);
write32(QueueNotify, 0);`,
  },
  'status.needs-reset-unanswered': {
    demanded: 'A driver does not count on requests to complete once DEVICE_NEEDS_RESET is set.',
    hardware:
      'A disk that hangs until the machine is switched off: the back-end process of a host has died, or has met a ring that it could not read.',
    wrong: `while (queue->used->idx == seen) wait_for_interrupt();`,
    right: `while (queue->used->idx == seen) {
    if (read32(Status) & DEVICE_NEEDS_RESET) return restart_device();
    wait_for_interrupt();
}`,
  },
  'status.suspend-unexpected': {
    demanded: 'SUSPEND is for a live device that negotiated VIRTIO_F_SUSPEND.',
    hardware: 'Other devices keep running, and the machine sleeps with DMA under way.',
    wrong: `write32(Status, read32(Status) | SUSPEND);`,
    right: `if (accepted & F_SUSPEND) write32(Status, read32(Status) | SUSPEND);
else write32(Status, 0);`,
  },
  'init.no-reset': {
    demanded: 'The first thing a driver does to a device is to reset it.',
    hardware:
      'Firmware, a boot loader or an earlier kernel left queues in memory that is somebody else’s now; the device goes on using them.',
    wrong: `write32(Status, ACKNOWLEDGE);`,
    right: bringUp,
  },
  'init.no-acknowledge': {
    demanded: 'ACKNOWLEDGE is set after each reset, before DRIVER.',
    hardware: 'Strict devices refuse the later steps; on lenient ones people who diagnose the guest are misled.',
    wrong: `write32(Status, 0);
write32(Status, DRIVER);`,
    right: bringUp,
  },
  'init.no-driver': {
    demanded: 'DRIVER is set after ACKNOWLEDGE and before the features are negotiated.',
    hardware: 'Strict devices do not take features before it.',
    wrong: `write32(Status, ACKNOWLEDGE);
write32(Status, ACKNOWLEDGE | FEATURES_OK);`,
    right: bringUp,
  },
  'init.features-before-driver': {
    demanded: 'Features are read and written in the step after DRIVER.',
    hardware: 'A device may compose its offer when DRIVER is set; before, it shows less or something else.',
    wrong: `low = read32(DeviceFeatures);
write32(Status, ACKNOWLEDGE | DRIVER);`,
    right: `write32(Status, ACKNOWLEDGE | DRIVER);
${lowHigh}`,
  },
  'init.config-before-driver': {
    demanded: 'The configuration space is read while features are negotiated or later, not before DRIVER.',
    hardware: 'Which fields exist follows from the offer, which may not be settled yet.',
    wrong: `capacity = read_config64(0);
write32(Status, ACKNOWLEDGE | DRIVER);`,
    right: `write32(Status, ACKNOWLEDGE | DRIVER);
capacity = read_config64(0);`,
  },
  'init.config-write-before-features-ok': {
    demanded: 'Until FEATURES_OK is confirmed the configuration space may be read and not written.',
    hardware: 'The device does not know yet whether the field exists, and drops the write or refuses it.',
    wrong: `write_config8(WRITEBACK, 1);
write32(Status, status | FEATURES_OK);`,
    right: `${settle}
write_config8(WRITEBACK, 1);`,
  },
  'init.features-not-written': {
    demanded: 'The subset of features that the driver understands is written before FEATURES_OK.',
    hardware: 'Modern devices refuse an empty set, since it lacks VIRTIO_F_VERSION_1.',
    wrong: `write32(Status, status | FEATURES_OK);`,
    right: `write32(DriverFeaturesSel, 0);
write32(DriverFeatures, low & understood_low);
write32(DriverFeaturesSel, 1);
write32(DriverFeatures, high & understood_high);
${settle}`,
  },
  'init.queue-before-features-ok': {
    demanded: 'Queues are set up after the features are settled and confirmed.',
    hardware:
      'The ring format and the number of queues depend on features: the device reads one layout, the driver writes another.',
    wrong: `enable_queue(0);
write32(Status, status | FEATURES_OK);`,
    right: `${settle}
enable_queue(0);`,
  },
  'init.no-features-ok': {
    demanded: 'FEATURES_OK is set between the writing of the features and the set-up of queues.',
    hardware: 'Devices that settle features there never become ready. Drivers for the legacy interface lack the step.',
    wrong: `write32(DriverFeatures, chosen);
write32(Status, ACKNOWLEDGE | DRIVER | DRIVER_OK);`,
    right: `write32(DriverFeatures, chosen);
${settle}`,
  },
  'init.features-ok-not-read-back': {
    demanded: 'Status is read after FEATURES_OK was written, to see whether the bit stayed.',
    hardware:
      'Emulators nearly always agree. A device that does not clears the bit, and then works in a way that the driver does not expect.',
    wrong: `write32(Status, status | FEATURES_OK);
enable_queue(0);`,
    right: `${settle}
enable_queue(0);`,
  },
  'init.refused-features-ok': {
    demanded: 'A driver that finds FEATURES_OK clear does not go on.',
    hardware: 'The features are not in force; rings and requests have no defined meaning.',
    wrong: `if (!(read32(Status) & FEATURES_OK)) warn("no FEATURES_OK");
enable_queue(0);`,
    right: settle,
  },
  'init.given-up-silently': {
    demanded: 'A driver that gives up says so with FAILED.',
    hardware: 'Without it neither the machine nor a person can tell a dead device from one that is still being set up.',
    wrong: `if (!(read32(Status) & FEATURES_OK)) return;`,
    right: `if (!(read32(Status) & FEATURES_OK)) {
    write32(Status, status | FAILED);
    return;
}`,
  },
  'init.queue-after-driver-ok': {
    demanded: 'All queues that are used are enabled before DRIVER_OK.',
    hardware: 'Cloud VMMs take the list of queues at DRIVER_OK and never look at a later one.',
    wrong: `write32(Status, status | DRIVER_OK);
enable_queue(0);`,
    right: `enable_queue(0);
write32(Status, status | DRIVER_OK);`,
  },
  'init.notify-before-driver-ok': {
    demanded: 'Buffers may be made available before DRIVER_OK, but nothing is notified before it.',
    hardware:
      'QEMU looks at the queue all the same; Firecracker and others drop the notification, and the buffers wait for ever.',
    wrong: `fill_receive_queue();
write32(QueueNotify, 0);
write32(Status, status | DRIVER_OK);`,
    right: `fill_receive_queue();
write32(Status, status | DRIVER_OK);
write32(QueueNotify, 0);`,
  },
  'init.driver-ok-missing': {
    demanded: 'DRIVER_OK makes the device live; before it the device does not look at its queues.',
    hardware: 'Some emulators serve queues without it, real devices do not.',
    wrong: `enable_queue(0);
publish(queue, head);`,
    right: `enable_queue(0);
write32(Status, status | DRIVER_OK);
publish(queue, head);
write32(QueueNotify, 0);`,
  },
  'features.select-before-read': {
    demanded: 'DeviceFeaturesSel is written before DeviceFeatures is read.',
    hardware:
      'Nothing says what the selector holds after a reset: the window that is read is the one its last user chose.',
    wrong: `low = read32(DeviceFeatures);
high = read32(DeviceFeatures);`,
    right: lowHigh,
  },
  'features.select-before-write': {
    demanded: 'DriverFeaturesSel is written before DriverFeatures.',
    hardware: 'The value may land in the upper window, and is then refused as not offered.',
    wrong: `write32(DriverFeatures, chosen_low);`,
    right: `write32(DriverFeaturesSel, 0);
write32(DriverFeatures, chosen_low);`,
  },
  'features.over-accepted': {
    demanded: 'Only offered features are accepted.',
    hardware:
      'Some devices leave FEATURES_OK clear; others ignore the bit, and the driver relies on what is not there.',
    wrong: `write32(DriverFeatures, understood);`,
    right: `write32(DriverFeatures, read32(DeviceFeatures) & understood);`,
  },
  'features.undefined-bit': {
    demanded: 'Bits without a meaning for this device, transport and version are ignored.',
    hardware: 'A newer device gives the bit a meaning that the driver does not implement, and works by it.',
    wrong: `write32(DriverFeatures, read32(DeviceFeatures));`,
    right: `write32(DriverFeatures, read32(DeviceFeatures) & understood);`,
  },
  'features.requirement-missing': {
    demanded: 'A feature that builds on another is accepted only together with it.',
    hardware: 'Devices refuse the set, or crash the guest with behaviour that only half of the set describes.',
    wrong: `chosen = offered & (NET_F_MQ | F_VERSION_1);`,
    right: `chosen = offered & (NET_F_MQ | NET_F_CTRL_VQ | F_VERSION_1);
if (!(chosen & NET_F_CTRL_VQ)) chosen &= ~NET_F_MQ;`,
  },
  'features.offer-not-read': {
    demanded: 'The driver looks at the offer before it decides.',
    hardware: 'A fixed set fits the device that the driver was written on, and fails on the next version.',
    wrong: `write32(DriverFeaturesSel, 1);
write32(DriverFeatures, 1);`,
    right: `${lowHigh}
write32(DriverFeaturesSel, 1);
write32(DriverFeatures, high & 1);`,
  },
  'features.version-1-declined': {
    demanded: 'VIRTIO_F_VERSION_1 is accepted when it is offered.',
    hardware: 'Modern-only devices refuse FEATURES_OK; others fall back to rings and headers of the legacy layout.',
    wrong: `write32(DriverFeaturesSel, 1);
write32(DriverFeatures, 0);`,
    right: `write32(DriverFeaturesSel, 1);
write32(DriverFeatures, 1 << (F_VERSION_1 - 32));`,
  },
  'features.changed-after-ok': {
    demanded: 'After FEATURES_OK no feature is added.',
    hardware: 'The device has settled its data paths; it ignores the write, and driver and device disagree.',
    wrong: `${settle}
write32(DriverFeatures, chosen | EXTRA);`,
    right: `write32(DriverFeatures, chosen | EXTRA);
${settle}`,
  },
  'features.narrowed-after-ok': {
    demanded: 'What was confirmed stays as it is until the next reset.',
    hardware: 'The device goes on with the confirmed set, while the driver believes in a smaller one.',
    wrong: `${settle}
write32(DriverFeatures, chosen & ~EVENT_IDX);`,
    right: `write32(DriverFeatures, chosen & ~EVENT_IDX);
${settle}`,
  },
  'features.access-platform-declined': {
    demanded: 'VIRTIO_F_ACCESS_PLATFORM is accepted when offered: the device then sees memory as the platform lets it.',
    hardware: 'Behind an IOMMU, or in a confidential guest, physical addresses reach nothing.',
    wrong: `understood = F_VERSION_1;`,
    right: `understood = F_VERSION_1 | F_ACCESS_PLATFORM; /* and map buffers for the device */`,
  },
  'features.ring-packed-declined': {
    demanded: 'VIRTIO_F_RING_PACKED is accepted when offered, by drivers that know packed rings.',
    hardware: 'Split rings cost hardware devices more bus transfers; nothing breaks.',
    wrong: `understood = F_VERSION_1;`,
    right: `understood = F_VERSION_1 | F_RING_PACKED;`,
  },
  'features.order-platform-declined': {
    demanded:
      'VIRTIO_F_ORDER_PLATFORM is accepted when offered, and barriers for hardware devices are used from then on.',
    hardware: 'A device on the bus sees stores in another order than another hart would.',
    wrong: `understood = F_VERSION_1;`,
    right: `understood = F_VERSION_1 | F_ORDER_PLATFORM; /* fence w,o in front of the doorbell */`,
  },
  'block.read-only-declined': {
    demanded: 'VIRTIO_BLK_F_RO is accepted when it is offered.',
    hardware: 'Writes fail one by one, late, and in the middle of a file system.',
    wrong: `understood = F_VERSION_1;`,
    right: `understood = F_VERSION_1 | BLK_F_RO;
disk->read_only = (chosen & BLK_F_RO) != 0;`,
  },
};
