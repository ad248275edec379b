// Watches what a driver leaves undone: completions that it does not look at, interrupts whose work it drops, queues that it leaves
// empty. Absence is judged after a window of virtual time, so that it is found whether the harts wait, spin or do something else.
// [virtio 1.4, 2.7.7, 2.7.8, 2.5.2, 4.2.3.4.1]
import type { VirtioEvent } from '../../record/events';
import type { DriverEvent, View } from '../rules/rule';
import { deviceId } from '../spec/device-id';
import { interruptBit } from '../spec/interrupt';
import { status } from '../spec/status';
import { notificationWindowNanoseconds } from './notification';
import type { QueueState } from './queue-state';
import type { DeviceState } from './state';

/** Virtual time in which a driver has to do what its interrupt handler is for. */
export const handlerWindowNanoseconds = 100_000_000;
/** Virtual time in which a driver has to come back to a queue, by an interrupt or by looking. */
export const returnWindowNanoseconds = 1_000_000_000;

/** What one queue waits for from its driver. */
export interface WaitingState {
  /** The oldest used buffer with an answer (device-writable bytes) that the driver has not seen, and the publish it belongs to. */
  unseen: { readonly used: VirtioEvent; readonly published: DriverEvent } | undefined;
  /** What the device did about the interrupt for it. */
  interrupt: (VirtioEvent & { readonly kind: 'interrupt' }) | undefined;
  /** The acknowledgement that took the notice of it away. */
  hiddenBy: DriverEvent | undefined;
  /** Newest store to used_event since the queue was enabled. */
  usedEventStore: DriverEvent | undefined;
  /** Packed: newest store to the driver event suppression structure. */
  driverEventStore: DriverEvent | undefined;
  /** Since when the device has something from outside and no buffer of this queue to put it into. */
  starved: VirtioEvent | undefined;
  /** Collected used slots whose len was not loaded, with the load that showed them. */
  unreadLengths: Map<number, DriverEvent>;
}

/** Configuration changes that the device announced. */
export interface AnnouncedChange {
  /** Announced, and nothing of Status or the configuration space read since. */
  unread: VirtioEvent | undefined;
  /** The acknowledgement that took the notice of it away. */
  hiddenBy: DriverEvent | undefined;
}

export function freshWaiting(): WaitingState {
  return {
    unseen: undefined,
    interrupt: undefined,
    hiddenBy: undefined,
    usedEventStore: undefined,
    driverEventStore: undefined,
    starved: undefined,
    unreadLengths: new Map(),
  };
}

export function freshAnnounced(): AnnouncedChange {
  return { unread: undefined, hiddenBy: undefined };
}

/** Runs after the ring watcher. */
export function watchWaiting(state: DeviceState, event: VirtioEvent): void {
  if ('queue' in event && event.queue !== undefined) {
    const queue = state.queues[event.queue];
    if (queue !== undefined) watchQueue(queue, event);
  }
  switch (event.kind) {
    case 'interrupt':
      if (event.cause !== 'config-change' || event.outcome === 'suppressed') return;
      state.announced = { unread: event, hiddenBy: undefined };
      return;
    case 'config-read':
    case 'config-generation-read':
    case 'status-read':
      state.announced.unread = undefined;
      return;
    case 'interrupt-acknowledge':
      noteAcknowledge(state, event);
      return;
    default:
  }
}

function watchQueue(queue: QueueState, event: VirtioEvent): void {
  const { waiting } = queue;
  switch (event.kind) {
    case 'publish':
      waiting.starved = undefined;
      return;
    case 'used':
      noteUsed(queue, event);
      return;
    case 'starved':
      waiting.starved ??= event;
      return;
    case 'interrupt':
      if (waiting.unseen === undefined) return;
      waiting.interrupt = event;
      if (event.outcome !== 'suppressed') waiting.hiddenBy = undefined;
      return;
    case 'collect':
      noteSeen(queue, event);
      noteCollected(queue, event);
      return;
    case 'ring-load':
      if (event.place.part === 'used' && event.place.field === 'len') waiting.unreadLengths.delete(event.place.slot);
      return;
    case 'ring-store':
      if (event.place.part === 'available' && event.place.field === 'used_event') waiting.usedEventStore = event;
      if (event.place.part === 'driver-event') waiting.driverEventStore = event;
      return;
    default:
  }
}

function noteUsed(queue: QueueState, event: VirtioEvent): void {
  const position = queue.usedPositions.at(-1);
  const chain = position === undefined ? undefined : queue.chains.get(position);
  if (queue.waiting.unseen !== undefined || chain === undefined) return;
  if (!chain.chain.elements.some((element) => element.deviceWritable)) return;
  queue.waiting.unseen = { used: event, published: chain.published };
}

/** A look at a packed ring shows one used descriptor; the driver has come to the queue, and what is left counts from now. */
function noteSeen(queue: QueueState, event: DriverEvent & { readonly kind: 'collect' }): void {
  const { waiting } = queue;
  const next = queue.format === 'packed' ? queue.usedPositions[0] : undefined;
  const chain = next === undefined ? undefined : queue.chains.get(next);
  const isAnswered = chain?.chain.elements.some(({ deviceWritable }) => deviceWritable) === true;
  waiting.unseen = chain !== undefined && isAnswered ? { used: event, published: chain.published } : undefined;
  waiting.hiddenBy = undefined;
  if (waiting.unseen === undefined) waiting.interrupt = undefined;
}

function noteCollected(queue: QueueState, event: DriverEvent & { readonly kind: 'collect' }): void {
  if (queue.size === 0) return;
  const count = Math.min((event.after - event.before) & 0xffff, queue.size);
  for (let i = 0; i < count; i++) queue.waiting.unreadLengths.set((event.before + i) % queue.size, event);
}

function noteAcknowledge(state: DeviceState, event: DriverEvent & { readonly kind: 'interrupt-acknowledge' }): void {
  const taken = event.value & event.before;
  if ((taken & interruptBit['config-change']) !== 0 && state.announced.unread !== undefined) {
    state.announced.hiddenBy = event;
  }
  if ((taken & interruptBit['used-buffer']) === 0) return;
  for (const { waiting } of state.queues) {
    const isAnnounced = waiting.interrupt !== undefined && waiting.interrupt.outcome !== 'suppressed';
    if (waiting.unseen !== undefined && isAnnounced) waiting.hiddenBy = event;
  }
}

/** A device in use stopped for good with requests that it will not give back, and its driver has neither reset it nor given it up. */
export function isOwedReset({ needsReset, handshake, queues }: View<DeviceState>): boolean {
  const isInUse = (handshake.written & (status.DRIVER_OK | status.FAILED)) === status.DRIVER_OK;
  return needsReset !== undefined && isInUse && queues.some(({ ready, chains }) => ready && chains.size > 0);
}

/** Moments of virtual time at which an absence of this device becomes one. */
export function absenceDue(state: View<DeviceState>): readonly number[] {
  const due: number[] = [];
  const after = (since: { readonly virtualNanoseconds: number } | undefined, window: number): void => {
    if (since !== undefined) due.push(since.virtualNanoseconds + window);
  };
  if (state.announced.unread !== undefined) after(state.announced.hiddenBy, handlerWindowNanoseconds);
  after(state.net.linkUnread?.servedBy, handlerWindowNanoseconds);
  if (isOwedReset(state)) after(state.needsReset, returnWindowNanoseconds);
  for (const { notification, waiting, consumption } of state.queues) {
    after(notification.owed, notificationWindowNanoseconds);
    after(waiting.hiddenBy, handlerWindowNanoseconds);
    after(waiting.unseen?.used, returnWindowNanoseconds);
    after(waiting.starved, returnWindowNanoseconds);
    if (consumption.takenCount > 0) after(consumption.untaken?.since, returnWindowNanoseconds);
    if (state.description.deviceId === deviceId.entropy) {
      for (const collect of waiting.unreadLengths.values()) after(collect, handlerWindowNanoseconds);
    }
  }
  return due;
}
