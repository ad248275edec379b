// Watches whether each publish gets the notification it needs, by what the driver really loaded of used flags or avail_event.
// [virtio 1.4, 2.7.10, 2.7.13.4]
import type { VirtioEvent } from '../../record/events';
import type { DriverEvent } from '../rules/rule';
import { feature, hasFeature } from '../spec/feature';
import { needsEvent, usedFlag } from '../spec/split-ring';
import { isFruitless } from './polling';
import type { QueueState } from './queue-state';
import type { DeviceState } from './state';

/** Virtual time after which a publish without its notification is reported although nothing else happens. */
export const notificationWindowNanoseconds = 100_000_000;

export function watchNotification(state: DeviceState, event: VirtioEvent): void {
  if (!('queue' in event) || event.queue === undefined) return;
  const queue = state.queues[event.queue];
  if (queue === undefined) return;
  switch (event.kind) {
    case 'publish':
      notePublish(state, queue, event);
      return;
    case 'ring-load':
      noteLoad(state, queue, event);
      return;
    case 'notify':
      decided(queue);
      queue.notification.publishedSince = undefined;
      return;
    default:
  }
}

/** Whether the device wants to be notified of what is published now, by its own last word (`value`: flags or avail_event). */
export function wantsNotification(
  queue: { readonly availableIndex: number; readonly notification: { readonly decidedIndex: number } },
  eventIdx: boolean,
  value: number,
): boolean {
  if (!eventIdx) return (value & usedFlag.NO_NOTIFY) === 0;
  return needsEvent(value, queue.availableIndex, queue.notification.decidedIndex);
}

export function usesEventIdx(state: { readonly features: { readonly accepted: bigint } }): boolean {
  return hasFeature(state.features.accepted, feature.EVENT_IDX);
}

/** Runs after the ring watcher, so `availableIndex` already includes this publish. */
function notePublish(state: DeviceState, queue: QueueState, event: DriverEvent): void {
  const { notification } = queue;
  const eventIdx = usesEventIdx(state);
  notification.loaded = undefined;
  notification.publishedSince ??= event;
  const wanted = wantsNotification(queue, eventIdx, eventIdx ? queue.availEvent : queue.usedFlags);
  notification.silencedAtPublish = !wanted;
  if (wanted) owe(queue, event);
}

function noteLoad(
  state: DeviceState,
  queue: QueueState,
  event: DriverEvent & { readonly kind: 'ring-load' | 'ring-store' },
): void {
  const { notification } = queue;
  const { place } = event;
  if (place.part !== 'used') return;
  if (isFruitless(queue, event)) noteFruitlessLoad(queue);
  const eventIdx = usesEventIdx(state);
  if (place.field !== (eventIdx ? 'avail_event' : 'flags') || queue.lastPublish === undefined) return;
  if (notification.publishedSince === undefined) return;
  const value = Number(event.before);
  notification.loaded = { value, event };
  if (wantsNotification(queue, eventIdx, value)) owe(queue, queue.lastPublish);
  else decided(queue);
}

/** A load of the used index showed nothing new. */
export function noteFruitlessLoad({ notification }: QueueState): void {
  if (notification.owed !== undefined) notification.fruitlessLoads++;
}

function owe({ notification }: QueueState, publish: DriverEvent): void {
  if (notification.owed !== undefined) return;
  notification.owed = publish;
  notification.fruitlessLoads = 0;
}

/** Nothing is owed for what is published so far. */
function decided(queue: QueueState): void {
  queue.notification.owed = undefined;
  queue.notification.fruitlessLoads = 0;
  queue.notification.decidedIndex = queue.availableIndex;
}
