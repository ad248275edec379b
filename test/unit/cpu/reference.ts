// The instruction vocabulary computed with BigInt, straight from the specification's words: a second opinion on generated code.
import type { DecodedInstruction } from '../../../emulator/cpu/decoder';
import type { Bits, Bytes, FField, Meaning, NumberField, XField } from '../../../emulator/cpu/instructions/meaning';

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
const signed = (value: bigint): bigint => BigInt.asIntN(64, value);

/** Registers and RAM of a hart without privileges, translation or traps. */
export interface ReferenceState {
  readonly x: bigint[];
  readonly f: bigint[];
  pc: bigint;
  readonly ram: DataView;
  readonly ramBase: bigint;
}

/** Thrown for instructions that are about the rest of the machine. */
export class NotModelled extends Error {}

export class ReferenceMeaning implements Meaning<bigint, boolean> {
  private next: bigint;

  constructor(
    private readonly state: ReferenceState,
    private readonly instruction: DecodedInstruction,
  ) {
    this.next = unsigned(state.pc + BigInt(instruction.lengthBytes));
  }

  /** Executes the instruction and moves pc. */
  execute(): void {
    this.instruction.row.meaning(this);
    this.state.pc = this.next;
  }

  private field(name: string): number {
    const value = this.instruction.fields[name];
    if (value === undefined) throw new Error(`${this.instruction.row.name} has no field ${name}`);
    return value;
  }
  x(field: XField): bigint {
    return this.state.x[this.field(field)] ?? 0n;
  }
  setX(field: 'rd', value: bigint): void {
    const register = this.field(field);
    if (register !== 0) this.state.x[register] = unsigned(value);
  }
  f(field: FField): bigint {
    return this.state.f[this.field(field)] ?? 0n;
  }
  setF(field: 'fd', value: bigint): void {
    this.state.f[this.field(field)] = unsigned(value);
  }
  number(field: NumberField): bigint {
    return unsigned(BigInt(this.field(field)));
  }
  constant(value: bigint): bigint {
    return unsigned(value);
  }
  pc(): bigint {
    return this.state.pc;
  }
  nextPc(): bigint {
    return unsigned(this.state.pc + BigInt(this.instruction.lengthBytes));
  }
  keep(value: bigint): bigint {
    return value;
  }

  add = (a: bigint, b: bigint): bigint => unsigned(a + b);
  subtract = (a: bigint, b: bigint): bigint => unsigned(a - b);
  and = (a: bigint, b: bigint): bigint => a & b;
  or = (a: bigint, b: bigint): bigint => a | b;
  xor = (a: bigint, b: bigint): bigint => a ^ b;
  shiftLeft = (a: bigint, amount: bigint): bigint => unsigned(a << (amount & 63n));
  shiftRightLogical = (a: bigint, amount: bigint): bigint => a >> (amount & 63n);
  shiftRightArithmetic = (a: bigint, amount: bigint): bigint => unsigned(signed(a) >> (amount & 63n));
  signExtend = (a: bigint, bits: Bits): bigint => unsigned(BigInt.asIntN(bits, a));
  zeroExtend = (a: bigint, bits: Bits): bigint => BigInt.asUintN(bits, a);
  multiply = (a: bigint, b: bigint): bigint => unsigned(a * b);
  multiplyHighUnsigned = (a: bigint, b: bigint): bigint => (a * b) >> 64n;
  multiplyHighSigned = (a: bigint, b: bigint): bigint => unsigned((signed(a) * signed(b)) >> 64n);
  multiplyHighMixed = (a: bigint, b: bigint): bigint => unsigned((signed(a) * b) >> 64n);
  divideSigned = (a: bigint, b: bigint): bigint => (b === 0n ? unsigned(-1n) : unsigned(signed(a) / signed(b)));
  divideUnsigned = (a: bigint, b: bigint): bigint => (b === 0n ? unsigned(-1n) : a / b);
  remainderSigned = (a: bigint, b: bigint): bigint => (b === 0n ? a : unsigned(signed(a) % signed(b)));
  remainderUnsigned = (a: bigint, b: bigint): bigint => (b === 0n ? a : a % b);
  countLeadingZeros = (a: bigint): bigint => BigInt(64 - (a === 0n ? 0 : a.toString(2).length));
  countTrailingZeros = (a: bigint): bigint => {
    if (a === 0n) return 64n;
    const text = a.toString(2);
    return BigInt(text.length - 1 - text.lastIndexOf('1'));
  };
  countOnes = (a: bigint): bigint => BigInt(a.toString(2).replaceAll('0', '').length);
  rotateLeft = (a: bigint, amount: bigint): bigint => unsigned((a << (amount & 63n)) | (a >> (64n - (amount & 63n))));
  rotateRight = (a: bigint, amount: bigint): bigint => this.rotateLeft(a, unsigned(-amount) & 63n);

  equal = (a: bigint, b: bigint): boolean => a === b;
  notEqual = (a: bigint, b: bigint): boolean => a !== b;
  lessSigned = (a: bigint, b: bigint): boolean => signed(a) < signed(b);
  lessUnsigned = (a: bigint, b: bigint): boolean => a < b;
  not = (condition: boolean): boolean => !condition;
  choose = (condition: boolean, whenTrue: bigint, whenFalse: bigint): bigint => (condition ? whenTrue : whenFalse);
  bit = (condition: boolean): bigint => (condition ? 1n : 0n);

  branch(condition: boolean, offset: bigint): void {
    if (condition) this.jumpRelative(offset);
  }
  jumpRelative(offset: bigint): void {
    this.next = unsigned(this.state.pc + offset);
  }
  jump(target: bigint): void {
    this.next = target;
  }

  load(address: bigint, bytes: Bytes, extension: 'signed' | 'unsigned'): bigint {
    const at = Number(address - this.state.ramBase);
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.state.ram.getUint8(at + i));
    return extension === 'signed' ? unsigned(BigInt.asIntN(bytes * 8, value)) : value;
  }
  store(address: bigint, bytes: Bytes, value: bigint): void {
    const at = Number(address - this.state.ramBase);
    for (let i = 0; i < bytes; i++) this.state.ram.setUint8(at + i, Number((value >> BigInt(i * 8)) & 0xffn));
  }
  atomic(address: bigint, bytes: 4 | 8, combine: (old: bigint) => bigint): bigint {
    const old = this.load(address, bytes, 'signed');
    this.store(address, bytes, combine(old));
    return old;
  }

  loadReserved(): bigint {
    throw new NotModelled('lr');
  }
  storeConditional(): bigint {
    throw new NotModelled('sc');
  }
  /** Floating point is on in what is compared. */
  requireFloat(): void {}
  float(): bigint {
    throw new NotModelled('floating-point arithmetic');
  }
  csr(): void {
    throw new NotModelled('csr');
  }
  fence(): void {}
  fenceInstructions(): void {}
  fenceTranslations(): void {
    throw new NotModelled('sfence.vma');
  }
  orderInvalidations(): void {
    throw new NotModelled('sfence.w.inval');
  }
  cacheBlock(): void {
    throw new NotModelled('cbo');
  }
  environmentCall(): void {
    throw new NotModelled('ecall');
  }
  breakpoint(): void {
    throw new NotModelled('ebreak');
  }
  returnFrom(): void {
    throw new NotModelled('xret');
  }
  waitForInterrupt(): void {
    throw new NotModelled('wfi');
  }
}
