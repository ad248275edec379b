// The two floating-point formats as data, and the small pieces of code that every operation on them is made of.
// Inside this folder a value is its bits in the low end of an i64; boxing happens only where an f register is read or written.
// [IEEE 754-2019, 3.4; RISC-V unpriv. 20.2, 21.2]
import type { FunctionWriter, Local } from '../../wasm/function';

/** Accrued exceptions, as they stand in `fflags`. [RISC-V unpriv. 20.2] */
export const flag = { inexact: 1, underflow: 2, overflow: 4, divideByZero: 8, invalid: 16 } as const;

/** Rounding modes, as they stand in `frm`. */
export const mode = { nearestEven: 0, towardZero: 1, down: 2, up: 3, nearestMaxMagnitude: 4 } as const;

export interface Format {
  readonly letter: 's' | 'd';
  /** Significand bits, the implicit leading one included. */
  readonly precision: number;
  readonly bias: number;
  /** The exponent field of infinities and NaNs, unshifted. */
  readonly specialExponent: number;
  readonly signBit: bigint;
  readonly infinity: bigint;
  readonly quietBit: bigint;
  readonly canonicalNaN: bigint;
  /** What is set above a boxed value: nothing for the format that fills the register. */
  readonly box: bigint;
}

function format(letter: 's' | 'd', width: number, precision: number, bias: number): Format {
  const fractionBits = BigInt(precision - 1);
  const specialExponent = 2 * bias + 1;
  const infinity = BigInt(specialExponent) << fractionBits;
  const quietBit = 1n << (fractionBits - 1n);
  const box = BigInt.asUintN(64, -1n << BigInt(width));
  const signBit = 1n << BigInt(width - 1);
  return {
    letter,
    precision,
    bias,
    specialExponent,
    signBit,
    infinity,
    quietBit,
    canonicalNaN: infinity | quietBit,
    box: width === 64 ? 0n : box,
  };
}

export const single = format('s', 32, 24, 127);
export const double = format('d', 64, 53, 1023);

/** Replaces the raw register value in `operand` by the value it holds; a badly boxed one counts as NaN. [RISC-V unpriv. 21.2] */
export function unbox(f: FunctionWriter, { box, canonicalNaN }: Format, operand: Local): void {
  if (box === 0n) return;
  f.get(operand).i64(~box).op('i64.and').i64(canonicalNaN);
  f.get(operand).i64(box).op('i64.and').i64(box).op('i64.eq', 'select').set(operand);
}

/** Boxes the value on the stack. */
export function box(f: FunctionWriter, { box }: Format): void {
  if (box !== 0n) f.i64(box).op('i64.or');
}

/** Sets accrued flags known at emission. */
export function raise(f: FunctionWriter, flagsAddress: Local, flags: number): void {
  f.get(flagsAddress).get(flagsAddress).load('i32.load').i32(flags).op('i32.or').store('i32.store');
}

/** Pushes the exponent field of `bits`. */
export function exponentField(f: FunctionWriter, { precision, specialExponent }: Format, bits: Local): void {
  f.get(bits)
    .i64(precision - 1)
    .op('i64.shr_u', 'i32.wrap_i64')
    .i32(specialExponent)
    .op('i32.and');
}

/** Pushes the bits without their sign. */
export function magnitude(f: FunctionWriter, { signBit }: Format, bits: Local): void {
  f.get(bits)
    .i64(signBit - 1n)
    .op('i64.and');
}

/** Pushes 1 where `bits` is a NaN. */
export function isNaN(f: FunctionWriter, format: Format, bits: Local): void {
  magnitude(f, format, bits);
  f.i64(format.infinity).op('i64.gt_s');
}

/** Pushes 1 where `bits` is a signalling NaN. */
export function isSignalling(f: FunctionWriter, format: Format, bits: Local): void {
  isNaN(f, format, bits);
  f.get(bits).i64(format.quietBit).op('i64.and', 'i64.eqz', 'i32.and');
}

/** Pushes 1 where at least one operand satisfies `test`. */
export function any(
  f: FunctionWriter,
  format: Format,
  operands: readonly Local[],
  test: (f: FunctionWriter, format: Format, bits: Local) => void,
): void {
  operands.forEach((operand, position) => {
    test(f, format, operand);
    if (position > 0) f.op('i32.or');
  });
}

/** Pushes 1 where `bits` is infinite or NaN. */
export function isSpecial(f: FunctionWriter, format: Format, bits: Local): void {
  f.get(bits).i64(format.infinity).op('i64.and').i64(format.infinity).op('i64.eq');
}

/** Pushes 1 where `bits` is infinite. */
export function isInfinite(f: FunctionWriter, format: Format, bits: Local): void {
  magnitude(f, format, bits);
  f.i64(format.infinity).op('i64.eq');
}

/** Pushes 1 where `bits` is a zero of either sign. */
export function isZero(f: FunctionWriter, format: Format, bits: Local): void {
  magnitude(f, format, bits);
  f.op('i64.eqz');
}

/** Returns the canonical NaN where an operand is a NaN, with the invalid flag for a signalling one. [IEEE 754-2019, 6.2] */
export function returnForNaN(f: FunctionWriter, format: Format, flagsAddress: Local, operands: readonly Local[]): void {
  any(f, format, operands, isNaN);
  f.if();
  any(f, format, operands, isSignalling);
  f.if();
  raise(f, flagsAddress, flag.invalid);
  f.end();
  f.i64(format.canonicalNaN).return();
  f.end();
}

/** Returns the canonical NaN with the invalid flag. */
export function returnInvalid(f: FunctionWriter, format: Format, flagsAddress: Local): void {
  raise(f, flagsAddress, flag.invalid);
  f.i64(format.canonicalNaN).return();
}

/**
 * A finite value taken apart: (-1)^sign * significand * 2^(exponent - 63), the significand's leading one in bit 63.
 * Zero has significand 0.
 */
export interface Unpacked {
  /** The format's sign bit in its place, or 0. */
  readonly sign: Local;
  readonly exponent: Local;
  readonly significand: Local;
}

export function unpack(f: FunctionWriter, format: Format, bits: Local): Unpacked {
  const sign = f.local('i64');
  const exponent = f.local('i32');
  const significand = f.local('i64');
  const leadingZeros = f.local('i64');
  f.get(bits).i64(format.signBit).op('i64.and').set(sign);
  // The lowest exponent bit lands in bit 63, where the implicit one belongs.
  f.get(bits)
    .i64(64 - format.precision)
    .op('i64.shl')
    .set(significand);
  exponentField(f, format, bits);
  f.tee(exponent).op('i32.eqz').if();
  f.get(significand).op('i64.clz').set(leadingZeros);
  f.get(significand).get(leadingZeros).op('i64.shl').set(significand);
  f.i32(1 - format.bias)
    .get(leadingZeros)
    .op('i32.wrap_i64', 'i32.sub')
    .set(exponent);
  f.else();
  f.get(significand)
    .i64(1n << 63n)
    .op('i64.or')
    .set(significand);
  f.get(exponent).i32(format.bias).op('i32.sub').set(exponent);
  f.end();
  return { sign, exponent, significand };
}
