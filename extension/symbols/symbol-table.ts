// The ELF symbol table, kept as columns of numbers; names are decoded when they are asked for. [ELF gABI, 4, symbol table]
import { Cursor, encodeUtf8, stringAt, toBigint } from './bytes';
import type { ElfSymbol } from './contract';
import { sectionFlag, sectionType, type ElfImage } from './elf';
import type { Problems } from './problems';

const entrySize = 24;
const symbolType = { none: 0, object: 1, function: 2, section: 3, file: 4, thread: 6 } as const;
const binding = { local: 0, global: 1, weak: 2 } as const;
/** Section indexes from here on are not sections; 0xfff1 is an absolute value. */
const reservedIndexes = 0xff00;

/** Symbols of code and data, ordered by address, the best name last among those that share an address. */
export class SymbolTable {
  readonly #names: Uint8Array;
  readonly #address: Float64Array;
  readonly #size: Float64Array;
  readonly #name: Uint32Array;
  readonly #info: Uint8Array;
  readonly #section: Uint16Array;
  /** Greatest end of this symbol and all before it: how far back a containing one may lie. */
  readonly #reach: Float64Array;
  readonly #sectionEnds = new Map<number, number>();
  readonly count: number;
  #all: readonly ElfSymbol[] | undefined;

  constructor(elf: ElfImage, problems: Problems) {
    const table = elf.sections.find((section) => section.type === sectionType.symbolTable);
    const bytes = table === undefined ? undefined : elf.sectionBytes(table.name);
    const strings = table === undefined ? undefined : elf.sections[table.link];
    this.#names = (strings === undefined ? undefined : elf.sectionBytes(strings.name)) ?? new Uint8Array(0);
    const total = bytes === undefined ? 0 : Math.floor(bytes.length / entrySize);
    if (total === 0) problems.add('there is no symbol table: functions without debugging information have no names');
    const rows: { address: number; size: number; name: number; info: number; section: number; rank: number }[] = [];
    const cursor = new Cursor(bytes ?? new Uint8Array(0));
    for (let i = 0; i < total; i++) {
      cursor.offset = i * entrySize;
      const name = cursor.u32();
      const info = cursor.u8();
      cursor.skip(1);
      const section = cursor.u16();
      const address = cursor.address(8);
      const size = cursor.size64();
      if (!this.#isUseful(name, info, section, elf)) continue;
      const type = info & 15;
      const rank =
        (type === symbolType.function || type === symbolType.object ? 4 : 0) +
        (size > 0 ? 2 : 0) +
        (info >> 4 === binding.local ? 0 : 1);
      rows.push({ address, size, name, info, section, rank });
    }
    for (const section of elf.sections) this.#sectionEnds.set(section.index, section.address + section.size);
    rows.sort((a, b) => a.address - b.address || a.rank - b.rank);
    this.count = rows.length;
    this.#address = Float64Array.from(rows, (row) => row.address);
    this.#size = Float64Array.from(rows, (row) => row.size);
    this.#name = Uint32Array.from(rows, (row) => row.name);
    this.#info = Uint8Array.from(rows, (row) => row.info);
    this.#section = Uint16Array.from(rows, (row) => row.section);
    this.#reach = new Float64Array(rows.length);
    let reach = -Infinity;
    rows.forEach((row, i) => {
      reach = Math.max(reach, row.address + row.size);
      this.#reach[i] = reach;
    });
  }

  #isUseful(name: number, info: number, section: number, elf: ElfImage): boolean {
    const type = info & 15;
    if (type !== symbolType.none && type !== symbolType.object && type !== symbolType.function) return false;
    if (section === 0 || this.#names[name] === undefined || this.#names[name] === 0) return false;
    // `$x`, `$d` mark code and data, `.L` are the assembler's own labels. [RISC-V psABI, 8.4]
    if (this.#names[name] === 0x24 || (this.#names[name] === 0x2e && this.#names[name + 1] === 0x4c)) return false;
    if (section >= reservedIndexes) return type !== symbolType.none;
    return ((elf.sections[section]?.flags ?? 0) & sectionFlag.alloc) !== 0;
  }

  #symbol(index: number): ElfSymbol {
    const info = this.#info[index] ?? 0;
    const type = info & 15;
    return {
      name: stringAt(this.#names, this.#name[index] ?? 0),
      address: toBigint(this.#address[index] ?? 0),
      size: toBigint(this.#size[index] ?? 0),
      kind: type === symbolType.function ? 'function' : type === symbolType.object ? 'object' : 'other',
      binding: info >> 4 === binding.local ? 'local' : info >> 4 === binding.weak ? 'weak' : 'global',
    };
  }

  /**
   * The symbol that contains the address. Otherwise a symbol without a size reaches to the next one, or to the end of its
   * section. `undefined` in gaps behind a symbol whose size is known.
   */
  at(address: number): { symbol: ElfSymbol; offset: number } | undefined {
    const nearest = this.#above(address) - 1;
    let open: number | undefined;
    for (let i = nearest; i >= 0; i--) {
      const start = this.#address[i] ?? 0;
      const size = this.#size[i] ?? 0;
      if (address < start + size) return { symbol: this.#symbol(i), offset: address - start };
      if (size === 0 && open === undefined && start === this.#address[nearest]) open = i;
      if ((this.#reach[i] ?? 0) <= address && start !== this.#address[nearest]) break;
    }
    if (open === undefined || address >= (this.#sectionEnds.get(this.#section[open] ?? 0) ?? -Infinity))
      return undefined;
    return { symbol: this.#symbol(open), offset: address - (this.#address[open] ?? 0) };
  }

  /**
   * Extent of the function around an address: to its size or, without one, to the next symbol or the end of the section.
   */
  functionAround(address: number): { low: number; high: number; name: string } | undefined {
    const found = this.at(address);
    if (found === undefined || found.symbol.kind === 'object') return undefined;
    const low = address - found.offset;
    const size = Number(found.symbol.size);
    if (size > 0) return { low, high: low + size, name: found.symbol.name };
    const next = this.#above(address);
    const end = this.#sectionEnds.get(this.#section[next - 1] ?? 0) ?? address;
    return { low, high: Math.min(this.#address[next] ?? Infinity, end), name: found.symbol.name };
  }

  /** Number of symbols at or below an address. */
  #above(address: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#address[middle] ?? 0) <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Names are compared in place: one pass over a kernel's table costs about a millisecond, an index many megabytes. */
  named(name: string): ElfSymbol | undefined {
    const wanted = encodeUtf8(name);
    let found: number | undefined;
    for (let i = 0; i < this.count; i++) {
      const start = this.#name[i] ?? 0;
      if (this.#names[start] !== wanted[0] || this.#names[start + wanted.length] !== 0) continue;
      if (!wanted.every((byte, k) => this.#names[start + k] === byte)) continue;
      const isLocal = (this.#info[i] ?? 0) >> 4 === binding.local;
      if (!isLocal) return this.#symbol(i);
      found ??= i;
    }
    return found === undefined ? undefined : this.#symbol(found);
  }

  all(): readonly ElfSymbol[] {
    if (this.#all === undefined) {
      const symbols: ElfSymbol[] = [];
      for (let i = 0; i < this.count; i++) {
        if (((this.#info[i] ?? 0) & 15) !== symbolType.none) symbols.push(this.#symbol(i));
      }
      this.#all = symbols;
    }
    return this.#all;
  }
}
