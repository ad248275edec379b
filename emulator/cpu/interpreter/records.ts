// Predecoded instructions: which handler executes an instruction and where a record keeps its operands.
// Guarantees: what is written here is what `RecordMeaning` reads.
import { type EncodedOperand, type EncodedRow, encodedRowOf, instructionLength, operandValue } from '../decoder';
import { compressedInstructions, instructions } from '../instructions';
import type { InstructionRow } from '../instructions/format';
import type { Field } from '../instructions/meaning';
import { handlerMask, hartCell, record } from '../layout';

/** Handlers that stand for no instruction. A record of zeros has not been decoded yet. */
export const pseudoHandler = { decode: 0, nextPage: 1, loose: 2, breakpoint: 3, illegal: 4 } as const;
export const firstHandler = 5;

export interface Handler {
  readonly row: InstructionRow;
  readonly lengthBytes: 2 | 4;
}

const compressible = new Set(compressedInstructions.map((row) => row.expandsTo));

/** One handler for each instruction and length, in order from `firstHandler`. */
export const handlers: readonly Handler[] = instructions.flatMap((row): Handler[] =>
  compressible.has(row.name)
    ? [
        { row, lengthBytes: 4 },
        { row, lengthBytes: 2 },
      ]
    : [{ row, lengthBytes: 4 }],
);
export const handlerCount = firstHandler + handlers.length;
if (handlerCount > handlerMask) throw new Error(`${handlerCount} handlers, room for ${handlerMask}: widen entryShift`);

const handlerNumbers = new Map(
  handlers.map(({ row, lengthBytes }, position) => [`${row.name}/${lengthBytes}`, firstHandler + position]),
);

/** Where a record keeps a field, and what is kept of its value. */
export interface Place {
  readonly offset: number;
  readonly bytes: 1 | 2 | 4;
  readonly holds: 'x' | 'written x' | 'f' | 'number';
}

export const places: Readonly<Record<Field, Place>> = {
  rd: { offset: record.rd, bytes: 2, holds: 'written x' },
  fd: { offset: record.rd, bytes: 2, holds: 'f' },
  rs1: { offset: record.rs1, bytes: 2, holds: 'x' },
  fs1: { offset: record.rs1, bytes: 2, holds: 'f' },
  zimm: { offset: record.rs1, bytes: 2, holds: 'number' },
  rs2: { offset: record.rs2, bytes: 2, holds: 'x' },
  fs2: { offset: record.rs2, bytes: 2, holds: 'f' },
  fs3: { offset: record.immediate, bytes: 2, holds: 'f' },
  rm: { offset: record.immediate + 2, bytes: 1, holds: 'number' },
  imm: { offset: record.immediate, bytes: 4, holds: 'number' },
  shamt: { offset: record.immediate, bytes: 4, holds: 'number' },
  csr: { offset: record.immediate, bytes: 4, holds: 'number' },
  aq: { offset: record.immediate, bytes: 1, holds: 'number' },
  rl: { offset: record.immediate + 1, bytes: 1, holds: 'number' },
  fm: { offset: record.immediate, bytes: 1, holds: 'number' },
  pred: { offset: record.immediate + 1, bytes: 1, holds: 'number' },
  succ: { offset: record.immediate + 2, bytes: 1, holds: 'number' },
};

function isField(name: string): name is Field {
  return Object.hasOwn(places, name);
}

/** Registers are kept as byte offsets from the hart; writes to x0 go to a cell that is never read. [RISC-V unpriv. 2.1] */
function keptValue(place: Place, value: number): number {
  switch (place.holds) {
    case 'x':
      return hartCell.x + value * 8;
    case 'written x':
      return value === 0 ? hartCell.discardedX : hartCell.x + value * 8;
    case 'f':
      return hartCell.f + value * 8;
    case 'number':
      return value;
  }
}

/** Words of one record. */
type RecordWords = readonly [number, number, number, number];

/** Records of instruction words seen before, placed by a hash of the word. A kernel has few different words for its size. */
const knownShift = 15;
const knownWords = new Uint32Array(4 << knownShift);
const scratchRecord = new DataView(new ArrayBuffer(record.bytes));

/** Writes the record of an instruction word; bits above a compressed instruction must be 0. */
export function writeRecord(view: DataView, address: number, bits: number): void {
  const at = (Math.imul(bits, 0x9e37_79b1) >>> (32 - knownShift)) << 2;
  // The word itself is the last part of its record, and no record of an instruction begins with 0.
  if (knownWords[at + 3] !== bits >>> 0 || knownWords[at] === 0) knownWords.set(recordOf(bits), at);
  view.setUint32(address, knownWords[at] ?? 0, true);
  view.setUint32(address + 4, knownWords[at + 1] ?? 0, true);
  view.setUint32(address + 8, knownWords[at + 2] ?? 0, true);
  view.setUint32(address + 12, knownWords[at + 3] ?? 0, true);
}

/** What of a record an encoding determines, worked out once: its handler, and which operand goes where. */
interface Recipe {
  readonly handler: number;
  readonly operands: readonly { readonly operand: EncodedOperand; readonly place: Place }[];
}
const recipes = new Map<EncodedRow, Recipe>();
const illegal: Recipe = { handler: pseudoHandler.illegal, operands: [] };

function recipeOf(bits: number): Recipe {
  const encoded = encodedRowOf(bits);
  if (encoded === undefined) return illegal;
  let recipe = recipes.get(encoded);
  if (recipe === undefined) {
    recipe = {
      handler: handlerNumbers.get(`${encoded.row.name}/${instructionLength(bits)}`) ?? pseudoHandler.illegal,
      operands: encoded.operands.flatMap((operand) =>
        isField(operand.name) ? [{ operand, place: places[operand.name] }] : [],
      ),
    };
    recipes.set(encoded, recipe);
  }
  return recipe;
}

/** The word itself is kept, too: an illegal instruction reports it. */
function recordOf(bits: number): RecordWords {
  const view = scratchRecord;
  for (let offset = 0; offset < record.bytes; offset += 4) view.setUint32(offset, 0, true);
  view.setUint32(record.bits, bits, true);
  const { handler, operands } = recipeOf(bits);
  view.setUint16(record.handler, handler, true);
  for (const { operand, place } of operands) {
    const kept = keptValue(place, operandValue(operand, bits));
    if (place.bytes === 4) view.setInt32(place.offset, kept, true);
    else if (place.bytes === 2) view.setUint16(place.offset, kept, true);
    else view.setUint8(place.offset, kept);
  }
  return [view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true), view.getUint32(12, true)];
}
