// Writes a region: the blocks of a page as one WebAssembly function with real loops and forward branches.
// A target number and a br_table lead to where control cannot fall or branch: entries, joins inside loops, computed jumps.
import { load, op } from '../../wasm/code';
import type { FunctionWriter, Label, Local } from '../../wasm/function';
import { ModuleWriter } from '../../wasm/module';
import { entryShift, greatestEntry, pageBytes, record, slotRegion } from '../layout';
import { importModule } from '../system/imports';
import { wasmPageBytes } from '../module';
import type { Block, PageBlocks } from './blocks';
import { RegionFrame, type RegionImports, type RegisterSets } from './frame';
import { findLiveness, type Liveness, noRegisters, type RegisterMask } from './liveness';
import { type LoopPlan, planLoops } from './loops';
import { type BlockState, CompiledMeaning, type Exits } from './meaning';

export interface RegionEntry {
  /** From the page's start. */
  readonly offset: number;
  readonly number: number;
}

export interface CompiledRegion {
  readonly code: FunctionWriter;
  readonly entries: readonly RegionEntry[];
  /** Offsets of all its instructions. */
  readonly offsets: readonly number[];
  readonly need: number;
}

/** Where a region stands. */
export interface RegionPlace {
  /** Address of the page's records, where computed jumps find entry numbers. */
  readonly slot: number;
  /** Index that the region will have in the function table; 0 is none. */
  readonly functionIndex: number;
}

/**
 * `numberOf` gives an offset its entry number, or none where the entry belongs to another region or numbers have run out; without
 * any there is no region.
 */
export function compileRegion(
  page: PageBlocks,
  place: RegionPlace,
  imports: RegionImports,
  numberOf: (offset: number) => number | undefined,
): CompiledRegion | undefined {
  const numbers = new Map<number, number>();
  for (const position of page.entries) {
    const number = numberOf(page.blocks[position]?.offset ?? 0);
    if (number !== undefined) numbers.set(position, number);
  }
  if (numbers.size === 0) return undefined;
  const plan = planLoops(page.blocks, [...numbers.keys()]);
  const frame = new RegionFrame(registersOf(page.blocks), imports);
  new RegionWriter(page, new Map(numbers), plan, place, frame).write();
  return {
    code: frame.f,
    entries: [...numbers].map(([position, number]) => ({ offset: page.blocks[position]?.offset ?? 0, number })),
    offsets: page.blocks.flatMap((block) => block.instructions.map(({ offset }) => offset)),
    need: plan.need,
  };
}

/** The name that a module exports a region by. */
export function regionExport(position: number): string {
  return `region${position}`;
}

/** A module of regions. */
export function regionModule(
  regions: readonly CompiledRegion[],
  imports: RegionImports,
  memory: { readonly totalBytes: number; readonly shared: boolean },
): Uint8Array<ArrayBuffer> {
  const module = new ModuleWriter();
  const pages = memory.totalBytes / wasmPageBytes;
  module.importMemory(importModule, 'memory', pages, pages, memory.shared);
  for (const { name, parameters, results } of imports.functions) {
    module.importFunction(importModule, name, parameters, results);
  }
  regions.forEach(({ code }, position) => module.addFunction(code, regionExport(position)));
  return module.finish();
}

/** A block, or a loop with its blocks. */
interface Item {
  readonly first: number;
  readonly last: number;
  readonly isLoop: boolean;
}

/** A run of items that is being written. */
interface Context {
  readonly items: readonly Item[];
  readonly labels: ReadonlyMap<Item, Label>;
  current: number;
}

class RegionWriter {
  private readonly liveness: Liveness;
  private readonly contexts: Context[] = [];
  private readonly loopLabels = new Map<number, Label>();
  private outer: Label | undefined;
  private nextJoin = greatestEntry + 1;

  constructor(
    private readonly page: PageBlocks,
    /** Numbers of blocks that are reached through the target number: entries, and joins from `greatestEntry` on. */
    private readonly numbers: Map<number, number>,
    private readonly plan: LoopPlan,
    private readonly place: RegionPlace,
    private readonly frame: RegionFrame,
  ) {
    this.liveness = findLiveness(page.blocks, plan);
    this.numberJoins();
  }

  write(): void {
    const { frame, page } = this;
    const { c } = frame;
    frame.write(() => {
      c.loop((outer) => {
        this.outer = outer;
        this.writeRange(0, page.blocks.length - 1, true);
      });
    });
  }

  /** Forward branches into the middle of a loop need a number. */
  private numberJoins(): void {
    this.page.blocks.forEach((block, position) => {
      for (const next of block.successors) {
        for (const [first, last] of this.plan.loops) {
          if (next <= first || next > last || (position >= first && position <= last)) continue;
          if (!this.numbers.has(next)) this.numbers.set(next, this.nextJoin++);
        }
      }
    });
  }

  private items(first: number, last: number, insideHead: number | undefined): Item[] {
    const items: Item[] = [];
    for (let position = first; position <= last;) {
      const end = position === insideHead ? undefined : this.plan.loops.get(position);
      items.push({ first: position, last: end ?? position, isLoop: end !== undefined });
      position = (end ?? position) + 1;
    }
    return items;
  }

  private writeRange(first: number, last: number, isOuter: boolean): void {
    const { frame } = this;
    const { c } = frame;
    const { f } = c;
    const items = this.items(first, last, isOuter ? undefined : first);
    const labels = new Map<Item, Label>();
    for (const item of [...items].reverse()) labels.set(item, f.block());
    const context: Context = { items, labels, current: -1 };
    this.contexts.push(context);
    if (isOuter) this.writeEntries(items, labels);
    else this.writeDispatch(items, labels);
    for (const item of items) {
      f.end();
      context.current = item.first;
      if (item.isLoop) {
        c.loop((again) => {
          this.loopLabels.set(item.first, again);
          this.writeCheck(item.first);
          this.writeRange(item.first, item.last, false);
          this.loopLabels.delete(item.first);
        });
      } else {
        const isHead = item.first === first && !isOuter;
        if (!isHead && this.plan.checkpoints.has(item.first)) this.writeCheck(item.first);
        this.writeBlock(item.first);
      }
    }
    this.contexts.pop();
  }

  /** Where control enters the region: registers that are needed from the target number's block on are fetched. */
  private writeEntries(items: readonly Item[], labels: ReadonlyMap<Item, Label>): void {
    const { frame, liveness } = this;
    const { f } = frame;
    const entries = [...this.numbers].filter(([, number]) => number <= greatestEntry);
    const table: Label[] = [];
    const starts = entries.map(([position, number]) => ({ position, number, label: f.block() })).reverse();
    const [otherwise] = starts;
    if (otherwise === undefined) throw new Error('a region without an entry');
    const greatest = Math.max(...entries.map(([, number]) => number));
    for (let number = 0; number <= greatest; number++) table.push(otherwise.label);
    for (const { number, label } of starts) table[number] = label;
    f.get(frame.target).brTable(table, otherwise.label);
    for (const { position } of starts) {
      f.end();
      frame.fetch(liveness.needed[position] ?? noRegisters);
      const item = items.find((candidate) => candidate.first <= position && position <= candidate.last);
      const label = item && labels.get(item);
      if (label === undefined) throw new Error(`no code for the entry at block ${position}`);
      if (item?.first === position) frame.c.set(frame.target, 0);
      f.br(label);
    }
  }

  /** At a loop's head: leads on to the block of the target number where there is one. */
  private writeDispatch(items: readonly Item[], labels: ReadonlyMap<Item, Label>): void {
    const { frame } = this;
    const first = items[0]?.first ?? 0;
    const last = items.at(-1)?.last ?? 0;
    const inside = [...this.numbers].filter(([position]) => position > first && position <= last);
    if (inside.length === 0) return;
    const table: Label[] = [];
    const otherwise = items[0] && labels.get(items[0]);
    if (otherwise === undefined) return;
    const greatest = Math.max(0, ...inside.map(([, number]) => number));
    for (let number = 0; number <= greatest; number++) table.push(otherwise);
    for (const [position, number] of inside) {
      const item = items.find((candidate) => candidate.first <= position && position <= candidate.last);
      const label = item && labels.get(item);
      if (label !== undefined) table[number] = label;
    }
    frame.c.rarely(frame.target, () => frame.f.get(frame.target).brTable(table, otherwise));
  }

  /** Leaves before a block when the budget might not last to the next look. */
  private writeCheck(position: number): void {
    const { frame, plan, page } = this;
    const { c } = frame;
    const leave = (): void => frame.exit(frame.pcAt(page.blocks[position]?.offset ?? 0), this.dirtyAt(position));
    c.rarely(op('i32.lt_s', frame.budget, plan.need), () => {
      // What passes here on its way to a join further on had its look before.
      c.when(op('i32.eqz', frame.target), leave);
      const number = this.numbers.get(position);
      if (number !== undefined) c.when(op('i32.eq', frame.target, number), leave);
    });
  }

  private writeBlock(position: number): void {
    const { frame, page } = this;
    const { c } = frame;
    const block = page.blocks[position];
    if (block === undefined) return;
    if (this.numbers.has(position)) c.set(frame.target, 0);
    const count = block.instructions.length;
    c.set(frame.budget, op('i32.sub', frame.budget, count));
    const state: BlockState = {
      floatOn: false,
      floatDirty: false,
      boxed: new Set(),
      newer: this.dirtyAt(position),
    };
    const exits: Exits = {
      keeps: (offset) => this.keeps(position, offset),
      go: (offset, newer) => this.go(position, offset, newer),
      indirect: (target, newer) => this.goIndirect(target, newer),
    };
    block.instructions.forEach((placed, index) => {
      new CompiledMeaning(frame, placed, count - index, state, exits).write(index === count - 1);
    });
  }

  private dirtyAt(position: number): RegisterMask {
    return this.liveness.dirty[position] ?? noRegisters;
  }
  private keeps(from: number, offset: number): boolean {
    const position = this.page.positions.get(offset);
    return position !== undefined && this.liveness.keeps(from, position);
  }

  private go(from: number, offset: number, newer: RegisterMask): void {
    const { frame, page } = this;
    const { c } = frame;
    const position = page.positions.get(offset);
    if (position === undefined) {
      frame.exit(frame.pcAt(offset), newer);
      return;
    }
    if (!this.liveness.keeps(from, position)) frame.update(newer);
    const loop = position <= from ? this.loopLabels.get(position) : undefined;
    if (loop !== undefined) {
      c.br(loop);
      return;
    }
    for (let depth = this.contexts.length - 1; depth >= 0; depth--) {
      const context = this.contexts[depth];
      const item = context?.items.find((candidate) => candidate.first <= position && position <= candidate.last);
      if (context === undefined || item === undefined || item.first <= context.current) continue;
      const label = context.labels.get(item);
      if (label === undefined) continue;
      if (position !== item.first) {
        const number = this.numbers.get(position);
        if (number === undefined) throw new Error(`the join at block ${position} has no number`);
        c.set(frame.target, number);
      }
      c.br(label);
      return;
    }
    // Not reachable by structure: leave, and come back through an entry.
    frame.exit(frame.pcAt(offset), newer);
  }

  /** A computed jump inside the page goes to the entry that stands there. */
  private goIndirect(target: Local, newer: RegisterMask): void {
    const { frame, place, outer, plan } = this;
    const { c } = frame;
    if (outer === undefined) throw new Error('a computed jump outside the region');
    frame.update(newer);
    const distance = frame.take('i64');
    c.set(distance, op('i64.sub', target, frame.page));
    const inside = op('i64.lt_u', distance, BigInt(pageBytes));
    c.when(op('i32.and', inside, op('i32.ge_s', frame.budget, plan.need)), () => {
      const at = op('i32.shl', op('i32.wrap_i64', distance), 3);
      c.set(frame.target, op('i32.shr_u', load('i32.load16_u', at, place.slot + record.handler), entryShift));
      const entry = load('i32.load', op('i32.shl', frame.target, 2), place.slot + slotRegion.entries);
      c.brIf(outer, op('i32.eq', op('i32.and', entry, slotRegion.functionMask), place.functionIndex));
    });
    frame.exit(target, noRegisters);
  }
}

function registersOf(blocks: readonly Block[]): RegisterSets {
  const used = { x: new Set<number>(), f: new Set<number>(), doubles: new Set<number>() };
  for (const block of blocks) {
    for (const { decoded, flow } of block.instructions) {
      if (flow.kind === 'outside') continue;
      const { fields } = decoded;
      for (const field of flow.reads) used.x.add(fields[field] ?? 0);
      if (flow.writes) used.x.add(fields['rd'] ?? 0);
      const float = flow.readsFloat.map((field) => fields[field] ?? 0);
      if (flow.writesFloat) float.push(fields['fd'] ?? 0);
      for (const register of float) {
        used.f.add(register);
        if (flow.isDouble) used.doubles.add(register);
      }
    }
  }
  // x0 is no register.
  used.x.delete(0);
  return used;
}
