// ELF images: header, sections, segments. [ELF gABI, chapters 4 and 5; RISC-V psABI, 8]
// What is needed to tell the user "this is not a RISC-V 64 image" is an error; all other damage becomes a problem.
import { Cursor, MalformedInput, stringAt } from './bytes';
import { SymbolError } from './contract';
import { inflateZlib } from './inflate';
import type { Problems } from './problems';

export const sectionFlag = { write: 1, alloc: 2, execute: 4, compressed: 0x800 } as const;
export const sectionType = { symbolTable: 2, noBits: 8 } as const;
const segmentLoad = 1;
const machineRiscv = 243;
const compressionZlib = 1;
/** A section that claims to inflate to more than this is taken for damage. */
const largestInflated = 2 ** 31;
/** No compressor of the supported kind gets beyond 1032 to 1. */
const greatestRatio = 1100;

const machineNames: Readonly<Record<number, string>> = {
  3: 'x86',
  8: 'MIPS',
  20: 'PowerPC',
  21: 'PowerPC 64',
  22: 'S/390',
  40: 'ARM',
  62: 'x86-64',
  183: 'AArch64',
  243: 'RISC-V',
  247: 'BPF',
  258: 'LoongArch',
};

export interface Section {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

export interface LoadSegment {
  readonly address: number;
  readonly physicalAddress: number;
  readonly offset: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly flags: number;
}

export interface ElfImage {
  readonly bytes: Uint8Array;
  readonly entry: number;
  readonly relocatable: boolean;
  readonly sections: readonly Section[];
  readonly segments: readonly LoadSegment[];
  /** Contents of the first section of that name, decompressed; `undefined` when it is absent or damaged. */
  sectionBytes(name: string): Uint8Array | undefined;
  section(name: string): Section | undefined;
}

/** Throws `SymbolError` unless `bytes` start like a little-endian 64-bit RISC-V ELF file. */
function checkIdentity(bytes: Uint8Array, name: string): void {
  const expected = 'expected a 64-bit little-endian RISC-V ELF file';
  if (bytes.length < 4 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) {
    const found = bytes.length === 0 ? 'an empty file' : `a file that begins with ${hexBytes(bytes.subarray(0, 4))}`;
    throw new SymbolError(
      `${name}: ${expected}, found ${found}. Name the linked guest itself, not an image made from it.`,
    );
  }
  const elfClass = bytes[4];
  if (elfClass === 1) throw new SymbolError(`${name}: ${expected}, found a 32-bit one. Build the guest for rv64.`);
  if (elfClass !== 2) throw new SymbolError(`${name}: ${expected}, found ELF class ${elfClass ?? 'missing'}.`);
  if (bytes[5] === 2) throw new SymbolError(`${name}: ${expected}, found a big-endian one.`);
  if (bytes[5] !== 1) throw new SymbolError(`${name}: ${expected}, found byte order ${bytes[5] ?? 'missing'}.`);
  if (bytes.length < 64) {
    throw new SymbolError(`${name}: ${expected}, found a file of ${bytes.length} bytes that ends inside its header.`);
  }
  const machine = (bytes[18] ?? 0) | ((bytes[19] ?? 0) << 8);
  if (machine !== machineRiscv) {
    throw new SymbolError(`${name}: ${expected}, found machine ${machineNames[machine] ?? 'number'} (${machine}).`);
  }
}

function hexBytes(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

export function readElf(bytes: Uint8Array, name: string, problems: Problems): ElfImage {
  checkIdentity(bytes, name);
  const header = new Cursor(bytes, 16);
  const type = header.u16();
  header.skip(6);
  const entry = header.address(8);
  const segmentOffset = header.size64();
  const sectionOffset = header.size64();
  header.skip(6);
  const segmentEntry = header.u16();
  const segmentCount = header.u16();
  const sectionEntry = header.u16();
  let sectionCount = header.u16();
  let nameIndex = header.u16();
  // Section 0 holds the numbers that do not fit the header. [ELF gABI, 4, e_shnum and e_shstrndx]
  if (sectionOffset !== 0 && (sectionCount === 0 || nameIndex === 0xffff) && sectionOffset + 64 <= bytes.length) {
    const first = new Cursor(bytes, sectionOffset + 32);
    if (sectionCount === 0) sectionCount = first.size64();
    else first.skip(8);
    if (nameIndex === 0xffff) nameIndex = first.u32();
  }
  const segments = readTable(
    bytes,
    segmentOffset,
    segmentCount,
    segmentEntry,
    56,
    'program header',
    problems,
    readSegment,
  );
  const raw = readTable(bytes, sectionOffset, sectionCount, sectionEntry, 64, 'section header', problems, readSection);
  const nameTable = raw[nameIndex];
  const names = nameTable === undefined ? new Uint8Array(0) : (fileBytes(bytes, nameTable) ?? new Uint8Array(0));
  const sections = raw.map((section, index): Section => ({
    ...section,
    index,
    name: stringAt(names, section.nameOffset),
  }));
  const byName = new Map<string, Section>();
  for (const section of sections) if (!byName.has(section.name)) byName.set(section.name, section);
  const relocatable = type === 1;
  if (relocatable)
    problems.add('the image is a relocatable object: addresses and debugging information need linking first');
  const contents = new Map<string, Uint8Array | undefined>();
  return {
    bytes,
    entry,
    relocatable,
    sections,
    segments: segments.filter((segment) => segment.type === segmentLoad && segment.memorySize > 0),
    section: (sectionName) => byName.get(sectionName),
    sectionBytes(sectionName) {
      if (!contents.has(sectionName)) {
        const section = byName.get(sectionName);
        contents.set(sectionName, section === undefined ? undefined : sectionContents(bytes, section, problems));
      }
      return contents.get(sectionName);
    },
  };
}

function readTable<Row>(
  bytes: Uint8Array,
  offset: number,
  count: number,
  entrySize: number,
  expectedSize: number,
  what: string,
  problems: Problems,
  read: (cursor: Cursor) => Row,
): Row[] {
  if (count === 0 || offset === 0) return [];
  if (entrySize !== expectedSize) {
    problems.add(`${what}s: entries of ${expectedSize} bytes expected, found ${entrySize}; they are ignored`);
    return [];
  }
  const there = Math.max(0, Math.min(count, Math.floor((bytes.length - offset) / expectedSize)));
  if (there < count) problems.add(`${what}s: ${count} expected, the file ends after ${there}`);
  return Array.from({ length: there }, (_, i) => read(new Cursor(bytes, offset + i * expectedSize)));
}

function readSegment(cursor: Cursor): LoadSegment & { type: number } {
  const type = cursor.u32();
  const flags = cursor.u32();
  const offset = cursor.size64();
  const address = cursor.address(8);
  const physicalAddress = cursor.address(8);
  return { type, flags, offset, address, physicalAddress, fileSize: cursor.size64(), memorySize: cursor.size64() };
}

function readSection(cursor: Cursor): Omit<Section, 'name' | 'index'> & { nameOffset: number } {
  const nameOffset = cursor.u32();
  const type = cursor.u32();
  const flags = cursor.size64();
  const address = cursor.address(8);
  const offset = cursor.size64();
  const size = cursor.size64();
  return { nameOffset, type, flags: flags % 0x1_0000_0000, address, offset, size, link: cursor.u32() };
}

/** The section's bytes in the file as far as they are there; `undefined` when it has none. */
function fileBytes(bytes: Uint8Array, section: { type: number; offset: number; size: number }): Uint8Array | undefined {
  if (section.type === sectionType.noBits || section.offset >= bytes.length) return undefined;
  return bytes.subarray(section.offset, Math.min(bytes.length, section.offset + section.size));
}

function sectionContents(bytes: Uint8Array, section: Section, problems: Problems): Uint8Array | undefined {
  const stored = fileBytes(bytes, section);
  if (stored === undefined) {
    if (section.type !== sectionType.noBits) problems.add(`section ${section.name}: it lies outside of the file`);
    return undefined;
  }
  if (stored.length < section.size) {
    problems.add(`section ${section.name}: ${section.size} bytes expected, the file ends after ${stored.length}`);
  }
  if ((section.flags & sectionFlag.compressed) === 0) return stored;
  try {
    const header = new Cursor(stored);
    const type = header.u32();
    header.skip(4);
    const size = header.size64();
    header.skip(8);
    if (type !== compressionZlib) {
      const kind = type === 2 ? 'zstd' : `method ${type}`;
      problems.add(
        `section ${section.name}: zlib expected, found ${kind}; link with --compress-debug-sections=zlib or none`,
      );
      return undefined;
    }
    if (size > largestInflated || size > stored.length * greatestRatio) {
      throw new MalformedInput(`it claims to hold ${size} bytes`);
    }
    return inflateZlib(stored.subarray(header.offset), size);
  } catch (error) {
    if (!(error instanceof MalformedInput)) throw error;
    problems.add(`section ${section.name}: ${error.message}; its contents are not available`);
    return undefined;
  }
}
