// Conversions between the formats and between them and integers. [RISC-V unpriv. 20.7, 21.5; IEEE 754-2019, 5.4.2 and 5.8]
import type { FunctionWriter, Local } from '../../wasm/function';
import type { ModuleWriter } from '../../wasm/module';
import { box, double, flag, type Format, isSpecial, isZero, magnitude, raise, single, unbox, unpack } from './format';
import { type ExactFunctions, nativeSuffices, pushNative, returnOrdinary, takeNative } from './operations';

/** The integer types by the letters of the mnemonics. */
export type IntegerType = 'w' | 'wu' | 'l' | 'lu';

interface IntegerRange {
  /** The least value, and the first one above the greatest; both are exact in double. */
  readonly least: number;
  readonly above: number;
  readonly unsigned: boolean;
  /** What saturation writes to the x register. */
  readonly lowest: bigint;
  readonly highest: bigint;
}

const integerRange: Readonly<Record<IntegerType, IntegerRange>> = {
  w: { least: -(2 ** 31), above: 2 ** 31, unsigned: false, lowest: -(1n << 31n), highest: (1n << 31n) - 1n },
  // A 32-bit result is sign-extended even when it is unsigned.
  wu: { least: 0, above: 2 ** 32, unsigned: true, lowest: 0n, highest: -1n },
  l: { least: -(2 ** 63), above: 2 ** 63, unsigned: false, lowest: -(1n << 63n), highest: (1n << 63n) - 1n },
  lu: { least: 0, above: 2 ** 64, unsigned: true, lowest: 0n, highest: -1n },
};

const isWord = (type: IntegerType): boolean => type === 'w' || type === 'wu';

/** Declares (flagsAddress, mode, a) -> integer. Double holds every value of both formats, and native rounding to integers is exact. */
export function declareToInteger(module: ModuleWriter, format: Format, type: IntegerType): number {
  const { least, above, unsigned, lowest, highest } = integerRange[type];
  const f = module.function(['i32', 'i32', 'i64'], ['i64']);
  const [flagsAddress, roundingMode, a] = [f.parameter(0), f.parameter(1), f.parameter(2)];
  const [value, rounded] = [f.local('f64'), f.local('f64')];
  unbox(f, format, a);
  pushNative(f, format, a);
  if (format === single) f.op('f64.promote_f32');
  f.set(value);
  roundToIntegral(f, roundingMode, value, rounded);

  f.get(rounded).f64(least).op('f64.ge').get(rounded).f64(above).op('f64.lt', 'i32.and', 'i32.eqz').if();
  {
    raise(f, flagsAddress, flag.invalid);
    // NaN counts as too large.
    f.i64(lowest).i64(highest).get(value).f64(0).op('f64.lt', 'select').return();
  }
  f.end();
  f.get(rounded).get(value).op('f64.ne').if();
  raise(f, flagsAddress, flag.inexact);
  f.end();
  f.get(rounded).op(unsigned ? 'i64.trunc_f64_u' : 'i64.trunc_f64_s');
  if (isWord(type)) f.op('i64.extend32_s');
  return f.index;
}

/** Sets `rounded` to `value` rounded to an integral value. */
export function roundToIntegral(f: FunctionWriter, roundingMode: Local, value: Local, rounded: Local): void {
  const done = f.block();
  const [magnitudeUp, up, down, zero, even] = [f.block(), f.block(), f.block(), f.block(), f.block()];
  f.get(roundingMode).brTable([even, zero, down, up], magnitudeUp);
  f.end();
  f.get(value).op('f64.nearest').set(rounded).br(done);
  f.end();
  f.get(value).op('f64.trunc').set(rounded).br(done);
  f.end();
  f.get(value).op('f64.floor').set(rounded).br(done);
  f.end();
  f.get(value).op('f64.ceil').set(rounded).br(done);
  f.end();
  // Ties away from zero: the distance to the truncated value is exact.
  f.get(value).op('f64.trunc').set(rounded);
  f.get(value).get(rounded).op('f64.sub', 'f64.abs').f64(0.5).op('f64.ge').if();
  f.get(rounded).f64(1).get(value).op('f64.copysign', 'f64.add').set(rounded);
  f.end();
  f.end();
}

/** Declares (flagsAddress, mode, integer) -> boxed value. */
export function declareFromInteger(
  module: ModuleWriter,
  format: Format,
  type: IntegerType,
  exact: ExactFunctions,
): number {
  const { unsigned } = integerRange[type];
  const f = module.function(['i32', 'i32', 'i64'], ['i64']);
  const [flagsAddress, roundingMode, a, sign] = [f.parameter(0), f.parameter(1), f.parameter(2), f.local('i64')];
  const convert = `${format === double ? 'f64' : 'f32'}.convert_i64_${unsigned ? 'u' : 's'}` as const;
  if (type === 'w') f.get(a).op('i64.extend32_s').set(a);
  if (type === 'wu') f.get(a).i64(0xffffffff).op('i64.and').set(a);

  const alwaysExact = format === double && isWord(type);
  if (!alwaysExact) {
    nativeSuffices(f, flagsAddress, roundingMode);
    f.get(a).op('i64.eqz', 'i32.or').if();
  }
  f.get(a).op(convert);
  takeNative(f, format);
  box(f, format);
  if (alwaysExact) return f.index;
  f.return();
  f.end();

  if (!unsigned) {
    f.get(a).i64(0).op('i64.lt_s').if();
    f.i64(format.signBit).set(sign);
    f.i64(0).get(a).op('i64.sub').set(a);
    f.end();
  }
  f.get(flagsAddress).get(roundingMode).get(sign).i32(63).get(a).call(exact.round);
  box(f, format);
  return f.index;
}

/** Declares fcvt.d.s: every single value is a double value. */
export function declareWiden(module: ModuleWriter): number {
  const f = module.function(['i32', 'i32', 'i64'], ['i64']);
  const [flagsAddress, a] = [f.parameter(0), f.parameter(2)];
  unbox(f, single, a);
  const number = f.block();
  magnitude(f, single, a);
  f.i64(single.infinity).op('i64.le_s').brIf(number);
  f.get(a).i64(single.quietBit).op('i64.and', 'i64.eqz').if();
  raise(f, flagsAddress, flag.invalid);
  f.end();
  f.i64(double.canonicalNaN).return();
  f.end();
  pushNative(f, single, a);
  f.op('f64.promote_f32');
  takeNative(f, double);
  return f.index;
}

/** Declares fcvt.s.d. */
export function declareNarrow(module: ModuleWriter, exact: ExactFunctions): number {
  const f = module.function(['i32', 'i32', 'i64'], ['i64']);
  const [flagsAddress, roundingMode, a] = [f.parameter(0), f.parameter(1), f.parameter(2)];
  const result = f.local('i64');
  nativeSuffices(f, flagsAddress, roundingMode);
  f.if();
  pushNative(f, double, a);
  f.op('f32.demote_f64');
  takeNative(f, single);
  f.set(result);
  returnOrdinary(f, single, result);
  f.end();

  const ordinary = f.block();
  isSpecial(f, double, a);
  isZero(f, double, a);
  f.op('i32.or', 'i32.eqz').brIf(ordinary);
  {
    const number = f.block();
    magnitude(f, double, a);
    f.i64(double.infinity).op('i64.le_s').brIf(number);
    f.get(a).i64(double.quietBit).op('i64.and', 'i64.eqz').if();
    raise(f, flagsAddress, flag.invalid);
    f.end();
    f.i64(single.box | single.canonicalNaN).return();
    f.end();
    pushNative(f, double, a);
    f.op('f32.demote_f64');
    takeNative(f, single);
    box(f, single);
    f.return();
  }
  f.end();

  const { sign, exponent, significand } = unpack(f, double, a);
  f.get(flagsAddress).get(roundingMode);
  f.get(sign).i64(32).op('i64.shr_u').get(exponent).get(significand).call(exact.round);
  box(f, single);
  return f.index;
}
