// Finds definitions by name over all units, without an index: names lie in the units as offsets of strings, so the units that may
// define one are found by looking for these bytes.
import { encodeUtf8, MalformedInput, stringEnd } from '../bytes';
import { at, tag } from './constants';
import type { DebugInformation, Entry, Unit } from './units';

const mostStrings = 16;

export class NameSearch {
  readonly #found = new Map<string, number | undefined>();

  constructor(readonly info: DebugInformation) {}

  /** The complete definition of a type with this tag and name, in whichever unit comes first. */
  definition(wantedTag: number, name: string): Entry | undefined {
    return this.#search(`${wantedTag} ${name}`, name, (entry) => entry.tag === wantedTag);
  }

  /** A type with this name that needs no keyword: a typedef, base type, or a structure of a language without tags. */
  plainType(name: string): Entry | undefined {
    return this.#search(`type ${name}`, name, (entry) => plainTypeTags.has(entry.tag));
  }

  /** A variable of file scope. */
  variable(name: string): Entry | undefined {
    const isVariable = (entry: Entry) =>
      entry.tag === tag.DW_TAG_variable && (entry.has(at.DW_AT_location) || entry.has(at.DW_AT_const_value));
    return this.#search(`variable ${name}`, name, isVariable);
  }

  /** A variable that some unit declares without defining it. */
  declaredVariable(name: string): Entry | undefined {
    return this.#search(`declared ${name}`, name, (entry) => entry.tag === tag.DW_TAG_variable, true);
  }

  #search(key: string, name: string, matches: (entry: Entry) => boolean, declarations = false): Entry | undefined {
    if (!this.#found.has(key)) {
      if (this.#found.size > 1000) this.#found.clear();
      this.#found.set(key, this.#walk(name, matches, declarations));
    }
    const offset = this.#found.get(key);
    return offset === undefined ? undefined : this.info.entryAt(offset);
  }

  #walk(name: string, matches: (entry: Entry) => boolean, declarations: boolean): number | undefined {
    for (const unit of this.unitsMentioning(name)) {
      try {
        for (const entry of unit.root.children()) {
          if (!matches(entry) || entry.flag(at.DW_AT_declaration) !== declarations) continue;
          const named = entry.has(at.DW_AT_name) ? entry : entry.reference(at.DW_AT_specification);
          if (named?.text(at.DW_AT_name) === name) return entry.offset;
        }
      } catch (error) {
        if (!(error instanceof MalformedInput)) throw error;
        this.info.problems.add(
          `.debug_info unit at 0x${unit.offset.toString(16)}: ${error.message}; it is not searched`,
        );
      }
    }
    return undefined;
  }

  /** The units that may have an entry with this name; a few others may be among them. */
  *unitsMentioning(name: string): Generator<Unit> {
    const patterns = this.#patterns(name);
    for (const unit of this.info.units) {
      const { bytes, firstEntry, end } = unit;
      try {
        if (!usesStringIndexes(unit) && !patterns.some((pattern) => find(bytes, pattern, firstEntry, end) >= 0))
          continue;
      } catch (error) {
        // Its own entry is damaged, which is reported where it is indexed.
        if (error instanceof MalformedInput) continue;
        throw error;
      }
      yield unit;
    }
  }

  /** How the name may stand in a unit: in place, or as the offset of any string of .debug_str that ends with it. */
  #patterns(name: string): Uint8Array[] {
    const strings = this.info.sections.get('str');
    const whole = Uint8Array.from([...encodeUtf8(name), 0]);
    const patterns = [whole];
    for (let offset = find(strings, whole, 0, strings.length); offset >= 0 && patterns.length < mostStrings;) {
      patterns.push(Uint8Array.from([offset, offset >>> 8, offset >>> 16, offset >>> 24]));
      offset = find(strings, whole, stringEnd(strings, offset), strings.length);
    }
    return patterns;
  }
}

const plainTypeTags: ReadonlySet<number> = new Set([
  tag.DW_TAG_typedef,
  tag.DW_TAG_base_type,
  tag.DW_TAG_structure_type,
  tag.DW_TAG_class_type,
  tag.DW_TAG_union_type,
  tag.DW_TAG_enumeration_type,
]);

/** Names in the indexed forms cannot be found by their bytes. */
function usesStringIndexes(unit: Unit): boolean {
  return unit.version >= 5 && unit.root.has(at.DW_AT_str_offsets_base);
}

/** Position of a pattern, or -1. Its first byte is looked for by native code: the low byte of an offset, which differs most. */
function find(bytes: Uint8Array, pattern: Uint8Array, start: number, end: number): number {
  const first = pattern[0] ?? 0;
  for (let at = bytes.indexOf(first, start); at >= 0 && at + pattern.length <= end; at = bytes.indexOf(first, at + 1)) {
    let i = 1;
    while (i < pattern.length && bytes[at + i] === pattern[i]) i++;
    if (i === pattern.length) return at;
  }
  return -1;
}
