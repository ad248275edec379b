// Writes a WebAssembly module: types, imports, functions, tables, globals, exports, code. [WebAssembly core 2.0, 5.5]
// Guarantees: imports come before functions in the index space; equal signatures share one type.
import { ByteWriter } from './bytes';
import { FunctionWriter } from './function';
import { type ValueType, valueType } from './opcodes';

type ImportEntry =
  | { kind: 'memory'; module: string; name: string; minimumPages: number; maximumPages: number; shared: boolean }
  | { kind: 'table'; module: string; name: string; minimum: number }
  | { kind: 'function'; module: string; name: string; type: number };

export class ModuleWriter {
  private readonly types: { key: string; bytes: Uint8Array }[] = [];
  private readonly imports: ImportEntry[] = [];
  private readonly functions: { writer: FunctionWriter; type: number }[] = [];
  private readonly globals: { type: ValueType; initial: bigint }[] = [];
  private readonly exports: { name: string; kind: number; index: number }[] = [];
  private readonly elements: { offset: number; functions: readonly number[] }[] = [];
  private tableSize: number | undefined;
  private importedFunctions = 0;

  /** The index of a function signature, for imports and `call_indirect`. */
  signature(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${parameters.join()}>${results.join()}`;
    const known = this.types.findIndex((type) => type.key === key);
    if (known >= 0) return known;
    const bytes = new ByteWriter().byte(0x60).unsigned(parameters.length);
    for (const type of parameters) bytes.byte(valueType[type]);
    bytes.unsigned(results.length);
    for (const type of results) bytes.byte(valueType[type]);
    this.types.push({ key, bytes: bytes.take() });
    return this.types.length - 1;
  }

  /** Sizes in WebAssembly pages of 64 KiB. */
  importMemory(module: string, name: string, minimumPages: number, maximumPages: number, shared: boolean): void {
    this.imports.push({ kind: 'memory', module, name, minimumPages, maximumPages, shared });
  }
  importTable(module: string, name: string, minimum: number): void {
    this.imports.push({ kind: 'table', module, name, minimum });
  }
  /** Returns the function index. All imports must be declared before the first function. */
  importFunction(
    module: string,
    name: string,
    parameters: readonly ValueType[],
    results: readonly ValueType[],
  ): number {
    if (this.functions.length > 0) throw new Error(`import ${name} after a function was declared`);
    this.imports.push({ kind: 'function', module, name, type: this.signature(parameters, results) });
    return this.importedFunctions++;
  }
  /** Declares a function; its index is known at once and its body may be written later, so functions may call each other. */
  function(parameters: readonly ValueType[], results: readonly ValueType[], exportAs?: string): FunctionWriter {
    const index = this.importedFunctions + this.functions.length;
    const writer = new FunctionWriter(index, parameters, results);
    this.functions.push({ writer, type: this.signature(parameters, results) });
    if (exportAs !== undefined) this.exports.push({ name: exportAs, kind: 0, index });
    return writer;
  }
  /** Adds a function that was written before its index was known; nothing may call it by index. */
  addFunction(writer: FunctionWriter, exportAs: string): void {
    const index = this.importedFunctions + this.functions.length;
    this.functions.push({ writer, type: this.signature(writer.parameters, writer.results) });
    this.exports.push({ name: exportAs, kind: 0, index });
  }
  exportFunction(index: number, name: string): void {
    this.exports.push({ name, kind: 0, index });
  }
  /** A mutable global of an integer type; returns its index. */
  global(type: 'i32' | 'i64', initial: bigint | number): number {
    this.globals.push({ type, initial: BigInt(initial) });
    return this.globals.length - 1;
  }
  /** A function table of the module's own, exported when named. */
  table(size: number, exportAs?: string): void {
    this.tableSize = size;
    if (exportAs !== undefined) this.exports.push({ name: exportAs, kind: 1, index: 0 });
  }
  /** Fills table 0 from `offset` with functions of this module. */
  element(offset: number, functions: readonly number[]): void {
    this.elements.push({ offset, functions });
  }

  finish(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter();
    for (const byte of [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.byte(byte);
    const section = (id: number, count: number, fill: (content: ByteWriter) => void): void => {
      if (count === 0) return;
      const content = new ByteWriter().unsigned(count);
      fill(content);
      out.byte(id).sized(content);
    };
    section(1, this.types.length, (c) => this.types.forEach((type) => c.bytes(type.bytes)));
    section(2, this.imports.length, (c) => this.imports.forEach((entry) => writeImport(c, entry)));
    section(3, this.functions.length, (c) => this.functions.forEach((entry) => c.unsigned(entry.type)));
    section(4, this.tableSize === undefined ? 0 : 1, (c) =>
      c
        .byte(0x70)
        .byte(0)
        .unsigned(this.tableSize ?? 0),
    );
    section(6, this.globals.length, (c) =>
      this.globals.forEach(({ type, initial }) => {
        c.byte(valueType[type]).byte(1);
        if (type === 'i32') c.byte(0x41).signed32(Number(BigInt.asIntN(32, initial)));
        else c.byte(0x42).signed64(initial);
        c.byte(0x0b);
      }),
    );
    section(7, this.exports.length, (c) =>
      this.exports.forEach((entry) => c.name(entry.name).byte(entry.kind).unsigned(entry.index)),
    );
    section(9, this.elements.length, (c) =>
      this.elements.forEach(({ offset, functions }) => {
        c.unsigned(0).byte(0x41).signed32(offset).byte(0x0b).unsigned(functions.length);
        for (const index of functions) c.unsigned(index);
      }),
    );
    this.writeHints(out);
    section(10, this.functions.length, (c) =>
      this.functions.forEach(({ writer }) => {
        const body = writer.finish();
        c.unsigned(body.length).bytes(body);
      }),
    );
    return out.take();
  }

  /** A custom section, which comes before the code that it speaks of. [WebAssembly code metadata, branch hinting] */
  private writeHints(out: ByteWriter): void {
    const hinted = this.functions.flatMap(({ writer }, position) => {
      const hints = writer.hints();
      return hints.length > 0 ? [{ index: this.importedFunctions + position, hints }] : [];
    });
    if (hinted.length === 0) return;
    const content = new ByteWriter().name('metadata.code.branch_hint').unsigned(hinted.length);
    for (const { index, hints } of hinted) {
      content.unsigned(index).unsigned(hints.length);
      for (const [offset, likelihood] of hints) {
        content
          .unsigned(offset)
          .unsigned(1)
          .byte(likelihood === 'taken' ? 1 : 0);
      }
    }
    out.byte(0).sized(content);
  }
}

function writeImport(c: ByteWriter, entry: ImportEntry): void {
  c.name(entry.module).name(entry.name);
  switch (entry.kind) {
    case 'function':
      c.byte(0x00).unsigned(entry.type);
      return;
    case 'table':
      c.byte(0x01).byte(0x70).byte(0x00).unsigned(entry.minimum);
      return;
    case 'memory':
      c.byte(0x02).byte(entry.shared ? 0x03 : 0x01);
      c.unsigned(entry.minimumPages).unsigned(entry.maximumPages);
  }
}
