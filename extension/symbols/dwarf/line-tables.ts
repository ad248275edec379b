// Line tables of all units: made on demand, looked up by address, and by file and line.
import { Cursor, MalformedInput } from '../bytes';
import { ParsedCache } from './cache';
import { at } from './constants';
import { PathCache, readLineHeader, type LineHeader } from './line-header';
import { rowFlag, runLineProgram, type LineRows } from './line-program';
import { IntervalIndex } from './intervals';
import { PathTable } from './paths';
import type { DebugInformation, Unit } from './units';

/** A program's rows with its sequences by address. */
export interface LineTable {
  readonly rows: LineRows;
  readonly sequences: IntervalIndex;
}

export interface Row {
  readonly address: number;
  /** Address of the next row: where this one ends. */
  readonly end: number;
  readonly file: number;
  readonly line: number;
  readonly column: number;
  readonly isStatement: boolean;
  readonly prologueEnd: boolean;
}

/** About 24 bytes each. */
const mostRowsKept = 1_500_000;

export class LineTables {
  readonly paths = new PathTable();
  readonly #pathCache = new PathCache(this.paths);
  readonly #tables = new ParsedCache<number, LineTable | undefined>(mostRowsKept);
  readonly #offsets = new Map<Unit, number | undefined>();
  readonly #headers = new Map<number, LineHeader | undefined>();
  #bytesRead = 0;
  #hasAllHeaders = false;

  constructor(
    readonly info: DebugInformation,
    readonly isLoaded: (address: number) => boolean,
  ) {}

  /** Headers are kept: each is a few hundred numbers, and every function's declaration asks for one. */
  header(unit: Unit): LineHeader | undefined {
    const offset = this.#offset(unit);
    if (offset === undefined) return undefined;
    if (!this.#headers.has(offset)) this.#headers.set(offset, this.#readHeader(unit, offset));
    return this.#headers.get(offset);
  }

  /** Where the unit's line table is; type units share those of others. */
  #offset(unit: Unit): number | undefined {
    if (!this.#offsets.has(unit))
      this.#offsets.set(
        unit,
        this.#attempt(unit, () => unit.root.number(at.DW_AT_stmt_list)),
      );
    return this.#offsets.get(unit);
  }

  #readHeader(unit: Unit, offset: number): LineHeader | undefined {
    return this.#attempt(unit, () => {
      const directory = unit.root.text(at.DW_AT_comp_dir) ?? '';
      const name = unit.root.text(at.DW_AT_name) ?? '';
      const section = this.info.sections.get('line');
      const length = new Cursor(section, offset).u32();
      // Tables that overlap make the work quadratic; in honest files no byte belongs to two.
      this.#bytesRead += Math.min(length, section.length - offset);
      if (this.#bytesRead > 4 * section.length + 1_000_000) throw new MalformedInput('it overlaps too many others');
      return readLineHeader(this.info.sections, offset, { directory, name }, this.#pathCache);
    });
  }

  table(unit: Unit): LineTable | undefined {
    const offset = this.#offset(unit);
    if (offset === undefined) return undefined;
    return this.#tables.get(offset, () => {
      const header = this.header(unit);
      const value = header === undefined ? undefined : this.#attempt(unit, () => this.#run(header));
      return { value, weight: 64 + (value?.rows.count ?? 0) };
    });
  }

  #run(header: LineHeader): LineTable {
    const rows = runLineProgram(this.info.sections.get('line'), header, this.isLoaded);
    const sequences = rows.sequences.map((start, i) => {
      const last = (rows.sequences[i + 1] ?? rows.count) - 1;
      return { low: rows.address[start] ?? 0, high: rows.address[last] ?? 0, value: i };
    });
    return { rows, sequences: new IntervalIndex(sequences) };
  }

  #attempt<Result>(unit: Unit, work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof MalformedInput)) throw error;
      const where = `.debug_line of the unit at 0x${unit.offset.toString(16)}`;
      this.info.problems.add(`${where}: ${error.message}; its lines are not available`);
      return undefined;
    }
  }

  /** Number of the last row at or below an address in the sequence around it, and where that sequence ends. */
  #locate(table: LineTable, address: number): { row: number; first: number; stop: number } | undefined {
    const { rows } = table;
    for (const { value: sequence } of table.sequences.containing(address)) {
      const first = rows.sequences[sequence] ?? 0;
      const stop = rows.sequences[sequence + 1] ?? rows.count;
      let low = first;
      let high = stop;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((rows.address[middle] ?? 0) <= address) low = middle + 1;
        else high = middle;
      }
      const row = low - 1;
      if (row >= first && ((rows.flags[row] ?? 0) & rowFlag.endSequence) === 0) return { row, first, stop };
    }
    return undefined;
  }

  /** The row that covers an address: the last of those that begin at the same address. */
  rowAt(unit: Unit, address: number): Row | undefined {
    const table = this.table(unit);
    const found = table === undefined ? undefined : this.#locate(table, address);
    return table === undefined || found === undefined ? undefined : rowOf(table.rows, found.row);
  }

  /**
   * Rows that cover some bytes of `low..high`, ascending, with their extent cut to it. With `withEmpty` also those that begin in
   * the range and cover nothing.
   */
  *rowsBetween(unit: Unit, low: number, high: number, withEmpty = false): Generator<Row> {
    const table = this.table(unit);
    if (table === undefined) return;
    const { rows } = table;
    for (let address = low; address < high;) {
      const found = this.#locate(table, address);
      if (found === undefined) {
        const next = table.sequences.nextLow(address);
        if (next === undefined) return;
        address = next;
        continue;
      }
      let index = found.row;
      while (withEmpty && index > found.first && rows.address[index - 1] === address) index--;
      for (; index < found.stop && (rows.address[index] ?? high) < high; index++) {
        if (((rows.flags[index] ?? 0) & rowFlag.endSequence) !== 0) break;
        const row = rowOf(rows, index);
        if (row.end > row.address || withEmpty)
          yield { ...row, address: Math.max(row.address, low), end: Math.min(row.end, high) };
      }
      address = Math.max(address + 1, rows.address[index] ?? high);
    }
  }

  /** Every source file that any header names. */
  files(): readonly string[] {
    if (!this.#hasAllHeaders) for (const unit of this.info.units) this.header(unit);
    this.#hasAllHeaders = true;
    return this.paths.paths;
  }

  /** Units whose tables name a file, one for each table. */
  unitsNaming(file: number): Unit[] {
    const seen = new Set<number | undefined>();
    return this.info.units.filter((unit) => {
      const offset = this.#offset(unit);
      if (seen.has(offset)) return false;
      seen.add(offset);
      return this.header(unit)?.files.includes(file) === true;
    });
  }

  /** Calls back for each row of a file, also those that cover no bytes. */
  forEachRowOf(file: number, take: (row: Row) => void): void {
    for (const unit of this.unitsNaming(file)) {
      const rows = this.table(unit)?.rows;
      if (rows === undefined) continue;
      for (let i = 0; i < rows.count; i++) {
        if (rows.file[i] !== file || ((rows.flags[i] ?? 0) & rowFlag.endSequence) !== 0) continue;
        take(rowOf(rows, i));
      }
    }
  }
}

function rowOf(rows: LineRows, row: number): Row {
  const address = rows.address[row] ?? 0;
  const flags = rows.flags[row] ?? 0;
  return {
    address,
    end: Math.max(address, rows.address[row + 1] ?? address),
    file: rows.file[row] ?? -1,
    line: rows.line[row] ?? 0,
    column: rows.column[row] ?? 0,
    isStatement: (flags & rowFlag.isStatement) !== 0,
    prologueEnd: (flags & rowFlag.prologueEnd) !== 0,
  };
}
