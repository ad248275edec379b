// Buffers that the device has, as far as they are followed byte by byte: the first chains of each queue and then some. A driver's access to
// one becomes a fact where the driver may not make it. [virtio 1.4, 2.7.8.3, 3.3.1]
// Guarantees: bounded pages are watched for it, and none for long where a guest keeps other things that it uses often; one fact of a kind for
// each buffer; a buffer that is not followed is never taken for one that was left alone.
import type { WatchedAccess } from '../../bus/access';
import type { GuestMemory } from '../../bus/memory';
import type { Chain, DriverOrigin, RingFact } from '../../record/events';

type BufferFact = Extract<RingFact, { kind: 'buffer-access' }> & DriverOrigin;

/** One buffer. Guest-physical, end excluded. */
interface FollowedBuffer {
  readonly device: string;
  readonly queue: number;
  readonly head: number;
  readonly index: number;
  readonly start: number;
  readonly end: number;
  readonly deviceWritable: boolean;
  phase: 'owned' | 'used' | 'seen';
  /** Where what the device wrote ends; beyond it nothing may be assumed. */
  written: number;
  /** Step at which the driver saw that it was used. */
  seenAt: number;
}

interface FollowedQueue {
  readonly device: string;
  readonly queue: number;
  /** Chains published so far. */
  count: number;
}

export interface SavedBufferAreas {
  readonly buffers: readonly FollowedBuffer[];
  readonly queues: readonly FollowedQueue[];
  readonly idle: ReadonlyMap<number, number>;
}

const pageBytes = 4096;
/** Chains of a queue that are followed at its beginning, and then one in so many. */
const alwaysFollowed = 64;
const laterFollowed = 64;
const greatestBuffers = 512;
/** Of a long buffer the beginning and the end stand for the rest. */
const greatestPages = 4;
/** Accesses to a page that concern no buffer, until the buffers there are left alone. */
const patience = 4096;
/** Steps in which a driver handles what it has just seen used. */
const handlingSteps = 50_000;
/** Loads of whole words, and of a cache line at once, go a little beyond what is used. */
const roundedTo = 64;
/** A longer buffer that the device reads is payload; page caches may legally change what is being written. */
const greatestReadable = 2048;

export class BufferAreas {
  private buffers: FollowedBuffer[] = [];
  private queues: FollowedQueue[] = [];
  private readonly pages = new Map<number, FollowedBuffer[]>();
  /** Accesses to a page since they last concerned a buffer. */
  private idle = new Map<number, number>();

  constructor(
    private readonly memory: GuestMemory,
    private readonly watchPage: (page: number, isWatched: boolean) => void,
  ) {}

  published(device: string, queue: number, chains: readonly Chain[]): void {
    const known = this.queueOf(device, queue);
    for (const chain of chains) {
      const count = known.count++;
      // Published again, it is another chain.
      this.remove((each) => each.device === device && each.queue === queue && each.head === chain.head);
      if (count < alwaysFollowed || count % laterFollowed === 0) this.follow(device, queue, chain);
    }
  }

  /** `length`: what the used entry of the last of the heads says. */
  used(device: string, queue: number, heads: readonly number[], length: number): void {
    if (this.buffers.length === 0) return;
    const last = heads.at(-1);
    let left = length;
    for (const buffer of this.buffers) {
      if (
        buffer.device !== device ||
        buffer.queue !== queue ||
        buffer.phase !== 'owned' ||
        !heads.includes(buffer.head)
      )
        continue;
      buffer.phase = 'used';
      if (!buffer.deviceWritable) continue;
      const bytes = buffer.end - buffer.start;
      buffer.written = buffer.start + (buffer.head === last ? Math.min(bytes, Math.max(0, left)) : bytes);
      if (buffer.head === last) left -= bytes;
    }
    this.remove((each) => each.phase === 'used' && !each.deviceWritable);
  }

  /** The driver looked: at all that was used, or in a packed ring at the oldest of it. */
  seen(device: string, queue: number, oldestOnly: boolean, step: number): void {
    if (this.buffers.length === 0) return;
    let head: number | undefined;
    for (const buffer of this.buffers) {
      if (buffer.device !== device || buffer.queue !== queue || buffer.phase !== 'used') continue;
      head ??= buffer.head;
      if (oldestOnly && buffer.head !== head) continue;
      buffer.phase = 'seen';
      buffer.seenAt = step;
    }
    this.remove((each) => each.phase === 'seen' && (assumed(each) >= each.end || step > each.seenAt + handlingSteps));
  }

  disabled(device: string, queue: number): void {
    this.queues = this.queues.filter((each) => each.device !== device || each.queue !== queue);
    this.remove((each) => each.device === device && each.queue === queue);
  }

  /** What an access that is about to happen does to followed buffers; changes nothing. */
  facts(access: WatchedAccess): readonly BufferFact[] {
    if (this.pages.size === 0) return nothing;
    const there = this.pages.get(this.pageOf(access.physicalAddress));
    if (there === undefined) return nothing;
    const buffer = there.find((each) => touches(each, access));
    if (buffer === undefined) return nothing;
    const kind = wrongAccess(buffer, access);
    if (kind === undefined) return nothing;
    const { device, queue, head, index, start, end, deviceWritable, phase, written } = buffer;
    const { physicalAddress, size, before, value, hart, pc } = access;
    return [
      {
        ...{ kind: 'buffer-access', device, queue, access: kind, head, descriptor: index, start, length: end - start },
        ...{ deviceWritable, phase, written: written - start, physicalAddress, size },
        ...{ before, after: kind === 'load' ? before : value, by: 'driver', hart, pc },
      },
    ];
  }

  /** Takes account of an access that took effect, and of the facts that it made. */
  after(access: WatchedAccess, facts: readonly BufferFact[]): void {
    if (this.pages.size === 0) return;
    const page = this.pageOf(access.physicalAddress);
    const there = this.pages.get(page);
    if (there === undefined) return;
    if (facts.length > 0) {
      this.remove((each) => there.includes(each) && touches(each, access));
      return;
    }
    // What the driver stores to a buffer that it has again, it may load.
    const again = access.kind !== 'load' && there.some((each) => each.phase === 'seen' && touches(each, access));
    if (again) this.remove((each) => each.phase === 'seen' && there.includes(each) && touches(each, access));
    const idle = (this.idle.get(page) ?? 0) + 1;
    this.idle.set(page, idle);
    if (idle > patience) this.remove((each) => there.includes(each));
  }

  save(): SavedBufferAreas {
    return {
      buffers: this.buffers.map((each) => ({ ...each })),
      queues: this.queues.map((each) => ({ ...each })),
      idle: new Map(this.idle),
    };
  }

  restore(saved: SavedBufferAreas): void {
    for (const page of this.pages.keys()) this.watchPage(page, false);
    this.pages.clear();
    this.queues = saved.queues.map((each) => ({ ...each }));
    this.buffers = saved.buffers.map((each) => ({ ...each }));
    for (const buffer of this.buffers) this.place(buffer);
    this.idle = new Map(saved.idle);
  }

  private follow(device: string, queue: number, chain: Chain): void {
    for (const { index, address, length, deviceWritable } of chain.elements) {
      const start = Number(address);
      if (length === 0 || this.buffers.length >= greatestBuffers || !this.memory.contains(start, length)) continue;
      if (!deviceWritable && length > greatestReadable) continue;
      const place = { device, queue, head: chain.head, index, start, end: start + length, deviceWritable };
      const buffer: FollowedBuffer = { ...place, phase: 'owned', written: start, seenAt: 0 };
      this.buffers.push(buffer);
      this.place(buffer);
    }
  }

  private place(buffer: FollowedBuffer): void {
    for (const page of this.pagesOf(buffer)) {
      const there = this.pages.get(page);
      if (there !== undefined) {
        there.push(buffer);
        continue;
      }
      this.pages.set(page, [buffer]);
      this.idle.set(page, 0);
      this.watchPage(page, true);
    }
  }

  private remove(isGone: (buffer: FollowedBuffer) => boolean): void {
    const gone = this.buffers.filter(isGone);
    if (gone.length === 0) return;
    this.buffers = this.buffers.filter((each) => !gone.includes(each));
    for (const buffer of gone) {
      for (const page of this.pagesOf(buffer)) {
        const left = (this.pages.get(page) ?? []).filter((each) => each !== buffer);
        if (left.length > 0) {
          this.pages.set(page, left);
          continue;
        }
        this.pages.delete(page);
        this.idle.delete(page);
        this.watchPage(page, false);
      }
    }
  }

  private queueOf(device: string, queue: number): FollowedQueue {
    const known = this.queues.find((each) => each.device === device && each.queue === queue);
    if (known !== undefined) return known;
    const fresh = { device, queue, count: 0 };
    this.queues.push(fresh);
    return fresh;
  }

  private pageOf(address: number): number {
    return Math.floor((address - this.memory.base) / pageBytes);
  }

  private pagesOf({ start, end }: FollowedBuffer): readonly number[] {
    const first = this.pageOf(start);
    const last = this.pageOf(end - 1);
    if (last - first < greatestPages) return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return [first, first + 1, last - 1, last];
  }
}

const nothing: readonly BufferFact[] = [];

function touches({ start, end }: FollowedBuffer, { physicalAddress, size }: WatchedAccess): boolean {
  return start < physicalAddress + size && physicalAddress < end;
}

/** From here on a load is of bytes that the device did not write. */
function assumed({ written }: FollowedBuffer): number {
  return Math.ceil(written / roundedTo) * roundedTo;
}

/** What is wrong with an access to a buffer, if anything. */
function wrongAccess(buffer: FollowedBuffer, access: WatchedAccess): 'load' | 'store' | undefined {
  const { physicalAddress, size, kind, loads, step } = access;
  if (buffer.phase === 'seen') {
    const beyond = physicalAddress >= assumed(buffer) && physicalAddress + size <= buffer.end;
    return kind === 'load' && beyond && step <= buffer.seenAt + handlingSteps ? 'load' : undefined;
  }
  if (kind !== 'load' && changesBytes(buffer, access)) return 'store';
  // A load of a wider word that only grazes the buffer is one of what lies beside it.
  const within = physicalAddress >= buffer.start && physicalAddress + size <= buffer.end;
  return buffer.deviceWritable && within && (kind === 'load' || loads) ? 'load' : undefined;
}

function changesBytes(
  { start, end }: FollowedBuffer,
  { physicalAddress, size, before, value }: WatchedAccess,
): boolean {
  const from = BigInt(Math.max(0, start - physicalAddress) * 8);
  const bytes = Math.min(end, physicalAddress + size) - Math.max(start, physicalAddress);
  return BigInt.asUintN(bytes * 8, (before ^ value) >> from) !== 0n;
}
