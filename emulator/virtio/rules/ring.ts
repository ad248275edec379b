// Rules of the contents of split rings: descriptor chains as they are published, and the indices. [virtio 1.4, 2.7]
import { feature } from '../spec/feature';
import { descriptorFlag } from '../spec/split-ring';
import { usesEventIdx } from '../watch/notification';
import { elementFinding, queueOf } from './chain-evidence';
import { chainRule } from './chain-rule';
import { hex, seen } from './evidence';
import { type FactOf, type Finding, rule, type Rule, type RuleContext } from './rule';

type IndexStore = FactOf<'ring-store'>;
/** The new available index when this store writes all of it. */
function indexMove(fact: IndexStore, at: RuleContext): { before: number; after: number; moved: number } | undefined {
  if (fact.kind !== 'ring-store' || fact.partial || fact.place.part !== 'available' || fact.place.field !== 'idx') {
    return undefined;
  }
  const before = at.device.queues[fact.queue]?.availableIndex ?? Number(fact.before);
  const after = Number(fact.after);
  return { before, after, moved: (after - before) & 0xffff };
}

function indexFinding(fact: IndexStore, before: number, after: number, message: string): Finding {
  return {
    message,
    evidence: [seen('idx before', before), seen('idx after', after), seen('address', hex(fact.physicalAddress))],
    place: { kind: 'available', queue: fact.queue, field: 'idx' },
  };
}

export const ringRules: readonly Rule[] = [
  chainRule('split', ['head-out-of-range'], {
    id: 'split.head-out-of-range',
    title: 'Driver published a head that is not below the queue size',
    why: 'There is no such descriptor: a device that trusts the number reads beyond the table.',
    fix: 'Store the index of the first descriptor of the chain, 0 to queue size - 1, into the slot.',
    level: 'must',
    covers: [],
    section: '2.7.6',
  }),
  chainRule('split', ['next-out-of-range'], {
    id: 'split.next-out-of-range',
    title: 'Driver linked a descriptor to one outside its table',
    why: 'There is no such descriptor: a device that trusts the number reads beyond the table.',
    fix: 'Set next to an index below the queue size (below the number of entries in an indirect table), or clear VIRTQ_DESC_F_NEXT.',
    level: 'must',
    covers: [],
    section: '2.7.5',
  }),
  chainRule('split', ['loop', 'too-many-bytes'], {
    id: 'split.chain-endless',
    title: 'Driver published a chain that loops or holds more than 4 GiB',
    why: 'A chain leads back to one of its own descriptors, or its lengths add up beyond 2^32 bytes. A device would never come to its end.',
    fix: 'Clear VIRTQ_DESC_F_NEXT in the last descriptor, and take descriptors off the free list before they are linked.',
    level: 'must',
    covers: ['split.desc-table.driver.1'],
    section: '2.7.5.2',
  }),
  chainRule('split', ['readable-after-writable'], {
    id: 'split.readable-after-writable',
    title: 'Driver put a device-readable descriptor behind a device-writable one',
    why: 'Devices read a request up to the first writable descriptor and write from there on; what is readable behind it is lost or misread.',
    fix: 'Order the chain: first everything the device reads, then everything it writes. Check VIRTQ_DESC_F_WRITE of each descriptor.',
    level: 'must',
    covers: ['split.framing.driver.1'],
    section: '2.7.4.2',
  }),
  chainRule('split', ['indirect-not-negotiated'], {
    id: 'split.indirect-not-negotiated',
    title: 'Driver used an indirect descriptor without VIRTIO_F_INDIRECT_DESC',
    why: 'A device that did not agree to the feature takes the table for the buffer itself.',
    fix: 'Accept VIRTIO_F_INDIRECT_DESC when it is offered, and use direct chains otherwise. A stray flag often comes from a descriptor that was not cleared.',
    level: 'must',
    covers: ['split.desc-table.indirect.driver.1'],
    ancestors: ['lguest.indirect-not-negotiated'],
    section: '2.7.5.3.1',
  }),
  chainRule('split', ['indirect-nested'], {
    id: 'split.indirect-nested',
    title: 'Driver set VIRTQ_DESC_F_INDIRECT inside an indirect table',
    why: 'Tables do not nest: a device takes the entry for a buffer or gives the chain up.',
    fix: 'Put all entries into one table.',
    level: 'must',
    covers: ['split.desc-table.indirect.driver.2'],
    ancestors: ['lguest.indirect-nested'],
    section: '2.7.5.3.1',
  }),
  chainRule('split', ['too-long'], {
    id: 'split.chain-too-long',
    title: 'Driver published a chain with more descriptors than the queue has',
    why: 'A device sizes its own lists by the queue size, and that limit holds for the entries of an indirect table too.',
    fix: 'Split the request, or merge buffers that lie next to each other.',
    level: 'must',
    covers: ['split.desc-table.indirect.driver.3'],
    ancestors: ['lguest.indirect-too-long'],
    section: '2.7.5.3.1',
  }),
  chainRule('split', ['indirect-and-next'], {
    id: 'split.indirect-and-next',
    title: 'Driver set VIRTQ_DESC_F_INDIRECT and VIRTQ_DESC_F_NEXT together',
    why: 'A descriptor that names a table is the end of its chain; what follows it is lost.',
    fix: 'Use one table for the whole request and clear VIRTQ_DESC_F_NEXT.',
    level: 'must',
    covers: ['split.desc-table.indirect.driver.4'],
    ancestors: ['lguest.indirect-and-next'],
    section: '2.7.5.3.1',
  }),
  chainRule('split', ['indirect-length'], {
    id: 'split.indirect-length',
    title: 'Driver gave an indirect table a length that is not whole descriptors',
    why: 'The length is in bytes, 16 for each entry. Anything else is usually a count of entries.',
    fix: 'Set len to 16 times the number of entries, at least 16.',
    level: 'must',
    covers: [],
    ancestors: ['lguest.indirect-size'],
    section: '2.7.5.3',
  }),
  chainRule('split', ['indirect-outside-memory', 'buffer-outside-memory'], {
    id: 'split.buffer-outside-memory',
    title: 'Driver handed over an address outside memory',
    why: 'The device uses guest-physical addresses and finds no RAM there. Usually it is a virtual address, or a length that runs over the end.',
    fix: 'Translate the address to a physical one before it is stored, and check the length.',
    level: 'must',
    covers: ['core.reserved-features.driver.5'],
    section: '6.1',
  }),
  chainRule('split', ['zero-length'], {
    id: 'split.zero-length',
    title: 'Driver published a descriptor without bytes',
    why: 'An empty buffer carries nothing, and some devices give the whole queue up when they meet one.',
    fix: 'Leave the descriptor out; check that the length was not taken from sizeof a pointer or from an empty request.',
    level: 'hazard',
    covers: [],
    section: '2.7.5',
  }),
  rule('ring', {
    id: 'split.in-order-links',
    title: 'Driver linked descriptors out of order under VIRTIO_F_IN_ORDER',
    why: 'With VIRTIO_F_IN_ORDER a device may step through the table without reading next.',
    fix: 'Use descriptors in table order: next is the following index, 0 after the last, and index + 1 in indirect tables.',
    level: 'must',
    blames: 'descriptor store',
    covers: ['split.desc-table.driver.2', 'split.desc-table.indirect.driver.5'],
    section: '2.7.5.2',
    needs: { ring: 'split', feature: feature.IN_ORDER },
    on: ['publish'],
    broken: (fact, at) => {
      const size = queueOf(fact, at)?.size ?? 0;
      return fact.chains.flatMap((chain) =>
        chain.elements.flatMap((element) => {
          const expected = element.indirect ? element.index + 1 : (element.index + 1) % Math.max(size, 1);
          if ((element.flags & descriptorFlag.NEXT) === 0 || element.next === expected) return [];
          const message = `Queue ${fact.queue}, chain ${chain.head}: descriptor ${element.index} continues at ${element.next}, expected ${expected}.`;
          return [elementFinding(fact, at, chain, element, 'next', message)];
        }),
      );
    },
  }),
  rule('ring', {
    id: 'split.available-index-backwards',
    title: 'Driver moved the available index back',
    why: 'What was published cannot be taken back: the index only grows, and wraps at 65536. A device sees the jump as thousands of new buffers.',
    fix: 'Keep the index as a free-running 16-bit number. Reduce it by the queue size only to find the slot.',
    level: 'must',
    blames: 'access',
    covers: ['split.avail-ring.driver.1'],
    section: '2.7.6.1',
    needs: { ring: 'split' },
    on: ['ring-store'],
    places: ['available.idx'],
    broken: (fact, at) => {
      const move = indexMove(fact, at);
      if (move === undefined || move.moved < 0x8000) return false;
      const message = `Available idx of queue ${fact.queue} went from ${move.before} back to ${move.after}.`;
      return indexFinding(fact, move.before, move.after, message);
    },
  }),
  rule('ring', {
    id: 'split.available-index-jump',
    title: 'Driver published more buffers than the queue can hold',
    why: 'Between the index and what the device has used there can be no more entries than the ring has slots; the oldest ones are overwritten before the device reads them.',
    fix: 'Advance the index by the number of slots that were filled, and only while descriptors are free.',
    level: 'must',
    blames: 'access',
    covers: ['split.avail-ring.driver.1'],
    section: '2.7.6.1',
    needs: { ring: 'split' },
    follows: ['split.available-index-backwards'],
    on: ['ring-store'],
    places: ['available.idx'],
    broken: (fact, at) => {
      const move = indexMove(fact, at);
      const queue = at.device.queues[fact.queue];
      if (move === undefined || queue === undefined || move.moved >= 0x8000) return false;
      const outstanding = (move.after - queue.usedIndex) & 0xffff;
      if (outstanding <= queue.size) return false;
      const finding = indexFinding(
        fact,
        move.before,
        move.after,
        `Available idx of queue ${fact.queue} went from ${move.before} to ${move.after}, but used idx is ${queue.usedIndex} and the queue has ${queue.size} entries.`,
      );
      return {
        ...finding,
        evidence: [...finding.evidence, seen('used idx', queue.usedIndex), seen('queue size', queue.size)],
      };
    },
  }),
  rule('ring', {
    id: 'split.available-flags',
    title: 'Driver stored a value into available flags that it may not use',
    why: 'Only bit 0 has a meaning, and with VIRTIO_F_EVENT_IDX not even that: the device then looks at used_event.',
    fix: 'Store 0, or 1 to ask for silence without VIRTIO_F_EVENT_IDX. With it, set used_event instead.',
    level: 'must',
    blames: 'access',
    covers: ['split.used-notif-suppression.driver.1', 'split.used-notif-suppression.driver.3'],
    ancestors: ['lguest.avail-flags'],
    section: '2.7.7.1',
    needs: { ring: 'split' },
    on: ['ring-store'],
    places: ['available.flags'],
    broken: (fact, at) => {
      if (fact.kind !== 'ring-store' || fact.place.part !== 'available' || fact.place.field !== 'flags') return false;
      const eventIdx = usesEventIdx(at.device);
      if (fact.after === 0n || (!eventIdx && fact.after === 1n)) return false;
      return {
        message: `Available flags of queue ${fact.queue} were set to ${hex(fact.after)}; VIRTIO_F_EVENT_IDX is ${eventIdx ? '' : 'not '}negotiated.`,
        evidence: [seen('flags before', hex(fact.before)), seen('flags after', hex(fact.after))],
        place: { kind: 'available', queue: fact.queue, field: 'flags' },
      };
    },
  }),
  rule('ring', {
    id: 'split.used-ring-written',
    title: 'Driver wrote into the used ring',
    why: 'The used ring belongs to the device. What the driver stores there looks like completions that never happened, or wipes out real ones.',
    fix: 'Keep the last seen index in the driver; do not clear used entries. Often the two rings were mixed up.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '2.7.8',
    needs: { ring: 'split' },
    on: ['ring-store'],
    places: ['used'],
    broken: (fact) => {
      if (fact.kind !== 'ring-store' || fact.place.part !== 'used' || fact.before === fact.after) return false;
      const { place } = fact;
      const cell = 'slot' in place ? `${place.field} of slot ${place.slot}` : place.field;
      return {
        message: `Used ring of queue ${fact.queue}: ${cell} was changed from ${hex(fact.before)} to ${hex(fact.after)}.`,
        evidence: [
          seen('address', hex(fact.physicalAddress)),
          seen('before', hex(fact.before)),
          seen('after', hex(fact.after)),
        ],
        place:
          'slot' in place
            ? { kind: 'used', queue: fact.queue, field: 'ring', slot: place.slot }
            : { kind: 'used', queue: fact.queue, field: place.field },
      };
    },
  }),
  rule('ring', {
    id: 'split.avail-event-read',
    title: 'Driver read avail_event without VIRTIO_F_EVENT_IDX',
    why: 'Without the feature the device does not maintain the field, so it says nothing about notifications.',
    fix: 'Look at used flags instead, or negotiate VIRTIO_F_EVENT_IDX.',
    level: 'must',
    blames: 'access',
    covers: ['split.avail-notif-suppression.driver.2'],
    section: '2.7.10.1',
    needs: { ring: 'split', withoutFeature: feature.EVENT_IDX },
    on: ['ring-load'],
    places: ['used.avail_event'],
    broken: (fact) =>
      fact.kind === 'ring-load' &&
      fact.place.part === 'used' &&
      fact.place.field === 'avail_event' && {
        message: `avail_event of queue ${fact.queue} was loaded.`,
        evidence: [seen('address', hex(fact.physicalAddress)), seen('value', hex(fact.before))],
        place: { kind: 'used', queue: fact.queue, field: 'avail_event' },
      },
  }),
  rule('ring', {
    id: 'split.slot-mismatch',
    title: 'Driver filled another slot than the one it published',
    why: 'The available index says which slot is new: index modulo queue size. The device reads an old head from there.',
    fix: 'Store the head into slot idx % queue size, then increase idx.',
    level: 'hazard',
    blames: 'publish',
    covers: [],
    section: '2.7.6',
    needs: { ring: 'split' },
    on: ['publish'],
    broken: (fact, at) => {
      const queue = queueOf(fact, at);
      if (queue === undefined || ((fact.after - fact.before) & 0xffff) !== 1 || queue.slotsSincePublish.size !== 1) {
        return false;
      }
      const [stored] = queue.slotsSincePublish;
      const slot = fact.before % queue.size;
      if (stored === undefined || stored === slot) return false;
      return {
        message: `Queue ${fact.queue} published slot ${slot}, but slot ${stored} was stored before it.`,
        evidence: [seen('idx before', fact.before), seen('queue size', queue.size), seen('slot stored', stored)],
        place: { kind: 'available', queue: fact.queue, field: 'ring', slot },
        related: queue.slotStores.get(stored),
      };
    },
  }),
  rule('ring', {
    id: 'split.torn-access',
    title: 'Driver accessed an index of a split ring in parts',
    why: 'The other side reads and writes the whole 16 bits at once. Between two stores of a byte each it sees an index that never was: 0x0000 on the way from 0x00ff to 0x0100.',
    fix: 'Access the index with one 16-bit load or store. A packed structure makes a compiler use bytes: declare its alignment, or use an aligned volatile pointer.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '2.7.6',
    needs: { ring: 'split' },
    on: ['ring-store', 'ring-load'],
    places: ['available.idx', 'available.used_event', 'used.idx'],
    broken: (fact) => {
      const { place } = fact;
      const isIndex =
        fact.kind === 'ring-store'
          ? place.part === 'available' && (place.field === 'idx' || place.field === 'used_event')
          : place.part === 'used' && place.field === 'idx';
      if (!isIndex || !fact.partial) return false;
      const what = `${place.part} ${place.field}`;
      return {
        message: `Queue ${fact.queue}: only a part of ${what} was ${fact.kind === 'ring-load' ? 'loaded' : `stored, which makes it ${fact.after}`}.`,
        evidence: [seen('before', fact.before), seen('after', fact.after), seen('address', hex(fact.physicalAddress))],
        place: { kind: 'queue', queue: fact.queue },
      };
    },
  }),
];
