// Watches the contents of split rings: the driver's and the device's indices, and who owns each descriptor, slot and indirect table.
// A chain is the driver's until it is published, then available, in flight from the fetch, used, and the driver's again once it has
// seen the used index. [virtio 1.4, 2.7.6, 2.7.8, 3.3.1]
import type { Chain, VirtioEvent } from '../../record/events';
import type { DriverEvent, View } from '../rules/rule';
import { descriptorBytes, descriptorOffset } from '../spec/split-ring';
import type { ChainState, Ownership, QueueState } from './queue-state';
import type { DeviceState } from './state';

/** A driver that never loads the used index leaves no more than this behind. */
const maximumUncollected = 0x8000;

export function watchSplitRing(state: DeviceState, event: VirtioEvent): void {
  if (!('queue' in event) || event.queue === undefined) return;
  const queue = state.queues[event.queue];
  if (queue === undefined) return;
  switch (event.kind) {
    case 'ring-store':
      noteStore(queue, event);
      return;
    case 'publish':
      for (const chain of event.chains) expose(queue, chain, event);
      queue.availableIndex = event.after;
      forgetOverwritten(queue);
      queue.lastPublish = event;
      queue.slotsSincePublish = new Set();
      return;
    case 'fetch':
      noteFetch(queue, event.chain);
      return;
    case 'used':
      noteUsed(queue, event.head);
      return;
    case 'collect':
      noteCollect(queue, event.after);
      return;
    case 'suppression':
      if (event.field === 'flags') queue.usedFlags = event.value;
      else queue.availEvent = event.value;
      return;
    default:
  }
}

/** Guest-physical address of a descriptor of the queue's own table or of an indirect one. */
export function descriptorAddress(queue: { readonly descriptorArea: number }, index: number, table?: number): number {
  return (table ?? queue.descriptorArea) + index * descriptorBytes;
}

/** Guest-physical address of a field of the descriptor at `at`. */
export function fieldAddress(at: number, field: keyof typeof descriptorOffset): number {
  return at + descriptorOffset[field];
}

/** The chain that holds a descriptor of the queue's own table, and is not collected. */
export function holderOf(queue: View<QueueState>, index: number): View<ChainState> | undefined {
  const position = queue.holderOf.get(index);
  return position === undefined ? undefined : queue.chains.get(position);
}

/** Who owns a descriptor of the queue's own table, for pictures. */
export function ownershipOf(queue: View<QueueState>, index: number): Ownership {
  const holder = holderOf(queue, index);
  if (holder !== undefined) return holder.phase;
  return queue.building.has(index) ? 'building' : 'free';
}

/** Positions that were published and not fetched, oldest first. */
export function unfetchedPositions(queue: View<QueueState>): readonly number[] {
  const count = (queue.availableIndex - queue.fetchedIndex) & 0xffff;
  return Array.from({ length: Math.min(count, queue.size) }, (_, i) => (queue.fetchedIndex + i) & 0xffff);
}

/** Chains that the device works on. */
export function inFlight(queue: View<QueueState>): readonly View<ChainState>[] {
  return [...queue.chains.values()].filter((chain) => chain.phase === 'in flight');
}

function noteStore(queue: QueueState, event: DriverEvent & { readonly kind: 'ring-load' | 'ring-store' }): void {
  const { place } = event;
  if (place.part === 'descriptor') {
    // An indirect table is watched only while the device owns it, so its stores never explain a later publish.
    if (place.table !== undefined) return;
    queue.descriptorStores.set(fieldAddress(descriptorAddress(queue, place.index), place.field), event);
    if (!queue.holderOf.has(place.index)) queue.building.add(place.index);
  } else if (place.part === 'available' && place.field === 'ring') {
    queue.slotStores.set(place.slot, event);
    queue.slotsSincePublish.add(place.slot);
  }
}

function expose(queue: QueueState, chain: Chain, event: DriverEvent): void {
  for (const index of ownDescriptors(chain)) {
    const held = queue.holderOf.get(index);
    if (held !== undefined && queue.chains.get(held)?.phase === 'used') release(queue, held);
  }
  release(queue, chain.position);
  queue.chains.set(chain.position, { chain, published: event, phase: 'available' });
  for (const index of ownDescriptors(chain)) {
    queue.holderOf.set(index, chain.position);
    queue.building.delete(index);
  }
  for (const table of chain.tables) {
    queue.tables.set(table.address, { bytes: table.entries * descriptorBytes, position: chain.position });
  }
}

/** Keeps the list short when a driver publishes again and again without the device or itself ever looking. */
function forgetOverwritten(queue: QueueState): void {
  if (queue.chains.size <= 2 * queue.size) return;
  for (const [position, { phase }] of queue.chains) {
    const isOverwritten = ((queue.availableIndex - position) & 0xffff) > queue.size;
    if (phase === 'used' || (phase === 'available' && isOverwritten)) release(queue, position);
  }
}

/** Descriptors of the queue's own table that a chain occupies. */
export function ownDescriptors(chain: View<Chain>): readonly number[] {
  const direct = chain.elements.filter((element) => !element.indirect).map((element) => element.index);
  return [...direct, ...chain.tables.map((table) => table.index)];
}

function noteFetch(queue: QueueState, chain: Chain): void {
  const known = queue.chains.get(chain.position);
  if (known !== undefined) known.phase = 'in flight';
  queue.fetchedIndex = (chain.position + 1) & 0xffff;
}

function noteUsed(queue: QueueState, head: number): void {
  queue.usedIndex = (queue.usedIndex + 1) & 0xffff;
  const found = [...queue.chains].find(([, state]) => state.phase === 'in flight' && state.chain.head === head);
  if (found !== undefined) found[1].phase = 'used';
  queue.usedPositions.push(found?.[0]);
  if (queue.usedPositions.length > maximumUncollected) queue.usedPositions.shift();
}

/** What the driver has seen is its own again, unless it published the same place anew before it looked. */
function noteCollect(queue: QueueState, after: number): void {
  const left = (queue.usedIndex - after) & 0xffff;
  for (const position of queue.usedPositions.splice(0, Math.max(0, queue.usedPositions.length - left))) {
    if (position !== undefined && queue.chains.get(position)?.phase === 'used') release(queue, position);
  }
  queue.collectedIndex = after;
}

function release(queue: QueueState, position: number): void {
  const state = queue.chains.get(position);
  if (state === undefined) return;
  queue.chains.delete(position);
  for (const index of ownDescriptors(state.chain)) {
    if (queue.holderOf.get(index) === position) queue.holderOf.delete(index);
  }
  for (const table of state.chain.tables) {
    if (queue.tables.get(table.address)?.position === position) queue.tables.delete(table.address);
  }
}
