// From instruction words to rows of the instruction table, and back.
// Guarantees: every 16-bit and 32-bit pattern decodes to exactly one row or to `undefined`; a compressed instruction decodes to its
// expansion with the compressed length.
import { compressedInstructions, instructions } from './instructions';
import {
  extractField,
  insertField,
  parseEncoding,
  type CompressedRow,
  type EncodedField,
  type Encoding,
  type InstructionRow,
} from './instructions/format';

export interface DecodedInstruction {
  readonly row: InstructionRow;
  /** The compressed row it was written with. */
  readonly compressed?: CompressedRow;
  readonly lengthBytes: 2 | 4;
  /** The instruction word; 16 bits when compressed. */
  readonly bits: number;
  /** Values of the expansion's fields, by name. */
  readonly fields: Readonly<Record<string, number>>;
}

/** An encoding of the table and the row it stands for. */
export interface EncodedRow {
  readonly row: InstructionRow;
  readonly compressed?: CompressedRow;
  readonly encoding: Encoding;
  /** The fields of `row`: where the word has each, or its fixed value. */
  readonly operands: readonly EncodedOperand[];
  /** Fields of the encoding that must not have these values. */
  readonly except: readonly { readonly field: EncodedField; readonly values: readonly number[] }[];
}
export interface EncodedOperand {
  readonly name: string;
  readonly source: EncodedField | number;
}

const rowsByName = new Map(instructions.map((row) => [row.name, row]));

const encodedRows: readonly EncodedRow[] = [
  ...instructions.map((row): EncodedRow => {
    const encoding = parseEncoding(row.encoding);
    const operands = encoding.fields.map((field) => ({ name: field.name, source: field }));
    return { row, encoding, operands, except: [] };
  }),
  ...compressedInstructions.map((compressed): EncodedRow => {
    const row = rowsByName.get(compressed.expandsTo);
    if (row === undefined) throw new Error(`${compressed.name} expands to ${compressed.expandsTo}, which has no row`);
    const encoding = parseEncoding(compressed.encoding);
    const fields = new Map(encoding.fields.map((field) => [field.name, field]));
    const operands = Object.entries(compressed.operands).map(([name, source]) => ({
      name,
      source: typeof source === 'number' ? source : (fields.get(source) ?? 0),
    }));
    const except = Object.entries(compressed.except ?? {}).flatMap(([name, values]) => {
      const field = fields.get(name);
      return field === undefined ? [] : [{ field, values }];
    });
    return { row, compressed, encoding, operands, except };
  }),
];
const encodedByName = new Map(encodedRows.map((entry) => [(entry.compressed ?? entry.row).name, entry]));

/** funct3 and the major opcode of a 32-bit word, or those of a 16-bit one, select a short list. */
function bucketOf(word: number): number {
  return (word & 3) === 3 ? ((word >>> 5) & 0x380) | (word & 0x7f) : 0x400 | ((word >>> 11) & 0x1c) | (word & 3);
}
const bucketMask = { 4: 0x707f, 2: 0xe003 } as const;

const buckets: readonly (readonly EncodedRow[])[] = buildBuckets();

function buildBuckets(): EncodedRow[][] {
  const lists: EncodedRow[][] = Array.from({ length: 0x420 }, () => []);
  for (const entry of encodedRows) {
    const { mask, match, lengthBytes } = entry.encoding;
    const selectors = bucketMask[lengthBytes];
    const reached = new Set<number>();
    const shift = lengthBytes === 4 ? 12 : 13;
    for (let funct3 = 0; funct3 < 8; funct3++) {
      const word = (match & selectors & ~(7 << shift)) | (funct3 << shift);
      if (((word ^ match) & mask & selectors) === 0) reached.add(bucketOf(word));
    }
    for (const bucket of reached) lists[bucket]?.push(entry);
  }
  return lists;
}

/** Length of the instruction whose lowest halfword is given. */
export function instructionLength(halfword: number): 2 | 4 {
  return (halfword & 3) === 3 ? 4 : 2;
}

/** The encoding that a word has; `undefined` where nothing is defined. Bits above a compressed instruction must be 0. */
export function encodedRowOf(bits: number): EncodedRow | undefined {
  const bucket = buckets[bucketOf(bits)];
  if (bucket === undefined) return undefined;
  for (const entry of bucket) {
    const { mask, match } = entry.encoding;
    if ((bits & mask) >>> 0 === match && !isExcepted(entry, bits)) return entry;
  }
  return undefined;
}

function isExcepted({ except }: EncodedRow, bits: number): boolean {
  for (const { field, values } of except) if (values.includes(extractField(bits, field))) return true;
  return false;
}

/** The value of an operand in a word. */
export function operandValue({ source }: EncodedOperand, bits: number): number {
  return typeof source === 'number' ? source : extractField(bits, source);
}

/** Decodes a word; only its low half counts where that is a compressed instruction. `undefined` where nothing is defined. */
export function decode(word: number): DecodedInstruction | undefined {
  const lengthBytes = instructionLength(word);
  const bits = lengthBytes === 4 ? word >>> 0 : word & 0xffff;
  const entry = encodedRowOf(bits);
  if (entry === undefined) return undefined;
  const fields: Record<string, number> = {};
  for (const operand of entry.operands) fields[operand.name] = operandValue(operand, bits);
  const { row, compressed } = entry;
  return { row, ...(compressed !== undefined && { compressed }), lengthBytes, bits, fields };
}

export interface EncodableInstruction {
  readonly name: string;
  readonly text: string;
  readonly lengthBytes: 2 | 4;
  readonly fields: readonly EncodedField[];
  /** The word with these fields; missing ones are 0. Throws RangeError where one does not fit or the encoding is reserved. */
  encode(values: Readonly<Record<string, number>>): number;
}

/** The encoder of one instruction by name, for assemblers. */
export function encodable(name: string): EncodableInstruction | undefined {
  const entry = encodedByName.get(name);
  if (entry === undefined) return undefined;
  const { encoding, compressed, row } = entry;
  return {
    name,
    text: (compressed ?? row).text,
    lengthBytes: encoding.lengthBytes,
    fields: encoding.fields,
    encode: (values) => {
      let word = encoding.match;
      for (const field of encoding.fields) word |= insertField(field, values[field.name] ?? field.bias);
      if (isExcepted(entry, word >>> 0)) throw new RangeError(`reserved form of ${name}`);
      return word >>> 0;
    },
  };
}

/** Names of all rows, compressed ones included. */
export const instructionNames: readonly string[] = [...encodedByName.keys()];
