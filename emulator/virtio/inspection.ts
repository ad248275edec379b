// What can be seen of a virtio device without disturbing it: plain data for pictures, trees and tests. [virtio 1.4, 2 and 4.2.2]
// Guarantees: structured-clonable copies; taking one has no side effect on guest, device or clock.
import type { OnDriverError } from '../configuration';
import type { ConfigField } from './device/interface';
import type { RingFormat } from './queue/ring';
import type { DialectName } from './spec/dialect';
import type { TransportName } from './spec/feature';

/** A buffer between fetch and its used entry, in the words of the ring picture. */
export interface InFlightInspection {
  readonly queue: number;
  readonly head: number;
  /** Free-running available index of the entry it came from. */
  readonly position: number;
  /** `fetched`: the chain was read; `processing`: the device model has it; `completing`: result known, waits for its latency. */
  readonly state: 'fetched' | 'processing' | 'completing';
  readonly fetchedAtNanoseconds: number;
  /** When the used entry is due; undefined until the device model has completed it. */
  readonly dueNanoseconds: number | undefined;
  readonly readableLength: number;
  readonly writableLength: number;
  /** What the device made of it, once known. */
  readonly description: string | undefined;
  readonly status: string | undefined;
  /** Bytes the device says it wrote: the used entry's `len` to come. */
  readonly written: number | undefined;
}

export interface QueueInspection {
  readonly index: number;
  readonly name: string;
  readonly maximumSize: number;
  /** The size in force while ready, else what QueueSize holds. */
  readonly size: number;
  readonly ready: boolean;
  /** The driver reset the queue, and the device has not finished. */
  readonly resetting: boolean;
  readonly format: RingFormat;
  /** Guest-physical addresses of descriptor area, driver area (available ring) and device area (used ring). */
  readonly descriptorAddress: bigint;
  readonly driverAddress: bigint;
  readonly deviceAddress: bigint;
  /** Whether all three areas lie in RAM, so that the rings can be shown. */
  readonly inMemory: boolean;
  /** Free-running index of the next available entry that the device fetches; a packed ring's indices are positions, see `spec/packed-ring`. */
  readonly lastAvailable: number;
  /** Free-running index of the device's next used entry, as it stands in memory. */
  readonly usedIndex: number;
  /** Used index that the driver last loaded. */
  readonly collectedIndex: number;
  /** What the device last read of the driver's wish to be interrupted; undefined when it has not looked yet. Packed: flags and desc. */
  readonly seenAvailableFlags: number | undefined;
  readonly seenUsedEvent: number | undefined;
  /** What the device last wrote of its own wish to be notified. Packed: flags and desc. */
  readonly writtenUsedFlags: number;
  readonly writtenAvailableEvent: number | undefined;
  readonly notificationPending: boolean;
  /** In the order of fetching. */
  readonly inFlight: readonly InFlightInspection[];
}

export interface ConfigFieldInspection extends Omit<ConfigField, 'feature'> {
  readonly feature: number | undefined;
  /** Whether the feature that makes the field exist is offered. */
  readonly present: boolean;
  readonly value: bigint;
}

/** MSI-X of a function on PCI. */
export interface MessageInspection {
  /** Whether the driver switched it on, and masked all of it. */
  readonly enabled: boolean;
  readonly functionMasked: boolean;
  readonly vectors: readonly {
    readonly masked: boolean;
    readonly pending: boolean;
    /** Guest-physical. */
    readonly address: bigint;
    readonly data: number;
  }[];
  /** 0xffff: none. */
  readonly configVector: number;
  /** By queue. */
  readonly queueVectors: readonly number[];
}

export interface VirtioDeviceInspection {
  readonly name: string;
  readonly typeName: string;
  readonly deviceId: number;
  readonly transport: TransportName;
  /** The handshake that is spoken with the driver now. */
  readonly dialect: DialectName;
  /** Number of shared memory regions. Absent: none. */
  readonly sharedMemory?: number;
  /** How many of the queues, the last ones, are administration virtqueues. Absent: none. */
  readonly administrationQueues?: number;
  readonly slot: number;
  /** Guest-physical address of the register block. */
  readonly base: number;
  readonly interruptSource: number;
  readonly onDriverError: OnDriverError;
  readonly status: number;
  /** Why DEVICE_NEEDS_RESET is set. */
  readonly needsReset: string | undefined;
  readonly offeredFeatures: bigint;
  /** What the driver has written so far. */
  readonly acceptedFeatures: bigint;
  /** What is in force since FEATURES_OK was accepted. */
  readonly negotiatedFeatures: bigint | undefined;
  readonly deviceFeaturesSelect: number;
  readonly driverFeaturesSelect: number;
  readonly queueSelect: number;
  readonly configGeneration: number;
  readonly configFields: readonly ConfigFieldInspection[];
  readonly interruptStatus: number;
  readonly interruptLine: boolean;
  /** Only with the capability. */
  readonly messages?: MessageInspection;
  readonly queues: readonly QueueInspection[];
}
