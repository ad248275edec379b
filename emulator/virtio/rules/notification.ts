// Rules of notifying the device: for the right queue, when it is needed and not when the device asked for silence.
// [virtio 1.4, 2.7.10.1, 2.8.14, 4.2.3.3]
import { feature } from '../spec/feature';
import { status } from '../spec/status';
import { deviceWish, notificationWindowNanoseconds, usesEventIdx, wantsNotification } from '../watch/notification';
import { eventFlag, eventFlagNames, offsetAndWrap } from '../spec/packed-ring';
import type { Evidence, ViolationPlace } from '../violation';
import type { QueueState } from '../watch/state';
import { inFlight, unfetchedPositions } from '../watch/chains';
import { hex, registerPlace, seen } from './evidence';
import { type FactOf, type Finding, rule, type Rule, type RuleContext, type RuleTexts, type View } from './rule';

/** Loads of an unchanged used index after which a driver is plainly waiting. */
const patience = 1000;

type Occasion = FactOf<'idle' | 'ring-load'>;

/** Whether everything points to a notification that will not come. */
function isMissing(fact: Occasion, at: RuleContext, queue: View<QueueState>): boolean {
  const { owed, fruitlessLoads } = queue.notification;
  const live = (at.device.handshake.status & (status.DRIVER_OK | status.FAILED)) === status.DRIVER_OK;
  if (owed === undefined || !live || at.device.needsReset !== undefined) return false;
  const isStuck = unfetchedPositions(queue).length !== 0;
  if (isStuck && at.virtualNanoseconds - owed.virtualNanoseconds >= notificationWindowNanoseconds) return true;
  // While the device works on the queue, the driver may be waiting for that before it goes on and notifies.
  if (inFlight(queue).length !== 0) return false;
  return fact.kind === 'idle' ? fact.harts > 0 : isStuck && fruitlessLoads >= patience;
}

function missing(fact: Occasion, at: RuleContext): readonly Finding[] {
  const { queues } = at.device;
  // Nearly every load comes when nothing is owed.
  if (fact.kind !== 'idle' && queues[fact.queue]?.notification.owed === undefined) return [];
  const isOwed = ({ notification }: View<QueueState>): boolean => notification.owed !== undefined;
  const asked = fact.kind === 'idle' ? queues.filter(isOwed) : queues.slice(fact.queue, fact.queue + 1).filter(isOwed);
  if (asked.length === 0) return [];
  return asked.flatMap((queue) => {
    const publish = queue.notification.owed;
    if (publish === undefined || !isMissing(fact, at, queue)) return [];
    const word = wordOf(queue, usesEventIdx(at.device), deviceWish(queue, usesEventIdx(at.device)));
    return [
      {
        message: `Queue ${queue.index} was published up to ${word.index} ${queue.availableIndex} and not notified; ${word.said}.`,
        evidence: [
          seen(word.published, queue.availableIndex),
          seen('fetched up to', queue.fetchedIndex),
          ...word.evidence,
          seen('published at step', publish.step),
        ],
        place: publishPlace(queue),
        queue: queue.index,
        blamed: publish,
        related: publish,
      },
    ];
  });
}

/** A word of the device on notifications, as `deviceWish` gives it, in the ring's own terms. */
interface Word {
  readonly index: string;
  readonly published: string;
  readonly said: string;
  readonly evidence: readonly Evidence[];
  readonly place: ViolationPlace;
}

function wordOf(queue: View<QueueState>, eventIdx: boolean, value: number): Word {
  if (queue.format === 'packed') {
    const flags = (value >>> 16) & 3;
    const desc = value & 0xffff;
    const flagText = eventFlagNames[flags] ?? hex(flags);
    const atDesc = flags === eventFlag.DESC ? ` at slot ${desc & 0x7fff}, wrap counter ${desc >> 15}` : '';
    return {
      index: 'position',
      published: 'next position',
      said: `the device event suppression flags are ${flagText}${atDesc}`,
      evidence: [seen('flags', flagText), seen('desc', hex(desc))],
      place: { kind: 'event-suppression', queue: queue.index, side: 'device', field: 'flags' },
    };
  }
  const name = eventIdx ? 'avail_event' : 'used flags';
  return {
    index: 'index',
    published: 'available idx',
    said: `${name} ${eventIdx ? 'is' : 'are'} ${value}`,
    evidence: [seen(name, value)],
    place: { kind: 'used', queue: queue.index, field: eventIdx ? 'avail_event' : 'flags' },
  };
}

/** The cell that published: the available index, or the newest descriptor of a packed ring. */
function publishPlace({ index, format, availableIndex, size }: View<QueueState>): ViolationPlace {
  if (format === 'split') return { kind: 'available', queue: index, field: 'idx' };
  return { kind: 'descriptor', queue: index, index: Math.max(0, availableIndex - 1) % size, field: 'flags' };
}

const missingTexts: Pick<RuleTexts, 'fix' | 'level' | 'blames' | 'section' | 'follows'> = {
  fix: 'After the store that publishes (available index, or flags of a packed descriptor), notify the queue when the device asks for it.',
  level: 'must',
  blames: 'missing action',
  section: '2.7.10.1',
  follows: ['ring.*', 'notify.unknown-queue', 'notify.queue-not-ready'],
};

/** A notification after a publish for which the device had asked not to be notified. */
function unwanted(fact: FactOf<'notify'>, at: RuleContext): false | Finding {
  const queue = at.device.queues[fact.queue];
  const publish = queue?.notification.publishedSince;
  if (queue === undefined || publish === undefined || !queue.ready) return false;
  const eventIdx = usesEventIdx(at.device);
  const { loaded, silencedAtPublish } = queue.notification;
  const now = deviceWish(queue, eventIdx);
  const silent =
    loaded === undefined
      ? silencedAtPublish && !wantsNotification(queue, eventIdx, now)
      : !wantsNotification(queue, eventIdx, loaded.value);
  if (!silent) return false;
  const word = wordOf(queue, eventIdx, loaded?.value ?? now);
  return {
    message: `Queue ${fact.queue} was notified at ${word.index} ${queue.availableIndex} although ${word.said}${loaded === undefined ? ', which the driver did not read' : ''}.`,
    evidence: [...word.evidence, seen(word.published, queue.availableIndex)],
    place: word.place,
    related: loaded?.event ?? publish,
  };
}

export const notificationRules: readonly Rule[] = [
  rule('notification', {
    ...missingTexts,
    id: 'notify.missing',
    title: 'Driver published buffers but did not notify the device',
    why: 'The device had not asked for silence, so it waits for the notification while the driver waits for the device.',
    covers: ['split.avail-notif-suppression.driver.4'],
    needs: { withoutFeature: feature.EVENT_IDX },
    on: ['idle', 'ring-load'],
    broken: missing,
  }),
  rule('notification', {
    ...missingTexts,
    id: 'notify.missing-at-event',
    title: 'Driver passed avail_event but did not notify the device',
    why: 'With VIRTIO_F_EVENT_IDX the device says at which entry it wants to be notified. The driver published that entry and stayed silent, so both wait.',
    covers: ['split.avail-notif-suppression.driver.6'],
    needs: { feature: feature.EVENT_IDX },
    on: ['idle', 'ring-load'],
    broken: missing,
  }),
  rule('notification', {
    id: 'notify.suppressed',
    title: 'Driver notified a device that had asked for silence',
    why: 'Each notification costs an exit or an interrupt; the device looks at the ring by itself.',
    fix: 'Read used flags after the store to the available index, and skip the notification when bit 0 is set.',
    level: 'should',
    blames: 'access',
    covers: ['split.avail-notif-suppression.driver.3'],
    section: '2.7.10.1',
    needs: { withoutFeature: feature.EVENT_IDX },
    on: ['notify'],
    broken: unwanted,
  }),
  rule('notification', {
    id: 'notify.event-not-reached',
    title: 'Driver notified before avail_event was reached',
    why: 'With VIRTIO_F_EVENT_IDX the device said at which index it wants the next notification; earlier ones only cost time.',
    fix: 'Compare avail_event with the old and the new available index, and notify when it lies between them.',
    level: 'should',
    blames: 'access',
    covers: ['split.avail-notif-suppression.driver.7'],
    section: '2.7.10.1',
    needs: { feature: feature.EVENT_IDX },
    on: ['notify'],
    broken: unwanted,
  }),
  rule('notification', {
    id: 'notify.unknown-queue',
    title: 'Driver notified a queue that does not exist',
    why: 'The value written to QueueNotify is the index of the queue. The device ignores others, and the right queue is not served.',
    fix: 'Write the queue index itself, not an address, a descriptor index or the queue size.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '4.2.3.3',
    needs: { withoutFeature: feature.NOTIF_CONFIG_DATA },
    on: ['notify'],
    broken: (fact, { device }) =>
      !fact.exists && {
        message: `${hex(fact.value)} was written to QueueNotify; the device has ${device.queues.length} queues.`,
        evidence: [seen('value', hex(fact.value)), seen('queues', device.queues.length)],
        place: registerPlace('QueueNotify'),
      },
  }),
  rule('notification', {
    id: 'notify.data-wrong',
    title: 'Driver notified with another place than the next one it will fill',
    why: 'With VIRTIO_F_NOTIFICATION_DATA the device trusts the notification to say how far the driver has come, and may not look at the ring for it.',
    fix: 'Put the queue index into bits 0 to 15, and above it the available idx; for a packed ring the next slot in bits 16 to 30 and the wrap counter in bit 31.',
    level: 'must',
    blames: 'access',
    covers: ['packed.desc-table.driver.3'],
    section: '2.8.16',
    needs: { feature: feature.NOTIFICATION_DATA },
    follows: ['pci.notify-width', 'ring.*', 'ownership.*'],
    on: ['notify'],
    broken: (fact, { device }) => {
      const queue = device.queues[fact.queue];
      if (queue === undefined || fact.data === undefined || !queue.ready) return false;
      // Another hart may have published between working the value out and writing it.
      if (queue.lastPublish !== undefined && queue.lastPublish.hart !== fact.hart) return false;
      const isPacked = queue.format === 'packed';
      const expected = isPacked ? offsetAndWrap(queue.availableIndex, queue.size) : queue.availableIndex;
      if (fact.data === expected) return false;
      const text = (data: number): string =>
        isPacked ? `slot ${data & 0x7fff} with wrap counter ${data >> 15}` : `index ${data}`;
      return {
        message: `Queue ${fact.queue} was notified with ${text(fact.data)}, the next one to be filled is ${text(expected)}.`,
        evidence: [seen('value', hex(fact.value)), seen('data', hex(fact.data)), seen('expected', hex(expected))],
        place: registerPlace('QueueNotify'),
        related: queue.lastPublish,
      };
    },
  }),
  rule('notification', {
    id: 'notify.queue-not-ready',
    title: 'Driver notified a queue that is not ready',
    why: 'QueueReady is 0: the device does not look at the queue.',
    fix: 'Enable the queue before DRIVER_OK, or notify the queue that was meant.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '4.2.3.3',
    follows: ['queue-setup.*', 'status.after-failed', 'init.notify-before-driver-ok'],
    on: ['notify'],
    broken: (fact, { device }) =>
      fact.exists &&
      device.queues[fact.queue]?.ready === false && {
        message: `Queue ${fact.queue} was notified while its QueueReady is 0.`,
        evidence: [seen('value', hex(fact.value))],
        place: { kind: 'queue', queue: fact.queue },
      },
  }),
];
