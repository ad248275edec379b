// Rounding: an exact significand in, a value of a format and its flags out. Everything inexact ends here.
// [IEEE 754-2019, 4.3 and 7.4 to 7.6; RISC-V unpriv. 20.2: tininess is detected after rounding]
import type { FunctionWriter, Local } from '../../wasm/function';
import type { ModuleWriter } from '../../wasm/module';
import { flag, type Format, mode, raise } from './format';

/** Functions that do not depend on a format. */
export interface WideFunctions {
  /** (value, count) -> value shifted right, with a 1 in bit 0 where a one was shifted out. Counts are 0 and up. */
  readonly shiftRightSticky: number;
  /** (high, low, count) -> (high, low): the same for 128 bits. */
  readonly shiftRightSticky128: number;
  /** (a, b) -> the high 64 bits of their unsigned product. */
  readonly multiplyHigh: number;
}

export function declareWideFunctions(module: ModuleWriter): WideFunctions {
  const shiftRightSticky = writeShiftRightSticky(module);
  return {
    shiftRightSticky,
    shiftRightSticky128: writeShiftRightSticky128(module, shiftRightSticky),
    multiplyHigh: writeMultiplyHigh(module),
  };
}

function writeShiftRightSticky(module: ModuleWriter): number {
  const f = module.function(['i64', 'i32'], ['i64']);
  const [value, count, wide] = [f.parameter(0), f.parameter(1), f.local('i64')];
  f.get(count).i32(63).op('i32.gt_u').if();
  f.get(value).i64(0).op('i64.ne', 'i64.extend_i32_u').return();
  f.end();
  f.get(count).op('i64.extend_i32_u').set(wide);
  f.get(value).get(wide).op('i64.shr_u');
  f.get(value).i64(-1).get(wide).op('i64.shl').i64(-1).op('i64.xor', 'i64.and').i64(0).op('i64.ne', 'i64.extend_i32_u');
  f.op('i64.or');
  return f.index;
}

function writeShiftRightSticky128(module: ModuleWriter, shiftRightSticky: number): number {
  const f = module.function(['i64', 'i64', 'i32'], ['i64', 'i64']);
  const [high, low, count, wide] = [f.parameter(0), f.parameter(1), f.parameter(2), f.local('i64')];
  f.get(count).op('i32.eqz').if();
  f.get(high).get(low).return();
  f.end();
  f.get(count).i32(63).op('i32.gt_u').if();
  f.i64(0);
  f.get(high).get(count).i32(64).op('i32.sub').call(shiftRightSticky);
  f.get(low).i64(0).op('i64.ne', 'i64.extend_i32_u', 'i64.or').return();
  f.end();
  f.get(count).op('i64.extend_i32_u').set(wide);
  f.get(high).get(wide).op('i64.shr_u');
  f.get(high).i64(64).get(wide).op('i64.sub', 'i64.shl');
  f.get(low).get(count).call(shiftRightSticky).op('i64.or');
  return f.index;
}

function writeMultiplyHigh(module: ModuleWriter): number {
  const f = module.function(['i64', 'i64'], ['i64']);
  const [a, b] = [f.parameter(0), f.parameter(1)];
  const [lowLow, middle, cross] = [f.local('i64'), f.local('i64'), f.local('i64')];
  const high = (local: Local): FunctionWriter => f.get(local).i64(32).op('i64.shr_u');
  const low = (local: Local): FunctionWriter => f.get(local).i64(0xffffffff).op('i64.and');
  low(a);
  low(b).op('i64.mul').set(lowLow);
  high(a);
  low(b).op('i64.mul');
  high(lowLow).op('i64.add').set(middle);
  low(a);
  high(b).op('i64.mul');
  low(middle).op('i64.add').set(cross);
  high(a);
  high(b).op('i64.mul');
  high(middle).op('i64.add');
  high(cross).op('i64.add');
  return f.index;
}

/**
 * Declares (flagsAddress, mode, sign, exponent:i32, significand) -> bits: the value (-1)^sign * significand * 2^(exponent - 63),
 * correctly rounded, where the significand is not 0 and stands for a longer one by a sticky bit 0; at least one bit below the
 * rounding position must be kept beside it. `sign` is the format's sign bit in its place, or 0.
 */
export function declareRound(module: ModuleWriter, format: Format, wide: WideFunctions): number {
  const { precision, bias, specialExponent, infinity } = format;
  const discarded = 64 - precision;
  const half = 1n << BigInt(discarded - 1);
  const below = (1n << BigInt(discarded)) - 1n;

  const f = module.function(['i32', 'i32', 'i64', 'i32', 'i64'], ['i64']);
  const [flagsAddress, roundingMode, sign] = [f.parameter(0), f.parameter(1), f.parameter(2)];
  const [exponent, significand] = [f.parameter(3), f.parameter(4)];
  const [increment, rest, leadingZeros] = [f.local('i64'), f.local('i64'), f.local('i64')];
  const tiny = f.local('i32');

  f.get(significand).op('i64.clz').set(leadingZeros);
  f.get(significand).get(leadingZeros).op('i64.shl').set(significand);
  f.get(exponent).i32(bias).op('i32.add').get(leadingZeros).op('i32.wrap_i64', 'i32.sub').set(exponent);

  // What is added below the last place so that truncation rounds: half, everything (away from zero) or nothing.
  const chosen = f.block('i64');
  f.i64(half).get(roundingMode).op('i32.eqz');
  f.get(roundingMode).i32(mode.nearestMaxMagnitude).op('i32.eq', 'i32.or').brIf(chosen);
  f.op('drop').i64(below).i64(0);
  f.get(roundingMode).i32(mode.up).i32(mode.down);
  f.get(sign).op('i64.eqz', 'select', 'i32.eq', 'select');
  f.end();
  f.set(increment);

  f.get(exponent).i32(0).op('i32.le_s').if();
  // Tiny unless rounding to full precision with an unbounded exponent carries up to the smallest normal number.
  f.get(exponent).i32(0).op('i32.lt_s');
  f.get(significand).get(increment).op('i64.add').get(significand).op('i64.ge_u', 'i32.or').set(tiny);
  f.get(significand).i32(1).get(exponent).op('i32.sub').call(wide.shiftRightSticky).set(significand);
  f.i32(1).set(exponent);
  f.end();

  f.get(significand).i64(below).op('i64.and').set(rest);
  f.get(rest).op('i64.eqz', 'i32.eqz').if();
  f.get(flagsAddress).get(flagsAddress).load('i32.load');
  f.get(tiny).i32(1).op('i32.shl').i32(flag.inexact).op('i32.or', 'i32.or').store('i32.store');
  f.end();

  f.get(significand).i64(discarded).op('i64.shr_u');
  f.get(rest).get(increment).op('i64.add').i64(discarded).op('i64.shr_u', 'i64.add').set(significand);
  f.get(rest).i64(half).op('i64.eq').get(roundingMode).op('i32.eqz', 'i32.and').if();
  f.get(significand).i64(-2).op('i64.and').set(significand);
  f.end();

  // The leading one, or a carry out of the significand, counts the exponent field up by itself.
  f.get(exponent).i32(1).op('i32.sub', 'i64.extend_i32_s');
  f.i64(precision - 1)
    .op('i64.shl')
    .get(significand)
    .op('i64.add')
    .tee(significand);
  f.i64(infinity).op('i64.ge_s');
  f.get(exponent).i32(specialExponent).op('i32.ge_s', 'i32.or').if();
  raise(f, flagsAddress, flag.overflow | flag.inexact);
  f.i64(infinity).get(increment).op('i64.eqz', 'i64.extend_i32_u', 'i64.sub').set(significand);
  f.end();
  f.get(significand).get(sign).op('i64.or');
  return f.index;
}
