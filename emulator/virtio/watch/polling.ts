// Watches for a driver that spins on the used index, or on the flags of the descriptor to be used next: the same load again and again, with
// nothing about its queue in between. Only the first is an event; the others are judged, and counted where patience is measured, so that a
// spin does not push history out of the log.
// [virtio 1.4, 2.7.8]
import type { VirtioEvent } from '../../record/events';
import type { DriverEvent, FactOf } from '../rules/rule';
import { lapBits, usedBits } from '../spec/packed-ring';
import type { QueueState } from './queue-state';
import type { DeviceState } from './state';

/** Runs after the ring watcher, so that `collectedIndex` is what the driver knew before the load. */
export function watchPolling(state: DeviceState, event: VirtioEvent): void {
  if (!('queue' in event) || event.queue === undefined) {
    for (const queue of state.queues) queue.polled = undefined;
    return;
  }
  const queue = state.queues[event.queue];
  if (queue !== undefined) queue.polled = event.kind === 'ring-load' && isFruitless(queue, event) ? event : undefined;
}

/** Whether this is the load of `polled` once more. */
export function isRepeated(queue: QueueState, fact: FactOf<'ring-load'>): boolean {
  const { polled } = queue;
  return (
    polled !== undefined &&
    polled.hart === fact.hart &&
    polled.pc === fact.pc &&
    polled.physicalAddress === fact.physicalAddress &&
    polled.before === fact.before &&
    polled.partial === fact.partial &&
    polled.acquire === fact.acquire &&
    polled.release === fact.release
  );
}

/** Whether a load shows the driver nothing that it has not seen. */
export function isFruitless(queue: QueueState, { place, before }: LoadEvent): boolean {
  if (queue.format === 'packed') {
    if (place.part !== 'descriptor' || place.field !== 'flags' || place.table !== undefined) return false;
    if (place.index !== queue.collectedIndex % queue.size) return false;
    return (Number(before) & lapBits) !== usedBits(queue.collectedIndex, queue.size);
  }
  return place.part === 'used' && place.field === 'idx' && Number(before) === queue.collectedIndex;
}

type LoadEvent = DriverEvent & { readonly kind: 'ring-load' | 'ring-store' };
