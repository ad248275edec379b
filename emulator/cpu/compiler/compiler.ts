// Decides which pages are worth compiling, installs their regions, and drops them when what they were made from no longer holds.
// Guarantees: a region's entry stands only on records whose page still holds the compiled bytes; compilations of a page grow rarer
// each time; the code of all regions together stays below a bound.
import type { MachineMemory } from '../hart-state';
import { firstHandler } from '../interpreter/records';
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
import { RegionImports, regionTableSize } from './frame';
import { type CompiledRegion, compileRegion, type RegionEntry, regionExport, regionModule } from './region';

/**
 * Arrivals by jump until a page is compiled, unless the options say otherwise: about as many as take the interpreter as long as the
 * compilation, so that at worst everything takes twice as long. An operating system's start is mostly code that never gets there.
 */
export const defaultThreshold = 16_000;
/** Arrivals for each instruction of a page, if that is more: short loops are soon compiled, long kernels are not worth it so soon. */
const arrivalsPerInstruction = 400;
/** Below it somebody wants every page compiled at once. */
const greatestEagerThreshold = 100;
/** More instructions of a page than these do not delay it further. */
const greatestCounted = 400;
/** The host's time for a function grows with its size, also for the parts of it that are cold. */
const greatestInstructions = 160;
/** Between two looks at the stop word so many instructions are compiled, and the rest of a region, which takes milliseconds. */
const greatestInstructionsPerSlice = 500;
/** WebAssembly bytes of all regions together; machine code is several times larger, and the host keeps much about each module. */
export const defaultCodeBytes = 12 << 20;
const moduleBytes = 8 << 10;

/** Regions that were compiled together. */
interface RegionBatch {
  readonly bytes: number;
  /** Those that are still in use; the host frees the module behind the last one. */
  live: number;
}

interface Region {
  readonly functionIndex: number;
  readonly entries: readonly RegionEntry[];
  /** Offsets of its instructions. */
  readonly offsets: ReadonlySet<number>;
  /** Where it was entered when it was compiled. */
  readonly wanted: readonly number[];
  readonly batch: RegionBatch;
}

/** A page that is worth compiling. */
interface Request {
  readonly page: number;
  readonly slot: number;
  readonly offset: number;
  readonly behind: number | undefined;
}

/** A region that has been written. */
interface Draft {
  readonly regions: PageRegions;
  readonly compiled: CompiledRegion;
  readonly functionIndex: number;
  readonly wanted: readonly number[];
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

export interface CompilerBounds {
  /** Arrivals by jump at a page until it is compiled. */
  readonly threshold: number;
  /** WebAssembly bytes of all regions together. */
  readonly codeBytes: number;
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
  private requests: Request[] = [];
  /** Slots whose code was counted, and the pages of RAM that they held then. */
  private readonly judged = new Map<number, number>();
  private readonly freeIndices: number[] = [];
  private nextIndex = 1;
  private imports: WebAssembly.Imports = {};

  constructor(
    private readonly memory: MachineMemory,
    private readonly layout: MemoryLayout,
    private readonly shared: boolean,
    private readonly bounds: CompilerBounds,
    private readonly host: CompilerHost,
  ) {}

  /** What regions import: the memory and the exports of the processor's module. */
  bind(imports: Readonly<Record<string, WebAssembly.ImportValue>>): void {
    this.imports = { [importModule]: { ...imports } };
  }

  /** The stop word was looked at: what became hot since then is compiled, as far as it does not delay the next look. */
  beginSlice(): void {
    if (this.requests.length > 0) this.compileRequests();
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
    const more = this.isEager ? 0 : this.arrivalsStillWanted(slot, page);
    if (more > 0) {
      view.setInt32(slot + slotRegion.heat, more, true);
      return;
    }
    const count = (this.compilations.get(page) ?? 0) + (isEntry ? 0 : 1);
    view.setInt32(slot + slotRegion.heat, Math.min(this.bounds.threshold * (1 + count), 2 ** 30), true);
    if (isEntry) return;
    this.compilations.set(page, count);
    this.requests.push({ page, slot, offset, behind: this.behind(hartBase, virtualPage) });
    if (this.isEager) this.compileRequests();
  }

  private get isEager(): boolean {
    return this.bounds.threshold <= greatestEagerThreshold;
  }

  /** A page with much code that was executed takes longer to compile, so it waits for more arrivals, once. */
  private arrivalsStillWanted(slot: number, page: number): number {
    if (this.judged.get(slot) === page) return 0;
    this.judged.set(slot, page);
    const { view } = this.memory;
    let instructions = 0;
    for (let at = slot; at < slot + (pageBytes / 2) * record.bytes; at += record.bytes) {
      const handler = view.getUint16(at + record.handler, true) & handlerMask;
      if (handler >= firstHandler) instructions++;
    }
    return Math.min(instructions, greatestCounted) * arrivalsPerInstruction - this.bounds.threshold;
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

  /** One module for all: a module costs the host more than a small region in it. */
  private compileRequests(): void {
    const imports = new RegionImports();
    const drafts: Draft[] = [];
    const waiting: Request[] = [];
    let instructions = 0;
    for (const request of this.requests) {
      const isDrafted = drafts.some(({ regions }) => regions.slot === request.slot);
      if (isDrafted || instructions >= greatestInstructionsPerSlice) {
        waiting.push(request);
        continue;
      }
      instructions += this.draft(request, imports, drafts);
    }
    this.requests = waiting;
    if (drafts.length > 0) this.install(drafts, imports);
  }

  /** Writes a region; returns the number of its instructions. */
  private draft({ page, slot, offset, behind }: Request, imports: RegionImports, drafts: Draft[]): number {
    // What was in the slot may have gone meanwhile.
    if (this.host.pageOf(slot) !== page) return 0;
    if (this.freeIndices.length === 0 && this.nextIndex === regionTableSize) return 0;
    const regions = this.pages.get(slot) ?? { slot, regions: [], numbers: new Map<number, number>() };
    // Code that a region has without an entry here: the region is made anew with one.
    const old = regions.regions.find((region) => region.offsets.has(offset));
    const wanted = [offset, ...(old?.wanted ?? [])];
    const codeAddress = this.layout.ram + page * pageBytes;
    const blocks = findBlocks({ memory: this.memory, codeAddress, slot, behind }, wanted, greatestInstructions);
    if (blocks === undefined) return 0;
    if (old !== undefined) {
      regions.regions.splice(regions.regions.indexOf(old), 1);
      this.remove(regions, old);
    }
    const functionIndex = this.freeIndices.pop() ?? this.nextIndex++;
    const compiled = compileRegion(blocks, { slot, functionIndex }, imports, (entry) => takeNumber(regions, entry));
    if (compiled === undefined) {
      this.freeIndices.push(functionIndex);
      return 0;
    }
    drafts.push({ regions, compiled, functionIndex, wanted });
    return blocks.instructionCount;
  }

  private install(drafts: readonly Draft[], imports: RegionImports): void {
    const memory = { totalBytes: this.layout.totalBytes, shared: this.shared };
    const bytes = regionModule(
      drafts.map(({ compiled }) => compiled),
      imports,
      memory,
    );
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.imports);
    const batch: RegionBatch = { bytes: bytes.length + moduleBytes, live: drafts.length };
    drafts.forEach(({ regions: page, compiled, functionIndex, wanted }, position) => {
      this.table.set(functionIndex, exports[regionExport(position)]);
      const { slot } = page;
      for (const { offset, number } of compiled.entries) {
        this.setEntry(slot, offset, number);
        const entry = functionIndex | (compiled.need << slotRegion.needShift);
        this.memory.view.setInt32(slot + slotRegion.entries + number * 4, entry, true);
      }
      const { entries } = compiled;
      page.regions.push({ functionIndex, entries, offsets: new Set(compiled.offsets), wanted, batch });
      this.memory.view.setInt32(slot + slotRegion.count, page.regions.length, true);
      this.pages.delete(slot);
      this.pages.set(slot, page);
    });
    this.statistics.compilations += drafts.length;
    this.statistics.codeBytes += batch.bytes;
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
    if (--region.batch.live === 0) this.statistics.codeBytes -= region.batch.bytes;
  }

  private setEntry(slot: number, offset: number, number: number): void {
    const at = slot + (offset / 2) * record.bytes + record.handler;
    const handler = this.memory.view.getUint16(at, true) & handlerMask;
    this.memory.view.setUint16(at, handler | (number << entryShift), true);
  }

  /** Oldest first: what is still hot is compiled again. */
  private dropCold(): void {
    for (const slot of this.pages.keys()) {
      if (this.statistics.codeBytes <= this.bounds.codeBytes || this.pages.size === 1) return;
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
