// The mood `storeBuffer`: what one device sees of memory while stores of the harts are still on their way. A store to a page that holds a ring
// reaches the device at once or up to 10 microseconds later, as the seed says; stores that nothing orders may overtake each other.
// [RISC-V unpriv. 2.7, 17.1; virtio 1.4, 2.7.13.3, 2.7.13.4]
// Guarantees: harts see memory as ever; a store is never later than a fence, an AMO or SC with .rl, or a later store to the same bytes allows;
// the device's own writes are seen by it at once.
import type { SavedState, WatchedAccess } from '../bus/access';
import type { GuestMemory } from '../bus/memory';
import type { Cpu } from '../cpu/contract';

/** What the processor tells about fences. */
export type FenceSource = Pick<Cpu, 'harts' | 'lastFence' | 'fenceEpochs'>;

/** A store that the device does not see yet. Plain data. */
export interface DelayedStore {
  readonly number: number;
  readonly hart: number;
  readonly pc: bigint;
  readonly step: number;
  /** Guest-physical. */
  readonly address: number;
  readonly length: number;
  /** What the device sees in its place. */
  readonly before: Uint8Array;
  /** Virtual nanoseconds at which it is seen in any case. */
  readonly due: number;
  /** Numbers of stores that are seen before this one. */
  readonly behind: readonly number[];
}

/** Virtual nanoseconds. */
const longestDelay = 10_000;

export interface StoreBufferEnvironment {
  readonly memory: GuestMemory;
  readonly fences: FenceSource;
  /** Virtual nanoseconds. */
  now(): number;
  /** A whole number from 0 to `limit` - 1. */
  choose(limit: number): number;
}

export class StoreBuffer implements GuestMemory {
  readonly base: number;
  readonly sizeBytes: number;
  /** Oldest first. */
  private delayed: readonly DelayedStore[] = [];
  private nextNumber = 0;
  private stale: DelayedStore[] | undefined;

  constructor(private readonly environment: StoreBufferEnvironment) {
    this.base = environment.memory.base;
    this.sizeBytes = environment.memory.sizeBytes;
  }

  /** A hart stored to a page of a ring; memory holds the value already. */
  stored({ kind, hart, pc, step, physicalAddress: address, size: length, before, release }: WatchedAccess): void {
    if (kind === 'load') return;
    this.settle();
    const isAtomic = kind === 'atomic';
    const isAtOnce = isAtomic || this.environment.choose(2) === 0;
    const now = this.environment.now();
    const due = isAtOnce ? now : now + 1 + this.environment.choose(longestDelay);
    const ahead = this.delayed.filter(
      (store) =>
        overlaps(store, { address, length }) ||
        (isAtomic && release && store.hart === hart) ||
        this.environment.fences.lastFence(store.hart, 'write', 'write') > store.step,
    );
    const behind = ahead.map(({ number }) => number);
    const number = this.nextNumber++;
    const stored = { number, hart, pc, step, address, length, before: bytesOf(before, length), due, behind };
    this.delayed = [...this.delayed, stored];
    if (isAtOnce) this.settle();
  }

  /** What `look` gives, and the stores that it should have seen and did not. */
  watching<Result>(look: () => Result): { readonly result: Result; readonly missed: readonly DelayedStore[] } {
    this.stale = [];
    try {
      return { result: look(), missed: this.stale };
    } finally {
      this.stale = undefined;
    }
  }

  contains(address: number, length: number): boolean {
    return this.environment.memory.contains(address, length);
  }

  read(address: number, length: number): Uint8Array {
    const bytes = this.environment.memory.read(address, length);
    this.settle();
    // The oldest store that is under way knows what was there before all of them.
    for (const store of [...this.delayed].reverse()) {
      if (!overlaps(store, { address, length })) continue;
      if (this.stale?.includes(store) === false) this.stale.push(store);
      for (let i = 0; i < store.length; i++) {
        const at = store.address + i - address;
        if (at >= 0 && at < length) bytes[at] = store.before[i] ?? 0;
      }
    }
    return bytes;
  }

  /** A store that is under way comes after the device's own: memory keeps it, and the device sees what it wrote until then. */
  write(address: number, bytes: Uint8Array): void {
    this.settle();
    const { memory } = this.environment;
    const arriving = bytes.slice();
    const covered = new Set<number>();
    this.delayed = this.delayed.map((store) => {
      if (!overlaps(store, { address, length: bytes.length })) return store;
      const before = store.before.slice();
      for (let i = 0; i < store.length; i++) {
        const at = store.address + i - address;
        if (at < 0 || at >= bytes.length || covered.has(at)) continue;
        covered.add(at);
        before[i] = bytes[at] ?? 0;
      }
      return { ...store, before };
    });
    if (covered.size > 0) {
      const kept = memory.read(address, bytes.length);
      for (const at of covered) arriving[at] = kept[at] ?? 0;
    }
    memory.write(address, arriving);
  }

  read16(address: number): number {
    return this.view(address, 2).getUint16(0, true);
  }
  read32(address: number): number {
    return this.view(address, 4).getUint32(0, true);
  }
  read64(address: number): bigint {
    return this.view(address, 8).getBigUint64(0, true);
  }
  write16(address: number, value: number): void {
    this.write(address, bytesOf(BigInt(value), 2));
  }
  write32(address: number, value: number): void {
    this.write(address, bytesOf(BigInt(value >>> 0), 4));
  }
  write64(address: number, value: bigint): void {
    this.write(address, bytesOf(value, 8));
  }

  save(): SavedState {
    const saved: Saved = { nextNumber: this.nextNumber, delayed: this.delayed.map(copyOf) };
    return saved;
  }
  restore(state: SavedState): void {
    const saved = state as Saved;
    this.nextNumber = saved.nextNumber;
    this.delayed = saved.delayed.map(copyOf);
  }

  private view(address: number, length: number): DataView {
    const bytes = this.read(address, length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  /** Forgets stores that are seen by now, and with each those that have to be seen before it. */
  private settle(): void {
    if (this.delayed.length === 0) return;
    const now = this.environment.now();
    const seen = new Set<number>();
    for (const store of [...this.delayed].reverse()) {
      if (!seen.has(store.number) && store.due > now && !this.isOrdered(store)) continue;
      seen.add(store.number);
      for (const number of store.behind) seen.add(number);
    }
    if (seen.size > 0) this.delayed = this.delayed.filter(({ number }) => !seen.has(number));
  }

  /**
   * A fence keeps the store before every later load or access to a device register, or an AMO or SC released it. Where there are more harts, a fence
   * between stores is enough: another hart may have seen the later store, for example of a lock, and told the device since then.
   */
  private isOrdered({ hart, step }: DelayedStore): boolean {
    const { fences } = this.environment;
    const handsOver = fences.harts > 1 ? (['write'] as const) : [];
    return (
      (['read', 'input', 'output', ...handsOver] as const).some(
        (later) => fences.lastFence(hart, 'write', later) > step,
      ) || fences.fenceEpochs(hart).release > step
    );
  }
}

interface Saved {
  readonly nextNumber: number;
  readonly delayed: readonly DelayedStore[];
}
function copyOf(store: DelayedStore): DelayedStore {
  return { ...store, before: store.before.slice() };
}

interface Bytes {
  readonly address: number;
  readonly length: number;
}
function overlaps(a: Bytes, b: Bytes): boolean {
  return a.address < b.address + b.length && b.address < a.address + a.length;
}

/** Little-endian. */
function bytesOf(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(i * 8)) & 0xffn));
}
