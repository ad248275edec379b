// Predecoded instructions: which handler executes an instruction and where a record keeps its operands.
// Guarantees: what is written here is what `RecordMeaning` reads.
import type { DecodedInstruction } from '../decoder';
import { compressedInstructions, instructions } from '../instructions';
import type { InstructionRow } from '../instructions/format';
import type { Field } from '../instructions/meaning';
import { hartCell, record } from '../layout';

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

/** Writes the record of a decoded word; `bits` are the word itself, which an illegal instruction reports. */
export function writeRecord(
  view: DataView,
  address: number,
  bits: number,
  decoded: DecodedInstruction | undefined,
): void {
  for (let offset = 0; offset < record.bytes; offset += 4) view.setUint32(address + offset, 0, true);
  view.setUint32(address + record.bits, bits, true);
  if (decoded === undefined) {
    view.setUint16(address + record.handler, pseudoHandler.illegal, true);
    return;
  }
  for (const [name, value] of Object.entries(decoded.fields)) {
    if (!isField(name)) continue;
    const place = places[name];
    const at = address + place.offset;
    const kept = keptValue(place, value);
    if (place.bytes === 4) view.setInt32(at, kept, true);
    else if (place.bytes === 2) view.setUint16(at, kept, true);
    else view.setUint8(at, kept);
  }
  const handler = handlerNumbers.get(`${decoded.row.name}/${decoded.lengthBytes}`) ?? pseudoHandler.illegal;
  view.setUint16(address + record.handler, handler, true);
}
