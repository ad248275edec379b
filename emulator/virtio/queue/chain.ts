// Walks one descriptor chain of a split virtqueue, indirect tables included. [virtio 1.4, 2.7.5]
// Guarantees: never throws, never reads outside RAM, looks at no more than `maximumElements` descriptors, and says which rule each
// oddity breaks. It goes on after a defect wherever the rest of the chain is still well defined, so one walk finds them all.
import type { GuestMemory } from '../../bus/memory';
import type { Chain, ChainDefect, ChainElement } from '../../record/events';
import { descriptorBytes, descriptorFlag, descriptorOffset } from '../spec/split-ring';

/** What walking needs of memory. */
export type ReadableMemory = Pick<GuestMemory, 'contains' | 'read16' | 'read32' | 'read64'>;

/** Longest chain that a device takes, whatever the queue's size; QEMU's limit. [2.7.4.1: a device may have a limit] */
export const maximumElements = 1024;
/** A chain may not carry more bytes than this. [2.7.5.2] */
const maximumChainBytes = 2 ** 32;

export interface ChainSource {
  readonly memory: ReadableMemory;
  /** Address of the queue's descriptor table; the whole table must lie in RAM. */
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

/** The chain that begins at `entry.head`, as it stands in memory now. */
export function walkChain(source: ChainSource, entry: ChainEntry): Chain {
  return new Walk(source, entry).run();
}

class Walk {
  private readonly elements: ChainElement[] = [];
  private readonly tables: { index: number; address: number; entries: number }[] = [];
  private readonly defects: ChainDefect[] = [];
  private bytes = 0;

  constructor(
    private readonly source: ChainSource,
    private readonly entry: ChainEntry,
  ) {}

  run(): Chain {
    const { queueSize, descriptorAddress } = this.source;
    const { head } = this.entry;
    if (head >= queueSize) this.defects.push({ kind: 'head-out-of-range', head, queueSize });
    else this.walkTable({ address: descriptorAddress, entries: queueSize, indirect: false }, head);
    return { ...this.entry, elements: this.elements, tables: this.tables, defects: this.defects };
  }

  private walkTable(table: Table, first: number): void {
    const visited = new Set<number>();
    for (let index = first; ;) {
      if (visited.has(index)) {
        this.defects.push({ kind: 'loop', index });
        return;
      }
      visited.add(index);
      const element = this.readDescriptor(table, index);
      if ((element.flags & descriptorFlag.INDIRECT) !== 0) {
        if (!table.indirect) {
          this.enterIndirect(element);
          return;
        }
        this.defects.push({ kind: 'indirect-nested', index });
      }
      if (!this.add(element)) return;
      if ((element.flags & descriptorFlag.NEXT) === 0) return;
      if (element.next >= table.entries) {
        this.defects.push({ kind: 'next-out-of-range', index, next: element.next, limit: table.entries });
        return;
      }
      index = element.next;
    }
  }

  private readDescriptor(table: Table, index: number): ChainElement {
    const at = table.address + index * descriptorBytes;
    const { memory } = this.source;
    const flags = memory.read16(at + descriptorOffset.flags);
    return {
      index,
      at,
      address: memory.read64(at + descriptorOffset.addr),
      length: memory.read32(at + descriptorOffset.len),
      flags,
      next: memory.read16(at + descriptorOffset.next),
      deviceWritable: (flags & descriptorFlag.WRITE) !== 0,
      indirect: table.indirect,
    };
  }

  /** The WRITE flag of the descriptor that refers to the table means nothing, and NEXT beside INDIRECT is not followed. [2.7.5.3] */
  private enterIndirect({ index, address, length, flags }: ChainElement): void {
    if (!this.source.indirect) this.defects.push({ kind: 'indirect-not-negotiated', index });
    if ((flags & descriptorFlag.NEXT) !== 0) this.defects.push({ kind: 'indirect-and-next', index });
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
  private add(element: ChainElement): boolean {
    const { index, address, length, deviceWritable } = element;
    const { queueSize, memory } = this.source;
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
    if (count === queueSize + 1) this.defects.push({ kind: 'too-long', count, limit: queueSize });
    if (count < Math.max(queueSize, maximumElements)) return true;
    if (count <= queueSize && (element.flags & descriptorFlag.NEXT) !== 0 && element.indirect) {
      this.defects.push({ kind: 'too-long', count: count + 1, limit: queueSize });
    }
    // A direct chain of exactly the queue's size may still end in a loop, which only the next descriptor shows.
    return count <= queueSize && !element.indirect;
  }
}

/** Whether `length` bytes at a 64-bit address lie wholly in RAM. */
export function inMemory(memory: Pick<GuestMemory, 'contains'>, address: bigint, length: number): boolean {
  return address <= BigInt(Number.MAX_SAFE_INTEGER) && memory.contains(Number(address), length);
}
