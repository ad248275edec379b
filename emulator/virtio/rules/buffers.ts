// Rules of the bytes that a driver hands over: whose they are, and that they stay as they were. [virtio 1.4, 3.3.1]
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

const earlier = ['ownership.descriptor-changed', 'ownership.descriptor-published-twice', 'ring.*'] as const;

export const bufferRules: readonly Rule[] = [
  rule('ownership', {
    id: 'ownership.buffer-changed',
    title: 'Driver changed a buffer that the device was to read',
    why: 'From the publish until the used entry is seen the device may read the buffer at any time: before the change, after it, or halfway.',
    fix: 'Prepare each request in memory of its own, and reuse or free that memory only when the used entry was seen.',
    level: 'hazard',
    blames: 'publish',
    covers: [],
    section: '3.3.1',
    follows: earlier,
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
    follows: earlier,
    on: ['used'],
    broken: (fact, at) => changedBuffer(fact, at, true),
  }),
];
