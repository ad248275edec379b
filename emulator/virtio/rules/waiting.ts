// Rules of absence: what a driver has to come back for and does not. Each is judged after a window of virtual time, and blamed on the
// access that began it. [virtio 1.4, 2.5.2, 2.7.7.1, 2.7.8, 4.2.2.2, 4.2.3.4.1]
import { deviceId } from '../spec/device-id';
import { feature, hasFeature } from '../spec/feature';
import { eventFlag, eventFlagNames, eventOffset } from '../spec/packed-ring';
import { availableFlag } from '../spec/split-ring';
import { status } from '../spec/status';
import type { QueueState } from '../watch/state';
import { handlerWindowNanoseconds, returnWindowNanoseconds } from '../watch/waiting';
import { eachQueue, hasPassed, milliseconds, type Moment } from './absence';
import { byDriver, interruptPlace, seen } from './evidence';
import { type Finding, rule, type Rule, type RuleContext, type View } from './rule';

/** Whether there is a field to read when the configuration changes; DEVICE_NEEDS_RESET alone has a rule of its own. */
function hasConfiguration({ device: { description, features } }: RuleContext): boolean {
  return description.configFields.some(
    (field) => field.feature === undefined || hasFeature(features.accepted, field.feature),
  );
}

/** A completion that the driver has not looked at for as long as `returnWindowNanoseconds`. */
function overdue(queue: View<QueueState>, at: RuleContext): View<QueueState>['waiting']['unseen'] {
  const { unseen } = queue.waiting;
  return unseen !== undefined && hasPassed(at, unseen.used, returnWindowNanoseconds) ? unseen : undefined;
}

/** Used with an answer, its interrupt left out as the driver asked, and nobody looked. */
function slept(queue: View<QueueState>, at: RuleContext): View<QueueState>['waiting']['unseen'] {
  return queue.waiting.interrupt?.outcome === 'suppressed' ? overdue(queue, at) : undefined;
}

function usedEvidence(queue: View<QueueState>, at: RuleContext, since: Moment): Finding['evidence'] {
  return [
    seen('used idx', queue.usedIndex),
    seen('seen by the driver', queue.collectedIndex),
    seen('used for', milliseconds(at, since)),
  ];
}

/** A sleep by what the driver event suppression structure says now. */
function packedSleep(queue: View<QueueState>, at: RuleContext, isOurs: (flags: number) => boolean): false | Finding {
  const unseen = slept(queue, at);
  if (unseen === undefined || !at.memory.contains(queue.driverArea, 4)) return false;
  const flags = at.memory.read16(queue.driverArea + eventOffset.flags) & 3;
  if (!isOurs(flags)) return false;
  const desc = at.memory.read16(queue.driverArea + eventOffset.desc);
  const where = flags === eventFlag.DESC ? ` at slot ${desc & 0x7fff}, wrap counter ${desc >> 15}` : '';
  return {
    message: `Queue ${queue.index} has a used descriptor in slot ${queue.collectedIndex % queue.size} that nobody looks at; the driver event suppression flags are ${eventFlagNames[flags] ?? flags}${where}, so the device left the interrupt out.`,
    evidence: [
      seen('next used slot', queue.collectedIndex % queue.size),
      seen('flags', eventFlagNames[flags] ?? flags),
      seen('desc', `0x${desc.toString(16)}`),
      seen('used for', milliseconds(at, unseen.used)),
    ],
    place: {
      kind: 'event-suppression',
      queue: queue.index,
      side: 'driver',
      field: flags === eventFlag.DESC ? 'desc' : 'flags',
    },
    blamed: flags === eventFlag.DESC ? (queue.waiting.driverEventStore ?? unseen.published) : unseen.published,
    related: unseen.used,
  };
}

/** Used buffers and a configuration change, as the ISR status shows them. [4.1.4.5] */
const bothCauses = 3;

const explained = ['ring.*', 'ownership.*', 'notification.*', 'interrupt.*', 'queue-setup.*'] as const;

export const waitingRules: readonly Rule[] = [
  rule('waiting', {
    id: 'waiting.event-idx-not-honoured',
    title: 'Driver accepted VIRTIO_F_EVENT_IDX, never wrote used_event and waits for an interrupt',
    why: 'With VIRTIO_F_EVENT_IDX the device interrupts only when its index passes used_event. A driver that never writes the field asks for the first entry and for nothing after it, until the index has gone round.',
    fix: 'Store the index of the next expected entry into used_event before waiting, and look at the used index once more; or do not accept the feature.',
    level: 'hazard',
    blames: 'missing action',
    covers: [],
    section: '2.7.7.1',
    needs: { ring: 'split', feature: feature.EVENT_IDX },
    once: true,
    follows: explained,
    on: ['idle'],
    broken: eachQueue((queue, at) => {
      const unseen = slept(queue, at);
      if (unseen === undefined || queue.waiting.usedEventStore !== undefined) return false;
      return {
        message: `Queue ${queue.index} has a completion at used idx ${queue.usedIndex} that nobody looks at; used_event was never stored, so the device left the interrupt out.`,
        evidence: usedEvidence(queue, at, unseen.used),
        place: { kind: 'available', queue: queue.index, field: 'used_event' },
        blamed: unseen.published,
        related: unseen.used,
      };
    }),
  }),
  rule('waiting', {
    id: 'waiting.used-event-stale',
    title: 'Driver waits for an interrupt that its used_event keeps back',
    why: 'The device interrupts only when its index passes used_event. A value that was passed before means no interrupt, although the driver waits for one.',
    fix: 'Each time before waiting, store the index of the next expected entry into used_event, then load the used index once more. Two harts must not store it without a lock.',
    level: 'hazard',
    blames: 'missing action',
    covers: [],
    section: '2.7.7.1',
    needs: { ring: 'split', feature: feature.EVENT_IDX },
    once: true,
    follows: explained,
    on: ['idle'],
    broken: eachQueue((queue, at) => {
      const unseen = slept(queue, at);
      const store = queue.waiting.usedEventStore;
      if (unseen === undefined || store === undefined || store.kind !== 'ring-store') return false;
      return {
        message: `Queue ${queue.index} has a completion at used idx ${queue.usedIndex} that nobody looks at; used_event is ${store.after}, so the device left the interrupt out.`,
        evidence: [...usedEvidence(queue, at, unseen.used), seen('used_event', store.after)],
        place: { kind: 'available', queue: queue.index, field: 'used_event' },
        blamed: store,
        related: unseen.used,
      };
    }),
  }),
  rule('waiting', {
    id: 'waiting.interrupts-left-off',
    title: 'Driver waits for a queue whose interrupts it has switched off',
    why: 'Available flags ask the device for silence, and nobody looks at the used ring: the completion is never noticed.',
    fix: 'Before waiting set available flags to 0, then load the used index once more; or keep looking at it.',
    level: 'hazard',
    blames: 'missing action',
    covers: [],
    section: '2.7.7.1',
    needs: { ring: 'split', withoutFeature: feature.EVENT_IDX },
    once: true,
    follows: explained,
    on: ['idle'],
    broken: eachQueue((queue, at) => {
      const unseen = slept(queue, at);
      return (
        unseen !== undefined && {
          message: `Queue ${queue.index} has a completion at used idx ${queue.usedIndex} that nobody looks at, and available flags ask for no interrupt.`,
          evidence: [
            ...usedEvidence(queue, at, unseen.used),
            seen('available flags', `0x${availableFlag.NO_INTERRUPT.toString(16)}`),
          ],
          place: { kind: 'available', queue: queue.index, field: 'flags' },
          blamed: unseen.published,
          related: unseen.used,
        }
      );
    }),
  }),
  rule('waiting', {
    id: 'waiting.packed-interrupts-left-off',
    title: 'Driver waits for a packed queue whose interrupts it has switched off',
    why: 'The driver event suppression structure asks for no interrupt, and nobody looks at the flags of the next used descriptor: the completion is never noticed.',
    fix: 'Before waiting store ENABLE (or DESC with the next place) into the flags of the structure, then load the flags of the next descriptor once more; or keep looking at them.',
    level: 'hazard',
    blames: 'missing action',
    covers: [],
    section: '2.8.14',
    needs: { ring: 'packed' },
    once: true,
    follows: explained,
    on: ['idle'],
    broken: eachQueue((queue, at) => packedSleep(queue, at, (flags) => flags !== eventFlag.DESC)),
  }),
  rule('waiting', {
    id: 'waiting.packed-event-stale',
    title: 'Driver waits for an interrupt that the place in its event suppression structure keeps back',
    why: 'With DESC the device interrupts only when it writes the used descriptor at the place that desc names, in the lap that its bit 15 names. A place that was passed, or the wrong wrap counter, means no interrupt.',
    fix: 'Each time before waiting, store slot and wrap counter of the next used descriptor into desc, then load its flags once more.',
    level: 'hazard',
    blames: 'missing action',
    covers: [],
    section: '2.8.14',
    needs: { ring: 'packed', feature: feature.EVENT_IDX },
    once: true,
    follows: [...explained, 'packed.event-offset'],
    on: ['idle'],
    broken: eachQueue((queue, at) => packedSleep(queue, at, (flags) => flags === eventFlag.DESC)),
  }),
  rule('waiting', {
    id: 'pci.shared-cause-half-served',
    title: 'Driver served one of two causes of an interrupt',
    why: 'The ISR status showed a used buffer and a configuration change together. Reading it took both notices away, and one of them was not followed up.',
    fix: 'Keep the value that was read from the ISR status and test both of its bits, one after the other, without an else between them.',
    level: 'must',
    blames: 'missing action',
    covers: ['pci.config-change.driver.1'],
    section: '4.1.5.4.2',
    needs: { transport: 'pci' },
    once: true,
    follows: explained,
    on: ['idle'],
    broken: (_fact, at) => {
      const { announced, queues } = at.device;
      const queue = queues.find(({ waiting }) => waiting.hiddenBy !== undefined && waiting.unseen !== undefined);
      const left = announced.unread !== undefined && hasConfiguration(at) ? announced : queue?.waiting;
      const by = left?.hiddenBy;
      if (by?.kind !== 'interrupt-acknowledge' || (by.value & bothCauses) !== bothCauses) return false;
      if (!hasPassed(at, by, handlerWindowNanoseconds)) return false;
      const what =
        left === announced
          ? 'neither the configuration nor device_status was read since'
          : `the used ring of queue ${queue?.index ?? 0} was not looked at since`;
      return {
        message: `The ISR status was read as ${by.value}, and ${what}.`,
        evidence: [seen('ISR status', by.value), seen('read for', milliseconds(at, by))],
        place: interruptPlace,
        blamed: by,
        related: announced.unread ?? queue?.waiting.unseen?.used,
      };
    },
  }),
  rule('waiting', {
    id: 'waiting.completion-hidden',
    title: 'Driver acknowledged an interrupt and missed what it announced',
    why: 'The device used a buffer between the last look at the used ring and the acknowledgement (the write to InterruptACK, on PCI the read of the ISR status). The acknowledgement also took away the notice of that buffer, and nobody looks again.',
    fix: 'Acknowledge first and drain the used ring afterwards, or load the used index once more after the acknowledgement.',
    level: 'must',
    blames: 'missing action',
    covers: ['mmio.registers.driver.19'],
    section: '4.2.2.2',
    once: true,
    follows: [...explained, 'pci.shared-cause-half-served'],
    on: ['idle'],
    broken: eachQueue((queue, at) => {
      const { hiddenBy, unseen } = queue.waiting;
      if (hiddenBy === undefined || unseen === undefined) return false;
      if (!hasPassed(at, hiddenBy, handlerWindowNanoseconds)) return false;
      return {
        message: `The used buffer notification was acknowledged with used idx of queue ${queue.index} at ${queue.usedIndex} and the driver at ${queue.collectedIndex}, and the used ring was not looked at since.`,
        evidence: usedEvidence(queue, at, unseen.used),
        place: interruptPlace,
        blamed: hiddenBy,
        related: unseen.used,
      };
    }),
  }),
  rule('waiting', {
    id: 'waiting.completion-unseen',
    title: 'Driver does not look at a completion',
    why: 'The device gave a buffer back, with an answer in it, and interrupted. Nobody loaded the used index since: the handler looks elsewhere, or the compiler took the load out of the waiting loop.',
    fix: 'Load the used index in the handler, or with a volatile load in each turn of the waiting loop.',
    level: 'hazard',
    blames: 'missing action',
    covers: ['mmio.interrupt.driver.2'],
    section: '2.7.8',
    once: true,
    follows: [...explained, 'waiting.completion-hidden', 'consumption.*'],
    on: ['idle'],
    broken: eachQueue((queue, at) => {
      const unseen = overdue(queue, at);
      if (unseen === undefined || queue.waiting.interrupt?.outcome === 'suppressed') return false;
      return {
        message: `Queue ${queue.index} has had a completion at used idx ${queue.usedIndex} for ${milliseconds(at, unseen.used)}, and the driver has not looked beyond ${queue.collectedIndex}.`,
        evidence: usedEvidence(queue, at, unseen.used),
        place: { kind: 'used', queue: queue.index, field: 'idx' },
        blamed: unseen.published,
        related: unseen.used,
      };
    }),
  }),
  rule('waiting', {
    id: 'waiting.config-change-ignored',
    title: 'Driver acknowledged a configuration change and did not look at it',
    why: 'One interrupt may announce used buffers and a configuration change together. A driver that serves only one of them and acknowledges both never learns of a resized disk or of DEVICE_NEEDS_RESET.',
    fix: 'Test both bits of InterruptStatus, one after the other; for bit 1 read Status and the configuration fields that the driver uses.',
    level: 'should',
    blames: 'missing action',
    covers: ['block.op.driver.1'],
    section: '5.2.6.1',
    once: true,
    follows: ['interrupt.*', 'pci.shared-cause-half-served'],
    on: ['idle'],
    broken: (_fact, at) => {
      const { hiddenBy, unread } = at.device.announced;
      if (hiddenBy === undefined || unread === undefined) return false;
      if (!hasPassed(at, hiddenBy, handlerWindowNanoseconds)) return false;
      return {
        message: `The configuration change notification was acknowledged, and neither Status nor the configuration space was read since the device gave it.`,
        evidence: [seen('acknowledged for', milliseconds(at, hiddenBy))],
        place: interruptPlace,
        blamed: hiddenBy,
        related: unread,
      };
    },
  }),
  rule('waiting', {
    id: 'waiting.receive-queue-empty',
    title: 'Driver leaves a receive queue without buffers',
    why: 'Something came from outside and the device has nowhere to put it. It waits until the driver makes buffers available, or drops it.',
    fix: 'Make buffers available before DRIVER_OK or right behind it, put each one back as soon as its contents were taken, and notify.',
    level: 'hazard',
    blames: 'missing action',
    covers: [],
    section: '2.7.13',
    once: true,
    follows: [...explained, 'waiting.*', 'consumption.*'],
    on: ['idle'],
    broken: eachQueue((queue, at) => {
      const { starved } = queue.waiting;
      if (starved === undefined || !hasPassed(at, starved, returnWindowNanoseconds)) return false;
      // A network interface that nobody has brought up has no buffers, and what comes then is meant to be dropped.
      if (queue.lastPublish === undefined && at.device.description.deviceId === deviceId.net) return false;
      return {
        message: `Queue ${queue.index} has had no buffer for ${milliseconds(at, starved)}, and the device has something to put into one.`,
        evidence: [seen('available idx', queue.availableIndex), seen('used idx', queue.usedIndex)],
        place: { kind: 'queue', queue: queue.index },
        blamed: queue.lastPublish ?? byDriver(at.device.handshake.setBy.get(status.DRIVER_OK)),
        related: starved,
      };
    }),
  }),
  rule('entropy', {
    id: 'entropy.length-not-read',
    title: 'Driver did not look at how many random bytes it got',
    why: 'The device may fill less than the buffer. A driver that ignores the length of the used entry takes what stood in memory before for random.',
    fix: 'Load len of the used entry and use only that many bytes.',
    level: 'must',
    blames: 'missing action',
    covers: ['entropy.op.driver.2'],
    section: '5.4.6.1',
    needs: { device: deviceId.entropy, ring: 'split' },
    on: ['idle'],
    broken: eachQueue((queue, at) => {
      for (const [slot, collect] of queue.waiting.unreadLengths) {
        if (!hasPassed(at, collect, handlerWindowNanoseconds)) continue;
        return {
          message: `Used slot ${slot} of queue ${queue.index} was seen, and its len was not loaded.`,
          evidence: [seen('slot', slot), seen('seen for', milliseconds(at, collect))],
          place: { kind: 'used', queue: queue.index, field: 'ring', slot },
          blamed: collect,
          related: collect,
        };
      }
      return false;
    }),
  }),
];
