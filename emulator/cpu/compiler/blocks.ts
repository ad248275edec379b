// Cuts the executed code of one page into blocks, from the places where it is entered.
// Guarantees: blocks are in the order in which they are to be written, hold only instructions that the interpreter has decoded, and never overlap.
import { decode, type DecodedInstruction } from '../decoder';
import type { MachineMemory } from '../hart-state';
import { firstHandler, pseudoHandler } from '../interpreter/records';
import { handlerMask, pageBytes, record } from '../layout';
import { type Flow, flowOf } from './flow';
import { orderBlocks } from './order';

export interface PlacedInstruction {
  readonly offset: number;
  readonly decoded: DecodedInstruction;
  readonly flow: Flow;
}

export interface Block {
  readonly offset: number;
  readonly instructions: readonly PlacedInstruction[];
  /** Offset behind its last instruction. */
  readonly end: number;
  /** Blocks of the page that follow it, by position. */
  readonly successors: readonly number[];
}

export interface PageBlocks {
  readonly blocks: readonly Block[];
  readonly positions: ReadonlyMap<number, number>;
  /** Blocks where control may come back from outside, by position, the most useful ones first. */
  readonly entries: readonly number[];
  readonly instructionCount: number;
}

/** One straight run is cut after so many instructions, which bounds the steps between two looks at the budget. */
const greatestBlock = 64;

/** The page's code in linear memory and its decoded records. */
export interface PageCode {
  readonly memory: MachineMemory;
  readonly codeAddress: number;
  readonly slot: number;
  /** The first halfword of the page behind it, as the code sees it; `undefined` where there is none. */
  readonly behind: number | undefined;
}

export function targetOf({ offset, decoded }: PlacedInstruction): number {
  return offset + (decoded.fields['imm'] ?? 0);
}

/** An instruction that the interpreter has executed, so that cold code is left out; `undefined` for all others. */
function decodedAt(page: PageCode, offset: number): DecodedInstruction | undefined {
  const { memory, codeAddress, slot, behind } = page;
  if (offset < 0 || offset > pageBytes - 2) return undefined;
  const handler = memory.view.getUint16(slot + (offset / 2) * record.bytes + record.handler, true) & handlerMask;
  const low = memory.view.getUint16(codeAddress + offset, true);
  if (handler === pseudoHandler.loose && offset === pageBytes - 2 && behind !== undefined) {
    return decode(low | (behind << 16));
  }
  if (handler < firstHandler) return undefined;
  return decode((low & 3) === 3 ? memory.view.getUint32(codeAddress + offset, true) : low);
}

/** Blocks reachable from the wanted offsets; about `greatest` instructions, nearest to the first offsets. */
export function findBlocks(page: PageCode, wanted: readonly number[], greatest: number): PageBlocks | undefined {
  const found = new Map<number, PlacedInstruction>();
  const leaders = new Set<number>();
  const entries = new Set<number>();
  const heads = new Set<number>();
  const work: number[] = [];
  const visit = (offset: number): void => {
    leaders.add(offset);
    work.push(offset);
  };
  for (const offset of wanted) {
    visit(offset);
    entries.add(offset);
  }
  for (let next = work.shift(); next !== undefined && found.size < greatest; next = work.shift()) {
    let offset = next;
    while (!found.has(offset)) {
      const decoded = decodedAt(page, offset);
      if (decoded === undefined) break;
      const flow = flowOf(decoded);
      const placed: PlacedInstruction = { offset, decoded, flow };
      found.set(offset, placed);
      const end = offset + decoded.lengthBytes;
      if (flow.kind === 'branch' || flow.kind === 'jump') {
        const target = targetOf(placed);
        if (target <= offset && target >= 0) heads.add(target);
        if (target >= 0 && target < pageBytes) visit(target);
      }
      if (flow.kind !== 'next') {
        if (flow.kind === 'branch' || flow.links || flow.kind === 'outside') visit(end);
        if ((flow.links && flow.kind !== 'branch') || flow.kind === 'outside') entries.add(end);
        break;
      }
      offset = end;
    }
  }
  return arrange(found, leaders, [...heads, ...entries]);
}

function arrange(
  found: ReadonlyMap<number, PlacedInstruction>,
  leaders: ReadonlySet<number>,
  entryOffsets: readonly number[],
): PageBlocks | undefined {
  const blocks: { offset: number; instructions: PlacedInstruction[]; end: number }[] = [];
  const byAddress = new Map<number, number>();
  let open: (typeof blocks)[number] | undefined;
  for (const placed of [...found.values()].sort((a, b) => a.offset - b.offset)) {
    const { offset, flow, decoded } = placed;
    if (open?.end !== offset || leaders.has(offset) || open.instructions.length >= greatestBlock) {
      open = { offset, instructions: [], end: offset };
      byAddress.set(offset, blocks.length);
      blocks.push(open);
    }
    open.instructions.push(placed);
    open.end = offset + decoded.lengthBytes;
    if (flow.kind !== 'next') open = undefined;
  }
  if (blocks.length === 0) return undefined;
  const successors = blocks.map((block) => {
    const last = block.instructions.at(-1);
    const kind = last?.flow.kind;
    const offsets: number[] = [];
    if (last !== undefined && (kind === 'branch' || kind === 'jump')) offsets.push(targetOf(last));
    if (kind === 'branch' || kind === 'next') offsets.push(block.end);
    return [...new Set(offsets.flatMap((offset) => byAddress.get(offset) ?? []))];
  });
  const order = orderBlocks(successors);
  const positionOf = new Map(order.map((address, position) => [address, position]));
  const positions = new Map([...byAddress].map(([offset, address]) => [offset, positionOf.get(address) ?? 0]));
  const ordered = order.flatMap((address): Block[] => {
    const block = blocks[address];
    const following = (successors[address] ?? []).map((next) => positionOf.get(next) ?? 0);
    return block === undefined ? [] : [{ ...block, successors: following }];
  });
  const entries = entryOffsets.flatMap((offset) => positions.get(offset) ?? []);
  return { blocks: ordered, positions, entries: [...new Set(entries)], instructionCount: found.size };
}
