// Rules of leaving alone what the device owns: descriptors, indirect tables and slots of published chains. [virtio 1.4, 3.3.1]
import { hex, seen } from './evidence';
import { type FactOf, rule, type Rule, type RuleContext, type View } from './rule';
import type { ChainState, QueueState } from '../watch/state';
import { descriptorAddress, holderOf, ownDescriptors, unfetchedPositions } from '../watch/chains';

type RingStore = FactOf<'ring-store'>;

/** A store that changes what it hits; storing the same value again alters nothing. */
const changes = (fact: RingStore): boolean => fact.kind === 'ring-store' && fact.before !== fact.after;

const isHeld = (chain: View<ChainState> | undefined): chain is View<ChainState> =>
  chain !== undefined && chain.phase !== 'used';

function phaseText(chain: View<ChainState>): string {
  return chain.phase === 'available' ? 'available to the device' : 'in flight at the device';
}

/** The chain at the device that an entry of an indirect table belongs to. */
function holderOfEntry(queue: View<QueueState>, table: number, index: number): View<ChainState> | undefined {
  const at = descriptorAddress(queue, index, table);
  return [...queue.chains.values()].find(
    (chain) => isHeld(chain) && chain.chain.elements.some((element) => element.indirect && element.at === at),
  );
}

function queueAt(fact: RingStore, at: RuleContext): View<QueueState> | undefined {
  return at.device.queues[fact.queue];
}

export const ownershipRules: readonly Rule[] = [
  rule('ownership', {
    id: 'ownership.descriptor-changed',
    title: 'Driver changed a descriptor that the device owns',
    why: 'The device may read the descriptor before or after the change, or halfway: it then reads or writes the wrong memory.',
    fix: 'Leave the descriptors of a chain alone from the publish until its used entry was seen. Check the free list.',
    level: 'must',
    blames: 'access',
    covers: ['core.cleanup.driver.1', 'core.cleanup.driver.2'],
    section: '3.3.1',
    needs: { ring: 'split' },
    on: ['ring-store'],
    places: ['descriptor'],
    broken: (fact, at) => {
      const { place } = fact;
      const queue = queueAt(fact, at);
      if (queue === undefined || place.part !== 'descriptor' || place.table !== undefined || !changes(fact))
        return false;
      const holder = holderOf(queue, place.index);
      if (!isHeld(holder)) return false;
      return {
        message: `Queue ${fact.queue}: ${place.field} of descriptor ${place.index} was changed from ${hex(fact.before)} to ${hex(fact.after)} while its chain (head ${holder.chain.head}) is ${phaseText(holder)}.`,
        evidence: [
          seen('before', hex(fact.before)),
          seen('after', hex(fact.after)),
          seen('head', holder.chain.head),
          seen('published at step', holder.published.step),
        ],
        place: { kind: 'descriptor', queue: fact.queue, index: place.index, field: place.field },
        related: holder.published,
      };
    },
  }),
  rule('ownership', {
    id: 'ownership.indirect-table-changed',
    title: 'Driver changed an indirect table that the device owns',
    why: 'The table is part of a published chain: the device may read it before or after the change.',
    fix: 'Reuse or free a table only when the used entry of its chain was seen.',
    level: 'must',
    blames: 'access',
    covers: ['core.cleanup.driver.1'],
    section: '3.3.1',
    on: ['ring-store'],
    places: ['descriptor'],
    broken: (fact, at) => {
      const { place } = fact;
      const queue = queueAt(fact, at);
      if (queue === undefined || place.part !== 'descriptor' || place.table === undefined || !changes(fact))
        return false;
      const holder = holderOfEntry(queue, place.table, place.index);
      if (holder === undefined) return false;
      return {
        message: `Queue ${fact.queue}: ${place.field} of entry ${place.index} in the indirect table at ${hex(place.table)} was changed from ${hex(fact.before)} to ${hex(fact.after)} while its chain (head ${holder.chain.head}) is ${phaseText(holder)}.`,
        evidence: [
          seen('table', hex(place.table)),
          seen('before', hex(fact.before)),
          seen('after', hex(fact.after)),
          seen('head', holder.chain.head),
        ],
        place: {
          kind: 'descriptor',
          queue: fact.queue,
          index: place.index,
          field: place.field,
          table: place.table,
        },
        related: holder.published,
      };
    },
  }),
  rule('ownership', {
    id: 'ownership.slot-changed',
    title: 'Driver changed an available-ring slot that the device has not read',
    why: 'The slot was published: the chain it named is lost, or the new one is used twice.',
    fix: 'Write slot idx % queue size and publish it before the next one; wait while the ring is full.',
    level: 'must',
    blames: 'access',
    covers: ['core.cleanup.driver.1'],
    section: '3.3.1',
    needs: { ring: 'split' },
    on: ['ring-store'],
    places: ['available.ring'],
    broken: (fact, at) => {
      const { place } = fact;
      const queue = queueAt(fact, at);
      if (queue === undefined || place.part !== 'available' || place.field !== 'ring' || !changes(fact)) return false;
      const position = unfetchedPositions(queue).find((candidate) => candidate % queue.size === place.slot);
      if (position === undefined) return false;
      return {
        message: `Queue ${fact.queue}: slot ${place.slot} was changed from head ${fact.before} to ${fact.after}, but the device has not read index ${position} yet.`,
        evidence: [
          seen('head before', fact.before),
          seen('head after', fact.after),
          seen('available idx', queue.availableIndex),
          seen('fetched up to', queue.fetchedIndex),
        ],
        place: { kind: 'available', queue: fact.queue, field: 'ring', slot: place.slot },
        related: queue.chains.get(position)?.published,
      };
    },
  }),
  rule('ownership', {
    id: 'ownership.descriptor-published-twice',
    title: 'Driver published a descriptor that is already at the device',
    why: 'Two requests share the descriptor. The device gives the same head back twice, and the driver frees or completes the wrong one.',
    fix: 'Take descriptors from a free list and put them back only when their used entry was seen.',
    level: 'must',
    blames: 'publish',
    covers: ['core.cleanup.driver.2'],
    section: '3.3.1',
    needs: { ring: 'split' },
    follows: [
      'ownership.descriptor-changed',
      'split.available-index-jump',
      'split.available-index-backwards',
      'split.slot-mismatch',
    ],
    on: ['publish'],
    broken: (fact, at) => {
      const queue = at.device.queues[fact.queue];
      if (queue === undefined) return false;
      const newlyHeld = new Map<number, number>();
      for (const chain of fact.chains) {
        for (const index of ownDescriptors(chain)) {
          const holder = holderOf(queue, index);
          const twice = newlyHeld.get(index) ?? (isHeld(holder) ? holder.chain.head : undefined);
          if (twice !== undefined) {
            return {
              message: `Queue ${fact.queue}: chain ${chain.head} uses descriptor ${index}, which chain ${twice} still holds at the device.`,
              evidence: [seen('head', chain.head), seen('descriptor', index), seen('holding head', twice)],
              place: { kind: 'descriptor', queue: fact.queue, index },
              related: isHeld(holder) ? holder.published : undefined,
            };
          }
        }
        for (const index of ownDescriptors(chain)) newlyHeld.set(index, chain.head);
      }
      return false;
    },
  }),
];
