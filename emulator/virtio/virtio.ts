// Composition of the virtio side of a machine: devices, their cores, the mmio slots and the ring watch, from plain configuration.
// [virtio 1.4, 4.2; QEMU `virt` board: eight slots, the first device in the top one]
import type { MmioRegion, SavedState, Stateful, WatchedAccess } from '../bus/access';
import type { GuestMemory } from '../bus/memory';
import type { InterruptLine } from '../board/contract';
import type { Clock } from '../clock';
import type { DeviceConfiguration } from '../configuration';
import type { EventSink } from '../record/events';
import type { VirtioDeviceInspection } from './inspection';

/** A place on the board where a virtio-mmio device can sit. */
export interface VirtioSlot {
  /** Guest-physical address of its register block, 0x1000 bytes. */
  readonly base: number;
  readonly interrupt: InterruptLine;
}

/** What the machine gives to virtio. */
export interface VirtioEnvironment {
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly sink: EventSink;
  readonly slots: readonly VirtioSlot[];
  /** Seed of the machine; each device draws its own sequence from it. */
  readonly seed: number;
  /** Bytes that a device sends out. The channel is the device's configured name. */
  output(channel: string, bytes: Uint8Array): void;
  /** Sets the watch flags (`pageFlag.watchLoad | pageFlag.watchStore`, or 0) of one 4 KiB page, counted from the start of RAM. */
  setWatch(page: number, flags: number): void;
}

/** One virtio device as the rest of the machine sees it. */
export interface InspectableDevice {
  readonly name: string;
  readonly slot: number;
  readonly base: number;
  readonly interruptSource: number;
  inspect(): VirtioDeviceInspection;
}

export interface Virtio extends Stateful {
  /** One region for each slot, empty slots included. */
  readonly regions: readonly MmioRegion[];
  /** In the order of the configuration. */
  readonly devices: readonly InspectableDevice[];
  beforeWatched(access: WatchedAccess): 'proceed' | 'stop';
  afterWatched(access: WatchedAccess): void;
  /** Bytes from the outside, at a recorded step. Throws when no device has this channel. */
  input(channel: string, bytes: Uint8Array): void;
  save(): SavedState;
  restore(state: SavedState): void;
}

/** Builds the devices. Throws an Error that names the device when two want one slot or there are too many. */
export type CreateVirtio = (configurations: readonly DeviceConfiguration[], environment: VirtioEnvironment) => Virtio;
