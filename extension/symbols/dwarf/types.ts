// Types of the guest's objects, resolved step by step: a kernel's types form one large cyclic graph. [DWARF 5, chapter 5]
import { MalformedInput } from '../bytes';
import { at, encoding, tag } from './constants';
import type { NameSearch } from './name-search';
import { isC } from './functions';
import type { Entry } from './units';

export type Qualifier = 'const' | 'volatile' | 'restrict' | 'atomic';

export type Type =
  | { readonly kind: 'void' }
  | { readonly kind: 'base'; readonly name: string; readonly size: number; readonly encoding: number }
  | {
      readonly kind: 'pointer';
      /** The compiler's own name, which Rust has. */
      readonly name: string | undefined;
      readonly symbol: '*' | '&' | '&&';
      readonly target: () => Type;
    }
  | StructureType
  | { readonly kind: 'array'; readonly element: () => Type; readonly counts: readonly (number | undefined)[] }
  | {
      readonly kind: 'enumeration';
      readonly name: string | undefined;
      readonly isPlain: boolean;
      readonly size: number;
      readonly enumerators: () => readonly Enumerator[];
    }
  | { readonly kind: 'typedef'; readonly name: string; readonly target: () => Type }
  | { readonly kind: 'qualified'; readonly qualifier: Qualifier; readonly target: () => Type }
  | { readonly kind: 'function'; readonly result: () => Type; readonly parameters: () => readonly Type[] };

export interface StructureType {
  readonly kind: 'structure';
  readonly keyword: 'struct' | 'union' | 'class';
  readonly name: string | undefined;
  /** The language names it without its keyword, as all but C do. */
  readonly isPlain: boolean;
  /** Bytes; 0 for a declaration without a body. */
  readonly size: number;
  readonly members: () => readonly Member[];
  readonly variants: () => VariantPart | undefined;
}

export interface Member {
  /** Empty for an anonymous structure or union, whose members count as the outer ones. */
  readonly name: string;
  readonly type: () => Type;
  /** Bytes from the start of the structure. */
  readonly offset: number;
  /** For bit fields: bits from the start of the structure, and how many. */
  readonly bits: { readonly offset: number; readonly size: number } | undefined;
}

export interface Enumerator {
  readonly name: string;
  readonly value: bigint;
}

/** A tagged union, as Rust's enumerations are. [DWARF 5, 5.7.10] */
export interface VariantPart {
  readonly discriminant: Member | undefined;
  /** `value` undefined: the variant for all other values. */
  readonly variants: readonly { readonly value: bigint | undefined; readonly member: Member }[];
}

export const pointerSize = 8;
const longestChain = 64;
const mostDimensions = 16;
const voidType: Type = { kind: 'void' };

export function baseType(name: string, size: number, kind: number): Type {
  return { kind: 'base', name, size, encoding: kind };
}

export function pointerTo(target: () => Type): Type {
  return { kind: 'pointer', name: undefined, symbol: '*', target };
}

const qualifiers: ReadonlyMap<number, Qualifier> = new Map([
  [tag.DW_TAG_const_type, 'const'],
  [tag.DW_TAG_volatile_type, 'volatile'],
  [tag.DW_TAG_restrict_type, 'restrict'],
  [tag.DW_TAG_atomic_type, 'atomic'],
  [tag.DW_TAG_immutable_type, 'const'],
]);

const pointerSymbols: ReadonlyMap<number, '*' | '&' | '&&'> = new Map([
  [tag.DW_TAG_pointer_type, '*'],
  [tag.DW_TAG_ptr_to_member_type, '*'],
  [tag.DW_TAG_reference_type, '&'],
  [tag.DW_TAG_rvalue_reference_type, '&&'],
]);

const structureKeywords: ReadonlyMap<number, StructureType['keyword']> = new Map([
  [tag.DW_TAG_structure_type, 'struct'],
  [tag.DW_TAG_union_type, 'union'],
  [tag.DW_TAG_class_type, 'class'],
  [tag.DW_TAG_interface_type, 'class'],
]);

export class Types {
  readonly #cache = new Map<Entry['offset'], Type>();

  constructor(readonly search: NameSearch) {}

  /** The type that an attribute of an entry refers to; without one, void. */
  ofEntry(entry: Entry): Type {
    const reference = entry.reference(at.DW_AT_type);
    return reference === undefined ? voidType : this.of(reference);
  }

  of(entry: Entry): Type {
    // Offsets of type units in a section of their own may coincide with others: those are not remembered.
    const isShared = entry.unit.info.unitAt(entry.offset) === entry.unit;
    const known = isShared ? this.#cache.get(entry.offset) : undefined;
    if (known !== undefined) return known;
    const type = this.#make(entry);
    if (this.#cache.size > 20_000) this.#cache.clear();
    if (isShared) this.#cache.set(entry.offset, type);
    return type;
  }

  #make(entry: Entry): Type {
    const target = once(() => this.ofEntry(entry));
    const qualifier = qualifiers.get(entry.tag);
    if (qualifier !== undefined) return { kind: 'qualified', qualifier, target };
    const symbol = pointerSymbols.get(entry.tag);
    if (symbol !== undefined) return { kind: 'pointer', name: entry.text(at.DW_AT_name), symbol, target };
    const keyword = structureKeywords.get(entry.tag);
    if (keyword !== undefined) return this.#structure(entry, keyword);
    switch (entry.tag) {
      case tag.DW_TAG_base_type:
        return baseType(
          entry.text(at.DW_AT_name) ?? '(unnamed)',
          entry.number(at.DW_AT_byte_size) ?? Math.ceil((entry.number(at.DW_AT_bit_size) ?? 0) / 8),
          entry.number(at.DW_AT_encoding) ?? 0,
        );
      case tag.DW_TAG_unspecified_type:
        return baseType(entry.text(at.DW_AT_name) ?? 'void', 0, 0);
      case tag.DW_TAG_typedef:
        return { kind: 'typedef', name: entry.text(at.DW_AT_name) ?? '(unnamed)', target };
      case tag.DW_TAG_array_type:
        return { kind: 'array', element: target, counts: arrayCounts(entry) };
      case tag.DW_TAG_enumeration_type:
        return {
          kind: 'enumeration',
          name: entry.text(at.DW_AT_name),
          isPlain: !isC(entry.unit),
          size: entry.number(at.DW_AT_byte_size) ?? sizeOf(target()),
          enumerators: once(() => readEnumerators(entry)),
        };
      case tag.DW_TAG_subroutine_type:
      case tag.DW_TAG_subprogram:
        return { kind: 'function', result: target, parameters: once(() => this.#parameters(entry)) };
      default:
        return baseType(
          entry.text(at.DW_AT_name) ?? `(type of tag 0x${entry.tag.toString(16)})`,
          entry.number(at.DW_AT_byte_size) ?? 0,
          0,
        );
    }
  }

  #structure(entry: Entry, keyword: StructureType['keyword']): Type {
    const name = entry.text(at.DW_AT_name);
    if (entry.flag(at.DW_AT_declaration)) {
      const signature = entry.reference(at.DW_AT_signature);
      const definition = signature ?? (name === undefined ? undefined : this.search.definition(entry.tag, name));
      if (definition !== undefined && definition.offset !== entry.offset && !definition.flag(at.DW_AT_declaration)) {
        return this.of(definition);
      }
    }
    return {
      kind: 'structure',
      keyword,
      name,
      isPlain: !isC(entry.unit),
      size: entry.number(at.DW_AT_byte_size) ?? 0,
      members: once(() => this.#members(entry)),
      variants: once(() => this.#variants(entry)),
    };
  }

  #members(entry: Entry): Member[] {
    const members: Member[] = [];
    for (const child of entry.children()) {
      if (child.tag === tag.DW_TAG_inheritance) {
        const type = once(() => this.ofEntry(child));
        members.push({ ...this.#member(child), name: typeName(type()), type });
      } else if (child.tag === tag.DW_TAG_member && !child.has(at.DW_AT_external) && !child.has(at.DW_AT_declaration)) {
        members.push(this.#member(child));
      }
    }
    return members;
  }

  #member(entry: Entry): Member {
    const type = once(() => this.ofEntry(entry));
    const offset = memberOffset(entry);
    const size = entry.number(at.DW_AT_bit_size);
    const bits = size === undefined ? undefined : { size, offset: bitOffset(entry, offset, size, type) };
    return { name: entry.text(at.DW_AT_name) ?? '', type, offset, bits };
  }

  #variants(entry: Entry): VariantPart | undefined {
    for (const child of entry.children()) {
      if (child.tag !== tag.DW_TAG_variant_part) continue;
      const discriminant = child.reference(at.DW_AT_discr);
      const variants: { value: bigint | undefined; member: Member }[] = [];
      for (const variant of child.children()) {
        if (variant.tag !== tag.DW_TAG_variant) continue;
        for (const member of variant.children()) {
          if (member.tag !== tag.DW_TAG_member) continue;
          variants.push({ value: variant.integer(at.DW_AT_discr_value), member: this.#member(member) });
        }
      }
      return { discriminant: discriminant === undefined ? undefined : this.#member(discriminant), variants };
    }
    return undefined;
  }

  #parameters(entry: Entry): Type[] {
    const parameters: Type[] = [];
    for (const child of entry.children()) {
      if (child.tag === tag.DW_TAG_formal_parameter) parameters.push(this.ofEntry(child));
    }
    return parameters;
  }
}

/** Computes a value when it is first asked for. */
function once<Result>(make: () => Result): () => Result {
  let made: { readonly value: Result } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** Dimensions of an array, outermost first; undefined where the source gives none. */
function arrayCounts(entry: Entry): (number | undefined)[] {
  const counts: (number | undefined)[] = [];
  for (const child of entry.children()) {
    if (child.tag !== tag.DW_TAG_subrange_type) continue;
    const count = child.number(at.DW_AT_count);
    const upper = upperBound(child);
    counts.push(count ?? (upper === undefined ? undefined : upper - (child.number(at.DW_AT_lower_bound) ?? 0) + 1));
    if (counts.length >= mostDimensions) break;
  }
  return counts.length === 0
    ? [undefined]
    : counts.map((count) => (count === undefined || count < 0 ? undefined : count));
}

/** gcc writes the upper bound -1 of an empty array as an unsigned number. */
function upperBound(entry: Entry): number | undefined {
  const upper = entry.integer(at.DW_AT_upper_bound);
  return upper === undefined ? undefined : upper >= 2n ** 63n || upper === 0xffffffffn ? -1 : Number(upper);
}

function readEnumerators(entry: Entry): Enumerator[] {
  const enumerators: Enumerator[] = [];
  for (const child of entry.children()) {
    const value = child.tag === tag.DW_TAG_enumerator ? child.integer(at.DW_AT_const_value) : undefined;
    if (value !== undefined) enumerators.push({ name: child.text(at.DW_AT_name) ?? '', value });
  }
  return enumerators;
}

/** A constant, or in DWARF 2 an expression that adds one. */
function memberOffset(entry: Entry): number {
  const constant = entry.number(at.DW_AT_data_member_location);
  if (constant !== undefined) return constant;
  const block = entry.block(at.DW_AT_data_member_location);
  if (block === undefined || block[0] !== 0x23) return 0;
  let value = 0;
  for (let i = 1, scale = 1; i < block.length && i < 9; i++, scale *= 128) value += ((block[i] ?? 0) & 0x7f) * scale;
  return value;
}

/** Bits from the start of the structure. Older producers count from the most significant end of the storage unit. */
function bitOffset(entry: Entry, byteOffset: number, size: number, type: () => Type): number {
  const direct = entry.number(at.DW_AT_data_bit_offset);
  if (direct !== undefined) return direct;
  const fromTop = entry.number(at.DW_AT_bit_offset);
  if (fromTop === undefined) return byteOffset * 8;
  const storage = (entry.number(at.DW_AT_byte_size) ?? sizeOf(type())) * 8;
  return byteOffset * 8 + storage - Number(BigInt.asIntN(32, BigInt(fromTop))) - size;
}

/** The type behind typedefs and qualifiers. */
export function strip(type: Type): Type {
  let step = type;
  for (let i = 0; i < longestChain; i++) {
    if (step.kind !== 'typedef' && step.kind !== 'qualified') return step;
    step = step.target();
  }
  throw new MalformedInput('a type that refers to itself');
}

/** Whether a number is meant as an address: its type goes by such a name (`uintptr_t`, `phys_addr_t`, `vaddr`). */
export function isAddressType(type: Type): boolean {
  let step = type;
  for (let i = 0; i < longestChain && (step.kind === 'typedef' || step.kind === 'qualified'); i++) {
    if (step.kind === 'typedef' && /^uintptr(_t)?$|addr(ess)?(_t)?$/i.test(step.name)) return true;
    step = step.target();
  }
  return false;
}

/** Size in bytes; 0 where it has none or it is not known. */
export function sizeOf(type: Type, depth = 0): number {
  if (depth > longestChain) return 0;
  switch (type.kind) {
    case 'base':
    case 'enumeration':
    case 'structure':
      return type.size;
    case 'pointer':
      return pointerSize;
    case 'array':
      return type.counts.reduce<number>((size, count) => size * (count ?? 0), sizeOf(type.element(), depth + 1));
    case 'typedef':
    case 'qualified':
      return sizeOf(type.target(), depth + 1);
    default:
      return 0;
  }
}

/** The element of an array: an array of one dimension less, where it has several. */
export function elementOf(type: Type & { kind: 'array' }): Type {
  return type.counts.length > 1 ? { ...type, counts: type.counts.slice(1) } : type.element();
}

/** C spelling of a type, or the compiler's own where it has one. */
export function typeName(type: Type): string {
  return declare(type, '', 0);
}

/** Declares `inner` to be of a type, as C does it: inside out. */
function declare(type: Type, inner: string, depth: number): string {
  const joined = (name: string) => (inner === '' ? name : `${name} ${inner}`);
  if (depth > longestChain) return joined('…');
  switch (type.kind) {
    case 'void':
      return joined('void');
    case 'base':
    case 'typedef':
      return joined(type.name);
    case 'enumeration':
      return joined(type.isPlain ? (type.name ?? 'enum {...}') : `enum ${type.name ?? '{...}'}`);
    case 'structure':
      return joined(type.isPlain && type.name !== undefined ? type.name : `${type.keyword} ${type.name ?? '{...}'}`);
    case 'pointer':
      return type.name === undefined ? declarePointer(type, '', inner, depth) : joined(type.name);
    case 'qualified': {
      const target = type.target();
      if (target.kind === 'pointer' && target.name === undefined)
        return declarePointer(target, type.qualifier, inner, depth);
      // Compilers qualify both an array and its elements; C writes it once.
      const element = target.kind === 'array' ? target.element() : undefined;
      const isRepeated = element?.kind === 'qualified' && element.qualifier === type.qualifier;
      return `${isRepeated ? '' : `${type.qualifier} `}${declare(target, inner, depth + 1)}`;
    }
    case 'array':
      return declare(type.element(), `${inner}${type.counts.map((count) => `[${count ?? ''}]`).join('')}`, depth + 1);
    case 'function': {
      const parameters = type.parameters().map((parameter) => declare(parameter, '', depth + 1));
      return declare(type.result(), `${inner}(${parameters.join(', ') || 'void'})`, depth + 1);
    }
  }
}

function declarePointer(type: Type & { kind: 'pointer' }, qualifier: string, inner: string, depth: number): string {
  const target = type.target();
  const spaced = qualifier !== '' && /^\w/.test(inner) ? ` ${inner}` : inner;
  const declarator = `${type.symbol}${qualifier}${spaced}`;
  const wraps = target.kind === 'array' || target.kind === 'function';
  return declare(target, wraps ? `(${declarator})` : declarator, depth + 1);
}

export function isSigned(type: Type): boolean {
  return (
    type.kind === 'base' && (type.encoding === encoding.DW_ATE_signed || type.encoding === encoding.DW_ATE_signed_char)
  );
}

export function isCharacter(type: Type): boolean {
  return (
    type.kind === 'base' &&
    type.size === 1 &&
    (type.encoding === encoding.DW_ATE_signed_char || type.encoding === encoding.DW_ATE_unsigned_char)
  );
}
