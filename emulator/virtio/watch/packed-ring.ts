// Watches the contents of packed rings: the positions of driver and device, and who owns each descriptor and indirect table. Indices of a
// queue are positions here: they count descriptors since the queue was enabled. [virtio 1.4, 2.8, 3.3.1]
import type { Chain, VirtioEvent } from '../../record/events';
import type { DriverEvent } from '../rules/rule';
import { exposeChain, maximumUncollected, outstandingPosition, releaseChain, returnBatch } from './chains';
import type { QueueState } from './queue-state';
import type { DeviceState } from './state';

export function watchPackedRing(state: DeviceState, event: VirtioEvent): void {
  if (!('queue' in event) || event.queue === undefined) return;
  const queue = state.queues[event.queue];
  if (queue?.format !== 'packed') return;
  switch (event.kind) {
    case 'ring-store':
      noteStore(queue, event);
      return;
    case 'publish':
      for (const chain of event.chains) exposeChain(queue, chain, event);
      queue.availableIndex = event.after;
      forgetOldest(queue);
      queue.lastPublish = event;
      queue.slotsSincePublish = new Set();
      return;
    case 'fetch':
      noteFetch(queue, event.chain);
      return;
    case 'used':
      noteUsed(queue, event.head, event.batch ?? 1, event.usedIndex);
      return;
    case 'collect':
      noteCollect(queue, event.after);
      return;
    case 'suppression':
      if (event.field === 'flags') queue.usedFlags = event.value;
      else noteEvent(queue, event.value);
      return;
    default:
  }
}

/** The position that the driver's next store to a slot of the ring is for. */
export function nextPosition(
  { availableIndex, size }: { readonly availableIndex: number; readonly size: number },
  slot: number,
): number {
  return availableIndex + ((slot - (availableIndex % size) + size) % size);
}

function noteEvent(queue: QueueState, desc: number): void {
  queue.availEvent = desc;
  queue.usedFlags = eventDesc;
}
/** With `desc` the device writes the flags that make it count. */
const eventDesc = 2;

function noteStore(queue: QueueState, event: DriverEvent & { readonly kind: 'ring-load' | 'ring-store' }): void {
  const { place } = event;
  if (place.part !== 'descriptor' || place.table !== undefined) return;
  queue.descriptorStores.set(event.physicalAddress, event);
  if (outstandingPosition(queue, place.index) === undefined) queue.building.add(place.index);
  if (place.field !== 'flags') return;
  queue.slotStores.set(place.index, event);
  queue.slotsSincePublish.add(place.index);
}

/** Keeps the list short when a driver publishes again and again without the device or itself ever looking. */
function forgetOldest(queue: QueueState): void {
  for (const position of queue.chains.keys()) {
    if (queue.chains.size <= 2 * queue.size) return;
    releaseChain(queue, position);
  }
}

function noteFetch(queue: QueueState, chain: Chain): void {
  const known = queue.chains.get(chain.position);
  if (known !== undefined) known.phase = 'in flight';
  queue.fetchedIndex = chain.position + (chain.packed?.descriptors ?? 1);
  queue.availableIndex = Math.max(queue.availableIndex, queue.fetchedIndex);
}

function noteUsed(queue: QueueState, head: number, batch: number, usedIndex: number): void {
  queue.usedIndex = usedIndex;
  for (const position of returnBatch(queue, head, batch)) {
    queue.usedPositions.push(position);
    queue.usedEnds.push(usedIndex);
  }
  while (queue.usedPositions.length > maximumUncollected) {
    queue.usedPositions.shift();
    queue.usedEnds.shift();
  }
}

/** What the driver has seen is its own again. */
function noteCollect(queue: QueueState, after: number): void {
  const seen = queue.usedEnds.filter((end) => end <= after).length;
  queue.usedEnds.splice(0, seen);
  for (const position of queue.usedPositions.splice(0, seen)) {
    if (position !== undefined && queue.chains.get(position)?.phase === 'used') releaseChain(queue, position);
  }
  queue.collectedIndex = after;
}
