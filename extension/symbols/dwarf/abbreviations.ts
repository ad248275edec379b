// Abbreviation tables: which attributes, in which forms, the entries of a unit have. [DWARF 5, 7.5.3]
import { Cursor, MalformedInput } from '../bytes';
import { form } from './constants';
import { fixedLength } from './forms';

export interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: readonly number[];
  readonly forms: readonly number[];
  /** Values of DW_FORM_implicit_const, at the index of their attribute. */
  readonly implicit: readonly (bigint | undefined)[];
  /** Bytes of all attributes of an entry with 8-byte addresses and 4-byte offsets; -1 when that varies. */
  readonly fixedSize: number;
}

export type AbbreviationTable = ReadonlyMap<number, Abbreviation>;

/** No compiler comes near; without a bound, entries of one byte could stand for endless attributes. */
const mostAttributes = 256;

/** Reads tables once each. All units of a link commonly have their own, so old ones are dropped. */
export class Abbreviations {
  readonly #tables = new Map<number, AbbreviationTable>();
  readonly #seen = new Set<number>();
  #work = 0;

  constructor(readonly section: Uint8Array) {}

  table(offset: number): AbbreviationTable {
    const known = this.#tables.get(offset);
    if (known !== undefined) return known;
    const cursor = new Cursor(this.section, offset);
    const table = new Map<number, Abbreviation>();
    for (;;) {
      const code = cursor.uleb();
      if (code === 0) break;
      table.set(code, readAbbreviation(cursor));
    }
    // Overlapping tables make the work quadratic; in honest files no byte belongs to two.
    if (!this.#seen.has(offset)) this.#work += cursor.offset - offset;
    this.#seen.add(offset);
    if (this.#work > 8 * this.section.length + 1_000_000) {
      throw new MalformedInput('the abbreviation tables overlap');
    }
    if (this.#tables.size >= 512) this.#tables.clear();
    this.#tables.set(offset, table);
    return table;
  }
}

function readAbbreviation(cursor: Cursor): Abbreviation {
  const tag = cursor.uleb();
  const hasChildren = cursor.u8() !== 0;
  const attributes: number[] = [];
  const forms: number[] = [];
  const implicit: (bigint | undefined)[] = [];
  let fixedSize = 0;
  for (;;) {
    const attribute = cursor.uleb();
    const attributeForm = cursor.uleb();
    if (attribute === 0 && attributeForm === 0) break;
    if (attributes.length >= mostAttributes)
      throw new MalformedInput(`an abbreviation has over ${mostAttributes} attributes`);
    if (attributeForm === form.DW_FORM_implicit_const) implicit[attributes.length] = cursor.sleb64();
    attributes.push(attribute);
    forms.push(attributeForm);
    const size = fixedLength(attributeForm);
    fixedSize = size === undefined || fixedSize < 0 ? -1 : fixedSize + size;
  }
  return { tag, hasChildren, attributes, forms, implicit, fixedSize };
}
