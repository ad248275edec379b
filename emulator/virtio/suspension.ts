// Suspending a device through its status: what a write to Status asks for, and what Status then shows. [virtio 1.4, 2.1, 3.4]
// A device that suspends first finishes what it works on; only then SUSPEND shows and DRIVER_OK goes. It resumes the other way round.
import type { Action } from './activity-state';
import { status } from './spec/status';

/** Bits that the device alone changes: SUSPEND, and on a suspended device DRIVER_OK too. */
const kept = status.SUSPEND | status.DEVICE_NEEDS_RESET;

export const isSuspended = (value: number): boolean => (value & status.SUSPEND) !== 0;

/** Status after a write other than 0, but for what the device refuses: bits of the device's own stay as they are. */
export function statusAsWritten(before: number, value: number): number {
  const written = (value & 0xff & ~kept) | (before & kept);
  return isSuspended(before) ? written & ~status.DRIVER_OK : written;
}

/** What a write asks of an initialised device with VIRTIO_F_SUSPEND. */
export function askedOf(before: number, value: number): 'suspend' | 'resume' | undefined {
  if (isSuspended(before)) return (value & status.DRIVER_OK) === 0 ? undefined : 'resume';
  return (before & status.DRIVER_OK) !== 0 && (value & status.SUSPEND) !== 0 ? 'suspend' : undefined;
}

export const suspendedStatus = (before: number): number => (before | status.SUSPEND) & ~status.DRIVER_OK;
export const resumedStatus = (before: number): number => (before | status.DRIVER_OK) & ~status.SUSPEND;

/** A device that suspends waits so long for buffers that it cannot finish by itself, such as those that wait for more of a packet. */
export const suspendPatienceNanoseconds = 10_000_000;

/** Actions after which the driver would know nothing of what the device did before it suspended. */
export const beforeSuspension: readonly Action['kind'][] = ['deliver', 'finish', 'interrupt', 'describe', 'tell'];
/** Actions that a suspended device puts off until it runs again. */
export const putOff: readonly Action['kind'][] = ['timer', 'config-change', 'config-interrupt'];
/** Actions that a suspended device forgets: it looks at every queue when it runs again. */
export const forgotten: readonly Action['kind'][] = ['service', 'fetch', 'allow-notifications', 'spurious-interrupt'];
