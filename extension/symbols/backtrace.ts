// A whole call stack over one or several images (firmware, kernel): unwinding combined with inlining.
import type {
  Backtrace,
  FoundBy,
  ReadMemory,
  RegisterFile,
  StackFrame,
  Symbols,
  UnwindStep,
  UnwoundFrame,
} from './contract';

const mostFrames = 1000;

/**
 * Frames from the innermost outwards. Each address is described by the first image that contains it. Ends with a reason, also
 * when a frame does not lie above the one it was called from, which a damaged stack looks like.
 */
export function backtrace(
  images: readonly Symbols[],
  registers: RegisterFile,
  readMemory: ReadMemory,
  limit: number = mostFrames,
): Backtrace {
  const frames: StackFrame[] = [];
  const limited = Math.min(limit, mostFrames);
  let current: RegisterFile = registers;
  let foundBy: FoundBy = 'registers';
  let exact = true;
  let below: bigint | undefined;
  while (frames.length < limited) {
    const lookupPc: bigint = exact ? current.pc : current.pc - 1n;
    const image: Symbols | undefined = images.find((candidate) => candidate.contains(lookupPc));
    const step: UnwindStep | undefined = image?.step(current, readMemory, exact);
    const cfa = step?.kind === 'caller' ? step.frame.cfa : step?.cfa;
    frames.push(...lines(image, current, lookupPc, cfa, foundBy));
    if (image === undefined || step === undefined) return { frames, end: `No image contains ${hex(current.pc)}.` };
    const where = frames[frames.length - 1]?.function ?? hex(current.pc);
    if (step.kind === 'end') return { frames, end: `The stack ends at ${where}: ${step.reason}.` };
    const frame: UnwoundFrame = step.frame;
    const isSame = frame.registers.pc === current.pc && frame.cfa === current.x(2);
    if (isSame || (below !== undefined && !frame.interrupted && frame.cfa < below)) {
      return {
        frames,
        end: `The stack ends at ${where}: the next frame would not lie above it, the stack seems damaged.`,
      };
    }
    if (!images.some((candidate) => candidate.isCode(frame.registers.pc - (frame.interrupted ? 0n : 1n)))) {
      return {
        frames,
        end: `The stack ends at ${where}: its return address ${hex(frame.registers.pc)} is no code of a known image.`,
      };
    }
    below = frame.cfa;
    current = frame.registers;
    foundBy = frame.foundBy;
    exact = frame.interrupted;
  }
  return { frames: frames.slice(0, limited), end: `Only the first ${limited} frames are shown.` };
}

function hex(address: bigint): string {
  return `0x${BigInt.asUintN(64, address).toString(16)}`;
}

/** The functions active in one frame: those inlined, and the one that owns the code, or its symbol. */
function lines(
  symbols: Symbols | undefined,
  registers: RegisterFile,
  lookupPc: bigint,
  cfa: bigint | undefined,
  foundBy: FoundBy,
): StackFrame[] {
  const shared = { pc: registers.pc, lookupPc, registers, cfa, foundBy, symbols };
  const active = symbols?.framesAt(lookupPc) ?? [];
  if (active.length === 0) {
    const symbol = symbols?.symbolAt(lookupPc);
    const row = symbols?.lineAt(lookupPc);
    const offset = symbol === undefined ? undefined : symbol.offset + registers.pc - lookupPc;
    const place = { file: row?.file, line: row?.line, column: row?.column };
    return [{ ...shared, ...place, function: symbol?.name, offset, inlined: false, inlineDepth: 0 }];
  }
  return active.map((frame, inlineDepth) => ({
    ...shared,
    function: frame.function,
    offset: undefined,
    file: frame.file,
    line: frame.line,
    column: frame.column,
    inlined: frame.inlined,
    inlineDepth,
  }));
}
