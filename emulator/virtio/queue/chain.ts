// Walks one descriptor chain of either ring format, indirect tables included: one iterator, and for each format a table of how a
// descriptor is read and where the walk goes from it. [virtio 1.4, 2.7.5, 2.8.5, 2.8.7]
// Guarantees: never throws, never reads outside RAM, looks at no more than `maximumElements` descriptors, and says which rule each
// oddity breaks. It goes on after a defect wherever the rest of the chain is still well defined, so one walk finds them all.
import type { GuestMemory } from '../../bus/memory';
import type { Chain, ChainDefect, ChainElement } from '../../record/events';
import { availableBits, lapBits, packedOffset, wrapOf } from '../spec/packed-ring';
import { descriptorBytes, descriptorFlag, descriptorOffset } from '../spec/split-ring';

/** What walking needs of memory. */
export type ReadableMemory = Pick<GuestMemory, 'contains' | 'read16' | 'read32' | 'read64'>;

/** Longest chain that a device takes, whatever the queue's size; QEMU's limit. [2.7.4.1: a device may have a limit] */
export const maximumElements = 1024;
/** A chain may not carry more bytes than this. [2.7.5.2] */
const maximumChainBytes = 2 ** 32;

export interface ChainSource {
  readonly memory: ReadableMemory;
  /** Address of the queue's descriptor table or ring; all of it must lie in RAM. */
  readonly descriptorAddress: number;
  readonly queueSize: number;
  /** Whether INDIRECT_DESC was negotiated. */
  readonly indirect: boolean;
}

export interface ChainEntry {
  readonly head: number;
  readonly slot: number;
  /** Free-running available index. */
  readonly position: number;
}

/** A table being walked: the queue's own or an indirect one. */
interface Table {
  readonly address: number;
  readonly entries: number;
  readonly indirect: boolean;
}

/** Where the walk goes from an element: an index, the end of the chain, or a defect that ends it. */
type Successor = number | 'end' | ChainDefect;

/** What the two formats do differently. */
interface Format {
  read(source: ChainSource, table: Table, index: number): ChainElement;
  /** A defect that an element has by itself; `position` is that of its descriptor, where it stands in the queue's own table. */
  inspect(source: ChainSource, element: ChainElement, position: number): ChainDefect | undefined;
  /** Whether an INDIRECT flag in an indirect table is a defect of nesting. */
  readonly nests: boolean;
  /** Elements above which a chain is too long. */
  elementLimit(source: ChainSource): number;
  successor(table: Table, element: ChainElement): Successor;
}

/** The split chain that begins at `entry.head`, as it stands in memory now. */
export function walkChain(source: ChainSource, { head, slot, position }: ChainEntry): Chain {
  const { queueSize } = source;
  const walk = new Walk(source, splitFormat, position);
  if (head >= queueSize) walk.defects.push({ kind: 'head-out-of-range', head, queueSize });
  else walk.run(head);
  return { head, slot, position, elements: walk.elements, tables: walk.tables, defects: walk.defects };
}

/** The packed chain that begins at a position, as it stands in memory now. Its head is its buffer id. [2.8.5, 2.8.6] */
export function walkPackedChain(source: ChainSource, position: number): Chain {
  const { queueSize } = source;
  const slot = position % queueSize;
  const walk = new Walk(source, packedFormat, position);
  walk.run(slot);
  return {
    head: walk.id,
    slot,
    position,
    elements: walk.elements,
    tables: walk.tables,
    defects: walk.defects,
    packed: { wrap: wrapOf(position, queueSize), descriptors: Math.min(walk.own, queueSize) },
  };
}

/** The queue's size limits indirect tables too. [2.7.5.3.1] */
const splitFormat: Format = {
  nests: true,
  elementLimit: ({ queueSize }) => queueSize,
  read: ({ memory }, table, index) => {
    const at = table.address + index * descriptorBytes;
    const flags = memory.read16(at + descriptorOffset.flags);
    return {
      index,
      at,
      address: memory.read64(at + descriptorOffset.addr),
      length: memory.read32(at + descriptorOffset.len),
      flags,
      deviceWritable: (flags & descriptorFlag.WRITE) !== 0,
      indirect: table.indirect,
      next: memory.read16(at + descriptorOffset.next),
    };
  },
  inspect: () => undefined,
  successor: (table, { flags, index, next }) => {
    if ((flags & descriptorFlag.NEXT) === 0) return 'end';
    return next >= table.entries ? { kind: 'next-out-of-range', index, next, limit: table.entries } : next;
  },
};

/**
 * In the ring NEXT leads to the following slot; an indirect table is used from its first to its last entry. Only the device's own
 * limit ends a table. [2.8.5, 2.8.7, 2.8.19]
 */
const packedFormat: Format = {
  nests: false,
  elementLimit: ({ queueSize }) => Math.max(queueSize, maximumElements),
  read: ({ memory, queueSize }, table, index) => {
    const at = table.address + index * descriptorBytes;
    const flags = memory.read16(at + packedOffset.flags);
    return {
      index,
      at,
      address: memory.read64(at + descriptorOffset.addr),
      length: memory.read32(at + descriptorOffset.len),
      flags,
      deviceWritable: (flags & descriptorFlag.WRITE) !== 0,
      indirect: table.indirect,
      next: table.indirect ? index + 1 : (index + 1) % queueSize,
      id: memory.read16(at + packedOffset.id),
    };
  },
  inspect: ({ queueSize }, { indirect, index, flags }, position) => {
    if (indirect) {
      return (flags & ~descriptorFlag.WRITE) === 0 ? undefined : { kind: 'indirect-entry-flags', index, flags };
    }
    const isAvailable = (flags & lapBits) === availableBits(position, queueSize);
    return isAvailable ? undefined : { kind: 'not-available', index, flags };
  },
  successor: (table, { flags, next, indirect }) => {
    const goesOn = indirect ? next < table.entries : (flags & descriptorFlag.NEXT) !== 0;
    return goesOn ? next : 'end';
  },
};

class Walk {
  readonly elements: ChainElement[] = [];
  readonly tables: { index: number; address: number; entries: number }[] = [];
  readonly defects: ChainDefect[] = [];
  /** Descriptors of the queue's own table that were read. */
  own = 0;
  /** Buffer id of the last of them; packed only. */
  id = 0;
  private bytes = 0;

  constructor(
    private readonly source: ChainSource,
    private readonly format: Format,
    /** Of the chain's first descriptor. */
    private readonly position: number,
  ) {}

  run(first: number): void {
    this.walkTable({ address: this.source.descriptorAddress, entries: this.source.queueSize, indirect: false }, first);
  }

  private walkTable(table: Table, first: number): void {
    const visited = new Visited();
    for (let index = first; ;) {
      if (!visited.add(index)) {
        this.defects.push({ kind: 'loop', index });
        return;
      }
      const element = this.format.read(this.source, table, index);
      const odd = this.format.inspect(this.source, element, this.position + this.own);
      if (odd !== undefined) this.defects.push(odd);
      if (!table.indirect) {
        this.own++;
        this.id = element.id ?? 0;
      }
      if ((element.flags & descriptorFlag.INDIRECT) !== 0) {
        if (!table.indirect) {
          this.enterIndirect(element);
          return;
        }
        if (this.format.nests) this.defects.push({ kind: 'indirect-nested', index });
      }
      const successor = this.format.successor(table, element);
      if (!this.add(element, successor !== 'end') || successor === 'end') return;
      if (typeof successor !== 'number') {
        this.defects.push(successor);
        return;
      }
      index = successor;
    }
  }

  /**
   * The WRITE flag of the descriptor that refers to the table means nothing, NEXT beside INDIRECT is not followed, and in a packed ring
   * such a descriptor stands alone. [2.7.5.3, 2.8.19]
   */
  private enterIndirect({ index, address, length, flags }: ChainElement): void {
    if (!this.source.indirect) this.defects.push({ kind: 'indirect-not-negotiated', index });
    const inList = !this.format.nests && this.elements.length > 0;
    if (inList || (flags & descriptorFlag.NEXT) !== 0) this.defects.push({ kind: 'indirect-and-next', index });
    if (length === 0 || length % descriptorBytes !== 0) {
      this.defects.push({ kind: 'indirect-length', index, length });
      return;
    }
    if (!inMemory(this.source.memory, address, length)) {
      this.defects.push({ kind: 'indirect-outside-memory', index, address });
      return;
    }
    const entries = length / descriptorBytes;
    this.tables.push({ index, address: Number(address), entries });
    this.walkTable({ address: Number(address), entries, indirect: true }, 0);
  }

  /** Judges one buffer element on its own and against those before it; false when the chain is longer than anybody would take. */
  private add(element: ChainElement, goesOn: boolean): boolean {
    const { index, address, length, deviceWritable } = element;
    const { queueSize, memory } = this.source;
    const limit = this.format.elementLimit(this.source);
    const before = this.elements.at(-1);
    this.elements.push(element);
    if (before?.deviceWritable === true && !deviceWritable)
      this.defects.push({ kind: 'readable-after-writable', index });
    if (length === 0) this.defects.push({ kind: 'zero-length', index });
    else if (!inMemory(memory, address, length)) {
      this.defects.push({ kind: 'buffer-outside-memory', index, address, length });
    }
    if (this.bytes <= maximumChainBytes && this.bytes + length > maximumChainBytes) {
      this.defects.push({ kind: 'too-many-bytes', bytes: this.bytes + length });
    }
    this.bytes += length;
    const count = this.elements.length;
    if (count === limit + 1) this.defects.push({ kind: 'too-long', count, limit });
    if (count < Math.max(queueSize, maximumElements)) return true;
    if (count <= limit && goesOn && element.indirect) {
      this.defects.push({ kind: 'too-long', count: count + 1, limit });
    }
    // A direct chain of exactly the queue's size may still end in a loop, which only the next descriptor shows.
    return count <= queueSize && !element.indirect;
  }
}

/** Whether `length` bytes at a 64-bit address lie wholly in RAM. */
export function inMemory(memory: Pick<GuestMemory, 'contains'>, address: bigint, length: number): boolean {
  return address <= greatestAddress && memory.contains(Number(address), length);
}
const greatestAddress = BigInt(Number.MAX_SAFE_INTEGER);

/** Indices of one table that were visited; nearly always a few. */
class Visited {
  private readonly few: number[] = [];
  private many: Set<number> | undefined;

  /** False when it was visited before. */
  add(index: number): boolean {
    if (this.many === undefined && this.few.length < fewVisited) {
      if (this.few.includes(index)) return false;
      this.few.push(index);
      return true;
    }
    this.many ??= new Set(this.few);
    if (this.many.has(index)) return false;
    this.many.add(index);
    return true;
  }
}
const fewVisited = 8;
