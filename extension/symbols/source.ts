// From addresses to source and back: frames, breakpoint addresses, stepping ranges. Link addresses as numbers.
import { isControlTransfer } from './riscv-code';
import { at } from './dwarf/constants';
import type { Dwarf } from './dwarf/dwarf';
import { contains, linkageName, withAttribute, type Scope } from './dwarf/functions';
import type { Row } from './dwarf/line-tables';
import { matchPaths } from './dwarf/paths';
import type { Range } from './dwarf/ranges';
import type { Entry, Unit } from './dwarf/units';

/** A function active at an address, in link addresses. */
export interface ActiveFunction {
  readonly scope: Scope;
  readonly name: string;
  readonly linkageName: string | undefined;
  readonly file: number;
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** The piece of its code that contains the address. */
  readonly range: Range;
  readonly declaration: { readonly file: number; readonly line: number } | undefined;
}

export interface Breakpoint {
  readonly address: number;
  readonly file: number;
  readonly line: number;
  readonly column: number;
}

export class SourceMap {
  constructor(
    readonly dwarf: Dwarf,
    readonly codeAt: (address: number, length: number) => Uint8Array | undefined,
  ) {}

  path(file: number): string | undefined {
    return this.dwarf.lines.paths.paths[file];
  }

  rowAt(address: number): Row | undefined {
    const unit = this.dwarf.unitAt(address);
    return unit === undefined ? undefined : this.dwarf.lines.rowAt(unit, address);
  }

  /** Number in the path table for a DW_AT_decl_file or DW_AT_call_file of a unit; -1 for none. */
  #file(unit: Unit, register: number | undefined): number {
    return register === undefined ? -1 : (this.dwarf.lines.header(unit)?.files[register] ?? -1);
  }

  /** Functions active at the address, innermost first. */
  activeAt(address: number): ActiveFunction[] {
    const unit = this.dwarf.unitAt(address);
    if (unit === undefined) return [];
    const row = this.dwarf.lines.rowAt(unit, address);
    const path = this.dwarf.functions.path(unit, address).filter((scope) => scope.kind !== 'block');
    const active: ActiveFunction[] = [];
    let file = row?.file ?? -1;
    let line = row === undefined || row.line === 0 ? undefined : row.line;
    let column: number | undefined = row?.column;
    for (const scope of path.reverse()) {
      active.push({
        scope,
        name: this.dwarf.functions.qualifiedName(scope.entry) ?? '(unnamed function)',
        linkageName: linkageName(scope.entry),
        file,
        line,
        column,
        range: scope.ranges.find(({ low, high }) => low <= address && address < high) ?? {
          low: address,
          high: address,
        },
        declaration: this.#declaration(scope.entry),
      });
      file = this.#file(unit, scope.entry.number(at.DW_AT_call_file));
      line = scope.entry.number(at.DW_AT_call_line);
      column = scope.entry.number(at.DW_AT_call_column) ?? 0;
    }
    return active;
  }

  #declaration(entry: Entry): { file: number; line: number } | undefined {
    const withLine = withAttribute(entry, at.DW_AT_decl_line);
    const withFile = withAttribute(entry, at.DW_AT_decl_file);
    const line = withLine?.number(at.DW_AT_decl_line);
    if (line === undefined || withFile === undefined) return undefined;
    return { file: this.#file(withFile.unit, withFile.number(at.DW_AT_decl_file)), line };
  }

  /** Innermost function instance at an address: what keeps copies of a line apart. */
  #instance(address: number): Scope | undefined {
    const unit = this.dwarf.unitAt(address);
    if (unit === undefined) return undefined;
    return this.dwarf.functions
      .path(unit, address)
      .reverse()
      .find((scope) => scope.kind !== 'block');
  }

  matchFile(path: string): number[] {
    const recorded = this.dwarf.lines.files();
    return matchPaths(path, recorded).map((match) => recorded.indexOf(match));
  }

  linesIn(path: string): number[] {
    const lines = new Set<number>();
    for (const file of this.matchFile(path)) {
      this.dwarf.lines.forEachRowOf(file, (row) => {
        if (row.isStatement && row.line !== 0) lines.add(row.line);
      });
    }
    return [...lines].sort((a, b) => a - b);
  }

  addressesOf(path: string, line: number): Breakpoint[] {
    const found: Breakpoint[] = [];
    for (const file of this.matchFile(path)) {
      let nearest = Infinity;
      const rows: Row[] = [];
      this.dwarf.lines.forEachRowOf(file, (row) => {
        if (row.line < line || row.line === 0 || row.line > nearest) return;
        if (row.isStatement) nearest = row.line;
        rows.push(row);
      });
      found.push(...this.#chooseAddresses(rows.filter((row) => row.line === nearest)));
    }
    const exact = found.some((breakpoint) => breakpoint.line === line);
    const unique = new Map(found.filter((b) => !exact || b.line >= line).map((b) => [b.address, b]));
    return [...unique.values()].sort((a, b) => a.address - b.address);
  }

  /**
   * One address for each copy of the line. Within one function instance, a line with several parts (the three of a `for`) stops
   * at the part that comes first; code that the compiler duplicated has the same column and is stopped at everywhere.
   */
  #chooseAddresses(rows: readonly Row[]): Breakpoint[] {
    const covering = rows.filter((row) => row.end > row.address);
    const useful = covering.some((row) => row.isStatement) ? covering : [...rows];
    const instances = new Map<number | undefined, Row[]>();
    for (const row of useful.sort((a, b) => a.address - b.address)) {
      const key = this.#instance(row.address)?.entry.offset;
      const group = instances.get(key);
      if (group === undefined) instances.set(key, [row]);
      else group.push(row);
    }
    const chosen: Breakpoint[] = [];
    for (const group of instances.values()) {
      const first = group.find((row) => row.isStatement);
      let end = -Infinity;
      for (const row of group) {
        // A row that continues the previous one is the same run.
        const begins = row.isStatement && row.column === first?.column;
        if (begins && row.address > end) chosen.push(this.#behindPrologue(row));
        if (begins || row.address <= end) end = Math.max(end, row.end);
      }
    }
    return chosen;
  }

  /** A breakpoint on the line where a function begins belongs behind its prologue, where its arguments can be read. */
  #behindPrologue(row: Row): Breakpoint {
    const unit = this.dwarf.unitAt(row.address);
    const scope = unit === undefined ? undefined : this.dwarf.functions.functionAt(unit, row.address);
    const entry = scope?.ranges[0]?.low;
    if (scope === undefined || entry !== row.address) return row;
    const body = this.rowAt(this.bodyStart(row.address));
    // Optimised code begins with statements of other lines or inlined functions: then the entry itself is right.
    return body === undefined || body.file !== row.file || body.line < row.line
      ? row
      : { ...body, address: this.bodyStart(row.address) };
  }

  /** Address behind the prologue of the function that begins at `low`: a marked row, or the second row. */
  bodyStart(low: number): number {
    const unit = this.dwarf.unitAt(low);
    const scope = unit === undefined ? undefined : this.dwarf.functions.functionAt(unit, low);
    const range = scope?.ranges.find((candidate) => candidate.low === low);
    if (unit === undefined || range === undefined) return low;
    let second: number | undefined;
    for (const row of this.dwarf.lines.rowsBetween(unit, low, Math.min(range.high, low + 1024))) {
      if (row.prologueEnd) return row.address;
      if (row.address > low) second ??= row.address;
    }
    if (second === undefined) return low;
    // No prologue contains a jump: a second row behind one is somewhere inside the body.
    const code = this.codeAt(low, second - low);
    return code === undefined || isControlTransfer(code) ? low : second;
  }

  /** See `Symbols.rangesOfLine`. */
  rangesOfLine(address: number, overInlined: boolean, inlineDepth: number): Range[] {
    const unit = this.dwarf.unitAt(address);
    if (unit === undefined) return [];
    const active = this.activeAt(address);
    const here = active[inlineDepth] ?? active[active.length - 1];
    const row = this.dwarf.lines.rowAt(unit, address);
    if (row === undefined) return [];
    const around = here?.scope.ranges ?? [{ low: row.address, high: row.end }];
    const file = here?.file ?? row.file;
    const line = here?.line ?? 0;
    const found: Range[] = [];
    const pieces = around.flatMap(({ low, high }) => [...this.dwarf.lines.rowsBetween(unit, low, high)]);
    for (const piece of pieces.sort((a, b) => a.address - b.address)) {
      for (const part of this.#partsIn(piece, here?.scope)) {
        const inlined = part.call !== undefined;
        if (inlined && !overInlined && inlineDepth === 0) continue;
        const partFile = inlined ? this.#file(unit, part.call?.entry.number(at.DW_AT_call_file)) : piece.file;
        const partLine = inlined ? (part.call?.entry.number(at.DW_AT_call_line) ?? 0) : piece.line;
        // Code of line 0 belongs to no line: stepping passes through it.
        if (partLine !== 0 && (partLine !== line || partFile !== file)) continue;
        const last = found[found.length - 1];
        if (last?.high === part.low) found[found.length - 1] = { low: last.low, high: part.high };
        else found.push({ low: part.low, high: part.high });
      }
    }
    return found;
  }

  /** Cuts a row where inlined functions of `scope` begin and end; `call` is the one that a part belongs to. */
  #partsIn(row: Row, scope: Scope | undefined): { low: number; high: number; call: Scope | undefined }[] {
    if (scope === undefined) return [{ low: row.address, high: row.end, call: undefined }];
    const calls = inlinedBelow(scope);
    const edges = new Set([row.address, row.end]);
    for (const call of calls) {
      for (const { low, high } of call.ranges) {
        if (low > row.address && low < row.end) edges.add(low);
        if (high > row.address && high < row.end) edges.add(high);
      }
    }
    const sorted = [...edges].sort((a, b) => a - b);
    return sorted.slice(0, -1).map((low, i) => ({
      low,
      high: sorted[i + 1] ?? row.end,
      call: calls.find((call) => contains(call.ranges, low)),
    }));
  }
}

/** Functions inlined directly into a scope, through its blocks. */
function inlinedBelow(scope: Scope): Scope[] {
  return scope.children.flatMap((child) => (child.kind === 'inlined' ? [child] : inlinedBelow(child)));
}
