// IEEE 754 arithmetic of the F and D extensions as WebAssembly functions: exact in all rounding modes, with RISC-V's NaNs and flags.
// [RISC-V unpriv. 20 and 21, versions 2.2, and 24, Zfa]
import type { ModuleWriter } from '../../wasm/module';
import {
  declareConstant,
  declareModularConversion,
  declareQuietOrder,
  declareRoundToIntegral,
  declareStrictExtreme,
} from './additional';
import { declareClass, declareComparison, declareExtreme } from './compare';
import { declareFromInteger, declareNarrow, declareToInteger, declareWiden, type IntegerType } from './convert';
import { double, type Format, single } from './format';
import { declareArithmetic, declareExactFunctions, declareFusedArithmetic, type ExactFunctions } from './operations';
import { declareWideFunctions } from './round';

type FormatLetter = 's' | 'd';

export type FloatOperation =
  | `${'fadd' | 'fsub' | 'fmul' | 'fdiv' | 'fsqrt'}.${FormatLetter}`
  | `${'fmadd' | 'fmsub' | 'fnmadd' | 'fnmsub'}.${FormatLetter}`
  | `${'fmin' | 'fmax' | 'feq' | 'flt' | 'fle' | 'fclass'}.${FormatLetter}`
  | `${'fli' | 'fminm' | 'fmaxm' | 'fltq' | 'fleq' | 'fround' | 'froundnx'}.${FormatLetter}`
  | 'fcvtmod.w.d'
  | `fcvt.${IntegerType}.${FormatLetter}`
  | `fcvt.${FormatLetter}.${IntegerType}`
  | 'fcvt.s.d'
  | 'fcvt.d.s';

/**
 * Declares one function for each operation, with the signature
 * (flagsAddress:i32, roundingMode:i32, a:i64[, b:i64[, c:i64]]) -> i64, and returns their indices.
 *
 * Floating-point operands and results are raw 64-bit f registers, integer ones raw x registers. `roundingMode` is 0 to 4, DYN resolved
 * by the caller; operations that do not round ignore it. Accrued exceptions are ORed into the i32 at `flagsAddress` of memory 0.
 */
export function declareFloatFunctions(module: ModuleWriter): Record<FloatOperation, number> {
  const wide = declareWideFunctions(module);
  const singles = declareExactFunctions(module, single, wide);
  const doubles = declareExactFunctions(module, double, wide);
  return {
    ...declareFormat(module, single, singles, 's'),
    ...declareFormat(module, double, doubles, 'd'),
    'fcvt.s.d': declareNarrow(module, singles),
    'fcvt.d.s': declareWiden(module),
    'fcvtmod.w.d': declareModularConversion(module),
  };
}

/** The operations of one format: names with the letter L in place of `s` or `d`. */
type OperationsOf<L extends FormatLetter> = Extract<
  Exclude<FloatOperation, 'fcvt.s.d' | 'fcvt.d.s' | 'fcvtmod.w.d'>,
  `${string}.${L}` | `fcvt.${L}.${string}`
>;

function declareFormat<L extends FormatLetter>(
  module: ModuleWriter,
  format: Format,
  exact: ExactFunctions,
  letter: L,
): Record<OperationsOf<L>, number>;
function declareFormat(
  module: ModuleWriter,
  format: Format,
  exact: ExactFunctions,
  letter: FormatLetter,
): Record<string, number> {
  const fused = (negateProduct: boolean, negateAddend: boolean): number =>
    declareFusedArithmetic(module, format, { negateProduct, negateAddend }, exact);
  return {
    [`fadd.${letter}`]: declareArithmetic(module, format, 'add', exact),
    [`fsub.${letter}`]: declareArithmetic(module, format, 'sub', exact),
    [`fmul.${letter}`]: declareArithmetic(module, format, 'mul', exact),
    [`fdiv.${letter}`]: declareArithmetic(module, format, 'div', exact),
    [`fsqrt.${letter}`]: declareArithmetic(module, format, 'sqrt', exact),
    [`fmadd.${letter}`]: fused(false, false),
    [`fmsub.${letter}`]: fused(false, true),
    [`fnmadd.${letter}`]: fused(true, true),
    [`fnmsub.${letter}`]: fused(true, false),
    [`fmin.${letter}`]: declareExtreme(module, format, 'min'),
    [`fmax.${letter}`]: declareExtreme(module, format, 'max'),
    [`feq.${letter}`]: declareComparison(module, format, 'eq'),
    [`flt.${letter}`]: declareComparison(module, format, 'lt'),
    [`fle.${letter}`]: declareComparison(module, format, 'le'),
    [`fclass.${letter}`]: declareClass(module, format),
    [`fli.${letter}`]: declareConstant(module, format),
    [`fminm.${letter}`]: declareStrictExtreme(module, format, 'min'),
    [`fmaxm.${letter}`]: declareStrictExtreme(module, format, 'max'),
    [`fltq.${letter}`]: declareQuietOrder(module, format, 'lt'),
    [`fleq.${letter}`]: declareQuietOrder(module, format, 'le'),
    [`fround.${letter}`]: declareRoundToIntegral(module, format, false),
    [`froundnx.${letter}`]: declareRoundToIntegral(module, format, true),
    ...Object.fromEntries(
      (['w', 'wu', 'l', 'lu'] as const).flatMap((type) => [
        [`fcvt.${type}.${letter}`, declareToInteger(module, format, type)],
        [`fcvt.${letter}.${type}`, declareFromInteger(module, format, type, exact)],
      ]),
    ),
  };
}
