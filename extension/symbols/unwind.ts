// From one frame to its caller: by call frame information, else by reading the prologue, else by frame pointer or return address.
// Whatever is not described is believed only when the code before the return address is a call.
import { MalformedInput, toNumber } from './bytes';
import type { FoundBy, ReadMemory, RegisterFile, UnwindStep } from './contract';
import { evaluateNumber, littleEndian, registerValue, Unavailable, type ExpressionContext } from './dwarf/expressions';
import type { CallFrames, FrameDescription } from './dwarf/frames';
import { runInstructions, type CfaRule, type FrameRow, type RegisterRule } from './dwarf/frame-instructions';
import { guessFrame } from './prologue';
import { endsWithCall } from './riscv-code';

/** What unwinding needs to know of an image; addresses are link addresses. */
export interface UnwindImage {
  readonly frames: CallFrames;
  readonly loadBias: bigint;
  /** Extent of the function symbol around an address. */
  functionAround(address: number): { readonly low: number; readonly high: number; readonly name: string } | undefined;
  codeAt(address: number, length: number): Uint8Array | undefined;
}

const returnAddress = 1;
const alternateLink = 5;
const stackPointer = 2;
const framePointer = 8;
/** sp, gp, tp, s0..s11: what a called function gives back unchanged. [RISC-V psABI, integer registers] */
const preserved: ReadonlySet<number> = new Set([2, 3, 4, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27]);
/** fs0..fs11. */
const preservedFloat: ReadonlySet<number> = new Set([8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27]);
/** A function longer than this without a symbol size is read only so far. */
const longestScan = 65536;

/** The registers of a caller: those restored, and those that calls preserve. */
export class CallerRegisters implements RegisterFile {
  constructor(
    readonly pc: bigint,
    readonly below: RegisterFile,
    readonly restored: ReadonlyMap<number, bigint | undefined>,
    /** Registers that the callee had no rule for are unchanged, not only those that calls preserve. */
    readonly keepsAll = false,
  ) {}

  x(index: number): bigint | undefined {
    if (index === 0) return 0n;
    return this.restored.has(index)
      ? this.restored.get(index)
      : this.keepsAll || preserved.has(index)
        ? this.below.x(index)
        : undefined;
  }

  f(index: number): bigint | undefined {
    if (this.restored.has(index + 32)) return this.restored.get(index + 32);
    return this.keepsAll || preservedFloat.has(index) ? this.below.f?.(index) : undefined;
  }
}

function end(reason: string, cfa?: bigint): UnwindStep {
  return { kind: 'end', reason, cfa };
}

/**
 * One step outwards. `exact` says that the pc is the next instruction of this frame (it is the innermost one, or was
 * interrupted), not what follows a call.
 */
export function unwindStep(
  image: UnwindImage,
  registers: RegisterFile,
  readMemory: ReadMemory,
  exact: boolean,
): UnwindStep {
  const pc = toNumber(registers.pc - image.loadBias);
  const lookup = exact ? pc : pc - 1;
  const description = image.frames.at(lookup);
  if (description !== undefined) {
    try {
      const row = image.frames.row(description, lookup);
      return byDescription(image, description, row, registers, readMemory, exact);
    } catch (error) {
      if (error instanceof Unavailable) return end(`the frame cannot be restored: ${error.message}`);
      if (!(error instanceof MalformedInput)) throw error;
      image.frames.problems.add(`call frame information: ${error.message}; frames of that function are guessed`);
    }
  }
  return byCode(image, pc, lookup, registers, readMemory, exact);
}

function contextFor(
  image: UnwindImage,
  registers: RegisterFile,
  readMemory: ReadMemory,
  cfa?: bigint,
): ExpressionContext {
  const frameBase = () =>
    ({ kind: 'unavailable', reason: 'call frame information cannot use the frame base' }) as const;
  return { unit: undefined, registers, readMemory, loadBias: image.loadBias, cfa: () => cfa, frameBase };
}

function readWord(readMemory: ReadMemory, address: bigint): bigint {
  const bytes = readMemory(BigInt.asUintN(64, address), 8);
  if (bytes === undefined || bytes.length < 8) {
    throw new Unavailable(`memory at 0x${BigInt.asUintN(64, address).toString(16)} cannot be read`);
  }
  return littleEndian(bytes.subarray(0, 8));
}

function canonicalFrameAddress(rule: CfaRule, context: ExpressionContext): bigint {
  if (rule.kind === 'expression') return BigInt.asUintN(64, evaluateNumber(rule.bytes, context));
  return BigInt.asUintN(64, registerValue(context.registers, rule.register) + BigInt(rule.offset));
}

/** The canonical frame address of the frame at a pc, from call frame information; undefined where there is none. */
export function frameAddress(
  image: UnwindImage,
  lookup: number,
  registers: RegisterFile,
  readMemory: ReadMemory,
): bigint | undefined {
  try {
    const description = image.frames.at(lookup);
    if (description === undefined) return undefined;
    return canonicalFrameAddress(image.frames.row(description, lookup).cfa, contextFor(image, registers, readMemory));
  } catch (error) {
    if (error instanceof Unavailable || error instanceof MalformedInput) return undefined;
    throw error;
  }
}

function byDescription(
  image: UnwindImage,
  description: FrameDescription,
  row: FrameRow,
  registers: RegisterFile,
  readMemory: ReadMemory,
  exact: boolean,
): UnwindStep {
  const cfa = canonicalFrameAddress(row.cfa, contextFor(image, registers, readMemory));
  const { returnRegister, isSignalFrame } = description.common;
  const returnRule = row.registers.get(returnRegister);
  if (returnRule?.kind === 'undefined') return end('it is the outermost frame', cfa);
  const context = contextFor(image, registers, readMemory, cfa);
  const restored = new Map<number, bigint | undefined>();
  if (!row.registers.has(stackPointer)) restored.set(stackPointer, cfa);
  for (const [register, rule] of row.registers)
    restored.set(register, restore(register, rule, registers, context, cfa));
  let pc = restored.get(returnRegister);
  if (returnRule === undefined || returnRule.kind === 'same') {
    pc = registers.x(returnRegister);
    // A function that never returns need not save ra: then ra is what its own last call left.
    if (!exact && pc === registers.pc) return end('its return address was not saved', cfa);
    const own = pc === undefined ? NaN : toNumber(pc - image.loadBias);
    const neverSaves = own >= description.low && own < description.high && !savesReturnAddress(description);
    if (neverSaves) return end('its return address was not saved', cfa);
  }
  if (pc === undefined) return end('its return address cannot be read', cfa);
  restored.set(returnRegister, pc);
  // Millicode, which is called through t0, changes nothing that it does not say.
  const keepsAll = returnRegister === alternateLink;
  return caller(pc, registers, restored, cfa, 'call frame information', isSignalFrame, keepsAll);
}

function savesReturnAddress(description: FrameDescription): boolean {
  for (const row of runInstructions(description)) {
    const rule = row.registers.get(description.common.returnRegister);
    if (rule !== undefined && rule.kind !== 'same') return true;
  }
  return false;
}

function restore(
  register: number,
  rule: RegisterRule,
  registers: RegisterFile,
  context: ExpressionContext,
  cfa: bigint,
): bigint | undefined {
  try {
    switch (rule.kind) {
      case 'undefined':
        return undefined;
      case 'same':
        return registerValue(registers, register);
      case 'offset':
        return readWord(context.readMemory, cfa + BigInt(rule.offset));
      case 'value offset':
        return BigInt.asUintN(64, cfa + BigInt(rule.offset));
      case 'register':
        return registerValue(registers, rule.register);
      case 'expression':
        return readWord(context.readMemory, evaluateNumber(rule.bytes, context, [cfa]));
      case 'value expression':
        return BigInt.asUintN(64, evaluateNumber(rule.bytes, context, [cfa]));
    }
  } catch (error) {
    // Only this register is lost.
    if (error instanceof Unavailable) return undefined;
    throw error;
  }
}

function caller(
  pc: bigint,
  below: RegisterFile,
  restored: ReadonlyMap<number, bigint | undefined>,
  cfa: bigint,
  foundBy: FoundBy,
  interrupted: boolean,
  keepsAll = false,
): UnwindStep {
  if (pc === 0n) return end('its return address is 0', cfa);
  return {
    kind: 'caller',
    frame: { registers: new CallerRegisters(pc, below, restored, keepsAll), cfa, foundBy, interrupted },
  };
}

/** Whether an address stands behind a call, in this image's code or, failing that, in memory. */
function followsCall(image: UnwindImage, address: bigint, readMemory: ReadMemory): boolean {
  if ((address & 1n) !== 0n || address < 4n) return false;
  const code = image.codeAt(toNumber(address - image.loadBias) - 4, 4) ?? readMemory(address - 4n, 4);
  return code !== undefined && endsWithCall(code);
}

function byCode(
  image: UnwindImage,
  pc: number,
  lookup: number,
  registers: RegisterFile,
  readMemory: ReadMemory,
  exact: boolean,
): UnwindStep {
  const around = image.functionAround(lookup);
  const length = around === undefined ? 0 : Math.min(around.high - around.low, longestScan);
  const code = around === undefined ? undefined : image.codeAt(around.low, length);
  const guess = around === undefined || code === undefined ? undefined : guessFrame(code, pc - around.low);
  if (guess?.isTrapHandler === true) {
    return end(`${around?.name ?? 'it'} was entered by a trap; what was interrupted is in sepc or mepc`);
  }
  try {
    if (guess !== undefined) {
      const found = byPrologue(image, guess, registers, readMemory, exact);
      if (found !== undefined) return found;
    }
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
  }
  return (
    byFramePointer(image, registers, readMemory) ??
    end('there is no call frame information, and its code does not show the return address')
  );
}

function byPrologue(
  image: UnwindImage,
  guess: NonNullable<ReturnType<typeof guessFrame>>,
  registers: RegisterFile,
  readMemory: ReadMemory,
  exact: boolean,
): UnwindStep | undefined {
  const base = registerValue(registers, guess.cfaFrom === 'sp' ? stackPointer : framePointer);
  const cfa = BigInt.asUintN(64, base + BigInt(guess.cfaOffset));
  const restored = new Map<number, bigint | undefined>([[stackPointer, cfa]]);
  for (const [register, offset] of guess.saved) {
    if (preserved.has(register) || register === returnAddress)
      restored.set(register, readWord(readMemory, cfa + BigInt(offset)));
  }
  const isSaved = restored.has(returnAddress);
  // Only the innermost frame may still have its return address in ra.
  const pc = isSaved ? restored.get(returnAddress) : exact ? registers.x(returnAddress) : undefined;
  if (pc === undefined || !followsCall(image, pc, readMemory)) return undefined;
  return caller(pc, registers, restored, cfa, isSaved ? 'prologue' : 'return address', false);
}

/** With -fno-omit-frame-pointer s0 is the canonical frame address, ra lies 8 and the caller's s0 16 bytes below it. */
function byFramePointer(image: UnwindImage, registers: RegisterFile, readMemory: ReadMemory): UnwindStep | undefined {
  const cfa = registers.x(framePointer);
  const sp = registers.x(stackPointer);
  if (cfa === undefined || sp === undefined || cfa <= sp || (cfa & 15n) !== 0n || cfa - sp > 0x10_0000n)
    return undefined;
  const saved = readMemory(cfa - 16n, 16);
  if (saved === undefined || saved.length < 16) return undefined;
  const pc = littleEndian(saved.subarray(8, 16));
  if (!followsCall(image, pc, readMemory)) return undefined;
  const restored = new Map<number, bigint | undefined>([
    [stackPointer, cfa],
    [returnAddress, pc],
    [framePointer, littleEndian(saved.subarray(0, 8))],
  ]);
  return caller(pc, registers, restored, cfa, 'frame pointer', false);
}
