// Watches whether each publish gets the notification it needs, by what the driver really loaded of used flags or avail_event.
// [virtio 1.4, 2.7.10, 2.7.13.4, 2.8.14, 2.8.21.3]
import type { VirtioEvent } from '../../record/events';
import type { RingFormat } from '../queue/ring';
import type { DriverEvent } from '../rules/rule';
import { feature, hasFeature } from '../spec/feature';
import { eventFlag, passesEvent } from '../spec/packed-ring';
import { needsEvent, usedFlag } from '../spec/split-ring';
import { isFruitless } from './polling';
import type { QueueState } from './queue-state';
import type { DeviceState } from './state';

type LoadEvent = DriverEvent & { readonly kind: 'ring-load' | 'ring-store' };

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

/** The device's last word on notifications, as one number: flags or avail_event; packed: the event suppression structure. */
export function deviceWish(
  queue: { readonly format: RingFormat; readonly usedFlags: number; readonly availEvent: number },
  eventIdx: boolean,
): number {
  if (queue.format === 'packed') return (queue.usedFlags << 16) | queue.availEvent;
  return eventIdx ? queue.availEvent : queue.usedFlags;
}

interface Published {
  readonly format: RingFormat;
  readonly size: number;
  readonly availableIndex: number;
  readonly notification: { readonly decidedIndex: number };
}

/** Whether the device wants to be notified of what is published now, by a word of its own as `deviceWish` gives it. */
export function wantsNotification(queue: Published, eventIdx: boolean, value: number): boolean {
  if (queue.format === 'packed') {
    const flags = (value >>> 16) & 3;
    if (flags !== eventFlag.DESC) return flags !== eventFlag.DISABLE;
    return passesEvent(value & 0xffff, queue.availableIndex, queue.notification.decidedIndex, queue.size);
  }
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
  notification.loadedDesc = undefined;
  notification.loadedFlags = undefined;
  notification.publishedSince ??= event;
  const wanted = wantsNotification(queue, eventIdx, deviceWish(queue, eventIdx));
  notification.silencedAtPublish = !wanted;
  if (wanted) owe(queue, event);
}

function noteLoad(state: DeviceState, queue: QueueState, event: LoadEvent): void {
  const { notification } = queue;
  if (isFruitless(queue, event)) noteFruitlessLoad(queue);
  const eventIdx = usesEventIdx(state);
  if (queue.lastPublish === undefined || notification.publishedSince === undefined) return;
  const value = queue.format === 'packed' ? loadedStructure(queue, event) : loadedWord(eventIdx, event);
  if (value === undefined) return;
  notification.loaded = { value, event };
  if (wantsNotification(queue, eventIdx, value)) owe(queue, queue.lastPublish);
  else decided(queue);
}

/** The driver's load of used flags or avail_event, whichever counts. */
function loadedWord(eventIdx: boolean, { place, before }: LoadEvent): number | undefined {
  return place.part === 'used' && place.field === (eventIdx ? 'avail_event' : 'flags') ? Number(before) : undefined;
}

/** What the driver knows of the device event suppression structure; undefined until that says something. [2.8.14] */
function loadedStructure({ notification }: QueueState, { place, before }: LoadEvent): number | undefined {
  if (place.part !== 'device-event') return undefined;
  const value = Number(before);
  if (place.field === 'desc') {
    notification.loadedDesc = value;
    const flags = notification.loadedFlags;
    return flags === undefined ? undefined : (flags << 16) | value;
  }
  notification.loadedFlags = value;
  const { loadedDesc } = notification;
  if (loadedDesc === undefined && (value & 3) === eventFlag.DESC) return undefined;
  return (value << 16) | (loadedDesc ?? 0);
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
