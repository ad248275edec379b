// Watches how queues are configured, enabled and stopped. [virtio 1.4, 4.2.2, 4.2.3.2]
import type { DriverEvent } from '../rules/rule';
import type { VirtioEvent } from '../../record/events';
import { feature, hasFeature } from '../spec/feature';
import { freshQueue, freshRing } from './fresh';
import type { QueueSetup, QueueState } from './queue-state';
import type { DeviceState } from './state';

export function watchQueueSetup(state: DeviceState, event: VirtioEvent): void {
  if (event.kind === 'guest-page-size-write') state.guestPageBytes = event.value;
  if (!('queue' in event) || event.queue === undefined) return;
  const queue = state.queues[event.queue];
  if (queue === undefined) return;
  switch (event.kind) {
    case 'queue-size-max-read':
      queue.maximumRead = true;
      return;
    case 'queue-setup':
      queue.stopUnread = undefined;
      if (!event.ready && isTaken(queue, event.field, event.value)) queue.setup[event.field] = event.value;
      return;
    case 'queue-align-write':
      queue.alignWritten = true;
      return;
    case 'queue-ready-read':
      if (event.value === 0) queue.stopUnread = undefined;
      return;
    case 'queue-reset-write':
      if (event.value === 1 && hasFeature(state.features.accepted, feature.RING_RESET)) queue.resetUnread = event;
      return;
    case 'queue-reset-read':
      if (event.value === 0) queue.resetUnread = undefined;
      return;
    case 'queue-reset-done':
      noteReset(state, queue);
      return;
    case 'queue-ready-write':
      noteReady(state, queue, event);
      return;
    default:
  }
}

/** A size that the queue cannot have is dropped by the device. */
function isTaken({ maximumSize }: QueueState, field: keyof QueueSetup, value: number): boolean {
  return field !== 'QueueSize' || (value > 0 && value <= maximumSize);
}

/** Addresses of the three areas as written so far; halves never written count as 0. */
export function areasOf(setup: { readonly [Field in keyof QueueSetup]: QueueSetup[Field] }): {
  readonly descriptor: bigint;
  readonly available: bigint;
  readonly used: bigint;
} {
  const join = (high: number | undefined, low: number | undefined): bigint =>
    (BigInt(high ?? 0) << 32n) | BigInt(low ?? 0);
  return {
    descriptor: join(setup.QueueDescHigh, setup.QueueDescLow),
    available: join(setup.QueueDriverHigh, setup.QueueDriverLow),
    used: join(setup.QueueDeviceHigh, setup.QueueDeviceLow),
  };
}

/** The queue is as after the device's reset; its size need not be asked for again. */
function noteReset(state: DeviceState, queue: QueueState): void {
  const { index, maximumSize, maximumRead, resetUnread, wasReady } = queue;
  state.queues[index] = { ...freshQueue(index, maximumSize), maximumRead, resetUnread, wasReady, wasReset: true };
}

function noteReady(
  state: DeviceState,
  queue: QueueState,
  event: DriverEvent & { readonly kind: 'queue-ready-write' },
): void {
  queue.stopUnread = event.before !== 0 && event.value === 0 ? event : undefined;
  if (event.before === 0 && event.after !== 0) {
    const areas = event.pageFrame ?? areasOf(queue.setup);
    const size = event.pageFrame?.size ?? queue.setup.QueueSize ?? queue.maximumSize;
    const format = hasFeature(state.features.accepted, feature.RING_PACKED) ? 'packed' : 'split';
    const ring = freshRing(format, size, Number(areas.descriptor), Number(areas.available), Number(areas.used));
    state.queues[queue.index] = { ...queue, ...ring, ready: true, wasReady: true, wasReset: false };
    return;
  }
  queue.ready = event.after !== 0;
}
