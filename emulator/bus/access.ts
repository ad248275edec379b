// What one access on the bus is, and what a memory-mapped region answers. Shared by the processor, the bus, the board and virtio.

/** Width of an access in bytes. */
export type AccessSize = 1 | 2 | 4 | 8;

/** Who executes an access: always an explicit load, store or atomic of a hart, never a fetch or a page-table walk. */
export interface Accessor {
  readonly hart: number;
  /** Virtual address of the instruction. */
  readonly pc: bigint;
  /** Virtual address of the operand. */
  readonly virtualAddress: bigint;
  /** Machine step of the instruction (instructions attempted before it). */
  readonly step: number;
}

/**
 * A memory-mapped device region. `offset` is in bytes from the region's base; the bus only passes naturally aligned accesses of
 * 1, 2, 4 or 8 bytes that lie wholly inside. Values are zero-extended.
 */
export interface MmioRegion {
  readonly name: string;
  /** Guest-physical address. */
  readonly base: number;
  readonly sizeBytes: number;
  /** A read with its side effects; `undefined` is an access fault. */
  read(offset: number, size: AccessSize, by: Accessor): bigint | undefined;
  /** A write with its side effects; `false` is an access fault. */
  write(offset: number, size: AccessSize, value: bigint, by: Accessor): boolean;
  /** What a read would give, without any effect: for debuggers. `undefined` where nothing can be shown. */
  peek(offset: number, size: AccessSize): bigint | undefined;
  /**
   * Called before `read` or `write` takes effect. `'stop'` makes the hart stop in front of the instruction; when it is executed
   * again (after the user continued) the machine does not ask a second time.
   */
  attempt?(offset: number, size: AccessSize, kind: 'read' | 'write', value: bigint, by: Accessor): 'proceed' | 'stop';
}

/** A load, store or atomic on a page of RAM that somebody watches. Addresses are guest-physical. */
export interface WatchedAccess extends Accessor {
  readonly physicalAddress: number;
  readonly size: AccessSize;
  /** `atomic` is an AMO or a successful SC: `value` is what it stores, and it loads too when `loads` is set. */
  readonly kind: 'load' | 'store' | 'atomic';
  readonly loads: boolean;
  /** For stores: the value about to be stored, zero-extended. For loads: the value in memory. */
  readonly value: bigint;
  /** What memory holds before the access, zero-extended. */
  readonly before: bigint;
  /** Ordering annotations of AMO, LR and SC. [RISC-V unpriv., "A" extension] */
  readonly acquire: boolean;
  readonly release: boolean;
}

/** Something whose whole state can be saved as plain data and put back: for snapshots, hashes and replay. */
export interface Stateful {
  save(): SavedState;
  restore(state: SavedState): void;
}
/**
 * Plain data: structured-clonable, no functions, no class instances, and no part shared with live state. Whoever made it takes it back,
 * so its shape is known to one class only.
 */
export type SavedState = object;
