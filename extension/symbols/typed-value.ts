// A typed object of the guest: its text, its number, its children. Read when asked for, never kept.
import { MalformedInput, decodeUtf8 } from './bytes';
import type { Value, ValueLocation } from './contract';
import { encoding } from './dwarf/constants';
import { registerName, Unavailable, type Location } from './dwarf/expressions';
import {
  elementOf,
  isAddressType,
  isCharacter,
  isSigned,
  pointerSize,
  sizeOf,
  strip,
  typeName,
  type Member,
  type StructureType,
  type Type,
} from './dwarf/types';
import { decodeFloat, floatText } from './float-bytes';
import { readBits, readBytes, type Storage } from './value-bytes';

/** What values need besides their own bytes. */
export interface ValueContext extends Storage {
  /** `symbol` or `symbol+offset` for an address, if anything is there. */
  describeAddress(address: bigint): string | undefined;
}

export interface Bits {
  readonly offset: number;
  readonly size: number;
}

const longestPreview = 120;
const longestString = 200;
const mostElements = 1_000_000;
const deepestPreview = 2;
const longestTypeChain = 64;

export class TypedValue implements Value {
  constructor(
    readonly context: ValueContext,
    readonly name: string,
    readonly type: Type,
    readonly place: Location,
    /** Bytes into the place. */
    readonly offset: number,
    /** For bit fields: bits into the place. */
    readonly bits: Bits | undefined,
    readonly expression: string | undefined,
  ) {}

  /** `undefined` when the type refers to itself without end. */
  #stripped(): Type {
    return strip(this.type);
  }

  get typeName(): string {
    return this.#attempt(() => typeName(this.type)) ?? '(damaged type)';
  }

  get size(): number {
    return this.#attempt(() => sizeOf(this.type)) ?? 0;
  }

  get address(): bigint | undefined {
    return this.place.kind === 'memory' && this.bits === undefined
      ? BigInt.asUintN(64, this.place.address + BigInt(this.offset))
      : undefined;
  }

  get location(): ValueLocation | undefined {
    switch (this.place.kind) {
      case 'memory':
        return { kind: 'memory', address: BigInt.asUintN(64, this.place.address + BigInt(this.offset)) };
      case 'register':
        return { kind: 'register', register: registerName(this.place.register) };
      case 'unavailable':
        return undefined;
      default:
        return { kind: 'computed' };
    }
  }

  #attempt<Result>(work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      if (error instanceof Unavailable || error instanceof MalformedInput) return undefined;
      throw error;
    }
  }

  get unavailable(): string | undefined {
    try {
      if (this.place.kind === 'unavailable') return this.place.reason;
      const type = this.#stripped();
      if (type.kind !== 'structure' && type.kind !== 'array' && type.kind !== 'void' && type.kind !== 'function')
        this.#scalarBytes(type);
      return undefined;
    } catch (error) {
      if (error instanceof Unavailable || error instanceof MalformedInput) return error.message;
      throw error;
    }
  }

  get integer(): bigint | undefined {
    return this.#attempt(() => this.readInteger());
  }

  get number(): number | undefined {
    return this.#attempt(() => {
      const type = this.#stripped();
      if (type.kind === 'base' && type.encoding === encoding.DW_ATE_float) return decodeFloat(this.#scalarBytes(type));
      const integer = this.readInteger();
      return integer === undefined ? undefined : Number(integer);
    });
  }

  #scalarBytes(type: Type): Uint8Array {
    const size = sizeOf(type);
    return readBytes(this.place, this.offset, size, this.context);
  }

  /** The number of an integer, character, boolean, enumeration or pointer. Throws `Unavailable`. */
  readInteger(): bigint | undefined {
    const type = this.#stripped();
    if (type.kind === 'array' || type.kind === 'function') return this.address;
    if (type.kind !== 'base' && type.kind !== 'pointer' && type.kind !== 'enumeration') return undefined;
    if (
      type.kind === 'base' &&
      (type.encoding === encoding.DW_ATE_float || type.encoding === encoding.DW_ATE_complex_float)
    ) {
      return undefined;
    }
    const size = sizeOf(type);
    if (size === 0 || size > 16) return undefined;
    const count = this.bits?.size ?? size * 8;
    const raw = readBits(this.place, this.bits?.offset ?? this.offset * 8, count, this.context);
    const signed =
      isSigned(type) || (type.kind === 'enumeration' && type.enumerators().some(({ value }) => value < 0n));
    return signed ? BigInt.asIntN(count, raw) : raw;
  }

  get memoryReference(): bigint | undefined {
    const type = this.#attempt(() => this.#stripped());
    return type?.kind === 'pointer' ? this.integer : this.address;
  }

  get text(): string {
    return this.describe(0);
  }

  /** What to show; structures inside structures only to a depth. */
  describe(depth: number): string {
    try {
      if (this.place.kind === 'unavailable') return `<optimised out: ${this.place.reason}>`;
      return this.#describe(this.#stripped(), depth);
    } catch (error) {
      if (error instanceof Unavailable) return `<${error.message}>`;
      if (error instanceof MalformedInput) return `<malformed debugging information: ${error.message}>`;
      throw error;
    }
  }

  #describe(type: Type, depth: number): string {
    switch (type.kind) {
      case 'void':
        return 'void';
      case 'base':
        return this.#describeBase(type);
      case 'pointer':
        return this.#describePointer(type);
      case 'enumeration': {
        const value = this.readInteger() ?? 0n;
        return enumerationText(type, value);
      }
      case 'function': {
        const address = this.address;
        return address === undefined ? 'function' : `{${typeName(this.type)}} ${this.#addressText(address)}`;
      }
      case 'structure':
        return depth >= deepestPreview ? '{...}' : this.#preview(this.children(0, 8), this.childCount, depth);
      case 'array': {
        const text = this.#characterArray(type);
        if (text !== undefined) return text;
        const count = this.childCount;
        return depth >= deepestPreview
          ? `[${count}]`
          : `[${count}] ${this.#preview(this.children(0, 8), count, depth)}`;
      }
      default:
        return '';
    }
  }

  #preview(children: readonly TypedValue[], count: number, depth: number): string {
    let text = '{';
    for (const [i, child] of children.entries()) {
      const part = this.indexed ? child.describe(depth + 1) : `${child.name} = ${child.describe(depth + 1)}`;
      if (text.length + part.length > longestPreview) return `${text}${i === 0 ? '' : ', '}...}`;
      text += (i === 0 ? '' : ', ') + part;
    }
    return `${text}${children.length < count ? ', ...' : ''}}`;
  }

  #describeBase(type: Type & { kind: 'base' }): string {
    if (type.size === 0) return typeName(type);
    if (type.encoding === encoding.DW_ATE_float) {
      const bytes = this.#scalarBytes(type);
      const value = decodeFloat(bytes);
      if (value !== undefined) return floatText(value, type.size);
    }
    const value = this.readInteger();
    if (value === undefined) return hexBytes(this.#scalarBytes(type));
    if (type.encoding === encoding.DW_ATE_boolean)
      return value === 0n ? 'false' : value === 1n ? 'true' : `true (${value})`;
    if (isCharacter(type)) return `${value} ${characterText(Number(value) & 0xff)}`;
    if (type.encoding === encoding.DW_ATE_UTF)
      return `${value} '${value < 0x110000n ? String.fromCodePoint(Number(value)) : '?'}'`;
    return isAddressType(this.type) ? hex(BigInt.asUintN(8 * type.size, value)) : value.toString();
  }

  #addressText(address: bigint): string {
    const symbol = this.context.describeAddress(address);
    return symbol === undefined ? hex(address) : `${hex(address)} <${symbol}>`;
  }

  #describePointer(type: Type & { kind: 'pointer' }): string {
    const address = this.readInteger() ?? 0n;
    const target = strip(type.target());
    if (address === 0n) return '0x0';
    if (isCharacter(target)) {
      const text = this.#stringAt(address);
      return text === undefined ? hex(address) : `${hex(address)} ${text}`;
    }
    return this.#addressText(address);
  }

  /** The zero-terminated string at an address, quoted; `undefined` where memory cannot be read or holds no text. */
  #stringAt(address: bigint): string | undefined {
    // Small pieces first: a string may end just before memory does.
    for (let length = 16, bytes: Uint8Array | undefined; ; length *= 2) {
      const more = this.context.readMemory(address, length);
      if (more === undefined && bytes === undefined && length > 1 && length <= 16) {
        const one = this.context.readMemory(address, 1);
        return one === undefined ? undefined : quoted(one, false);
      }
      if (more === undefined) return undefined;
      bytes = more;
      const end = bytes.indexOf(0);
      if (end >= 0) return quoted(bytes.subarray(0, end), true);
      if (length >= longestString) return quoted(bytes.subarray(0, longestString), false);
    }
  }

  #characterArray(type: Type & { kind: 'array' }): string | undefined {
    if (type.counts.length !== 1 || !isCharacter(strip(type.element()))) return undefined;
    const count = Math.min(type.counts[0] ?? 0, longestString);
    if (count === 0) return undefined;
    const bytes = readBytes(this.place, this.offset, count, this.context);
    const end = bytes.indexOf(0);
    const hasEnd = end >= 0 && bytes.subarray(end).every((byte) => byte === 0);
    return quoted(hasEnd ? bytes.subarray(0, end) : bytes, count === type.counts[0]);
  }

  // Children

  get indexed(): boolean {
    return this.#attempt(() => this.#stripped().kind === 'array') ?? false;
  }

  get childCount(): number {
    return this.#attempt(() => this.#countChildren()) ?? 0;
  }

  #countChildren(): number {
    if (this.place.kind === 'unavailable') return 0;
    const type = this.#stripped();
    if (type.kind === 'array') return Math.min(type.counts[0] ?? 0, mostElements);
    return this.#named(type)?.length ?? 0;
  }

  children(start = 0, count = Infinity): readonly TypedValue[] {
    return (
      this.#attempt(() => {
        const type = this.#stripped();
        if (type.kind === 'array') {
          const last = Math.min(start + count, this.#countChildren());
          return Array.from({ length: Math.max(0, last - start) }, (_, i) => this.element(start + i));
        }
        return this.#named(type)?.slice(start, start + count) ?? [];
      }) ?? []
    );
  }

  /** Children that have names: members, or what a pointer points at. */
  #named(type: Type): TypedValue[] | undefined {
    if (this.place.kind === 'unavailable') return undefined;
    if (type.kind === 'structure') return this.#members(type, 0);
    if (type.kind !== 'pointer') return undefined;
    const target = this.pointee();
    const targetType = target === undefined ? undefined : strip(target.type);
    if (
      target === undefined ||
      targetType === undefined ||
      targetType.kind === 'void' ||
      targetType.kind === 'function'
    )
      return undefined;
    if (targetType.kind === 'structure') return target.#members(targetType, 0);
    return sizeOf(targetType) === 0 ? undefined : [target];
  }

  /** What a pointer points at; `undefined` for a null pointer. Throws `Unavailable`. */
  pointee(): TypedValue | undefined {
    const type = this.#stripped();
    if (type.kind === 'array') return this.element(0);
    if (type.kind !== 'pointer') return undefined;
    const address = this.readInteger();
    if (address === undefined || address === 0n) return undefined;
    const expression = this.expression === undefined ? undefined : `*${wrapped(this.expression)}`;
    return new TypedValue(
      this.context,
      `*${this.name}`,
      type.target(),
      { kind: 'memory', address },
      0,
      undefined,
      expression,
    );
  }

  element(index: number): TypedValue {
    const type = this.#stripped();
    if (type.kind !== 'array') throw new MalformedInput('an array expected');
    const element = elementOf(type);
    const offset = this.offset + index * sizeOf(element);
    const expression = this.expression === undefined ? undefined : `${wrapped(this.expression)}[${index}]`;
    return new TypedValue(this.context, `[${index}]`, element, this.place, offset, undefined, expression);
  }

  /** A member, also of an anonymous structure inside; `undefined` when there is none of that name. */
  member(name: string): TypedValue | undefined {
    const type = this.#stripped();
    return type.kind === 'structure' ? this.#members(type, 0).find((member) => member.name === name) : undefined;
  }

  #members(type: StructureType, depth: number): TypedValue[] {
    const found = type.members().flatMap((member) => this.#member(member, depth));
    const part = type.variants();
    if (part !== undefined) {
      const actual = part.discriminant === undefined ? undefined : this.#child(part.discriminant).integer;
      const byValue = part.variants.find(({ value }) => value !== undefined && value === actual);
      const active = byValue ?? part.variants.find(({ value }) => value === undefined) ?? undefined;
      if (active !== undefined) found.push(...this.#member(active.member, depth));
    }
    return found;
  }

  #member(member: Member, depth: number): TypedValue[] {
    const child = this.#child(member);
    if (member.name !== '') return [child];
    const type = strip(member.type());
    if (type.kind !== 'structure' || depth > longestTypeChain) return [];
    return child.#members(type, depth + 1);
  }

  #child(member: Member): TypedValue {
    const offset = this.offset + member.offset;
    const bits =
      member.bits === undefined ? undefined : { offset: this.offset * 8 + member.bits.offset, size: member.bits.size };
    return new TypedValue(
      this.context,
      member.name,
      member.type(),
      this.place,
      offset,
      bits,
      this.#memberExpression(member.name),
    );
  }

  #memberExpression(name: string): string | undefined {
    if (this.expression === undefined || name === '') return this.expression;
    // `(*p).m` is `p->m`.
    const through = /^\*([\w:$.>-]+)$/.exec(this.expression);
    return through === null ? `${wrapped(this.expression)}.${name}` : `${through[1] ?? ''}->${name}`;
  }

  renamed(name: string, expression: string | undefined): TypedValue {
    return new TypedValue(this.context, name, this.type, this.place, this.offset, this.bits, expression);
  }
}

function wrapped(expression: string): string {
  return /^[*&(!~-]/.test(expression) || /\s/.test(expression) ? `(${expression})` : expression;
}

export function hex(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(16)}`;
}

function hexBytes(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** The name of a value, or the flags that it is made of. */
function enumerationText(type: Type & { kind: 'enumeration' }, value: bigint): string {
  const enumerators = type.enumerators();
  const exact = enumerators.find((enumerator) => enumerator.value === value);
  if (exact !== undefined) return `${exact.name} (${value})`;
  const flags = enumerators.filter(
    (e) => e.value > 0n && (e.value & (e.value - 1n)) === 0n && (value & e.value) !== 0n,
  );
  const covered = flags.reduce((all, { value: flag }) => all | flag, 0n);
  return covered === value && flags.length > 0
    ? `${flags.map(({ name }) => name).join(' | ')} (${value})`
    : value.toString();
}

const escapes: Readonly<Record<number, string>> = { 0: '\\0', 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 92: '\\\\' };

function characterText(byte: number): string {
  if (byte === 39) return "'\\''";
  const plain = byte >= 32 && byte < 127 && byte !== 92 ? String.fromCharCode(byte) : undefined;
  return `'${plain ?? escapes[byte] ?? `\\x${byte.toString(16).padStart(2, '0')}`}'`;
}

function quoted(bytes: Uint8Array, isWhole: boolean): string {
  let text = '';
  for (const character of decodeUtf8(bytes, 0, bytes.length)) {
    const point = character.codePointAt(0) ?? 0;
    if (point === 39) text += character;
    else
      text += escapes[point] ?? (point < 32 || point === 127 ? `\\x${point.toString(16).padStart(2, '0')}` : character);
  }
  return `"${text}"${isWhole ? '' : '...'}`;
}

export { pointerSize };
