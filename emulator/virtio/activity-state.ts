// What a device's activity schedules and remembers: its actions in virtual time, and what it is doing about each queue.
import type { DeviceFact, DeviceOrigin } from '../record/events';
import type { SavedInFlight } from './in-flight-list';
import type { SavedActions } from './scheduled-actions';

export type Action =
  | { readonly kind: 'activate' }
  | {
      readonly kind: 'service' | 'fetch' | 'deliver' | 'interrupt' | 'allow-notifications' | 'queue-reset-done';
      readonly queue: number;
    }
  | { readonly kind: 'finish' | 'spurious-interrupt' }
  | { readonly kind: 'tell'; readonly fact: DeviceFact & DeviceOrigin }
  | {
      readonly kind: 'describe';
      readonly id: number;
      readonly description: string;
      readonly status: string | undefined;
    }
  | { readonly kind: 'timer'; readonly token: number }
  | { readonly kind: 'config-change' | 'config-interrupt' | 'reset-done' | 'resume' }
  | { readonly kind: 'suspend'; readonly since: number }
  | { readonly kind: 'needs-reset'; readonly reason: string };

/** What goes on although the device needs a reset. */
export const lasting: readonly Action['kind'][] = ['tell', 'describe', 'queue-reset-done'];

/** What the device is doing about a queue. */
export interface QueueActivity {
  /** A look at the queue is scheduled because of a notification. */
  notified: boolean;
  fetching: boolean;
  /** The driver was asked not to notify while the device looks by itself. */
  quiet: boolean;
  allowing: boolean;
  /** The device has something from outside for a buffer of this queue. */
  wanted: boolean;
  /** The used index that the driver saw last. */
  seen: number;
}

export interface SavedActivity {
  readonly actions: SavedActions<Action>;
  readonly queues: readonly QueueActivity[];
  readonly inFlight: SavedInFlight;
  readonly suspending: boolean;
  readonly deferred: readonly Action[];
  readonly random: readonly number[];
  readonly mood: readonly number[];
}

export function freshQueue(): QueueActivity {
  return { notified: false, fetching: false, quiet: false, allowing: false, wanted: false, seen: 0 };
}

/** Whether a look at the used index showed another one than the look before. */
export function sawNews(activity: QueueActivity, seen: number | undefined): boolean {
  if (seen === undefined || activity.seen === seen) return false;
  activity.seen = seen;
  return true;
}
