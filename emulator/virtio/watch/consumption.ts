// Watches how a driver takes back what the device used: which used entries it has loaded, what they named, and how far it has come.
// [virtio 1.4, 2.7.8, 2.7.14, 2.8.6, 2.8.22]
// Entries are counted from the moment the queue was enabled, so a number never wraps.
import type { Chain, VirtioEvent } from '../../record/events';
import type { DriverEvent, View } from '../rules/rule';
import { ownDescriptors } from './chains';
import type { QueueState } from './queue-state';
import type { DeviceState } from './state';

/** A used entry that the driver has not made room for by publishing its chain again. */
export interface ReturnedChain {
  readonly used: VirtioEvent & { readonly kind: 'used' };
  /** Whether a buffer of it is device-writable, as far as its publishing was seen. */
  readonly answered: boolean;
  /** What names its chain: descriptors of the queue's own table; packed: its buffer id. */
  readonly keys: readonly number[];
  /** The look that showed the entry to the driver. */
  seen: DriverEvent | undefined;
  /** Loaded since the device wrote the entry. */
  idLoaded: boolean;
  lengthLoaded: boolean;
}

export interface ConsumptionState {
  /** Used entries so far, and those that the driver was shown. */
  usedCount: number;
  seenCount: number;
  /** The number behind the newest entry whose id was loaded; 0 while the driver has loaded none. */
  takenCount: number;
  /** Newest entries by their number. */
  returned: Map<number, ReturnedChain>;
  /** Number of the newest entry that gave this back: a descriptor of the queue's own table; packed: a buffer id. */
  returnedBy: Map<number, number>;
  /** Packed: number of the newest used descriptor in each slot. */
  newestAt: Map<number, number>;
  /** Since when an entry with an answer was shown and no id was loaded. */
  untaken: { readonly since: DriverEvent; readonly number: number } | undefined;
}

export function freshConsumption(): ConsumptionState {
  return {
    usedCount: 0,
    seenCount: 0,
    takenCount: 0,
    returned: new Map(),
    returnedBy: new Map(),
    newestAt: new Map(),
    untaken: undefined,
  };
}

/** What names a chain when it comes back: its descriptors of the queue's own table; packed: its buffer id. */
export function keysOf(format: QueueState['format'], chain: View<Chain>): readonly number[] {
  return format === 'packed' ? [chain.head] : ownDescriptors(chain);
}

/** The used entry, if its slot tells which, that a load of one of its fields is about: its number. */
export function numberAt(queue: View<QueueState>, slot: number): number | undefined {
  const { consumption, size, format } = queue;
  if (format === 'packed') return consumption.newestAt.get(slot);
  const newest = consumption.usedCount - 1;
  const number = newest - ((((newest - slot) % size) + size) % size);
  return number < 0 ? undefined : number;
}

/** Runs before the ring watchers, so that chains are still those that come back. */
export function watchConsumption(state: DeviceState, event: VirtioEvent): void {
  if (!('queue' in event) || event.queue === undefined) return;
  const queue = state.queues[event.queue];
  if (queue === undefined || queue.size === 0) return;
  switch (event.kind) {
    case 'used':
      noteUsed(queue, event);
      return;
    case 'collect':
      noteSeen(queue, event);
      return;
    case 'ring-load':
      noteLoad(queue, event);
      return;
    case 'publish':
      for (const chain of event.chains) for (const key of keysOf(queue.format, chain)) forget(queue, key);
      return;
    default:
  }
}

function noteUsed(queue: QueueState, event: VirtioEvent & { readonly kind: 'used' }): void {
  const { consumption } = queue;
  const chain = chainOf(queue, event.head);
  const keys = chain === undefined ? [] : keysOf(queue.format, chain);
  // With VIRTIO_F_IN_ORDER one entry stands for several; their number moves on by all of them. [2.7.9]
  const number = consumption.usedCount + (queue.format === 'packed' ? 0 : (event.batch ?? 1) - 1);
  consumption.usedCount = number + 1;
  if (queue.format === 'packed') consumption.newestAt.set(event.slot, number);
  consumption.returned.set(number, {
    used: event,
    answered: chain?.elements.some(({ deviceWritable }) => deviceWritable) ?? false,
    keys,
    seen: undefined,
    idLoaded: false,
    lengthLoaded: false,
  });
  for (const key of keys) consumption.returnedBy.set(key, number);
  for (const old of consumption.returned.keys()) {
    if (consumption.returned.size <= 2 * queue.size) break;
    drop(consumption, old);
  }
}

/** The chain at the device that a used entry names. */
function chainOf(queue: QueueState, head: number): Chain | undefined {
  if (queue.format === 'split') return queue.chains.get(queue.holderOf.get(head) ?? -1)?.chain;
  for (const { phase, chain } of queue.chains.values()) if (phase === 'in flight' && chain.head === head) return chain;
  return undefined;
}

function noteSeen(queue: QueueState, event: DriverEvent & { readonly kind: 'collect' }): void {
  const { consumption } = queue;
  // A load may show the driver less than the newest entry where it was delayed; numbers then stay behind.
  const shown =
    queue.format === 'packed'
      ? consumption.seenCount + 1
      : consumption.usedCount - ((queue.usedIndex - event.after) & 0xffff);
  for (let number = consumption.seenCount; number < shown; number++) {
    const entry = consumption.returned.get(number);
    if (entry === undefined) continue;
    entry.seen = event;
    if (entry.answered) consumption.untaken ??= { since: event, number };
  }
  consumption.seenCount = Math.max(consumption.seenCount, shown);
}

function noteLoad(queue: QueueState, { place }: DriverEvent & { readonly kind: 'ring-load' | 'ring-store' }): void {
  const slot = usedSlot(queue.format, place);
  const number = slot === undefined ? undefined : numberAt(queue, slot);
  if (number === undefined) return;
  const entry = queue.consumption.returned.get(number);
  if (place.part !== 'available' && place.field === 'len') {
    if (entry !== undefined) entry.lengthLoaded = true;
    return;
  }
  if (entry !== undefined) entry.idLoaded = true;
  queue.consumption.takenCount = Math.max(queue.consumption.takenCount, number + 1);
  const { untaken } = queue.consumption;
  if (untaken !== undefined && number >= untaken.number) queue.consumption.untaken = undefined;
}

type RingPlace = (DriverEvent & { readonly kind: 'ring-load' | 'ring-store' })['place'];

/** The slot of a used entry whose id or length this is. */
export function usedSlot(format: QueueState['format'], place: View<RingPlace>): number | undefined {
  if (format === 'split')
    return place.part === 'used' && (place.field === 'id' || place.field === 'len') ? place.slot : undefined;
  if (place.part !== 'descriptor' || place.table !== undefined) return undefined;
  return place.field === 'id' || place.field === 'len' ? place.index : undefined;
}

function forget({ consumption }: QueueState, key: number): void {
  const number = consumption.returnedBy.get(key);
  if (number !== undefined) drop(consumption, number);
}

function drop(consumption: ConsumptionState, number: number): void {
  for (const key of consumption.returned.get(number)?.keys ?? []) {
    if (consumption.returnedBy.get(key) === number) consumption.returnedBy.delete(key);
  }
  consumption.returned.delete(number);
}
