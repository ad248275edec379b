// Floating-point operations that the host computes as RISC-V does: round to nearest, ties to even, while NX is set already, so that
// an ordinary result raises nothing new. Everything else goes to the exact functions. [RISC-V unpriv. 20.2]
import { type Expression, op, type Operand, select } from '../../wasm/code';
import type { Local } from '../../wasm/function';
import type { Instruction } from '../../wasm/opcodes';
import type { FloatOperation } from '../float';
import { hostFusesMultiplyAdd, relaxedMultiplyAdd } from './fuse';

type FloatType = 'f32' | 'f64';

/** A computation by the host and when its result may be trusted. */
export interface InlineFloat {
  readonly operands: FloatType | 'i64';
  readonly result: FloatType | 'i64';
  /** Static rounding modes besides RNE that it serves. */
  readonly rounding: 0 | 1;
  /** Does not depend on rounding or NX. */
  readonly always: boolean;
  compute(...operands: readonly Expression[]): Expression;
  /** Over operands and result (locals). */
  trusted(operands: readonly Local[], result: Local): Expression;
}

const infinityOf = (type: FloatType): Expression => ({
  type,
  emit: (f) => {
    if (type === 'f32') f.f32(Infinity);
    else f.f64(Infinity);
  },
});
const number64 = (value: number): Expression => ({ type: 'f64', emit: (f) => void f.f64(value) });
const number32 = (value: number): Expression => ({ type: 'f32', emit: (f) => void f.f32(value) });

/** Neither infinite nor NaN: enough where a small result is exact. */
function isFinite(type: FloatType, value: Operand): Expression {
  return op(`${type}.lt`, op(`${type}.abs`, value), infinityOf(type));
}
/** Finite and at least twice the smallest normal number, so that it was not tiny before it was rounded either. */
function isOrdinary(type: FloatType, value: Operand): Expression {
  if (type === 'f64') {
    const doubled = op('i64.shl', op('i64.reinterpret_f64', value), 1n);
    return op('i64.lt_u', op('i64.sub', doubled, 2n << 53n), 0x7fdn << 53n);
  }
  const doubled = op('i32.shl', op('i32.reinterpret_f32', value), 1);
  return op('i32.lt_u', op('i32.sub', doubled, 2 << 24), 0xfd << 24);
}

const usual = { rounding: 0, always: false } as const;

function arithmetic(type: FloatType, name: 'add' | 'sub' | 'mul' | 'div' | 'sqrt'): InlineFloat {
  const instruction: Instruction = `${type}.${name}`;
  // Sums and square roots are never tiny without being exact.
  const check = name === 'mul' || name === 'div' ? isOrdinary : isFinite;
  return {
    ...usual,
    operands: type,
    result: type,
    compute: (...operands) => op(instruction, ...operands),
    trusted: (_, result) => check(type, result),
  };
}

function fused(type: FloatType, negateProduct: boolean, negateAddend: boolean): InlineFloat {
  return {
    ...usual,
    operands: type,
    result: type,
    compute: (...operands) => {
      const [a, b, c]: readonly (Expression | undefined)[] = operands;
      if (a === undefined || b === undefined || c === undefined)
        throw new Error('a fused operation has three operands');
      return relaxedMultiplyAdd(
        type,
        negateProduct ? op(`${type}.neg`, a) : a,
        b,
        negateAddend ? op(`${type}.neg`, c) : c,
      );
    },
    trusted: (_, result) => isOrdinary(type, result),
  };
}

/** Both operands are numbers when they compare in one way or the other. */
function ordered(type: FloatType, [a, b]: readonly Local[]): Expression {
  if (a === undefined || b === undefined) throw new Error('a comparison has two operands');
  return op('i32.or', op(`${type}.lt`, a, b), op(`${type}.ge`, a, b));
}
function comparison(type: FloatType, name: 'eq' | 'lt' | 'le'): InlineFloat {
  return {
    operands: type,
    result: 'i64',
    rounding: 0,
    always: true,
    compute: (...operands) => op('i64.extend_i32_u', op(`${type}.${name}`, ...operands)),
    trusted: (operands) => ordered(type, operands),
  };
}
function extreme(type: FloatType, name: 'min' | 'max'): InlineFloat {
  return {
    operands: type,
    result: type,
    rounding: 0,
    always: true,
    compute: (...operands) => op(`${type}.${name}`, ...operands),
    trusted: (operands) => ordered(type, operands),
  };
}

/** Towards zero, as C converts; the other modes are rare. */
function toInteger(type: FloatType, signed: boolean, bits: 32 | 64): InlineFloat {
  const number = type === 'f64' ? number64 : number32;
  const limit = number(2 ** (signed ? bits - 1 : bits === 32 ? 32 : 63));
  return {
    operands: type,
    result: 'i64',
    rounding: 1,
    always: false,
    compute: (...operands) => {
      const whole = op(`i64.trunc_sat_${type}_s`, ...operands);
      return bits === 32 ? op('i64.extend32_s', whole) : whole;
    },
    trusted: ([value]) => {
      if (value === undefined) throw new Error('a conversion has an operand');
      if (signed) return op(`${type}.lt`, op(`${type}.abs`, value), limit);
      return op('i32.and', op(`${type}.ge`, value, number(0)), op(`${type}.lt`, value, limit));
    },
  };
}
function fromInteger(type: FloatType, signed: boolean, bits: 32 | 64): InlineFloat {
  return {
    operands: 'i64',
    result: type,
    rounding: 0,
    always: type === 'f64' && bits === 32,
    compute: (...operands) => {
      const [value]: readonly (Expression | undefined)[] = operands;
      if (value === undefined) throw new Error('a conversion has an operand');
      if (bits === 64) return op(`${type}.convert_i64_${signed ? 's' : 'u'}`, value);
      return op(`${type}.convert_i32_${signed ? 's' : 'u'}`, op('i32.wrap_i64', value));
    },
    trusted: () => select(1, 1, 1),
  };
}

function ofFormat(letter: 's' | 'd'): [FloatOperation, InlineFloat][] {
  const type = letter === 's' ? 'f32' : 'f64';
  const rows: [FloatOperation, InlineFloat][] = [];
  for (const name of ['add', 'sub', 'mul', 'div', 'sqrt'] as const) {
    rows.push([`f${name}.${letter}`, arithmetic(type, name)]);
  }
  for (const name of ['eq', 'lt', 'le'] as const) rows.push([`f${name}.${letter}`, comparison(type, name)]);
  for (const name of ['min', 'max'] as const) rows.push([`f${name}.${letter}`, extreme(type, name)]);
  for (const [integer, signed, bits] of [
    ['w', true, 32],
    ['wu', false, 32],
    ['l', true, 64],
    ['lu', false, 64],
  ] as const) {
    rows.push([`fcvt.${integer}.${letter}`, toInteger(type, signed, bits)]);
    rows.push([`fcvt.${letter}.${integer}`, fromInteger(type, signed, bits)]);
  }
  return rows;
}

function fusedOf(letter: 's' | 'd'): [FloatOperation, InlineFloat][] {
  const type = letter === 's' ? 'f32' : 'f64';
  return [
    [`fmadd.${letter}`, fused(type, false, false)],
    [`fmsub.${letter}`, fused(type, false, true)],
    [`fnmadd.${letter}`, fused(type, true, true)],
    [`fnmsub.${letter}`, fused(type, true, false)],
  ];
}

const widen: InlineFloat = {
  operands: 'f32',
  result: 'f64',
  rounding: 0,
  always: true,
  compute: (...operands) => op('f64.promote_f32', ...operands),
  trusted: ([value]) => {
    if (value === undefined) throw new Error('a conversion has an operand');
    return op('f32.eq', value, value);
  },
};
const narrow: InlineFloat = {
  ...usual,
  operands: 'f64',
  result: 'f32',
  compute: (...operands) => op('f32.demote_f64', ...operands),
  trusted: (_, result) => isOrdinary('f32', result),
};

let table: ReadonlyMap<FloatOperation, InlineFloat> | undefined;

/** How the host computes an operation; `undefined` where it cannot. */
export function inlineFloat(operation: FloatOperation): InlineFloat | undefined {
  table ??= new Map<FloatOperation, InlineFloat>([
    ...ofFormat('s'),
    ...ofFormat('d'),
    ...(hostFusesMultiplyAdd() ? [...fusedOf('s'), ...fusedOf('d')] : []),
    ['fcvt.d.s', widen],
    ['fcvt.s.d', narrow],
  ]);
  return table.get(operation);
}
