// Comparison, minimum and maximum, classification of f registers. [RISC-V unpriv. 20.6, 20.8, 20.9; IEEE 754-2019, 5.11 and 9.6]
import type { ModuleWriter } from '../../wasm/module';
import { any, box, double, flag, type Format, isInfinite, isNaN, isSignalling, isZero, raise, unbox } from './format';
import { pushNative, takeNative } from './operations';

/** Declares (flagsAddress, mode, a, b) -> the smaller or larger one; a NaN loses against a number. */
export function declareExtreme(module: ModuleWriter, format: Format, which: 'min' | 'max'): number {
  const f = module.function(['i32', 'i32', 'i64', 'i64'], ['i64']);
  const [flagsAddress, a, b] = [f.parameter(0), f.parameter(2), f.parameter(3)];
  unbox(f, format, a);
  unbox(f, format, b);
  any(f, format, [a, b], isNaN);
  f.if();
  {
    any(f, format, [a, b], isSignalling);
    f.if();
    raise(f, flagsAddress, flag.invalid);
    f.end();
    f.get(b).get(a);
    isNaN(f, format, a);
    f.op('select').tee(a);
    // Both NaN: the canonical one.
    f.i64(format.canonicalNaN);
    isNaN(f, format, a);
    f.op('i32.eqz', 'select');
    box(f, format);
    f.return();
  }
  f.end();
  // Native min and max order -0 below +0, as RISC-V does.
  pushNative(f, format, a);
  pushNative(f, format, b);
  f.op(format === double ? `f64.${which}` : `f32.${which}`);
  takeNative(f, format);
  box(f, format);
  return f.index;
}

/** Declares (flagsAddress, mode, a, b) -> 0 or 1. A quiet comparison is invalid for signalling NaNs only, a signalling one for all. */
export function declareComparison(module: ModuleWriter, format: Format, relation: 'eq' | 'lt' | 'le'): number {
  const f = module.function(['i32', 'i32', 'i64', 'i64'], ['i64']);
  const [flagsAddress, a, b] = [f.parameter(0), f.parameter(2), f.parameter(3)];
  unbox(f, format, a);
  unbox(f, format, b);
  any(f, format, [a, b], relation === 'eq' ? isSignalling : isNaN);
  f.if();
  raise(f, flagsAddress, flag.invalid);
  f.end();
  pushNative(f, format, a);
  pushNative(f, format, b);
  f.op(format === double ? `f64.${relation}` : `f32.${relation}`, 'i64.extend_i32_u');
  return f.index;
}

/** Bits of the result of FCLASS, for the positive side; a negative number of class n has bit 7 - n. */
const positiveClass = { zero: 4, subnormal: 5, normal: 6, infinite: 7 } as const;
const nanClass = { signalling: 8, quiet: 9 } as const;

/** Declares (flagsAddress, mode, a) -> one bit of ten. */
export function declareClass(module: ModuleWriter, format: Format): number {
  const f = module.function(['i32', 'i32', 'i64'], ['i64']);
  const [a, position] = [f.parameter(2), f.local('i64')];
  unbox(f, format, a);
  isNaN(f, format, a);
  f.if();
  f.i64(1n << BigInt(nanClass.signalling)).i64(1n << BigInt(nanClass.quiet));
  isSignalling(f, format, a);
  f.op('select').return();
  f.end();
  const chosen = f.block('i64');
  f.i64(positiveClass.infinite);
  isInfinite(f, format, a);
  f.brIf(chosen).op('drop').i64(positiveClass.zero);
  isZero(f, format, a);
  f.brIf(chosen).op('drop').i64(positiveClass.subnormal).i64(positiveClass.normal);
  f.get(a).i64(format.infinity).op('i64.and', 'i64.eqz', 'select');
  f.end();
  f.set(position);
  f.i64(1).i64(7).get(position).op('i64.sub').get(position);
  f.get(a).i64(format.signBit).op('i64.and').i64(0).op('i64.ne', 'select', 'i64.shl');
  return f.index;
}
