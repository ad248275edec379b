// Which unit describes the code at an address, from the units' own ranges, .debug_aranges or, failing both, line tables.
import { Cursor, MalformedInput } from '../bytes';
import { at } from './constants';
import { IntervalIndex } from './intervals';
import type { LineTables } from './line-tables';
import { rangesOf, type Range } from './ranges';
import type { DebugInformation, Unit } from './units';

export class UnitIndex {
  #index: IntervalIndex | undefined;

  constructor(
    readonly info: DebugInformation,
    readonly lines: LineTables,
  ) {}

  at(address: number): Unit | undefined {
    this.#index ??= this.#make();
    const candidates = [...this.#index.containing(address)].flatMap(({ value }) => this.info.units[value] ?? []);
    // Assemblers give units of relaxed code the length it had before relaxation, so they reach into their neighbours.
    if (candidates.length < 2) return candidates[0];
    return candidates.find((unit) => this.lines.rowAt(unit, address) !== undefined) ?? candidates[0];
  }

  #make(): IntervalIndex {
    const rows: { low: number; high: number; value: number }[] = [];
    let arranged: ReadonlyMap<number, Range[]> | undefined;
    this.info.units.forEach((unit, value) => {
      try {
        const { root } = unit;
        if (root.has(at.DW_AT_dwo_name) || root.has(at.DW_AT_GNU_dwo_name)) {
          this.info.problems.add(
            'split debugging information (.dwo files) is not supported; build without -gsplit-dwarf',
          );
        }
        let ranges = rangesOf(root);
        if (ranges.length === 0) {
          arranged ??= this.#addressRanges();
          ranges = arranged.get(unit.offset) ?? this.#lineRanges(unit);
        }
        for (const { low, high } of ranges) if (this.lines.isLoaded(low)) rows.push({ low, high, value });
      } catch (error) {
        if (!(error instanceof MalformedInput)) throw error;
        this.info.problems.add(
          `.debug_info unit at 0x${unit.offset.toString(16)}: ${error.message}; it is not available`,
        );
      }
    });
    return new IntervalIndex(rows);
  }

  #lineRanges(unit: Unit): Range[] {
    const rows = this.lines.table(unit)?.rows;
    if (rows === undefined) return [];
    return rows.sequences.map((start, i) => ({
      low: rows.address[start] ?? 0,
      high: rows.address[(rows.sequences[i + 1] ?? rows.count) - 1] ?? 0,
    }));
  }

  /** `.debug_aranges`: ranges by offset of the unit. [DWARF 5, 6.1.2] */
  #addressRanges(): Map<number, Range[]> {
    const byUnit = new Map<number, Range[]>();
    const bytes = this.info.sections.get('aranges');
    const cursor = new Cursor(bytes);
    const { budget } = this.info;
    try {
      while (!cursor.done) {
        const start = cursor.offset;
        let length = cursor.u32();
        const offsetSize = length === 0xffffffff ? 8 : 4;
        if (offsetSize === 8) length = cursor.size64();
        const end = cursor.offset + length;
        if (end > bytes.length)
          throw new MalformedInput(`the set at 0x${start.toString(16)} is longer than the section`);
        const set = new Cursor(bytes, cursor.offset, end);
        set.skip(2);
        const unitOffset = set.unsigned(offsetSize);
        set.skip(2);
        // Pairs are aligned to their own size, counted from the start of the set.
        set.offset = start + Math.ceil((set.offset - start) / 16) * 16;
        const ranges = byUnit.get(unitOffset) ?? [];
        while (set.offset + 16 <= end && budget.left-- > 0) {
          const low = set.address(8);
          const size = set.size64();
          if (size !== 0) ranges.push({ low, high: low + size });
        }
        byUnit.set(unitOffset, ranges);
        cursor.offset = Math.max(end, start + 4);
      }
    } catch (error) {
      if (!(error instanceof MalformedInput)) throw error;
      this.info.problems.add(`.debug_aranges: ${error.message}; the rest of it is ignored`);
    }
    return byUnit;
  }
}
