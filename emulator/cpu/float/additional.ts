// The computations of Zfa: constants, minimum and maximum that let NaN win, quiet order, rounding to integral values, and the conversion
// whose result wraps around. [RISC-V unpriv. 24, Zfa version 1.0; IEEE 754-2019, 5.3.1, 5.9, 5.11, 9.6]
import type { ModuleWriter } from '../../wasm/module';
import { roundToIntegral } from './convert';
import { any, box, double, flag, type Format, isSignalling, isNaN, isSpecial, raise, unbox } from './format';
import { pushNative, takeNative } from './operations';

/** Declares (flagsAddress, mode, a, b) -> the smaller or larger one; a NaN wins against a number. */
export function declareStrictExtreme(module: ModuleWriter, format: Format, which: 'min' | 'max'): number {
  const f = module.function(['i32', 'i32', 'i64', 'i64'], ['i64']);
  const [flagsAddress, a, b] = [f.parameter(0), f.parameter(2), f.parameter(3)];
  unbox(f, format, a);
  unbox(f, format, b);
  any(f, format, [a, b], isNaN);
  f.if();
  any(f, format, [a, b], isSignalling);
  f.if();
  raise(f, flagsAddress, flag.invalid);
  f.end();
  f.i64(format.box | format.canonicalNaN).return();
  f.end();
  // Native min and max order -0 below +0, as RISC-V does.
  pushNative(f, format, a);
  pushNative(f, format, b);
  f.op(format === double ? `f64.${which}` : `f32.${which}`);
  takeNative(f, format);
  box(f, format);
  return f.index;
}

/** Declares (flagsAddress, mode, a, b) -> 0 or 1; only a signalling NaN is invalid. */
export function declareQuietOrder(module: ModuleWriter, format: Format, relation: 'lt' | 'le'): number {
  const f = module.function(['i32', 'i32', 'i64', 'i64'], ['i64']);
  const [flagsAddress, a, b] = [f.parameter(0), f.parameter(2), f.parameter(3)];
  unbox(f, format, a);
  unbox(f, format, b);
  any(f, format, [a, b], isSignalling);
  f.if();
  raise(f, flagsAddress, flag.invalid);
  f.end();
  pushNative(f, format, a);
  pushNative(f, format, b);
  f.op(format === double ? `f64.${relation}` : `f32.${relation}`, 'i64.extend_i32_u');
  return f.index;
}

/** Declares (flagsAddress, mode, a) -> the integral value next to it in the mode's direction. */
export function declareRoundToIntegral(module: ModuleWriter, format: Format, tellsInexact: boolean): number {
  const f = module.function(['i32', 'i32', 'i64'], ['i64']);
  const [flagsAddress, roundingMode, a] = [f.parameter(0), f.parameter(1), f.parameter(2)];
  const [value, rounded] = [f.local('f64'), f.local('f64')];
  unbox(f, format, a);
  isNaN(f, format, a);
  f.if();
  isSignalling(f, format, a);
  f.if();
  raise(f, flagsAddress, flag.invalid);
  f.end();
  f.i64(format.box | format.canonicalNaN).return();
  f.end();
  pushNative(f, format, a);
  if (format !== double) f.op('f64.promote_f32');
  f.set(value);
  roundToIntegral(f, roundingMode, value, rounded);
  if (tellsInexact) {
    f.get(rounded).get(value).op('f64.ne').if();
    raise(f, flagsAddress, flag.inexact);
    f.end();
  }
  f.get(rounded);
  if (format !== double) f.op('f32.demote_f64');
  takeNative(f, format);
  box(f, format);
  return f.index;
}

/** Below this, a double converts to a 64-bit integer; from here on its lowest bit is worth 2^11 or more. */
const greatestDirect = 2 ** 63;
/** The exponent field of a double whose significand is an integer as it stands. */
const integralField = 1075;

/** Declares (flagsAddress, mode, a) -> the low 32 bits of the truncated value, sign-extended; 0 for what is no number. */
export function declareModularConversion(module: ModuleWriter): number {
  const f = module.function(['i32', 'i32', 'i64'], ['i64']);
  const [flagsAddress, a] = [f.parameter(0), f.parameter(2)];
  const [value, truncated] = [f.local('f64'), f.local('f64')];
  const [shift, low] = [f.local('i64'), f.local('i64')];
  isSpecial(f, double, a);
  f.if();
  raise(f, flagsAddress, flag.invalid);
  f.i64(0).return();
  f.end();
  pushNative(f, double, a);
  f.tee(value).op('f64.trunc').set(truncated);
  f.get(truncated)
    .f64(-(2 ** 31))
    .op('f64.ge')
    .get(truncated)
    .f64(2 ** 31)
    .op('f64.lt', 'i32.and')
    .if();
  f.get(truncated).get(value).op('f64.ne').if();
  raise(f, flagsAddress, flag.inexact);
  f.end();
  f.get(truncated).op('i64.trunc_f64_s').return();
  f.end();
  raise(f, flagsAddress, flag.invalid);
  f.get(truncated).op('f64.abs').f64(greatestDirect).op('f64.lt').if();
  f.get(truncated).op('i64.trunc_f64_s', 'i64.extend32_s').return();
  f.end();
  f.get(a).i64(52).op('i64.shr_u').i64(0x7ff).op('i64.and').i64(integralField).op('i64.sub').set(shift);
  f.get(shift).i64(32).op('i64.ge_s').if();
  f.i64(0).return();
  f.end();
  f.get(a)
    .i64((1n << 52n) - 1n)
    .op('i64.and')
    .i64(1n << 52n)
    .op('i64.or')
    .get(shift)
    .op('i64.shl')
    .set(low);
  f.i64(0).get(low).op('i64.sub').get(low).get(a).i64(0).op('i64.lt_s', 'select').op('i64.extend32_s');
  return f.index;
}

/** What FLI loads, by its operand; 1 stands for the smallest normal number of the format. */
export const loadableConstants: readonly number[] = [
  -1, NaN, 2 ** -16, 2 ** -15, 2 ** -8, 2 ** -7, 0.0625, 0.125, 0.25, 0.3125, 0.375, 0.4375, 0.5, 0.625, 0.75, 0.875,
  1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 8, 16, 128, 256, 2 ** 15, 2 ** 16, Infinity, NaN,
]; // prettier-ignore
const smallestNormal = 1;

function bitsOf(format: Format, operand: number): bigint {
  if (operand === smallestNormal) return 1n << BigInt(format.precision - 1);
  const value = loadableConstants[operand] ?? NaN;
  if (Number.isNaN(value)) return format.canonicalNaN;
  const view = new DataView(new ArrayBuffer(8));
  if (format === double) view.setFloat64(0, value);
  else view.setFloat32(4, value);
  return view.getBigUint64(0);
}

/** Declares (flagsAddress, mode, operand) -> the constant with that number, 0 to 31. */
export function declareConstant(module: ModuleWriter, format: Format): number {
  const f = module.function(['i32', 'i32', 'i64'], ['i64']);
  const operand = f.parameter(2);
  loadableConstants.forEach((_, number) => {
    f.get(operand).i64(number).op('i64.eq').if();
    f.i64(format.box | bitsOf(format, number)).return();
    f.end();
  });
  f.i64(format.box | format.canonicalNaN);
  return f.index;
}
