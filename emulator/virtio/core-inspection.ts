// One queue of a device as pictures and trees see it, from what the core keeps and what its activity does. [virtio 1.4, 2.6]
import type { GuestMemory } from '../bus/memory';
import type { CoreQueue } from './core-queues';
import { type InFlight, inspectInFlight } from './in-flight';
import type { QueueInspection } from './inspection';
import { areasOutsideMemory, type RingFormat } from './queue/ring';

/** What stands around a queue. */
export interface QueueSurroundings {
  readonly index: number;
  readonly name: string | undefined;
  readonly format: RingFormat;
  readonly memory: GuestMemory;
  /** Used index that the driver last loaded. */
  readonly collectedIndex: number;
  readonly notificationPending: boolean;
  readonly records: readonly InFlight[];
}

export function inspectQueue(
  { maximumSize, size, areas, ready, resetting, ring }: Readonly<CoreQueue>,
  { index, name, format, memory, collectedIndex, notificationPending, records }: QueueSurroundings,
): QueueInspection {
  const own = ring?.inspection;
  return {
    index,
    name: name ?? `queue ${index}`,
    maximumSize,
    size,
    ready,
    resetting,
    descriptorAddress: areas.descriptor,
    driverAddress: areas.available,
    deviceAddress: areas.used,
    format,
    inMemory: areasOutsideMemory(memory, areas, size, format).length === 0,
    lastAvailable: own?.lastAvailable ?? 0,
    usedIndex: own?.usedIndex ?? 0,
    collectedIndex,
    seenAvailableFlags: own?.seenAvailableFlags,
    seenUsedEvent: own?.seenUsedEvent,
    writtenUsedFlags: own?.writtenUsedFlags ?? 0,
    writtenAvailableEvent: own?.writtenAvailableEvent,
    notificationPending,
    inFlight: records.map(inspectInFlight),
  };
}
