// What names mean in a frame: variables, enumerators, functions, symbols, registers and types.
import type { ElfSymbol, FrameContext, ReadMemory } from '../contract';
import { at, encoding, tag } from '../dwarf/constants';
import { registerName, registerNumber } from '../dwarf/expressions';
import { baseType, pointerTo, type Type } from '../dwarf/types';
import { toNumber } from '../bytes';
import { TypedValue } from '../typed-value';
import { findNearVariable, findVariable, readEntry, valueContext, type VariableImage } from '../variables';
import { doubleType, integerValue, unsignedLongType } from './arithmetic';
import type { Environment } from './evaluate';

const tagsOfKeywords: Readonly<Record<string, number>> = {
  struct: tag.DW_TAG_structure_type,
  union: tag.DW_TAG_union_type,
  class: tag.DW_TAG_class_type,
  enum: tag.DW_TAG_enumeration_type,
};

export function environmentOf(
  image: VariableImage,
  frame: FrameContext,
  readMemory: ReadMemory,
  symbolNamed: (name: string) => ElfSymbol | undefined,
): Environment {
  const context = valueContext(image, frame, readMemory);
  const { search } = image.types;

  const enumerator = (name: string): TypedValue | undefined => {
    const unit = image.dwarf.unitAt(toNumber(frame.lookupPc - image.loadBias));
    if (unit === undefined) return undefined;
    for (const child of unit.root.children()) {
      if (child.tag !== tag.DW_TAG_enumeration_type) continue;
      const type = image.types.of(child);
      const found = type.kind === 'enumeration' ? type.enumerators().find((row) => row.name === name) : undefined;
      if (found !== undefined) return integerValue(context, type, found.value);
    }
    return undefined;
  };

  const symbolValue = (name: string): TypedValue | undefined => {
    const symbol = symbolNamed(name);
    if (symbol === undefined) return undefined;
    const place = { kind: 'memory', address: symbol.address } as const;
    const declared = search.declaredVariable(name);
    const make = (type: Type) => new TypedValue(context, name, type, place, 0, undefined, name);
    if (symbol.kind === 'function') return make(functionType(image, symbol));
    // Defined where there is no debugging information, as by the linker script, but declared in C.
    if (declared !== undefined) return make(image.types.ofEntry(declared));
    const size = Number(symbol.size);
    const byte = baseType('unsigned char', 1, encoding.DW_ATE_unsigned_char);
    if (size === 0)
      return integerValue(
        context,
        pointerTo(() => ({ kind: 'void' })),
        symbol.address,
      );
    if (size === 2 || size === 4 || size === 8)
      return make(baseType(`unknown of ${size} bytes`, size, encoding.DW_ATE_unsigned));
    return make({ kind: 'array', element: () => byte, counts: [size] });
  };

  return {
    context,
    variable(name) {
      const entry = findVariable(image, frame, name);
      return entry === undefined
        ? (enumerator(name) ?? symbolValue(name))
        : readEntry(image, entry, name, frame, readMemory);
    },
    isNearVariable: (name) => findNearVariable(image, frame, name) !== undefined,
    register(name) {
      const { registers } = frame;
      if (name === 'pc') return new TypedValue(context, '$pc', codePointer, bytesOf(registers.pc), 0, undefined, '$pc');
      const number = registerNumber(name);
      if (number === undefined) {
        const value = registers.named?.(name);
        return value === undefined
          ? undefined
          : new TypedValue(context, `$${name}`, unsignedLongType, bytesOf(value), 0, undefined, `$${name}`);
      }
      const place = { kind: 'register', register: number } as const;
      const type = number === 2 || number === 8 ? stackPointerType : number >= 32 ? doubleType : unsignedLongType;
      return new TypedValue(context, `$${registerName(number)}`, type, place, 0, undefined, `$${name}`);
    },
    namedType(name) {
      const entry = search.plainType(name);
      return entry === undefined ? undefined : image.types.of(entry);
    },
    taggedType(keyword, name) {
      const entry = search.definition(tagsOfKeywords[keyword] ?? 0, name);
      return entry === undefined ? undefined : image.types.of(entry);
    },
  };
}

const voidType: Type = { kind: 'void' };
const codePointer: Type = pointerTo(() => ({ kind: 'function', result: () => voidType, parameters: () => [] }));
const stackPointerType: Type = pointerTo(() => voidType);

function bytesOf(value: bigint): { readonly kind: 'bytes'; readonly bytes: Uint8Array } {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return { kind: 'bytes', bytes };
}

function functionType(image: VariableImage, symbol: ElfSymbol): Type {
  const address = toNumber(symbol.address - image.loadBias);
  const unit = image.dwarf.unitAt(address);
  const scope = unit === undefined ? undefined : image.dwarf.functions.functionAt(unit, address);
  const entry = scope?.entry.reference(at.DW_AT_abstract_origin) ?? scope?.entry;
  return entry === undefined
    ? { kind: 'function', result: () => voidType, parameters: () => [] }
    : image.types.of(entry);
}
