// How an instruction row writes its encoding and how a field is cut out of a word and put into one.
// An encoding lists the bits from the most significant one: literal bits, register names, and immediates as `imm[11:5|4]`, which say
// which bits of the value stand there. A register name with an apostrophe is one of the eight that compressed forms reach.
import type { Field, Meaning } from './meaning';

/** What an instruction does, in terms of any implementation of the vocabulary. */
export type MeaningFunction = <V, C>(m: Meaning<V, C>) => void;

export interface InstructionRow {
  readonly name: string;
  readonly encoding: string;
  /** Assembly operands, in the assembler's order: field names, commas and parentheses; `target` is pc + imm. */
  readonly text: string;
  readonly meaning: MeaningFunction;
}

/** A 16-bit instruction: another way to write a 32-bit one. */
export interface CompressedRow {
  readonly name: string;
  readonly encoding: string;
  readonly text: string;
  readonly expandsTo: string;
  /** Fields of the expansion: a number, or a field of the compressed encoding. */
  readonly operands: Readonly<Partial<Record<Field, string | number>>>;
  /** Values that make the encoding reserved, or another instruction. */
  readonly except?: Readonly<Record<string, readonly number[]>>;
}

/** One run of bits of a field: `width` bits from bit `low` of the word are the bits from `valueLow` of the value. */
interface Piece {
  readonly low: number;
  readonly width: number;
  readonly valueLow: number;
}

export interface EncodedField {
  readonly name: string;
  readonly pieces: readonly Piece[];
  /** Bits of the value above its highest bit repeat that bit. */
  readonly signed: boolean;
  /** Number of the value's bits, those that are always zero included. */
  readonly bits: number;
  /** Added to what the bits say: 8 for the registers of compressed forms. */
  readonly bias: number;
}

export interface Encoding {
  readonly lengthBytes: 2 | 4;
  readonly mask: number;
  readonly match: number;
  readonly fields: readonly EncodedField[];
}

const signedFields = new Set(['imm', 'nzimm']);
const defaultWidths: Readonly<Record<string, number>> = {
  rm: 3,
  aq: 1,
  rl: 1,
  fm: 4,
  pred: 4,
  succ: 4,
  csr: 12,
  zimm: 5,
};

export function parseEncoding(text: string): Encoding {
  const parts = text.split(' ').map(parsePart);
  const total = parts.reduce((sum, part) => sum + part.width, 0);
  if (total !== 16 && total !== 32) throw new Error(`encoding "${text}" has ${total} bits`);
  let low = total;
  let mask = 0;
  let match = 0;
  const fields = new Map<string, Piece[]>();
  for (const part of parts) {
    low -= part.width;
    if (part.kind === 'bits') {
      mask += (2 ** part.width - 1) * 2 ** low;
      match += part.value * 2 ** low;
      continue;
    }
    const pieces = fields.get(part.name) ?? [];
    let above = low + part.width;
    for (const [high, valueLow] of part.ranges) {
      const width = high - valueLow + 1;
      above -= width;
      pieces.push({ low: above, width, valueLow });
    }
    fields.set(part.name, pieces);
  }
  return {
    lengthBytes: total === 32 ? 4 : 2,
    mask: mask >>> 0,
    match: match >>> 0,
    fields: [...fields].map(([name, pieces]) => ({
      name: name.replace("'", ''),
      pieces,
      signed: signedFields.has(name),
      bits: Math.max(...pieces.map((piece) => piece.valueLow + piece.width)),
      bias: name.endsWith("'") ? 8 : 0,
    })),
  };
}

type Part =
  | { readonly kind: 'bits'; readonly width: number; readonly value: number }
  | { readonly kind: 'field'; readonly name: string; readonly width: number; readonly ranges: [number, number][] };

function parsePart(part: string): Part {
  if (/^[01]+$/.test(part)) return { kind: 'bits', width: part.length, value: parseInt(part, 2) };
  const [name = '', rangeText] = part.replace(']', '').split('[');
  if (rangeText === undefined) {
    const width = defaultWidths[name] ?? (name.endsWith("'") ? 3 : 5);
    return { kind: 'field', name, width, ranges: [[width - 1, 0]] };
  }
  const ranges = rangeText.split('|').map((range): [number, number] => {
    const [high = NaN, low = high] = range.split(':').map(Number);
    return [high, low];
  });
  const width = ranges.reduce((sum, [high, low]) => sum + high - low + 1, 0);
  if (!Number.isInteger(width)) throw new Error(`field "${part}" has no bit ranges`);
  return { kind: 'field', name, width, ranges };
}

export function extractField(word: number, field: EncodedField): number {
  let value = 0;
  for (const { low, width, valueLow } of field.pieces) value |= ((word >>> low) & ((1 << width) - 1)) << valueLow;
  if (field.signed && field.bits < 32) value = (value << (32 - field.bits)) >> (32 - field.bits);
  return value + field.bias;
}

/** The field's bits in a word. Throws RangeError where the value cannot be encoded. */
export function insertField(field: EncodedField, value: number): number {
  let word = 0;
  for (const { low, width, valueLow } of field.pieces)
    word |= (((value - field.bias) >>> valueLow) & (2 ** width - 1)) << low;
  if (extractField(word, field) !== value) throw new RangeError(`${field.name} cannot hold ${value}`);
  return word >>> 0;
}
