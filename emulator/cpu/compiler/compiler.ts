// Decides which pages are worth compiling, installs their regions, and drops them when what they were made from no longer holds.
// Guarantees: a region's entry stands only on records whose page still holds the compiled bytes; compilations of a page grow rarer
// each time; the code of all regions together stays below a bound.
import type { MachineMemory } from '../hart-state';
import {
  control,
  entryShift,
  handlerMask,
  type MemoryLayout,
  pageBytes,
  record,
  slotBytes,
  slotRegion,
} from '../layout';
import { importModule } from '../system/imports';
import { findBlocks } from './blocks';
import { type CompiledRegion, compileRegion, regionExport } from './region';

/** Arrivals by jump until a page is compiled, unless the options say otherwise. */
export const defaultThreshold = 256;
/** A page is compiled so many times at most; what it lacks then stays with the interpreter. */
const greatestCompilations = 14;
const greatestInstructions = 1000;
/** WebAssembly bytes of all regions together; machine code is several times larger. */
const greatestCodeBytes = 8 << 20;

interface Region {
  readonly entries: readonly number[];
  readonly bytes: number;
}

/** What happened so far at one page. */
interface PageHistory {
  compilations: number;
  readonly wanted: number[];
}

export interface CompilerStatistics {
  compilations: number;
  drops: number;
  codeBytes: number;
  milliseconds: number;
}

export class RegionCompiler {
  readonly table: WebAssembly.Table;
  readonly statistics: CompilerStatistics = { compilations: 0, drops: 0, codeBytes: 0, milliseconds: 0 };
  private readonly regions = new Map<number, Region>();
  private readonly histories = new Map<number, PageHistory>();
  private imports: WebAssembly.Imports = {};

  constructor(
    private readonly memory: MachineMemory,
    private readonly layout: MemoryLayout,
    private readonly shared: boolean,
    readonly threshold: number,
    /** The page of RAM that a slot holds. */
    private readonly pageOf: (slot: number) => number,
  ) {
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: layout.slotCount + 1 });
  }

  /** What regions import: the memory and the exports of the processor's module. */
  bind(imports: Readonly<Record<string, WebAssembly.ImportValue>>): void {
    this.imports = { [importModule]: { ...imports } };
  }

  /** Control arrived often at this page, now at this record. */
  compileHot(slot: number, at: number): void {
    const page = this.pageOf(slot);
    const history = this.histories.get(page) ?? { compilations: 0, wanted: [] };
    this.histories.set(page, history);
    const offset = ((at - slot) / record.bytes) * 2;
    const known = this.memory.view.getUint16(at + record.handler, true) >> entryShift !== 0;
    if (!known && history.compilations < greatestCompilations) this.compile(page, slot, history, offset);
    this.memory.view.setInt32(slot + slotRegion.heat, this.threshold << Math.min(history.compilations, 12), true);
  }

  /** The region of a slot no longer holds. */
  drop(slot: number): void {
    const region = this.regions.get(slot);
    if (region === undefined) return;
    this.regions.delete(slot);
    const { view } = this.memory;
    for (const offset of region.entries) {
      const at = slot + (offset / 2) * record.bytes + record.handler;
      view.setUint16(at, view.getUint16(at, true) & handlerMask, true);
    }
    view.setInt32(slot + slotRegion.function, 0, true);
    view.setInt32(control.dropped, view.getInt32(control.dropped, true) + 1, true);
    this.table.set(this.functionIndex(slot), null);
    this.statistics.drops++;
    this.statistics.codeBytes -= region.bytes;
  }

  private compile(page: number, slot: number, history: PageHistory, offset: number): void {
    if (!history.wanted.includes(offset)) history.wanted.unshift(offset);
    history.compilations++;
    const codeAddress = this.layout.ram + page * pageBytes;
    const blocks = findBlocks({ memory: this.memory, codeAddress, slot }, history.wanted, greatestInstructions);
    if (blocks === undefined) return;
    const region = compileRegion(blocks, { totalBytes: this.layout.totalBytes, shared: this.shared, slot });
    this.install(slot, region);
  }

  private install(slot: number, region: CompiledRegion): void {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(region.bytes), this.imports);
    this.drop(slot);
    const index = this.functionIndex(slot);
    this.table.set(index, instance.exports[regionExport]);
    const { view } = this.memory;
    region.entries.forEach((offset, position) => {
      const at = slot + (offset / 2) * record.bytes + record.handler;
      view.setUint16(at, (view.getUint16(at, true) & handlerMask) | ((position + 1) << entryShift), true);
    });
    view.setInt32(slot + slotRegion.function, index, true);
    view.setInt32(slot + slotRegion.need, region.need, true);
    this.regions.set(slot, { entries: region.entries, bytes: region.bytes.length });
    this.statistics.compilations++;
    this.statistics.codeBytes += region.bytes.length;
    this.dropCold();
  }

  /** Oldest first: what is still hot is compiled again. */
  private dropCold(): void {
    for (const slot of this.regions.keys()) {
      if (this.statistics.codeBytes <= greatestCodeBytes) return;
      this.drop(slot);
    }
  }

  private functionIndex(slot: number): number {
    return (slot - this.layout.slots) / slotBytes + 1;
  }
}
