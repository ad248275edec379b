// The facade: one ELF image with its symbols and debugging information, in run-time addresses.
import { MalformedInput, toBigint, toNumber } from './bytes';
import { backtrace } from './backtrace';
import type {
  AddressRange,
  Assignment,
  Backtrace,
  BreakpointAddress,
  ElfSymbol,
  Evaluation,
  FrameContext,
  LoadOptions,
  ReadMemory,
  RegisterFile,
  Segment,
  SourceFrame,
  SourceLocation,
  SymbolOffset,
  Symbols,
  UnwindStep,
  UnwoundFrame,
  Value,
  Variable,
  VariableScope,
} from './contract';
import { languages, at } from './dwarf/constants';
import { Dwarf } from './dwarf/dwarf';
import { unavailable } from './dwarf/expressions';
import { NameSearch } from './dwarf/name-search';
import { Types } from './dwarf/types';
import { environmentOf } from './evaluate/environment';
import { assignment, evaluateExpression, type Environment } from './evaluate/evaluate';
import { readElf, type ElfImage } from './elf';
import { Problems } from './problems';
import { SourceMap } from './source';
import { SymbolTable } from './symbol-table';
import { TypedValue } from './typed-value';
import { readEntry, valueContext, variableScopes, type VariableImage } from './variables';
import { CallerRegisters, frameAddress, unwindStep, type UnwindImage } from './unwind';

/** What is parsed once per file, however often it is loaded. */
interface Parsed {
  readonly name: string;
  readonly elf: ElfImage;
  readonly problems: Problems;
  readonly table: SymbolTable;
  readonly dwarf: Dwarf;
  readonly source: SourceMap;
  readonly types: Types;
}

export class ImageSymbols implements Symbols {
  readonly #parsed: Parsed;

  constructor(
    parsed: Parsed,
    readonly loadBias: bigint,
  ) {
    this.#parsed = parsed;
  }

  static load(image: Uint8Array, options: LoadOptions = {}): ImageSymbols {
    const name = options.name ?? 'image';
    const problems = new Problems();
    const elf = readElf(image, name, problems);
    const dwarf = new Dwarf(elf, problems);
    const source = new SourceMap(dwarf, (address, length) => fileBytesAt(elf, address, length));
    const types = new Types(new NameSearch(dwarf.info));
    const parsed = { name, elf, problems, table: new SymbolTable(elf, problems), dwarf, source, types };
    return new ImageSymbols(parsed, options.loadBias ?? 0n);
  }

  rebased(loadBias: bigint): ImageSymbols {
    return new ImageSymbols(this.#parsed, loadBias);
  }

  get name(): string {
    return this.#parsed.name;
  }

  get problems(): readonly string[] {
    return this.#parsed.problems.list;
  }

  get entry(): bigint {
    return this.#toRuntime(this.#parsed.elf.entry);
  }

  get hasLines(): boolean {
    return this.#parsed.dwarf.sections.has('line') && this.#parsed.dwarf.info.units.length > 0;
  }

  get segments(): readonly Segment[] {
    return this.#parsed.elf.segments.map((segment) => ({
      address: this.#toRuntime(segment.address),
      physicalAddress: toBigint(segment.physicalAddress),
      fileSize: toBigint(segment.fileSize),
      memorySize: toBigint(segment.memorySize),
      executable: (segment.flags & 1) !== 0,
      writable: (segment.flags & 2) !== 0,
      readable: (segment.flags & 4) !== 0,
    }));
  }

  #toLink(address: bigint): number {
    return toNumber(address - this.loadBias);
  }

  #toRuntime(address: number): bigint {
    return BigInt.asUintN(64, toBigint(address) + this.loadBias);
  }

  /** Runs a lookup; damage that it meets is noted and answered with `otherwise`. */
  #guard<Result>(otherwise: Result, lookup: () => Result): Result {
    this.#parsed.dwarf.info.renewBudget();
    try {
      return lookup();
    } catch (error) {
      if (!(error instanceof MalformedInput)) throw error;
      this.#parsed.problems.add(`debugging information: ${error.message}`);
      return otherwise;
    }
  }

  contains(address: bigint): boolean {
    const at = this.#toLink(address);
    return this.#parsed.elf.segments.some((s) => s.address <= at && at < s.address + s.memorySize);
  }

  bytesAt(address: bigint, length: number): Uint8Array | undefined {
    return fileBytesAt(this.#parsed.elf, this.#toLink(address), length);
  }

  #symbol(symbol: ElfSymbol): ElfSymbol {
    return { ...symbol, address: BigInt.asUintN(64, symbol.address + this.loadBias) };
  }

  symbolAt(address: bigint): SymbolOffset | undefined {
    const found = this.#parsed.table.at(this.#toLink(address));
    if (found === undefined) return undefined;
    return { name: found.symbol.name, offset: toBigint(found.offset), symbol: this.#symbol(found.symbol) };
  }

  symbolNamed(name: string): ElfSymbol | undefined {
    const found = this.#parsed.table.named(name);
    return found === undefined ? undefined : this.#symbol(found);
  }

  addressOf(name: string): bigint | undefined {
    return this.symbolNamed(name)?.address;
  }

  symbols(): readonly ElfSymbol[] {
    return this.#parsed.table.all().map((symbol) => this.#symbol(symbol));
  }

  lineAt(pc: bigint): SourceLocation | undefined {
    return this.#guard(undefined, () => {
      const row = this.#parsed.source.rowAt(this.#toLink(pc));
      const file = row === undefined ? undefined : this.#parsed.source.path(row.file);
      if (row === undefined || file === undefined || row.line === 0) return undefined;
      return { file, line: row.line, column: row.column, isStatement: row.isStatement };
    });
  }

  addressesOf(file: string, line: number): readonly BreakpointAddress[] {
    return this.#guard([], () =>
      this.#parsed.source.addressesOf(file, line).map((found) => ({
        address: this.#toRuntime(found.address),
        file: this.#parsed.source.path(found.file) ?? file,
        line: found.line,
        column: found.column,
      })),
    );
  }

  linesIn(file: string): readonly number[] {
    return this.#guard([], () => this.#parsed.source.linesIn(file));
  }

  files(): readonly string[] {
    return this.#guard([], () => this.#parsed.dwarf.lines.files());
  }

  matchFile(path: string): readonly string[] {
    return this.#guard([], () =>
      this.#parsed.source.matchFile(path).map((file) => this.#parsed.source.path(file) ?? path),
    );
  }

  rangesOfLine(
    pc: bigint,
    options: { readonly overInlined?: boolean; readonly inlineDepth?: number } = {},
  ): readonly AddressRange[] {
    const { overInlined = false, inlineDepth = 0 } = options;
    return this.#guard([], () =>
      this.#parsed.source
        .rangesOfLine(this.#toLink(pc), overInlined, inlineDepth)
        .map(({ low, high }) => ({ low: this.#toRuntime(low), high: this.#toRuntime(high) })),
    );
  }

  framesAt(pc: bigint): readonly SourceFrame[] {
    const { source } = this.#parsed;
    return this.#guard([], () =>
      source.activeAt(this.#toLink(pc)).map((active): SourceFrame => {
        const declared = active.declaration === undefined ? undefined : source.path(active.declaration.file);
        return {
          function: active.name,
          linkageName: active.linkageName,
          file: source.path(active.file),
          line: active.line,
          column: active.column,
          inlined: active.scope.kind === 'inlined',
          low: this.#toRuntime(active.range.low),
          high: this.#toRuntime(active.range.high),
          declaration:
            declared === undefined || active.declaration === undefined
              ? undefined
              : { file: declared, line: active.declaration.line },
        };
      }),
    );
  }

  functionBodyStart(low: bigint): bigint {
    return this.#guard(low, () => this.#toRuntime(this.#parsed.source.bodyStart(this.#toLink(low))));
  }

  functionAddresses(name: string): readonly { readonly address: bigint; readonly inlined: boolean }[] {
    const { source, types } = this.#parsed;
    const found = this.#guard([], () =>
      source.functionEntries(name, types.search).map(({ address, inlined }) => ({
        address: this.#toRuntime(inlined ? address : source.bodyStart(address)),
        inlined,
      })),
    );
    const symbol = found.length === 0 ? this.symbolNamed(name) : undefined;
    return symbol === undefined || symbol.kind === 'object' ? found : [{ address: symbol.address, inlined: false }];
  }

  /** Whether the address lies in a segment that is executed. */
  isCode(address: bigint): boolean {
    const at = this.#toLink(address);
    return this.#parsed.elf.segments.some(
      (s) => (s.flags & 1) !== 0 && s.address <= at && at < s.address + s.memorySize,
    );
  }

  /** One step of unwinding, with the reason when there is none. `exact`: the pc is not behind a call. */
  step(registers: RegisterFile, readMemory: ReadMemory, exact: boolean): UnwindStep {
    const failed: UnwindStep = { kind: 'end', reason: 'its call frame information is damaged', cfa: undefined };
    return this.#guard(failed, () => unwindStep(this.#unwindImage(), registers, readMemory, exact));
  }

  #unwindImage(): UnwindImage {
    const { dwarf, table, elf } = this.#parsed;
    return {
      frames: dwarf.frames,
      loadBias: this.loadBias,
      functionAround: (address) => table.functionAround(address),
      codeAt: (address, length) => fileBytesAt(elf, address, length),
    };
  }

  unwind(registers: RegisterFile, readMemory: ReadMemory, innermost = true): UnwoundFrame | undefined {
    const step = this.step(registers, readMemory, innermost);
    return step.kind === 'caller' ? step.frame : undefined;
  }

  backtrace(registers: RegisterFile, readMemory: ReadMemory, limit?: number): Backtrace {
    return backtrace([this], registers, readMemory, limit);
  }

  #variableImage(): VariableImage {
    const { dwarf, types } = this.#parsed;
    return {
      dwarf,
      types,
      loadBias: this.loadBias,
      frameAddress: (frame, readMemory) =>
        frameAddress(this.#unwindImage(), this.#toLink(frame.lookupPc), frame.registers, readMemory),
      caller: (frame, readMemory) => {
        const isExact = frame.registers.pc === frame.lookupPc;
        const caller = this.unwind(frame.registers, readMemory, isExact);
        if (caller === undefined || caller.interrupted) return undefined;
        const { registers } = caller;
        return { registers, lookupPc: registers.pc - 1n, inlineDepth: 0, cfa: undefined };
      },
      objectSize: (address) => {
        const found = this.symbolAt(address);
        return found?.offset === 0n ? Number(found.symbol.size) : undefined;
      },
      describeAddress: (address) => {
        const found = this.symbolAt(address);
        return found === undefined || found.offset === 0n ? found?.name : `${found.name}+${found.offset}`;
      },
    };
  }

  scopesAt(frame: FrameContext): readonly VariableScope[] {
    return this.#guard([], () => variableScopes(this.#variableImage(), frame));
  }

  readVariable(variable: Variable, frame: FrameContext, readMemory: ReadMemory): Value {
    const image = this.#variableImage();
    const context = valueContext(image, frame, readMemory);
    const missing = unavailable('its debugging information is damaged');
    const otherwise = new TypedValue(context, variable.name, { kind: 'void' }, missing, 0, undefined, undefined);
    return this.#guard(otherwise, () => {
      const entry = this.#parsed.dwarf.info.entryAt(variable.entry);
      return readEntry(image, entry, variable.name, frame, readMemory);
    });
  }

  evaluate(expression: string, frame: FrameContext, readMemory: ReadMemory): Evaluation {
    return this.#guard({ ok: false, message: 'the debugging information that it needs is damaged' }, () =>
      evaluateExpression(expression, this.#environment(frame, readMemory)),
    );
  }

  assign(target: string, text: string, frame: FrameContext, readMemory: ReadMemory): Assignment {
    const isLive = !(frame.registers instanceof CallerRegisters);
    return this.#guard({ kind: 'refused', message: 'the debugging information that it needs is damaged' }, () =>
      assignment(target, text, this.#environment(frame, readMemory), isLive),
    );
  }

  #environment(frame: FrameContext, readMemory: ReadMemory): Environment {
    return environmentOf(this.#variableImage(), frame, readMemory, (name) => this.symbolNamed(name));
  }

  languageAt(pc: bigint): string | undefined {
    return this.#guard(undefined, () => {
      const unit = this.#parsed.dwarf.unitAt(this.#toLink(pc));
      const language = unit?.root.number(at.DW_AT_language);
      return language === undefined ? undefined : (languages[language] ?? `language ${language}`);
    });
  }
}

/** Bytes of a loaded segment as the file holds them. */
function fileBytesAt(elf: ElfImage, address: number, length: number): Uint8Array | undefined {
  for (const segment of elf.segments) {
    const offset = address - segment.address;
    if (offset < 0 || offset + length > segment.fileSize) continue;
    const start = segment.offset + offset;
    return start + length <= elf.bytes.length ? elf.bytes.subarray(start, start + length) : undefined;
  }
  return undefined;
}
