// Rules of order: which accesses a driver has to keep apart with a fence, or with anything else that RVWMO accepts, so that the device and the
// driver see each other's writes in the order in which they were made. [virtio 1.4, 2.7.13.3.1, 2.7.13.4.1, 2.7.14; RISC-V unpriv. 2.7, 17.1]
import { placeText } from '../../record/describe';
import { feature } from '../spec/feature';
import { usesEventIdx } from '../watch/notification';
import type { AccessNow } from '../watch/ordering';
import { overlaps } from '../watch/ordering-trace';
import type { QueueState } from '../watch/state';
import { hex, registerPlace, seen } from './evidence';
import { descriptorAddress, type DescriptorField, fieldAddress, ownDescriptors } from '../watch/chains';
import {
  type DriverEvent,
  type FactOf,
  type Finding,
  rule,
  type Rule,
  type RuleContext,
  type RuleTexts,
  type View,
} from './rule';

type Publish = FactOf<'publish'>;

const fields: readonly DescriptorField[] = ['addr', 'len', 'flags', 'next'];

function nowOf(fact: { readonly hart: number; readonly pc: bigint }, { step }: RuleContext): AccessNow {
  return { hart: fact.hart, pc: fact.pc, step };
}

/** What shows a missing fence: the two accesses, what stood between them, and what should have. */
export function orderPair(
  at: RuleContext,
  earlier: { readonly text: string; readonly hart: number; readonly pc: bigint; readonly step: number },
  later: string,
  missing: string,
): Finding['evidence'] {
  const between = at.ordering.fences(earlier.hart, earlier.step);
  return [
    seen('earlier access', `${earlier.text}, pc ${hex(earlier.pc)}, step ${earlier.step}`),
    seen('later access', later),
    seen('fences between', between.length === 0 ? 'none' : between.join('; ')),
    seen('missing', missing),
  ];
}

/** The newest stores to the descriptors and slots of what is published, newest first. */
function ringStores(fact: Publish, queue: View<QueueState>): readonly View<DriverEvent>[] {
  const found = fact.chains.flatMap((chain) => {
    const addresses = ownDescriptors(chain).flatMap((index) =>
      fields.map((field) => fieldAddress('split', descriptorAddress(queue, index), field)),
    );
    return [queue.slotStores.get(chain.slot), ...addresses.map((address) => queue.descriptorStores.get(address))];
  });
  return found.filter((event) => event !== undefined).sort((a, b) => b.step - a.step);
}

/** A published store that the device may not see when it sees the index. */
function unorderedPublish(fact: Publish, at: RuleContext): false | Finding {
  const queue = at.device.queues[fact.queue];
  if (queue === undefined) return false;
  const now = nowOf(fact, at);
  const { newestStore } = queue;
  // What is ordered behind the newest store of this hart is ordered behind all of them.
  if (newestStore?.hart === fact.hart && at.ordering.verdict(newestStore, 'write', now, 'write') === 'ordered') return false; // prettier-ignore
  const loose = ringStores(fact, queue).filter(
    (event) => at.ordering.verdict(event, 'write', now, 'write') === 'unordered',
  );
  const [newest] = loose;
  if (newest === undefined) return false;
  const what = 'place' in newest ? placeText(newest.place) : 'the ring';
  const more = loose.length === 1 ? '' : ` and ${loose.length - 1} more`;
  return {
    message: `Queue ${fact.queue}: available idx ${fact.before} → ${fact.after} is stored with nothing that keeps the store to ${what}${more} before it.`,
    evidence: orderPair(
      at,
      { ...newest, text: `store to ${what}` },
      `store to available idx, pc ${hex(fact.pc)}`,
      'fence w,w',
    ),
    place: { kind: 'available', queue: fact.queue, field: 'idx' },
    related: newest,
  };
}

/** What exposes a chain, and what shows a used one, in the ring's own words. */
function words(packed: boolean): { readonly published: string; readonly used: string } {
  return packed
    ? { published: 'the flags of the first descriptor', used: 'the flags of the used descriptor' }
    : { published: 'available idx', used: 'used idx' };
}

/** A store to a published buffer or indirect table behind the fence that should have come after it. */
export function unorderedBuffer(fact: Publish, at: RuleContext): false | Finding {
  const stores = at.ordering.unorderedStores(at.device.description.name, fact.queue, nowOf(fact, at));
  if (stores.length === 0) return false;
  const { published } = words(fact.packedSize !== undefined);
  const places = fact.chains.flatMap((chain) => [
    ...chain.elements.map(({ address, length }) => ({ start: Number(address), end: Number(address) + length })),
    ...chain.tables.map(({ address, entries }) => ({ start: address, end: address + entries * 16 })),
  ]);
  const stray = stores.filter((store) => places.some((place) => overlaps(store, place))).at(-1);
  if (stray === undefined) return false;
  const [first] = fact.chains;
  return {
    message: `Queue ${fact.queue}: ${published} is stored with nothing that keeps the store to the buffer at ${hex(stray.start)} before it.`,
    evidence: orderPair(
      at,
      { ...stray, hart: fact.hart, text: `store to buffer ${hex(stray.start)}` },
      `store to ${published}, pc ${hex(fact.pc)}`,
      'fence w,w',
    ),
    place:
      fact.packedSize === undefined
        ? { kind: 'available', queue: fact.queue, field: 'idx' }
        : { kind: 'descriptor', queue: fact.queue, index: first?.slot ?? 0, field: 'flags' },
  };
}

/** A look at the device's wish that may be older than the index just published. */
function earlyCheck(fact: FactOf<'ring-load'>, at: RuleContext): false | Finding {
  if (fact.kind !== 'ring-load' || fact.place.part !== 'used') return false;
  const queue = at.device.queues[fact.queue];
  const field = usesEventIdx(at.device) ? 'avail_event' : 'flags';
  const publish = queue?.notification.publishedSince === undefined ? undefined : queue.lastPublish;
  if (publish === undefined || fact.place.field !== field) return false;
  if (at.ordering.verdict(publish, 'write', nowOf(fact, at), 'read') !== 'unordered') return false;
  return {
    message: `Queue ${fact.queue}: used ${field} is loaded with nothing that keeps the store to available idx before it.`,
    evidence: orderPair(
      at,
      { ...publish, text: 'store to available idx' },
      `load of used ${field}, pc ${hex(fact.pc)}`,
      'fence w,r',
    ),
    place: { kind: 'used', queue: fact.queue, field },
    related: publish,
  };
}

/** A doorbell that may reach the device before the index does. */
function earlyDoorbell(fact: FactOf<'notify'>, at: RuleContext): false | Finding {
  const queue = at.device.queues[fact.queue];
  const publish = queue?.notification.publishedSince === undefined ? undefined : queue.lastPublish;
  if (publish === undefined) return false;
  const verdict = at.ordering.verdict(publish, 'write', nowOf(fact, at), 'output');
  if (verdict !== 'unordered' && verdict !== 'dependent') return false;
  const stored = queue?.format === 'packed' ? 'the flags of the published descriptor' : 'available idx';
  return {
    message: `Queue ${fact.queue} is notified with nothing that keeps the store to ${stored}, in memory, before the store to the device's register.`,
    evidence: orderPair(
      at,
      { ...publish, text: `store to ${stored}` },
      `store to QueueNotify, pc ${hex(fact.pc)}`,
      'fence w,o',
    ),
    place: registerPlace('QueueNotify'),
    related: publish,
  };
}

/** A load of what the device announced that may return what was there before. */
export function earlyLoad(fact: FactOf<'unordered'>, at: RuleContext): Finding {
  const queue = at.device.queues[fact.queue];
  const isPacked = queue?.format === 'packed';
  const { used } = words(isPacked);
  const entry = isPacked ? 'the rest of a used descriptor' : 'a used entry';
  const what = fact.target === 'buffer' ? 'a buffer that the device wrote' : entry;
  return {
    message: `Queue ${fact.queue}: ${what} is loaded at ${hex(fact.physicalAddress)} with nothing that keeps the load of ${used} before it.`,
    evidence: [
      seen('earlier access', `load of ${used}, pc ${hex(fact.earlierPc)}, step ${fact.earlierStep}`),
      seen('later access', `load of ${what}, pc ${hex(fact.pc)}`),
      seen('fences between', fact.fences.length === 0 ? 'none' : fact.fences.join('; ')),
      seen('missing', 'fence r,r'),
    ],
    place: isPacked
      ? { kind: 'queue', queue: fact.queue }
      : { kind: 'used', queue: fact.queue, field: fact.target === 'buffer' ? 'idx' : 'ring' },
    related: queue?.lastCollect,
  };
}

const doorbellTexts: Pick<RuleTexts, 'blames' | 'fix' | 'title'> = {
  title: 'Driver notified the device without ordering its ring stores before the doorbell',
  fix: 'Execute `fence w,o` (or a wider one) between the store that publishes (available index, or flags of a packed descriptor) and the store to QueueNotify. A fence of memory alone, such as `fence rw,rw`, says nothing about device registers.',
  blames: 'access',
};

/** The driver is about to rely on an interrupt that may never come. */
export function looseRecheck(fact: FactOf<'idle' | 'interrupt-claim'>, at: RuleContext): readonly Finding[] {
  const { queues } = at.device;
  if (queues.every(({ looseRecheck: look }) => look === undefined)) return [];
  return queues.flatMap((queue) => {
    const { looseRecheck: look, interruptWanted: wish } = queue;
    if (look === undefined || wish === undefined || !queue.ready) return [];
    if (fact.kind === 'idle' ? fact.harts === 0 : at.step - look.step < restingSteps) return [];
    const store = 'place' in wish ? placeText(wish.place) : 'available flags';
    const { used } = words(queue.format === 'packed');
    return [
      {
        message: `Queue ${queue.index}: the last look at ${used} before waiting has nothing that keeps the store to ${store} before it.`,
        evidence: orderPair(
          at,
          { ...wish, text: `store to ${store}` },
          `load of ${used}, pc ${hex(look.pc)}, step ${look.step}`,
          'fence w,r',
        ),
        place:
          queue.format === 'packed'
            ? { kind: 'descriptor', queue: queue.index, index: queue.collectedIndex % queue.size, field: 'flags' }
            : { kind: 'used', queue: queue.index, field: 'idx' },
        queue: queue.index,
        blamed: look,
        related: wish,
      } as const,
    ];
  });
}

/** An interrupt so many steps after the last look found the driver resting, not still on its way to a better look. */
const restingSteps = 2000;

export const orderingRules: readonly Rule[] = [
  rule('ordering', {
    id: 'ordering.publish',
    title: 'Driver published without ordering its ring stores before the available index',
    why: 'RISC-V may make two stores visible in either order. The device then sees the new index first and reads an old descriptor or an old slot.',
    fix: 'Execute `fence w,w` after the stores to descriptors and slot and before the store to the index. A store-release (`amoswap.rl`, `sc.rl`) does as well.',
    level: 'must',
    blames: 'access',
    covers: ['split.update-idx.driver.1'],
    section: '2.7.13.3.1',
    needs: { ring: 'split' },
    on: ['publish'],
    broken: unorderedPublish,
  }),
  rule('ordering', {
    id: 'ordering.publish-buffer',
    title: 'Driver filled a buffer after the fence that comes before the available index',
    why: 'The index may become visible before what was stored to the buffer, so the device reads old bytes, or its answer is overwritten by an older store.',
    fix: 'Fill headers, data and indirect tables before the fence, or move `fence w,w` down to the store of the index.',
    level: 'must',
    blames: 'access',
    covers: ['split.update-idx.driver.1'],
    section: '2.7.13.3.1',
    needs: { ring: 'split' },
    follows: ['ordering.publish'],
    on: ['publish'],
    broken: unorderedBuffer,
  }),
  rule('ordering', {
    id: 'ordering.stale-fetch',
    title: 'Driver exposed a buffer before the device could see all of its descriptors',
    why: 'The device saw the new index and fetched old bytes: the store was still on its way, because nothing ordered it before the index. Between two harts it takes a lock that orders as well.',
    fix: 'Execute `fence w,w` behind the stores, on the hart that makes them; when another hart publishes, hand the ring over with a release and an acquire.',
    level: 'must',
    blames: 'descriptor store',
    covers: ['split.update-idx.driver.1'],
    section: '2.7.13.3.1',
    follows: ['ordering.publish', 'ordering.publish-buffer', 'ordering.packed-publish'],
    on: ['stale-fetch'],
    broken: ({ queue, head, store }) => ({
      message: `Queue ${queue}: the device fetched ${head} and did not see the store to ${hex(store.address)} that the driver had made.`,
      evidence: [
        seen(
          'store',
          `${store.length} bytes at ${hex(store.address)}, hart ${store.hart}, pc ${hex(store.pc)}, step ${store.step}`,
        ),
        seen('missing', 'fence w,w behind the store, or a release that the publishing hart acquires'),
      ],
      blamed: store,
    }),
  }),
  rule('ordering', {
    id: 'ordering.notification-check',
    title: 'Driver looked whether to notify without ordering its index before the look',
    why: 'The load may be done before the store is visible. The device stops looking in between and asks for a notification, the driver still reads that none is wanted, and both wait for ever.',
    fix: 'Execute `fence w,r` (or `fence rw,rw`) between the store to the available index and the load of used flags or avail_event. `fence w,w` does not order loads.',
    level: 'must',
    blames: 'access',
    covers: ['split.notify.driver.1'],
    section: '2.7.13.4.1',
    needs: { ring: 'split' },
    on: ['ring-load'],
    places: ['used.flags', 'used.avail_event'],
    broken: earlyCheck,
  }),
  rule('ordering', {
    ...doorbellTexts,
    id: 'ordering.doorbell',
    why: 'The doorbell is a device register, and RISC-V orders memory before registers only where a fence names output. A device that is woken first finds nothing new and goes back to sleep.',
    level: 'hazard',
    covers: [],
    section: '2.7.13.4',
    needs: { withoutFeature: feature.ORDER_PLATFORM },
    on: ['notify'],
    broken: earlyDoorbell,
  }),
  rule('ordering', {
    ...doorbellTexts,
    id: 'ordering.doorbell-platform',
    why: 'With VIRTIO_F_ORDER_PLATFORM the device may be real hardware behind a bus, so memory has to be ordered before the register that wakes it.',
    level: 'must',
    covers: ['core.reserved-features.driver.8'],
    section: '6.1',
    needs: { feature: feature.ORDER_PLATFORM },
    on: ['notify'],
    broken: earlyDoorbell,
  }),
  rule('ordering', {
    id: 'ordering.used-index',
    title: 'Driver loaded what the used index announced without ordering it behind the index',
    why: 'RISC-V may do the second load first: the entry or the buffer then still holds what was there before the device wrote it. A branch on the index does not order loads.',
    fix: 'Execute `fence r,r` between the load of the used index and the loads of the entry and the buffers, or load the index with acquire.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '2.7.14',
    needs: { ring: 'split' },
    on: ['unordered'],
    broken: earlyLoad,
  }),
  rule('ordering', {
    id: 'ordering.recheck',
    title: 'Driver asked for interrupts and looked once more without ordering the two',
    why: 'The look may be done before the device can see the wish. A buffer used in between raises no interrupt and is not seen either, and the driver sleeps.',
    fix: 'Execute `fence w,r` (or `fence rw,rw`) between the store to available flags or used_event and the last load of the used index.',
    level: 'hazard',
    blames: 'missing action',
    covers: [],
    section: '2.7.7',
    needs: { ring: 'split' },
    on: ['idle', 'interrupt-claim'],
    broken: looseRecheck,
  }),
];
