// Exact fused multiply-add of unboxed values: (flagsAddress, mode, a, b, c) -> a * b + c, rounded once.
// [IEEE 754-2019, 5.4.1; RISC-V unpriv. 20.6: infinity times zero is invalid even beside a quiet NaN]
import type { ModuleWriter } from '../../wasm/module';
import { pushCancelledZero, type RoundingFunctions } from './arithmetic';
import { any, type Format, isInfinite, isSpecial, isZero, returnForNaN, returnInvalid, unpack } from './format';

export function declareFused(module: ModuleWriter, format: Format, { wide, round }: RoundingFunctions): number {
  const f = module.function(['i32', 'i32', 'i64', 'i64', 'i64'], ['i64']);
  const [flagsAddress, roundingMode] = [f.parameter(0), f.parameter(1)];
  const [a, b, c] = [f.parameter(2), f.parameter(3), f.parameter(4)];
  const productSign = f.local('i64');
  f.get(a).get(b).op('i64.xor').i64(format.signBit).op('i64.and').set(productSign);
  any(f, format, [a, b, c], isSpecial);
  f.if();
  {
    any(f, format, [a, b], isInfinite);
    f.if();
    any(f, format, [a, b], isZero);
    f.if();
    returnInvalid(f, format, flagsAddress);
    f.end();
    f.end();
    returnForNaN(f, format, flagsAddress, [a, b, c]);
    any(f, format, [a, b], isInfinite);
    f.if();
    isInfinite(f, format, c);
    f.get(c).get(productSign).op('i64.xor').i64(format.signBit).op('i64.and').i64(0).op('i64.ne', 'i32.and').if();
    returnInvalid(f, format, flagsAddress);
    f.end();
    f.get(productSign).i64(format.infinity).op('i64.or').return();
    f.end();
    f.get(c).return();
  }
  f.end();
  any(f, format, [a, b], isZero);
  f.if();
  {
    isZero(f, format, c);
    f.get(c).get(productSign).op('i64.ne', 'i32.and').if();
    pushCancelledZero(f, format, roundingMode);
    f.return();
    f.end();
    f.get(c).return();
  }
  f.end();
  const [left, right, addend] = [unpack(f, format, a), unpack(f, format, b), unpack(f, format, c)];
  const [high, low] = [f.local('i64'), f.local('i64')];
  const [addendHigh, addendLow] = [f.local('i64'), f.local('i64')];
  const [exponent, distance, carry] = [f.local('i32'), f.local('i32'), f.local('i64')];

  // Both terms as 128-bit integers in units of 2^(exponent - 125): the product below 2^127, the addend below 2^126. Their lowest
  // bits are free, so nothing is lost where they cancel by more than a bit or two.
  f.get(left.significand).i64(1).op('i64.shr_u').set(left.significand);
  f.get(left.significand).get(right.significand).call(wide.multiplyHigh).set(high);
  f.get(left.significand).get(right.significand).op('i64.mul').set(low);
  f.get(left.exponent).get(right.exponent).op('i32.add').set(exponent);
  f.get(addend.significand).i64(2).op('i64.shr_u').set(addendHigh);
  f.get(addend.significand).i64(62).op('i64.shl').set(addendLow);
  f.get(addend.significand).op('i64.eqz').if();
  f.get(exponent).set(addend.exponent);
  f.end();
  f.get(exponent).get(addend.exponent).op('i32.sub').tee(distance).i32(0).op('i32.ge_s').if();
  f.get(addendHigh).get(addendLow).get(distance).call(wide.shiftRightSticky128).set(addendLow).set(addendHigh);
  f.else();
  f.get(high).get(low).i32(0).get(distance).op('i32.sub').call(wide.shiftRightSticky128).set(low).set(high);
  f.get(addend.exponent).set(exponent);
  f.end();
  f.get(productSign).get(addend.sign).op('i64.eq').if();
  {
    f.get(low).get(addendLow).op('i64.add').tee(low).get(addendLow).op('i64.lt_u', 'i64.extend_i32_u').set(carry);
    f.get(high).get(addendHigh).op('i64.add').get(carry).op('i64.add').set(high);
  }
  f.else();
  {
    f.get(low).get(addendLow).op('i64.lt_u', 'i64.extend_i32_u').set(carry);
    f.get(low).get(addendLow).op('i64.sub').set(low);
    f.get(high).get(addendHigh).op('i64.sub').get(carry).op('i64.sub').tee(high);
    f.i64(0).op('i64.lt_s').if();
    f.get(addend.sign).set(productSign);
    f.i64(0).get(high).op('i64.sub').get(low).i64(0).op('i64.ne', 'i64.extend_i32_u', 'i64.sub').set(high);
    f.i64(0).get(low).op('i64.sub').set(low);
    f.end();
    f.get(high).get(low).op('i64.or', 'i64.eqz').if();
    pushCancelledZero(f, format, roundingMode);
    f.return();
    f.end();
  }
  f.end();

  // The high word, normalised, with the rest as its sticky bit.
  f.get(high).op('i64.eqz').if();
  f.get(low).set(high).i64(0).set(low);
  f.get(exponent).i32(64).op('i32.sub').set(exponent);
  f.else();
  f.get(high).op('i64.clz').tee(carry).op('i64.eqz', 'i32.eqz').if();
  f.get(high).get(carry).op('i64.shl').get(low).i64(64).get(carry).op('i64.sub', 'i64.shr_u', 'i64.or').set(high);
  f.get(low).get(carry).op('i64.shl').set(low);
  f.get(exponent).get(carry).op('i32.wrap_i64', 'i32.sub').set(exponent);
  f.end();
  f.end();
  f.get(flagsAddress).get(roundingMode).get(productSign);
  f.get(exponent).i32(2).op('i32.add');
  f.get(high).get(low).i64(0).op('i64.ne', 'i64.extend_i32_u', 'i64.or');
  f.call(round);
  return f.index;
}
