// Rules of order of packed rings: descriptors before the flags that expose them, and those flags before the look at the device's wish.
// [virtio 1.4, 2.8.21.1.1, 2.8.21.3.1; RISC-V unpriv. 2.7, 17.1]
import { placeText } from '../../record/describe';
import { packedOffset } from '../spec/packed-ring';
import { descriptorAddress, type DescriptorField, fieldAddress, ownDescriptors } from '../watch/chains';
import type { QueueState } from '../watch/state';
import { earlyLoad, looseRecheck, orderPair, unorderedBuffer } from './ordering';
import { type DriverEvent, type FactOf, type Finding, rule, type Rule, type RuleContext, type View } from './rule';

type Publish = FactOf<'publish'>;

const fields: readonly DescriptorField[] = ['addr', 'len', 'id', 'flags'];

/** The newest stores to what is published, but for those of the publishing access itself, newest first. */
function preparingStores(fact: Publish, queue: View<QueueState>, step: number): readonly View<DriverEvent>[] {
  const [first] = fact.chains;
  const publishing = descriptorAddress(queue, first?.slot ?? 0) + packedOffset.flags;
  const addresses = fact.chains.flatMap((chain) =>
    ownDescriptors(chain).flatMap((index) =>
      fields.map((field) => fieldAddress('packed', descriptorAddress(queue, index), field)),
    ),
  );
  return addresses
    .flatMap((address) => {
      const store = address === publishing ? undefined : queue.descriptorStores.get(address);
      return store === undefined || store.step === step ? [] : [store];
    })
    .sort((a, b) => b.step - a.step);
}

/** A store that the device may not see when it sees the flags. */
function unorderedPublish(fact: Publish, at: RuleContext): false | Finding {
  const queue = at.device.queues[fact.queue];
  if (queue === undefined) return false;
  const now = { hart: fact.hart, pc: fact.pc, step: at.step };
  const loose = preparingStores(fact, queue, at.step).filter(
    (event) => at.ordering.verdict(event, 'write', now, 'write') === 'unordered',
  );
  const [newest] = loose;
  if (newest === undefined) return false;
  const what = 'place' in newest ? placeText(newest.place) : 'the ring';
  const more = loose.length === 1 ? '' : ` and ${loose.length - 1} more`;
  const slot = fact.before % queue.size;
  return {
    message: `Queue ${fact.queue}: flags of descriptor ${slot} are stored with nothing that keeps the store to ${what}${more} before it.`,
    evidence: orderPair(
      at,
      { ...newest, text: `store to ${what}` },
      `store to the flags of descriptor ${slot}`,
      'fence w,w',
    ),
    place: { kind: 'descriptor', queue: fact.queue, index: slot, field: 'flags' },
    related: newest,
  };
}

/** A look at the device's wish that may be older than the flags just published. */
function earlyCheck(fact: FactOf<'ring-load'>, at: RuleContext): false | Finding {
  if (fact.kind !== 'ring-load' || fact.place.part !== 'device-event') return false;
  const queue = at.device.queues[fact.queue];
  const publish = queue?.notification.publishedSince === undefined ? undefined : queue.lastPublish;
  if (publish === undefined) return false;
  const now = { hart: fact.hart, pc: fact.pc, step: at.step };
  if (at.ordering.verdict(publish, 'write', now, 'read') !== 'unordered') return false;
  const what = placeText(fact.place);
  return {
    message: `Queue ${fact.queue}: ${what} is loaded with nothing that keeps the store of the published flags before it.`,
    evidence: orderPair(
      at,
      { ...publish, text: 'store to the flags of the published descriptor' },
      `load of ${what}`,
      'fence w,r',
    ),
    place: { kind: 'event-suppression', queue: fact.queue, side: 'device', field: fact.place.field },
    related: publish,
  };
}

export const packedOrderingRules: readonly Rule[] = [
  rule('ordering', {
    id: 'ordering.packed-publish',
    title: 'Driver made a descriptor available without ordering its other stores before the flags',
    why: 'RISC-V may make two stores visible in either order. The device then sees the flags first and reads an old address, an old length or an old buffer id.',
    fix: 'Execute `fence w,w` after the stores to the descriptors of the list and before the store of the first one’s flags. A store-release does as well.',
    level: 'must',
    blames: 'access',
    covers: ['packed.update-flags.driver.1'],
    section: '2.8.21.1.1',
    needs: { ring: 'packed' },
    on: ['publish'],
    broken: unorderedPublish,
  }),
  rule('ordering', {
    id: 'ordering.packed-notification-check',
    title: 'Driver looked whether to notify without ordering the flags before the look',
    why: 'The load may be done before the store is visible. The device stops looking in between and asks for a notification, the driver still reads that none is wanted, and both wait for ever.',
    fix: 'Execute `fence w,r` (or `fence rw,rw`) between the store of the flags and the load of the device event suppression structure.',
    level: 'must',
    blames: 'access',
    covers: ['packed.notify.driver.1'],
    section: '2.8.21.3.1',
    needs: { ring: 'packed' },
    on: ['ring-load'],
    places: ['device-event'],
    broken: earlyCheck,
  }),
  rule('ordering', {
    id: 'ordering.packed-publish-buffer',
    title: 'Driver filled a buffer after the fence that comes before the flags',
    why: 'The flags may become visible before what was stored to the buffer, so the device reads old bytes, or its answer is overwritten by an older store.',
    fix: 'Fill headers, data and indirect tables before the fence, or move `fence w,w` down to the store of the first descriptor’s flags.',
    level: 'must',
    blames: 'access',
    covers: ['packed.update-flags.driver.1'],
    section: '2.8.21.1.1',
    needs: { ring: 'packed' },
    follows: ['ordering.packed-publish'],
    on: ['publish'],
    broken: unorderedBuffer,
  }),
  rule('ordering', {
    id: 'ordering.packed-used-flags',
    title: 'Driver loaded a used descriptor without ordering it behind its flags',
    why: 'RISC-V may do the second load first: id, length or the buffer then still hold what was there before the device wrote them. A branch on the flags does not order loads.',
    fix: 'Execute `fence r,r` between the load of the flags and the loads of id, len and the buffers, or load all of the descriptor’s last 8 bytes in one aligned load.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '2.8.14',
    needs: { ring: 'packed' },
    on: ['unordered'],
    broken: earlyLoad,
  }),
  rule('ordering', {
    id: 'ordering.packed-recheck',
    title: 'Driver asked for interrupts (packed) and looked once more without ordering the two',
    why: 'The look may be done before the device can see the wish. A descriptor used in between raises no interrupt and is not seen either, and the driver sleeps.',
    fix: 'Execute `fence w,r` (or `fence rw,rw`) between the store to the driver event suppression structure and the last load of the next descriptor’s flags.',
    level: 'hazard',
    blames: 'missing action',
    covers: [],
    section: '2.8.14',
    needs: { ring: 'packed' },
    on: ['idle', 'interrupt-claim'],
    broken: looseRecheck,
  }),
];
