// Rules of the VIRTIO-30 draft's handshake, which was never published: the device judges features twice, at DRIVER and at DRIVER_OK, says
// no by clearing the bit again, and waits for DEVICE_OK. What it tried to solve is FEATURES_OK's reason to be. [virtio 1.4, 3.1.1]
import { DEVICE_OK, dialects } from '../spec/dialect';
import { status } from '../spec/status';
import { hex, registerPlace, seen, statusPlace } from './evidence';
import { type FactOf, type Finding, type Needs, rule, type Rule, type RuleContext } from './rule';

const draft: Needs = { interface: 'draft' };
const { steps } = dialects['draft-virtio30'];

type SetUp = FactOf<'queue-setup' | 'queue-ready-write' | 'status-write' | 'notify'>;

function draftStatusText(value: number): string {
  const names = steps.filter(({ mask }) => (value & mask) !== 0).map(({ name }) => name);
  if ((value & status.FAILED) !== 0) names.push('FAILED');
  return names.length === 0 ? '0' : names.join(' | ');
}

const added = (fact: FactOf<'status-write'>): number => fact.value & ~fact.before;

function about(at: RuleContext, message: string, value?: number): Finding {
  return {
    message,
    evidence: [
      seen('status', `${hex(at.device.handshake.status)} (${draftStatusText(at.device.handshake.status)})`),
      ...(value === undefined ? [] : [seen('value written', `${hex(value)} (${draftStatusText(value)})`)]),
    ],
    place: statusPlace,
  };
}

/** What sets up the device further: not a reset, not giving up, and not another try at the refused step. */
function goesOn(fact: SetUp, refused: number): boolean {
  if (fact.kind !== 'status-write') return true;
  return fact.value !== 0 && (added(fact) & status.FAILED) === 0 && (added(fact) & ~refused) !== 0;
}

export const draftRules: readonly Rule[] = [
  rule('handshake', {
    id: 'draft.step-skipped',
    title: 'Driver skipped a step of the draft handshake',
    why: 'Each bit tells the device how far the driver is. One that was never set leaves out what the device does at that step.',
    fix: 'Set ACKNOWLEDGE, DRIVER, DRIVER_OK and DEVICE_OK in this order, each with a write of its own.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '3.1.1',
    needs: draft,
    on: ['status-write'],
    broken: (fact, at) => {
      if (fact.value === 0) return false;
      const reached = at.device.handshake.written | fact.value;
      const last = steps.findLastIndex(({ mask }) => (added(fact) & mask) !== 0);
      const missing = steps.slice(0, Math.max(0, last)).find(({ mask }) => (reached & mask) === 0);
      const several = steps.filter(({ mask }) => (added(fact) & mask) !== 0);
      if (missing !== undefined)
        return about(at, `${draftStatusText(added(fact))} was set, but ${missing.name} was not.`, fact.value);
      return (
        several.length > 1 &&
        about(at, `${several.map(({ name }) => name).join(' and ')} were set by one write.`, fact.value)
      );
    },
  }),
  rule('handshake', {
    id: 'draft.features-after-driver',
    title: 'Driver set DRIVER before it wrote its features',
    why: 'In the draft the device judges the features when DRIVER is set. What is written later is a second round, which may only take something away.',
    fix: 'Read DeviceFeatures and write DriverFeatures after ACKNOWLEDGE, then set DRIVER.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '3.1.1',
    needs: draft,
    on: ['status-write'],
    broken: (fact, at) =>
      (added(fact) & status.DRIVER) !== 0 &&
      at.device.features.windowsWritten.size === 0 &&
      about(at, 'DRIVER was set, and DriverFeatures was not written since the reset.', fact.value),
  }),
  rule('features', {
    id: 'draft.features-grew',
    title: 'Driver accepted more in the second round',
    why: 'After the device has agreed to a set, the draft lets the driver give up features, not ask for others: those were never judged.',
    fix: 'Write in the second round a subset of what was accepted when DRIVER was set.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '3.1.1',
    needs: draft,
    on: ['driver-features-write'],
    broken: (fact, at) => {
      if ((at.device.handshake.status & status.DRIVER) === 0) return false;
      const grown = fact.acceptedAfter & ~fact.acceptedBefore;
      return grown !== 0n && about(at, `The features ${hex(grown)} were added while DRIVER is set.`);
    },
  }),
  rule('features', {
    id: 'draft.features-after-driver-ok',
    title: 'Driver changed its features after DRIVER_OK',
    why: 'DRIVER_OK settles the features: the device has set itself up with them.',
    fix: 'Write DriverFeatures before DRIVER_OK. To change them afterwards, reset the device.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '3.1.1',
    needs: draft,
    on: ['driver-features-write'],
    broken: (_, at) =>
      (at.device.handshake.status & status.DRIVER_OK) !== 0 && {
        ...about(at, 'DriverFeatures was written while DRIVER_OK is set.'),
        place: registerPlace('DriverFeatures'),
      },
  }),
  rule('handshake', {
    id: 'draft.answer-not-read',
    title: 'Driver did not look whether the device agreed',
    why: 'The device says no by clearing the bit that was just set. Only a read of Status shows it.',
    fix: 'Read Status after DRIVER and after DRIVER_OK, and go on only when the bit is still there.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '3.1.1',
    needs: draft,
    once: true,
    on: ['queue-setup', 'queue-ready-write', 'status-write', 'notify'],
    broken: (fact, at) => {
      const { unread } = at.device.handshake;
      return (
        unread !== 0 &&
        goesOn(fact, 0) &&
        about(at, `The driver went on (${fact.kind}) and had not read Status since ${draftStatusText(unread)} was set.`)
      );
    },
  }),
  rule('handshake', {
    id: 'draft.refusal-ignored',
    title: 'Driver went on after the device had said no',
    why: 'A cleared DRIVER or DRIVER_OK means that the device cannot work with these features. Queues that are set up now are never served.',
    fix: 'Write other features and set the bit again, or set FAILED.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '3.1.1',
    needs: draft,
    once: true,
    on: ['queue-setup', 'queue-ready-write', 'status-write', 'notify'],
    broken: (fact, at) => {
      const { refused } = at.device.handshake;
      return (
        refused !== 0 &&
        goesOn(fact, refused) &&
        about(at, `The driver went on (${fact.kind}) although the device had cleared ${draftStatusText(refused)}.`)
      );
    },
  }),
  rule('handshake', {
    id: 'draft.device-ok-missing',
    title: 'Driver waited for a device that waits for DEVICE_OK',
    why: 'In the draft DRIVER_OK only lets the driver add buffers. The device touches none of them before DEVICE_OK, and keeps notifications until then.',
    fix: 'Set DEVICE_OK when the first buffers are available.',
    level: 'must',
    blames: 'missing action',
    covers: [],
    section: '3.1.1',
    needs: draft,
    once: true,
    on: ['idle'],
    broken: (fact, at) => {
      const { status: now } = at.device.handshake;
      if (fact.harts === 0 || (now & status.DRIVER_OK) === 0 || (now & (DEVICE_OK | status.FAILED)) !== 0) return false;
      return about(at, 'Every hart sleeps, DRIVER_OK is set and DEVICE_OK is not.');
    },
  }),
];
