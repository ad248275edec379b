// Rules of the bytes that a driver hands over: whose they are, and that they stay as they were. [virtio 1.4, 3.3.1]
import { blockRequestHeader } from '../spec/block';
import { deviceId } from '../spec/device-id';
import { type PublishedBuffer, tableIndex } from '../watch/buffers';
import { hex, seen } from './evidence';
import { type FactOf, type Finding, rule, type Rule, type RuleContext } from './rule';

/** A device-readable buffer that changed while the device had it. */
function changedBuffer(fact: FactOf<'used'>, at: RuleContext, onStack: boolean): false | Finding {
  const changed = at.buffers.changed(at.device.description.name, fact.queue, fact.head);
  if (changed?.onStack !== onStack) return false;
  const { buffer, address, before, after } = changed;
  return {
    message: `Queue ${fact.queue}: the buffer of descriptor ${buffer.index} (chain ${fact.head}) changed while the device had it: the byte at ${hex(address)} was ${hex(before)} when it was published and is ${hex(after)} now.`,
    evidence: [
      seen('buffer', `${hex(buffer.start)}, ${buffer.end - buffer.start} bytes`),
      seen('first changed byte', hex(address)),
      seen('before', hex(before)),
      seen('after', hex(after)),
      seen('published at step', buffer.published.step),
    ],
    place: { kind: 'descriptor', queue: fact.queue, index: buffer.index, field: 'addr' },
    blamed: buffer.published,
    related: buffer.published,
  };
}

type BufferAccess = FactOf<'buffer-access'>;

function accessFinding(fact: BufferAccess, at: RuleContext, message: string): Finding {
  const published = publishOf(fact, at);
  return {
    message,
    evidence: [
      seen(
        'buffer',
        `${hex(fact.start)}, ${fact.length} bytes, device-${fact.deviceWritable ? 'writable' : 'readable'}`,
      ),
      seen('address', hex(fact.physicalAddress)),
      ...(fact.access === 'store' ? [seen('before', hex(fact.before)), seen('after', hex(fact.after))] : []),
      ...(published === undefined ? [] : [seen('published at step', published.event.step)]),
    ],
    place: { kind: 'descriptor', queue: fact.queue, index: fact.descriptor, field: 'addr' },
    related: published?.event,
  };
}

function publishOf(fact: BufferAccess, at: RuleContext): PublishedBuffer | undefined {
  return at.buffers.published(at.device.description.name, fact.queue, fact.head, fact.start);
}

const whose = ({ phase }: BufferAccess): string =>
  phase === 'owned' ? 'the device has it' : 'the driver has not seen that the device is done';

/** A store to a buffer that the device has; payload of a block request may legally change while it is written. */
function isForeignStore(fact: BufferAccess, at: RuleContext): boolean {
  if (fact.access !== 'store' || fact.phase === 'seen') return false;
  return (
    fact.deviceWritable || at.device.description.deviceId !== deviceId.block || fact.length <= blockRequestHeader.size
  );
}

function storedBuffer(fact: BufferAccess, at: RuleContext): Finding {
  return accessFinding(
    fact,
    at,
    `Queue ${fact.queue}: ${hex(fact.after)} is stored to the buffer of descriptor ${fact.descriptor} (chain ${fact.head}) at ${hex(fact.physicalAddress)} while ${whose(fact)}.`,
  );
}

/** Queues into which the device puts as much as there is: nothing but the used length says how much. [5.1.2, 5.3.2, 5.4.2] */
export function saysHowMuch({ device: { description, queues } }: RuleContext, queue: number): boolean {
  switch (description.deviceId) {
    case deviceId.entropy:
      return true;
    case deviceId.console:
      return queue % 2 === 0 && queue !== 2;
    case deviceId.net:
      return queue % 2 === 0 && queue + 1 < queues.length;
    default:
      return false;
  }
}

const earlier = ['ownership.descriptor-changed', 'ownership.descriptor-published-twice', 'ring.*'] as const;

function overlapFinding(fact: FactOf<'publish'>, at: RuleContext): false | Finding {
  // The fact is not an event yet where it is asked before its effect; only its origin is shown.
  const now = { ...fact, index: 0, step: at.step, virtualNanoseconds: at.virtualNanoseconds };
  const found = at.buffers.overlap(at.device.description.name, fact.queue, fact.chains, now);
  if (found === undefined) return false;
  const { own, other } = found;
  const range = ({ start, end }: { readonly start: number; readonly end: number }): string =>
    `${hex(start)} to ${hex(end - 1)}`;
  const whom =
    'area' in other
      ? `the ${other.area} area of queue ${other.queue} of ${other.device}`
      : `${part(other)} of chain ${other.head} of queue ${other.queue} of ${other.device}`;
  return {
    message: `Queue ${fact.queue}: ${part(own)} of chain ${own.head} hands over ${range(own)}, and ${whom} has ${range(other)}.`,
    evidence: [
      seen('buffer', `${range(own)}, device-${own.deviceWritable ? 'writable' : 'readable'}`),
      seen('other', `${range(other)}, device-${other.deviceWritable ? 'writable' : 'readable'}`),
      ...('area' in other ? [] : [seen('other published at step', other.published.step)]),
    ],
    place: { kind: 'descriptor', queue: fact.queue, index: Math.max(0, own.index), field: 'addr' },
    related: 'area' in other || other.published.step === at.step ? undefined : other.published,
  };
}

function part({ index }: { readonly index: number }): string {
  return index === tableIndex ? 'an indirect table' : `descriptor ${index}`;
}

export const bufferRules: readonly Rule[] = [
  rule('ownership', {
    id: 'ownership.buffer-overlap',
    title: 'Driver handed over bytes that a device has already',
    why: 'The device writes one of the two, so what it reads or writes in the other depends on which it serves first. Where the bytes are those of a ring, it destroys its own queue.',
    fix: 'Give each request buffers of its own until its used entry was seen, and free rings only behind a reset. Check that lengths do not run into the next buffer.',
    level: 'hazard',
    blames: 'publish',
    covers: [],
    section: '3.3.1',
    follows: earlier,
    on: ['publish'],
    broken: overlapFinding,
  }),
  rule('ownership', {
    id: 'ownership.buffer-changed',
    title: 'Driver changed a buffer that the device was to read',
    why: 'From the publish until the used entry is seen the device may read the buffer at any time: before the change, after it, or halfway.',
    fix: 'Prepare each request in memory of its own, and reuse or free that memory only when the used entry was seen.',
    level: 'hazard',
    blames: 'publish',
    covers: [],
    section: '3.3.1',
    follows: [...earlier, 'ownership.buffer-stored', 'ownership.buffer-overlap'],
    on: ['used'],
    broken: (fact, at) => changedBuffer(fact, at, false),
  }),
  rule('ownership', {
    id: 'ownership.dead-stack-frame',
    title: 'Driver published a buffer on its stack and returned before the device was done',
    why: 'The frame that held the buffer is gone, and the next function called writes its own variables there while the device still reads.',
    fix: 'Keep headers in memory that lives as long as the request, or wait for the used entry before the function returns.',
    level: 'hazard',
    blames: 'publish',
    covers: [],
    section: '3.3.1',
    follows: [...earlier, 'ownership.buffer-overlap'],
    once: true,
    on: ['used', 'buffer-access'],
    broken: (fact, at) => {
      if (fact.kind === 'used') return changedBuffer(fact, at, true);
      const published = publishOf(fact, at);
      if (!isForeignStore(fact, at) || published?.onStack !== true) return false;
      const stored = storedBuffer(fact, at);
      return { ...stored, blamed: published.event, evidence: [...stored.evidence, seen('stored by pc', hex(fact.pc))] };
    },
  }),
  rule('ownership', {
    id: 'ownership.buffer-stored',
    title: 'Driver stored to a buffer that the device has',
    why: 'From the publish until the used entry is seen the bytes are the device’s. It reads the old value, the new one or half of each; and what it writes itself is lost under the store, or the store under it.',
    fix: 'Fill buffers and clear status bytes before the publish. Give each request memory of its own until its used entry was seen.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '3.3.1',
    follows: [...earlier, 'ownership.dead-stack-frame', 'ownership.buffer-overlap'],
    on: ['buffer-access'],
    broken: (fact, at) => isForeignStore(fact, at) && publishOf(fact, at)?.onStack !== true && storedBuffer(fact, at),
  }),
  rule('ownership', {
    id: 'ownership.buffer-read-early',
    title: 'Driver loaded what the device had not given back yet',
    why: 'What a device-writable buffer holds before its used entry was seen is old, or half of the answer: the device may write the bytes in any order, and again.',
    fix: 'Wait until the used entry was seen, execute a fence, and only then load the buffer. A status byte that has changed is no used entry.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '2.7.14',
    follows: [...earlier, 'ordering.*'],
    on: ['buffer-access'],
    broken: (fact, at) =>
      fact.access === 'load' &&
      fact.phase !== 'seen' &&
      accessFinding(
        fact,
        at,
        `Queue ${fact.queue}: the device-writable buffer of descriptor ${fact.descriptor} (chain ${fact.head}) is loaded at ${hex(fact.physicalAddress)} while ${whose(fact)}.`,
      ),
  }),
  rule('ownership', {
    id: 'ownership.read-beyond-length',
    title: 'Driver loaded bytes of a received buffer that the device did not write',
    why: 'The used length says where the contents end. Behind it stands what was in memory before: old packets, or what belonged to somebody else.',
    fix: 'Use the length of the used entry as the length of what came, never that of the descriptor.',
    level: 'hazard',
    blames: 'access',
    covers: ['split.used-ring.driver.1'],
    section: '2.7.8.3',
    follows: [...earlier, 'consumption.*'],
    on: ['buffer-access'],
    broken: (fact, at) =>
      fact.access === 'load' &&
      fact.phase === 'seen' &&
      saysHowMuch(at, fact.queue) &&
      accessFinding(
        fact,
        at,
        `Queue ${fact.queue}: byte ${fact.physicalAddress - fact.start} of the buffer of descriptor ${fact.descriptor} (chain ${fact.head}) is loaded, and the device wrote ${fact.written}.`,
      ),
  }),
];
