// Rules of the contents of packed rings: lists as they are published, who may write what, and the event suppression structures.
// [virtio 1.4, 2.8]
import type { Chain, ChainDefect } from '../../record/events';
import { blockFeature } from '../spec/block';
import { deviceId } from '../spec/device-id';
import { feature, hasFeature } from '../spec/feature';
import { availableBits, eventFlag, eventFlagNames, lapBits, packedFlag, wrapOf } from '../spec/packed-ring';
import { outstandingPosition, packedOwnership } from '../watch/chains';
import { usesEventIdx } from '../watch/notification';
import { nextPosition } from '../watch/packed-ring';
import type { QueueState } from '../watch/state';
import { elementFinding, flagText, type Publish, queueOf } from './chain-evidence';
import { chainRule, defectFinding } from './chain-rule';
import { hex, seen } from './evidence';
import { type FactOf, type Finding, rule, type Rule, type RuleContext, type View } from './rule';

type RingStore = FactOf<'ring-store'>;
type DescriptorStore = RingStore & { readonly place: { readonly part: 'descriptor' } };

/** A driver's store to a descriptor of the ring itself. */
function isRingDescriptor(fact: RingStore): fact is DescriptorStore {
  return fact.kind === 'ring-store' && fact.place.part === 'descriptor' && fact.place.table === undefined;
}

const lapText = (flags: number): string =>
  `AVAIL ${(flags & packedFlag.AVAIL) === 0 ? 0 : 1}, USED ${(flags & packedFlag.USED) === 0 ? 0 : 1}`;

/** The first position behind a chain, and the first that the driver cannot know to be free. */
function room(queue: View<QueueState>, chain: Chain): { readonly end: number; readonly limit: number } {
  return { end: chain.position + (chain.packed?.descriptors ?? 1), limit: queue.collectedIndex + queue.size };
}

const unavailable = ({ defects }: Chain): readonly Extract<ChainDefect, { kind: 'not-available' }>[] =>
  defects.filter((defect) => defect.kind === 'not-available');

function publishFinding(fact: Publish, chain: Chain, message: string, evidence: Finding['evidence']): Finding {
  return {
    message: `Queue ${fact.queue}, buffer id ${chain.head}: ${message}`,
    evidence: [seen('buffer id', chain.head), seen('slot', chain.slot), ...evidence],
    place: { kind: 'descriptor', queue: fact.queue, index: chain.slot, field: 'flags' },
  };
}

/** Most elements that the device takes in one request by its own configuration; undefined: it says nothing. [5.2.5] */
function deviceLimit({ device }: RuleContext): number | undefined {
  const { description, features, configValues } = device;
  if (description.deviceId !== deviceId.block || !hasFeature(features.accepted, blockFeature.SEG_MAX)) return undefined;
  const segments = configValues.get('seg_max');
  // Header and status of the request come on top.
  return segments === undefined ? undefined : Number(segments) + 2;
}

export const packedRules: readonly Rule[] = [
  rule('ring', {
    id: 'packed.flags-wrong-lap',
    title: 'Driver marked a descriptor available for the wrong lap of the ring',
    why: 'AVAIL and USED change their meaning each time the ring wraps. With the wrap counter of another lap the descriptor does not look available, and the device never takes it.',
    fix: 'Keep a wrap counter that starts at 1 and is inverted when the next slot goes from the last to 0. Set AVAIL to it and USED to its inverse, in each descriptor by its own slot.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '2.8.1',
    needs: { ring: 'packed' },
    on: ['ring-store'],
    places: ['descriptor.flags'],
    broken: (fact, at) => {
      const queue = queueOf(fact, at);
      if (queue === undefined || !isRingDescriptor(fact) || fact.place.field !== 'flags') return false;
      const { index } = fact.place;
      if (outstandingPosition(queue, index) !== undefined) return false;
      const flags = Number(fact.after) & lapBits;
      const position = nextPosition(queue, index);
      if (flags === 0 || flags === lapBits || flags === availableBits(position, queue.size)) return false;
      const wrap = wrapOf(position, queue.size);
      return {
        message: `Queue ${fact.queue}: flags of descriptor ${index} were set to ${hex(fact.after)} (${lapText(flags)}); its next use is in a lap with wrap counter ${wrap}.`,
        evidence: [
          seen('flags', flagText(Number(fact.after))),
          seen('wrap counter', wrap),
          seen('next slot', queue.availableIndex % queue.size),
        ],
        place: { kind: 'descriptor', queue: fact.queue, index, field: 'flags' },
      };
    },
  }),
  chainRule('packed', ['loop'], {
    id: 'packed.list-too-long',
    title: 'Driver linked more descriptors than the ring has',
    why: 'VIRTQ_DESC_F_NEXT leads to the following slot; a list that goes once around the ring meets its own first descriptor and never ends.',
    fix: 'Clear VIRTQ_DESC_F_NEXT in the last descriptor of the list, and split requests that need more descriptors than the queue size.',
    level: 'must',
    covers: ['packed.sg.driver.2'],
    section: '2.8.17',
  }),
  rule('ring', {
    id: 'packed.no-space',
    title: 'Driver published a list that does not fit into the free part of the ring',
    why: 'The list ends in slots that the driver has not seen used: the device still has descriptors there, or the driver hopes that it will use some in time.',
    fix: 'Count free slots: queue size minus what is outstanding. Publish only when the whole list fits, else wait for used descriptors.',
    level: 'must',
    blames: 'publish',
    covers: ['packed.sg.driver.4', 'packed.sg.driver.5'],
    section: '2.8.17',
    needs: { ring: 'packed' },
    follows: ['packed.list-too-long', 'packed.flags-wrong-lap', 'ownership.*'],
    on: ['publish'],
    broken: (fact, at) => {
      const queue = queueOf(fact, at);
      if (queue === undefined) return false;
      return fact.chains.flatMap((chain) => {
        const { end, limit } = room(queue, chain);
        if (end <= limit) return [];
        const free = Math.max(0, limit - chain.position);
        return [
          publishFinding(
            fact,
            chain,
            `the list takes ${end - chain.position} descriptors, ${free} ${free === 1 ? 'is' : 'are'} free.`,
            [seen('descriptors', end - chain.position), seen('free', free), seen('queue size', queue.size)],
          ),
        ];
      });
    },
  }),
  rule('ring', {
    id: 'packed.head-before-tail',
    title: 'Driver made a list available before all its descriptors',
    why: 'The flags of the first descriptor expose the whole list. What follows it was not marked available yet, so the device may read leftovers.',
    fix: 'Write the descriptors of a list with their flags, and the flags of the first one last, behind a barrier. Remember that the wrap counter changes inside a list that wraps.',
    level: 'must',
    blames: 'publish',
    covers: ['packed.sg.driver.6'],
    section: '2.8.17',
    needs: { ring: 'packed' },
    follows: ['packed.list-too-long', 'packed.no-space', 'packed.flags-wrong-lap', 'ownership.*'],
    on: ['publish'],
    broken: (fact, at) => {
      const queue = queueOf(fact, at);
      if (queue === undefined) return false;
      return fact.chains.flatMap((chain) => {
        const [first] = unavailable(chain);
        const { end, limit } = room(queue, chain);
        if (first === undefined || end > limit) return [];
        const finding = publishFinding(
          fact,
          chain,
          `descriptor ${first.index} of the list is not available: ${lapText(first.flags)}.`,
          [seen('descriptor', first.index), seen('flags', flagText(first.flags))],
        );
        return [
          { ...finding, place: { kind: 'descriptor', queue: fact.queue, index: first.index, field: 'flags' } as const },
        ];
      });
    },
  }),
  chainRule('packed', ['readable-after-writable'], {
    id: 'packed.readable-after-writable',
    title: 'Driver put a device-readable descriptor behind a device-writable one in a list',
    why: 'Devices read a request up to the first writable element and write from there on; what is readable behind it is lost or misread.',
    fix: 'Order the list: first everything the device reads, then everything it writes. Check VIRTQ_DESC_F_WRITE of each descriptor.',
    level: 'must',
    covers: ['packed.sg.driver.3'],
    section: '2.8.17',
  }),
  chainRule('packed', ['indirect-not-negotiated'], {
    id: 'packed.indirect-not-negotiated',
    title: 'Driver set VIRTQ_DESC_F_INDIRECT without VIRTIO_F_INDIRECT_DESC',
    why: 'A device that did not agree to the feature takes the table for the buffer itself.',
    fix: 'Accept VIRTIO_F_INDIRECT_DESC when it is offered, and use lists otherwise. A stray flag often comes from a descriptor that was not overwritten whole.',
    level: 'must',
    covers: ['packed.indirect.driver.1'],
    ancestors: [],
    section: '2.8.19',
  }),
  chainRule('packed', ['indirect-entry-flags'], {
    id: 'packed.indirect-entry-flags',
    title: 'Driver set flags other than WRITE in an indirect table',
    why: 'Entries of a table belong together by their place: NEXT, AVAIL and USED mean nothing there, and tables do not nest.',
    fix: 'Write 0 or VIRTQ_DESC_F_WRITE into the flags of each entry, and order the entries as they are to be used.',
    level: 'must',
    covers: ['packed.indirect.driver.2'],
    section: '2.8.19',
  }),
  chainRule('packed', ['indirect-and-next'], {
    id: 'packed.indirect-in-list',
    title: 'Driver linked a descriptor that names a table with others',
    why: 'A request is either one list or one table. A device ends the request at the table, or takes the table for data.',
    fix: 'Put all elements into one table, or none.',
    level: 'must',
    covers: ['packed.indirect.driver.4'],
    section: '2.8.19',
  }),
  chainRule('packed', ['indirect-length'], {
    id: 'packed.indirect-length',
    title: 'Driver gave a table a length that is not whole descriptors',
    why: 'The length is in bytes, 16 for each entry, and all entries are used. Anything else is usually a count of entries.',
    fix: 'Set len to 16 times the number of entries, at least 16.',
    level: 'must',
    covers: [],
    section: '2.8.7',
  }),
  chainRule('packed', ['indirect-outside-memory', 'buffer-outside-memory'], {
    id: 'packed.buffer-outside-memory',
    title: 'Driver handed over an address outside memory, in a packed ring',
    why: 'The device uses guest-physical addresses and finds no RAM there. Usually it is a virtual address, or a length that runs over the end.',
    fix: 'Translate the address to a physical one before it is stored, and check the length.',
    level: 'must',
    covers: ['core.reserved-features.driver.5'],
    section: '6.1',
  }),
  chainRule('packed', ['zero-length'], {
    id: 'packed.zero-length',
    title: 'Driver published an element without bytes, in a packed ring',
    why: 'An empty buffer carries nothing, and some devices give the whole queue up when they meet one.',
    fix: 'Leave the element out; check that the length was not taken from sizeof a pointer or from an empty request.',
    level: 'hazard',
    covers: [],
    section: '2.8.5',
  }),
  rule('ring', {
    id: 'packed.above-device-limit',
    title: 'Driver made a request of more elements than the device takes',
    why: 'Devices size their lists by a limit of their own: for a block device it is seg_max beside header and status.',
    fix: 'Read the limit from the configuration space, and split or merge what does not fit.',
    level: 'must',
    blames: 'publish',
    covers: ['packed.sg.driver.1', 'packed.indirect.driver.3'],
    section: '2.8.19',
    needs: { ring: 'packed' },
    follows: ['packed.list-too-long'],
    on: ['publish'],
    broken: (fact, at) =>
      fact.chains.flatMap((chain) => {
        const tooLong = chain.defects.find(({ kind }) => kind === 'too-long' || kind === 'too-many-bytes');
        if (tooLong !== undefined) return [defectFinding(fact, at, chain, tooLong)];
        const limit = deviceLimit(at);
        const extra = limit === undefined ? undefined : chain.elements[limit];
        if (limit === undefined || extra === undefined) return [];
        const message = `Queue ${fact.queue}, buffer id ${chain.head}: ${chain.elements.length} elements, the device takes ${limit}.`;
        return [{ ...elementFinding(fact, at, chain, extra, 'flags', message), blamed: undefined }];
      }),
  }),
  rule('ring', {
    id: 'packed.buffer-id-in-use',
    title: 'Driver published a buffer id that is still at the device',
    why: 'The used descriptor brings back nothing but the id: with two requests of one id nobody can tell which of them is done.',
    fix: 'Take ids from a free list and put them back when their used descriptor was seen. Any 16-bit number will do.',
    level: 'hazard',
    blames: 'publish',
    covers: [],
    section: '2.8.6',
    needs: { ring: 'packed', withoutFeature: feature.IN_ORDER },
    follows: ['packed.flags-wrong-lap', 'packed.no-space', 'ownership.*'],
    on: ['publish'],
    broken: (fact, at) => {
      const queue = queueOf(fact, at);
      if (queue === undefined) return false;
      const holders = [...queue.chains.values()];
      return fact.chains.flatMap((chain, i) => {
        const earlier = fact.chains.slice(0, i).find(({ head }) => head === chain.head);
        const holder = holders.find((each) => each.chain.head === chain.head);
        const twin = earlier ?? holder?.chain;
        if (twin === undefined) return [];
        const message = `the id already names the list in slot ${twin.slot}, which ${holder?.phase === 'used' ? 'the driver has not collected' : 'the device has not used'}.`;
        const finding = publishFinding(fact, chain, message, [seen('other slot', twin.slot)]);
        return [{ ...finding, ...(holder !== undefined && { related: holder.published }) }];
      });
    },
  }),
  rule('ownership', {
    id: 'ownership.packed-descriptor-changed',
    title: 'Driver changed a descriptor of a packed ring that it does not have',
    why: 'From the AVAIL flag on the descriptor is the device’s, until the driver has seen USED change: the device may read it at any time, or write a used descriptor over it.',
    fix: 'Look at the flags of the next used slot first, and reuse slots only as far as used descriptors were seen.',
    level: 'must',
    blames: 'access',
    covers: [
      'packed.desc-table.driver.1',
      'packed.desc-table.driver.2',
      'core.cleanup.driver.1',
      'core.cleanup.driver.2',
    ],
    section: '2.8.16',
    needs: { ring: 'packed' },
    follows: ['packed.list-too-long', 'packed.no-space', 'packed.head-before-tail'],
    on: ['ring-store'],
    places: ['descriptor'],
    broken: (fact, at) => {
      const queue = queueOf(fact, at);
      if (queue === undefined || !isRingDescriptor(fact) || fact.before === fact.after) return false;
      const { index, field } = fact.place;
      const phase = packedOwnership(queue, index);
      if (phase === undefined) return false;
      const holder = queue.chains.get(queue.holderOf.get(index) ?? -1);
      const who =
        phase === 'used'
          ? 'used, which the driver has not looked at'
          : phase === 'available'
            ? 'available to the device'
            : 'in flight at the device';
      return {
        message: `Queue ${fact.queue}: ${field} of descriptor ${index} was changed from ${hex(fact.before)} to ${hex(fact.after)} while it is ${who}.`,
        evidence: [
          seen('before', hex(fact.before)),
          seen('after', hex(fact.after)),
          ...(holder === undefined ? [] : [seen('buffer id', holder.chain.head)]),
        ],
        place: { kind: 'descriptor', queue: fact.queue, index, field },
        related: holder?.published,
      };
    },
  }),
  rule('ring', {
    id: 'packed.device-area-written',
    title: 'Driver wrote into the device event suppression structure',
    why: 'The device area tells what the device wants. What the driver stores there switches notifications off or asks for them at the wrong place.',
    fix: 'Write the driver area to say what the driver wants; the two were probably mixed up.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '2.8.14',
    needs: { ring: 'packed' },
    on: ['ring-store'],
    places: ['device-event'],
    broken: (fact) => {
      const { place } = fact;
      if (fact.kind !== 'ring-store' || place.part !== 'device-event' || fact.before === fact.after) return false;
      return {
        message: `Queue ${fact.queue}: ${place.field} of the device event suppression structure was changed from ${hex(fact.before)} to ${hex(fact.after)}.`,
        evidence: [seen('before', hex(fact.before)), seen('after', hex(fact.after))],
        place: { kind: 'event-suppression', queue: fact.queue, side: 'device', field: place.field },
      };
    },
  }),
  rule('ring', {
    id: 'packed.event-flags',
    title: 'Driver stored event suppression flags that have no meaning',
    why: 'There are three values: ENABLE 0, DISABLE 1, and DESC 2, which needs VIRTIO_F_EVENT_IDX. What a device makes of others is up to it.',
    fix: 'Store 0 or 1; store 2 only with VIRTIO_F_EVENT_IDX, after desc.',
    level: 'must',
    blames: 'access',
    covers: [],
    section: '2.8.14',
    needs: { ring: 'packed' },
    on: ['ring-store'],
    places: ['driver-event.flags'],
    broken: (fact, at) => {
      const { place } = fact;
      if (fact.kind !== 'ring-store' || place.part !== 'driver-event' || place.field !== 'flags') return false;
      const eventIdx = usesEventIdx(at.device);
      const flags = Number(fact.after);
      if (flags === eventFlag.ENABLE || flags === eventFlag.DISABLE || (flags === eventFlag.DESC && eventIdx))
        return false;
      return {
        message: `Queue ${fact.queue}: the driver event suppression flags were set to ${eventFlagNames[flags] ?? hex(flags)}; VIRTIO_F_EVENT_IDX is ${eventIdx ? '' : 'not '}negotiated.`,
        evidence: [seen('flags', hex(flags))],
        place: { kind: 'event-suppression', queue: fact.queue, side: 'driver', field: 'flags' },
      };
    },
  }),
  rule('ring', {
    id: 'packed.event-offset',
    title: 'Driver asked for an interrupt at a slot that the ring does not have',
    why: 'Bits 0 to 14 of desc are a slot, bit 15 is the wrap counter of the lap. The device never comes to that slot, so it never interrupts.',
    fix: 'Reduce the slot by the queue size when it wraps, and invert bit 15 then; do not store a free-running number.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '2.8.14',
    needs: { ring: 'packed', feature: feature.EVENT_IDX },
    on: ['ring-store'],
    places: ['driver-event.desc'],
    broken: (fact, at) => {
      const { place } = fact;
      const queue = queueOf(fact, at);
      if (fact.kind !== 'ring-store' || place.part !== 'driver-event' || place.field !== 'desc') return false;
      const slot = Number(fact.after) & 0x7fff;
      if (queue === undefined || slot < queue.size) return false;
      return {
        message: `Queue ${fact.queue}: desc of the driver event suppression structure was set to ${hex(fact.after)}, which is slot ${slot}; the ring has ${queue.size}.`,
        evidence: [seen('desc', hex(fact.after)), seen('queue size', queue.size)],
        place: { kind: 'event-suppression', queue: fact.queue, side: 'driver', field: 'desc' },
      };
    },
  }),
  rule('notification', {
    id: 'packed.published-unseen',
    title: 'Driver notified, but what it wrote is not where the device looks next',
    why: 'The device waits at one slot for the AVAIL flag of its lap. Flags were stored elsewhere, or with both flags equal, so it finds nothing.',
    fix: 'Use the slots one after the other from 0, and set AVAIL and USED to different values: AVAIL to the wrap counter, USED to its inverse.',
    level: 'hazard',
    blames: 'descriptor store',
    covers: [],
    section: '2.8.1',
    needs: { ring: 'packed' },
    follows: ['packed.flags-wrong-lap', 'ownership.*'],
    on: ['notify'],
    broken: (fact, at) => {
      const queue = queueOf(fact, at);
      if (queue === undefined || queue.notification.publishedSince !== undefined) return false;
      const [slot] = queue.slotsSincePublish;
      const store = slot === undefined ? undefined : queue.slotStores.get(slot);
      if (slot === undefined || store?.kind !== 'ring-store') return false;
      const next = queue.availableIndex % queue.size;
      return {
        message: `Queue ${fact.queue} was notified; flags of descriptor ${slot} are ${hex(store.after)} (${lapText(Number(store.after))}), the device waits at slot ${next} for wrap counter ${wrapOf(queue.availableIndex, queue.size)}.`,
        evidence: [seen('slot stored', slot), seen('flags', hex(store.after)), seen('next slot', next)],
        place: { kind: 'descriptor', queue: fact.queue, index: slot, field: 'flags' },
        blamed: store,
      };
    },
  }),
];
