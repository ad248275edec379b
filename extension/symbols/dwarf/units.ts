// Unit headers and debugging information entries. [DWARF 5, 7.5]
// Headers are listed once; entries are decoded where they are asked for and not kept.
import { Cursor, decodeUtf8, MalformedInput } from '../bytes';
import type { Problems } from '../problems';
import { Abbreviations, type Abbreviation, type AbbreviationTable } from './abbreviations';
import { at, form, unitType } from './constants';
import { skipForm, type FormContext } from './forms';
import type { DebugSections } from './sections';

/** Where one attribute of an entry is stored. */
export interface Slot {
  readonly form: number;
  readonly offset: number;
  readonly implicit: bigint | undefined;
}

export class Unit implements FormContext {
  #root: Entry | undefined;
  #bases:
    | { addr: number | undefined; str: number | undefined; rnglists: number | undefined; loclists: number | undefined }
    | undefined;

  constructor(
    readonly info: DebugInformation,
    readonly bytes: Uint8Array,
    readonly view: DataView,
    /** Offset of the header in its section. */
    readonly offset: number,
    readonly end: number,
    readonly version: number,
    readonly offsetSize: 4 | 8,
    readonly type: number,
    readonly abbreviationOffset: number,
    readonly firstEntry: number,
    readonly typeEntry: number | undefined,
  ) {}

  cursor(offset: number): Cursor {
    return new Cursor(this.bytes, offset, this.end, this.view);
  }

  get abbreviations(): AbbreviationTable {
    return this.info.abbreviations.table(this.abbreviationOffset);
  }

  get root(): Entry {
    this.#root ??= this.entry(this.firstEntry);
    return this.#root;
  }

  /** The entry at an offset of the section; a null entry is `undefined`. */
  find(offset: number): Entry | undefined {
    if (!(offset >= this.firstEntry && offset < this.end)) {
      throw new MalformedInput(`entry expected inside of its unit, found a reference to 0x${offset.toString(16)}`);
    }
    const cursor = this.cursor(offset);
    const code = cursor.uleb();
    if (code === 0) return undefined;
    const abbreviation = this.abbreviations.get(code);
    if (abbreviation === undefined) {
      throw new MalformedInput(`entry 0x${offset.toString(16)} uses abbreviation ${code}, which is not defined`);
    }
    return new Entry(this, offset, abbreviation, cursor.offset);
  }

  entry(offset: number): Entry {
    const entry = this.find(offset);
    if (entry === undefined)
      throw new MalformedInput(`entry expected at 0x${offset.toString(16)}, found the end of a list`);
    return entry;
  }

  /** Bases of the indexed forms, which stand in the unit's own entry. [DWARF 5, 3.1.1] */
  get bases(): {
    addr: number | undefined;
    str: number | undefined;
    rnglists: number | undefined;
    loclists: number | undefined;
  } {
    // Set first, so that an indexed form in the unit's own entry does not come back here.
    if (this.#bases === undefined) {
      this.#bases = { addr: undefined, str: undefined, rnglists: undefined, loclists: undefined };
      const root = this.root;
      this.#bases = {
        addr: root.number(at.DW_AT_addr_base) ?? root.number(at.DW_AT_GNU_addr_base),
        str: root.number(at.DW_AT_str_offsets_base),
        rnglists: root.number(at.DW_AT_rnglists_base),
        loclists: root.number(at.DW_AT_loclists_base),
      };
    }
    return this.#bases;
  }
}

export class Entry {
  #offsets: number[] | undefined;

  constructor(
    readonly unit: Unit,
    readonly offset: number,
    readonly abbreviation: Abbreviation,
    /** Where its attributes begin. */
    readonly start: number,
  ) {}

  get tag(): number {
    return this.abbreviation.tag;
  }

  /** Where its attributes end: the first child, or the next entry. */
  get end(): number {
    if (this.abbreviation.fixedSize >= 0 && this.unit.offsetSize === 4) return this.start + this.abbreviation.fixedSize;
    const offsets = this.#locate();
    return offsets[offsets.length - 1] ?? this.start;
  }

  #locate(): number[] {
    if (this.#offsets === undefined) {
      const cursor = this.unit.cursor(this.start);
      const offsets = [this.start];
      for (const attributeForm of this.abbreviation.forms) {
        skipForm(cursor, attributeForm, this.unit);
        offsets.push(cursor.offset);
      }
      this.#offsets = offsets;
    }
    return this.#offsets;
  }

  slot(attribute: number): Slot | undefined {
    const index = this.abbreviation.attributes.indexOf(attribute);
    if (index < 0) return undefined;
    let offset = this.#locate()[index] ?? this.start;
    let attributeForm = this.abbreviation.forms[index] ?? 0;
    while (attributeForm === form.DW_FORM_indirect) {
      const cursor = this.unit.cursor(offset);
      attributeForm = cursor.uleb();
      offset = cursor.offset;
    }
    return { form: attributeForm, offset, implicit: this.abbreviation.implicit[index] };
  }

  has(attribute: number): boolean {
    return this.abbreviation.attributes.includes(attribute);
  }

  #cursor(slot: Slot): Cursor {
    return this.unit.cursor(slot.offset);
  }

  /** A constant, exactly. Fixed-size forms are taken as unsigned: their attributes here never are negative. */
  integer(attribute: number): bigint | undefined {
    const slot = this.slot(attribute);
    if (slot === undefined) return undefined;
    const cursor = this.#cursor(slot);
    switch (slot.form) {
      case form.DW_FORM_data1:
      case form.DW_FORM_flag:
        return BigInt(cursor.u8());
      case form.DW_FORM_data2:
        return BigInt(cursor.u16());
      case form.DW_FORM_data4:
        return BigInt(cursor.u32());
      case form.DW_FORM_data8:
        return cursor.u64();
      case form.DW_FORM_sec_offset:
        return BigInt(cursor.unsigned(this.unit.offsetSize));
      case form.DW_FORM_sdata:
        return cursor.sleb64();
      case form.DW_FORM_udata:
      case form.DW_FORM_loclistx:
      case form.DW_FORM_rnglistx:
        return cursor.uleb64();
      case form.DW_FORM_implicit_const:
        return slot.implicit;
      case form.DW_FORM_flag_present:
        return 1n;
      default:
        return undefined;
    }
  }

  number(attribute: number): number | undefined {
    const value = this.integer(attribute);
    return value === undefined ? undefined : Number(value);
  }

  flag(attribute: number): boolean {
    return (this.number(attribute) ?? 0) !== 0;
  }

  address(attribute: number): number | undefined {
    const slot = this.slot(attribute);
    if (slot === undefined) return undefined;
    const cursor = this.#cursor(slot);
    if (slot.form === form.DW_FORM_addr) return cursor.address(8);
    const index = readIndex(cursor, slot.form, addressIndexForms);
    return index === undefined ? undefined : this.unit.info.sections.indexedAddress(this.unit.bases.addr, index);
  }

  /** Where the string of an attribute is: bytes of `.debug_str`, `.debug_line_str` or the unit itself. */
  textPlace(attribute: number): { section: 'str' | 'lineStr' | 'unit'; offset: number } | undefined {
    const slot = this.slot(attribute);
    if (slot === undefined) return undefined;
    const cursor = this.#cursor(slot);
    switch (slot.form) {
      case form.DW_FORM_string:
        return { section: 'unit', offset: slot.offset };
      case form.DW_FORM_strp:
        return { section: 'str', offset: cursor.unsigned(this.unit.offsetSize) };
      case form.DW_FORM_line_strp:
        return { section: 'lineStr', offset: cursor.unsigned(this.unit.offsetSize) };
      case form.DW_FORM_strp_sup:
      case form.DW_FORM_GNU_strp_alt:
        this.unit.info.problems.add('names in a supplementary file (dwz) are not available');
        return undefined;
      default: {
        const index = readIndex(cursor, slot.form, stringIndexForms);
        if (index === undefined) return undefined;
        const { sections } = this.unit.info;
        return { section: 'str', offset: sections.indexedString(this.unit.bases.str, index, this.unit.offsetSize) };
      }
    }
  }

  text(attribute: number): string | undefined {
    const place = this.textPlace(attribute);
    if (place === undefined) return undefined;
    if (place.section !== 'unit') return this.unit.info.sections.string(place.section, place.offset);
    return decodeUtf8(this.unit.bytes, place.offset, this.unit.cursor(place.offset).skipString());
  }

  /** The bytes of an expression or block. */
  block(attribute: number): Uint8Array | undefined {
    const slot = this.slot(attribute);
    if (slot === undefined) return undefined;
    const cursor = this.#cursor(slot);
    switch (slot.form) {
      case form.DW_FORM_exprloc:
      case form.DW_FORM_block:
        return cursor.block(cursor.uleb());
      case form.DW_FORM_block1:
        return cursor.block(cursor.u8());
      case form.DW_FORM_block2:
        return cursor.block(cursor.u16());
      case form.DW_FORM_block4:
        return cursor.block(cursor.u32());
      case form.DW_FORM_data16:
        return cursor.block(16);
      default:
        return undefined;
    }
  }

  reference(attribute: number): Entry | undefined {
    const slot = this.slot(attribute);
    if (slot === undefined) return undefined;
    const cursor = this.#cursor(slot);
    const { unit } = this;
    switch (slot.form) {
      case form.DW_FORM_ref1:
        return unit.entry(unit.offset + cursor.u8());
      case form.DW_FORM_ref2:
        return unit.entry(unit.offset + cursor.u16());
      case form.DW_FORM_ref4:
        return unit.entry(unit.offset + cursor.u32());
      case form.DW_FORM_ref8:
        return unit.entry(unit.offset + cursor.size64());
      case form.DW_FORM_ref_udata:
        return unit.entry(unit.offset + cursor.uleb());
      case form.DW_FORM_ref_addr:
        return unit.info.entryAt(cursor.unsigned(unit.version <= 2 ? 8 : unit.offsetSize));
      case form.DW_FORM_ref_sig8:
        return unit.info.typeBySignature(cursor.u64());
      default:
        unit.info.problems.add('references into a supplementary file (dwz) are not available');
        return undefined;
    }
  }

  /** Direct children. Subtrees are passed by DW_AT_sibling where there is one. */
  *children(): Generator<Entry> {
    if (!this.abbreviation.hasChildren) return;
    const { unit } = this;
    let offset = this.end;
    while (offset < unit.end) {
      const child = unit.find(offset);
      if (child === undefined) return;
      yield child;
      offset = child.next();
    }
  }

  /** Offset behind this entry and everything below it. */
  next(): number {
    if (!this.abbreviation.hasChildren) return this.end;
    const slot = this.slot(at.DW_AT_sibling);
    if (slot?.form === form.DW_FORM_ref4) {
      const sibling = this.unit.offset + this.#cursor(slot).u32();
      // Only forwards, or a hostile file would never end.
      if (sibling > this.offset && sibling <= this.unit.end) return Math.max(sibling, this.end);
    }
    let depth = 1;
    let offset = this.end;
    while (depth > 0) {
      if (offset >= this.unit.end) return this.unit.end;
      const entry = this.unit.find(offset);
      if (entry === undefined) {
        depth--;
        offset++;
      } else {
        if (entry.abbreviation.hasChildren) depth++;
        offset = entry.end;
      }
    }
    return offset;
  }
}

const addressIndexForms: Readonly<Record<number, number>> = {
  [form.DW_FORM_addrx]: 0,
  [form.DW_FORM_addrx1]: 1,
  [form.DW_FORM_addrx2]: 2,
  [form.DW_FORM_addrx3]: 3,
  [form.DW_FORM_addrx4]: 4,
  [form.DW_FORM_GNU_addr_index]: 0,
};
const stringIndexForms: Readonly<Record<number, number>> = {
  [form.DW_FORM_strx]: 0,
  [form.DW_FORM_strx1]: 1,
  [form.DW_FORM_strx2]: 2,
  [form.DW_FORM_strx3]: 3,
  [form.DW_FORM_strx4]: 4,
  [form.DW_FORM_GNU_str_index]: 0,
};

/** The index that one of the indexed forms holds; sizes are in bytes, 0 for ULEB128. */
function readIndex(cursor: Cursor, attributeForm: number, sizes: Readonly<Record<number, number>>): number | undefined {
  const size = sizes[attributeForm];
  if (size === undefined) return undefined;
  return size === 0 ? cursor.uleb() : size === 3 ? cursor.u24() : cursor.unsigned(size);
}

/**
 * How many entries of range and location lists may still be read. Many entries may point at one long list, so that a small hostile
 * file costs quadratic time; honest lookups stay far below.
 */
export interface Budget {
  left: number;
}

const mostListEntries = 5_000_000;

/** All units of an image. */
export class DebugInformation {
  readonly units: readonly Unit[];
  readonly abbreviations: Abbreviations;
  readonly budget: Budget = { left: mostListEntries };
  #signatures: Map<bigint, Unit> | undefined;
  readonly #typeUnits: { signature: bigint; unit: Unit }[] = [];

  constructor(
    readonly sections: DebugSections,
    readonly problems: Problems,
  ) {
    this.abbreviations = new Abbreviations(sections.get('abbrev'));
    const units: Unit[] = [];
    this.#list(sections.get('info'), '.debug_info', false, units);
    if (sections.has('types')) this.#list(sections.get('types'), '.debug_types', true, []);
    this.units = units;
  }

  #list(bytes: Uint8Array, name: string, typesOnly: boolean, into: Unit[]): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const cursor = new Cursor(bytes, 0, bytes.length, view);
    while (cursor.offset + 4 <= bytes.length) {
      const offset = cursor.offset;
      try {
        let length = cursor.u32();
        const offsetSize = length === 0xffffffff ? 8 : 4;
        if (offsetSize === 8) length = cursor.size64();
        else if (length >= 0xfffffff0) throw new MalformedInput(`its length 0x${length.toString(16)} is reserved`);
        const end = cursor.offset + length;
        if (length === 0) continue;
        if (end > bytes.length)
          throw new MalformedInput(`it should end at 0x${end.toString(16)}, the section ends before that`);
        this.#header(view, offset, offsetSize, typesOnly, new Cursor(bytes, cursor.offset, end, view), into);
        cursor.offset = end;
      } catch (error) {
        if (!(error instanceof MalformedInput)) throw error;
        this.problems.add(
          `${name} unit at 0x${offset.toString(16)}: ${error.message}; it and what follows is not available`,
        );
        return;
      }
    }
  }

  #header(view: DataView, offset: number, offsetSize: 4 | 8, typesOnly: boolean, cursor: Cursor, into: Unit[]): void {
    const version = cursor.u16();
    if (version < 2 || version > 5) {
      this.problems.add(
        `unit at 0x${offset.toString(16)}: DWARF version 2 to 5 expected, found ${version}; it is not available`,
      );
      return;
    }
    const type = version >= 5 ? cursor.u8() : typesOnly ? unitType.DW_UT_type : unitType.DW_UT_compile;
    let addressSize = version >= 5 ? cursor.u8() : 0;
    const abbreviationOffset = cursor.unsigned(offsetSize);
    if (version < 5) addressSize = cursor.u8();
    if (addressSize !== 8) {
      this.problems.add(
        `unit at 0x${offset.toString(16)}: address size 8 expected, found ${addressSize}; it is not available`,
      );
      return;
    }
    if (type === unitType.DW_UT_skeleton || type === unitType.DW_UT_split_compile) cursor.skip(8);
    const isType = type === unitType.DW_UT_type || type === unitType.DW_UT_split_type;
    const signature = isType ? cursor.u64() : undefined;
    const typeEntry = isType ? offset + cursor.unsigned(offsetSize) : undefined;
    const { bytes, end } = cursor;
    const first = cursor.offset;
    const unit = new Unit(
      this,
      bytes,
      view,
      offset,
      end,
      version,
      offsetSize,
      type,
      abbreviationOffset,
      first,
      typeEntry,
    );
    if (signature !== undefined) this.#typeUnits.push({ signature, unit });
    if (!typesOnly) into.push(unit);
  }

  /** To be called before each lookup from outside. */
  renewBudget(): void {
    this.budget.left = mostListEntries;
  }

  /** The unit that holds an offset of `.debug_info`. */
  unitAt(offset: number): Unit | undefined {
    let low = 0;
    let high = this.units.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.units[middle]?.offset ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    const unit = this.units[low - 1];
    return unit !== undefined && offset < unit.end ? unit : undefined;
  }

  entryAt(offset: number): Entry {
    const unit = this.unitAt(offset);
    if (unit === undefined) throw new MalformedInput(`no unit holds entry 0x${offset.toString(16)}`);
    return unit.entry(offset);
  }

  typeBySignature(signature: bigint): Entry | undefined {
    this.#signatures ??= new Map(this.#typeUnits.map((row) => [row.signature, row.unit]));
    const unit = this.#signatures.get(signature);
    return unit?.typeEntry === undefined ? undefined : unit.entry(unit.typeEntry);
  }
}
