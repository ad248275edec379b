// Where a function without call frame information keeps its return address, read from its code: what the way from the pc to the
// return does with the stack or, where no return is found, the prologue. [RISC-V psABI, procedure calling convention]
import { instructions, transferOf, type CodeWord } from './riscv-code';

export interface FrameGuess {
  readonly cfaFrom: 'sp' | 'fp';
  /** From that register to the canonical frame address, the stack pointer of the caller. */
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
  | { readonly kind: 'restore stack pointer'; readonly offset: number }
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
  if (opcode === 0x0013 && source === framePointer && destination === stackPointer) {
    return { kind: 'restore stack pointer', offset: immediate };
  }
  // sd and ld
  if (opcode === 0x3023 && source === stackPointer) {
    const offset = signExtend(((word >>> 25) << 5) | destination, 12);
    return { kind: 'save', register: (word >>> 20) & 31, offset };
  }
  if (opcode === 0x3003 && source === stackPointer) return { kind: 'load', register: destination, offset: immediate };
  return { kind: 'other' };
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
    case 0x8002: // c.mv sp, s0
      if (word === 0x8122) return { kind: 'restore stack pointer', offset: 0 };
      break;
    case 0xe002: // c.sdsp
      return { kind: 'save', register: bits(6, 2), offset: (bits(9, 7) << 6) | (bits(12, 10) << 3) };
    case 0x6002: // c.ldsp
      if (register === 0) break;
      return { kind: 'load', register, offset: (bits(4, 2) << 6) | (bits(12, 12) << 5) | (bits(6, 5) << 3) };
  }
  return { kind: 'other' };
}

/** How many instructions are looked at for a return. */
const mostSteps = 4000;

/**
 * The frame at `offset` bytes into a function whose whole code is given. `undefined` when it leaves its frame to
 * routines of the compiler.
 */
export function guessFrame(code: Uint8Array, offset: number): FrameGuess | undefined {
  const words = new Map<number, CodeWord>();
  for (const word of instructions(code)) words.set(word.offset, word);
  const isTrapHandler = [...words.values()].some((word) => transferOf(word)?.kind === 'trap return');
  // Routines called through t0 save and restore registers in place of the function (-msave-restore): its own code tells nothing.
  if ([...words.values()].some((word) => transferOf(word)?.kind === 'millicode call')) return undefined;
  const found = wayToReturn(words, offset) ?? prologue(code, offset);
  return { ...found, isTrapHandler };
}

type Guess = Omit<FrameGuess, 'isTrapHandler'>;

/** What the way so far has done with the stack. */
interface Way {
  readonly offset: number;
  readonly from: 'sp' | 'fp';
  /** Stack pointer of now, from that register's value at the pc. */
  readonly moved: number;
  /** Where registers were loaded from that had been saved before the pc. */
  readonly loads: ReadonlyMap<number, number>;
  /** Slots that were written on the way: what is loaded from them still is in its register at the pc. */
  readonly written: ReadonlySet<number>;
}

/** Every way from the pc to a return gives up the same frame; the first one found tells. */
function wayToReturn(words: ReadonlyMap<number, CodeWord>, offset: number): Guess | undefined {
  const seen = new Set<number>();
  const open: Way[] = [{ offset, from: 'sp', moved: 0, loads: new Map(), written: new Set() }];
  for (let steps = 0; steps < mostSteps; steps++) {
    const way = open.pop();
    if (way === undefined) return undefined;
    const word = words.get(way.offset);
    // The whole function counts as seen at each place once; outside of it nothing is known.
    if (word === undefined || seen.has(way.offset)) continue;
    seen.add(way.offset);
    const next = { ...along(way, effectOf(word)), offset: word.offset + word.length };
    const transfer = transferOf(word);
    switch (transfer?.kind) {
      case 'return':
        return returned(way);
      case 'jump': {
        const target = word.offset + transfer.distance;
        // A jump out of the function is a call in its place.
        if (!words.has(target)) return returned(way);
        open.push({ ...way, offset: target });
        break;
      }
      case 'indirect jump':
        // Through a table, unless the frame has just been given up.
        if (way.moved !== 0 || way.from === 'fp') return returned(way);
        break;
      case 'branch':
        open.push({ ...way, offset: word.offset + transfer.distance }, next);
        break;
      case 'trap return':
        break;
      default:
        open.push(next);
    }
  }
  return undefined;
}

function along(way: Way, effect: Effect): Way {
  switch (effect.kind) {
    case 'adjust':
      return { ...way, moved: way.moved + effect.bytes };
    case 'restore stack pointer':
      return { ...way, from: 'fp', moved: effect.offset };
    case 'save':
      return { ...way, written: new Set(way.written).add(way.moved + effect.offset) };
    case 'load': {
      const at = way.moved + effect.offset;
      return way.written.has(at) ? way : { ...way, loads: new Map(way.loads).set(effect.register, at) };
    }
    default:
      return way;
  }
}

function returned({ from, moved, loads }: Way): Guess {
  return {
    cfaFrom: from,
    cfaOffset: moved,
    saved: new Map([...loads].map(([register, at]) => [register, at - moved])),
  };
}

function prologue(code: Uint8Array, offset: number): Guess {
  let depth = 0;
  let framePointerAbove: number | undefined;
  const saved = new Map<number, number>();
  for (const word of instructions(code.subarray(0, offset))) {
    const effect = effectOf(word);
    // A positive adjustment ends an early return; the prologue is over before that.
    if (transferOf(word) !== undefined || (effect.kind === 'adjust' && effect.bytes > 0)) break;
    if (effect.kind === 'adjust') depth -= effect.bytes;
    else if (effect.kind === 'save' && !saved.has(effect.register)) saved.set(effect.register, effect.offset - depth);
    else if (effect.kind === 'set frame pointer') framePointerAbove = effect.offset - depth;
  }
  if (framePointerAbove !== undefined) return { cfaFrom: 'fp', cfaOffset: -framePointerAbove, saved };
  return { cfaFrom: 'sp', cfaOffset: depth, saved };
}
