// The debugging sections of one image, empty where absent, and the strings and addresses that units refer to by offset or index.
import { Cursor, MalformedInput, stringAt, stringEnd } from '../bytes';
import type { ElfImage } from '../elf';

const sectionNames = {
  info: '.debug_info',
  types: '.debug_types',
  abbrev: '.debug_abbrev',
  str: '.debug_str',
  lineStr: '.debug_line_str',
  line: '.debug_line',
  ranges: '.debug_ranges',
  rnglists: '.debug_rnglists',
  loc: '.debug_loc',
  loclists: '.debug_loclists',
  addr: '.debug_addr',
  strOffsets: '.debug_str_offsets',
  aranges: '.debug_aranges',
  frame: '.debug_frame',
  ehFrame: '.eh_frame',
} as const;

export type DebugSectionName = keyof typeof sectionNames;

/** Contents are decompressed only when first used. */
export class DebugSections {
  readonly #contents = new Map<DebugSectionName, Uint8Array>();

  constructor(readonly elf: ElfImage) {}

  has(name: DebugSectionName): boolean {
    return this.elf.section(sectionNames[name]) !== undefined;
  }

  get(name: DebugSectionName): Uint8Array {
    let bytes = this.#contents.get(name);
    if (bytes === undefined) {
      bytes = this.elf.sectionBytes(sectionNames[name]) ?? new Uint8Array(0);
      this.#contents.set(name, bytes);
    }
    return bytes;
  }

  /** Link address of the section itself, which `.eh_frame` pointers are relative to. */
  address(name: DebugSectionName): number {
    return this.elf.section(sectionNames[name])?.address ?? 0;
  }

  string(name: 'str' | 'lineStr', offset: number): string {
    return stringAt(this.get(name), offset);
  }

  /** Whether the string at the offset is exactly these bytes; saves decoding when searching. */
  stringIs(name: 'str' | 'lineStr', offset: number, wanted: Uint8Array): boolean {
    const bytes = this.get(name);
    if (stringEnd(bytes, offset, Math.min(bytes.length, offset + wanted.length + 1)) !== offset + wanted.length)
      return false;
    for (let i = 0; i < wanted.length; i++) if (bytes[offset + i] !== wanted[i]) return false;
    return true;
  }

  /** Entry of `.debug_addr`. [DWARF 5, 7.27] */
  indexedAddress(base: number | undefined, index: number): number {
    const bytes = this.get('addr');
    // Without a base the unit is the only one: its entries follow the section's 8-byte header.
    const offset = (base ?? 8) + index * 8;
    if (offset + 8 > bytes.length) throw new MalformedInput(`address number ${index} lies outside of .debug_addr`);
    return new Cursor(bytes, offset).address(8);
  }

  /** Entry of `.debug_str_offsets`. [DWARF 5, 7.26] */
  indexedString(base: number | undefined, index: number, offsetSize: number): number {
    const bytes = this.get('strOffsets');
    const offset = (base ?? 8) + index * offsetSize;
    if (offset + offsetSize > bytes.length)
      throw new MalformedInput(`string number ${index} lies outside of .debug_str_offsets`);
    return new Cursor(bytes, offset).unsigned(offsetSize);
  }
}
