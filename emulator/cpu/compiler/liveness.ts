// Which registers of a region are in locals and which of them are newer there than in the hart, block by block.
// Guarantees: what a block or an exit behind it reads from a local has been loaded or written on every way there.
import type { Block } from './blocks';
import type { LoopPlan } from './loops';

/** Sets of registers, one bit each. */
export interface RegisterMask {
  readonly x: number;
  readonly f: number;
}

export interface Liveness {
  /** Registers whose locals may be newer than the hart's cells where a block begins. */
  readonly dirty: readonly RegisterMask[];
  /** Registers whose locals are read from a block on, before they are written. */
  readonly needed: readonly RegisterMask[];
  /** Whether newer locals stay newer from one block to its successor; elsewhere the hart's cells are brought up to date. */
  keeps(from: number, to: number): boolean;
}

export const noRegisters: RegisterMask = { x: 0, f: 0 };
export function joined(a: RegisterMask, b: RegisterMask): RegisterMask {
  return { x: a.x | b.x, f: a.f | b.f };
}
function without(a: RegisterMask, b: RegisterMask): RegisterMask {
  return { x: a.x & ~b.x, f: a.f & ~b.f };
}
function equal(a: RegisterMask, b: RegisterMask): boolean {
  return a.x === b.x && a.f === b.f;
}
export function isEmpty({ x, f }: RegisterMask): boolean {
  return x === 0 && f === 0;
}

/**
 * Inside a loop registers stay in locals, so that its iterations store nothing. Where control enters or leaves a loop, and between
 * blocks outside of loops, the hart is brought up to date: exits then have little to store, and there are many of them.
 */
export function findLiveness(blocks: readonly Block[], plan: LoopPlan): Liveness {
  const loopOf = blocks.map((_, position) => innermostLoop(plan, position));
  const keeps = (from: number, to: number): boolean => loopOf[from] !== undefined && loopOf[from] === loopOf[to];
  const touched = blocks.map(touchedBy);
  const dirty = blocks.map(() => noRegisters);
  const needed = blocks.map(() => noRegisters);
  for (let changed = true; changed;) {
    changed = false;
    blocks.forEach((block, position) => {
      const out = joined(dirty[position] ?? noRegisters, touched[position]?.written ?? noRegisters);
      for (const next of block.successors) {
        if (!keeps(position, next)) continue;
        const before = dirty[next] ?? noRegisters;
        const after = joined(before, out);
        if (equal(before, after)) continue;
        dirty[next] = after;
        changed = true;
      }
    });
  }
  for (let changed = true; changed;) {
    changed = false;
    for (let position = blocks.length - 1; position >= 0; position--) {
      const { read, written } = touched[position] ?? { read: noRegisters, written: noRegisters };
      let behind = noRegisters;
      for (const next of blocks[position]?.successors ?? []) behind = joined(behind, needed[next] ?? noRegisters);
      const own = joined(read, dirty[position] ?? noRegisters);
      const after = joined(own, without(behind, written));
      if (equal(after, needed[position] ?? noRegisters)) continue;
      needed[position] = after;
      changed = true;
    }
  }
  return { dirty, needed, keeps };
}

/** The head of the loop around a block, if it is one without further loops inside. */
function innermostLoop({ loops }: LoopPlan, position: number): number | undefined {
  for (const [head, end] of loops) {
    if (position < head || end < position) continue;
    if (![...loops.keys()].some((other) => head < other && other <= end)) return head;
  }
  return undefined;
}

/** What a block reads before it writes it, and what it writes. */
function touchedBy(block: Block): { readonly read: RegisterMask; readonly written: RegisterMask } {
  let read = noRegisters;
  let written = noRegisters;
  for (const { decoded, flow } of block.instructions) {
    if (flow.kind === 'outside') continue;
    const number = (field: keyof typeof decoded.fields): number => decoded.fields[field] ?? 0;
    let [x, f] = [0, 0];
    for (const field of flow.reads) x |= 1 << number(field);
    for (const field of flow.readsFloat) f |= 1 << number(field);
    read = joined(read, without({ x, f }, written));
    const own = { x: flow.writes ? 1 << number('rd') : 0, f: flow.writesFloat ? 1 << number('fd') : 0 };
    written = joined(written, own);
  }
  // x0 is no register.
  return { read: { ...read, x: read.x & ~1 }, written: { ...written, x: written.x & ~1 } };
}
