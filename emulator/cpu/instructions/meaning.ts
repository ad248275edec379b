// The vocabulary in which an instruction states what it does. The interpreter's emitter implements it with operands read from a
// decoded record, a compiler may implement it with constant operands, and the tests' reference model computes with BigInt.
import type { FloatOperation } from '../float';

/** Register fields: integer registers and floating-point registers. */
export type XField = 'rd' | 'rs1' | 'rs2';
export type FField = 'fd' | 'fs1' | 'fs2' | 'fs3';
/** Fields that hold a number: immediates are sign-extended where the encoding says so. */
export type NumberField = 'imm' | 'shamt' | 'csr' | 'zimm' | 'rm' | 'aq' | 'rl' | 'fm' | 'pred' | 'succ';
export type Field = XField | FField | NumberField;

export type CacheBlockOperation = 'clean' | 'flush' | 'invalidate' | 'zero';

export type Bytes = 1 | 2 | 4 | 8;
export type Bits = 8 | 16 | 32;

/**
 * `V` is a 64-bit value, `C` a condition. Values may be evaluated at each use and as late as their use: what must be read before a
 * register or memory changes is fixed with `keep`. A statement that may trap leaves the instruction without further effect.
 */
export interface Meaning<V, C> {
  x(field: XField): V;
  setX(field: 'rd', value: V): void;
  /** The raw 64-bit register, boxed or not. */
  f(field: FField): V;
  setF(field: 'fd', value: V): void;
  number(field: NumberField): V;
  constant(value: bigint): V;
  pc(): V;
  /** Address of the instruction behind this one. */
  nextPc(): V;
  keep(value: V): V;

  add(a: V, b: V): V;
  subtract(a: V, b: V): V;
  and(a: V, b: V): V;
  or(a: V, b: V): V;
  xor(a: V, b: V): V;
  /** The amount counts modulo 64. */
  shiftLeft(a: V, amount: V): V;
  shiftRightLogical(a: V, amount: V): V;
  shiftRightArithmetic(a: V, amount: V): V;
  signExtend(a: V, bits: Bits): V;
  zeroExtend(a: V, bits: Bits): V;
  multiply(a: V, b: V): V;
  multiplyHighUnsigned(a: V, b: V): V;
  multiplyHighSigned(a: V, b: V): V;
  /** First operand signed, second unsigned. */
  multiplyHighMixed(a: V, b: V): V;
  /** Division with the results that the M extension defines for a zero divisor and for overflow. */
  divideSigned(a: V, b: V): V;
  divideUnsigned(a: V, b: V): V;
  remainderSigned(a: V, b: V): V;
  remainderUnsigned(a: V, b: V): V;
  /** 64 for a zero operand. */
  countLeadingZeros(a: V): V;
  countTrailingZeros(a: V): V;
  countOnes(a: V): V;
  rotateLeft(a: V, amount: V): V;
  rotateRight(a: V, amount: V): V;

  equal(a: V, b: V): C;
  notEqual(a: V, b: V): C;
  lessSigned(a: V, b: V): C;
  lessUnsigned(a: V, b: V): C;
  not(c: C): C;
  choose(c: C, whenTrue: V, whenFalse: V): V;
  /** 1 or 0. */
  bit(c: C): V;

  /** Goes to pc + offset when the condition holds, else to the next instruction. */
  branch(c: C, offset: V): void;
  jumpRelative(offset: V): void;
  jump(target: V): void;

  /** A load, sign- or zero-extended to 64 bits. */
  load(address: V, bytes: Bytes, extension: 'signed' | 'unsigned'): V;
  store(address: V, bytes: Bytes, value: V): void;
  /** The A extension; results and operands of 4-byte forms are sign-extended. `aq` and `rl` are read from the instruction. */
  loadReserved(address: V, bytes: 4 | 8): V;
  /** 0 on success, 1 when nothing was stored. */
  storeConditional(address: V, bytes: 4 | 8, value: V): V;
  /** The old value; memory holds `combine(old)` afterwards. */
  atomic(address: V, bytes: 4 | 8, combine: (old: V) => V): V;

  /** Illegal while floating point is switched off in `mstatus.FS`. */
  requireFloat(): void;
  /** A computation with the instruction's `rm`, or without rounding; exceptions accrue in `fflags`. */
  float(operation: FloatOperation, operands: readonly V[], rounding: 'rm' | 'none'): V;

  /** Reads a CSR, unless a write does not ask for it (`rd` = x0), and changes it, unless a set or clear names x0 or zero. */
  csr(change: 'write' | 'set' | 'clear', operand: V): void;
  fence(): void;
  fenceInstructions(): void;
  fenceTranslations(address: V, addressSpace: V): void;
  /** Orders invalidations of translations with other accesses; illegal in U-mode. */
  orderInvalidations(): void;
  /** Acts on the cache block that holds an address, where the modes above allow it. */
  cacheBlock(operation: CacheBlockOperation, address: V): void;
  environmentCall(): void;
  breakpoint(): void;
  returnFrom(mode: 'M' | 'S'): void;
  waitForInterrupt(): void;
}
