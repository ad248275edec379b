// What the watchers remember of one queue: its set-up, the driver's and the device's indices, and who owns what. [virtio 1.4, 2.7, 2.8]
import type { Chain } from '../../record/events';
import type { RingFormat } from '../queue/ring';
import type { DriverEvent, FactOf } from '../rules/rule';
import type { ConsumptionState } from './consumption';
import type { WaitingState } from './waiting';

/** Registers of the set-up, as written since the last reset. */
export type QueueSetup = Record<FactOf<'queue-setup'>['field'], number | undefined>;

/** A published chain until the driver collects it. */
export interface ChainState {
  readonly chain: Chain;
  readonly published: DriverEvent;
  /** `available`: exposed, not fetched. `in flight`: the device works on it. `used`: given back, not yet seen by the driver. */
  phase: 'available' | 'in flight' | 'used';
}

/**
 * Who owns a cell of ring memory: free (the driver may do as it likes), being built, available to the device, in flight at the
 * device, used but not collected.
 */
export type Ownership = 'free' | 'building' | 'available' | 'in flight' | 'used';

/** What decides whether a notification is required after a publish. [virtio 1.4, 2.7.10] */
export interface NotificationState {
  /** Oldest publish that still needs a notification, as far as is known; undefined: none. */
  owed: DriverEvent | undefined;
  /** Available index at the last notification or at the last load that showed none was needed. */
  decidedIndex: number;
  /** Oldest publish since the last notification. */
  publishedSince: DriverEvent | undefined;
  /**
   * Used flags (without EVENT_IDX) or avail_event (with it), as the driver loaded it after its last publish; packed: the whole device
   * event suppression structure, as `deviceWish` puts it together.
   */
  loaded: { readonly value: number; readonly event: DriverEvent } | undefined;
  /** Packed: the fields of the device event suppression structure, as the driver loaded them after its last publish. */
  loadedFlags: number | undefined;
  loadedDesc: number | undefined;
  /** The device had asked for silence when the newest publish was made. */
  silencedAtPublish: boolean;
  /** Loads of the used index that showed nothing new since `owed` began. */
  fruitlessLoads: number;
}

export interface QueueState {
  readonly index: number;
  readonly maximumSize: number;
  setup: QueueSetup;
  /** QueueSizeMax was read in this lap. */
  maximumRead: boolean;
  /** Legacy mmio: QueueAlign was written in this lap. */
  alignWritten: boolean;
  ready: boolean;
  /** Enabled before in this lap. */
  wasReady: boolean;
  /** QueueReady was written 0 and not read back since. */
  stopUnread: DriverEvent | undefined;
  /** The queue was reset and that was not read back as complete. [2.6.1.1.2] */
  resetUnread: DriverEvent | undefined;
  /** Reset on its own, and not enabled since. */
  wasReset: boolean;
  /** Format of the ring, decided when the queue is enabled. */
  format: RingFormat;
  /** Queue size in force while ready. */
  size: number;
  descriptorArea: number;
  driverArea: number;
  deviceArea: number;
  /**
   * Free-running 16-bit indices: published by the driver, fetched and used by the device, seen by the driver. Of a packed ring they are
   * positions, which count descriptors and never wrap.
   */
  availableIndex: number;
  fetchedIndex: number;
  usedIndex: number;
  collectedIndex: number;
  /** used flags and avail_event as the device last set them; packed: flags and desc of its event suppression structure. */
  usedFlags: number;
  availEvent: number;
  /** Chains not yet collected, by available-ring position (16 bit). */
  chains: Map<number, ChainState>;
  /** Position of the newest chain that holds a descriptor of the queue's table, by descriptor index; only uncollected chains. */
  holderOf: Map<number, number>;
  /** Guest-physical start of an indirect table in use -> length in bytes and position of its chain. */
  tables: Map<number, { bytes: number; position: number }>;
  /** Positions of chains in the order the device gave them back, from `collectedIndex`. */
  usedPositions: (number | undefined)[];
  /** Packed: the used position after each of `usedPositions`. */
  usedEnds: number[];
  /** Newest driver store to each field of the queue's own descriptor table, by guest-physical address of the field. */
  descriptorStores: Map<number, DriverEvent>;
  /** Newest driver store to each slot of the available ring; packed: to the flags of each descriptor. */
  slotStores: Map<number, DriverEvent>;
  /** Slots stored since the last publish. */
  slotsSincePublish: Set<number>;
  /** Descriptors (by index) stored since they were last free. */
  building: Set<number>;
  notification: NotificationState;
  waiting: WaitingState;
  consumption: ConsumptionState;
  /** The newest fact about the queue, when it is a load of the used index that showed the driver nothing new. */
  polled: (DriverEvent & { readonly kind: 'ring-load' | 'ring-store' }) | undefined;
  /** Newest store to a descriptor of the queue's own table or to a slot of the available ring. */
  newestStore: DriverEvent | undefined;
  /** Newest publish. */
  lastPublish: DriverEvent | undefined;
  /** Newest load that showed new used entries. */
  lastCollect: DriverEvent | undefined;
  /** Newest store that asked for an interrupt at the next used entry. */
  interruptWanted: DriverEvent | undefined;
  /** Newest look at the used index since then, when it is not ordered behind that store. */
  looseRecheck: DriverEvent | undefined;
}
