// From addresses to source and back: frames, breakpoint addresses, stepping ranges. Link addresses as numbers.
import { isControlTransfer } from './riscv-code';
import { at } from './dwarf/constants';
import type { Dwarf } from './dwarf/dwarf';
import { contains, linkageName, withAttribute, type Scope } from './dwarf/functions';
import type { Row } from './dwarf/line-tables';
import type { NameSearch } from './dwarf/name-search';
import { matchPaths } from './dwarf/paths';
import type { Range } from './dwarf/ranges';
import type { Entry, Unit } from './dwarf/units';

const mostFunctionEntries = 1000;
/** Bytes; large frames of many saved registers take about 150. */
const longestPrologue = 1024;

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
    const instances = new Map<Scope | undefined, Row[]>();
    for (const row of [...rows].sort((a, b) => a.address - b.address)) {
      const { extended, instance } = this.#withInstance(row);
      const group = instances.get(instance);
      if (group === undefined) instances.set(instance, [extended]);
      else group.push(extended);
    }
    const chosen: Breakpoint[] = [];
    for (const [instance, group] of instances) {
      const covering = group.filter((row) => row.end > row.address);
      const useful = covering.some((row) => row.isStatement) ? covering : group;
      const first = useful.find((row) => row.isStatement);
      let end = -Infinity;
      for (const row of useful) {
        // A row that continues the previous one is the same run.
        const begins = row.isStatement && row.column === first?.column;
        if (begins && row.address > end) chosen.push(this.#behindPrologue(this.#withCallsBefore(row, instance)));
        if (begins || row.address <= end) end = Math.max(end, row.end);
      }
    }
    return chosen;
  }

  /**
   * The function instance that a row belongs to. A row that covers nothing may stand where an inlined function begins: when that is
   * called from the row's line, the call is the extent of the row; otherwise the row is of the function on the path that is
   * declared nearest above its line.
   */
  #withInstance(row: Row): { readonly extended: Row; readonly instance: Scope | undefined } {
    const unit = this.dwarf.unitAt(row.address);
    const path =
      unit === undefined ? [] : this.dwarf.functions.path(unit, row.address).filter(({ kind }) => kind !== 'block');
    const innermost = path[path.length - 1];
    if (row.end > row.address || unit === undefined) return { extended: row, instance: innermost };
    for (const [i, scope] of path.entries()) {
      const range = scope.ranges.find(({ low }) => low === row.address);
      if (range !== undefined && this.#isCalledFrom(unit, scope, row)) {
        return { extended: { ...row, end: range.high }, instance: path[i - 1] };
      }
    }
    let instance = innermost;
    let nearest = -1;
    for (const scope of path) {
      const declared = this.#declaration(scope.entry);
      if (declared?.file !== row.file || declared.line > row.line || declared.line < nearest) continue;
      nearest = declared.line;
      instance = scope;
    }
    return { extended: row, instance };
  }

  #isCalledFrom(unit: Unit, scope: Scope, row: Row): boolean {
    const { kind, entry } = scope;
    if (kind !== 'inlined' || entry.number(at.DW_AT_call_line) !== row.line) return false;
    return this.#file(unit, entry.number(at.DW_AT_call_file)) === row.file;
  }

  /** Functions inlined into the line right before a row belong to the line: it begins where they begin. */
  #withCallsBefore(row: Row, instance: Scope | undefined): Row {
    const unit = this.dwarf.unitAt(row.address);
    if (unit === undefined || instance === undefined) return row;
    const calls = inlinedBelow(instance).filter((call) => this.#isCalledFrom(unit, call, row));
    let { address } = row;
    for (const { low, high } of calls.flatMap(({ ranges }) => ranges).sort((a, b) => b.high - a.high)) {
      if (high === address) address = low;
    }
    return { ...row, address };
  }

  /** A breakpoint on the line where a function begins belongs behind its prologue, where its arguments can be read. */
  #behindPrologue(row: Row): Breakpoint {
    const unit = this.dwarf.unitAt(row.address);
    const scope = unit === undefined ? undefined : this.dwarf.functions.functionAt(unit, row.address);
    if (unit === undefined || scope?.ranges[0]?.low !== row.address) return row;
    const [first] = this.dwarf.lines.rowsBetween(unit, row.address, row.address + 1, true);
    if (first?.line !== row.line || first.file !== row.file) return row;
    const address = this.bodyStart(row.address);
    const body = this.rowAt(address);
    // The line that is shown is the body's, unless it is one of another file that was inlined there.
    return body === undefined || body.file !== row.file || body.line < row.line
      ? { ...row, address }
      : { ...body, address };
  }

  /**
   * Address behind the prologue of the function that begins at `low`: a marked row; else the second row. Optimised functions may
   * have none: their first row, of the line of the function itself, covers nothing.
   */
  bodyStart(low: number): number {
    const unit = this.dwarf.unitAt(low);
    const scope = unit === undefined ? undefined : this.dwarf.functions.functionAt(unit, low);
    const range = scope?.ranges.find((candidate) => candidate.low === low);
    if (unit === undefined || range === undefined) return low;
    const rows = [...this.dwarf.lines.rowsBetween(unit, low, Math.min(range.high, low + longestPrologue), true)];
    const marked = rows.find((row) => row.prologueEnd);
    if (marked !== undefined) return marked.address;
    const [first] = rows;
    const entry = rows.find((row) => row.end > row.address);
    const second = rows.find((row) => row.address > low);
    if (first === undefined || second === undefined || first.line !== entry?.line || first.file !== entry.file)
      return low;
    // No prologue contains a jump: a second row behind one is somewhere inside the body.
    const code = this.codeAt(low, second.address - low);
    return code === undefined || isControlTransfer(code) ? low : second.address;
  }

  /** Where the function of this name begins: out of line, and everywhere that it was inlined. */
  functionEntries(name: string, search: NameSearch): { address: number; inlined: boolean }[] {
    const { functions } = this.dwarf;
    const found = new Map<number, boolean>();
    const short = name.slice(name.lastIndexOf(':') + 1);
    const visit = (scope: Scope) => {
      if (found.size >= mostFunctionEntries) return;
      const isNamed =
        scope.kind !== 'block' && withAttribute(scope.entry, at.DW_AT_name)?.text(at.DW_AT_name) === short;
      const low = scope.ranges[0]?.low;
      if (isNamed && low !== undefined && (short === name || functions.qualifiedName(scope.entry) === name)) {
        found.set(
          scope.kind === 'inlined' ? (scope.entry.address(at.DW_AT_entry_pc) ?? low) : low,
          scope.kind === 'inlined',
        );
      }
      scope.children.forEach(visit);
    };
    for (const unit of search.unitsMentioning(short)) for (const scope of functions.all(unit)) visit(scope);
    return [...found].map(([address, inlined]) => ({ address, inlined })).sort((a, b) => a.address - b.address);
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
