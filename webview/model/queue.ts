// What the Queues screen draws: the rings of the selected queue and the chains in them, decoded. [virtio 1.4, 2.7, 2.8]
import type { CodePosition, NamedValue, RichText, Who } from './text';

/**
 * How far a descriptor has come: free, being filled by the driver, available and not fetched, in the device, used and not
 * collected. Drawn as hue, texture and this letter.
 */
export type OwnerState = 'F' | 'B' | 'A' | 'I' | 'U';

/** Whether the hart is about to store a value into a cell, and which: memory still holds the old one. */
export interface AttemptedValue {
  readonly column: 'addr' | 'len' | 'flags' | 'next' | 'id';
  /** Null when the cell is the mistake, but nothing is about to be stored. */
  readonly value: string | null;
}

/** What hovering or focusing a thing tells: its bytes, decoded. */
export interface DetailModel {
  readonly title: string;
  readonly subtitle: string;
  readonly state: OwnerState | null;
  /** The bytes in memory order, one group for each field: `01 00 00 00`. */
  readonly bytes: readonly string[];
  readonly fields: readonly DetailField[];
  readonly writtenAt: CodePosition | null;
  /** Guest-physical address that a click shows in memory, and how many bytes. */
  readonly address: string | null;
  readonly lengthBytes: number;
}
export interface DetailField {
  /** `+8`. */
  readonly offset: string;
  readonly name: string;
  readonly value: string;
  readonly meaning: string;
}

/** Which way data goes: `out` the device reads it, `in` the device writes it, `table` it is an indirect table. */
export type Direction = 'out' | 'in' | 'table';

export interface DescriptorRow {
  readonly index: number;
  readonly state: OwnerState;
  readonly address: string;
  readonly length: string;
  readonly direction: Direction;
  /** Names without the prefix: `NEXT WRITE`. */
  readonly flags: string;
  /** Null when NEXT is not set, and in packed rings. */
  readonly next: number | null;
  /** Present in packed rings. */
  readonly packed?: PackedCell;
  /** Head (packed: buffer id) of the chain it is in, or null. */
  readonly head: number | null;
  /** `0 header`, `draft`, or empty. */
  readonly part: string;
  /** The decoded request, on the head's row only. */
  readonly request?: string;
  readonly violated?: AttemptedValue;
  /** Changed by the newest event. */
  readonly changed?: boolean;
  readonly detail?: DetailModel;
}

/** An index that stands at a slot. `memory`: a field of the ring. `private`: kept by one side, reconstructed by the watcher. */
export interface Pointer {
  readonly label: string;
  readonly who: Who;
  readonly place: 'memory' | 'private';
}

/** What only packed rings have in a descriptor. */
export interface PackedCell {
  /** From 1: the lap in which it was last filled; 0 before the first. */
  readonly lap: number;
  /** The two flags as they stand in memory. */
  readonly available: 0 | 1;
  readonly used: 0 | 1;
  readonly id: number;
  readonly pointers: readonly Pointer[];
}

/** What one side of a packed ring says it wants to be told. */
export interface SuppressionModel {
  readonly side: Who;
  /** `DESC 9, wrap 1`. */
  readonly value: string;
  readonly meaning: string;
  readonly violated?: boolean;
}

/** A wrap counter, and the lap that it stands for, from 1. */
export interface WrapCounter {
  readonly wrap: 0 | 1;
  readonly lap: number;
}

/** What only packed rings have. */
export interface PackedModel {
  /** At the four places where somebody goes on: the driver fills and collects, the device fetches and writes used descriptors. */
  readonly available: WrapCounter;
  readonly fetch: WrapCounter;
  readonly used: WrapCounter;
  readonly collect: WrapCounter;
  /** The driver's, then the device's. */
  readonly suppression: readonly SuppressionModel[];
  readonly eventIdx: boolean;
}

export interface RingRow {
  readonly slot: number;
  /** Available ring: the head in the slot. Used ring: `id`. */
  readonly head: number;
  /** Used ring only. */
  readonly length?: string;
  /** Null when the entry is history. */
  readonly state: OwnerState | null;
  readonly pointers: readonly Pointer[];
  /** A word where there is neither a pointer nor an owner: `old`. */
  readonly note?: string;
  readonly violated?: boolean;
  readonly changed?: boolean;
}

export interface RingModel {
  /** Guest-physical address of the area, or null while it is not set. */
  readonly address: string | null;
  /** `idx 223 = lap 27, slot 7`. */
  readonly position: string;
  readonly rows: readonly RingRow[];
  /** Notification suppression and the like: `flags 0`, `used_event 220`. */
  readonly fields: readonly NamedValue[];
  /** `1 to fetch`. */
  readonly rest: string;
}

/** A connection between a ring slot and a descriptor, or between two descriptors (`link`). */
export interface Wire {
  readonly from: 'available' | 'used' | 'link';
  /** Slot, or for a `link` the descriptor it leaves. */
  readonly row: number;
  readonly descriptor: number;
  readonly who: Who;
  /** Not in effect yet: drawn dashed. */
  readonly draft: boolean;
  readonly violated: boolean;
}

/** One of the positions on the line of all indices, in ring order from the oldest. */
export interface IndexPosition extends Pointer {
  readonly value: number;
}
/** What lies between one position and the next. */
export interface IndexSpan {
  readonly state: OwnerState;
  readonly count: number;
  /** `2 to collect`. */
  readonly label: string;
}

export interface ChainCard {
  readonly descriptor: number;
  readonly role: string;
  readonly length: string;
  readonly address: string;
  readonly direction: Direction;
  /** Under the address at right: `IN`, `OK`, `not set`. */
  readonly note: string;
  readonly noteStrong?: boolean;
  readonly violated?: boolean;
  /** Not really part of the chain yet: drawn dashed, with `note` as the reason. */
  readonly ghost?: boolean;
  readonly detail?: DetailModel;
  /** The entries of an indirect table. */
  readonly table?: readonly ChainCard[];
  /** Entries that were left out of `table`, at its end. */
  readonly tableRest?: number;
}

export interface ChainModel {
  /** Null while the chain is not published. */
  readonly head: number | null;
  /** `head 3`, `not published`. */
  readonly title: string;
  readonly state: OwnerState;
  /** `write 4 KiB, sector 8`. */
  readonly request: string;
  /** `slot 5, idx 221 · 5.70 µs old`. */
  readonly where: RichText;
  readonly cards: readonly ChainCard[];
  /** Cards that were left out at the end. */
  readonly rest?: number;
  readonly waiting: RichText;
  /** From fetch to the time it is due, 0 to 1; null when there is no such time. */
  readonly progress: number | null;
  readonly violated: boolean;
}

export interface QueueModel {
  readonly device: string;
  readonly index: number;
  /** `requestq 0`. */
  readonly name: string;
  readonly format: 'split' | 'packed';
  readonly size: number;
  readonly ready: boolean;
  /** Negotiated features of the ring in words: `INDIRECT_DESC, EVENT_IDX`. */
  readonly features: string;
  /** One letter of `OwnerState` for each descriptor. */
  readonly states: string;
  readonly tableAddress: string | null;
  /**
   * All rows of a small table; of a large one those around the rows that the page asked for with `showRows`. Ascending by index.
   */
  readonly descriptors: readonly DescriptorRow[];
  /** Under the table: `none free, 1 being filled`. */
  readonly summary: RichText;
  /** Empty in packed rings, like `used` and `wires`. */
  readonly available: RingModel;
  readonly used: RingModel;
  /** Present in packed rings that are ready. */
  readonly packed?: PackedModel;
  readonly wires: readonly Wire[];
  readonly positions: readonly IndexPosition[];
  readonly spans: readonly IndexSpan[];
  /** `3 in flight, 1 being built`. */
  readonly chainSummary: string;
  /** Oldest first; a chain that is still being built is last. */
  readonly chains: readonly ChainModel[];
  /** Chains that were left out at the end. */
  readonly chainRest: number;
  /** When nothing is in flight: why, and the last request. */
  readonly idle: RichText | null;
}
