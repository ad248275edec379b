// Floating point by exact rational arithmetic on BigInt: slow and plain, so that it can be seen to be right.
// [IEEE 754-2019; RISC-V unpriv. 20 and 21]
import type { FloatOperation } from '../../emulator/cpu/float/index';

export interface ReferenceResult {
  /** Raw 64-bit register value. */
  readonly value: bigint;
  /** Bits of `fflags` raised. */
  readonly flags: number;
}

const NX = 1;
const UF = 2;
const OF = 4;
const DZ = 8;
const NV = 16;

type Mode = 0 | 1 | 2 | 3 | 4;
const isMode = (mode: number): mode is Mode => [0, 1, 2, 3, 4].includes(mode);

interface Format {
  readonly width: bigint;
  readonly precision: number;
  readonly smallestExponent: number;
  readonly largestExponent: number;
}
const formats = {
  s: { width: 32n, precision: 24, smallestExponent: -126, largestExponent: 127 },
  d: { width: 64n, precision: 53, smallestExponent: -1022, largestExponent: 1023 },
} as const satisfies Record<string, Format>;

/** A number is numerator / denominator, the denominator positive; `negative` also tells the zeros apart. */
type Value =
  | { readonly kind: 'nan'; readonly signalling: boolean }
  | { readonly kind: 'infinite'; readonly negative: boolean }
  | {
      readonly kind: 'number';
      readonly negative: boolean;
      readonly numerator: bigint;
      readonly denominator: bigint;
      /** Where the exact value is irrational: it lies strictly between this one and one that no format can tell from it. */
      readonly more?: boolean;
    };
type NumberValue = Extract<Value, { kind: 'number' }>;

const magnitudeOf = (value: bigint): bigint => (value < 0n ? -value : value);

function number(numerator: bigint, denominator = 1n): NumberValue {
  return { kind: 'number', negative: numerator < 0n, numerator, denominator };
}
function zero(negative: boolean): NumberValue {
  return { kind: 'number', negative, numerator: 0n, denominator: 1n };
}
/** 2^exponent as a fraction. */
function power(exponent: number): readonly [bigint, bigint] {
  return exponent >= 0 ? [1n << BigInt(exponent), 1n] : [1n, 1n << BigInt(-exponent)];
}

function decode(format: Format, register: bigint): Value {
  const fractionBits = BigInt(format.precision - 1);
  const boxed = format.width === 64n || register >> 32n === 0xffffffffn;
  if (!boxed) return { kind: 'nan', signalling: false };
  const bits = BigInt.asUintN(Number(format.width), register);
  const negative = bits >> (format.width - 1n) === 1n;
  const fraction = BigInt.asUintN(format.precision - 1, bits);
  const field = Number(BigInt.asUintN(Number(format.width) - format.precision, bits >> fractionBits));
  if (field === 2 * format.largestExponent + 1) {
    if (fraction === 0n) return { kind: 'infinite', negative };
    return { kind: 'nan', signalling: fraction >> (fractionBits - 1n) === 0n };
  }
  if (field === 0 && fraction === 0n) return zero(negative);
  const significand = field === 0 ? fraction : fraction | (1n << fractionBits);
  const exponent = Math.max(field - format.largestExponent, format.smallestExponent) - (format.precision - 1);
  const [up, down] = power(exponent);
  return number((negative ? -significand : significand) * up, down);
}

const registerOf = (format: Format, bits: bigint): bigint =>
  format.width === 32n ? (0xffffffffn << 32n) | bits : bits;
const infinityBits = (format: Format): bigint => BigInt(2 * format.largestExponent + 1) << BigInt(format.precision - 1);
const signBits = (format: Format, negative: boolean): bigint => (negative ? 1n << (format.width - 1n) : 0n);
const canonicalNaN = (format: Format): bigint =>
  registerOf(format, infinityBits(format) | (1n << BigInt(format.precision - 2)));

/** A fraction rounded to an integer, both as magnitudes; `negative` is the sign they stand for. */
function roundToInteger(numerator: bigint, denominator: bigint, more: boolean, negative: boolean, mode: Mode): bigint {
  const whole = numerator / denominator;
  const rest = (numerator % denominator) * 2n;
  if (rest === 0n && !more) return whole;
  const toHalf = rest < denominator ? 'below' : rest > denominator || more ? 'above' : 'half';
  switch (mode) {
    case 0:
      if (toHalf === 'half') return whole % 2n === 0n ? whole : whole + 1n;
      return toHalf === 'above' ? whole + 1n : whole;
    case 1:
      return whole;
    case 2:
      return negative ? whole + 1n : whole;
    case 3:
      return negative ? whole : whole + 1n;
    case 4:
      return toHalf === 'below' ? whole : whole + 1n;
  }
}

/** The exponent of the leading one of a positive fraction. */
function leadingExponent(numerator: bigint, denominator: bigint): number {
  let exponent = numerator.toString(2).length - denominator.toString(2).length;
  const [up, down] = power(exponent);
  if (numerator * down < denominator * up) exponent--;
  return exponent;
}

/** A nonzero fraction rounded to multiples of 2^unit. */
function roundAt(value: NumberValue, unit: number, mode: Mode): bigint {
  const [up, down] = power(unit);
  const numerator = magnitudeOf(value.numerator) * down;
  return roundToInteger(numerator, value.denominator * up, value.more === true, value.negative, mode);
}

function encode(format: Format, value: Value, mode: Mode): ReferenceResult {
  if (value.kind === 'nan') return { value: canonicalNaN(format), flags: 0 };
  const sign = signBits(format, value.negative);
  if (value.kind === 'infinite') return { value: registerOf(format, sign | infinityBits(format)), flags: 0 };
  if (value.numerator === 0n) return { value: registerOf(format, sign), flags: 0 };
  const { precision, smallestExponent, largestExponent } = format;
  const exponent = leadingExponent(magnitudeOf(value.numerator), value.denominator);
  const unit = Math.max(exponent, smallestExponent) - (precision - 1);
  const significand = roundAt(value, unit, mode);
  const [up, down] = power(unit);
  const exact = value.more !== true && significand * up * value.denominator === magnitudeOf(value.numerator) * down;
  let flags = exact ? 0 : NX;

  if (!exact && exponent < smallestExponent) {
    // Tiny after rounding: as if the exponent had no lower bound.
    const unbounded = roundAt(value, exponent - (precision - 1), mode);
    if (unbounded < 1n << BigInt(smallestExponent - exponent + precision - 1)) flags |= UF;
  }
  const overflowAt = 1n << BigInt(precision);
  if (exponent > largestExponent || (exponent === largestExponent && significand === overflowAt)) {
    const towardsInfinity =
      mode === 0 || mode === 4 || (mode === 3 && !value.negative) || (mode === 2 && value.negative);
    const bits = towardsInfinity ? infinityBits(format) : infinityBits(format) - 1n;
    return { value: registerOf(format, sign | bits), flags: OF | NX };
  }
  // Fields add up: a significand of 2^precision carries into the exponent, one below 2^(precision - 1) has field 0.
  const field = BigInt(Math.max(exponent, smallestExponent) + largestExponent - 1);
  return { value: registerOf(format, sign | ((field << BigInt(precision - 1)) + significand)), flags };
}

interface Outcome {
  readonly value: Value;
  readonly flags: number;
}
const quietNaN: Value = { kind: 'nan', signalling: false };
const invalid: Outcome = { value: quietNaN, flags: NV };

function negated(value: Value): Value {
  if (value.kind === 'nan') return value;
  if (value.kind === 'infinite') return { ...value, negative: !value.negative };
  return { ...value, negative: !value.negative, numerator: -value.numerator };
}

/** The NaN that NaN operands give, or undefined. */
function fromNaN(...values: readonly Value[]): Outcome | undefined {
  if (!values.some((value) => value.kind === 'nan')) return undefined;
  return { value: quietNaN, flags: values.some((value) => value.kind === 'nan' && value.signalling) ? NV : 0 };
}

function add(a: Value, b: Value, mode: Mode): Outcome {
  if (a.kind === 'nan' || b.kind === 'nan') return fromNaN(a, b) ?? invalid;
  if (a.kind === 'infinite') {
    return b.kind === 'infinite' && a.negative !== b.negative ? invalid : { value: a, flags: 0 };
  }
  if (b.kind === 'infinite') return { value: b, flags: 0 };
  const numerator = a.numerator * b.denominator + b.numerator * a.denominator;
  if (numerator !== 0n) return { value: number(numerator, a.denominator * b.denominator), flags: 0 };
  return { value: zero(a.negative === b.negative ? a.negative : mode === 2), flags: 0 };
}

function multiply(a: Value, b: Value): Outcome {
  if (a.kind === 'nan' || b.kind === 'nan') return fromNaN(a, b) ?? invalid;
  const negative = a.negative !== b.negative;
  if (a.kind === 'infinite' || b.kind === 'infinite') {
    const other = a.kind === 'infinite' ? b : a;
    if (other.kind === 'number' && other.numerator === 0n) return invalid;
    return { value: { kind: 'infinite', negative }, flags: 0 };
  }
  const numerator = a.numerator * b.numerator;
  return { value: numerator === 0n ? zero(negative) : number(numerator, a.denominator * b.denominator), flags: 0 };
}

function divide(a: Value, b: Value): Outcome {
  if (a.kind === 'nan' || b.kind === 'nan') return fromNaN(a, b) ?? invalid;
  const negative = a.negative !== b.negative;
  if (a.kind === 'infinite') {
    return b.kind === 'infinite' ? invalid : { value: { kind: 'infinite', negative }, flags: 0 };
  }
  if (b.kind === 'infinite') return { value: zero(negative), flags: 0 };
  if (b.numerator === 0n) {
    return a.numerator === 0n ? invalid : { value: { kind: 'infinite', negative }, flags: DZ };
  }
  if (a.numerator === 0n) return { value: zero(negative), flags: 0 };
  const numerator = magnitudeOf(a.numerator) * b.denominator;
  const denominator = a.denominator * magnitudeOf(b.numerator);
  return { value: number(negative ? -numerator : numerator, denominator), flags: 0 };
}

function integerRoot(value: bigint): bigint {
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

function squareRoot(a: Value): Outcome {
  if (a.kind === 'nan') return fromNaN(a) ?? invalid;
  if (a.kind === 'number' && a.numerator === 0n) return { value: a, flags: 0 };
  if (a.negative) return invalid;
  if (a.kind === 'infinite') return { value: a, flags: 0 };
  // Denominators are powers of two. 1400 binary places leave more than 53 below the leading one of any root.
  const scaled = (a.numerator << 2800n) / a.denominator;
  const root = integerRoot(scaled);
  return { value: { ...number(root, 1n << 1400n), more: root * root !== scaled }, flags: 0 };
}

function multiplyAdd(a: Value, b: Value, c: Value, mode: Mode): Outcome {
  const product = multiply(a, b);
  if (product.value.kind === 'nan') {
    return { value: quietNaN, flags: product.flags | (fromNaN(c)?.flags ?? 0) };
  }
  return add(product.value, c, mode);
}

function extreme(format: Format, registers: readonly [bigint, bigint], smaller: boolean): ReferenceResult {
  const [a, b] = [decode(format, registers[0]), decode(format, registers[1])];
  const flags = fromNaN(a, b)?.flags ?? 0;
  if (a.kind === 'nan' && b.kind === 'nan') return { value: canonicalNaN(format), flags };
  if (a.kind === 'nan') return { value: registers[1], flags };
  if (b.kind === 'nan') return { value: registers[0], flags };
  const order = compare(a, b) || Number(b.negative) - Number(a.negative);
  return { value: registers[order <= 0 === smaller ? 0 : 1], flags };
}

/** Negative, zero or positive; the zeros are equal. */
function compare(a: Exclude<Value, { kind: 'nan' }>, b: Exclude<Value, { kind: 'nan' }>): number {
  const rank = (value: typeof a): number => (value.kind === 'number' ? 0 : value.negative ? -1 : 1);
  if (a.kind !== 'number' || b.kind !== 'number') return rank(a) - rank(b);
  const [left, right] = [a.numerator * b.denominator, b.numerator * a.denominator];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The bits of what FLI loads, written out as the table of the specification has them. [RISC-V unpriv. 24.1] */
const constants: readonly (readonly [s: bigint, d: bigint])[] = [
  [0xbf800000n, 0xbff0000000000000n], [0x00800000n, 0x0010000000000000n], [0x37800000n, 0x3ef0000000000000n],
  [0x38000000n, 0x3f00000000000000n], [0x3b800000n, 0x3f70000000000000n], [0x3c000000n, 0x3f80000000000000n],
  [0x3d800000n, 0x3fb0000000000000n], [0x3e000000n, 0x3fc0000000000000n], [0x3e800000n, 0x3fd0000000000000n],
  [0x3ea00000n, 0x3fd4000000000000n], [0x3ec00000n, 0x3fd8000000000000n], [0x3ee00000n, 0x3fdc000000000000n],
  [0x3f000000n, 0x3fe0000000000000n], [0x3f200000n, 0x3fe4000000000000n], [0x3f400000n, 0x3fe8000000000000n],
  [0x3f600000n, 0x3fec000000000000n], [0x3f800000n, 0x3ff0000000000000n], [0x3fa00000n, 0x3ff4000000000000n],
  [0x3fc00000n, 0x3ff8000000000000n], [0x3fe00000n, 0x3ffc000000000000n], [0x40000000n, 0x4000000000000000n],
  [0x40200000n, 0x4004000000000000n], [0x40400000n, 0x4008000000000000n], [0x40800000n, 0x4010000000000000n],
  [0x41000000n, 0x4020000000000000n], [0x41800000n, 0x4030000000000000n], [0x43000000n, 0x4060000000000000n],
  [0x43800000n, 0x4070000000000000n], [0x47000000n, 0x40e0000000000000n], [0x47800000n, 0x40f0000000000000n],
  [0x7f800000n, 0x7ff0000000000000n], [0x7fc00000n, 0x7ff8000000000000n],
]; // prettier-ignore

function integral(format: Format, register: bigint, mode: Mode, tellsInexact: boolean): ReferenceResult {
  const value = decode(format, register);
  if (value.kind === 'nan') return { value: canonicalNaN(format), flags: fromNaN(value)?.flags ?? 0 };
  if (value.kind === 'infinite') return { value: register, flags: 0 };
  const whole = roundToInteger(magnitudeOf(value.numerator), value.denominator, false, value.negative, mode);
  const inexact = whole * value.denominator !== magnitudeOf(value.numerator);
  const rounded = whole === 0n ? zero(value.negative) : number(value.negative ? -whole : whole);
  return { value: encode(format, rounded, mode).value, flags: inexact && tellsInexact ? NX : 0 };
}

/** To a 32-bit integer that wraps around, towards zero. */
function modular(register: bigint): ReferenceResult {
  const value = decode(formats.d, register);
  if (value.kind !== 'number') return { value: 0n, flags: NV };
  const exact = value.numerator / value.denominator;
  const wrapped = BigInt.asIntN(32, exact);
  const flags = wrapped !== exact ? NV : exact * value.denominator === value.numerator ? 0 : NX;
  return { value: BigInt.asUintN(64, wrapped), flags };
}

function relation(name: 'feq' | 'flt' | 'fle', a: Value, b: Value): ReferenceResult {
  if (a.kind === 'nan' || b.kind === 'nan') {
    return { value: 0n, flags: name === 'feq' ? (fromNaN(a, b)?.flags ?? 0) : NV };
  }
  const order = compare(a, b);
  const holds = { feq: order === 0, flt: order < 0, fle: order <= 0 }[name];
  return { value: holds ? 1n : 0n, flags: 0 };
}

function classify(format: Format, value: Value): bigint {
  if (value.kind === 'nan') return value.signalling ? 1n << 8n : 1n << 9n;
  if (value.kind === 'infinite') return value.negative ? 1n << 0n : 1n << 7n;
  if (value.numerator === 0n) return value.negative ? 1n << 3n : 1n << 4n;
  const normal = leadingExponent(magnitudeOf(value.numerator), value.denominator) >= format.smallestExponent;
  if (value.negative) return normal ? 1n << 1n : 1n << 2n;
  return normal ? 1n << 6n : 1n << 5n;
}

const integerTypes = {
  w: { least: -(1n << 31n), greatest: (1n << 31n) - 1n, bits: 32 },
  wu: { least: 0n, greatest: (1n << 32n) - 1n, bits: 32 },
  l: { least: -(1n << 63n), greatest: (1n << 63n) - 1n, bits: 64 },
  lu: { least: 0n, greatest: (1n << 64n) - 1n, bits: 64 },
} as const;
type IntegerType = keyof typeof integerTypes;
const isIntegerType = (name: string | undefined): name is IntegerType => name !== undefined && name in integerTypes;

function toInteger(value: Value, type: IntegerType, mode: Mode): ReferenceResult {
  const { least, greatest, bits } = integerTypes[type];
  const asRegister = (result: bigint): bigint => BigInt.asUintN(64, BigInt.asIntN(bits, result));
  if (value.kind === 'nan') return { value: asRegister(greatest), flags: NV };
  if (value.kind === 'infinite') return { value: asRegister(value.negative ? least : greatest), flags: NV };
  const rounded = roundToInteger(magnitudeOf(value.numerator), value.denominator, false, value.negative, mode);
  const result = value.negative ? -rounded : rounded;
  if (result < least) return { value: asRegister(least), flags: NV };
  if (result > greatest) return { value: asRegister(greatest), flags: NV };
  return { value: asRegister(result), flags: result * value.denominator === value.numerator ? 0 : NX };
}

function fromInteger(format: Format, register: bigint, type: IntegerType, mode: Mode): ReferenceResult {
  const { least, bits } = integerTypes[type];
  const integer = least < 0n ? BigInt.asIntN(bits, register) : BigInt.asUintN(bits, register);
  return encode(format, integer === 0n ? zero(false) : number(integer), mode);
}

function isFormatLetter(name: string | undefined): name is 's' | 'd' {
  return name === 's' || name === 'd';
}

/** What an operation gives for raw 64-bit register operands; unused operands may be left out. */
export function reference(operation: FloatOperation, mode: number, operands: readonly bigint[]): ReferenceResult {
  if (!isMode(mode)) throw new RangeError(`rounding mode ${mode}: expected 0 to 4`);
  const [name, second, third] = operation.split('.');
  const [ra = 0n, rb = 0n, rc = 0n] = operands;
  if (name === 'fcvt') {
    if (isIntegerType(second) && isFormatLetter(third)) return toInteger(decode(formats[third], ra), second, mode);
    if (isFormatLetter(second) && isIntegerType(third)) return fromInteger(formats[second], ra, third, mode);
    if (!isFormatLetter(second) || !isFormatLetter(third)) throw new RangeError(`unknown conversion ${operation}`);
    const value = decode(formats[third], ra);
    const result = encode(formats[second], value, mode);
    return { value: result.value, flags: result.flags | (fromNaN(value)?.flags ?? 0) };
  }
  if (name === 'fcvtmod') return modular(ra);
  if (!isFormatLetter(second)) throw new RangeError(`unknown operation ${operation}`);
  const format: Format = formats[second];
  const [a, b, c] = [decode(format, ra), decode(format, rb), decode(format, rc)];
  const rounded = ({ value, flags }: Outcome): ReferenceResult => {
    const result = encode(format, value, mode);
    return { value: result.value, flags: result.flags | flags };
  };
  switch (name) {
    case 'fadd':
      return rounded(add(a, b, mode));
    case 'fsub':
      return rounded(add(a, negated(b), mode));
    case 'fmul':
      return rounded(multiply(a, b));
    case 'fdiv':
      return rounded(divide(a, b));
    case 'fsqrt':
      return rounded(squareRoot(a));
    case 'fmadd':
      return rounded(multiplyAdd(a, b, c, mode));
    case 'fmsub':
      return rounded(multiplyAdd(a, b, negated(c), mode));
    case 'fnmadd':
      return rounded(multiplyAdd(negated(a), b, negated(c), mode));
    case 'fnmsub':
      return rounded(multiplyAdd(negated(a), b, c, mode));
    case 'fmin':
      return extreme(format, [ra, rb], true);
    case 'fmax':
      return extreme(format, [ra, rb], false);
    case 'fminm':
    case 'fmaxm':
      if (a.kind === 'nan' || b.kind === 'nan')
        return { value: canonicalNaN(format), flags: fromNaN(a, b)?.flags ?? 0 };
      return extreme(format, [ra, rb], name === 'fminm');
    case 'fleq':
    case 'fltq':
      if (a.kind === 'nan' || b.kind === 'nan') return { value: 0n, flags: fromNaN(a, b)?.flags ?? 0 };
      return relation(name === 'fleq' ? 'fle' : 'flt', a, b);
    case 'fround':
    case 'froundnx':
      return integral(format, ra, mode, name === 'froundnx');
    case 'fli':
      return { value: registerOf(format, constants[Number(ra & 31n)]?.[second === 's' ? 0 : 1] ?? 0n), flags: 0 };
    case 'feq':
    case 'flt':
    case 'fle':
      return relation(name, a, b);
    case 'fclass':
      return { value: classify(format, a), flags: 0 };
    default:
      throw new RangeError(`unknown operation ${operation}`);
  }
}
