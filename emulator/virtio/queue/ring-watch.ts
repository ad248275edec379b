// Turns a hart's loads and stores on ring memory into facts: which field of which ring, what was published, what was collected.
// Works on guest-physical addresses, so every virtual alias counts. [virtio 1.4, 2.7; design: who accesses]
// Guarantees: reads memory, never writes it; facts of one access come in address order, `publish` and `collect` after them.
import type { WatchedAccess } from '../../bus/access';
import type { GuestMemory } from '../../bus/memory';
import { pageFlag } from '../../cpu/contract';
import type { Chain, DriverOrigin, EventSink, RingFact } from '../../record/events';
import {
  areaBytes,
  availableOffset,
  descriptorBytes,
  fieldsBetween,
  type PlacedField,
  type SplitArea,
} from '../spec/split-ring';
import { maximumElements, type ReadableMemory, walkChain } from './chain';
import type { SplitQueueState } from './split';

const pageBytes = 4096;
const usedIndexBytes = 2;
const watchBoth = pageFlag.watchLoad | pageFlag.watchStore;

/** A ready queue as the watch knows it. */
interface WatchedQueue {
  readonly device: string;
  readonly queue: number;
  readonly size: number;
  readonly descriptor: number;
  readonly available: number;
  readonly used: number;
  readonly indirect: boolean;
  /** Used index that the driver loaded last. */
  collected: number;
  /** Indirect tables of chains that the device has not given back, by head. */
  tables: readonly LiveTable[];
}
interface LiveTable {
  readonly head: number;
  readonly address: number;
  readonly entries: number;
}

/** A stretch of ring memory. */
interface Area {
  readonly owner: WatchedQueue;
  readonly kind: SplitArea;
  readonly start: number;
  readonly end: number;
  /** Entries, for `fieldsBetween`. */
  readonly size: number;
  readonly table: number | undefined;
}

export interface SavedRingWatch {
  readonly queues: readonly WatchedQueue[];
  readonly idlePages: readonly number[];
}

/**
 * Pages of tables given back stay watched, because drivers use the same pages again and again and changing a watch is dear; but a
 * driver that takes its tables from everywhere must not end up with all of its memory watched.
 */
const maximumIdlePages = 256;

type Fact = RingFact & DriverOrigin;
interface Described {
  readonly facts: readonly Fact[];
  readonly published: { readonly owner: WatchedQueue; readonly chains: readonly Chain[] } | undefined;
  readonly collected: { readonly owner: WatchedQueue; readonly index: number } | undefined;
}

export class RingWatch {
  private queues: WatchedQueue[] = [];
  private readonly areas = new Map<number, Area[]>();
  private readonly watched = new Set<number>();
  /** Watched pages where a table was given back, oldest first; some may be in use again. */
  private idlePages: number[] = [];
  /** What was worked out in `before`, for the `after` of the same access. */
  private described: { readonly access: WatchedAccess; readonly result: Described } | undefined;
  /** The newest access, when it was a load of a whole used index that showed nothing new: a spinning driver soon repeats it. */
  private polled: { readonly access: WatchedAccess; readonly result: Described } | undefined;

  constructor(
    private readonly memory: GuestMemory,
    private readonly sink: EventSink,
    private readonly watchPage: (page: number, flags: number) => void,
  ) {}

  /** The driver made a queue ready; its areas lie in RAM. */
  queueEnabled(device: string, queue: number, state: Readonly<SplitQueueState>, indirect: boolean): void {
    this.queueDisabled(device, queue);
    const { size, descriptor, available, used } = state;
    this.addQueue({ device, queue, size, descriptor, available, used, indirect, collected: 0, tables: [] });
  }

  /** Feature negotiation ended after the queue was made ready. */
  indirectNegotiated(device: string, indirect: boolean): void {
    this.queues = this.queues.map((q) => (q.device === device ? { ...q, indirect } : q));
    this.rebuildAreas();
  }

  queueDisabled(device: string, queue: number): void {
    if (!this.queues.some((q) => q.device === device && q.queue === queue)) return;
    this.queues = this.queues.filter((q) => q.device !== device || q.queue !== queue);
    this.rebuildAreas();
  }

  /** The device read a chain: its tables are watched even if their publishing was not seen. */
  fetched(device: string, queue: number, chain: Chain): void {
    const owner = this.find(device, queue);
    if (owner !== undefined) this.addTables(owner, chain);
  }

  /** The device gave the chain back: its indirect tables are the driver's again. Their pages stay watched while the queue lives. */
  used(device: string, queue: number, head: number): void {
    const owner = this.find(device, queue);
    if (owner === undefined) return;
    const gone = owner.tables.filter((t) => t.head === head);
    if (gone.length === 0) return;
    owner.tables = owner.tables.filter((t) => t.head !== head);
    for (const table of gone) this.dropTable(owner, table);
  }

  collectedIndex(device: string, queue: number): number {
    return this.find(device, queue)?.collected ?? 0;
  }

  /** Asks the sink about an access that is about to happen; changes nothing that anybody can see. */
  before(access: WatchedAccess): 'proceed' | 'stop' {
    const result = this.describeOrRecall(access);
    let answer: 'proceed' | 'stop' = 'proceed';
    for (const fact of result.facts) if (this.sink.attempt(fact) === 'stop') answer = 'stop';
    // During a stop the user may change memory, so the access is described anew when it goes on.
    this.described = answer === 'proceed' ? { access, result } : undefined;
    return answer;
  }

  /** Records an access that took effect. */
  after(access: WatchedAccess): void {
    const known = this.described;
    this.described = undefined;
    const result =
      known !== undefined && sameAccess(known.access, access) ? known.result : this.describeOrRecall(access);
    if (result.collected !== undefined) result.collected.owner.collected = result.collected.index;
    if (result.published !== undefined) {
      for (const chain of result.published.chains) this.addTables(result.published.owner, chain);
    }
    this.polled = isFruitlessLook(access, result) ? { access, result } : undefined;
    const [only] = result.facts;
    if (result.facts.length === 1 && only?.kind === 'ring-load' && this.sink.repeats?.(only) === true) return;
    for (const fact of result.facts) this.sink.record(fact);
  }

  save(): SavedRingWatch {
    return {
      queues: this.queues.map((q) => ({ ...q, tables: q.tables.map((t) => ({ ...t })) })),
      idlePages: [...this.idlePages],
    };
  }

  restore(saved: SavedRingWatch): void {
    this.described = undefined;
    this.polled = undefined;
    this.queues = saved.queues.map((q) => ({ ...q, tables: q.tables.map((t) => ({ ...t })) }));
    this.idlePages = [...saved.idlePages];
    // Whoever restores may have forgotten the flags, so all of them are set again.
    for (const page of this.watched) this.watchPage(page, 0);
    this.watched.clear();
    this.placeAll();
    for (const page of this.idlePages) this.watch(page);
  }

  private find(device: string, queue: number): WatchedQueue | undefined {
    return this.queues.find((q) => q.device === device && q.queue === queue);
  }

  private describeOrRecall(access: WatchedAccess): Described {
    const { polled } = this;
    return polled !== undefined && isSameLoad(polled.access, access) ? polled.result : this.describe(access);
  }

  private describe(access: WatchedAccess): Described {
    const areas = this.areasOf(access);
    const facts: Fact[] = [];
    let published: Described['published'];
    let collected: Described['collected'];
    for (const area of areas) {
      const touched = fieldsBetween(
        area.kind,
        area.size,
        access.physicalAddress - area.start,
        access.physicalAddress + access.size - area.start,
        area.table,
      );
      if (access.kind === 'load' || access.loads) {
        for (const field of touched) facts.push(this.ringFact('ring-load', area, field, access));
        const used = touched.find((f) => f.place.part === 'used' && f.place.field === 'idx');
        if (used !== undefined) {
          const index = Number(this.loadedValue(area, used, access));
          if (index !== area.owner.collected) {
            const { device, queue, collected: before } = area.owner;
            facts.push({ kind: 'collect', device, queue, before, after: index, ...origin(access) });
            collected = { owner: area.owner, index };
          }
        }
      }
      if (access.kind === 'load') continue;
      for (const field of touched) facts.push(this.ringFact('ring-store', area, field, access));
      const moved = touched.find((f) => f.place.part === 'available' && f.place.field === 'idx');
      if (moved === undefined) continue;
      const before = Number(this.fieldValue(area, moved, { access, bytes: access.before }));
      const after = Number(this.fieldValue(area, moved, { access, bytes: access.value }));
      if (before === after) continue;
      const chains = this.exposed(area.owner, before, after, access);
      const { device, queue } = area.owner;
      facts.push({ kind: 'publish', device, queue, before, after, chains, ...origin(access) });
      published = { owner: area.owner, chains };
    }
    return { facts, published, collected };
  }

  private ringFact(kind: 'ring-load' | 'ring-store', area: Area, field: PlacedField, access: WatchedAccess): Fact {
    const start = area.start + field.offset;
    const before = this.loadedValue(area, field, access);
    return {
      kind,
      device: area.owner.device,
      queue: area.owner.queue,
      place: field.place,
      physicalAddress: start,
      before,
      after: kind === 'ring-load' ? before : this.fieldValue(area, field, { access, bytes: access.value }),
      partial: access.physicalAddress > start || access.physicalAddress + access.size < start + field.size,
      acquire: access.acquire,
      release: access.release,
      ...origin(access),
    };
  }

  /** A field's value as the access finds it: for a plain load simply what memory holds. */
  private loadedValue(area: Area, field: PlacedField, access: WatchedAccess): bigint {
    return this.fieldValue(area, field, access.kind === 'load' ? undefined : { access, bytes: access.before });
  }

  /** A field's value in memory, with the bytes of the access laid over it where they are given. */
  private fieldValue(area: Area, field: PlacedField, over: Overlay | undefined): bigint {
    return readOverlaid(this.memory, area.start + field.offset, field.size, over);
  }

  /** The chains between two values of the available index, as the device will find them once the store has taken effect. */
  private exposed(owner: WatchedQueue, before: number, after: number, access: WatchedAccess): Chain[] {
    const over: Overlay = { access, bytes: access.value };
    const memory: ReadableMemory = {
      contains: (address, length) => this.memory.contains(address, length),
      read16: (address) => Number(readOverlaid(this.memory, address, 2, over)),
      read32: (address) => Number(readOverlaid(this.memory, address, 4, over)),
      read64: (address) => readOverlaid(this.memory, address, 8, over),
    };
    const source = { memory, descriptorAddress: owner.descriptor, queueSize: owner.size, indirect: owner.indirect };
    const count = Math.min((after - before) & 0xffff, owner.size);
    const chains: Chain[] = [];
    for (let i = 0; i < count; i++) {
      const position = (before + i) & 0xffff;
      const slot = position % owner.size;
      const head = memory.read16(owner.available + availableOffset.ring(slot));
      chains.push(walkChain(source, { head, slot, position }));
    }
    return chains;
  }

  private areasOf({ physicalAddress, size }: WatchedAccess): Area[] {
    const first = this.pageOf(physicalAddress);
    const last = this.pageOf(physicalAddress + size - 1);
    const overlaps = (a: Area): boolean => a.start < physicalAddress + size && physicalAddress < a.end;
    const found = (this.areas.get(first) ?? []).filter(overlaps);
    if (last !== first) {
      for (const area of this.areas.get(last) ?? []) if (overlaps(area) && !found.includes(area)) found.push(area);
    }
    return found.length < 2 ? found : found.sort((a, b) => a.start - b.start);
  }

  private addQueue(owner: WatchedQueue): void {
    this.queues.push(owner);
    this.placeQueue(owner);
  }

  private placeQueue(owner: WatchedQueue): void {
    for (const kind of ['descriptor', 'available', 'used'] as const) {
      const start = owner[kind];
      this.place({ owner, kind, start, end: start + areaBytes[kind](owner.size), size: owner.size, table: undefined });
    }
    for (const table of owner.tables) this.placeTable(owner, table);
  }

  private addTables(owner: WatchedQueue, chain: Chain): void {
    for (const { address, entries: all } of chain.tables) {
      const entries = Math.min(all, maximumElements);
      if (owner.tables.some((t) => t.head === chain.head && t.address === address && t.entries === entries)) continue;
      const table = { head: chain.head, address, entries };
      owner.tables = [...owner.tables, table];
      this.placeTable(owner, table);
    }
  }

  private placeTable(owner: WatchedQueue, { address, entries }: LiveTable): void {
    const end = address + entries * descriptorBytes;
    this.place({ owner, kind: 'descriptor', start: address, end, size: entries, table: address });
  }

  private dropTable(owner: WatchedQueue, { address, entries }: LiveTable): void {
    this.polled = undefined;
    const pages = this.pagesOf(address, address + entries * descriptorBytes);
    for (const page of pages) {
      const kept = (this.areas.get(page) ?? []).filter(
        (a) => a.owner !== owner || a.table !== address || a.size !== entries,
      );
      if (kept.length === 0) this.areas.delete(page);
      else this.areas.set(page, kept);
    }
    for (const table of owner.tables) {
      if (table.address === address && table.entries === entries) this.placeTable(owner, table);
    }
    this.idlePages = this.idlePages.filter((page) => !pages.includes(page) && !this.areas.has(page));
    this.idlePages.push(...pages.filter((page) => !this.areas.has(page)));
    while (this.idlePages.length > maximumIdlePages) this.unwatch(this.idlePages.shift());
  }

  private place(area: Area): void {
    this.polled = undefined;
    for (const page of this.pagesOf(area.start, area.end)) {
      this.areas.set(page, [...(this.areas.get(page) ?? []), area]);
      this.watch(page);
    }
  }

  private placeAll(): void {
    this.areas.clear();
    for (const owner of this.queues) this.placeQueue(owner);
  }

  /** After a queue went away: pages that no living queue uses are watched no more. */
  private rebuildAreas(): void {
    this.polled = undefined;
    this.placeAll();
    this.idlePages = [];
    for (const page of [...this.watched]) if (!this.areas.has(page)) this.unwatch(page);
  }

  private watch(page: number): void {
    if (this.watched.has(page)) return;
    this.watched.add(page);
    this.watchPage(page, watchBoth);
  }

  private unwatch(page: number | undefined): void {
    if (page !== undefined && this.watched.delete(page)) this.watchPage(page, 0);
  }

  private pageOf(address: number): number {
    return Math.floor((address - this.memory.base) / pageBytes);
  }

  private pagesOf(start: number, end: number): number[] {
    const first = this.pageOf(start);
    return Array.from({ length: this.pageOf(end - 1) - first + 1 }, (_, i) => first + i);
  }
}

/** Bytes that stand for those in memory at the place of an access. */
interface Overlay {
  readonly access: WatchedAccess;
  readonly bytes: bigint;
}

function readOverlaid(memory: GuestMemory, address: number, size: number, over: Overlay | undefined): bigint {
  let value = readMemory(memory, address, size);
  if (over === undefined) return value;
  const { physicalAddress, size: width } = over.access;
  const from = Math.max(address, physicalAddress);
  const to = Math.min(address + size, physicalAddress + width);
  for (let at = from; at < to; at++) {
    const byte = (over.bytes >> BigInt((at - physicalAddress) * 8)) & 0xffn;
    const shift = BigInt((at - address) * 8);
    value = (value & ~(0xffn << shift)) | (byte << shift);
  }
  return value;
}

function readMemory(memory: GuestMemory, address: number, size: number): bigint {
  if (size === 2) return BigInt(memory.read16(address));
  if (size === 4) return BigInt(memory.read32(address));
  return memory.read64(address);
}

function origin(access: WatchedAccess): DriverOrigin {
  return { by: 'driver', hart: access.hart, pc: access.pc };
}

/** Whether an access did nothing but load one whole used index that the driver knew already. */
function isFruitlessLook({ kind, size }: WatchedAccess, { facts, collected }: Described): boolean {
  const [only] = facts;
  return (
    kind === 'load' &&
    size === usedIndexBytes &&
    facts.length === 1 &&
    collected === undefined &&
    only?.kind === 'ring-load' &&
    !only.partial &&
    only.place.part === 'used' &&
    only.place.field === 'idx'
  );
}

/** Whether a load finds what an earlier one found, whenever either happened. */
function isSameLoad(a: WatchedAccess, b: WatchedAccess): boolean {
  return (
    b.kind === 'load' &&
    a.hart === b.hart &&
    a.pc === b.pc &&
    a.physicalAddress === b.physicalAddress &&
    a.size === b.size &&
    a.value === b.value &&
    a.acquire === b.acquire &&
    a.release === b.release
  );
}

function sameAccess(a: WatchedAccess, b: WatchedAccess): boolean {
  return (
    a.step === b.step &&
    a.hart === b.hart &&
    a.physicalAddress === b.physicalAddress &&
    a.size === b.size &&
    a.kind === b.kind &&
    a.value === b.value
  );
}
