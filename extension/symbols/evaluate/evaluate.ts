// Evaluates parsed expressions in a frame, and works out what to write for an assignment.
import { MalformedInput } from '../bytes';
import type { Assignment } from '../contract';
import { encoding } from '../dwarf/constants';
import { Unavailable } from '../dwarf/expressions';
import { pointerTo, sizeOf, strip, typeName, type Type } from '../dwarf/types';
import { hex, TypedValue, type ValueContext } from '../typed-value';
import {
  applyBinary,
  baseTypes,
  characterType,
  floatValue,
  integerOf,
  integerValue,
  intType,
  isFloat,
  isTrue,
  longType,
  numberOf,
  pointeeType,
  promoted,
  unsignedLongType,
  unsignedType,
} from './arithmetic';
import { ExpressionError, parseExpression, type Syntax, type TypeSyntax } from './syntax';

/** What names mean. */
export interface Environment {
  readonly context: ValueContext;
  variable(name: string): TypedValue | undefined;
  /** Whether a variable of the frame or its file has this name: those are found without a search. */
  isNearVariable(name: string): boolean;
  register(name: string): TypedValue | undefined;
  /** A type without keyword (`u32`), or one named by `struct`, `union`, `enum`, `class`. */
  namedType(name: string): Type | undefined;
  taggedType(keyword: string, name: string): Type | undefined;
}

export type Outcome =
  { readonly ok: true; readonly value: TypedValue } | { readonly ok: false; readonly message: string };

const mostElements = 65536;

export function evaluateExpression(text: string, environment: Environment): Outcome {
  return attempt(() => {
    const [, expression = text, format] = /^(.*\S)\s*,\s*([xdbo])\s*$/s.exec(text) ?? [];
    const value = evaluateText(expression, environment);
    if (value.unavailable !== undefined && value.childCount === 0) return { ok: false, message: value.unavailable };
    const shown = value.renamed(expression, value.expression ?? expression);
    return { ok: true, value: format === undefined ? shown : new FormattedValue(shown, format) };
  });
}

function attempt<Result>(work: () => Result): Result | { readonly ok: false; readonly message: string } {
  try {
    return work();
  } catch (error) {
    if (error instanceof ExpressionError || error instanceof Unavailable) return { ok: false, message: error.message };
    if (error instanceof MalformedInput)
      return { ok: false, message: `malformed debugging information: ${error.message}` };
    throw error;
  }
}

const radixes: Readonly<Record<string, readonly [number, string]>> = {
  x: [16, '0x'],
  d: [10, ''],
  b: [2, '0b'],
  o: [8, '0'],
};

/** A number shown in another radix (`value,x`). */
class FormattedValue extends TypedValue {
  constructor(
    value: TypedValue,
    readonly format: string,
  ) {
    super(value.context, value.name, value.type, value.place, value.offset, value.bits, value.expression);
  }

  override get text(): string {
    const [radix, prefix] = radixes[this.format] ?? [10, ''];
    const { integer } = this;
    if (integer === undefined) return super.text;
    const bits = this.bits?.size ?? this.size * 8;
    return prefix + (radix === 10 ? integer : BigInt.asUintN(Math.max(1, bits), integer)).toString(radix);
  }
}

function evaluateText(text: string, environment: Environment): TypedValue {
  const isTypeName = (name: string) => !environment.isNearVariable(name) && environment.namedType(name) !== undefined;
  return evaluate(parseExpression(text, isTypeName), environment);
}

function evaluate(syntax: Syntax, environment: Environment): TypedValue {
  const { context } = environment;
  switch (syntax.kind) {
    case 'integer':
      return literal(syntax, context);
    case 'float':
      return floatValue(context, syntax.value);
    case 'character':
      return integerValue(context, characterType, BigInt(syntax.value));
    case 'name': {
      if (syntax.name === 'true' || syntax.name === 'false')
        return integerValue(context, intType, syntax.name === 'true' ? 1n : 0n);
      const value = environment.variable(syntax.name);
      if (value === undefined)
        throw new ExpressionError(`there is no "${syntax.name}" in this frame, nor a global of that name`);
      return value;
    }
    case 'register': {
      const value = environment.register(syntax.name);
      if (value === undefined)
        throw new ExpressionError(`a register expected (pc, a0, s1, x5, fa0, ...), found "$${syntax.name}"`);
      return value;
    }
    case 'member':
      return memberOf(evaluate(syntax.object, environment), syntax.name, syntax.arrow);
    case 'index':
      return elementAt(evaluate(syntax.object, environment), integerOf(evaluate(syntax.index, environment)));
    case 'unary':
      return unary(syntax.operator, evaluate(syntax.operand, environment), context);
    case 'binary':
      return binary(syntax.operator, syntax.left, syntax.right, environment);
    case 'conditional': {
      const chosen = isTrue(evaluate(syntax.test, environment)) ? syntax.then : syntax.otherwise;
      return evaluate(chosen, environment);
    }
    case 'cast':
      return cast(typeOf(syntax.type, environment), evaluate(syntax.operand, environment), context);
    case 'size of type':
      return integerValue(context, unsignedLongType, BigInt(sizeOf(typeOf(syntax.type, environment))));
    case 'size of':
      return integerValue(context, unsignedLongType, BigInt(evaluate(syntax.operand, environment).size));
  }
}

function literal(syntax: Syntax & { kind: 'integer' }, context: ValueContext): TypedValue {
  const { value, isUnsigned, isLong } = syntax;
  if (value >= 2n ** 64n) throw new ExpressionError(`a number below 2^64 expected, found ${value}`);
  if (value < 2n ** 31n && !isUnsigned && !isLong) return integerValue(context, intType, value);
  if (value < 2n ** 32n && isUnsigned && !isLong) return integerValue(context, unsignedType, value);
  return integerValue(context, value < 2n ** 63n && !isUnsigned ? longType : unsignedLongType, value);
}

function memberOf(object: TypedValue, name: string, arrow: boolean): TypedValue {
  const isPointer = strip(object.type).kind === 'pointer';
  // `.` on a pointer is forgiven: hovers of Rust code and slips of the hand mean the same.
  const target = isPointer ? object.pointee() : object;
  if (arrow && !isPointer)
    throw new ExpressionError(`a pointer expected before ->, found a value of type ${object.typeName}`);
  if (target === undefined) throw new ExpressionError(`a null pointer has no member "${name}"`);
  if (target.place.kind === 'unavailable') throw new ExpressionError(target.place.reason);
  const found = target.member(name);
  if (found === undefined) throw new ExpressionError(`${target.typeName} has no member "${name}"`);
  return found;
}

function elementAt(object: TypedValue, index: bigint): TypedValue {
  const type = strip(object.type);
  if (type.kind === 'array') return object.element(Number(index));
  const target = pointeeType(object);
  if (target === undefined)
    throw new ExpressionError(`an array or pointer expected before [, found a value of type ${object.typeName}`);
  const address = BigInt.asUintN(64, integerOf(object) + index * BigInt(sizeOf(target)));
  const expression = object.expression === undefined ? undefined : `${object.expression}[${index}]`;
  return new TypedValue(object.context, `[${index}]`, target, { kind: 'memory', address }, 0, undefined, expression);
}

function unary(operator: string, operand: TypedValue, context: ValueContext): TypedValue {
  switch (operator) {
    case '*': {
      const target = pointeeType(operand);
      // A bare number is an address of unsigned longs, as when reading a register's target.
      const type = target ?? unsignedLongType;
      if (target !== undefined && strip(target).kind === 'void')
        throw new ExpressionError('a void pointer has no target; cast it first');
      const address = integerOf(operand);
      return new TypedValue(context, `*${operand.name}`, type, { kind: 'memory', address }, 0, undefined, undefined);
    }
    case '&': {
      const { address } = operand;
      if (address === undefined)
        throw new ExpressionError(`${operand.name || 'this value'} is not in memory, so it has no address`);
      return integerValue(
        context,
        pointerTo(() => operand.type),
        address,
      );
    }
    case '!':
      return integerValue(context, intType, isTrue(operand) ? 0n : 1n);
    case '~':
      return integerValue(context, promoted(operand), ~integerOf(operand));
    case '-':
      return isFloat(operand)
        ? floatValue(context, -numberOf(operand))
        : integerValue(context, promoted(operand), -integerOf(operand));
    default:
      return isFloat(operand) ? operand : integerValue(context, promoted(operand), integerOf(operand));
  }
}

function binary(operator: string, left: Syntax, right: Syntax, environment: Environment): TypedValue {
  const { context } = environment;
  const first = evaluate(left, environment);
  if (operator === '&&' || operator === '||') {
    const decided = isTrue(first) === (operator === '||');
    const result = decided ? operator === '||' : isTrue(evaluate(right, environment));
    return integerValue(context, intType, result ? 1n : 0n);
  }
  const second = evaluate(right, environment);
  if (operator !== '@') return applyBinary(context, operator, first, second);
  const count = integerOf(second);
  if (count < 1n || count > mostElements)
    throw new ExpressionError(`a count from 1 to ${mostElements} expected after @, found ${count}`);
  if (first.address === undefined) throw new ExpressionError('@ needs an object in memory before it');
  const type: Type = { kind: 'array', element: () => first.type, counts: [Number(count)] };
  return new TypedValue(context, '', type, { kind: 'memory', address: first.address }, 0, undefined, undefined);
}

function typeOf(syntax: TypeSyntax, environment: Environment): Type {
  const [first = '', second] = syntax.words;
  const spelled = [...syntax.words].sort().join(' ');
  const isTagged = second !== undefined && ['struct', 'union', 'enum', 'class'].includes(first);
  let type = isTagged
    ? environment.taggedType(first, second)
    : (baseTypes.get(spelled) ?? environment.namedType(first));
  if (type === undefined)
    throw new ExpressionError(`there is no type "${syntax.words.join(' ')}" in the debugging information`);
  for (let i = 0; i < syntax.pointers; i++) {
    const target = type;
    type = pointerTo(() => target);
  }
  const element = type;
  return syntax.dimensions.length === 0 ? type : { kind: 'array', element: () => element, counts: syntax.dimensions };
}

function cast(type: Type, operand: TypedValue, context: ValueContext): TypedValue {
  const target = strip(type);
  if (target.kind === 'structure' || target.kind === 'array') {
    if (operand.address === undefined)
      throw new ExpressionError(`only an object in memory can be seen as ${typeName(type)}`);
    return new TypedValue(
      context,
      operand.name,
      type,
      { kind: 'memory', address: operand.address },
      0,
      undefined,
      undefined,
    );
  }
  return new TypedValue(
    context,
    operand.name,
    type,
    { kind: 'bytes', bytes: encode(type, operand) },
    0,
    undefined,
    undefined,
  );
}

/** The bytes of a value converted to a type of numbers. */
function encode(type: Type, value: TypedValue): Uint8Array {
  const target = strip(type);
  const size = sizeOf(target);
  const bytes = new Uint8Array(Math.max(8, size));
  const view = new DataView(bytes.buffer);
  if (target.kind === 'base' && target.encoding === encoding.DW_ATE_float) {
    if (size === 4) view.setFloat32(0, numberOf(value), true);
    else if (size === 8) view.setFloat64(0, numberOf(value), true);
    else throw new ExpressionError(`conversion to ${typeName(type)} is not supported`);
    return bytes.subarray(0, size);
  }
  if (
    (target.kind !== 'base' && target.kind !== 'pointer' && target.kind !== 'enumeration') ||
    size === 0 ||
    size > 8
  ) {
    throw new ExpressionError(`a number cannot become ${typeName(type)}`);
  }
  let integer: bigint;
  if (isFloat(value)) {
    const number = Math.trunc(numberOf(value));
    if (!Number.isFinite(number)) throw new ExpressionError(`${number} is no integer`);
    integer = BigInt(number);
  } else integer = integerOf(value);
  if (target.kind === 'base' && target.encoding === encoding.DW_ATE_boolean) integer = integer === 0n ? 0n : 1n;
  view.setBigUint64(0, BigInt.asUintN(64, integer), true);
  return bytes.subarray(0, size);
}

/** What to write so that the object `target` names gets the value of `text`. `isLive`: registers are those of the hart itself. */
export function assignment(target: string, text: string, environment: Environment, isLive: boolean): Assignment {
  const refuse = (message: string): Assignment => ({ kind: 'refused', message });
  const outcome = attempt((): Assignment => {
    const object = evaluateText(target, environment);
    const value = evaluateText(text, environment);
    if (object.place.kind === 'unavailable') return refuse(object.place.reason);
    const bytes = encode(object.type, value);
    if (object.bits !== undefined) return bitAssignment(object, bytes, object.bits, environment);
    if (object.place.kind === 'memory') {
      return { kind: 'memory', address: BigInt.asUintN(64, object.place.address + BigInt(object.offset)), bytes };
    }
    if (object.place.kind !== 'register') return refuse(`${target} is stored nowhere, so it cannot be changed`);
    const { location } = object;
    if (!isLive) return refuse(`${target} is in a register of an outer frame, which cannot be changed`);
    if (object.offset !== 0 || location?.kind !== 'register')
      return refuse(`only a part of a register holds ${target}`);
    const padded = new Uint8Array(8);
    padded.set(bytes);
    const raw = new DataView(padded.buffer).getBigUint64(0, true);
    // Registers hold 32-bit values sign-extended, whatever their type. [RISC-V psABI, integer calling convention]
    const written = bytes.length === 4 ? BigInt.asUintN(64, BigInt.asIntN(32, raw)) : raw;
    return { kind: 'register', register: location.register, value: written };
  });
  return 'ok' in outcome ? refuse(outcome.message) : outcome;
}

function bitAssignment(
  object: TypedValue,
  bytes: Uint8Array,
  bits: { readonly offset: number; readonly size: number },
  environment: Environment,
): Assignment {
  if (object.place.kind !== 'memory')
    return { kind: 'refused', message: 'a bit field outside of memory cannot be changed' };
  const first = Math.floor(bits.offset / 8);
  const length = Math.ceil((bits.offset + bits.size) / 8) - first;
  const address = BigInt.asUintN(64, object.place.address + BigInt(first));
  const before = environment.context.readMemory(address, length);
  if (before === undefined || before.length < length)
    return { kind: 'refused', message: `memory at ${hex(address)} cannot be read` };
  const written = Uint8Array.from(before);
  for (let i = 0; i < bits.size; i++) {
    const at = bits.offset - first * 8 + i;
    const bit = ((bytes[i >> 3] ?? 0) >> (i & 7)) & 1;
    written[at >> 3] = ((written[at >> 3] ?? 0) & ~(1 << (at & 7))) | (bit << (at & 7));
  }
  return { kind: 'memory', address, bytes: written };
}
