// Exact addition, multiplication, division and square root of unboxed values, for every rounding mode, in integer arithmetic.
// Each declares (flagsAddress, mode, a[, b]) -> bits. [IEEE 754-2019, 5.4.1, 6 and 7]
import type { FunctionWriter, Local } from '../../wasm/function';
import type { ModuleWriter } from '../../wasm/module';
import {
  any,
  flag,
  type Format,
  isInfinite,
  isSpecial,
  isZero,
  magnitude,
  mode,
  raise,
  returnForNaN,
  returnInvalid,
  unpack,
} from './format';
import type { WideFunctions } from './round';

/** What exact operations of one format share. */
export interface RoundingFunctions {
  readonly wide: WideFunctions;
  /** See `declareRound`. */
  readonly round: number;
}

interface Binary {
  readonly f: FunctionWriter;
  readonly flagsAddress: Local;
  readonly roundingMode: Local;
  readonly a: Local;
  readonly b: Local;
}

function declareBinary(module: ModuleWriter): Binary {
  const f = module.function(['i32', 'i32', 'i64', 'i64'], ['i64']);
  const [flagsAddress, roundingMode, a, b] = [f.parameter(0), f.parameter(1), f.parameter(2), f.parameter(3)];
  return { f, flagsAddress, roundingMode, a, b };
}

/** Pushes the zero that an exact cancellation gives: negative only when rounding down. [IEEE 754-2019, 6.3] */
export function pushCancelledZero(f: FunctionWriter, { signBit }: Format, roundingMode: Local): void {
  f.i64(signBit).i64(0).get(roundingMode).i32(mode.down).op('i32.eq', 'select');
}

/** Pushes the sign of a product or quotient. */
function pushSignOfBoth(f: FunctionWriter, { signBit }: Format, a: Local, b: Local): void {
  f.get(a).get(b).op('i64.xor').i64(signBit).op('i64.and');
}

export function declareAdd(module: ModuleWriter, format: Format, { wide, round }: RoundingFunctions): number {
  const { f, flagsAddress, roundingMode, a, b } = declareBinary(module);
  const swap = f.local('i64');

  magnitude(f, format, a);
  magnitude(f, format, b);
  f.op('i64.lt_s').if();
  f.get(a).set(swap).get(b).set(a).get(swap).set(b);
  f.end();

  isSpecial(f, format, a);
  f.if();
  returnForNaN(f, format, flagsAddress, [a, b]);
  // The larger one is infinite; only its opposite has no sum with it.
  f.get(a).get(b).op('i64.xor').i64(format.signBit).op('i64.eq').if();
  returnInvalid(f, format, flagsAddress);
  f.end();
  f.get(a).return();
  f.end();

  const [left, right] = [unpack(f, format, a), unpack(f, format, b)];
  // One bit of room for the carry.
  f.get(left.significand).i64(1).op('i64.shr_u').set(left.significand);
  f.get(right.significand).i64(1).op('i64.shr_u');
  f.get(left.exponent).get(right.exponent).op('i32.sub').call(wide.shiftRightSticky).set(right.significand);
  f.get(left.sign).get(right.sign).op('i64.eq').if();
  f.get(left.significand).get(right.significand).op('i64.add').tee(left.significand);
  f.op('i64.eqz').if();
  f.get(left.sign).return();
  f.end();
  f.else();
  f.get(left.significand).get(right.significand).op('i64.sub').tee(left.significand);
  f.op('i64.eqz').if();
  pushCancelledZero(f, format, roundingMode);
  f.return();
  f.end();
  f.end();
  f.get(flagsAddress).get(roundingMode).get(left.sign);
  f.get(left.exponent).i32(1).op('i32.add').get(left.significand).call(round);
  return f.index;
}

export function declareMultiply(module: ModuleWriter, format: Format, { wide, round }: RoundingFunctions): number {
  const { f, flagsAddress, roundingMode, a, b } = declareBinary(module);

  any(f, format, [a, b], isSpecial);
  f.if();
  returnForNaN(f, format, flagsAddress, [a, b]);
  any(f, format, [a, b], isZero);
  f.if();
  returnInvalid(f, format, flagsAddress);
  f.end();
  pushSignOfBoth(f, format, a, b);
  f.i64(format.infinity).op('i64.or').return();
  f.end();
  any(f, format, [a, b], isZero);
  f.if();
  pushSignOfBoth(f, format, a, b);
  f.return();
  f.end();

  const [left, right] = [unpack(f, format, a), unpack(f, format, b)];
  f.get(flagsAddress).get(roundingMode);
  f.get(left.sign).get(right.sign).op('i64.xor');
  f.get(left.exponent).get(right.exponent).op('i32.add').i32(1).op('i32.add');
  f.get(left.significand).get(right.significand).call(wide.multiplyHigh);
  f.get(left.significand).get(right.significand).op('i64.mul').i64(0).op('i64.ne', 'i64.extend_i32_u', 'i64.or');
  f.call(round);
  return f.index;
}

export function declareDivide(module: ModuleWriter, format: Format, { round }: RoundingFunctions): number {
  const { f, flagsAddress, roundingMode, a, b } = declareBinary(module);

  any(f, format, [a, b], isSpecial);
  f.if();
  returnForNaN(f, format, flagsAddress, [a, b]);
  isInfinite(f, format, a);
  f.if();
  isInfinite(f, format, b);
  f.if();
  returnInvalid(f, format, flagsAddress);
  f.end();
  pushSignOfBoth(f, format, a, b);
  f.i64(format.infinity).op('i64.or').return();
  f.end();
  pushSignOfBoth(f, format, a, b);
  f.return();
  f.end();
  isZero(f, format, b);
  f.if();
  isZero(f, format, a);
  f.if();
  returnInvalid(f, format, flagsAddress);
  f.end();
  raise(f, flagsAddress, flag.divideByZero);
  pushSignOfBoth(f, format, a, b);
  f.i64(format.infinity).op('i64.or').return();
  f.end();
  isZero(f, format, a);
  f.if();
  pushSignOfBoth(f, format, a, b);
  f.return();
  f.end();

  const [left, right] = [unpack(f, format, a), unpack(f, format, b)];
  const [quotient, remainder] = [f.local('i64'), f.local('i64')];
  // A native quotient of the 53-bit significands is at most one unit of 2^-53 away; the remainder, exact modulo 2^64, shows which way.
  f.get(left.significand).i64(11).op('i64.shr_u').set(left.significand);
  f.get(right.significand).i64(11).op('i64.shr_u').set(right.significand);
  f.get(left.significand).op('f64.convert_i64_u').get(right.significand).op('f64.convert_i64_u', 'f64.div');
  f.f64(2 ** 53)
    .op('f64.mul', 'i64.trunc_f64_u')
    .set(quotient);
  f.get(left.significand).i64(53).op('i64.shl');
  f.get(quotient).get(right.significand).op('i64.mul', 'i64.sub').tee(remainder);
  f.i64(0).op('i64.lt_s').if();
  f.get(quotient).i64(1).op('i64.sub').set(quotient);
  f.get(remainder).get(right.significand).op('i64.add').set(remainder);
  f.end();
  // Ten more quotient bits, then the sticky one.
  f.get(remainder).i64(10).op('i64.shl').set(remainder);
  f.get(flagsAddress).get(roundingMode);
  f.get(left.sign).get(right.sign).op('i64.xor');
  f.get(left.exponent).get(right.exponent).op('i32.sub');
  f.get(quotient).i64(10).op('i64.shl');
  f.get(remainder).get(right.significand).op('i64.div_u', 'i64.add');
  f.get(remainder).get(right.significand).op('i64.rem_u').i64(0).op('i64.ne', 'i64.extend_i32_u', 'i64.or');
  f.call(round);
  return f.index;
}

export function declareSquareRoot(module: ModuleWriter, format: Format, { round }: RoundingFunctions): number {
  const f = module.function(['i32', 'i32', 'i64'], ['i64']);
  const [flagsAddress, roundingMode, a] = [f.parameter(0), f.parameter(1), f.parameter(2)];

  returnForNaN(f, format, flagsAddress, [a]);
  isZero(f, format, a);
  f.if();
  f.get(a).return();
  f.end();
  f.get(a).i64(format.signBit).op('i64.and').i64(0).op('i64.ne').if();
  returnInvalid(f, format, flagsAddress);
  f.end();
  isInfinite(f, format, a);
  f.if();
  f.get(a).return();
  f.end();

  const { exponent, significand } = unpack(f, format, a);
  const [root, remainder, odd] = [f.local('i64'), f.local('i64'), f.local('i32')];
  // The radicand as a 53 or 54 bit integer in units of 2^-52, so that its exponent is even and its root lies in [1, 2).
  f.get(exponent).i32(1).op('i32.and').set(odd);
  f.get(significand).i64(11).get(odd).op('i64.extend_i32_u', 'i64.sub', 'i64.shr_u').set(significand);
  f.get(significand).op('f64.convert_i64_u', 'f64.sqrt');
  // The root of an integer in units of 2^-52 is in units of 2^-26.
  f.f64(2 ** 26)
    .op('f64.mul', 'i64.trunc_f64_u')
    .set(root);
  f.get(significand).i64(52).op('i64.shl').get(root).get(root).op('i64.mul', 'i64.sub').tee(remainder);
  f.i64(0).op('i64.lt_s').if();
  f.get(root).i64(1).op('i64.sub').set(root);
  f.get(remainder).get(root).i64(1).op('i64.shl').i64(1).op('i64.add', 'i64.add').set(remainder);
  f.end();
  f.get(flagsAddress).get(roundingMode).i64(0);
  f.get(exponent).i32(1).op('i32.shr_s');
  // One more bit: the remainder exceeds the root exactly where the true root lies above the next half unit.
  f.get(root).i64(1).op('i64.shl').get(remainder).get(root).op('i64.gt_s', 'i64.extend_i32_u', 'i64.or');
  f.i64(10).op('i64.shl').get(remainder).i64(0).op('i64.ne', 'i64.extend_i32_u', 'i64.or');
  f.call(round);
  return f.index;
}
