// Rules of taking used buffers back: which entries a driver loads, and that it believes them and not its own order. The specification
// describes this and demands little of it by keyword. [virtio 1.4, 2.7.8, 2.7.9, 2.7.14, 2.8.6, 2.8.22]
import { deviceId } from '../spec/device-id';
import { feature } from '../spec/feature';
import type { Chain } from '../../record/events';
import { keysOf, numberAt, type ReturnedChain, usedSlot } from '../watch/consumption';
import { returnWindowNanoseconds } from '../watch/waiting';
import type { QueueState } from '../watch/state';
import { eachQueue, hasPassed, milliseconds } from './absence';
import { saysHowMuch } from './buffers';
import { seen } from './evidence';
import { type FactOf, type Finding, rule, type Rule, type RuleContext, type View } from './rule';

type Publish = FactOf<'publish'>;

/** The used entries by which the driver has what it now publishes, each once. */
function returnedChains(queue: View<QueueState>, chain: Chain): readonly View<ReturnedChain>[] {
  const { consumption } = queue;
  const numbers = new Set(keysOf(queue.format, chain).map((key) => consumption.returnedBy.get(key)));
  return [...numbers].flatMap((number) => {
    const entry = number === undefined ? undefined : consumption.returned.get(number);
    return entry === undefined ? [] : [entry];
  });
}

/** A chain that was at the device when the driver saw the entry, and still is. */
function othersOut(queue: View<QueueState>, look: { readonly step: number }): boolean {
  for (const { phase, published } of queue.chains.values()) {
    if (phase !== 'used' && published.step < look.step) return true;
  }
  return false;
}

const entryText = (queue: View<QueueState>, slot: number): string =>
  queue.format === 'packed' ? `the used descriptor in slot ${slot}` : `used entry ${slot}`;

/** What was given back, and published again without a look at what came back. */
function idIgnored(fact: Publish, at: RuleContext): readonly Finding[] {
  const queue = at.device.queues[fact.queue];
  // Whoever makes one request after another has none of them still out.
  if (queue === undefined || !othersOut(queue, at)) return [];
  return fact.chains.flatMap((chain) =>
    returnedChains(queue, chain).flatMap((entry) => {
      if (entry.idLoaded || entry.seen === undefined || !othersOut(queue, entry.seen)) return [];
      const { slot, head } = entry.used;
      return [
        {
          message: `Queue ${fact.queue}: chain ${chain.head} uses again what ${entryText(queue, slot)} gave back, but the id there was not loaded, while other chains are still at the device.`,
          evidence: [seen('slot', slot), seen('id', head), seen('seen at step', entry.seen.step)],
          place: usedPlace(queue, slot, 'id'),
          related: entry.used,
        },
      ];
    }),
  );
}

function usedPlace({ index, format }: View<QueueState>, slot: number, field: 'id' | 'flags'): Finding['place'] {
  return format === 'packed'
    ? { kind: 'descriptor', queue: index, index: slot, field }
    : { kind: 'used', queue: index, field: 'ring', slot };
}

function lengthIgnored(fact: Publish, at: RuleContext): readonly Finding[] {
  const queue = at.device.queues[fact.queue];
  if (queue === undefined || at.device.description.deviceId === deviceId.entropy || !saysHowMuch(at, fact.queue))
    return [];
  return fact.chains.flatMap((chain) =>
    returnedChains(queue, chain).flatMap((entry) => {
      if (entry.lengthLoaded || !entry.idLoaded || !entry.answered) return [];
      const { slot, length } = entry.used;
      return [
        {
          message: `Queue ${fact.queue}: what came in ${entryText(queue, slot)} was taken and its buffer published again, but the length there, ${length}, was not loaded.`,
          evidence: [seen('slot', slot), seen('len', length)],
          place: usedPlace(queue, slot, 'id'),
          related: entry.used,
        },
      ];
    }),
  );
}

/** A load of a used entry that the device has not written, or that was taken before while newer ones wait. */
function outOfStep(fact: FactOf<'ring-load'>, at: RuleContext): false | Finding {
  const queue = at.device.queues[fact.queue];
  if (fact.kind !== 'ring-load' || queue === undefined) return false;
  const slot = usedSlot('split', fact.place);
  if (slot === undefined) return false;
  const { takenCount, usedCount, seenCount } = queue.consumption;
  const number = numberAt(queue, slot);
  const isEarly = number === undefined;
  const isOld =
    !isEarly && takenCount > 0 && number + 1 < takenCount && takenCount < seenCount && isTaken(queue, number);
  if (!isEarly && !isOld) return false;
  const expected = (takenCount < seenCount ? takenCount : usedCount) % queue.size;
  return {
    message: `Queue ${fact.queue}: used entry ${slot} was loaded, ${isEarly ? 'which the device has not written yet' : 'which was taken before'}; the next one is in slot ${expected}.`,
    evidence: [
      seen('slot loaded', slot),
      seen('next slot', expected),
      seen('used idx', queue.usedIndex),
      seen('queue size', queue.size),
    ],
    place: { kind: 'used', queue: fact.queue, field: 'ring', slot },
    related: queue.lastCollect,
  };
}

function isTaken({ consumption }: View<QueueState>, number: number): boolean {
  return consumption.returned.get(number)?.idLoaded ?? true;
}

export const consumptionRules: readonly Rule[] = [
  rule('consumption', {
    id: 'consumption.id-not-loaded',
    title: 'Driver took a buffer for used without looking which one it was',
    why: 'Buffers come back in any order. A driver that counts completions and takes its oldest request for done completes the wrong one, and reuses memory that the device still has.',
    fix: 'Load id of each used entry (buffer id of each used descriptor) and free what it names.',
    level: 'hazard',
    blames: 'publish',
    covers: [],
    section: '2.7.8',
    needs: { withoutFeature: feature.IN_ORDER },
    follows: ['ownership.*', 'ring.*'],
    once: true,
    on: ['publish'],
    broken: idIgnored,
  }),
  rule('consumption', {
    id: 'consumption.length-not-loaded',
    title: 'Driver took received data without looking how much it was',
    why: 'Only the length of the used entry says how much the device wrote. The rest of the buffer is whatever was there before: old packets, or the memory of somebody else.',
    fix: 'Load len of the used entry and pass on that many bytes, not the length of the descriptor.',
    level: 'hazard',
    blames: 'publish',
    covers: ['split.used-ring.driver.1'],
    section: '2.7.8.3',
    follows: ['ownership.*', 'ring.*', 'consumption.id-not-loaded'],
    once: true,
    on: ['publish'],
    broken: lengthIgnored,
  }),
  rule('consumption', {
    id: 'consumption.out-of-step',
    title: 'Driver loaded a used entry that is not the next one',
    why: 'Entries are taken one after the other, each in the slot of its number modulo the queue size. Anything else is an old entry, or one that the device has not written.',
    fix: 'Keep a free-running 16-bit count of the entries taken; its slot is count % queue size, and count is compared with used idx for equality.',
    level: 'hazard',
    blames: 'access',
    covers: ['split.used-notif-suppression.driver.5'],
    section: '2.7.8',
    needs: { ring: 'split', withoutFeature: feature.IN_ORDER },
    follows: ['ring.*', 'queue-setup.*', 'ordering.used-index'],
    once: true,
    on: ['ring-load'],
    places: ['used.id', 'used.len'],
    broken: outOfStep,
  }),
  rule('consumption', {
    id: 'consumption.entries-left',
    title: 'Driver saw used buffers and stopped taking them',
    why: 'The look showed new entries and none of them was loaded. Often the comparison is wrong at the wrap of the 16-bit index, or of the wrap counter: smaller is not older.',
    fix: 'Compare the 16-bit count with used idx for inequality only, in 16-bit arithmetic; invert the wrap counter whenever the slot goes back to 0.',
    level: 'hazard',
    blames: 'missing action',
    covers: [],
    section: '2.7.14',
    follows: ['ownership.*', 'ring.*', 'consumption.out-of-step'],
    once: true,
    on: ['idle'],
    broken: eachQueue((queue, at) => {
      const { untaken, takenCount } = queue.consumption;
      // Whoever has never loaded an id lives without them, and is asked elsewhere whether it may.
      if (untaken === undefined || takenCount === 0 || !hasPassed(at, untaken.since, returnWindowNanoseconds))
        return false;
      return {
        message: `Queue ${queue.index} showed the driver ${queue.consumption.seenCount - takenCount} used entries ${milliseconds(at, untaken.since)} ago, and it has loaded none of them.`,
        evidence: [
          seen('used idx', queue.usedIndex),
          seen('taken so far', takenCount),
          seen('seen for', milliseconds(at, untaken.since)),
        ],
        place: { kind: 'queue', queue: queue.index },
        blamed: untaken.since,
        related: queue.consumption.returned.get(untaken.number)?.used,
      };
    }),
  }),
];
