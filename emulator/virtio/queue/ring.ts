// What the device side needs of a virtqueue, whichever format it has: what is pending, taking a chain, giving it back, and the two
// suppressions. Everything above this interface knows no format. [virtio 1.4, 2.6, 2.7, 2.8]
import type { GuestMemory } from '../../bus/memory';
import type { Chain } from '../../record/events';
import { packedBytes } from '../spec/packed-ring';
import { areaBytes } from '../spec/split-ring';
import { inMemory } from './chain';

export type RingFormat = 'split' | 'packed';

/** Addresses as the driver gave them. `available` is the driver area, `used` the device area. [2.6] */
export interface QueueAreas {
  readonly descriptor: bigint;
  readonly available: bigint;
  readonly used: bigint;
}
export type AreaName = keyof QueueAreas;

/** Which optional parts of the format are in force. */
export interface RingFeatures {
  readonly packed: boolean;
  readonly eventIdx: boolean;
  readonly indirect: boolean;
  readonly inOrder: boolean;
}

export type Pending =
  | { readonly kind: 'none' }
  /** Split: how many entries. Packed: 1, since only the next descriptor is looked at. */
  | { readonly kind: 'entries'; readonly count: number }
  /** The driver's index is further ahead than the queue is long; split only. */
  | { readonly kind: 'impossible'; readonly availableIndex: number; readonly lastAvailable: number };

/** By what the driver said whether it wants to be interrupted. */
export type InterruptDecision = {
  readonly wanted: boolean;
  readonly because: 'flags' | 'used_event' | 'driver event suppression';
};

/** What the device wrote of its own wish to be notified. */
export interface Suppression {
  readonly field: 'flags' | 'avail_event' | 'desc';
  readonly value: number;
}

/** What of a chain is needed to give it back, or, with IN_ORDER, of the last chain of a batch. [2.7.9, 2.8.8] */
export interface Returned {
  /** Head (split) or buffer id (packed). */
  readonly head: number;
  /** Entries that the used ring goes forward: the descriptors of all chains given back (packed), or their number (split). */
  readonly advance: number;
  /** Whether it holds a device-writable element, so that `length` means something. */
  readonly writable: boolean;
}

export interface DeviceRing {
  readonly format: RingFormat;
  readonly size: number;
  readonly inspection: RingInspection;
  pending(): Pending;
  /** Takes the next available chain; call it only while `pending` says `entries`. */
  take(features: RingFeatures): Chain;
  /** Forgets entries that cannot be right: the next one taken is the next one published. */
  skipToAvailable(): void;
  /** Writes one used entry so that the driver sees it whole or not at all. */
  putUsed(returned: Returned, length: number): { readonly slot: number; readonly usedIndex: number };
  /** Whether the driver wants to hear of what was used since the last decision. */
  decideInterrupt(features: RingFeatures): InterruptDecision;
  /** Tells the driver whether to notify; undefined when that takes no write. */
  tellNotifications(wanted: boolean, features: RingFeatures): Suppression | undefined;
}

/** The device's own numbers of a ring, for pictures. */
export interface RingInspection {
  readonly lastAvailable: number;
  readonly usedIndex: number;
  readonly seenAvailableFlags: number | undefined;
  readonly seenUsedEvent: number | undefined;
  readonly writtenUsedFlags: number;
  readonly writtenAvailableEvent: number | undefined;
}

/** Bytes of each area in either format. */
export function bytesOfArea(format: RingFormat, area: AreaName, size: number): number {
  if (format === 'split') return areaBytes[area](size);
  return packedBytes[packedAreaOf[area]](size);
}
/** The packed ring's own names of the three areas. */
export const packedAreaOf = { descriptor: 'descriptor', available: 'driver', used: 'device' } as const;

/** Which areas of a queue do not lie in RAM. */
export function areasOutsideMemory(
  memory: GuestMemory,
  areas: QueueAreas,
  size: number,
  format: RingFormat,
): AreaName[] {
  const all: readonly AreaName[] = ['descriptor', 'available', 'used'];
  return all.filter((area) => !inMemory(memory, areas[area], bytesOfArea(format, area, size)));
}
