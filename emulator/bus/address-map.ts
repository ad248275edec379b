// The physical address space outside RAM: which region answers an access, and what happens where none does.
// Guarantees: regions never overlap, and a region only sees naturally aligned accesses that lie wholly inside it. [RISC-V priv. 3.6]
import type { Accessor, AccessSize, MmioRegion } from './access';

export class AddressMap {
  private readonly sorted: MmioRegion[] = [];
  private lastHit: MmioRegion | undefined;

  /** @throws RangeError when two regions overlap */
  constructor(regions: readonly MmioRegion[] = []) {
    for (const region of regions) this.add(region);
  }

  /** The regions in ascending order of address. */
  get regions(): readonly MmioRegion[] {
    return this.sorted;
  }

  /** @throws RangeError when the region is empty or overlaps another one */
  add(region: MmioRegion): void {
    if (!Number.isSafeInteger(region.base) || region.base < 0 || !(region.sizeBytes > 0)) {
      throw new RangeError(`region ${region.name} has base ${region.base} and size ${region.sizeBytes}`);
    }
    const place = this.placeOf(region.base);
    const below = this.sorted[place - 1];
    const above = this.sorted[place];
    for (const other of [below, above]) {
      if (other === undefined) continue;
      if (region.base < other.base + other.sizeBytes && other.base < region.base + region.sizeBytes) {
        throw new RangeError(
          `region ${region.name} at ${hex(region.base)} overlaps ${other.name} at ${hex(other.base)}: move one of them`,
        );
      }
    }
    this.sorted.splice(place, 0, region);
  }

  /** Takes a region out again, e.g. a window whose base register was moved. */
  remove(region: MmioRegion): void {
    const place = this.sorted.indexOf(region);
    if (place >= 0) this.sorted.splice(place, 1);
    if (this.lastHit === region) this.lastHit = undefined;
  }

  /** The region that wholly contains a naturally aligned access; undefined for a hole, an edge or an unaligned access. */
  find(address: number, size: AccessSize): MmioRegion | undefined {
    if (address % size !== 0) return undefined;
    let region = this.lastHit;
    if (region === undefined || address < region.base || address >= region.base + region.sizeBytes) {
      region = this.sorted[this.placeOf(address) - 1];
      if (region === undefined || address >= region.base + region.sizeBytes) return undefined;
      this.lastHit = region;
    }
    return address + size <= region.base + region.sizeBytes ? region : undefined;
  }

  /** Asks the region whether the access may take effect; a hole has no objection, it faults afterwards. */
  attempt(address: number, size: AccessSize, kind: 'read' | 'write', value: bigint, by: Accessor): 'proceed' | 'stop' {
    const region = this.find(address, size);
    return region?.attempt?.(address - region.base, size, kind, value, by) ?? 'proceed';
  }

  load(address: number, size: AccessSize, by: Accessor): bigint | 'fault' {
    const region = this.find(address, size);
    if (region === undefined) return 'fault';
    return region.read(address - region.base, size, by) ?? 'fault';
  }

  store(address: number, size: AccessSize, value: bigint, by: Accessor): 'done' | 'fault' {
    const region = this.find(address, size);
    if (region === undefined) return 'fault';
    return region.write(address - region.base, size, value, by) ? 'done' : 'fault';
  }

  /** What a load would give, without effects; undefined where nothing can be shown. */
  peek(address: number, size: AccessSize): bigint | undefined {
    const region = this.find(address, size);
    return region?.peek(address - region.base, size);
  }

  /** How many regions begin at or below the address. */
  private placeOf(address: number): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.sorted[middle]?.base ?? Infinity) <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
