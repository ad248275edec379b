// Runs line-number programs. [DWARF 5, 6.2.5]
import { Cursor, MalformedInput } from '../bytes';
import type { LineHeader } from './line-header';

export const rowFlag = { isStatement: 1, prologueEnd: 2, endSequence: 4 } as const;

/** The rows of one program, in columns: kernels have millions. Sequences are contiguous and ordered by address. */
export interface LineRows {
  readonly count: number;
  readonly address: Float64Array;
  /** Number in the path table, -1 for none. */
  readonly file: Int32Array;
  readonly line: Uint32Array;
  readonly column: Uint16Array;
  readonly flags: Uint8Array;
  /** Row numbers at which sequences begin; each ends with a row flagged `endSequence`. */
  readonly sequences: readonly number[];
}

const opcode = {
  DW_LNS_copy: 1,
  DW_LNS_advance_pc: 2,
  DW_LNS_advance_line: 3,
  DW_LNS_set_file: 4,
  DW_LNS_set_column: 5,
  DW_LNS_negate_stmt: 6,
  DW_LNS_const_add_pc: 8,
  DW_LNS_fixed_advance_pc: 9,
  DW_LNS_set_prologue_end: 10,
} as const;
const extendedOpcode = { DW_LNE_end_sequence: 1, DW_LNE_set_address: 2 } as const;

class RowBuffer {
  count = 0;
  #capacity = 256;
  address = new Float64Array(256);
  file = new Int32Array(256);
  line = new Uint32Array(256);
  column = new Uint16Array(256);
  flags = new Uint8Array(256);

  push(address: number, file: number, line: number, column: number, flags: number): void {
    if (this.count === this.#capacity) this.#resize(this.#capacity * 2);
    const at = this.count++;
    this.address[at] = address;
    this.file[at] = file;
    this.line[at] = line;
    this.column[at] = Math.min(column, 0xffff);
    this.flags[at] = flags;
  }

  #resize(capacity: number): void {
    this.#capacity = capacity;
    const count = Math.min(this.count, capacity);
    const grow = <Column extends Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array>(
      from: Column,
      to: Column,
    ) => {
      to.set(from.subarray(0, count));
      return to;
    };
    this.address = grow(this.address, new Float64Array(capacity));
    this.file = grow(this.file, new Int32Array(capacity));
    this.line = grow(this.line, new Uint32Array(capacity));
    this.column = grow(this.column, new Uint16Array(capacity));
    this.flags = grow(this.flags, new Uint8Array(capacity));
  }

  /** Gives unused space back. */
  fit(): void {
    this.#resize(Math.max(1, this.count));
  }

  /** Orders the rows from `first` on by address, keeping the order of equal ones. */
  sortFrom(first: number): void {
    const order = Array.from({ length: this.count - first }, (_, i) => first + i);
    order.sort((a, b) => (this.address[a] ?? 0) - (this.address[b] ?? 0));
    const pick = (column: Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array) => {
      const values = order.map((row) => column[row] ?? 0);
      column.set(values, first);
    };
    [this.address, this.file, this.line, this.column, this.flags].forEach(pick);
  }
}

/** `isLoaded` tells code from what the linker threw away and left at address 0 or -1. */
export function runLineProgram(
  bytes: Uint8Array,
  header: LineHeader,
  isLoaded: (address: number) => boolean,
): LineRows {
  const rows = new RowBuffer();
  const sequences: number[] = [];
  const cursor = new Cursor(bytes, header.program, header.end);
  const { lineBase, lineRange, opcodeBase, minimumInstructionLength } = header;
  const constAdd = lineRange === 0 ? 0 : Math.floor((255 - opcodeBase) / lineRange) * minimumInstructionLength;
  let address = 0;
  let file = 1;
  let line = 1;
  let column = 0;
  let isStatement = header.defaultIsStatement;
  let prologueEnd = false;
  let start = 0;
  let ascending = true;
  const emit = (end: boolean) => {
    if (rows.count > start && address < (rows.address[rows.count - 1] ?? 0)) ascending = false;
    const flags =
      (isStatement ? rowFlag.isStatement : 0) |
      (prologueEnd ? rowFlag.prologueEnd : 0) |
      (end ? rowFlag.endSequence : 0);
    rows.push(address, header.files[file] ?? -1, Math.max(0, line), column, flags);
    prologueEnd = false;
  };
  const finish = () => {
    if (!ascending) rows.sortFrom(start);
    const low = rows.address[start] ?? 0;
    const useful = rows.count - start >= 2 && (rows.address[rows.count - 1] ?? 0) > low && isLoaded(low);
    if (useful) sequences.push(start);
    else rows.count = start;
    start = rows.count;
    ascending = true;
    address = 0;
    file = 1;
    line = 1;
    column = 0;
    isStatement = header.defaultIsStatement;
    prologueEnd = false;
  };
  while (!cursor.done) {
    const code = cursor.u8();
    if (code >= opcodeBase) {
      if (lineRange === 0) throw new MalformedInput('its line range is 0');
      const adjusted = code - opcodeBase;
      address += Math.floor(adjusted / lineRange) * minimumInstructionLength;
      line += lineBase + (adjusted % lineRange);
      emit(false);
      continue;
    }
    switch (code) {
      case 0: {
        const length = cursor.uleb();
        const next = cursor.offset + length;
        if (next > header.end) throw new MalformedInput('an extended opcode is longer than the program');
        const extended = length === 0 ? 0 : cursor.u8();
        if (extended === extendedOpcode.DW_LNE_end_sequence) {
          emit(true);
          finish();
        } else if (extended === extendedOpcode.DW_LNE_set_address) {
          address = cursor.address(8);
        }
        cursor.offset = next;
        break;
      }
      case opcode.DW_LNS_copy:
        emit(false);
        break;
      case opcode.DW_LNS_advance_pc:
        address += cursor.uleb() * minimumInstructionLength;
        break;
      case opcode.DW_LNS_advance_line:
        line += cursor.sleb();
        break;
      case opcode.DW_LNS_set_file:
        file = cursor.uleb();
        break;
      case opcode.DW_LNS_set_column:
        column = cursor.uleb();
        break;
      case opcode.DW_LNS_negate_stmt:
        isStatement = !isStatement;
        break;
      case opcode.DW_LNS_const_add_pc:
        address += constAdd;
        break;
      case opcode.DW_LNS_fixed_advance_pc:
        address += cursor.u16();
        break;
      case opcode.DW_LNS_set_prologue_end:
        prologueEnd = true;
        break;
      default:
        // Others change nothing that is used here; the header says how many operands to pass.
        for (let i = header.operandCounts[code - 1] ?? 0; i > 0; i--) cursor.skipLeb();
    }
  }
  // A program that ends inside a sequence: its rows cover nothing that can be trusted.
  rows.count = start;
  rows.fit();
  return { ...columns(rows), sequences };
}

function columns(rows: RowBuffer): Omit<LineRows, 'sequences'> {
  const { count, address, file, line, column, flags } = rows;
  return { count, address, file, line, column, flags };
}
