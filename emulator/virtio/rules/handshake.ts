// Rules of the initialisation sequence, one for each of its steps. [virtio 1.4, 3.1.1, 4.2.3.1.1]
import { status, statusText } from '../spec/status';
import { byDriver, hex, registerPlace, seen, statusPlace } from './evidence';
import { type FactOf, type Finding, rule, type Rule, type RuleContext } from './rule';
import { beginsAgain } from './status';

const sequence = ['core.init.driver.1'] as const;

type StatusWrite = FactOf<'status-write'>;
const added = (fact: StatusWrite): number => fact.value & ~fact.before;

function statusFinding(fact: StatusWrite, message: string): Finding {
  return {
    message,
    evidence: [
      seen('status before', `${hex(fact.before)} (${statusText(fact.before)})`),
      seen('value written', `${hex(fact.value)} (${statusText(fact.value)})`),
    ],
    place: statusPlace,
  };
}

/** Whether the driver asked for a status bit in this lap, refused or not. */
const asked = (at: RuleContext, bit: number): boolean => (at.device.handshake.written & bit) !== 0;

/** A write to Status that begins a later step while an earlier one was never taken in this lap. */
function skips(fact: StatusWrite, at: RuleContext, missing: number, later: number): boolean {
  if ((added(fact) & later) === 0 || asked(at, later)) return false;
  return ((at.device.handshake.written | fact.value) & missing) === 0;
}

/** What a register write of the set-up does, for messages. */
function doing(fact: FactOf<'queue-setup' | 'queue-ready-write' | 'notify' | 'status-write' | 'config-write'>): string {
  switch (fact.kind) {
    case 'queue-setup':
      return `wrote ${fact.field} of queue ${fact.queue}`;
    case 'queue-ready-write':
      return `wrote QueueReady of queue ${fact.queue}`;
    case 'notify':
      return `notified queue ${fact.queue}`;
    case 'status-write':
      return `wrote ${hex(fact.value)} to Status`;
    default:
      return `wrote the configuration field ${fact.field ?? hex(fact.offset)}`;
  }
}

/** Set-up that has to wait for confirmed features. */
function goesOn(
  fact: FactOf<'queue-setup' | 'queue-ready-write' | 'notify' | 'status-write' | 'config-write'>,
): boolean {
  if (fact.kind === 'status-write') return (added(fact) & status.DRIVER_OK) !== 0;
  return fact.kind !== 'queue-ready-write' || fact.value !== 0;
}

export const handshakeRules: readonly Rule[] = [
  rule('handshake', {
    id: 'init.no-reset',
    title: 'Driver started without resetting the device',
    why: 'Firmware or an earlier driver may have left the device running, with queues that point into memory which now belongs to somebody else. Only a reset brings it into a known state.',
    fix: 'Write 0 to Status before the first status bit is set, and read Status until it gives 0.',
    level: 'must',
    blames: 'access',
    covers: sequence,
    section: '3.1.1',
    on: ['status-write'],
    broken: (fact, at) => {
      if (beginsAgain(fact, at)) {
        return statusFinding(fact, `Status was set to ACKNOWLEDGE alone while it was ${statusText(fact.before)}.`);
      }
      const isFirst = at.device.handshake.reset === undefined && at.device.handshake.written === 0;
      return (
        fact.value !== 0 &&
        isFirst &&
        statusFinding(fact, `Status was set to ${statusText(fact.value)} although 0 was never written to it.`)
      );
    },
  }),
  rule('handshake', {
    id: 'init.no-acknowledge',
    title: 'Driver skipped ACKNOWLEDGE',
    why: 'ACKNOWLEDGE is the first step after a reset; a reset clears it, so a bit set before the reset no longer counts. Devices and people diagnosing them take the missing bit for a guest that never recognised the device.',
    fix: 'Set ACKNOWLEDGE (1) after every reset, then DRIVER (2). Keep the bits that are set by reading Status before each write.',
    level: 'must',
    blames: 'access',
    covers: [...sequence, 'core.status.driver.1'],
    ancestors: ['lguest.status-order', 'akaros.status-driver'],
    section: '3.1.1',
    on: ['status-write'],
    broken: (fact, at) =>
      skips(fact, at, status.ACKNOWLEDGE, status.DRIVER | status.FEATURES_OK | status.DRIVER_OK) &&
      statusFinding(fact, `${statusText(added(fact))} was set, but ACKNOWLEDGE was not set since the last reset.`),
  }),
  rule('handshake', {
    id: 'init.no-driver',
    title: 'Driver skipped DRIVER',
    why: 'DRIVER says that the guest has a driver for this device; features are negotiated after it. Without it the device may take what follows for probing.',
    fix: 'Set DRIVER (2) after ACKNOWLEDGE and before reading features.',
    level: 'must',
    blames: 'access',
    covers: [...sequence, 'core.status.driver.1'],
    ancestors: ['lguest.status-order', 'akaros.status-features-ok'],
    section: '3.1.1',
    follows: ['init.features-before-driver', 'init.config-before-driver'],
    on: ['status-write'],
    broken: (fact, at) =>
      skips(fact, at, status.DRIVER, status.FEATURES_OK | status.DRIVER_OK) &&
      statusFinding(fact, `${statusText(added(fact))} was set, but DRIVER was not set since the last reset.`),
  }),
  rule('handshake', {
    id: 'init.features-before-driver',
    title: 'Driver negotiated features before setting DRIVER',
    why: 'Reading the offer and writing the choice belong to the step after DRIVER. A device may prepare its offer only then.',
    fix: 'Set ACKNOWLEDGE and DRIVER first, then read DeviceFeatures and write DriverFeatures.',
    level: 'must',
    blames: 'access',
    covers: sequence,
    ancestors: [
      'lguest.feature-read-before-driver',
      'lguest.feature-write-before-driver',
      'akaros.features-read-before-driver',
    ],
    section: '3.1.1',
    once: true,
    on: ['device-features-read', 'driver-features-write'],
    broken: (fact, at) =>
      !asked(at, status.DRIVER) && {
        message: `Window ${fact.window} of ${fact.kind === 'device-features-read' ? 'DeviceFeatures was read' : 'DriverFeatures was written'} while Status is ${statusText(at.device.handshake.status)}.`,
        evidence: [seen('status', hex(at.device.handshake.status)), seen('value', hex(fact.value))],
        place: registerPlace(fact.kind === 'device-features-read' ? 'DeviceFeatures' : 'DriverFeatures'),
      },
  }),
  rule('handshake', {
    id: 'init.config-before-driver',
    title: 'Driver read the configuration space before setting DRIVER',
    why: 'The configuration space may be read while features are negotiated, which is after DRIVER. Which fields exist depends on the offer.',
    fix: 'Move the read behind the write of DRIVER to Status, and behind the read of the feature bit that the field needs.',
    level: 'must',
    blames: 'access',
    covers: [...sequence, 'core.init.driver.2'],
    ancestors: ['lguest.config-read-before-driver', 'akaros.config-read-before-driver'],
    section: '3.1.1',
    once: true,
    on: ['config-read'],
    broken: (fact, at) =>
      fact.kind === 'config-read' &&
      !asked(at, status.DRIVER) && {
        message: `Field ${fact.field ?? hex(fact.offset)} was read while Status is ${statusText(at.device.handshake.status)}.`,
        evidence: [seen('status', hex(at.device.handshake.status)), seen('offset', hex(fact.offset))],
        place: { kind: 'config', offset: fact.offset, size: fact.size },
      },
  }),
  rule('handshake', {
    id: 'init.config-write-before-features-ok',
    title: 'Driver wrote the configuration space before FEATURES_OK',
    why: 'Until the features are settled the device does not know which fields the driver may write; during negotiation they may only be read.',
    fix: 'Write configuration fields after FEATURES_OK was set and confirmed.',
    level: 'must',
    blames: 'access',
    covers: ['core.init.driver.3'],
    ancestors: ['akaros.config-write-before-features-ok'],
    section: '3.1.1',
    needs: { interface: 'modern' },
    once: true,
    on: ['config-write'],
    // The console's emerg_wr may be written at any time. [virtio 1.4, 5.3.4]
    broken: (fact, at) =>
      fact.kind === 'config-write' &&
      !asked(at, status.FEATURES_OK) &&
      fact.field !== 'emerg_wr' && {
        message: `Field ${fact.field ?? hex(fact.offset)} was written while Status is ${statusText(at.device.handshake.status)}.`,
        evidence: [
          seen('status', hex(at.device.handshake.status)),
          seen('offset', hex(fact.offset)),
          seen('value', hex(fact.value)),
        ],
        place: { kind: 'config', offset: fact.offset, size: fact.size },
      },
  }),
  rule('handshake', {
    id: 'init.features-not-written',
    title: 'Driver set FEATURES_OK without writing its features',
    why: 'FEATURES_OK ends a negotiation that never took place: the device keeps the empty set, or what its last driver chose.',
    fix: 'Write both windows of DriverFeatures, even when nothing but VIRTIO_F_VERSION_1 is accepted.',
    level: 'must',
    blames: 'access',
    covers: sequence,
    section: '3.1.1',
    needs: { interface: 'modern' },
    on: ['status-write'],
    broken: (fact, at) =>
      (added(fact) & status.FEATURES_OK) !== 0 &&
      at.device.features.windowsWritten.size === 0 &&
      statusFinding(fact, 'FEATURES_OK was set, but DriverFeatures was not written since the last reset.'),
  }),
  rule('handshake', {
    id: 'init.queue-before-features-ok',
    title: 'Driver set up a queue before FEATURES_OK',
    why: 'Features decide how a queue is laid out and how many there are. A queue that is set up before they are settled may mean something else to the device.',
    fix: 'Finish the negotiation first: write the features, set FEATURES_OK, read it back, then set up queues.',
    level: 'must',
    blames: 'access',
    covers: sequence,
    ancestors: ['lguest.queue-addr-before-features-ok'],
    section: '3.1.1',
    needs: { interface: 'modern' },
    once: true,
    on: ['queue-setup', 'queue-ready-write'],
    broken: (fact, at) =>
      goesOn(fact) &&
      !asked(at, status.FEATURES_OK) && {
        message: `The driver ${doing(fact)} while Status is ${statusText(at.device.handshake.status)}.`,
        evidence: [seen('status', hex(at.device.handshake.status)), seen('value', hex(fact.value))],
        place: { kind: 'queue', queue: fact.queue },
      },
  }),
  rule('handshake', {
    id: 'init.no-features-ok',
    title: 'Driver skipped FEATURES_OK',
    why: 'Without FEATURES_OK the device never had the chance to refuse the chosen features, and a modern device need not work. Drivers written for the legacy interface miss this step.',
    fix: 'Between DRIVER and DRIVER_OK set FEATURES_OK (8) and read Status back to see that it stayed set.',
    level: 'must',
    blames: 'access',
    covers: [...sequence, 'core.status.driver.1'],
    ancestors: ['lguest.status-order', 'akaros.status-driver-ok'],
    section: '3.1.1',
    needs: { interface: 'modern' },
    follows: ['init.queue-before-features-ok'],
    on: ['status-write'],
    broken: (fact, at) =>
      skips(fact, at, status.FEATURES_OK, status.DRIVER_OK) &&
      statusFinding(fact, 'DRIVER_OK was set, but FEATURES_OK was not set since the last reset.'),
  }),
  rule('handshake', {
    id: 'init.features-ok-not-read-back',
    title: 'Driver did not read FEATURES_OK back',
    why: 'A device refuses a set of features by leaving FEATURES_OK clear. A driver that does not look goes on with features that are not in force.',
    fix: 'Read Status after setting FEATURES_OK and give the device up when the bit is clear.',
    level: 'must',
    blames: 'access',
    covers: sequence,
    ancestors: ['lguest.features-ok-reread-driver-ok', 'lguest.queue-addr-no-reread', 'akaros.status-both'],
    section: '3.1.1',
    needs: { interface: 'modern' },
    once: true,
    on: ['status-write', 'queue-setup', 'queue-ready-write', 'notify', 'config-write'],
    broken: (fact, at) => {
      const together =
        fact.kind === 'status-write' &&
        (added(fact) & status.FEATURES_OK) !== 0 &&
        (added(fact) & status.DRIVER_OK) !== 0;
      if (!together && !(at.device.handshake.featuresOkUnread && goesOn(fact))) return false;
      return {
        message: together
          ? `FEATURES_OK and DRIVER_OK were set by one write of ${hex(fact.value)}.`
          : `The driver ${doing(fact)}, but Status was not read since FEATURES_OK was written.`,
        evidence: [seen('status', hex(at.device.handshake.status)), seen('value', hex(fact.value))],
        place: statusPlace,
        related: at.device.handshake.setBy.get(status.FEATURES_OK),
      };
    },
  }),
  rule('handshake', {
    id: 'init.refused-features-ok',
    title: 'Driver went on although the device refused its features',
    why: 'FEATURES_OK read back as clear: the device cannot work with the chosen features, and anything the driver does from here has no defined meaning.',
    fix: 'Set FAILED and stop, or reset the device and negotiate a smaller set.',
    level: 'must',
    blames: 'access',
    covers: ['core.init.driver.6'],
    section: '3.1.1',
    needs: { interface: 'modern' },
    once: true,
    on: ['status-write', 'queue-setup', 'queue-ready-write', 'notify', 'config-write'],
    broken: (fact, at) => {
      const refused = at.device.handshake.featuresRefusedSeen;
      if (refused === undefined || !goesOn(fact)) return false;
      return {
        message: `The driver ${doing(fact)} after it had read Status without FEATURES_OK.`,
        evidence: [
          seen('status', hex(at.device.handshake.status)),
          seen('features accepted', hex(at.device.features.accepted)),
          seen('features offered', hex(at.device.description.offered)),
        ],
        place: statusPlace,
        related: refused,
      };
    },
  }),
  rule('handshake', {
    id: 'init.given-up-silently',
    title: 'Driver gave up on a device without setting FAILED',
    why: 'FEATURES_OK read back as clear and the driver went no further. Without FAILED nobody can tell a device that was given up from one that is still being set up.',
    fix: 'Set FAILED (128), or reset the device and try again with fewer features.',
    level: 'should',
    blames: 'missing action',
    covers: ['core.init.driver.5'],
    section: '3.1.1',
    needs: { interface: 'modern' },
    once: true,
    follows: ['init.refused-features-ok', 'features.over-accepted', 'features.requirement-missing'],
    on: ['idle'],
    broken: (_fact, at) => {
      const refused = at.device.handshake.featuresRefusedSeen;
      return (
        refused !== undefined &&
        !asked(at, status.FAILED) && {
          message: 'FEATURES_OK was refused, and the driver waits without having set FAILED.',
          evidence: [seen('status', hex(at.device.handshake.status))],
          place: statusPlace,
          blamed: byDriver(refused),
          related: refused,
        }
      );
    },
  }),
  rule('handshake', {
    id: 'init.queue-after-driver-ok',
    title: 'Driver enabled a queue after DRIVER_OK',
    why: 'DRIVER_OK makes the device live with the queues it has. A queue that appears later belongs to the set-up step before it, and devices may never look at it.',
    fix: 'Set up every queue that is used before writing DRIVER_OK.',
    level: 'must',
    blames: 'access',
    covers: sequence,
    ancestors: ['lguest.queue-enable-after-driver-ok'],
    section: '3.1.1',
    on: ['queue-ready-write'],
    broken: (fact, at) =>
      fact.before === 0 &&
      fact.value !== 0 &&
      (at.device.handshake.status & status.DRIVER_OK) !== 0 &&
      at.device.queues[fact.queue]?.wasReady === false && {
        message: `Queue ${fact.queue} was enabled for the first time while Status is ${statusText(at.device.handshake.status)}.`,
        evidence: [seen('status', hex(at.device.handshake.status)), seen('queue', fact.queue)],
        place: { kind: 'queue', queue: fact.queue },
        related: at.device.handshake.setBy.get(status.DRIVER_OK),
      },
  }),
  rule('handshake', {
    id: 'init.notify-before-driver-ok',
    title: 'Driver notified a queue before DRIVER_OK',
    why: 'The device is not live yet: it may drop the notification, and the buffers then wait for ever, or it may use a queue that is half set up.',
    fix: 'Buffers may be made available earlier, but write QueueNotify only after DRIVER_OK.',
    level: 'must',
    blames: 'access',
    covers: ['core.init.driver.7'],
    ancestors: ['lguest.notify-before-driver-ok', 'akaros.notify-before-driver-ok'],
    section: '3.1.1',
    needs: { interface: 'modern' },
    once: true,
    on: ['notify'],
    broken: (fact, at) =>
      !asked(at, status.DRIVER_OK) && {
        message: `Queue ${fact.queue} was notified while Status is ${statusText(at.device.handshake.status)}.`,
        evidence: [seen('status', hex(at.device.handshake.status)), seen('value', hex(fact.value))],
        place: registerPlace('QueueNotify'),
      },
  }),
  rule('handshake', {
    id: 'init.driver-ok-missing',
    title: 'Buffers were made available, but DRIVER_OK was never set',
    why: 'The device does not look at its queues before DRIVER_OK, so the buffers stay where they are.',
    fix: 'Set DRIVER_OK when the queues are set up, then notify.',
    level: 'hazard',
    blames: 'missing action',
    covers: [],
    section: '3.1.1',
    once: true,
    follows: ['init.notify-before-driver-ok', 'init.refused-features-ok', 'status.after-failed'],
    on: ['idle'],
    broken: (_fact, at) => {
      if (asked(at, status.DRIVER_OK | status.FAILED)) return false;
      const waiting = at.device.queues.find(({ ready, lastPublish }) => ready && lastPublish !== undefined);
      const publish = waiting?.lastPublish;
      if (waiting === undefined || publish === undefined) return false;
      if (at.virtualNanoseconds - publish.virtualNanoseconds < driverOkWindowNanoseconds) return false;
      return {
        message: `Queue ${waiting.index} has buffers at index ${waiting.availableIndex}, and Status is still ${statusText(at.device.handshake.status)}.`,
        evidence: [seen('status', hex(at.device.handshake.status)), seen('available idx', waiting.availableIndex)],
        place: statusPlace,
        queue: waiting.index,
        blamed: publish,
        related: publish,
      };
    },
  }),
];

/** Virtual time between publish and idle after which a missing DRIVER_OK is no slow start any more. */
const driverOkWindowNanoseconds = 10_000_000;
