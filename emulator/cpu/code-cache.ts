// Decoded instructions: which page of RAM has a slot, decoding into it on demand, and forgetting what no longer holds.
// Guarantees: a record never outlives the bytes it was decoded from, and a breakpoint's record always asks first.
import { pageFlag } from './contract';
import { instructionLength } from './decoder';
import type { MachineMemory } from './hart-state';
import { pseudoHandler, writeRecord } from './interpreter/records';
import { hartBase, hartCell, type MemoryLayout, pageBytes, record, slotBytes, slotRegion, translation } from './layout';

export class CodeCache {
  /** Page of RAM that each slot holds, or -1. */
  private readonly pageOfSlot: Int32Array;
  private nextSlot = 0;
  private breakpoints: ReadonlySet<bigint> = new Set();
  /** Page offsets of breakpoints: records there ask before they execute. */
  private breakpointOffsets: ReadonlySet<number> = new Set();

  /** Called before a decoded instruction of a slot changes or goes. */
  onChange: (slot: number) => void = () => undefined;

  constructor(
    private readonly memory: MachineMemory,
    private readonly layout: MemoryLayout,
    /** What a new slot's count of arrivals begins with. */
    private readonly heat: number,
  ) {
    this.pageOfSlot = new Int32Array(layout.slotCount).fill(-1);
  }

  /** The slot for a page, empty; evicts the slot that was given out longest ago when all are in use. */
  allocateSlot(page: number): number {
    const index = this.nextSlot;
    this.nextSlot = (index + 1) % this.layout.slotCount;
    const slot = this.layout.slots + index * slotBytes;
    const evicted = this.pageOfSlot[index] ?? -1;
    if (evicted >= 0) this.forgetPage(evicted);
    this.memory.bytes.fill(0, slot, slot + slotBytes);
    this.memory.view.setUint16(slot + (pageBytes / 2) * record.bytes, pseudoHandler.nextPage, true);
    this.memory.view.setInt32(slot + slotRegion.heat, this.heat, true);
    this.pageOfSlot[index] = page;
    this.setSlotOfPage(page, slot);
    this.setCodeFlag(page, true);
    // From now on stores to the page must be seen.
    this.clearFast('store');
    return slot;
  }

  /** Decodes the instruction that a record of a slot stands for. */
  decodeRecord(address: number): void {
    const slot = address - ((address - this.layout.slots) % slotBytes);
    const offset = ((address - slot) / record.bytes) * 2;
    const at = this.layout.ram + this.pageOf(slot) * pageBytes + offset;
    const low = this.memory.view.getUint16(at, true);
    const { view } = this.memory;
    if (instructionLength(low) === 4 && offset === pageBytes - 2) {
      view.setUint32(address + record.bits, low, true);
      view.setUint16(address + record.handler, pseudoHandler.loose, true);
    } else {
      const bits = instructionLength(low) === 4 ? view.getUint32(at, true) : low;
      writeRecord(view, address, bits);
    }
    if (this.breakpointOffsets.has(offset)) {
      view.setUint16(address + record.handler, pseudoHandler.breakpoint, true);
    }
  }

  /** The page of RAM that a slot holds. */
  pageOf(slot: number): number {
    return this.pageOfSlot[(slot - this.layout.slots) / slotBytes] ?? -1;
  }

  /** Fills a loose record, and the records behind it that lead on. */
  decodeWord(word: number, address: number): void {
    const bits = word >>> 0;
    const { view } = this.memory;
    writeRecord(view, address, bits);
    view.setUint16(address + record.bytes + record.handler, pseudoHandler.nextPage, true);
    view.setUint16(address + 2 * record.bytes + record.handler, pseudoHandler.nextPage, true);
  }

  /** Forgets what was decoded from bytes of one page; both are offsets inside it. */
  dropRange(page: number, firstOffset: number, endOffset: number): void {
    const slot = this.slotOfPage(page);
    if (slot === 0) return;
    const first = Math.max(0, (firstOffset >> 1) - 1);
    const last = (endOffset - 1) >> 1;
    for (let halfword = first; halfword <= last; halfword++) this.dropRecord(slot, halfword);
  }

  setBreakpoints(pcs: readonly bigint[]): void {
    const offsets = new Set(pcs.map((pc) => Number(pc & 0xffen)));
    const changed = [...offsets, ...this.breakpointOffsets].filter(
      (offset) => offsets.has(offset) !== this.breakpointOffsets.has(offset),
    );
    this.breakpoints = new Set(pcs.map((pc) => BigInt.asUintN(64, pc)));
    this.breakpointOffsets = offsets;
    this.pageOfSlot.forEach((page, index) => {
      if (page < 0) return;
      for (const offset of changed) this.dropRecord(this.layout.slots + index * slotBytes, offset >> 1);
    });
    this.memory.setControlWord('breakpoints', pcs.length);
  }
  isBreakpoint(pc: bigint): boolean {
    return this.breakpoints.has(pc);
  }

  /** Empties the fast entries of one kind of access in all harts; exact entries stay, so nothing else changes. */
  clearFast(kind: 'load' | 'store' | 'fetch'): void {
    const first = kind === 'fetch' ? translation.fetch : kind === 'store' ? translation.store : 0;
    const stride = kind === 'fetch' ? translation.tableBytes : translation.dataSetBytes;
    const count = kind === 'fetch' ? translation.fetchSets : translation.dataSets;
    for (let hart = 0; hart < this.layout.harts; hart++) {
      const tables = hartBase(hart) + hartCell.translations + first;
      for (let set = 0; set < count; set++) {
        const at = tables + set * stride;
        this.memory.bytes.fill(0xff, at, at + translation.exact);
      }
    }
  }

  private forgetPage(page: number): void {
    this.onChange(this.slotOfPage(page));
    this.setSlotOfPage(page, 0);
    this.setCodeFlag(page, false);
    this.clearFast('fetch');
  }
  private dropRecord(slot: number, halfword: number): void {
    const at = slot + halfword * record.bytes + record.handler;
    if (this.memory.view.getUint16(at, true) === pseudoHandler.decode) return;
    this.onChange(slot);
    this.memory.view.setUint16(at, pseudoHandler.decode, true);
  }
  private slotOfPage(page: number): number {
    return this.memory.view.getUint32(this.layout.slotOfPage + page * 4, true);
  }
  private setSlotOfPage(page: number, slot: number): void {
    this.memory.view.setUint32(this.layout.slotOfPage + page * 4, slot, true);
  }
  private setCodeFlag(page: number, on: boolean): void {
    const at = this.layout.pageFlags + page;
    const flags = this.memory.view.getUint8(at);
    this.memory.view.setUint8(at, on ? flags | pageFlag.code : flags & ~pageFlag.code);
  }
}
