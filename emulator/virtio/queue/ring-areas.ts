// Where ring memory lies: the areas of ready queues and the indirect tables that the device owns, found by page, and which pages have to
// be watched for them. [virtio 1.4, 2.6; design: pages stay watched while a queue lives]
// Guarantees: a page is watched exactly while it holds an area, except for a bounded number of pages whose tables were given back.
import type { WatchedAccess } from '../../bus/access';
import type { GuestMemory } from '../../bus/memory';
import { pageFlag } from '../../cpu/contract';
import type { Chain, RingPlace } from '../../record/events';
import { descriptorBytes } from '../spec/split-ring';
import { maximumElements } from './chain';
import { type AreaName, bytesOfArea, type RingFormat } from './ring';

const pageBytes = 4096;
const watchBoth = pageFlag.watchLoad | pageFlag.watchStore;

/** A ready queue as the watch knows it. Indices are free-running, in a packed ring positions. */
export interface WatchedQueue {
  readonly device: string;
  readonly queue: number;
  readonly format: RingFormat;
  readonly size: number;
  readonly descriptor: number;
  readonly available: number;
  readonly used: number;
  readonly indirect: boolean;
  /** Used index that the driver loaded last; packed: position after the last used descriptor that it saw. */
  collected: number;
  /** Packed: position of the next descriptor that the driver makes available. */
  published: number;
  /** Packed: what the device used and the driver has not seen, oldest first. */
  usedChains: readonly UsedChain[];
  /** Indirect tables of chains that the device has not given back, by head. */
  tables: readonly LiveTable[];
}
/** A used descriptor, and the position after the chain that it gives back. */
export interface UsedChain {
  readonly position: number;
  readonly next: number;
}
export interface LiveTable {
  readonly head: number;
  readonly address: number;
  readonly entries: number;
}

/** A stretch of ring memory. */
export interface Area {
  readonly owner: WatchedQueue;
  readonly kind: AreaName;
  readonly start: number;
  readonly end: number;
  /** Entries, for the layout of fields. */
  readonly size: number;
  readonly table: number | undefined;
  /** The fields that an access to these bytes touches, as far as they were asked for: by offset and size. */
  readonly fields: Map<number, readonly AreaField[]>;
}

/** A field of an area; `offset` is in bytes from the area's start. */
export interface AreaField {
  readonly place: RingPlace;
  readonly offset: number;
  readonly size: number;
}

export interface SavedRingAreas {
  readonly queues: readonly WatchedQueue[];
  readonly idlePages: readonly number[];
}

/**
 * Pages of tables given back stay watched, because drivers use the same pages again and again and changing a watch is dear; but a
 * driver that takes its tables from everywhere must not end up with all of its memory watched.
 */
const maximumIdlePages = 256;
const maximumKnownTables = 1024;
const noAreas: readonly Area[] = [];

export class RingAreas {
  private queues: WatchedQueue[] = [];
  private readonly areas = new Map<number, Area[]>();
  private readonly watched = new Set<number>();
  private readonly tableFields = new Map<string, Area['fields']>();
  /** Watched pages where a table was given back, oldest first; some may be in use again. */
  private idlePages: number[] = [];

  constructor(
    private readonly memory: GuestMemory,
    private readonly watchPage: (page: number, flags: number) => void,
  ) {}

  find(device: string, queue: number): WatchedQueue | undefined {
    return this.queues.find((q) => q.device === device && q.queue === queue);
  }

  add(owner: WatchedQueue): void {
    this.queues.push(owner);
    this.placeQueue(owner);
  }

  /** Says whether there was such a queue. */
  remove(device: string, queue: number): boolean {
    if (this.find(device, queue) === undefined) return false;
    this.queues = this.queues.filter((q) => q.device !== device || q.queue !== queue);
    this.rebuild();
    return true;
  }

  setIndirect(device: string, indirect: boolean): void {
    this.queues = this.queues.map((q) => (q.device === device ? { ...q, indirect } : q));
    this.rebuild();
  }

  /** Areas that an access touches, in address order. */
  at({ physicalAddress, size }: WatchedAccess): readonly Area[] {
    const first = this.pageOf(physicalAddress);
    const last = this.pageOf(physicalAddress + size - 1);
    const overlaps = (a: Area): boolean => a.start < physicalAddress + size && physicalAddress < a.end;
    const here = this.areas.get(first);
    if (here === undefined && first === last) return noAreas;
    const found = (here ?? []).filter(overlaps);
    if (last !== first) {
      for (const area of this.areas.get(last) ?? []) if (overlaps(area) && !found.includes(area)) found.push(area);
    }
    return found.length < 2 ? found : found.sort((a, b) => a.start - b.start);
  }

  addTables(owner: WatchedQueue, chain: Chain): void {
    for (const { address, entries: all } of chain.tables) {
      const entries = Math.min(all, maximumElements);
      if (owner.tables.some((t) => t.head === chain.head && t.address === address && t.entries === entries)) continue;
      const table = { head: chain.head, address, entries };
      owner.tables = [...owner.tables, table];
      this.placeTable(owner, table);
    }
  }

  /** The device gave a chain back; says whether it had tables. Their pages stay watched while the queue lives. */
  dropTables(owner: WatchedQueue, head: number): boolean {
    const gone = owner.tables.filter((t) => t.head === head);
    owner.tables = owner.tables.filter((t) => t.head !== head);
    for (const table of gone) this.dropTable(owner, table);
    return gone.length > 0;
  }

  save(): SavedRingAreas {
    return { queues: this.queues.map(copyQueue), idlePages: [...this.idlePages] };
  }

  restore(saved: SavedRingAreas): void {
    this.queues = saved.queues.map(copyQueue);
    this.idlePages = [...saved.idlePages];
    // Whoever restores may have forgotten the flags, so all of them are set again.
    for (const page of this.watched) this.watchPage(page, 0);
    this.watched.clear();
    this.placeAll();
    for (const page of this.idlePages) this.watch(page);
  }

  private placeQueue(owner: WatchedQueue): void {
    for (const kind of ['descriptor', 'available', 'used'] as const) {
      const start = owner[kind];
      const end = start + bytesOfArea(owner.format, kind, owner.size);
      this.place({ owner, kind, start, end, size: owner.size, table: undefined, fields: new Map() });
    }
    for (const table of owner.tables) this.placeTable(owner, table);
  }

  private placeTable(owner: WatchedQueue, { address, entries }: LiveTable): void {
    const end = address + entries * descriptorBytes;
    const fields = this.fieldsOfTable(owner.format, address, entries);
    this.place({ owner, kind: 'descriptor', start: address, end, size: entries, table: address, fields });
  }

  /** Drivers use the same tables again and again, so what was worked out for one is kept for the next at its place. */
  private fieldsOfTable(format: RingFormat, address: number, entries: number): Area['fields'] {
    const key = `${format} ${address} ${entries}`;
    const known = this.tableFields.get(key);
    if (known !== undefined) return known;
    if (this.tableFields.size >= maximumKnownTables) this.tableFields.clear();
    const fields: Area['fields'] = new Map();
    this.tableFields.set(key, fields);
    return fields;
  }

  private dropTable(owner: WatchedQueue, { address, entries }: LiveTable): void {
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
  private rebuild(): void {
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

function copyQueue(queue: WatchedQueue): WatchedQueue {
  return {
    ...queue,
    usedChains: queue.usedChains.map((u) => ({ ...u })),
    tables: queue.tables.map((t) => ({ ...t })),
  };
}
