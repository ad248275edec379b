// RAM at many moments, copy on write: each version keeps the pages that were written since the one before it, told by the processor's
// dirty flag. Taking and restoring cost what was written, not what there is. [design: history]
// Guarantees: versions are in order of time, and a page at a version is the newest copy at or before it; where there is none, zeros.
import { type Cpu, pageFlag } from '../cpu/contract';

const pageBytes = 4096;

/** The part of the processor that owns the pages. */
export type PagedMemory = Pick<Cpu, 'ram' | 'ramBase' | 'pageFlags' | 'clearDirty' | 'noteOutsideWrite'>;

/** A handle. What it holds belongs to its history. */
export interface PageVersion {
  /** Pages written since the version before, by number; undefined stands for zeros. */
  readonly pages: ReadonlyMap<number, Uint8Array | undefined>;
}

interface Version extends PageVersion {
  readonly pages: Map<number, Uint8Array | undefined>;
  /** Nobody wants it any more, but RAM is told by its difference from it. */
  released: boolean;
}

export class PageHistory {
  private versions: Version[] = [];
  /** RAM equals it in every page that is not dirty. */
  private present: Version | undefined;
  private copies = 0;

  constructor(private readonly memory: PagedMemory) {}

  /** Bytes of all copies. */
  get bytes(): number {
    return this.copies * pageBytes;
  }

  /**
   * Keeps RAM as it is now, behind `after`, the newest version of an earlier moment. Where the machine came from an older one, what is
   * dirty holds more pages than need be, and all that were written since `after`.
   */
  take(after: PageVersion | undefined): PageVersion {
    const version: Version = { pages: new Map(), released: false };
    for (const page of this.dirtyPages()) {
      const copy = this.copyOf(page);
      if (copy !== undefined) this.copies++;
      version.pages.set(page, copy);
    }
    const place = Math.max(...[after, this.present].map((each) => (each === undefined ? -1 : this.placeOf(each))));
    this.versions.splice(place + 1, 0, version);
    this.moveTo(version);
    return version;
  }

  /** Makes RAM what it was. Pages that do not differ are left alone, with what was decoded and compiled from them. */
  restore(wanted: PageVersion): void {
    const target = this.placeOf(wanted);
    const from = this.present === undefined ? -1 : this.placeOf(this.present);
    const pages = new Set(this.dirtyPages());
    for (let place = Math.min(from, target) + 1; place <= Math.max(from, target); place++) {
      for (const page of this.versions[place]?.pages.keys() ?? []) pages.add(page);
    }
    for (const page of pages) this.write(page, this.contentAt(page, target));
    const version = this.versions[target];
    if (version !== undefined) this.moveTo(version);
  }

  /** Forgets a version; the others stay what they are. */
  drop(unwanted: PageVersion): void {
    const version = this.versions[this.placeOf(unwanted)];
    if (version === undefined) return;
    if (version === this.present) version.released = true;
    else this.merge(version);
  }

  /** Its pages go to the next version where that has none of its own. */
  private merge(version: Version): void {
    const place = this.placeOf(version);
    const next = this.versions[place + 1];
    for (const [page, copy] of version.pages) {
      if (next === undefined || next.pages.has(page)) {
        if (copy !== undefined) this.copies--;
      } else next.pages.set(page, copy);
    }
    this.versions.splice(place, 1);
  }

  private moveTo(version: Version): void {
    const left = this.present;
    this.present = version;
    if (left !== undefined && left !== version && left.released) this.merge(left);
    this.memory.clearDirty();
  }

  private dirtyPages(): number[] {
    const { pageFlags } = this.memory;
    const pages: number[] = [];
    for (let page = 0; page < pageFlags.length; page++) {
      if (((pageFlags[page] ?? 0) & pageFlag.dirty) !== 0) pages.push(page);
    }
    return pages;
  }

  private placeOf(version: PageVersion): number {
    const place = this.versions.findIndex((candidate) => candidate === version);
    if (place < 0) throw new RangeError('this version of RAM was dropped, or belongs to another machine');
    return place;
  }

  private contentAt(page: number, place: number): Uint8Array | undefined {
    for (let at = place; at >= 0; at--) {
      const { pages } = this.versions[at] ?? {};
      if (pages?.has(page) === true) return pages.get(page);
    }
    return undefined;
  }

  private write(page: number, content: Uint8Array | undefined): void {
    const { ram, ramBase } = this.memory;
    const current = ram.subarray(page * pageBytes, (page + 1) * pageBytes);
    if (isEqual(current, content)) return;
    if (content === undefined) current.fill(0);
    else current.set(content);
    this.memory.noteOutsideWrite(ramBase + page * pageBytes, pageBytes);
  }

  private copyOf(page: number): Uint8Array | undefined {
    const copy = this.memory.ram.slice(page * pageBytes, (page + 1) * pageBytes);
    return isEqual(copy, undefined) ? undefined : copy;
  }
}

/** Both are whole pages at multiples of eight bytes; undefined stands for zeros. */
function isEqual(one: Uint8Array, other: Uint8Array | undefined): boolean {
  const words = new BigUint64Array(one.buffer, one.byteOffset, pageBytes / 8);
  if (other === undefined) return words.every((word) => word === 0n);
  const others = new BigUint64Array(other.buffer, other.byteOffset, pageBytes / 8);
  return words.every((word, index) => word === others[index]);
}
