// Where a function without call frame information keeps its return address, read from its code: the stack adjustments and saves
// of its prologue, and the way from the pc to the return. [RISC-V psABI, procedure calling convention]
import { instructions, transfersControl, type CodeWord } from './riscv-code';

/** Offsets are from the stack pointer at the pc, in bytes. */
export interface FrameGuess {
  /** Canonical frame address: the stack pointer of the caller. */
  readonly cfaFrom: 'sp' | 'fp';
  readonly cfaOffset: number;
  /** Where registers were saved, from the canonical frame address. */
  readonly saved: ReadonlyMap<number, number>;
  /** The function returns from a trap: its caller is interrupted code, not known from the stack. */
  readonly isTrapHandler: boolean;
}

const stackPointer = 2;
const framePointer = 8;

/** What an instruction does to the frame. */
type Effect =
  | { readonly kind: 'adjust'; readonly bytes: number }
  | { readonly kind: 'save'; readonly register: number; readonly offset: number }
  | { readonly kind: 'load'; readonly register: number; readonly offset: number }
  | { readonly kind: 'set frame pointer'; readonly offset: number }
  | { readonly kind: 'return' }
  | { readonly kind: 'trap return' }
  | { readonly kind: 'jump' }
  | { readonly kind: 'other' };

function signExtend(value: number, bits: number): number {
  return (value << (32 - bits)) >> (32 - bits);
}

function effectOf(code: CodeWord): Effect {
  return code.length === 4 ? effectOf32(code) : effectOf16(code);
}

function effectOf32(code: CodeWord): Effect {
  const { word } = code;
  const opcode = word & 0x707f;
  const destination = (word >>> 7) & 31;
  const source = (word >>> 15) & 31;
  const immediate = signExtend(word >>> 20, 12);
  // addi
  if (opcode === 0x0013 && source === stackPointer) {
    if (destination === stackPointer) return { kind: 'adjust', bytes: immediate };
    if (destination === framePointer) return { kind: 'set frame pointer', offset: immediate };
  }
  // sd and ld
  if (opcode === 0x3023 && source === stackPointer) {
    const offset = signExtend(((word >>> 25) << 5) | destination, 12);
    return { kind: 'save', register: (word >>> 20) & 31, offset };
  }
  if (opcode === 0x3003 && source === stackPointer) return { kind: 'load', register: destination, offset: immediate };
  if (word === 0x00008067) return { kind: 'return' };
  // mret, sret
  if (word === 0x30200073 || word === 0x10200073) return { kind: 'trap return' };
  return transfersControl(code) ? { kind: 'jump' } : { kind: 'other' };
}

function effectOf16(code: CodeWord): Effect {
  const { word } = code;
  const bits = (high: number, low: number) => (word >> low) & ((1 << (high - low + 1)) - 1);
  const register = bits(11, 7);
  switch (word & 0xe003) {
    case 0x0001: // c.addi
      if (register === stackPointer) return { kind: 'adjust', bytes: signExtend((bits(12, 12) << 5) | bits(6, 2), 6) };
      break;
    case 0x6001: // c.addi16sp
      if (register === stackPointer) {
        const value =
          (bits(12, 12) << 9) | (bits(4, 3) << 7) | (bits(5, 5) << 6) | (bits(2, 2) << 5) | (bits(6, 6) << 4);
        return { kind: 'adjust', bytes: signExtend(value, 10) };
      }
      break;
    case 0x0000: // c.addi4spn
      if (bits(4, 2) + 8 === framePointer && bits(12, 5) !== 0) {
        const offset = (bits(10, 7) << 6) | (bits(12, 11) << 4) | (bits(5, 5) << 3) | (bits(6, 6) << 2);
        return { kind: 'set frame pointer', offset };
      }
      break;
    case 0xe002: // c.sdsp
      return { kind: 'save', register: bits(6, 2), offset: (bits(9, 7) << 6) | (bits(12, 10) << 3) };
    case 0x6002: // c.ldsp
      return { kind: 'load', register, offset: (bits(4, 2) << 6) | (bits(12, 12) << 5) | (bits(6, 5) << 3) };
  }
  if (word === 0x8082) return { kind: 'return' };
  return transfersControl(code) ? { kind: 'jump' } : { kind: 'other' };
}

/** How far behind the pc a return is looked for. */
const farthestReturn = 32;

/**
 * The frame at `offset` bytes into a function whose whole code is given. `undefined` when the stack pointer was moved in a way
 * that is not understood.
 */
export function guessFrame(code: Uint8Array, offset: number): FrameGuess | undefined {
  const isTrapHandler = [...instructions(code)].some((word) => effectOf(word).kind === 'trap return');
  return epilogue(code, offset, isTrapHandler) ?? prologue(code, offset, isTrapHandler);
}

/** Behind the point where the frame is given up, what lies between pc and return tells all. */
function epilogue(code: Uint8Array, offset: number, isTrapHandler: boolean): FrameGuess | undefined {
  let moved = 0;
  const loads = new Map<number, number>();
  let count = 0;
  for (const word of instructions(code.subarray(offset))) {
    const effect = effectOf(word);
    if (++count > farthestReturn || effect.kind === 'jump' || effect.kind === 'trap return') return undefined;
    if (effect.kind === 'adjust') {
      if (effect.bytes < 0) return undefined;
      moved += effect.bytes;
    } else if (effect.kind === 'load') loads.set(effect.register, moved + effect.offset);
    else if (effect.kind === 'save') return undefined;
    else if (effect.kind === 'return') {
      const saved = new Map([...loads].map(([register, at]) => [register, at - moved]));
      return { cfaFrom: 'sp', cfaOffset: moved, saved, isTrapHandler };
    }
  }
  return undefined;
}

function prologue(code: Uint8Array, offset: number, isTrapHandler: boolean): FrameGuess | undefined {
  let depth = 0;
  let framePointerAbove: number | undefined;
  const saved = new Map<number, number>();
  for (const word of instructions(code.subarray(0, offset))) {
    const effect = effectOf(word);
    if (effect.kind === 'adjust') {
      // A positive one ends an early return; the prologue is over before that.
      if (effect.bytes > 0) break;
      depth -= effect.bytes;
    } else if (effect.kind === 'save') {
      if (!saved.has(effect.register)) saved.set(effect.register, effect.offset - depth);
    } else if (effect.kind === 'set frame pointer') {
      framePointerAbove = effect.offset - depth;
    } else if (effect.kind !== 'other') break;
  }
  if (framePointerAbove !== undefined) return { cfaFrom: 'fp', cfaOffset: -framePointerAbove, saved, isTrapHandler };
  return { cfaFrom: 'sp', cfaOffset: depth, saved, isTrapHandler };
}
