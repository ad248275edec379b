// Watches the contents of split rings: the driver's and the device's indices, and who owns each descriptor, slot and indirect table.
// [virtio 1.4, 2.7.6, 2.7.8, 3.3.1]
import type { Chain, VirtioEvent } from '../../record/events';
import type { DriverEvent } from '../rules/rule';
import { exposeChain, maximumUncollected, releaseChain, returnBatch } from './chains';
import type { QueueState } from './queue-state';
import type { DeviceState } from './state';

export function watchSplitRing(state: DeviceState, event: VirtioEvent): void {
  if (!('queue' in event) || event.queue === undefined) return;
  const queue = state.queues[event.queue];
  if (queue?.format !== 'split') return;
  switch (event.kind) {
    case 'ring-store':
      noteStore(queue, event);
      return;
    case 'publish':
      for (const chain of event.chains) exposeChain(queue, chain, event);
      queue.availableIndex = event.after;
      forgetOverwritten(queue);
      queue.lastPublish = event;
      queue.slotsSincePublish = new Set();
      return;
    case 'fetch':
      noteFetch(queue, event.chain);
      return;
    case 'used':
      noteUsed(queue, event.head, event.batch ?? 1);
      return;
    case 'collect':
      noteCollect(queue, event.after);
      queue.lastCollect = event;
      return;
    case 'suppression':
      if (event.field === 'flags') queue.usedFlags = event.value;
      else queue.availEvent = event.value;
      return;
    default:
  }
}

function noteStore(queue: QueueState, event: DriverEvent & { readonly kind: 'ring-load' | 'ring-store' }): void {
  const { place } = event;
  if (place.part === 'descriptor') {
    // An indirect table is watched only while the device owns it, so its stores never explain a later publish.
    if (place.table !== undefined) return;
    queue.descriptorStores.set(event.physicalAddress, event);
    queue.newestStore = event;
    if (!queue.holderOf.has(place.index)) queue.building.add(place.index);
  } else if (place.part === 'available' && place.field === 'ring') {
    queue.slotStores.set(place.slot, event);
    queue.newestStore = event;
    queue.slotsSincePublish.add(place.slot);
  }
}

/** Keeps the list short when a driver publishes again and again without the device or itself ever looking. */
function forgetOverwritten(queue: QueueState): void {
  if (queue.chains.size <= 2 * queue.size) return;
  for (const [position, { phase }] of queue.chains) {
    const isOverwritten = ((queue.availableIndex - position) & 0xffff) > queue.size;
    if (phase === 'used' || (phase === 'available' && isOverwritten)) releaseChain(queue, position);
  }
}

function noteFetch(queue: QueueState, chain: Chain): void {
  const known = queue.chains.get(chain.position);
  if (known !== undefined) known.phase = 'in flight';
  queue.fetchedIndex = (chain.position + 1) & 0xffff;
}

function noteUsed(queue: QueueState, head: number, batch: number): void {
  queue.usedIndex = (queue.usedIndex + batch) & 0xffff;
  queue.usedPositions.push(...returnBatch(queue, head, batch));
  while (queue.usedPositions.length > maximumUncollected) queue.usedPositions.shift();
}

/** What the driver has seen is its own again, unless it published the same place anew before it looked. */
function noteCollect(queue: QueueState, after: number): void {
  const left = (queue.usedIndex - after) & 0xffff;
  for (const position of queue.usedPositions.splice(0, Math.max(0, queue.usedPositions.length - left))) {
    if (position !== undefined && queue.chains.get(position)?.phase === 'used') releaseChain(queue, position);
  }
  queue.collectedIndex = after;
}
