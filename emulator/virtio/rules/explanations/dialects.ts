// Explanations of the rules about the legacy interface and about the draft handshake. [virtio 1.4, 2.2.3, 3.1.2, 4.2.4]
import type { ExplanationTable } from './explanation';

const draftSteps = `write32(Status, ACKNOWLEDGE);
write32(DriverFeatures, chosen);
write32(Status, ACKNOWLEDGE | DRIVER);
if (!(read32(Status) & DRIVER)) return give_up(FAILED);`;
const onlyDraft = 'Only devices that speak the draft of 2013 are concerned';

export const dialectExplanations: ExplanationTable = {
  'legacy.features-ok-set': {
    demanded: 'FEATURES_OK belongs to the modern interface; through the legacy one it is not set.',
    hardware: 'Old devices keep the bit without a meaning, or take the value for something else.',
    wrong: `if (read32(Version) == 1) write32(Status, status | FEATURES_OK);`,
    right: `if (read32(Version) == 2) write32(Status, status | FEATURES_OK);`,
  },
  'legacy.features-after-use': {
    demanded: 'Through the legacy interface features are written before the device is used.',
    hardware: 'The device has begun with the features it had, and goes on with them.',
    wrong: `write32(QueueNotify, 0);
write32(GuestFeatures, chosen);`,
    right: `write32(GuestFeatures, chosen);
write32(QueueNotify, 0);`,
  },
  'legacy.used-before-driver-ok': {
    demanded: 'A driver sets DRIVER_OK before it uses the device, though legacy devices accept less.',
    hardware: 'QEMU puts up with it; a device that becomes ready at DRIVER_OK does not look.',
    wrong: `write32(QueueNotify, 0);
write32(Status, status | DRIVER_OK);`,
    right: `write32(Status, status | DRIVER_OK);
write32(QueueNotify, 0);`,
  },
  'legacy.queue-moved-in-use': {
    demanded: 'A legacy queue keeps its place while its page frame number is not 0.',
    hardware: 'Requests under way are written into the old place.',
    wrong: `write32(QueuePFN, first >> 12);
write32(QueuePFN, second >> 12);`,
    right: `write32(QueuePFN, 0);
write32(QueuePFN, second >> 12);`,
  },
  'legacy.page-size-not-written': {
    demanded: 'GuestPageSize is written before the first queue is placed.',
    hardware: 'The device multiplies the page frame number by 0 or by the size that earlier software wrote.',
    wrong: `write32(QueuePFN, ring >> 12);`,
    right: `write32(GuestPageSize, 4096);
write32(QueuePFN, ring >> 12);`,
  },
  'legacy.page-size-unusable': {
    demanded: 'The page size is a power of two and is written once.',
    hardware: 'Devices that shift by its logarithm place the queue elsewhere.',
    wrong: `write32(GuestPageSize, sizeof(ring));`,
    right: `write32(GuestPageSize, 4096);`,
  },
  'legacy.align-unusable': {
    demanded: 'QueueAlign is a power of two.',
    hardware: 'Driver and device disagree about where the used ring begins.',
    wrong: `write32(QueueAlign, 0);`,
    right: `write32(QueueAlign, 4096);`,
  },
  'legacy.queue-not-configured': {
    demanded: 'Size and alignment of a legacy queue are written before its page frame number.',
    hardware: 'The device lays the ring out for the size that was there before.',
    wrong: `write32(QueuePFN, ring >> 12);
write32(QueueNum, 64);`,
    right: `write32(QueueNum, 64);
write32(QueueAlign, 4096);
write32(QueuePFN, ring >> 12);`,
  },
  'draft.step-skipped': {
    demanded: 'The draft handshake takes its steps in its own order, and none is left out.',
    hardware: `${onlyDraft}; they wait for the step.`,
    wrong: `write32(Status, ACKNOWLEDGE);
write32(Status, ACKNOWLEDGE | DRIVER_OK);`,
    right: draftSteps,
  },
  'draft.features-after-driver': {
    demanded: 'In the draft features are written before DRIVER, which asks the device to judge them.',
    hardware: `${onlyDraft}; they judge an empty set.`,
    wrong: `write32(Status, ACKNOWLEDGE | DRIVER);
write32(DriverFeatures, chosen);`,
    right: draftSteps,
  },
  'draft.features-grew': {
    demanded: 'The second round of the draft may only take features away.',
    hardware: `${onlyDraft}; the added feature was never agreed to.`,
    wrong: `write32(DriverFeatures, chosen | EXTRA);
write32(Status, ACKNOWLEDGE | DRIVER | DRIVER_OK);`,
    right: `write32(DriverFeatures, chosen & ~GIVEN_UP);
write32(Status, ACKNOWLEDGE | DRIVER | DRIVER_OK);`,
  },
  'draft.features-after-driver-ok': {
    demanded: 'DRIVER_OK settles the features of the draft.',
    hardware: `${onlyDraft}; the write is not in force.`,
    wrong: `write32(Status, status | DRIVER_OK);
write32(DriverFeatures, chosen);`,
    right: `write32(DriverFeatures, chosen);
write32(Status, status | DRIVER_OK);`,
  },
  'draft.answer-not-read': {
    demanded: 'After DRIVER and after DRIVER_OK the driver reads whether the bit stayed.',
    hardware: `${onlyDraft}; a cleared bit is their way to say no.`,
    wrong: `write32(Status, ACKNOWLEDGE | DRIVER);
enable_queue(0);`,
    right: draftSteps,
  },
  'draft.refusal-ignored': {
    demanded: 'A driver whose bit was cleared offers another set or gives up.',
    hardware: `${onlyDraft}; the queues are never served.`,
    wrong: `if (!(read32(Status) & DRIVER)) warn("refused");
enable_queue(0);`,
    right: draftSteps,
  },
  'draft.device-ok-missing': {
    demanded: 'The draft device starts at DEVICE_OK, not at DRIVER_OK.',
    hardware: `${onlyDraft}; the buffers wait for ever.`,
    wrong: `write32(Status, status | DRIVER_OK);
wait_for_used();`,
    right: `write32(Status, status | DRIVER_OK);
publish(queue, head);
write32(Status, status | DRIVER_OK | DEVICE_OK);`,
  },
};
