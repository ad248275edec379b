// C arithmetic on the guest's numbers: integer promotions, usual conversions, pointers. [C17, 6.3.1 and 6.5; RISC-V psABI, C types]
import { encoding } from '../dwarf/constants';
import { baseType, isSigned, pointerTo, sizeOf, strip, type Type } from '../dwarf/types';
import { TypedValue, type ValueContext } from '../typed-value';
import { ExpressionError } from './syntax';

export const intType = baseType('int', 4, encoding.DW_ATE_signed);
export const unsignedType = baseType('unsigned int', 4, encoding.DW_ATE_unsigned);
export const longType = baseType('long', 8, encoding.DW_ATE_signed);
export const unsignedLongType = baseType('unsigned long', 8, encoding.DW_ATE_unsigned);
export const doubleType = baseType('double', 8, encoding.DW_ATE_float);
export const characterType = baseType('char', 1, encoding.DW_ATE_unsigned_char);

/** Names of the base types in LP64, in their usual spellings; words are sorted. */
export const baseTypes: ReadonlyMap<string, Type> = new Map([
  ['void', { kind: 'void' } as const],
  ['char', characterType],
  ['char signed', baseType('signed char', 1, encoding.DW_ATE_signed_char)],
  ['char unsigned', baseType('unsigned char', 1, encoding.DW_ATE_unsigned_char)],
  ...integerSpellings('short', 2),
  ['int', intType],
  ['signed', intType],
  ['int signed', intType],
  ['unsigned', unsignedType],
  ['int unsigned', unsignedType],
  ...integerSpellings('long', 8),
  ...integerSpellings('long long', 8),
  ['float', baseType('float', 4, encoding.DW_ATE_float)],
  ['double', doubleType],
  ['double long', baseType('long double', 16, encoding.DW_ATE_float)],
  ['_Bool', baseType('_Bool', 1, encoding.DW_ATE_boolean)],
  ['bool', baseType('bool', 1, encoding.DW_ATE_boolean)],
]);

function integerSpellings(name: string, size: number): [string, Type][] {
  const signed = baseType(name, size, encoding.DW_ATE_signed);
  const unsigned = baseType(`unsigned ${name}`, size, encoding.DW_ATE_unsigned);
  return [
    [name, signed],
    [`int ${name}`, signed],
    [`${name} signed`, signed],
    [`int ${name} signed`, signed],
    [`${name} unsigned`, unsigned],
    [`int ${name} unsigned`, unsigned],
  ];
}

/** A value that is stored nowhere. */
export function integerValue(context: ValueContext, type: Type, value: bigint): TypedValue {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  const place = { kind: 'bytes', bytes: bytes.subarray(0, Math.max(1, Math.min(8, sizeOf(type)))) } as const;
  return new TypedValue(context, '', type, place, 0, undefined, undefined);
}

export function floatValue(context: ValueContext, value: number): TypedValue {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return new TypedValue(context, '', doubleType, { kind: 'bytes', bytes }, 0, undefined, undefined);
}

export function isFloat(value: TypedValue): boolean {
  const type = strip(value.type);
  return type.kind === 'base' && type.encoding === encoding.DW_ATE_float;
}

/** The integer or address that a value is. Throws `Unavailable` or `ExpressionError`. */
export function integerOf(value: TypedValue): bigint {
  const integer = value.readInteger();
  if (integer === undefined) throw new ExpressionError(`a number expected, found a value of type ${value.typeName}`);
  return integer;
}

export function numberOf(value: TypedValue): number {
  if (!isFloat(value)) return Number(integerOf(value));
  const { number, unavailable } = value;
  if (number === undefined)
    throw new ExpressionError(unavailable ?? `a number expected, found a value of type ${value.typeName}`);
  return number;
}

export function isTrue(value: TypedValue): boolean {
  return isFloat(value) ? numberOf(value) !== 0 : integerOf(value) !== 0n;
}

/** What a pointer or array points at; undefined for other types. */
export function pointeeType(value: TypedValue): Type | undefined {
  const type = strip(value.type);
  if (type.kind === 'pointer') return type.target();
  if (type.kind === 'array') return value.element(0).type;
  return undefined;
}

/** Small integers become `int`; of two, the larger or the unsigned one wins. */
function commonType(left: TypedValue, right: TypedValue): Type {
  const [a, b] = [promoted(left), promoted(right)];
  if (sizeOf(a) !== sizeOf(b)) return sizeOf(a) > sizeOf(b) ? a : b;
  return isSigned(a) ? b : a;
}

export function promoted(value: TypedValue): Type {
  const type = strip(value.type);
  if (type.kind !== 'base') return type.kind === 'enumeration' ? intType : unsignedLongType;
  if (type.size < 4 || type.encoding === encoding.DW_ATE_boolean) return intType;
  const size = type.size > 4 ? 8 : 4;
  if (isSigned(type)) return size === 8 ? longType : intType;
  return size === 8 ? unsignedLongType : unsignedType;
}

const integerOperations: ReadonlyMap<string, (a: bigint, b: bigint) => bigint> = new Map([
  ['+', (a, b) => a + b],
  ['-', (a, b) => a - b],
  ['*', (a, b) => a * b],
  ['/', (a, b) => a / nonZero(b)],
  ['%', (a, b) => a % nonZero(b)],
  ['&', (a, b) => a & b],
  ['|', (a, b) => a | b],
  ['^', (a, b) => a ^ b],
]);

const floatOperations: ReadonlyMap<string, (a: number, b: number) => number> = new Map([
  ['+', (a, b) => a + b],
  ['-', (a, b) => a - b],
  ['*', (a, b) => a * b],
  ['/', (a, b) => a / b],
]);

const comparisons: ReadonlyMap<string, (order: number) => boolean> = new Map([
  ['==', (order) => order === 0],
  ['!=', (order) => order !== 0],
  ['<', (order) => order < 0],
  ['>', (order) => order > 0],
  ['<=', (order) => order <= 0],
  ['>=', (order) => order >= 0],
]);

function nonZero(value: bigint): bigint {
  if (value === 0n) throw new ExpressionError('division by zero');
  return value;
}

function truncated(type: Type, value: bigint): bigint {
  const bits = sizeOf(type) * 8;
  return isSigned(type) ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

/** Applies a binary operator other than `&&`, `||` and `@`. */
export function applyBinary(context: ValueContext, operator: string, left: TypedValue, right: TypedValue): TypedValue {
  const comparison = comparisons.get(operator);
  if (isFloat(left) || isFloat(right)) {
    const [a, b] = [numberOf(left), numberOf(right)];
    // NaN is ordered with nothing, and different from everything.
    if (comparison !== undefined) {
      const order = a < b ? -1 : a > b ? 1 : a === b ? 0 : NaN;
      return integerValue(context, intType, (operator === '!=' ? a !== b : comparison(order)) ? 1n : 0n);
    }
    const operation = floatOperations.get(operator);
    if (operation === undefined) throw new ExpressionError(`${operator} needs integers`);
    return floatValue(context, operation(a, b));
  }
  const pointers = pointerArithmetic(context, operator, left, right);
  if (pointers !== undefined) return pointers;
  if (operator === '<<' || operator === '>>') {
    const type = promoted(left);
    const distance = integerOf(right);
    if (distance < 0n || distance >= BigInt(sizeOf(type) * 8))
      throw new ExpressionError(`a shift by ${distance} is not defined`);
    const value = integerOf(left);
    return integerValue(context, type, truncated(type, operator === '<<' ? value << distance : value >> distance));
  }
  const type = commonType(left, right);
  const [a, b] = [truncated(type, integerOf(left)), truncated(type, integerOf(right))];
  if (comparison !== undefined) return integerValue(context, intType, comparison(a < b ? -1 : a > b ? 1 : 0) ? 1n : 0n);
  const operation = integerOperations.get(operator);
  if (operation === undefined) throw new ExpressionError(`the operator ${operator} is not supported`);
  return integerValue(context, type, truncated(type, operation(a, b)));
}

function pointerArithmetic(
  context: ValueContext,
  operator: string,
  left: TypedValue,
  right: TypedValue,
): TypedValue | undefined {
  const [leftTarget, rightTarget] = [pointeeType(left), pointeeType(right)];
  if (operator !== '+' && operator !== '-') return undefined;
  const target = leftTarget ?? rightTarget;
  if (target === undefined) return undefined;
  // As GNU C does, a void has the size 1 here.
  const size = BigInt(Math.max(1, sizeOf(target)));
  if (leftTarget !== undefined && rightTarget !== undefined) {
    if (operator === '+') throw new ExpressionError('two pointers cannot be added');
    return integerValue(context, longType, BigInt.asIntN(64, integerOf(left) - integerOf(right)) / size);
  }
  if (leftTarget === undefined && operator === '-')
    throw new ExpressionError('a pointer cannot be subtracted from a number');
  const [pointer, distance] = leftTarget === undefined ? [right, left] : [left, right];
  const moved =
    operator === '+'
      ? integerOf(pointer) + integerOf(distance) * size
      : integerOf(pointer) - integerOf(distance) * size;
  return integerValue(
    context,
    pointerTo(() => target),
    moved,
  );
}
