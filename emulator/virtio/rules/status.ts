// Rules of the device status field that hold at any time. [virtio 1.4, 2.1.1, 2.4.2, 3.4.1]
import { feature, hasFeature } from '../spec/feature';
import { definedStatusBits, status, statusText } from '../spec/status';
import { isOwedReset, returnWindowNanoseconds } from '../watch/waiting';
import { hasPassed, milliseconds } from './absence';
import { hex, seen, statusPlace } from './evidence';
import { familyNames } from './families';
import { type FactOf, type Finding, rule, type Rule, type RuleContext } from './rule';

type StatusWrite = FactOf<'status-write'>;
const added = (fact: StatusWrite): number => fact.value & ~fact.before;

function written(fact: StatusWrite, message: string): Finding {
  return {
    message,
    evidence: [
      seen('status before', `${hex(fact.before)} (${statusText(fact.before)})`),
      seen('value written', `${hex(fact.value)} (${statusText(fact.value)})`),
    ],
    place: statusPlace,
  };
}

const steps = status.ACKNOWLEDGE | status.DRIVER | status.FEATURES_OK | status.DRIVER_OK;
/** Bits that a driver may write; DEVICE_NEEDS_RESET is the device's own, but a driver that reads, adds and writes carries it along. */
const driverBits = definedStatusBits & ~status.DEVICE_NEEDS_RESET;

/** The device is still at the reset that the driver asked for, so Status shows what it was before. */
function isResetting({ device: { handshake } }: RuleContext): boolean {
  return handshake.reset !== undefined && !handshake.resetDone;
}

/** The first step of the sequence on a device that was taken further: whoever drove it before was not reset away. */
export function beginsAgain(fact: StatusWrite, at: RuleContext): boolean {
  if (isResetting(at)) return false;
  return fact.value === status.ACKNOWLEDGE && (fact.before & (status.DRIVER | status.DRIVER_OK)) !== 0;
}

const countOf = (bits: number): number => bits.toString(2).replaceAll('0', '').length;

export const statusRules: readonly Rule[] = [
  rule('handshake', {
    id: 'status.bit-cleared',
    title: 'Driver cleared a device status bit',
    why: 'Status only grows until a reset. A write that leaves a set bit out tells the device that a finished step was undone, which no device can do.',
    fix: 'Read Status, add the new bit and write the result; to start over write 0.',
    level: 'must',
    blames: 'access',
    covers: ['core.status.driver.2'],
    ancestors: ['lguest.status-clear', 'akaros.status-clear'],
    section: '2.1.1',
    on: ['status-write'],
    broken: (fact, at) => {
      // The device may set DEVICE_NEEDS_RESET between the driver's read and write, and it clears DRIVER_OK when it suspends.
      const lost = fact.before & ~fact.value & ~status.DEVICE_NEEDS_RESET & ~status.SUSPEND;
      if (fact.value === 0 || beginsAgain(fact, at) || isResetting(at)) return false;
      return lost !== 0 && written(fact, `${statusText(lost)} was set and is left out of the write.`);
    },
  }),
  rule('handshake', {
    id: 'status.after-failed',
    title: 'Driver went on after FAILED without a reset',
    why: 'FAILED means that the driver gave the device up. Whatever state it is in, only a reset makes it usable again.',
    fix: 'Write 0 to Status before the next attempt.',
    level: 'must',
    blames: 'access',
    covers: ['core.status.driver.3'],
    ancestors: ['akaros.status-after-failed', 'akaros.failed-write'],
    section: '2.1.1',
    once: true,
    on: ['status-write', 'driver-features-write', 'queue-setup', 'queue-ready-write', 'notify'],
    broken: (fact, { device }) => {
      if ((device.handshake.status & status.FAILED) === 0) return false;
      // 0 resets the device, stops the queue or takes nothing; in a notification it is a queue.
      if (fact.kind !== 'notify' && fact.value === 0) return false;
      if (fact.kind === 'status-write' && fact.value === fact.before) return false;
      return {
        message: `${hex(fact.value)} was written (${fact.kind}) while FAILED is set.`,
        evidence: [seen('status', statusText(device.handshake.status)), seen('value', hex(fact.value))],
        place: statusPlace,
        related: device.handshake.setBy.get(status.FAILED),
      };
    },
  }),
  rule('handshake', {
    id: 'status.read-after-failed',
    title: 'Driver kept reading a device it had given up',
    why: 'After FAILED nothing that the device shows need be right until it was reset.',
    fix: 'Stop using the device, or reset it first. Reading Status itself is fine.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    ancestors: ['akaros.failed-read'],
    section: '2.1.1',
    once: true,
    follows: ['status.after-failed'],
    on: [
      'device-features-read',
      'queue-size-max-read',
      'config-read',
      'config-generation-read',
      'interrupt-status-read',
    ],
    broken: (fact, { device }) =>
      (device.handshake.status & status.FAILED) !== 0 &&
      fact.kind !== 'config-write' && {
        message: `The device was read (${fact.kind}) while FAILED is set.`,
        evidence: [seen('status', statusText(device.handshake.status))],
        place: statusPlace,
        related: device.handshake.setBy.get(status.FAILED),
      },
  }),
  rule('handshake', {
    id: 'status.unknown-bit',
    title: 'Driver wrote a status bit that is not its own',
    why: 'The bit is reserved or belongs to the device. A later version may give it a meaning, and a device may refuse it.',
    fix: 'Write only ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK, SUSPEND and FAILED.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    ancestors: ['lguest.status-unknown'],
    section: '2.1',
    on: ['status-write'],
    broken: (fact) => {
      const unknown = added(fact) & ~driverBits;
      return unknown !== 0 && written(fact, `${statusText(unknown)} was added to Status.`);
    },
  }),
  rule('handshake', {
    id: 'status.steps-combined',
    title: 'Driver took several steps in one write to Status',
    why: 'Each bit stands for a finished step. Set together they show no order, and a device that stops in between cannot say where.',
    fix: 'Write Status once for each step: ACKNOWLEDGE, then DRIVER, then FEATURES_OK, then DRIVER_OK.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    ancestors: ['lguest.status-unknown'],
    section: '3.1.1',
    // A device that refused FEATURES_OK cleared it: a driver that did not look adds it once more.
    follows: ['init.features-ok-not-read-back'],
    on: ['status-write'],
    broken: (fact) =>
      countOf(added(fact) & steps) > 1 && written(fact, `${statusText(added(fact) & steps)} were set by one write.`),
  }),
  rule('handshake', {
    id: 'status.reset-not-read-back',
    title: 'Driver did not wait for the reset to finish',
    why: 'A reset may take time. Until Status reads 0 the device may still use its queues and may ignore what is written.',
    fix: 'After writing 0 read Status until it gives 0.',
    level: 'should',
    blames: 'access',
    covers: ['core.reset.driver.1'],
    section: '2.4.2',
    needs: { interface: 'modern' },
    on: [
      'status-write',
      'device-features-select',
      'device-features-read',
      'driver-features-select',
      'driver-features-write',
      'queue-select',
      'config-read',
      'config-write',
    ],
    broken: (fact, { device: { handshake } }) =>
      handshake.reset !== undefined &&
      !handshake.resetReadBack &&
      !handshake.resetUsed &&
      !(fact.kind === 'status-write' && fact.value === 0) && {
        message: `The device was used (${fact.kind}) although Status had not been read as 0 since the reset.`,
        evidence: [seen('status', hex(handshake.status))],
        place: statusPlace,
        related: handshake.reset,
      },
  }),
  rule('handshake', {
    id: 'status.use-after-needs-reset',
    title: 'Driver kept using a device that needs a reset',
    why: 'DEVICE_NEEDS_RESET says that the device met an error it cannot recover from: requests sent now may never come back.',
    fix: 'Check Status when the configuration change interrupt arrives, then reset and initialise the device again.',
    level: 'should',
    blames: 'access',
    covers: ['core.status.driver.4'],
    section: '2.1.1',
    once: true,
    follows: [
      'ring.*',
      'ownership.*',
      'queue-setup.*',
      'block.*',
      'console.*',
      'entropy.*',
      'features.*',
      'device-fault.*',
    ],
    on: ['notify'],
    broken: (fact, { device }) =>
      device.needsReset !== undefined && {
        message: `Queue ${fact.queue} was notified while DEVICE_NEEDS_RESET is set.`,
        evidence: [seen('status', statusText(device.handshake.status))],
        place: statusPlace,
        related: device.needsReset,
      },
  }),
  rule('handshake', {
    id: 'status.needs-reset-unanswered',
    title: 'Driver waits for a device that needs a reset',
    why: 'Since DEVICE_NEEDS_RESET the device does nothing any more. The requests that it holds never come back, so whoever waits for one waits for ever.',
    fix: 'Read Status when the configuration change interrupt arrives and when a request takes too long; with DEVICE_NEEDS_RESET set fail what is under way, reset and initialise the device again, or set FAILED.',
    level: 'hazard',
    blames: 'missing action',
    covers: ['core.status.driver.4'],
    section: '2.1.1',
    once: true,
    // Whatever made the device stop comes first.
    follows: [
      ...familyNames.filter((name) => name !== 'handshake').map((name) => `${name}.*`),
      'status.use-after-needs-reset',
    ],
    on: ['idle'],
    broken: (_fact, at) => {
      const { needsReset, handshake, queues } = at.device;
      if (needsReset === undefined || !isOwedReset(at.device)) return false;
      if (!hasPassed(at, needsReset, returnWindowNanoseconds)) return false;
      const held = queues.filter(({ ready, chains }) => ready && chains.size > 0);
      const requests = held.map(({ index, chains }) => `${chains.size} on queue ${index}`).join(', ');
      return {
        message: `DEVICE_NEEDS_RESET has been set for ${milliseconds(at, needsReset)}, the device holds buffers (${requests}), and the driver has neither reset it nor set FAILED.`,
        evidence: [seen('status', statusText(handshake.status)), seen('buffers held', requests)],
        place: statusPlace,
        queue: held[0]?.index,
        blamed: held[0]?.lastPublish,
        related: needsReset,
      };
    },
  }),
  rule('handshake', {
    id: 'status.suspend-unexpected',
    title: 'Driver asked a device to suspend that cannot',
    why: 'SUSPEND has a meaning only on a live device with VIRTIO_F_SUSPEND; elsewhere the device ignores it or breaks.',
    fix: 'Set SUSPEND only after DRIVER_OK and only when VIRTIO_F_SUSPEND was negotiated.',
    level: 'should',
    blames: 'access',
    covers: ['core.suspend.driver.1'],
    section: '3.4.1',
    on: ['status-write'],
    broken: (fact, { device }) =>
      (added(fact) & status.SUSPEND) !== 0 &&
      ((fact.before & status.DRIVER_OK) === 0 || !hasFeature(device.features.accepted, feature.SUSPEND)) &&
      written(fact, 'SUSPEND was set without DRIVER_OK or without VIRTIO_F_SUSPEND.'),
  }),
];
