// Where the source lines of a frame and of its caller begin, and whose frame a hart is in that stands on one: what a step backwards over
// lines looks for. [DWARF 5, 6.2, 6.4]
import type { Machine } from '../../emulator/machine';
import type { GuestSymbols } from './guest-symbols';
import { memoryReader, registersOf } from './hart-registers';

const stackPointer = 2;
/** The outermost frame's own size is not known: stack pointers up to this far above count as its own. */
const outermostFrameBytes = 65_536n;
/** Functions larger than this are walked by instruction. */
const largestFunctionBytes = 1n << 20n;

interface Level {
  /** Names of lines by the address at which they begin. */
  readonly starts: ReadonlyMap<bigint, string>;
  /** Stack pointers of this frame, both ends included. */
  readonly lowest: bigint;
  readonly highest: bigint;
}

export class LineStarts {
  private constructor(
    private readonly machine: Machine,
    private readonly hart: number,
    private readonly levels: readonly Level[],
  ) {}

  /** Undefined where the hart stands in code without lines. */
  static around(machine: Machine, symbols: GuestSymbols, hart: number): LineStarts | undefined {
    const registers = registersOf(machine, hart);
    const { frames } = symbols.backtrace(registers, memoryReader(machine, hart), 16);
    const [own] = frames;
    if (own === undefined || symbols.lineAt(registers.pc) === undefined) return undefined;
    const caller = frames.find((frame) => frame.registers.pc !== own.registers.pc);
    const lowest = machine.cpu.readX(hart, stackPointer);
    const highest = own.cfa ?? lowest + outermostFrameBytes;
    const depth = symbols.at(registers.pc)?.framesAt(registers.pc).length ?? 0;
    const levels: Level[] = [{ starts: startsAround(symbols, registers.pc, depth), lowest, highest }];
    if (caller !== undefined) {
      const callerDepth = symbols.at(caller.lookupPc)?.framesAt(caller.lookupPc).length ?? 0;
      levels.push({
        starts: startsAround(symbols, caller.lookupPc, callerDepth),
        lowest: highest,
        highest: caller.cfa ?? highest + outermostFrameBytes,
      });
    }
    return levels[0]?.starts.size === 0 ? undefined : new LineStarts(machine, hart, levels);
  }

  get addresses(): readonly bigint[] {
    return this.levels.flatMap(({ starts }) => [...starts.keys()]);
  }

  /** The line that begins at `pc`, where a hart stands now: only in the frames that are looked at. */
  lineOf(hart: number, pc: bigint): string | undefined {
    if (hart !== this.hart) return undefined;
    const stack = this.machine.cpu.readX(hart, stackPointer);
    return this.levels
      .find(({ starts, lowest, highest }) => starts.has(pc) && lowest <= stack && stack <= highest)
      ?.starts.get(pc);
  }
}

/** Statements of the function around an address. Code of functions that are inlined deeper than `depth` belongs to the line of their call. */
function startsAround(symbols: GuestSymbols, pc: bigint, depth: number): ReadonlyMap<bigint, string> {
  const starts = new Map<bigint, string>();
  const image = symbols.at(pc);
  const outermost = image?.framesAt(pc).at(-1);
  if (image === undefined || outermost === undefined || outermost.high - outermost.low > largestFunctionBytes) {
    return starts;
  }
  let before: string | undefined;
  for (let at = outermost.low; at < outermost.high; at += 2n) {
    const frames = image.framesAt(at);
    const frame = frames[Math.max(0, frames.length - depth)];
    const line =
      frame?.line === undefined ? undefined : `${frame.file}:${frame.line} ${frame.function} ${outermost.low}`;
    if (line !== undefined && line !== before && image.lineAt(at)?.isStatement === true) starts.set(at, line);
    before = line;
  }
  return starts;
}
