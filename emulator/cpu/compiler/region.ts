// Writes a region: the blocks of a page as one WebAssembly function with real loops and forward branches.
// A target number and a br_table lead to where control cannot fall or branch: entries, joins inside loops, computed jumps.
import { load, op } from '../../wasm/code';
import type { Label, Local } from '../../wasm/function';
import { ModuleWriter } from '../../wasm/module';
import { entryShift, greatestEntry, pageBytes, record } from '../layout';
import { importModule } from '../system/imports';
import { wasmPageBytes } from '../module';
import type { Block, PageBlocks } from './blocks';
import { RegionFrame } from './frame';
import { type LoopPlan, planLoops } from './loops';
import { type BlockState, CompiledMeaning } from './meaning';

export interface CompiledRegion {
  readonly bytes: Uint8Array;
  /** Offset of each entry from the page; entry numbers count from 1. */
  readonly entries: readonly number[];
  /** Offsets of all its instructions. */
  readonly offsets: readonly number[];
  readonly need: number;
}

export interface RegionMemory {
  readonly totalBytes: number;
  readonly shared: boolean;
  /** Address of the page's records, where computed jumps find entry numbers. */
  readonly slot: number;
}

export const regionExport = 'region';

export function compileRegion(page: PageBlocks, memory: RegionMemory): CompiledRegion {
  const entries = page.entries.slice(0, greatestEntry);
  const plan = planLoops(page.blocks, entries);
  const writer = new RegionWriter(page, entries, plan, memory);
  const frame = writer.write();
  const module = new ModuleWriter();
  const pages = memory.totalBytes / wasmPageBytes;
  module.importMemory(importModule, 'memory', pages, pages, memory.shared);
  for (const { name, parameters, results } of frame.functions) {
    module.importFunction(importModule, name, parameters, results);
  }
  module.addFunction(frame.f, regionExport);
  return {
    bytes: module.finish(),
    entries: entries.map((position) => page.blocks[position]?.offset ?? 0),
    offsets: page.blocks.flatMap((block) => block.instructions.map(({ offset }) => offset)),
    need: plan.need,
  };
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
  private readonly frame: RegionFrame;
  /** Numbers of blocks that are reached through the target number. */
  private readonly numbers = new Map<number, number>();
  private readonly contexts: Context[] = [];
  private readonly loopLabels = new Map<number, Label>();
  private outer: Label | undefined;

  constructor(
    private readonly page: PageBlocks,
    entries: readonly number[],
    private readonly plan: LoopPlan,
    private readonly memory: RegionMemory,
  ) {
    const registers = registersOf(page.blocks);
    this.frame = new RegionFrame(registers.used, registers.written);
    for (const position of entries) this.number(position);
    this.numberJoins();
  }

  write(): RegionFrame {
    const { frame, page } = this;
    const { c } = frame;
    frame.write(() => {
      c.loop((outer) => {
        this.outer = outer;
        this.writeRange(0, page.blocks.length - 1, true);
      });
    });
    return frame;
  }

  private number(position: number): number {
    const known = this.numbers.get(position);
    if (known !== undefined) return known;
    this.numbers.set(position, this.numbers.size + 1);
    return this.numbers.size;
  }
  /** Forward branches into the middle of a loop need a number. */
  private numberJoins(): void {
    this.page.blocks.forEach((block, position) => {
      for (const next of block.successors) {
        for (const [first, last] of this.plan.loops) {
          if (next > first && next <= last && (position < first || position > last)) this.number(next);
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
    this.writeDispatch(items, labels, isOuter);
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

  /** Leads to the block of the target number where there is one, else to the first item. */
  private writeDispatch(items: readonly Item[], labels: ReadonlyMap<Item, Label>, isOuter: boolean): void {
    const { frame } = this;
    const { c } = frame;
    const first = items[0]?.first ?? 0;
    const last = items.at(-1)?.last ?? 0;
    const inside = [...this.numbers].filter(([position]) => position > first && position <= last);
    if (!isOuter && inside.length === 0) return;
    const table: Label[] = [];
    const otherwise = items[0] && labels.get(items[0]);
    if (otherwise === undefined) return;
    for (let number = 0; number <= this.numbers.size; number++) table.push(otherwise);
    for (const [position, number] of this.numbers) {
      const item = items.find((candidate) => candidate.first <= position && position <= candidate.last);
      const label = item && labels.get(item);
      if (label !== undefined) table[number] = label;
    }
    const dispatch = (): void => {
      c.f.get(frame.target);
      c.f.brTable(table, otherwise);
    };
    if (isOuter) dispatch();
    else c.when(frame.target, dispatch);
  }

  /** Leaves before a block when the budget might not last to the next look. */
  private writeCheck(position: number): void {
    const { frame, plan, page } = this;
    const { c } = frame;
    c.when(op('i32.lt_s', frame.budget, plan.need), () =>
      // What passes here on its way to a join further on had its look before.
      c.when(op('i32.eqz', frame.target), () => frame.exit(frame.pcAt(page.blocks[position]?.offset ?? 0))),
    );
  }

  private writeBlock(position: number): void {
    const { frame, page } = this;
    const { c } = frame;
    const block = page.blocks[position];
    if (block === undefined) return;
    if (this.numbers.has(position)) c.set(frame.target, 0);
    const count = block.instructions.length;
    c.set(frame.budget, op('i32.sub', frame.budget, count));
    const state: BlockState = { floatOn: false, floatDirty: false };
    const exits = {
      go: (offset: number) => this.go(position, offset),
      indirect: (target: Local) => this.goIndirect(target),
    };
    block.instructions.forEach((placed, index) => {
      new CompiledMeaning(frame, placed, count - index, state, exits).write(index === count - 1);
    });
  }

  private go(from: number, offset: number): void {
    const { frame, page } = this;
    const { c } = frame;
    const position = page.positions.get(offset);
    if (position === undefined) {
      frame.exit(frame.pcAt(offset));
      return;
    }
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
    frame.exit(frame.pcAt(offset));
  }

  /** A computed jump inside the page goes to the entry that stands there. */
  private goIndirect(target: Local): void {
    const { frame, memory, outer, plan } = this;
    const { c } = frame;
    if (outer === undefined) throw new Error('a computed jump outside the region');
    const distance = frame.take('i64');
    c.set(distance, op('i64.sub', target, frame.page));
    const inside = op('i64.lt_u', distance, BigInt(pageBytes));
    c.when(op('i32.and', inside, op('i32.ge_s', frame.budget, plan.need)), () => {
      const at = op('i32.shl', op('i32.wrap_i64', distance), 3);
      const entry = op('i32.shr_u', load('i32.load16_u', at, memory.slot + record.handler), entryShift);
      c.set(frame.target, entry);
      c.brIf(outer, frame.target);
    });
    frame.exit({ type: 'i64', emit: (f) => void f.get(target) });
  }
}

interface RegisterSets {
  readonly x: Set<number>;
  readonly f: Set<number>;
}
/** x0 is no register. */
function registersOf(blocks: readonly Block[]): { used: RegisterSets; written: RegisterSets } {
  const used: RegisterSets = { x: new Set(), f: new Set() };
  const written: RegisterSets = { x: new Set(), f: new Set() };
  for (const block of blocks) {
    for (const { decoded, flow } of block.instructions) {
      if (flow.kind === 'outside') continue;
      const { fields } = decoded;
      const read = flow.reads.map((field) => fields[field] ?? 0).filter((register) => register !== 0);
      for (const register of read) used.x.add(register);
      for (const field of flow.readsFloat) used.f.add(fields[field] ?? 0);
      const rd = fields['rd'] ?? 0;
      if (flow.writes && rd !== 0) {
        used.x.add(rd);
        written.x.add(rd);
      }
      if (flow.writesFloat) {
        used.f.add(fields['fd'] ?? 0);
        written.f.add(fields['fd'] ?? 0);
      }
    }
  }
  return { used, written };
}
