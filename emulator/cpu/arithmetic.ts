// The part of the instruction vocabulary that computes with values alone, as WebAssembly: interpreter and compiler share it.
import { type Expression, op, select } from '../wasm/code';
import type { LoadInstruction, StoreInstruction } from '../wasm/opcodes';
import type { Bits, Bytes } from './instructions/meaning';

export const loads: Readonly<Record<Bytes, LoadInstruction>> = {
  1: 'i64.load8_u',
  2: 'i64.load16_u',
  4: 'i64.load32_u',
  8: 'i64.load',
};
export const signedLoads: Readonly<Record<Bytes, LoadInstruction>> = {
  1: 'i64.load8_s',
  2: 'i64.load16_s',
  4: 'i64.load32_s',
  8: 'i64.load',
};
export const stores: Readonly<Record<Bytes, StoreInstruction>> = {
  1: 'i64.store8',
  2: 'i64.store16',
  4: 'i64.store32',
  8: 'i64.store',
};

export abstract class Arithmetic {
  /** The value as it is now, however often it is used. */
  abstract keep(value: Expression): Expression;
  abstract multiplyHighUnsigned(a: Expression, b: Expression): Expression;

  add(a: Expression, b: Expression): Expression {
    return op('i64.add', a, b);
  }
  subtract(a: Expression, b: Expression): Expression {
    return op('i64.sub', a, b);
  }
  and(a: Expression, b: Expression): Expression {
    return op('i64.and', a, b);
  }
  or(a: Expression, b: Expression): Expression {
    return op('i64.or', a, b);
  }
  xor(a: Expression, b: Expression): Expression {
    return op('i64.xor', a, b);
  }
  shiftLeft(a: Expression, amount: Expression): Expression {
    return op('i64.shl', a, amount);
  }
  shiftRightLogical(a: Expression, amount: Expression): Expression {
    return op('i64.shr_u', a, amount);
  }
  shiftRightArithmetic(a: Expression, amount: Expression): Expression {
    return op('i64.shr_s', a, amount);
  }
  signExtend(a: Expression, bits: Bits): Expression {
    return op(`i64.extend${bits}_s`, a);
  }
  zeroExtend(a: Expression, bits: Bits): Expression {
    return op('i64.and', a, (1n << BigInt(bits)) - 1n);
  }
  multiply(a: Expression, b: Expression): Expression {
    return op('i64.mul', a, b);
  }
  multiplyHighSigned(a: Expression, b: Expression): Expression {
    const [left, right] = [this.keep(a), this.keep(b)];
    const correction = op('i64.add', this.whereNegative(left, right), this.whereNegative(right, left));
    return op('i64.sub', this.multiplyHighUnsigned(left, right), correction);
  }
  multiplyHighMixed(a: Expression, b: Expression): Expression {
    const [left, right] = [this.keep(a), this.keep(b)];
    return op('i64.sub', this.multiplyHighUnsigned(left, right), this.whereNegative(left, right));
  }
  /** A negative operand counts 2^64 too much in an unsigned product. */
  private whereNegative(sign: Expression, value: Expression): Expression {
    return op('i64.and', op('i64.shr_s', sign, 63n), value);
  }
  divideSigned(a: Expression, b: Expression): Expression {
    const [dividend, divisor] = [this.keep(a), this.keep(b)];
    // WebAssembly traps on a zero divisor and on overflow, so both are kept away from it.
    const special = op('i64.lt_u', op('i64.add', divisor, 1n), 2n);
    const quotient = op('i64.div_s', dividend, select(special, 1n, divisor));
    const negated = op('i64.sub', 0n, dividend);
    return select(op('i64.eqz', divisor), -1n, select(op('i64.eq', divisor, -1n), negated, quotient));
  }
  divideUnsigned(a: Expression, b: Expression): Expression {
    const divisor = this.keep(b);
    const zero = op('i64.eqz', divisor);
    return select(zero, -1n, op('i64.div_u', a, select(zero, 1n, divisor)));
  }
  remainderSigned(a: Expression, b: Expression): Expression {
    return this.remainder('i64.rem_s', a, b);
  }
  remainderUnsigned(a: Expression, b: Expression): Expression {
    return this.remainder('i64.rem_u', a, b);
  }
  private remainder(name: 'i64.rem_s' | 'i64.rem_u', a: Expression, b: Expression): Expression {
    const [dividend, divisor] = [this.keep(a), this.keep(b)];
    const zero = op('i64.eqz', divisor);
    return select(zero, dividend, op(name, dividend, select(zero, 1n, divisor)));
  }
  countLeadingZeros(a: Expression): Expression {
    return op('i64.clz', a);
  }
  countTrailingZeros(a: Expression): Expression {
    return op('i64.ctz', a);
  }
  countOnes(a: Expression): Expression {
    return op('i64.popcnt', a);
  }
  rotateLeft(a: Expression, amount: Expression): Expression {
    return op('i64.rotl', a, amount);
  }
  rotateRight(a: Expression, amount: Expression): Expression {
    return op('i64.rotr', a, amount);
  }

  equal(a: Expression, b: Expression): Expression {
    return op('i64.eq', a, b);
  }
  notEqual(a: Expression, b: Expression): Expression {
    return op('i64.ne', a, b);
  }
  lessSigned(a: Expression, b: Expression): Expression {
    return op('i64.lt_s', a, b);
  }
  lessUnsigned(a: Expression, b: Expression): Expression {
    return op('i64.lt_u', a, b);
  }
  not(condition: Expression): Expression {
    return op('i32.eqz', condition);
  }
  choose(condition: Expression, whenTrue: Expression, whenFalse: Expression): Expression {
    return select(condition, whenTrue, whenFalse);
  }
  bit(condition: Expression): Expression {
    return op('i64.extend_i32_u', condition);
  }
}
