// The arithmetic operations on f registers: the processor's own arithmetic where it gives the same result and flags, the exact
// functions everywhere else. [RISC-V unpriv. 20.6, 21.4]
//
// Native arithmetic rounds to nearest even and tells no flags. It is right when that is the mode, the inexact flag is set already, and
// the result shows that no other flag can be due: finite, and above the smallest normal number (below it underflow is possible, and
// a result on it may have been tiny before it was rounded).
import type { FunctionWriter, Local } from '../../wasm/function';
import type { ModuleWriter } from '../../wasm/module';
import { declareAdd, declareDivide, declareMultiply, declareSquareRoot } from './arithmetic';
import { box, double, exponentField, flag, type Format, unbox } from './format';
import { declareFused } from './fused';
import { declareRound, type WideFunctions } from './round';

/** Indices of the exact functions of one format, on unboxed values. */
export interface ExactFunctions {
  readonly round: number;
  readonly add: number;
  readonly multiply: number;
  readonly divide: number;
  readonly squareRoot: number;
  readonly fused: number;
}

export function declareExactFunctions(module: ModuleWriter, format: Format, wide: WideFunctions): ExactFunctions {
  const round = declareRound(module, format, wide);
  const shared = { wide, round };
  return {
    round,
    add: declareAdd(module, format, shared),
    multiply: declareMultiply(module, format, shared),
    divide: declareDivide(module, format, shared),
    squareRoot: declareSquareRoot(module, format, shared),
    fused: declareFused(module, format, shared),
  };
}

/** Pushes 1 where only the rounded value is wanted: nearest even, and inexact already accrued. */
export function nativeSuffices(f: FunctionWriter, flagsAddress: Local, roundingMode: Local): void {
  f.get(roundingMode).op('i32.eqz').get(flagsAddress).load('i32.load').i32(flag.inexact).op('i32.and', 'i32.and');
}

/** Pushes `bits` as a native number. */
export function pushNative(f: FunctionWriter, format: Format, bits: Local): void {
  f.get(bits);
  if (format === double) f.op('f64.reinterpret_i64');
  else f.op('i32.wrap_i64', 'f32.reinterpret_i32');
}

/** Turns the native number on the stack into bits. */
export function takeNative(f: FunctionWriter, format: Format): void {
  if (format === double) f.op('i64.reinterpret_f64');
  else f.op('i32.reinterpret_f32', 'i64.extend_i32_u');
}

/** Returns `result`, boxed, where it is finite and above the smallest normal number. */
export function returnOrdinary(f: FunctionWriter, format: Format, result: Local): void {
  exponentField(f, format, result);
  f.i32(2)
    .op('i32.sub')
    .i32(format.specialExponent - 2)
    .op('i32.lt_u')
    .if();
  f.get(result);
  box(f, format);
  f.return();
  f.end();
}

/** Returns `result`, boxed, where it is finite: sums below the smallest normal number are exact, so none can underflow. */
function returnFinite(f: FunctionWriter, format: Format, result: Local): void {
  exponentField(f, format, result);
  f.i32(format.specialExponent).op('i32.ne').if();
  f.get(result);
  box(f, format);
  f.return();
  f.end();
}

function negate(f: FunctionWriter, format: Format, operand: Local): void {
  f.get(operand).i64(format.signBit).op('i64.xor').set(operand);
}

type NativeOperation = 'add' | 'sub' | 'mul' | 'div' | 'sqrt';

/** Declares (flagsAddress, mode, a[, b]) -> result on registers. */
export function declareArithmetic(
  module: ModuleWriter,
  format: Format,
  native: NativeOperation,
  exact: ExactFunctions,
): number {
  const operandCount = native === 'sqrt' ? 1 : 2;
  const f = module.function(['i32', 'i32', ...(Array(operandCount).fill('i64') as 'i64'[])], ['i64']);
  const [flagsAddress, roundingMode] = [f.parameter(0), f.parameter(1)];
  const operands = operandCount === 1 ? [f.parameter(2)] : [f.parameter(2), f.parameter(3)];
  const result = f.local('i64');
  for (const operand of operands) unbox(f, format, operand);

  nativeSuffices(f, flagsAddress, roundingMode);
  f.if();
  for (const operand of operands) pushNative(f, format, operand);
  f.op(format === double ? `f64.${native}` : `f32.${native}`);
  takeNative(f, format);
  f.set(result);
  if (native === 'add' || native === 'sub') returnFinite(f, format, result);
  else returnOrdinary(f, format, result);
  f.end();

  const [, second] = operands;
  if (native === 'sub' && second !== undefined) negate(f, format, second);
  f.get(flagsAddress).get(roundingMode);
  for (const operand of operands) f.get(operand);
  const functions = {
    add: exact.add,
    sub: exact.add,
    mul: exact.multiply,
    div: exact.divide,
    sqrt: exact.squareRoot,
  };
  f.call(functions[native]);
  box(f, format);
  return f.index;
}

/** Declares (flagsAddress, mode, a, b, c) -> ±(a * b) ± c on registers. */
export function declareFusedArithmetic(
  module: ModuleWriter,
  format: Format,
  signs: { readonly negateProduct: boolean; readonly negateAddend: boolean },
  exact: ExactFunctions,
): number {
  const f = module.function(['i32', 'i32', 'i64', 'i64', 'i64'], ['i64']);
  const [flagsAddress, roundingMode] = [f.parameter(0), f.parameter(1)];
  const [a, b, c] = [f.parameter(2), f.parameter(3), f.parameter(4)];
  for (const operand of [a, b, c]) unbox(f, format, operand);
  if (signs.negateProduct) negate(f, format, a);
  if (signs.negateAddend) negate(f, format, c);

  nativeSuffices(f, flagsAddress, roundingMode);
  f.if();
  if (format === double) returnNativeDouble(f, a, b, c);
  else returnNativeSingle(f, format, a, b, c);
  f.end();

  f.get(flagsAddress).get(roundingMode).get(a).get(b).get(c).call(exact.fused);
  box(f, format);
  return f.index;
}

/** Sets `sum` to the rounded sum and `error` to what rounding took away, both exact in double (Knuth's two-sum). */
function twoSum(f: FunctionWriter, x: Local, y: Local, sum: Local, error: Local): void {
  const part = f.local('f64');
  f.get(x).get(y).op('f64.add').tee(sum).get(x).op('f64.sub').set(part);
  f.get(x).get(sum).get(part).op('f64.sub', 'f64.sub');
  f.get(y).get(part).op('f64.sub', 'f64.add').set(error);
}

/** Rounds sum + error to odd instead of to nearest: rounding the result again, to fewer bits, is then harmless. */
function roundToOdd(f: FunctionWriter, sum: Local, error: Local): void {
  const bits = f.local('i64');
  f.get(error).f64(0).op('f64.ne');
  f.get(sum).op('i64.reinterpret_f64').tee(bits).i64(1).op('i64.and', 'i64.eqz', 'i32.and').if();
  f.get(bits).i64(1).i64(-1);
  f.get(error).op('i64.reinterpret_f64').get(bits).op('i64.xor').i64(0).op('i64.ge_s', 'select', 'i64.add');
  f.op('f64.reinterpret_i64').set(sum);
  f.end();
}

/** Single precision: the product is exact in double, and the sum rounded to odd keeps enough bits for the second rounding. */
function returnNativeSingle(f: FunctionWriter, format: Format, a: Local, b: Local, c: Local): void {
  const [product, addend, sum, error] = [f.local('f64'), f.local('f64'), f.local('f64'), f.local('f64')];
  const result = f.local('i64');
  pushNative(f, format, a);
  f.op('f64.promote_f32');
  pushNative(f, format, b);
  f.op('f64.promote_f32', 'f64.mul').set(product);
  pushNative(f, format, c);
  f.op('f64.promote_f32').set(addend);
  twoSum(f, product, addend, sum, error);
  roundToOdd(f, sum, error);
  f.get(sum).op('f32.demote_f64');
  takeNative(f, format);
  f.set(result);
  returnOrdinary(f, format, result);
}

/** Binary exponents of factors, and of addends, within which no step below can overflow or lose bits to underflow. */
const factorRange = 400;
const addendRange = 900;

/** Pushes 1 where the exponent of `bits` lies within ±range. */
function exponentWithin(f: FunctionWriter, bits: Local, range: number): void {
  exponentField(f, double, bits);
  f.i32(double.bias - range)
    .op('i32.sub')
    .i32(2 * range + 1)
    .op('i32.lt_u');
}

/** Splits `value` into a high part of 26 bits and the rest, so that products of parts are exact (Veltkamp). */
function split(f: FunctionWriter, value: Local): { readonly high: Local; readonly low: Local } {
  const [high, low, scaled] = [f.local('f64'), f.local('f64'), f.local('f64')];
  f.get(value)
    .f64(2 ** 27 + 1)
    .op('f64.mul')
    .tee(scaled);
  f.get(scaled).get(value).op('f64.sub', 'f64.sub').tee(high).set(high);
  f.get(value).get(high).op('f64.sub').set(low);
  return { high, low };
}

/** Double precision: exact product as a sum of two, then three terms added with one rounding to odd (Boldo and Melquiond, 2008). */
function returnNativeDouble(f: FunctionWriter, aBits: Local, bBits: Local, cBits: Local): void {
  const [a, b, c] = [f.local('f64'), f.local('f64'), f.local('f64')];
  const [product, productError] = [f.local('f64'), f.local('f64')];
  const [low, lowError, high, highError] = [f.local('f64'), f.local('f64'), f.local('f64'), f.local('f64')];
  const [rest, restError] = [f.local('f64'), f.local('f64')];
  exponentWithin(f, aBits, factorRange);
  exponentWithin(f, bBits, factorRange);
  f.op('i32.and');
  exponentWithin(f, cBits, addendRange);
  f.get(cBits).i64(1).op('i64.shl', 'i64.eqz', 'i32.or', 'i32.and').if();
  for (const [bits, value] of [
    [aBits, a],
    [bBits, b],
    [cBits, c],
  ] as const) {
    f.get(bits).op('f64.reinterpret_i64').set(value);
  }
  const [x, y] = [split(f, a), split(f, b)];
  f.get(a).get(b).op('f64.mul').set(product);
  f.get(x.high).get(y.high).op('f64.mul').get(product).op('f64.sub');
  f.get(x.high).get(y.low).op('f64.mul', 'f64.add');
  f.get(x.low).get(y.high).op('f64.mul', 'f64.add');
  f.get(x.low).get(y.low).op('f64.mul', 'f64.add').set(productError);
  twoSum(f, c, productError, low, lowError);
  twoSum(f, product, low, high, highError);
  twoSum(f, highError, lowError, rest, restError);
  roundToOdd(f, rest, restError);
  // Within these ranges the result is ordinary unless everything cancels; the sign of that zero is left to the exact function.
  f.get(high).get(rest).op('f64.add').tee(product).f64(0).op('f64.ne').if();
  f.get(product).op('i64.reinterpret_f64').return();
  f.end();
  f.end();
}
