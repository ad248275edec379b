// What the watchers remember of each device: plain data, so that it can be saved, restored and shown. Only watchers change it; rules
// and views read it. "Lap" is the time between two device resets; most of it starts anew with each lap. [virtio 1.4, 2.4, 3.1]
import type { VirtioEvent } from '../../record/events';
import type { VirtioDeviceInspection } from '../inspection';
import type { DialectName } from '../spec/dialect';
import type { TransportName } from '../spec/feature';
import type { DriverEvent } from '../rules/rule';
import type { AdministrationState } from './administration';
import type { NetState } from './net';
import type { ChainState, QueueState } from './queue-state';
import type { SuspendState } from './suspend';
import type { AnnouncedChange } from './waiting';

/** What does not change while the machine runs. A slot without a device has `deviceId` 0. */
export interface DeviceDescription {
  /** The name that its facts carry. */
  readonly name: string;
  readonly transport: TransportName;
  /** The handshake that the device expects over its modern interface. */
  readonly dialect: DialectName;
  readonly deviceId: number;
  /** Every feature bit the device offers, transport and ring bits included. */
  readonly offered: bigint;
  readonly queueMaximumSizes: readonly number[];
  /** Number of shared memory regions. */
  readonly sharedMemory: number;
  /** How many of them, the last ones, are administration virtqueues. */
  readonly administrationQueues: number;
  readonly configFields: VirtioDeviceInspection['configFields'];
}

export type { ChainState, QueueState };

/** The initialisation sequence of the current lap. [virtio 1.4, 3.1.1] */
export interface HandshakeState {
  /** Device status as the driver would read it. */
  status: number;
  /** The write of 0 that began this lap; undefined before the first reset since power-on. */
  reset: VirtioEvent | undefined;
  /** Whether a status read has returned 0 since that reset. */
  resetReadBack: boolean;
  /** Whether the device has said that it is done with that reset. */
  resetDone: boolean;
  /** Whether anything but Status was accessed since that reset, or Status was written. */
  resetUsed: boolean;
  /** The write that first asked for each status bit in this lap, by bit value. */
  setBy: Map<number, VirtioEvent>;
  /** Status bits that the driver wrote in this lap, whether the device took them or not. */
  written: number;
  /** FEATURES_OK was written and status not read since. */
  featuresOkUnread: boolean;
  /** A status read showed that FEATURES_OK stayed clear after it was written. */
  featuresRefusedSeen: VirtioEvent | undefined;
  /** Bits at which the dialect has the device judge, written and Status not read since. */
  unread: number;
  /** Those of them that the last read of Status showed cleared again. */
  refused: number;
}

/** What was read to find the device; kept over resets. [virtio 1.4, 4.2.3.1.1] */
export interface IdentityState {
  magicRead: boolean;
  versionRead: boolean;
  deviceIdRead: boolean;
  /** Value of the last DeviceID read. */
  deviceId: number | undefined;
  /** Whether another register was accessed before MagicValue and Version were read. */
  usedOtherwise: boolean;
  /** Whether another register was accessed after those two and before DeviceID. */
  usedBeforeDeviceId: boolean;
}

/** Feature negotiation. [virtio 1.4, 2.2] */
export interface FeatureState {
  /** 32-bit windows of the offer that were read in this lap, and since power-on. */
  windowsRead: Set<number>;
  windowsEverRead: Set<number>;
  /** Windows of the driver's choice that were written in this lap. */
  windowsWritten: Set<number>;
  accepted: bigint;
}

/** A field wider than 32 bits that is being read in halves. */
export interface WideRead {
  /** Bits: 1 low half read, 2 high half read. */
  parts: number;
  /** Whether ConfigGeneration was read before the first half. */
  guarded: boolean;
  event: VirtioEvent;
}

/** Reads of the configuration space between looks at ConfigGeneration. [virtio 1.4, 2.5] */
export interface ConfigState {
  /** The last ConfigGeneration read in this lap. */
  generation: { readonly value: number; readonly event: VirtioEvent } | undefined;
  /** Whether configuration was read since then. */
  readSince: boolean;
  /** ConfigGeneration showed another value after configuration was read: the reads have to be done again. */
  staleSince: VirtioEvent | undefined;
  /** Wide fields read and not yet confirmed by a second look at ConfigGeneration, by field name. */
  halves: Map<string, WideRead>;
}

/** The device's interrupt. A claim stays the current one until the next. [virtio 1.4, 4.2.3.4] */
export interface InterruptState {
  claim: VirtioEvent | undefined;
  /** Between claim and completion. */
  serving: boolean;
  /** The first InterruptStatus read since the claim. */
  readSinceClaim: VirtioEvent | undefined;
  acknowledgedSinceClaim: boolean;
  /** Bits seen in InterruptStatus and not acknowledged since, with the last read that showed them. */
  seen: number;
  seenBy: VirtioEvent | undefined;
  /** Those of them that were seen while the interrupt was being served. */
  seenServing: number;
}

/** What belongs to a PCI function and survives device resets, except the vectors. [virtio 1.4, 4.1] */
export interface PciState {
  /** The command register. */
  command: number;
  msixEnabled: boolean;
  /** Whether it holds its interrupt wire up. */
  wireUp: boolean;
  /** vendor_id of a vendor capability was read. */
  vendorIdRead: boolean;
  /** Vectors written and not read back, by queue; undefined stands for configuration changes. */
  unreadVectors: Map<number | undefined, DriverEvent & { readonly kind: 'vector-write' }>;
}

export interface DeviceState {
  readonly description: DeviceDescription;
  /** Values of the configuration fields by name, as the driver would read them. */
  configValues: Map<string, bigint>;
  /** Whether the driver uses the legacy interface. */
  legacy: boolean;
  /** Legacy mmio: GuestPageSize as written; a reset leaves it alone. */
  guestPageBytes: number | undefined;
  pci: PciState;
  /** Device resets since power-on. */
  lap: number;
  handshake: HandshakeState;
  identity: IdentityState;
  suspend: SuspendState;
  features: FeatureState;
  config: ConfigState;
  interrupt: InterruptState;
  announced: AnnouncedChange;
  queues: QueueState[];
  administration: AdministrationState;
  /** Only network devices use it. */
  net: NetState;
  /** The last access of the driver to this device: where absence is blamed when there is no better place. */
  lastAccess: DriverEvent | undefined;
  needsReset: VirtioEvent | undefined;
}
