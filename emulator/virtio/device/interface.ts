// The public interface a device model implements. Everything a device needs arrives through `DeviceContext`; a model knows nothing
// of transports, ring formats, rules or views. Version 1. [virtio 1.4, 2]
import type { SavedState } from '../../bus/access';
import type { Administration } from './administration/commands';

/** Increases when a model written against an older interface would break. */
export const deviceInterfaceVersion = 1;

/** The channel of a device that has only one; outside it bears the device's configured name. */
export const mainChannel = 'main';

/** One field of the device-specific configuration space. [virtio 1.4, 2.5] */
export interface ConfigField {
  readonly name: string;
  /** Byte offset from the start of the configuration space. */
  readonly offset: number;
  readonly size: 1 | 2 | 4 | 8;
  /** Feature bit that makes the field exist; absent: always there. */
  readonly feature?: number;
  /** `legacy`: by drivers of the legacy interface only. */
  readonly writable?: boolean | 'legacy';
  /** One line for people. */
  readonly meaning: string;
}

/** A piece of a buffer, contiguous in guest memory. */
export interface BufferPiece {
  readonly address: number;
  readonly length: number;
}

/**
 * A buffer that the driver made available: a descriptor chain, device-readable pieces first. Reading and writing move bytes by DMA and
 * are recorded. Guarantees: offsets beyond the buffer move fewer bytes, never touch other memory. Buffers dropped by a reset read as
 * empty and swallow writes.
 */
export interface DeviceBuffer {
  readonly queue: number;
  readonly head: number;
  readonly readable: readonly BufferPiece[];
  readonly writable: readonly BufferPiece[];
  readonly readableLength: number;
  readonly writableLength: number;
  /** Copies device-readable bytes from `offset`; the result is shorter at the buffer's end, and never over 128 MiB. */
  read(offset: number, length: number): Uint8Array;
  /**
   * Writes into the device-writable part at `offset`; returns the number of bytes that fit. They reach guest memory when the buffer's
   * latency is over, just before it is given back.
   */
  write(offset: number, bytes: Uint8Array): number;
  /** Names the request for people: shown in the ring picture and the trace. */
  describe(description: string, status?: string): void;
}

/** What a device model may do to its surroundings. */
export interface DeviceContext {
  /**
   * Takes the next buffer that was fetched for the device. When there is none, asking makes the device fetch one as an event of its
   * own, and `queueNotified` follows as soon as it is there.
   */
  next(queue: number): DeviceBuffer | undefined;
  /** Buffers taken and not yet completed, oldest first: how a model finds its buffers again after `restore`. */
  held(queue: number): readonly DeviceBuffer[];
  /**
   * Gives a buffer back after the device's latency (virtual time): `written` is the number of bytes written, for used `len`.
   * Interrupts follow suppression rules by themselves.
   */
  complete(buffer: DeviceBuffer, written: number): void;
  /**
   * The driver's buffer makes no sense (for example it has no room for a status): what follows is the configuration's choice,
   * DEVICE_NEEDS_RESET or the buffer given back unused.
   */
  reject(buffer: DeviceBuffer, reason: string): void;
  /** The driver has enabled the queue, and is not resetting it. */
  enabled(queue: number): boolean;
  /** Runs `handleTimer(token)` after so many virtual nanoseconds. */
  schedule(delayNanoseconds: number, token: number): void;
  /** The configuration space changed from the device's side: new generation, configuration interrupt. [virtio 1.4, 2.5.2] */
  configChanged(): void;
  /** The device cannot go on: sets DEVICE_NEEDS_RESET. [virtio 1.4, 2.1.2] */
  needsReset(reason: string): void;
  /** Deterministic random bytes from the machine's seed. */
  random(length: number): Uint8Array;
  /** Tells the outside (terminal, file) something: a copy of bytes in order. */
  output(channel: string, bytes: Uint8Array): void;
  /** Virtual time. */
  now(): number;
}

/**
 * A device model. All calls come at step boundaries of the machine, never inside a guest's instruction, except config access,
 * `negotiated`, `queueStopped` and `reset`, which only change the model's own state.
 */
export interface VirtioDevice {
  /** Device ID. [virtio 1.4, 5] */
  readonly deviceId: number;
  /** For people: "block". */
  readonly typeName: string;
  /** Maximum size of each queue; its length is the number of queues. */
  readonly queueMaximumSizes: readonly number[];
  readonly queueNames: readonly string[];
  /** Queues whose buffers carry a stream: they are given back in the order in which they were filled. Absent: none. */
  readonly orderedQueues?: readonly number[];
  /** How many of the queues, the last ones, are administration virtqueues. Absent: none. [virtio 1.4, 2.13] */
  readonly administrationQueues?: number;
  /** Capabilities and resource objects for VIRTIO_F_ADMIN_VQ. Absent: none; the queue itself is added around the model. */
  readonly administration?: Administration;
  /** Device-specific feature bits offered (0..23, 50..127). Transport and ring bits are added by the core. */
  readonly features: bigint;
  /** Every field of the device type, also those whose feature is not offered. */
  readonly configFields: readonly ConfigField[];
  /** FEATURES_OK was accepted with these bits (transport and ring bits included). */
  negotiated(features: bigint): void;
  /** DRIVER_OK: the queues may be used. Called again, with its effects muted, when a snapshot is restored into a live device. */
  activate(context: DeviceContext): void;
  /** The driver notified a queue, or buffers may be available on it. Taking one buffer per call is enough: it is called again. */
  queueNotified(queue: number): void;
  /** The driver disabled or reset one queue: what the core held of it is dropped. Changes only the model's own state. */
  queueStopped?(queue: number): void;
  handleTimer?(token: number): void;
  /** Bytes from the outside (terminal, network) on a named channel, at a recorded step. */
  input?(channel: string, bytes: Uint8Array): void;
  /** The bytes of the configuration space now. */
  readConfig(offset: number, length: number): Uint8Array;
  writeConfig(offset: number, bytes: Uint8Array): void;
  /** Back to the state after construction; buffers in flight are dropped by the core. */
  reset(): void;
  save(): SavedState;
  restore(state: SavedState): void;
}
