// The one stream of facts about virtio. Everything else (views, trace file, trees, DAP, command line) is a projection of it.
// Guarantees: events are plain data, frozen once recorded, in the order of `index`; times never go back.

/** Where in time an event stands. */
export interface EventStamp {
  /** Position in the stream, from 0. */
  readonly index: number;
  /** Machine step (instructions attempted, summed over harts) at which it happened. */
  readonly step: number;
  readonly virtualNanoseconds: number;
}

/** The hart's instruction behind a driver event. */
export interface DriverOrigin {
  readonly by: 'driver';
  readonly hart: number;
  /** Virtual address of the instruction. */
  readonly pc: bigint;
}
/** The device acted, at a scheduled moment. */
export interface DeviceOrigin {
  readonly by: 'device';
}

/** Facts of the registers. `device` is the device's name in the configuration. */
export type RegisterFact = { readonly device: string } & (
  | {
      /** Any access to the transport's control registers; semantic facts below follow it. */
      readonly kind: 'register-read' | 'register-write';
      /** On PCI: which structure, and with several of its type which one. */
      readonly structure?: PciStructureName | undefined;
      readonly instance?: number | undefined;
      /** Byte offset in the transport's register block, or in the structure. */
      readonly offset: number;
      readonly size: 1 | 2 | 4 | 8;
      /** Read: the value given. Write: the value written. */
      readonly value: bigint;
      /** The register's name in the specification's spelling, `undefined` for a hole. */
      readonly register: string | undefined;
      /** Why the access is not served as meant (read gives 0, write is ignored). */
      readonly defect?: 'no-register' | 'width' | 'read-only' | 'write-only' | undefined;
    }
  | {
      /** Device-specific configuration space; `offset` from its start. `field` is undefined beyond the described fields. */
      readonly kind: 'config-read' | 'config-write';
      readonly offset: number;
      readonly size: 1 | 2 | 4;
      readonly value: bigint;
      readonly field: string | undefined;
      /** Which half of a 64-bit access this is: the device gets such an access as two, low half first. */
      readonly half?: 'low' | 'high' | undefined;
    }
  | { readonly kind: 'config-generation-read'; readonly value: number }
  | {
      readonly kind: 'identity-read';
      readonly register: 'MagicValue' | 'Version' | 'DeviceID' | 'VendorID';
      readonly value: number;
    }
  | { readonly kind: 'status-read'; readonly value: number }
  | {
      /** A write to Status. `after` is what the device made of it (a refused FEATURES_OK stays clear; 0 is a reset). */
      readonly kind: 'status-write';
      readonly before: number;
      readonly value: number;
      readonly after: number;
    }
  | { readonly kind: 'device-features-select'; readonly value: number }
  | {
      readonly kind: 'device-features-read';
      readonly window: number;
      readonly selected: boolean;
      readonly value: number;
    }
  | { readonly kind: 'driver-features-select'; readonly value: number }
  | {
      readonly kind: 'driver-features-write';
      readonly window: number;
      /** Whether DriverFeaturesSel was written since reset. */
      readonly selected: boolean;
      readonly value: number;
      readonly acceptedBefore: bigint;
      readonly acceptedAfter: bigint;
    }
  | { readonly kind: 'queue-select'; readonly value: number }
  | { readonly kind: 'queue-size-max-read'; readonly queue: number; readonly value: number }
  | {
      readonly kind: 'queue-setup';
      readonly queue: number;
      readonly field:
        | 'QueueSize'
        | 'QueueDescLow'
        | 'QueueDescHigh'
        | 'QueueDriverLow'
        | 'QueueDriverHigh'
        | 'QueueDeviceLow'
        | 'QueueDeviceHigh';
      readonly value: number;
      /** Whether the queue was ready (enabled) at this moment. */
      readonly ready: boolean;
    }
  | {
      readonly kind: 'queue-ready-write';
      readonly queue: number;
      readonly before: number;
      readonly value: number;
      readonly after: number;
      /** Legacy interfaces: a page frame number stands for all three areas, and 0 for none. */
      readonly pageFrame?: PageFrameFact | undefined;
    }
  | { readonly kind: 'queue-ready-read'; readonly queue: number; readonly value: number }
  /** Legacy mmio: the unit of QueuePFN, and the alignment of a queue's used ring, in bytes. [virtio 1.4, 4.2.4] */
  | { readonly kind: 'guest-page-size-write'; readonly value: number; readonly queuesInUse: boolean }
  | { readonly kind: 'queue-align-write'; readonly queue: number; readonly value: number; readonly ready: boolean }
  | { readonly kind: 'queue-reset-write' | 'queue-reset-read'; readonly queue: number; readonly value: number }
  | {
      readonly kind: 'notify';
      readonly queue: number;
      /** What was written. */
      readonly value: number;
      readonly exists: boolean;
      /** With VIRTIO_F_NOTIFICATION_DATA: the upper 16 bits, the available idx (split) or slot and wrap counter (packed). */
      readonly data?: number | undefined;
      /** With VIRTIO_F_NOTIF_CONFIG_DATA: queue_notif_config_data of the queue, which the low 16 bits have to be. */
      readonly configData?: number | undefined;
    }
  | { readonly kind: 'interrupt-status-read'; readonly value: number }
  | { readonly kind: 'interrupt-acknowledge'; readonly value: number; readonly before: number; readonly after: number }
  | { readonly kind: 'shared-memory-access'; readonly register: string }
  | {
      /** PCI configuration space of the function, which is not the device's own; `field` names the register or the capability. */
      readonly kind: 'pci-config-write';
      readonly offset: number;
      readonly size: 1 | 2 | 4;
      readonly value: number;
      readonly field: string | undefined;
      /** The capability that holds the byte: its type, and where in it. Virtio structures have their cfg_type. */
      readonly capability?: PciCapabilityPlace | undefined;
    }
  | { readonly kind: 'pci-command-write'; readonly before: number; readonly after: number }
  /** vendor_id of a vendor capability was read. */
  | { readonly kind: 'pci-vendor-id-read'; readonly value: number }
  | {
      /** The window through configuration space was used. `inside`: it lies within a structure that another capability names. */
      readonly kind: 'pci-window-access';
      readonly bar: number;
      readonly offset: number;
      readonly length: number;
      readonly inside: boolean;
    }
  | {
      /** MSI-X: the vector of a queue, or of configuration changes where `queue` is undefined. `after` is what it reads as. */
      readonly kind: 'vector-write';
      readonly queue: number | undefined;
      readonly value: number;
      readonly after: number;
      readonly vectors: number;
    }
  | { readonly kind: 'vector-read'; readonly queue: number | undefined; readonly value: number }
);

/** A place in the list of capabilities. */
export interface PciCapabilityPlace {
  /** Capability ID: 9 for virtio structures, 0x11 for MSI-X. */
  readonly id: number;
  readonly cfgType: number | undefined;
  /** Bytes from its start. */
  readonly at: number;
}

/** Where on a PCI device an access goes; `none`: to nothing that a capability names. [virtio 1.4, 4.1.4] */
export type PciStructureName =
  'common' | 'notify' | 'isr' | 'device' | 'legacy' | 'msix-table' | 'msix-pba' | 'shared-memory' | 'reserved' | 'none';

/** A page frame number as written, and the queue that it describes. */
export interface PageFrameFact {
  readonly value: number;
  readonly size: number;
  /** Guest-physical addresses. */
  readonly descriptor: bigint;
  readonly available: bigint;
  readonly used: bigint;
}

/** Which structure of a split ring an access touches. [virtio 1.4, 2.7] */
export type SplitPlace =
  | {
      readonly part: 'descriptor';
      readonly index: number;
      readonly field: 'addr' | 'len' | 'flags' | 'next';
      readonly table?: number;
    }
  | { readonly part: 'available'; readonly field: 'flags' | 'idx' | 'used_event' }
  | { readonly part: 'available'; readonly field: 'ring'; readonly slot: number }
  | { readonly part: 'used'; readonly field: 'flags' | 'idx' | 'avail_event' }
  | { readonly part: 'used'; readonly field: 'id' | 'len'; readonly slot: number };

/** Which structure of a packed ring an access touches. The event parts are the two event suppression structures. [virtio 1.4, 2.8] */
export type PackedPlace =
  | {
      readonly part: 'descriptor';
      readonly index: number;
      readonly field: 'addr' | 'len' | 'id' | 'flags';
      readonly table?: number;
    }
  | { readonly part: 'driver-event' | 'device-event'; readonly field: 'desc' | 'flags' };
export type RingPlace = SplitPlace | PackedPlace;

/** Facts of the rings in guest memory. A wide access is reported once for each field that it touches, in address order. */
export type RingFact = { readonly device: string; readonly queue: number } & (
  | {
      readonly kind: 'ring-load' | 'ring-store';
      /** In `descriptor` places, `table` is the guest-physical address of an indirect table when it is not the queue's own. */
      readonly place: RingPlace;
      readonly physicalAddress: number;
      /** The field's whole value before and after (equal for loads). */
      readonly before: bigint;
      readonly after: bigint;
      /** Whether the access covers less than the whole field. */
      readonly partial: boolean;
      readonly acquire: boolean;
      readonly release: boolean;
    }
  | {
      /**
       * The available index moved: these heads are exposed to the device now. Follows the `ring-store` of idx. In a packed ring the
       * flags of the next descriptor became available; the indices then are positions, which count descriptors and never wrap.
       */
      readonly kind: 'publish';
      readonly before: number;
      readonly after: number;
      readonly chains: readonly Chain[];
      /** Packed only: the queue size, by which a position is a slot and a wrap counter. */
      readonly packedSize?: number;
    }
  | {
      /**
       * A load showed the driver used entries it had not seen. Follows the `ring-load` of the used idx; in a packed ring that of the
       * flags of a used descriptor, and the indices are positions.
       */
      readonly kind: 'collect';
      readonly before: number;
      readonly after: number;
      /** Packed only: the queue size, by which a position is a slot and a wrap counter. */
      readonly packedSize?: number;
    }
  | {
      /**
       * A load of what a used index announced is not ordered behind the load of that index, so it may return older contents. Seen once for
       * each `collect`, at the first such load; nothing is recorded where the order is kept.
       */
      readonly kind: 'unordered';
      readonly target: 'used-entry' | 'buffer';
      /** What is loaded. */
      readonly physicalAddress: number;
      /** The load of the used index. */
      readonly earlierPc: bigint;
      readonly earlierStep: number;
      /** The fences between the two, oldest first, as assembly: `fence rw,w`. */
      readonly fences: readonly string[];
    }
  | {
      /**
       * The driver accesses bytes of a buffer that are not its own to access: it changes them while the device has them, or loads what the
       * device is still to write or did not write. Only some buffers are followed, each until its first such access.
       */
      readonly kind: 'buffer-access';
      readonly access: 'load' | 'store';
      readonly head: number;
      /** Index of its descriptor in its table. */
      readonly descriptor: number;
      /** The buffer, guest-physical, and its bytes. */
      readonly start: number;
      readonly length: number;
      readonly deviceWritable: boolean;
      /** `owned`: at the device. `used`: given back, which the driver has not seen. `seen`: given back, and the driver knows. */
      readonly phase: 'owned' | 'used' | 'seen';
      /** How many of its bytes the device wrote. */
      readonly written: number;
      readonly physicalAddress: number;
      readonly size: number;
      readonly before: bigint;
      readonly after: bigint;
    }
);

/** One descriptor of a chain as it stood in memory when it was walked. */
export interface ChainElement {
  /** Index in its table. */
  readonly index: number;
  /** Guest-physical address of the descriptor itself. */
  readonly at: number;
  readonly address: bigint;
  readonly length: number;
  readonly flags: number;
  /** Packed: the slot or entry that follows in memory. */
  readonly next: number;
  /** Buffer id; packed only. */
  readonly id?: number;
  readonly deviceWritable: boolean;
  /** Whether it stands in an indirect table. */
  readonly indirect: boolean;
}
/** What is wrong with a chain, found while walking it; the walk goes on where the rest of the chain is still well defined. */
export type ChainDefect =
  | { readonly kind: 'head-out-of-range'; readonly head: number; readonly queueSize: number }
  | { readonly kind: 'next-out-of-range'; readonly index: number; readonly next: number; readonly limit: number }
  | { readonly kind: 'loop'; readonly index: number }
  | { readonly kind: 'too-long'; readonly count: number; readonly limit: number }
  | { readonly kind: 'too-many-bytes'; readonly bytes: number }
  | { readonly kind: 'readable-after-writable'; readonly index: number }
  | { readonly kind: 'indirect-not-negotiated'; readonly index: number }
  | { readonly kind: 'indirect-nested'; readonly index: number }
  | { readonly kind: 'indirect-and-next'; readonly index: number }
  | { readonly kind: 'indirect-length'; readonly index: number; readonly length: number }
  | { readonly kind: 'indirect-outside-memory'; readonly index: number; readonly address: bigint }
  | {
      readonly kind: 'buffer-outside-memory';
      readonly index: number;
      readonly address: bigint;
      readonly length: number;
    }
  | { readonly kind: 'zero-length'; readonly index: number }
  /** Packed: a descriptor of the list is not marked available in the lap that the walk is in. */
  | { readonly kind: 'not-available'; readonly index: number; readonly flags: number }
  /** Packed: an entry of an indirect table has other flags than WRITE. */
  | { readonly kind: 'indirect-entry-flags'; readonly index: number; readonly flags: number };
export interface Chain {
  /** Index of the first descriptor; in a packed ring the buffer id, which is what comes back with the used descriptor. */
  readonly head: number;
  /** Slot of the available ring, and the free-running available index of this entry; packed: slot and position of the first descriptor. */
  readonly slot: number;
  readonly position: number;
  readonly elements: readonly ChainElement[];
  /** The descriptors that point at indirect tables, in order. */
  readonly tables: readonly { readonly index: number; readonly address: number; readonly entries: number }[];
  readonly defects: readonly ChainDefect[];
  /** Packed only: the wrap counter at its first descriptor, and how many descriptors of the ring it takes. */
  readonly packed?: { readonly wrap: 0 | 1; readonly descriptors: number };
}

/** Facts of the device side. */
export type DeviceFact = { readonly device: string } & (
  | { readonly kind: 'fetch'; readonly queue: number; readonly chain: Chain }
  | {
      readonly kind: 'dma-read' | 'dma-write';
      readonly queue: number;
      readonly head: number;
      readonly address: number;
      readonly length: number;
    }
  | {
      /** What the device made of the buffer, in words: "read 8 sectors from 2048". Given when it is known. */
      readonly kind: 'request';
      readonly queue: number;
      readonly head: number;
      readonly description: string;
      readonly status?: string | undefined;
    }
  | {
      readonly kind: 'used';
      readonly queue: number;
      readonly head: number;
      readonly length: number;
      readonly slot: number;
      /**
       * With VIRTIO_F_IN_ORDER: how many buffers this one entry gives back, `head` being the last of them. Absent: this one alone.
       */
      readonly batch?: number;
      /** The used idx after this entry was exposed; packed: the position of the next used descriptor. */
      readonly usedIndex: number;
      /** Packed only: the queue size, by which a position is a slot and a wrap counter. */
      readonly packedSize?: number;
    }
  | {
      /** `desc` is that of a packed ring's device event suppression structure, whose flags are then RING_EVENT_FLAGS_DESC. */
      readonly kind: 'suppression';
      readonly queue: number;
      readonly field: 'flags' | 'avail_event' | 'desc';
      readonly value: number;
      /** Packed only: the queue size, by which a position is a slot and a wrap counter. */
      readonly packedSize?: number;
    }
  | {
      readonly kind: 'interrupt';
      readonly cause: 'used-buffer' | 'config-change';
      readonly queue: number | undefined;
      /** `suppressed`: the driver asked not to be interrupted, by this means. */
      readonly outcome: 'raised' | 'already-pending' | 'suppressed';
      readonly interruptStatus: number;
      /** With MSI-X switched on: the vector of the event; 0xffff where none is mapped. `already-pending` is then a masked vector. */
      readonly vector?: number;
    }
  | {
      /** Something came from outside, and the queue has no buffer to put it into. */
      readonly kind: 'starved';
      readonly queue: number;
    }
  | {
      /** The device fetched ring memory to which a hart had stored, and did not see the store: nothing had ordered it. */
      readonly kind: 'stale-fetch';
      readonly queue: number;
      readonly head: number;
      readonly store: {
        readonly hart: number;
        readonly pc: bigint;
        readonly step: number;
        /** Guest-physical. */
        readonly address: number;
        readonly length: number;
      };
    }
  | { readonly kind: 'config-change'; readonly generation: number }
  /** The reset of one queue, asked for by QueueReset, is complete. */
  | { readonly kind: 'queue-reset-done'; readonly queue: number }
  | { readonly kind: 'needs-reset'; readonly reason: string }
  | { readonly kind: 'reset-done' }
  /** Status shows SUSPEND and no DRIVER_OK any more, or the other way round. [virtio 1.4, 3.4] */
  | { readonly kind: 'suspended' | 'resumed' }
  | { readonly kind: 'device-fault'; readonly message: string }
);

/** Facts of the board that rules about interrupts need. `source` is the interrupt controller's source number. */
export type BoardFact =
  | {
      readonly kind: 'interrupt-claim' | 'interrupt-complete';
      readonly device: string | undefined;
      readonly source: number;
      readonly context: number;
    }
  | { readonly kind: 'interrupt-line'; readonly device: string; readonly source: number; readonly level: boolean }
  | { readonly kind: 'idle'; readonly device: undefined; readonly harts: number };

/** What a driver's instruction is about to do, before it takes effect, in the same words as the fact that follows. */
export type DriverFact = RegisterFact | RingFact;
export type VirtioFact =
  | (DriverFact & DriverOrigin)
  | (DeviceFact & DeviceOrigin)
  | (BoardFact & { readonly by: 'board'; readonly hart?: number; readonly pc?: bigint });
/** A recorded fact. */
export type VirtioEvent = VirtioFact & EventStamp;
export type EventKind = VirtioFact['kind'];

/**
 * Where transports, rings and the board deliver what happens. `attempt` is asked before a driver's access takes effect and must not
 * change anything a guest or a later judgement can see; `record` is told after it took effect.
 */
export interface EventSink {
  attempt(fact: DriverFact & DriverOrigin): 'proceed' | 'stop';
  record(fact: VirtioFact): VirtioEvent;
  /**
   * Asked in place of `record` when a load of ring memory is the only fact of its access. True: it repeats the newest fact about its queue,
   * a fruitless look at the used index, and was taken account of without becoming an event.
   */
  repeats?(fact: DriverOrigin & Extract<RingFact, { kind: 'ring-load' | 'ring-store' }>): boolean;
}
