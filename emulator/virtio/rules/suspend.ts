// Rules of VIRTIO_F_SUSPEND: what a driver leaves alone while its device is suspended, and what it waits for. [virtio 1.4, 3.4.1]
import { feature } from '../spec/feature';
import { statusText } from '../spec/status';
import { hex, seen, statusPlace } from './evidence';
import { type FactOf, type Finding, rule, type Rule, type RuleContext, type RuleTexts } from './rule';

/** Virtual time after which a driver that has not looked at Status will not look any more. */
const lookWithinNanoseconds = 100_000_000;

const common: Pick<RuleTexts, 'level' | 'section' | 'needs'> = {
  level: 'must',
  section: '3.4.1',
  needs: { feature: feature.SUSPEND, interface: 'modern' },
};

/** The driver asked for SUSPEND and has not asked to go on. */
const isSuspending = ({ device: { suspend } }: RuleContext): boolean =>
  suspend.asked !== undefined && suspend.resuming === undefined;

function finding({ device: { handshake, suspend } }: RuleContext, message: string): Finding {
  return {
    message,
    evidence: [seen('status', `${hex(handshake.status)} (${statusText(handshake.status)})`)],
    place: statusPlace,
    related: suspend.resuming ?? suspend.asked,
  };
}

/** What counts as normal operation. */
function doing(fact: FactOf<'notify' | 'config-write' | 'queue-ready-write'>): string {
  if (fact.kind === 'notify') return `Queue ${fact.queue} was notified`;
  if (fact.kind === 'queue-ready-write') return `Queue ${fact.queue} was enabled or stopped`;
  return `The configuration was written at ${fact.field ?? hex(fact.offset)}`;
}

export const suspendRules: readonly Rule[] = [
  rule('handshake', {
    ...common,
    id: 'suspend.not-verified',
    title: 'Driver did not look whether the device is suspended',
    why: 'A device first finishes what it works on, and it may fail. Until Status shows SUSPEND without DRIVER_OK it still reads and writes memory and interrupts.',
    fix: 'After setting SUSPEND read Status until SUSPEND is 1 and DRIVER_OK is 0, or DEVICE_NEEDS_RESET shows.',
    blames: 'missing action',
    covers: ['core.suspend.driver.2'],
    once: true,
    on: ['status-write', 'idle'],
    broken: (fact, at) => {
      const { asked, verified } = at.device.suspend;
      if (asked === undefined || verified || !isSuspending(at)) return false;
      if (fact.kind === 'idle') {
        if (at.virtualNanoseconds - asked.virtualNanoseconds < lookWithinNanoseconds) return false;
        return {
          ...finding(at, 'SUSPEND was set, and Status has not shown the device suspended since.'),
          blamed: asked,
        };
      }
      if (fact.value === 0) return false;
      const message = `${hex(fact.value)} was written to Status before a read of it had shown the device suspended.`;
      return { ...finding(at, message), blamed: asked };
    },
  }),
  rule('handshake', {
    ...common,
    id: 'suspend.buffers-published',
    title: 'Driver made buffers available to a suspended device',
    why: 'The device does not look at its queues, and whoever suspended it may save or move its state at this moment.',
    fix: 'Stop the users of the device before setting SUSPEND; publish again when Status shows DRIVER_OK.',
    blames: 'publish',
    covers: ['core.suspend.driver.3'],
    on: ['publish'],
    broken: (fact, at) =>
      isSuspending(at) && finding(at, `Buffers were published on queue ${fact.queue} after SUSPEND had been set.`),
  }),
  rule('handshake', {
    ...common,
    id: 'suspend.notified',
    title: 'Driver notified a suspended device',
    why: 'Nobody listens: the notification is lost, or it wakes hardware that was meant to sleep.',
    fix: 'Hold notifications back from the write of SUSPEND until Status shows DRIVER_OK again.',
    blames: 'access',
    covers: ['core.suspend.driver.4'],
    follows: ['suspend.buffers-published'],
    on: ['notify'],
    broken: (fact, at) => isSuspending(at) && finding(at, `${doing(fact)} after SUSPEND had been set.`),
  }),
  rule('handshake', {
    ...common,
    id: 'suspend.config-written',
    title: 'Driver wrote the configuration of a suspended device',
    why: 'The device ignores the write, so after resuming both sides believe different settings.',
    fix: 'Write the configuration before SUSPEND, or after the device runs again.',
    blames: 'access',
    covers: ['core.suspend.driver.5'],
    on: ['config-write'],
    broken: (fact, at) => isSuspending(at) && finding(at, `${doing(fact)} after SUSPEND had been set.`),
  }),
  rule('handshake', {
    ...common,
    id: 'suspend.resumed-too-early',
    title: 'Driver used a device that was still resuming',
    why: 'Resuming takes time and may fail. What is done before Status shows DRIVER_OK without SUSPEND may be lost.',
    fix: 'After setting DRIVER_OK read Status until SUSPEND is 0 and DRIVER_OK is 1, then go on.',
    blames: 'access',
    covers: ['core.suspend.driver.6'],
    once: true,
    on: ['notify', 'config-write', 'queue-ready-write'],
    broken: (fact, at) =>
      at.device.suspend.resuming !== undefined &&
      finding(at, `${doing(fact)} before a read of Status had shown that the device runs again.`),
  }),
];
