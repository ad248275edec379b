// What the rest of the extension sees of a guest's symbols: plain types, all addresses as unsigned 64-bit `bigint`.
// Nothing here reads files or knows a debugger protocol.

/** Reads guest memory; `undefined` when any byte of it cannot be read. */
export type ReadMemory = (address: bigint, length: number) => Uint8Array | undefined;

/** Registers of one frame. A value is `undefined` when the frame no longer holds it (not saved by the callee). */
export interface RegisterFile {
  readonly pc: bigint;
  /** Integer register x0..x31. */
  x(index: number): bigint | undefined;
  /** Raw 64 bits of floating-point register f0..f31, where they are known. */
  f?(index: number): bigint | undefined;
  /** Other registers by name, e.g. control and status registers. */
  named?(name: string): bigint | undefined;
}

/** Half-open address range: `low <= address < high`. */
export interface AddressRange {
  readonly low: bigint;
  readonly high: bigint;
}

/** A place in source. `line` starts at 1; `column` starts at 1, 0 when the compiler gave none. */
export interface SourceLocation {
  /** Normalised path as the compiler recorded it, normally absolute on the machine that built the guest. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The compiler recommends this row for breakpoints. [DWARF 5, 6.2.2] */
  readonly isStatement: boolean;
}

/** One address that a source breakpoint resolves to. */
export interface BreakpointAddress {
  readonly address: bigint;
  readonly file: string;
  /** The line that the address belongs to: the requested one, or the next one that has code. */
  readonly line: number;
  readonly column: number;
}

/** A function active at an address: inlined ones first, the one that owns the code last. */
export interface SourceFrame {
  /** Qualified name (`namespace::function`) where the language has one. */
  readonly function: string;
  readonly linkageName: string | undefined;
  /** Where execution is in this function; for a caller of an inlined function, its call. */
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly inlined: boolean;
  /** The contiguous piece of the function that contains the address. */
  readonly low: bigint;
  readonly high: bigint;
  /** Where the function is declared. */
  readonly declaration: { readonly file: string; readonly line: number } | undefined;
}

export interface ElfSymbol {
  readonly name: string;
  readonly address: bigint;
  /** Bytes; 0 when the assembler gave none. */
  readonly size: bigint;
  readonly kind: 'function' | 'object' | 'other';
  readonly binding: 'local' | 'global' | 'weak';
}

export interface SymbolOffset {
  readonly name: string;
  readonly offset: bigint;
  readonly symbol: ElfSymbol;
}

export interface Segment {
  readonly address: bigint;
  readonly physicalAddress: bigint;
  readonly fileSize: bigint;
  readonly memorySize: bigint;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

/** How a frame was found, from the surest to the weakest way. */
export type FoundBy = 'registers' | 'call frame information' | 'prologue' | 'frame pointer' | 'return address';

/** The frame above: its registers, and the canonical frame address of the frame below. */
export interface UnwoundFrame {
  readonly registers: RegisterFile;
  /** Canonical frame address of the frame that was left. [DWARF 5, 6.4] */
  readonly cfa: bigint;
  readonly foundBy: FoundBy;
  /** The frame was interrupted (a signal frame): its pc is the next instruction, not the one after a call. */
  readonly interrupted: boolean;
}

export type UnwindStep =
  | { readonly kind: 'caller'; readonly frame: UnwoundFrame }
  /** There is no caller, or none that can be trusted; `reason` is a clause without a full stop. */
  | { readonly kind: 'end'; readonly reason: string; readonly cfa: bigint | undefined };

/** One line of a call stack; inlined functions have lines of their own. */
export interface StackFrame {
  /** Where execution continues in this frame. */
  readonly pc: bigint;
  /** The address to look things up with: `pc`, or `pc - 1` behind a call, which may be another line or function. */
  readonly lookupPc: bigint;
  /** Function or symbol name; `undefined` when nothing covers the address. */
  readonly function: string | undefined;
  /** Distance of `pc` from the start of the symbol, when only a symbol is known. */
  readonly offset: bigint | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly inlined: boolean;
  /** Index into `framesAt(lookupPc)`: which of the functions inlined at this address. */
  readonly inlineDepth: number;
  readonly registers: RegisterFile;
  readonly cfa: bigint | undefined;
  readonly foundBy: FoundBy;
  /** The image that describes this frame. */
  readonly symbols: Symbols | undefined;
}

export interface Backtrace {
  readonly frames: readonly StackFrame[];
  /** Why there are no more frames, as a sentence. */
  readonly end: string;
}

/** The frame that a variable is read in; a `StackFrame` is one. */
export interface FrameContext {
  readonly lookupPc: bigint;
  readonly inlineDepth: number;
  readonly registers: RegisterFile;
  readonly cfa: bigint | undefined;
}

export interface Variable {
  readonly name: string;
  readonly typeName: string;
  readonly kind: 'parameter' | 'local' | 'global';
  /** Line of the declaration; `undefined` when unknown. */
  readonly line: number | undefined;
  /** Opaque: which entry of the debugging information this is. */
  readonly entry: number;
}

export interface VariableScope {
  readonly kind: 'parameters' | 'locals' | 'globals';
  /** The function or the file that owns them. */
  readonly owner: string;
  readonly variables: readonly Variable[];
}

export type ValueLocation =
  | { readonly kind: 'memory'; readonly address: bigint }
  | { readonly kind: 'register'; readonly register: string }
  /** Known but stored nowhere: a constant, or something computed. */
  | { readonly kind: 'computed' };

/** A typed value. Reading children reads memory at that moment, so keep values only while the guest is stopped. */
export interface Value {
  /** Member or variable name, `[3]` for array elements. */
  readonly name: string;
  readonly typeName: string;
  /** What to show; for an unavailable value `<optimised out: reason>`. */
  readonly text: string;
  /** Why there is no value. */
  readonly unavailable: string | undefined;
  readonly location: ValueLocation | undefined;
  /** Size in bytes; 0 when unknown. */
  readonly size: number;
  /** The number, for integers, enumerations, characters, booleans and pointers. */
  readonly integer: bigint | undefined;
  /** Address that a memory view should show: a pointer's target, otherwise where the value lies. */
  readonly memoryReference: bigint | undefined;
  /** Number of children; they are `[i]` elements when `indexed`. */
  readonly childCount: number;
  readonly indexed: boolean;
  /** An expression that yields this value again in the same frame; `undefined` when there is none. */
  readonly expression: string | undefined;
  children(start?: number, count?: number): readonly Value[];
}

export type Evaluation =
  | { readonly ok: true; readonly value: Value }
  /** `message` says what was expected and what was found. */
  | { readonly ok: false; readonly message: string };

/** What to write where so that a value becomes another. */
export type Assignment =
  | { readonly kind: 'memory'; readonly address: bigint; readonly bytes: Uint8Array }
  | { readonly kind: 'register'; readonly register: string; readonly value: bigint }
  | { readonly kind: 'refused'; readonly message: string };

/**
 * Symbols of one ELF image. No member throws for malformed debugging information: what cannot be read is missing from the
 * answers and named in `problems`. Everything beyond indexes is parsed when it is first asked for.
 */
export interface Symbols {
  /** Name of the image, for messages. */
  readonly name: string;
  /** Added to every address of the file. */
  readonly loadBias: bigint;
  readonly entry: bigint;
  readonly segments: readonly Segment[];
  /** Sentences on what is damaged, not supported or absent; grows as more is parsed. */
  readonly problems: readonly string[];
  /** Whether there are line tables at all. */
  readonly hasLines: boolean;

  /** The same image at another place, sharing what has been parsed (a guest that relocates itself, or runs before paging). */
  rebased(loadBias: bigint): Symbols;
  /** Whether the address lies in a loaded segment of this image. */
  contains(address: bigint): boolean;
  /** Whether the address lies in a segment that is executed. */
  isCode(address: bigint): boolean;
  /** Bytes as the file holds them; `undefined` where the file has none. */
  bytesAt(address: bigint, length: number): Uint8Array | undefined;

  symbolAt(address: bigint): SymbolOffset | undefined;
  /** Address of a function, object or label; a global symbol wins over a local one. */
  addressOf(name: string): bigint | undefined;
  symbolNamed(name: string): ElfSymbol | undefined;
  /** All function and object symbols, by address. */
  symbols(): readonly ElfSymbol[];

  /** The line-table row that covers the address; `undefined` also for code that belongs to no line. */
  lineAt(pc: bigint): SourceLocation | undefined;
  /** Where to break for a source line, one address for each copy of the code; slides to the next line that has code. */
  addressesOf(file: string, line: number): readonly BreakpointAddress[];
  /** Lines of the file that have code, ascending. */
  linesIn(file: string): readonly number[];
  /** Every source file that a line table names. */
  files(): readonly string[];
  /** The recorded paths that a user's path may mean, best first. */
  matchFile(path: string): readonly string[];
  /**
   * Ranges of the function instance around `pc` that belong to its source line: stepping goes on while it is in one of them.
   * `overInlined` counts functions inlined into the line as part of it; `inlineDepth` chooses a caller of the innermost one.
   */
  rangesOfLine(
    pc: bigint,
    options?: { readonly overInlined?: boolean; readonly inlineDepth?: number },
  ): readonly AddressRange[];

  /** Functions active at the address, innermost first; empty when only a symbol, or nothing, covers it. */
  framesAt(pc: bigint): readonly SourceFrame[];
  /** Where a function breakpoint goes: behind the prologue of the function that starts at `low`. */
  functionBodyStart(low: bigint): bigint;
  /**
   * Addresses for a breakpoint on a function: behind its prologue, and where it was inlined. A symbol without debugging
   * information counts as a function too.
   */
  functionAddresses(name: string): readonly { readonly address: bigint; readonly inlined: boolean }[];
  /** Source language of the unit at the address, e.g. `C11`, `Rust`, `assembly`. */
  languageAt(pc: bigint): string | undefined;

  /** The caller's registers; `undefined` when this is the outermost frame or nothing trustworthy is found. */
  unwind(registers: RegisterFile, readMemory: ReadMemory, innermost?: boolean): UnwoundFrame | undefined;
  /** The same with the reason when there is no caller. `exact`: the pc is the next instruction, not what follows a call. */
  step(registers: RegisterFile, readMemory: ReadMemory, exact: boolean): UnwindStep;
  backtrace(registers: RegisterFile, readMemory: ReadMemory, limit?: number): Backtrace;

  /** What can be named in this frame: parameters, locals (innermost block first) and the file's globals. */
  scopesAt(frame: FrameContext): readonly VariableScope[];
  readVariable(variable: Variable, frame: FrameContext, readMemory: ReadMemory): Value;
  /** A C expression without side effects: names, members, indexes, `*`, `&`, casts, arithmetic, comparisons, `$register`. */
  evaluate(expression: string, frame: FrameContext, readMemory: ReadMemory): Evaluation;
  /** What to write so that `target` (an expression) becomes the value of `text`. */
  assign(target: string, text: string, frame: FrameContext, readMemory: ReadMemory): Assignment;
}

export interface LoadOptions {
  /** Name used in messages; default `image`. */
  readonly name?: string;
  /** Added to every address of the file; default 0. */
  readonly loadBias?: bigint;
}

/** The image is not one that this product can debug; the message says what was expected, found, and what to do. */
export class SymbolError extends Error {
  override readonly name = 'SymbolError';
}
