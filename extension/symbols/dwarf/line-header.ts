// Headers of line-number programs: directories and files. [DWARF 5, 6.2.4; DWARF 4, 6.2.4]
import { Cursor, MalformedInput } from '../bytes';
import { form } from './constants';
import { skipForm, type FormContext } from './forms';
import { join, type PathTable } from './paths';
import type { DebugSections } from './sections';

export interface LineHeader extends FormContext {
  readonly minimumInstructionLength: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  readonly operandCounts: Uint8Array;
  /** Number in the path table for each file register value; -1 where there is none. */
  readonly files: Int32Array;
  readonly program: number;
  readonly end: number;
}

/** Content types of directory and file entries. [DWARF 5, 6.2.4.1] */
const contentType = { DW_LNCT_path: 1, DW_LNCT_directory_index: 2 } as const;

/**
 * Remembers what strings of `.debug_line_str` mean: units of a link repeat the same headers thousands of times, and looking a
 * pair of numbers up is cheaper than building the path again.
 */
export class PathCache {
  readonly #joined = new Map<number, number>();
  readonly directories = new Map<string, number>();

  constructor(readonly table: PathTable) {}

  directory(path: string): number {
    const known = this.directories.get(path);
    if (known !== undefined) return known;
    this.directories.set(path, this.directories.size);
    return this.directories.size - 1;
  }

  file(directory: string, directoryNumber: number, stringOffset: number | undefined, name: () => string): number {
    // String offsets are below 2^32, directories far below 2^20.
    const key = stringOffset === undefined ? undefined : directoryNumber * 0x1_0000_0000 + stringOffset;
    const known = key === undefined ? undefined : this.#joined.get(key);
    if (known !== undefined) return known;
    const number = this.table.number(join(directory, name()));
    if (key !== undefined) this.#joined.set(key, number);
    return number;
  }
}

export function readLineHeader(
  sections: DebugSections,
  offset: number,
  unit: { readonly directory: string; readonly name: string },
  cache: PathCache,
): LineHeader {
  const bytes = sections.get('line');
  const cursor = new Cursor(bytes, offset);
  let length = cursor.u32();
  const offsetSize = length === 0xffffffff ? 8 : 4;
  if (offsetSize === 8) length = cursor.size64();
  const end = cursor.offset + length;
  if (end > bytes.length)
    throw new MalformedInput(`it should end at 0x${end.toString(16)}, the section ends before that`);
  cursor.end = end;
  const version = cursor.u16();
  if (version < 2 || version > 5) throw new MalformedInput(`version 2 to 5 expected, found ${version}`);
  if (version >= 5) {
    const addressSize = cursor.u8();
    const selectorSize = cursor.u8();
    if (addressSize !== 8 || selectorSize !== 0)
      throw new MalformedInput(`address size 8 expected, found ${addressSize}`);
  }
  const headerLength = cursor.unsigned(offsetSize);
  const program = cursor.offset + headerLength;
  if (program > end) throw new MalformedInput('its header is longer than itself');
  const minimumInstructionLength = cursor.u8();
  if (version >= 4) cursor.skip(1);
  const defaultIsStatement = cursor.u8() !== 0;
  const lineBase = cursor.i8();
  const lineRange = cursor.u8();
  const opcodeBase = cursor.u8();
  const operandCounts = cursor.block(Math.max(0, opcodeBase - 1));
  const context: FormContext = { version, offsetSize };
  const files = version >= 5 ? readTables5(cursor, context, sections, unit, cache) : readTables4(cursor, unit, cache);
  return {
    ...context,
    minimumInstructionLength,
    defaultIsStatement,
    lineBase,
    lineRange,
    opcodeBase,
    operandCounts,
    files,
    program,
    end,
  };
}

function readTables4(cursor: Cursor, unit: { directory: string; name: string }, cache: PathCache): Int32Array {
  const directories = [unit.directory];
  for (;;) {
    const name = cursor.string();
    if (name === '') break;
    directories.push(join(unit.directory, name));
  }
  // Numbers begin at 1; some assemblers use 0 for the unit's own file.
  const files = [cache.table.number(join(unit.directory, unit.name))];
  for (;;) {
    const name = cursor.string();
    if (name === '') break;
    files.push(cache.table.number(join(directories[cursor.uleb()] ?? unit.directory, name)));
    cursor.skipLeb();
    cursor.skipLeb();
  }
  return Int32Array.from(files);
}

function readTables5(
  cursor: Cursor,
  context: FormContext,
  sections: DebugSections,
  unit: { directory: string },
  cache: PathCache,
): Int32Array {
  const directories: { path: string; number: number }[] = [];
  readEntries(cursor, context, sections, (path) => {
    const directory = join(directories[0]?.path ?? unit.directory, path.text());
    directories.push({ path: directory, number: cache.directory(directory) });
  });
  const files: number[] = [];
  readEntries(cursor, context, sections, (path, index) => {
    const directory = directories[index] ?? { path: unit.directory, number: cache.directory(unit.directory) };
    files.push(cache.file(directory.path, directory.number, path.lineStringOffset, path.text));
  });
  return Int32Array.from(files);
}

interface EntryPath {
  readonly lineStringOffset: number | undefined;
  readonly text: () => string;
}

function readEntries(
  cursor: Cursor,
  context: FormContext,
  sections: DebugSections,
  take: (path: EntryPath, directory: number) => void,
): void {
  const formats = Array.from({ length: cursor.u8() }, () => ({ content: cursor.uleb(), form: cursor.uleb() }));
  const count = cursor.uleb();
  if (count > cursor.end - cursor.offset) throw new MalformedInput(`it claims ${count} directories or files`);
  for (let i = 0; i < count; i++) {
    let path: EntryPath = { lineStringOffset: undefined, text: () => '' };
    let directory = 0;
    for (const { content, form: valueForm } of formats) {
      if (content === contentType.DW_LNCT_path) path = readPath(cursor, valueForm, context, sections);
      else if (content === contentType.DW_LNCT_directory_index)
        directory = readDirectoryIndex(cursor, valueForm, context);
      else skipForm(cursor, valueForm, context);
    }
    take(path, directory);
  }
}

function readPath(cursor: Cursor, valueForm: number, context: FormContext, sections: DebugSections): EntryPath {
  switch (valueForm) {
    case form.DW_FORM_string: {
      const text = cursor.string();
      return { lineStringOffset: undefined, text: () => text };
    }
    case form.DW_FORM_line_strp: {
      const offset = cursor.unsigned(context.offsetSize);
      return { lineStringOffset: offset, text: () => sections.string('lineStr', offset) };
    }
    case form.DW_FORM_strp: {
      const offset = cursor.unsigned(context.offsetSize);
      return { lineStringOffset: undefined, text: () => sections.string('str', offset) };
    }
    default:
      skipForm(cursor, valueForm, context);
      return { lineStringOffset: undefined, text: () => '' };
  }
}

function readDirectoryIndex(cursor: Cursor, valueForm: number, context: FormContext): number {
  switch (valueForm) {
    case form.DW_FORM_udata:
      return cursor.uleb();
    case form.DW_FORM_data1:
      return cursor.u8();
    case form.DW_FORM_data2:
      return cursor.u16();
    default:
      skipForm(cursor, valueForm, context);
      return 0;
  }
}
