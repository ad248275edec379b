// What an instruction reads, writes and orders, derived from its row of the instruction table: for rules that follow dependencies.
// [RISC-V unpriv. 17.1.3, syntactic dependencies; a register source or destination here is what the row's meaning names]
// Guarantees: `x0` is never a source or a destination; the same word always gives the same object.
import { decode, type DecodedInstruction } from './decoder';
import type { MeaningFunction } from './instructions/format';
import type { FField, Meaning, NumberField, XField } from './instructions/meaning';

/** A set of registers: bit n of `x` is integer register n, bit n of `f` floating-point register n. */
export interface RegisterSet {
  readonly x: number;
  readonly f: number;
}

export interface MemoryEffect {
  readonly kind: 'load' | 'store' | 'atomic' | 'load-reserved' | 'store-conditional';
  readonly bytes: 1 | 2 | 4 | 8;
  /** The address is this integer register plus `offset`. */
  readonly base: number;
  readonly offset: bigint;
  /** Registers on which the stored value depends. */
  readonly data: RegisterSet;
}

export interface InstructionEffects {
  readonly lengthBytes: 2 | 4;
  /** Registers on which the value in `destination` depends, a loaded value aside. */
  readonly sources: RegisterSet;
  readonly destination: RegisterSet;
  readonly memory: MemoryEffect | undefined;
  /** Registers that decide where execution goes on: those of branches, and of jumps through a register. */
  readonly control: RegisterSet;
  /** Predecessor and successor sets: bit 3 input, 2 output, 1 read, 0 write. `total` is FENCE.TSO. */
  readonly fence: { readonly pred: number; readonly succ: number; readonly total: boolean } | undefined;
  readonly acquire: boolean;
  readonly release: boolean;
}

export const noRegisters: RegisterSet = { x: 0, f: 0 };

export function unionOf(a: RegisterSet, b: RegisterSet): RegisterSet {
  if (b === noRegisters) return a;
  return a === noRegisters ? b : { x: a.x | b.x, f: a.f | b.f };
}

export function intersects(a: RegisterSet, b: RegisterSet): boolean {
  return ((a.x & b.x) | (a.f & b.f)) !== 0;
}

/** A value as far as dependencies go; `sum` where it is a register plus a constant, as every address is. */
interface Traced {
  readonly from: RegisterSet;
  readonly sum: { readonly base: number; readonly offset: bigint } | undefined;
}

const known = new Map<number, InstructionEffects | undefined>();

/** The effects of an instruction word; undefined where it decodes to nothing. */
export function effectsOf(word: number): InstructionEffects | undefined {
  const bits = (word & 3) === 3 ? word >>> 0 : word & 0xffff;
  if (known.has(bits)) return known.get(bits);
  const instruction = decode(bits);
  const effects = instruction === undefined ? undefined : trace(instruction);
  known.set(bits, effects);
  return effects;
}

function trace(instruction: DecodedInstruction): InstructionEffects {
  const meaning = new EffectsMeaning(instruction.fields);
  const run: MeaningFunction = instruction.row.meaning;
  run(meaning);
  const { fields } = instruction;
  return {
    lengthBytes: instruction.lengthBytes,
    sources: meaning.sources,
    destination: meaning.destination,
    memory: meaning.memory,
    control: meaning.control,
    fence: meaning.fences
      ? {
          pred: fields['pred'] ?? 0,
          succ: fields['succ'] ?? 0,
          total: fields['fm'] === 8 && fields['pred'] === 3 && fields['succ'] === 3,
        }
      : undefined,
    acquire: fields['aq'] === 1,
    release: fields['rl'] === 1,
  };
}

const constant: Traced = { from: noRegisters, sum: { base: 0, offset: 0n } };

/** The instruction vocabulary computed with sets of registers. */
class EffectsMeaning implements Meaning<Traced, RegisterSet> {
  sources = noRegisters;
  destination = noRegisters;
  memory: MemoryEffect | undefined;
  control = noRegisters;
  fences = false;

  constructor(private readonly fields: Readonly<Record<string, number>>) {}

  private register(name: string): number {
    return this.fields[name] ?? 0;
  }

  x(field: XField): Traced {
    const base = this.register(field);
    return base === 0 ? constant : { from: { x: 1 << base, f: 0 }, sum: { base, offset: 0n } };
  }
  setX(field: 'rd', { from }: Traced): void {
    const register = this.register(field);
    if (register === 0) return;
    this.destination = { x: 1 << register, f: 0 };
    this.sources = unionOf(this.sources, from);
  }
  f(field: FField): Traced {
    return { from: { x: 0, f: 1 << this.register(field) }, sum: undefined };
  }
  setF(field: 'fd', { from }: Traced): void {
    this.destination = { x: 0, f: 1 << this.register(field) };
    this.sources = unionOf(this.sources, from);
  }
  number(field: NumberField): Traced {
    return this.constant(BigInt(this.register(field)));
  }
  constant(value: bigint): Traced {
    return { from: noRegisters, sum: { base: 0, offset: value } };
  }
  pc(): Traced {
    return { from: noRegisters, sum: undefined };
  }
  nextPc(): Traced {
    return this.pc();
  }
  keep(value: Traced): Traced {
    return value;
  }

  add(a: Traced, b: Traced): Traced {
    const from = unionOf(a.from, b.from);
    if (a.sum === undefined || b.sum === undefined || (a.sum.base !== 0 && b.sum.base !== 0)) {
      return { from, sum: undefined };
    }
    return { from, sum: { base: a.sum.base + b.sum.base, offset: a.sum.offset + b.sum.offset } };
  }
  subtract = joined;
  and = joined;
  or = joined;
  xor = joined;
  shiftLeft = joined;
  shiftRightLogical = joined;
  shiftRightArithmetic = joined;
  signExtend = one;
  zeroExtend = one;
  multiply = joined;
  multiplyHighUnsigned = joined;
  multiplyHighSigned = joined;
  multiplyHighMixed = joined;
  divideSigned = joined;
  divideUnsigned = joined;
  remainderSigned = joined;
  remainderUnsigned = joined;
  countLeadingZeros = one;
  countTrailingZeros = one;
  countOnes = one;
  rotateLeft = joined;
  rotateRight = joined;

  equal = compared;
  notEqual = compared;
  lessSigned = compared;
  lessUnsigned = compared;
  not(c: RegisterSet): RegisterSet {
    return c;
  }
  choose(c: RegisterSet, whenTrue: Traced, whenFalse: Traced): Traced {
    return { from: unionOf(c, unionOf(whenTrue.from, whenFalse.from)), sum: undefined };
  }
  bit(c: RegisterSet): Traced {
    return { from: c, sum: undefined };
  }

  branch(c: RegisterSet): void {
    this.control = unionOf(this.control, c);
  }
  jumpRelative(): void {
    // The target is in the instruction: nothing is depended on.
  }
  jump({ from }: Traced): void {
    this.control = unionOf(this.control, from);
  }

  load(address: Traced, bytes: MemoryEffect['bytes']): Traced {
    return this.access('load', address, bytes, noRegisters);
  }
  store(address: Traced, bytes: MemoryEffect['bytes'], value: Traced): void {
    this.access('store', address, bytes, value.from);
  }
  loadReserved(address: Traced, bytes: 4 | 8): Traced {
    return this.access('load-reserved', address, bytes, noRegisters);
  }
  storeConditional(address: Traced, bytes: 4 | 8, value: Traced): Traced {
    return this.access('store-conditional', address, bytes, value.from);
  }
  atomic(address: Traced, bytes: 4 | 8, combine: (old: Traced) => Traced): Traced {
    return this.access('atomic', address, bytes, combine(constant).from);
  }
  /** The loaded value depends on the access, which is told apart; so it brings no register source. */
  private access(kind: MemoryEffect['kind'], address: Traced, bytes: MemoryEffect['bytes'], data: RegisterSet): Traced {
    if (address.sum === undefined) throw new Error('an address is not a register plus a constant');
    this.memory = { kind, bytes, base: address.sum.base, offset: address.sum.offset, data };
    return { from: noRegisters, sum: undefined };
  }

  requireFloat(): void {
    // A trap, not a dependency.
  }
  float(_operation: unknown, operands: readonly Traced[]): Traced {
    return { from: operands.reduce((all, { from }) => unionOf(all, from), noRegisters), sum: undefined };
  }
  /** Dependencies through CSRs are not followed: drivers have none between accesses of a ring. */
  csr(): void {
    const register = this.register('rd');
    if (register !== 0) this.destination = { x: 1 << register, f: 0 };
  }
  fence(): void {
    this.fences = true;
  }
  fenceInstructions(): void {
    // Orders fetches only.
  }
  fenceTranslations(): void {
    // Orders page-table accesses only.
  }
  orderInvalidations(): void {
    // Orders page-table accesses only.
  }
  /** Zeroing a block is not taken for a store: nothing is published that way. */
  cacheBlock(): void {
    // Moves no register.
  }
  environmentCall(): void {
    // The handler's instructions count one by one.
  }
  breakpoint(): void {
    // As environmentCall.
  }
  returnFrom(): void {
    // As environmentCall.
  }
  waitForInterrupt(): void {
    // No access.
  }
}

function joined(a: Traced, b: Traced): Traced {
  return { from: unionOf(a.from, b.from), sum: undefined };
}
function one(a: Traced): Traced {
  return { from: a.from, sum: undefined };
}
function compared(a: Traced, b: Traced): RegisterSet {
  return unionOf(a.from, b.from);
}
