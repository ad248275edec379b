// Operands that find mistakes in floating-point arithmetic: corner values of each kind, and random ones that lean on them.
import type { FloatOperation } from '../../emulator/cpu/float/index';
import type { Random } from './random';

/** What an operand register holds: a single, a double, an integer. */
/** Formats, an integer register, or the number of a constant. */
export type OperandKind = 's' | 'd' | 'x' | 'constant';

export function operandsOf(operation: FloatOperation): readonly OperandKind[] {
  const [name = '', second, third] = operation.split('.');
  if (name === 'fcvt') return [third === 's' || third === 'd' ? third : 'x'];
  if (name === 'fcvtmod') return ['d'];
  if (name === 'fli') return ['constant'];
  const kind = second === 's' ? 's' : 'd';
  if (/^(fsqrt|fclass|fround(nx)?)$/.test(name)) return [kind];
  return /^fn?m(add|sub)$/.test(name) ? [kind, kind, kind] : [kind, kind];
}

const boxed = (value: number): bigint => 0xffffffff00000000n | BigInt(value);

/** The first ones are enough for three operands at once. */
const singles: readonly bigint[] = [
  0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x3f800000, 0xbf800001, 0x7f7fffff, 0xff800000, 0x7fc00000,
  0x7f800001, 0x80000001, 0x007fffff, 0x80800000, 0x00800001, 0xbf800000, 0x3f7fffff, 0x3f000000, 0x40000000, 0x4effffff,
  0x4f000000, 0xcf000000, 0xcf000001, 0x4f7fffff, 0x4f800000, 0x5effffff, 0x5f000000, 0xdf000000, 0x5f7fffff, 0x5f800000,
  0x3effffff, 0x3fc00000, 0xbfc00000, 0x40200000, 0xff7fffff, 0x7f800000, 0xffc00000, 0xffbfffff, 0x7f000000, 0x1f800000,
  0x20000000, 0x4b000001, 0x4b7fffff, 0xbf000000, 0xbf7fffff,
].map(boxed); // prettier-ignore
const badlyBoxed: readonly bigint[] = [0x3f800000n, 0xfffffffe3f800000n, 0x7fffffff7f800001n];

const doubles: readonly bigint[] = [
  0x0000000000000000n, 0x8000000000000000n, 0x0000000000000001n, 0x800fffffffffffffn, 0x0010000000000000n,
  0x3ff0000000000000n, 0xbff0000000000001n, 0x7fefffffffffffffn, 0xfff0000000000000n, 0x7ff8000000000000n,
  0x7ff0000000000001n, 0x8000000000000001n, 0x000fffffffffffffn, 0x8010000000000000n, 0x0010000000000001n,
  0xbff0000000000000n, 0x3fefffffffffffffn, 0x3fe0000000000000n, 0x4000000000000000n, 0x41dfffffffc00000n,
  0x41dfffffffe00000n, 0x41e0000000000000n, 0xc1e0000000000000n, 0xc1e0000000100000n, 0xc1e0000000200000n,
  0x41efffffffe00000n, 0x41effffffff00000n, 0x41f0000000000000n, 0x43dfffffffffffffn, 0x43e0000000000000n,
  0xc3e0000000000000n, 0xc3e0000000000001n, 0x43efffffffffffffn, 0x43f0000000000000n, 0x3fdfffffffffffffn,
  0x3ff8000000000000n, 0xbff8000000000000n, 0x4004000000000000n, 0xffefffffffffffffn, 0x7ff0000000000000n,
  0xfff8000000000000n, 0xfff7ffffffffffffn, 0x7fe0000000000000n, 0x1ff0000000000000n, 0x2000000000000000n,
  0xbfe0000000000000n, 0x4330000000000001n, 0x433fffffffffffffn, 0x380fffffe0000000n, 0x380ffffff0000000n,
  0x380fffffffffffffn, 0x36a0000000000000n, 0x3690000000000000n, 0x3690000000000001n, 0x47efffffe0000000n,
  0x43f8000010000001n, 0xc408000018000003n, 0x4530000000000001n, 0xc51fffffffffffffn, 0x4540000000000001n, 0x47efffffefffffffn, 0x47effffff0000000n, 0xb80fffffe0000001n, 0x3ff0000010000000n, 0x3ff0000030000000n,
]; // prettier-ignore

const integers: readonly bigint[] = [
  0n, 1n, 2n, 0xffffffffffffffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n, 0x7fffffffffffffffn,
  0x8000000000000000n, 0x8000000000000001n, 0x1000001n, 0x1000003n, 0x20000000000001n, 0x20000000000003n,
  0xfffffffffffffbffn, 0xfffffffffffffc00n, 0x7fffffffffffffc0n, 0x7ffffdffffffffffn, 0x7fffff8000000000n,
  0xffffffff80000000n, 0x7fffffc0n, 0x7fffffbfn, 0xffffff7fn, 0xffffff80n, 0x4000004000000001n, 0x4000004000000000n,
]; // prettier-ignore

const corners: Readonly<Record<OperandKind, readonly bigint[]>> = {
  s: [...singles, ...badlyBoxed],
  d: doubles,
  x: integers,
  constant: Array.from({ length: 32 }, (_, number) => BigInt(number)),
};

/** Fewer where operands multiply the number of cases. */
export function cornerOperands(kind: OperandKind, operandCount: number): readonly bigint[] {
  return operandCount === 3 ? corners[kind].slice(0, 11) : corners[kind];
}

const layout = { s: { width: 32, fraction: 23 }, d: { width: 64, fraction: 52 } } as const;

/** `earlier` are the operands before it: close exponents and equal magnitudes make sums cancel. */
export function randomOperand(random: Random, kind: OperandKind, earlier: readonly bigint[]): bigint {
  if (random.below(12) === 0) return corners[kind][random.below(corners[kind].length)] ?? 0n;
  if (kind === 'constant') return BigInt(random.below(32));
  if (kind === 'x') return random.bits(64) >> BigInt(random.below(64));
  const { width, fraction } = layout[kind];
  const [wide, narrow] = [BigInt(width), BigInt(fraction)];
  const exponentMask = (1n << (wide - 1n - narrow)) - 1n;
  const bias = exponentMask >> 1n;
  const other = earlier[random.below(Math.max(earlier.length, 1))] ?? bias << narrow;
  const otherExponent = (other >> narrow) & exponentMask;
  const exponents = [
    random.bits(width - 1 - fraction),
    otherExponent + BigInt(random.below(7)) - 3n,
    otherExponent + BigInt(random.below(2 * fraction + 8)) - narrow - 4n,
    bias + BigInt(random.below(2 * fraction)) - narrow,
    BigInt(random.below(3)),
    // Where two factors, or a quotient, come down to the smallest normal number.
    2n * bias - otherExponent - bias + BigInt(random.below(5)) - 2n,
    // A product's exponent, for addends that cancel it.
    earlier.reduce((sum, bits) => sum + ((bits >> narrow) & exponentMask) - bias, bias) + BigInt(random.below(3)),
  ];
  const exponent = (exponents[random.below(exponents.length)] ?? 0n) & exponentMask;
  const all = (1n << narrow) - 1n;
  const dense = random.bits(fraction);
  const fractions = [
    dense,
    dense,
    other & all,
    (other + BigInt(random.below(5)) - 2n) & all,
    // Few significant bits, at the top, at the bottom, or both: ties and exact results.
    (dense >> (narrow - 4n)) << (narrow - 4n),
    dense & 7n,
    all ^ (dense & 7n),
    (1n << BigInt(random.below(fraction))) | (1n << BigInt(random.below(fraction))),
    all << BigInt(random.below(fraction + 1)),
  ];
  const sign = random.bits(1) << (wide - 1n);
  const bits = sign | (exponent << narrow) | ((fractions[random.below(fractions.length)] ?? 0n) & all);
  return kind === 's' ? 0xffffffff00000000n | bits : bits;
}
