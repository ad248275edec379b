// The loops of a region as nested intervals of blocks, and how many instructions lie between two looks at the budget.
import type { Block } from './blocks';

export interface LoopPlan {
  /** First to last block of each loop, by the position of its head; intervals nest. */
  readonly loops: ReadonlyMap<number, number>;
  /** Blocks before which the budget is looked at. */
  readonly checkpoints: ReadonlySet<number>;
  /** Greatest number of instructions from a look at the budget to the next one or an exit. */
  readonly need: number;
}

/** About so many instructions may pass without a look at the budget. */
const greatestPath = 192;

export function planLoops(blocks: readonly Block[], entries: readonly number[]): LoopPlan {
  const loops = findLoops(blocks);
  const checkpoints = new Set(loops.keys());
  const isEntry = new Set(entries);
  // Forward edges go to later blocks, so one pass over the blocks sees predecessors first, and one backwards successors first.
  const passed = blocks.map(() => 0);
  blocks.forEach((block, position) => {
    if ((passed[position] ?? 0) + block.instructions.length > greatestPath) checkpoints.add(position);
    const before = checkpoints.has(position) ? 0 : (passed[position] ?? 0);
    for (const next of block.successors) {
      if (next > position) passed[next] = Math.max(passed[next] ?? 0, before + block.instructions.length);
    }
  });
  const ahead = blocks.map(() => 0);
  let need = 1;
  for (let position = blocks.length - 1; position >= 0; position--) {
    const block = blocks[position];
    if (block === undefined) continue;
    let longest = 0;
    for (const next of block.successors) {
      if (next > position && !checkpoints.has(next)) longest = Math.max(longest, ahead[next] ?? 0);
    }
    ahead[position] = longest + block.instructions.length;
    if (checkpoints.has(position) || isEntry.has(position)) need = Math.max(need, ahead[position] ?? 0);
  }
  return { loops, checkpoints, need };
}

/** Every edge backwards makes its target the head of a loop that reaches to its source; overlapping loops are widened until they nest. */
function findLoops(blocks: readonly Block[]): Map<number, number> {
  const loops = new Map<number, number>();
  blocks.forEach((block, position) => {
    for (const head of block.successors) {
      if (head <= position) loops.set(head, Math.max(loops.get(head) ?? head, position));
    }
  });
  for (let changed = true; changed;) {
    changed = false;
    for (const [head, end] of loops) {
      for (const [other, otherEnd] of loops) {
        if (head < other && other <= end && end < otherEnd) {
          loops.set(head, otherEnd);
          changed = true;
          break;
        }
      }
    }
  }
  return loops;
}
