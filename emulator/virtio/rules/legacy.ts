// Rules of the legacy interfaces, whose demands are softer: no FEATURES_OK, features settled at first use, queues placed by one page
// frame number. [virtio 1.4, 3.1.2, 4.1.5.1.3.1, 4.2.4]
import { bitsOf } from '../spec/feature';
import { status, statusText } from '../spec/status';
import { hex, registerPlace, seen, statusPlace } from './evidence';
import { type Needs, rule, type Rule } from './rule';

const legacy: Needs = { interface: 'legacy' };
const legacyMmio: Needs = { interface: 'legacy', transport: 'mmio' };
const isPowerOfTwo = (value: number): boolean => value > 0 && (value & (value - 1)) === 0;

export const legacyRules: readonly Rule[] = [
  rule('handshake', {
    id: 'legacy.features-ok-set',
    title: 'Driver set FEATURES_OK through the legacy interface',
    why: 'Legacy devices do not know this bit: they neither check the features nor can they refuse them, and the bit may mean anything to them.',
    fix: 'Leave FEATURES_OK out when the device is a legacy one: write the features, set up the queues, then set DRIVER_OK.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '3.1.2',
    needs: legacy,
    on: ['status-write'],
    broken: (fact) =>
      (fact.value & ~fact.before & status.FEATURES_OK) !== 0 && {
        message: `${hex(fact.value)} (${statusText(fact.value)}) was written to the status of a legacy interface.`,
        evidence: [seen('value written', hex(fact.value))],
        place: statusPlace,
      },
  }),
  rule('features', {
    id: 'legacy.features-after-use',
    title: 'Driver changed its features after a legacy device was in use',
    why: 'A legacy device settles its features at their first use, without saying so. What is written later is not in force.',
    fix: 'Write the features before the first queue is notified and before DRIVER_OK; to change them reset the device.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '3.1.2',
    needs: legacy,
    on: ['driver-features-write'],
    broken: (fact, { device }) => {
      if ((device.handshake.status & status.DRIVER_OK) === 0 || fact.window !== 0) return false;
      const changed = bitsOf(BigInt(fact.value) ^ (fact.acceptedBefore & 0xffff_ffffn));
      return (
        changed.length > 0 && {
          message: `Bit ${changed.join(', ')} of the accepted features was changed while DRIVER_OK is set.`,
          evidence: [seen('value', hex(fact.value)), seen('accepted', hex(fact.acceptedBefore))],
          place: { kind: 'feature', bit: changed[0] ?? 0 },
          related: device.handshake.setBy.get(status.DRIVER_OK),
        }
      );
    },
  }),
  rule('handshake', {
    id: 'legacy.used-before-driver-ok',
    title: 'Driver used a legacy device before DRIVER_OK',
    why: 'Legacy devices have to put up with it, because old drivers did so; a driver that is kept has no reason to.',
    fix: 'Set DRIVER_OK before the first notification.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '3.1.2',
    needs: legacy,
    once: true,
    on: ['notify'],
    broken: (fact, { device }) =>
      (device.handshake.written & status.DRIVER_OK) === 0 && {
        message: `Queue ${fact.queue} was notified while the status is ${statusText(device.handshake.status)}.`,
        evidence: [seen('status', hex(device.handshake.status)), seen('value', hex(fact.value))],
        place: registerPlace('QueueNotify'),
      },
  }),
  rule('queue-setup', {
    id: 'legacy.queue-moved-in-use',
    title: 'Driver moved a legacy queue that is in use',
    why: 'While the page frame number is not 0 the device works with the queue: a new place or another alignment takes the memory away under it.',
    fix: 'Write 0 to the page frame number first, or reset the device.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '4.2.4',
    needs: legacy,
    on: ['queue-ready-write', 'queue-align-write'],
    broken: (fact) => {
      const isInUse = fact.kind === 'queue-align-write' ? fact.ready : fact.before !== 0 && fact.value !== 0;
      if (!isInUse) return false;
      const register = fact.kind === 'queue-align-write' ? 'QueueAlign' : 'QueuePFN';
      const value = fact.kind === 'queue-align-write' ? fact.value : (fact.pageFrame?.value ?? fact.value);
      return {
        message: `${register} of queue ${fact.queue} was written with ${hex(value)} while the queue is in use.`,
        evidence: [seen('register', register), seen('value', hex(value))],
        place: registerPlace(register),
      };
    },
  }),
  rule('queue-setup', {
    id: 'legacy.page-size-not-written',
    title: 'Driver placed a queue without telling its page size',
    why: 'QueuePFN counts in units of GuestPageSize. Until that is written the unit is not defined, and the device looks for the queue elsewhere.',
    fix: 'Write the page size, usually 4096, to GuestPageSize before the first queue is set up.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '4.2.4',
    needs: legacyMmio,
    on: ['queue-ready-write'],
    broken: (fact, { device }) =>
      fact.value !== 0 &&
      device.guestPageBytes === undefined && {
        message: `QueuePFN of queue ${fact.queue} was written with ${hex(fact.pageFrame?.value ?? fact.value)}, but GuestPageSize was never written.`,
        evidence: [seen('QueuePFN', hex(fact.pageFrame?.value ?? fact.value))],
        place: registerPlace('GuestPageSize'),
      },
  }),
  rule('queue-setup', {
    id: 'legacy.page-size-unusable',
    title: 'Driver wrote an unusable page size',
    why: 'Page frame numbers count in this unit: it has to be a power of two, and it cannot change under queues that are placed already.',
    fix: 'Write the page size once, during initialisation, as a power of two such as 4096.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '4.2.4',
    needs: legacyMmio,
    on: ['guest-page-size-write'],
    broken: (fact) =>
      (!isPowerOfTwo(fact.value) || fact.queuesInUse) && {
        message: `GuestPageSize was written with ${fact.value}${fact.queuesInUse ? ' while a queue is in use' : ''}.`,
        evidence: [seen('value', fact.value)],
        place: registerPlace('GuestPageSize'),
      },
  }),
  rule('queue-setup', {
    id: 'legacy.align-unusable',
    title: 'Driver wrote an unusable queue alignment',
    why: 'The used ring starts at the next multiple of QueueAlign. Driver and device find the same place only for powers of two, and its entries need at least 4 bytes.',
    fix: 'Write a power of two, usually 4096, to QueueAlign.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '4.2.4',
    needs: legacyMmio,
    on: ['queue-align-write'],
    broken: (fact) =>
      (!isPowerOfTwo(fact.value) || fact.value < 4) && {
        message: `QueueAlign of queue ${fact.queue} was written with ${fact.value}.`,
        evidence: [seen('value', fact.value)],
        place: registerPlace('QueueAlign'),
      },
  }),
  rule('queue-setup', {
    id: 'legacy.queue-not-configured',
    title: 'Driver placed a legacy queue that it had not sized and aligned',
    why: 'The device finds the rings from size, alignment and page frame number together. What was not written may be anything, left over from an earlier driver.',
    fix: 'Write QueueNum and QueueAlign of the selected queue before QueuePFN.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '4.2.4',
    needs: legacyMmio,
    follows: ['queue.size-above-maximum', 'queue.size-not-power-of-two'],
    on: ['queue-ready-write'],
    broken: (fact, { device }) => {
      const queue = device.queues[fact.queue];
      if (queue === undefined || fact.value === 0 || fact.before !== 0) return false;
      const missing = [
        ...(queue.setup.QueueSize === undefined ? ['QueueNum'] : []),
        ...(queue.alignWritten ? [] : ['QueueAlign']),
      ];
      return (
        missing.length > 0 && {
          message: `Queue ${fact.queue} was placed, but ${missing.join(' and ')} ${missing.length === 1 ? 'was' : 'were'} not written since the reset.`,
          evidence: [seen('not written', missing.join(', '))],
          place: { kind: 'queue', queue: fact.queue },
        }
      );
    },
  }),
];
