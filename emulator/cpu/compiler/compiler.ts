// Decides which pages are worth compiling, installs their regions, and drops them when what they were made from no longer holds.
// Guarantees: a region's entry stands only on records whose page still holds the compiled bytes; compilations of a page grow rarer
// each time; the code of all regions together stays below a bound.
import type { MachineMemory } from '../hart-state';
import {
  control,
  entryShift,
  greatestEntry,
  handlerMask,
  type MemoryLayout,
  pageBytes,
  record,
  slotRegion,
} from '../layout';
import { importModule } from '../system/imports';
import { findBlocks } from './blocks';
import { regionTableSize } from './frame';
import { type CompiledRegion, compileRegion, type RegionEntry, regionExport } from './region';

/**
 * Arrivals by jump until a page is compiled, unless the options say otherwise: about as many as take the interpreter as long as the
 * compilation, so that at worst everything takes twice as long. An operating system's start is mostly code that never gets there.
 */
export const defaultThreshold = 16_000;
const greatestInstructions = 400;
/** So many instructions are compiled between two looks at the stop word at most, which takes milliseconds; what else is hot waits. */
const greatestInstructionsPerSlice = 800;
/** Arrivals until a page that had to wait asks again. */
const waitingHeat = 500;
/** WebAssembly bytes of all regions together; machine code is several times larger, and the host keeps much about each module. */
const greatestCodeBytes = 12 << 20;
const moduleBytes = 8 << 10;

/** Misses per threshold of arrivals from which on a page's code calls for translations. */
const greatestMissShare = 1 / 8;

interface Region {
  readonly functionIndex: number;
  readonly entries: readonly RegionEntry[];
  /** Offsets of its instructions. */
  readonly offsets: ReadonlySet<number>;
  /** Where it was entered when it was compiled. */
  readonly wanted: readonly number[];
  readonly bytes: number;
}

interface PageRegions {
  readonly slot: number;
  readonly regions: Region[];
  /** Offset of each entry number in use. */
  readonly numbers: Map<number, number>;
}

export interface CompilerStatistics {
  compilations: number;
  drops: number;
  codeBytes: number;
}

/** What the compiler asks about guest memory. */
export interface CompilerHost {
  /** The page of RAM that a slot holds. */
  pageOf(slot: number): number;
  /** The physical address of a virtual one, for the hart at an address in linear memory; without effects. */
  translate(hartBase: number, virtualAddress: bigint): number | undefined;
}

export class RegionCompiler {
  readonly table = new WebAssembly.Table({ element: 'anyfunc', initial: regionTableSize });
  readonly statistics: CompilerStatistics = { compilations: 0, drops: 0, codeBytes: 0 };
  /** By slot; the one compiled longest ago comes first. */
  private readonly pages = new Map<number, PageRegions>();
  /** How often a page of RAM was compiled. */
  private readonly compilations = new Map<number, number>();
  /** Pages of RAM whose code misses so many translations that it calls for them. */
  private readonly missing = new Set<number>();
  private instructionsInSlice = 0;
  private readonly freeIndices: number[] = [];
  private nextIndex = 1;
  private imports: WebAssembly.Imports = {};

  constructor(
    private readonly memory: MachineMemory,
    private readonly layout: MemoryLayout,
    private readonly shared: boolean,
    private readonly threshold: number,
    private readonly host: CompilerHost,
  ) {}

  /** What regions import: the memory and the exports of the processor's module. */
  bind(imports: Readonly<Record<string, WebAssembly.ImportValue>>): void {
    this.imports = { [importModule]: { ...imports } };
  }

  /** The stop word was looked at. */
  beginSlice(): void {
    this.instructionsInSlice = 0;
  }

  /** Compilations so far do not delay the next ones any more: the user changed what is to be compiled. */
  forgetCounts(): void {
    this.compilations.clear();
  }

  /** Control arrived often at this page, now at this record; `virtualPage` is how the hart sees it. */
  compileHot(hartBase: number, slot: number, at: number, virtualPage: bigint): void {
    const page = this.host.pageOf(slot);
    const offset = ((at - slot) / record.bytes) * 2;
    const { view } = this.memory;
    const isEntry = view.getUint16(at + record.handler, true) >> entryShift !== 0;
    let count = this.compilations.get(page) ?? 0;
    if (!isEntry && this.instructionsInSlice >= greatestInstructionsPerSlice) {
      view.setInt32(slot + slotRegion.heat, Math.min(this.threshold, waitingHeat), true);
      return;
    }
    const misses = view.getInt32(slot + slotRegion.misses, true);
    view.setInt32(slot + slotRegion.misses, 0, true);
    if (misses > this.threshold * greatestMissShare && !this.missing.has(page)) {
      this.missing.add(page);
      const behind = this.behind(hartBase, virtualPage);
      for (const { wanted } of [...(this.pages.get(slot)?.regions ?? [])])
        this.compile(page, slot, wanted[0] ?? offset, behind);
    } else if (!isEntry) {
      this.compilations.set(page, ++count);
      this.compile(page, slot, offset, this.behind(hartBase, virtualPage));
    }
    view.setInt32(slot + slotRegion.heat, Math.min(this.threshold * (1 + count), 2 ** 30), true);
  }

  /** The regions of a slot no longer hold. */
  drop(slot: number): void {
    const page = this.pages.get(slot);
    if (page === undefined) return;
    this.pages.delete(slot);
    for (const region of page.regions) this.remove(page, region);
    const { view } = this.memory;
    view.setInt32(slot + slotRegion.count, 0, true);
    view.setInt32(control.dropped, view.getInt32(control.dropped, true) + 1, true);
    this.statistics.drops++;
  }

  /** The first halfword of the page that follows in the hart's address space. */
  private behind(hartBase: number, virtualPage: bigint): number | undefined {
    const physical = this.host.translate(hartBase, virtualPage + BigInt(pageBytes));
    const offset = (physical ?? -1) - this.layout.ramBase;
    if (offset < 0 || offset >= this.layout.ramBytes) return undefined;
    return this.memory.view.getUint16(this.layout.ram + offset, true);
  }

  private compile(page: number, slot: number, offset: number, behind: number | undefined): void {
    if (this.freeIndices.length === 0 && this.nextIndex === regionTableSize) return;
    const regions = this.pages.get(slot) ?? { slot, regions: [], numbers: new Map<number, number>() };
    // Code that a region has without an entry here: the region is made anew with one.
    const old = regions.regions.find((region) => region.offsets.has(offset));
    const wanted = [offset, ...(old?.wanted ?? [])];
    const codeAddress = this.layout.ram + page * pageBytes;
    const blocks = findBlocks({ memory: this.memory, codeAddress, slot, behind }, wanted, greatestInstructions);
    if (blocks === undefined) return;
    this.instructionsInSlice += blocks.instructionCount;
    if (old !== undefined) {
      regions.regions.splice(regions.regions.indexOf(old), 1);
      this.remove(regions, old);
    }
    const functionIndex = this.freeIndices.pop() ?? this.nextIndex++;
    const callsReach = this.missing.has(page);
    const memory = { totalBytes: this.layout.totalBytes, shared: this.shared, slot, functionIndex, callsReach };
    const compiled = compileRegion(blocks, memory, (entry) => takeNumber(regions, entry));
    this.install(regions, compiled, functionIndex, wanted);
  }

  private install(page: PageRegions, compiled: CompiledRegion, functionIndex: number, wanted: readonly number[]): void {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(compiled.bytes), this.imports);
    this.table.set(functionIndex, instance.exports[regionExport]);
    const { slot } = page;
    for (const { offset, number } of compiled.entries) {
      this.setEntry(slot, offset, number);
      const entry = functionIndex | (compiled.need << slotRegion.needShift);
      this.memory.view.setInt32(slot + slotRegion.entries + number * 4, entry, true);
    }
    const { entries, bytes } = compiled;
    page.regions.push({ functionIndex, entries, offsets: new Set(compiled.offsets), wanted, bytes: bytes.length });
    this.memory.view.setInt32(slot + slotRegion.count, page.regions.length, true);
    this.pages.delete(slot);
    this.pages.set(slot, page);
    this.statistics.compilations++;
    this.statistics.codeBytes += bytes.length + moduleBytes;
    this.dropCold();
  }

  private remove(page: PageRegions, region: Region): void {
    for (const { offset, number } of region.entries) {
      this.setEntry(page.slot, offset, 0);
      this.memory.view.setInt32(page.slot + slotRegion.entries + number * 4, 0, true);
      page.numbers.delete(number);
    }
    this.table.set(region.functionIndex, null);
    this.freeIndices.push(region.functionIndex);
    this.statistics.codeBytes -= region.bytes + moduleBytes;
  }

  private setEntry(slot: number, offset: number, number: number): void {
    const at = slot + (offset / 2) * record.bytes + record.handler;
    const handler = this.memory.view.getUint16(at, true) & handlerMask;
    this.memory.view.setUint16(at, handler | (number << entryShift), true);
  }

  /** Oldest first: what is still hot is compiled again. */
  private dropCold(): void {
    for (const slot of this.pages.keys()) {
      if (this.statistics.codeBytes <= greatestCodeBytes || this.pages.size === 1) return;
      this.drop(slot);
    }
  }
}

/** A number for an entry, unless the offset has one already or all are in use. */
function takeNumber({ numbers }: PageRegions, offset: number): number | undefined {
  for (const taken of numbers.values()) if (taken === offset) return undefined;
  for (let number = 1; number <= greatestEntry; number++) {
    if (numbers.has(number)) continue;
    numbers.set(number, offset);
    return number;
  }
  return undefined;
}
