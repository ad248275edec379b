// DWARF expressions and location descriptions. [DWARF 5, 2.5 and 2.6]
import { Cursor, MalformedInput, toBigint } from '../bytes';
import type { ReadMemory, RegisterFile } from '../contract';
import { at, encoding } from './constants';
import { operation as op, operationName } from './operations';
import type { Unit } from './units';

/** Where an object is, or what it is. */
export type Location =
  | { readonly kind: 'memory'; readonly address: bigint }
  /** DWARF register number: 0..31 x, 32..63 f. [RISC-V psABI, DWARF register numbers] */
  | { readonly kind: 'register'; readonly register: number }
  /** The object's bytes themselves. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'pieces'; readonly pieces: readonly Piece[] }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface Piece {
  readonly location: Location;
  readonly bits: number;
  /** Where in the location the piece begins, in bits. */
  readonly bitOffset: number;
}

export interface ExpressionContext {
  /** For operations that refer to entries or indexed addresses. */
  readonly unit: Unit | undefined;
  readonly registers: RegisterFile | undefined;
  readonly readMemory: ReadMemory;
  readonly loadBias: bigint;
  /** Canonical frame address of the frame. */
  readonly cfa: () => bigint | undefined;
  /** DW_AT_frame_base of the function. */
  readonly frameBase: () => Location;
  readonly objectAddress?: bigint;
  /** What an expression was worth when the function was entered, as the caller tells it. Throws `Unavailable`. */
  readonly entryValue?: (expression: Uint8Array) => bigint;
}

/** There is no value, for a reason that the user is told. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

interface IntegerType {
  readonly bits: number;
  readonly signed: boolean;
}

/** A stack entry: a 64-bit pattern, and its type when it is not the generic one. */
interface StackEntry {
  readonly value: bigint;
  readonly type: IntegerType | undefined;
}

const mostSteps = 10_000;
const mostNesting = 8;

export function unavailable(reason: string): Location {
  return { kind: 'unavailable', reason };
}

/** What the location of an object is; damage and missing registers make it unavailable, never an exception. */
export function evaluateLocation(
  bytes: Uint8Array,
  context: ExpressionContext,
  initial: readonly bigint[] = [],
): Location {
  try {
    return new Machine(context, initial, 0).location(bytes);
  } catch (error) {
    if (error instanceof Unavailable) return unavailable(error.message);
    if (error instanceof MalformedInput) return unavailable(`malformed expression: ${error.message}`);
    throw error;
  }
}

/** The number that an expression computes. Throws `Unavailable` or `MalformedInput`. */
export function evaluateNumber(bytes: Uint8Array, context: ExpressionContext, initial: readonly bigint[] = []): bigint {
  return new Machine(context, initial, 0).number(bytes);
}

/** Value of a DWARF register in a frame. */
export function registerValue(registers: RegisterFile | undefined, register: number): bigint {
  const value = register < 32 ? registers?.x(register) : register < 64 ? registers?.f?.(register - 32) : undefined;
  if (value === undefined) throw new Unavailable(`register ${registerName(register)} is not known in this frame`);
  return BigInt.asUintN(64, value);
}

const integerNames =
  'zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'.split(' ');
const floatNames =
  'ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 fa6 fa7 fs2 fs3 fs4 fs5 fs6 fs7 fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11'.split(
    ' ',
  );

export function registerName(register: number): string {
  return integerNames[register] ?? floatNames[register - 32] ?? `number ${register}`;
}

/** DWARF number of a register by its ABI or numbered name. */
export function registerNumber(name: string): number | undefined {
  if (name === 'fp') return 8;
  const integer = integerNames.indexOf(name);
  if (integer >= 0) return integer;
  const float = floatNames.indexOf(name);
  if (float >= 0) return float + 32;
  const numbered = /^([xf])(\d|[12]\d|3[01])$/.exec(name);
  return numbered === null ? undefined : Number(numbered[2]) + (numbered[1] === 'f' ? 32 : 0);
}

function signedOf(entry: StackEntry): bigint {
  return BigInt.asIntN(entry.type?.bits ?? 64, entry.value);
}

/** Two-operand operations: `a` was pushed first. Comparisons are signed unless the type says otherwise. [DWARF 5, 2.5.1.4] */
const binary: ReadonlyMap<number, (a: StackEntry, b: StackEntry) => bigint> = new Map([
  [op.DW_OP_and, (a, b) => a.value & b.value],
  [op.DW_OP_or, (a, b) => a.value | b.value],
  [op.DW_OP_xor, (a, b) => a.value ^ b.value],
  [op.DW_OP_plus, (a, b) => a.value + b.value],
  [op.DW_OP_minus, (a, b) => a.value - b.value],
  [op.DW_OP_mul, (a, b) => a.value * b.value],
  [op.DW_OP_div, (a, b) => comparable(a) / divisor(comparable(b))],
  [
    op.DW_OP_mod,
    (a, b) =>
      (a.type === undefined ? a.value : comparable(a)) % divisor(a.type === undefined ? b.value : comparable(b)),
  ],
  [op.DW_OP_shl, (a, b) => (b.value > 63n ? 0n : a.value << b.value)],
  [op.DW_OP_shr, (a, b) => (b.value > 63n ? 0n : a.value >> b.value)],
  [op.DW_OP_shra, (a, b) => signedOf(a) >> (b.value > 63n ? 63n : b.value)],
]);

const comparisons: ReadonlyMap<number, (a: bigint, b: bigint) => boolean> = new Map([
  [op.DW_OP_eq, (a, b) => a === b],
  [op.DW_OP_ne, (a, b) => a !== b],
  [op.DW_OP_lt, (a, b) => a < b],
  [op.DW_OP_le, (a, b) => a <= b],
  [op.DW_OP_gt, (a, b) => a > b],
  [op.DW_OP_ge, (a, b) => a >= b],
]);

function comparable(entry: StackEntry): bigint {
  return entry.type?.signed === false ? entry.value : signedOf(entry);
}

function divisor(value: bigint): bigint {
  if (value === 0n) throw new Unavailable('its expression divides by zero');
  return value;
}

class Machine {
  readonly #stack: StackEntry[];
  #steps = 0;

  constructor(
    readonly context: ExpressionContext,
    initial: readonly bigint[],
    readonly depth: number,
  ) {
    this.#stack = initial.map((value) => ({ value: BigInt.asUintN(64, value), type: undefined }));
  }

  #push(value: bigint, type?: IntegerType): void {
    this.#stack.push({ value: BigInt.asUintN(type?.bits ?? 64, value), type });
  }

  #pop(): StackEntry {
    const entry = this.#stack.pop();
    if (entry === undefined) throw new MalformedInput('its stack is empty');
    return entry;
  }

  number(bytes: Uint8Array): bigint {
    const location = this.location(bytes);
    if (location.kind === 'memory') return location.address;
    if (location.kind === 'unavailable') throw new Unavailable(location.reason);
    if (location.kind === 'register') return registerValue(this.context.registers, location.register);
    throw new MalformedInput('a number expected, found a composite');
  }

  location(bytes: Uint8Array): Location {
    const cursor = new Cursor(bytes);
    const pieces: Piece[] = [];
    let simple: Location | undefined;
    while (!cursor.done) {
      if (++this.#steps > mostSteps) throw new MalformedInput('it runs too long');
      const code = cursor.u8();
      if (code === op.DW_OP_piece || code === op.DW_OP_bit_piece) {
        const bits = code === op.DW_OP_piece ? cursor.uleb() * 8 : cursor.uleb();
        const bitOffset = code === op.DW_OP_piece ? 0 : cursor.uleb();
        const location = simple ?? (this.#stack.length > 0 ? this.#top() : unavailable('this part was optimised out'));
        pieces.push({ location, bits, bitOffset });
        this.#stack.length = 0;
        simple = undefined;
        continue;
      }
      simple = this.#terminal(code, cursor) ?? simple;
      if (simple === undefined) this.#operate(code, cursor);
    }
    if (pieces.length > 0) return { kind: 'pieces', pieces };
    return simple ?? this.#top();
  }

  #top(): Location {
    return { kind: 'memory', address: this.#pop().value };
  }

  /** Operations that name a location instead of computing an address. */
  #terminal(code: number, cursor: Cursor): Location | undefined {
    if (code >= op.DW_OP_reg0 && code < op.DW_OP_reg0 + 32) return { kind: 'register', register: code - op.DW_OP_reg0 };
    switch (code) {
      case op.DW_OP_regx:
        return { kind: 'register', register: cursor.uleb() };
      case op.DW_OP_implicit_value:
        return { kind: 'bytes', bytes: cursor.block(cursor.uleb()) };
      case op.DW_OP_stack_value: {
        const bytes = new Uint8Array(8);
        const entry = this.#pop();
        new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, comparable(entry)), true);
        return { kind: 'bytes', bytes };
      }
      case op.DW_OP_implicit_pointer:
      case op.DW_OP_GNU_implicit_pointer:
        cursor.skip(this.context.unit?.version === 2 ? 8 : (this.context.unit?.offsetSize ?? 4));
        cursor.skipLeb();
        return unavailable('points to an object that is not in memory');
      default:
        return undefined;
    }
  }

  #operate(code: number, cursor: Cursor): void {
    const { context } = this;
    if (code >= op.DW_OP_lit0 && code < op.DW_OP_lit0 + 32) return this.#push(BigInt(code - op.DW_OP_lit0));
    if (code >= op.DW_OP_breg0 && code < op.DW_OP_breg0 + 32) {
      return this.#push(registerValue(context.registers, code - op.DW_OP_breg0) + cursor.sleb64());
    }
    const arithmetic = binary.get(code);
    const comparison = comparisons.get(code);
    if (arithmetic !== undefined || comparison !== undefined) {
      const b = this.#pop();
      const a = this.#pop();
      if (arithmetic !== undefined) this.#push(arithmetic(a, b), a.type);
      else if (comparison !== undefined) this.#push(comparison(comparable(a), comparable(b)) ? 1n : 0n);
      return;
    }
    switch (code) {
      case op.DW_OP_addr:
        return this.#push(cursor.u64() + context.loadBias);
      case op.DW_OP_addrx:
      case op.DW_OP_GNU_addr_index:
        return this.#push(this.#indexed(cursor) + context.loadBias);
      case op.DW_OP_constx:
      case op.DW_OP_GNU_const_index:
        return this.#push(this.#indexed(cursor));
      case op.DW_OP_const1u:
        return this.#push(BigInt(cursor.u8()));
      case op.DW_OP_const1s:
        return this.#push(BigInt(cursor.i8()));
      case op.DW_OP_const2u:
        return this.#push(BigInt(cursor.u16()));
      case op.DW_OP_const2s:
        return this.#push(BigInt.asIntN(16, BigInt(cursor.u16())));
      case op.DW_OP_const4u:
        return this.#push(BigInt(cursor.u32()));
      case op.DW_OP_const4s:
        return this.#push(BigInt(cursor.i32()));
      case op.DW_OP_const8u:
      case op.DW_OP_const8s:
        return this.#push(cursor.u64());
      case op.DW_OP_constu:
        return this.#push(cursor.uleb64());
      case op.DW_OP_consts:
        return this.#push(cursor.sleb64());
      case op.DW_OP_dup:
        return this.#pick(0);
      case op.DW_OP_drop:
        this.#pop();
        return;
      case op.DW_OP_over:
        return this.#pick(1);
      case op.DW_OP_pick:
        return this.#pick(cursor.u8());
      case op.DW_OP_swap: {
        const [b, a] = [this.#pop(), this.#pop()];
        this.#stack.push(b, a);
        return;
      }
      case op.DW_OP_rot: {
        const [c, b, a] = [this.#pop(), this.#pop(), this.#pop()];
        this.#stack.push(c, a, b);
        return;
      }
      case op.DW_OP_abs: {
        const a = this.#pop();
        const value = signedOf(a);
        return this.#push(value < 0n ? -value : value, a.type);
      }
      case op.DW_OP_neg: {
        const a = this.#pop();
        return this.#push(-a.value, a.type);
      }
      case op.DW_OP_not: {
        const a = this.#pop();
        return this.#push(~a.value, a.type);
      }
      case op.DW_OP_plus_uconst: {
        const a = this.#pop();
        return this.#push(a.value + cursor.uleb64(), a.type);
      }
      case op.DW_OP_bra: {
        const distance = BigInt.asIntN(16, BigInt(cursor.u16()));
        if (this.#pop().value !== 0n) this.#jump(cursor, Number(distance));
        return;
      }
      case op.DW_OP_skip:
        return this.#jump(cursor, Number(BigInt.asIntN(16, BigInt(cursor.u16()))));
      case op.DW_OP_nop:
        return;
      case op.DW_OP_bregx: {
        const register = cursor.uleb();
        return this.#push(registerValue(context.registers, register) + cursor.sleb64());
      }
      case op.DW_OP_fbreg:
        return this.#push(this.#frameBase() + cursor.sleb64());
      case op.DW_OP_call_frame_cfa: {
        const cfa = context.cfa();
        if (cfa === undefined)
          throw new Unavailable('the frame address is not known: there is no call frame information here');
        return this.#push(cfa);
      }
      case op.DW_OP_deref:
        return this.#push(this.#load(8));
      case op.DW_OP_deref_size:
        return this.#push(this.#load(cursor.u8()));
      case op.DW_OP_push_object_address:
        if (context.objectAddress === undefined)
          throw new Unavailable('the object that its place depends on is not in memory');
        return this.#push(context.objectAddress);
      default:
        return this.#typed(code, cursor);
    }
  }

  /** Operations with types, calls, and those that can have no answer here. */
  #typed(code: number, cursor: Cursor): void {
    switch (code) {
      case op.DW_OP_const_type:
      case op.DW_OP_GNU_const_type: {
        const type = this.#type(cursor.uleb());
        return this.#push(littleEndian(cursor.block(cursor.u8())), type);
      }
      case op.DW_OP_regval_type:
      case op.DW_OP_GNU_regval_type: {
        const value = registerValue(this.context.registers, cursor.uleb());
        return this.#push(value, this.#type(cursor.uleb()));
      }
      case op.DW_OP_deref_type:
      case op.DW_OP_GNU_deref_type: {
        const value = this.#load(cursor.u8());
        return this.#push(value, this.#type(cursor.uleb()));
      }
      case op.DW_OP_convert:
      case op.DW_OP_GNU_convert:
      case op.DW_OP_reinterpret:
      case op.DW_OP_GNU_reinterpret: {
        const offset = cursor.uleb();
        const type = offset === 0 ? undefined : this.#type(offset);
        const entry = this.#pop();
        const converts = code === op.DW_OP_convert || code === op.DW_OP_GNU_convert;
        return this.#push(converts ? comparableTyped(entry) : entry.value, type);
      }
      case op.DW_OP_call2:
        return this.#call((this.context.unit?.offset ?? 0) + cursor.u16());
      case op.DW_OP_call4:
        return this.#call((this.context.unit?.offset ?? 0) + cursor.u32());
      case op.DW_OP_call_ref:
        return this.#call(cursor.unsigned(this.context.unit?.offsetSize ?? 4));
      case op.DW_OP_entry_value:
      case op.DW_OP_GNU_entry_value:
        return this.#push(this.#entryValue(cursor.block(cursor.uleb())));
      case op.DW_OP_GNU_parameter_ref:
      case op.DW_OP_GNU_variable_value:
        throw new Unavailable('it depends on a value of the caller');
      case op.DW_OP_form_tls_address:
      case op.DW_OP_GNU_push_tls_address:
        throw new Unavailable('thread-local storage is not supported');
      default:
        throw new Unavailable(`its location uses ${operationName(code)}, which is not supported`);
    }
  }

  #entryValue(expression: Uint8Array): bigint {
    if (this.context.entryValue === undefined) throw new Unavailable('it was known only on entry to the function');
    return this.context.entryValue(expression);
  }

  #pick(index: number): void {
    const entry = this.#stack[this.#stack.length - 1 - index];
    if (entry === undefined) throw new MalformedInput('its stack is empty');
    this.#stack.push(entry);
  }

  #jump(cursor: Cursor, distance: number): void {
    const target = cursor.offset + distance;
    if (target < 0 || target > cursor.end) throw new MalformedInput('it jumps out of itself');
    cursor.offset = target;
  }

  #indexed(cursor: Cursor): bigint {
    const { unit } = this.context;
    if (unit === undefined) throw new MalformedInput('an indexed address outside of a unit');
    return toBigint(unit.info.sections.indexedAddress(unit.bases.addr, cursor.uleb()));
  }

  #frameBase(): bigint {
    const base = this.context.frameBase();
    if (base.kind === 'memory') return base.address;
    if (base.kind === 'register') return registerValue(this.context.registers, base.register);
    throw new Unavailable(base.kind === 'unavailable' ? base.reason : 'the frame base is not an address');
  }

  #load(size: number): bigint {
    if (size < 1 || size > 8) throw new MalformedInput(`it reads ${size} bytes at once`);
    const address = this.#pop().value;
    const bytes = this.context.readMemory(address, size);
    if (bytes === undefined || bytes.length < size)
      throw new Unavailable(`memory at 0x${address.toString(16)} cannot be read`);
    return littleEndian(bytes.subarray(0, size));
  }

  #type(offset: number): IntegerType {
    const { unit } = this.context;
    if (unit === undefined) throw new MalformedInput('a type outside of a unit');
    const entry = unit.entry(unit.offset + offset);
    const size = entry.number(at.DW_AT_byte_size) ?? 8;
    const kind = entry.number(at.DW_AT_encoding);
    if (kind === encoding.DW_ATE_float || kind === encoding.DW_ATE_complex_float || size > 8 || size < 1) {
      throw new Unavailable('it is computed in floating point or over 64 bits, which is not supported');
    }
    return { bits: size * 8, signed: kind === encoding.DW_ATE_signed || kind === encoding.DW_ATE_signed_char };
  }

  #call(offset: number): void {
    const { unit } = this.context;
    if (unit === undefined || this.depth >= mostNesting) throw new MalformedInput('it calls too deeply');
    const body = unit.info.entryAt(offset).block(at.DW_AT_location);
    if (body === undefined) return;
    const stack = this.#stack.map((entry) => entry.value);
    const inner = new Machine(this.context, stack, this.depth + 1);
    this.#stack.length = 0;
    this.#push(inner.number(body));
  }
}

function comparableTyped(entry: StackEntry): bigint {
  return entry.type === undefined ? entry.value : comparable(entry);
}

export function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}
