// The little that has to be known of RISC-V code itself: lengths, jumps and calls. [RISC-V unpriv. 1.5, 2.5, 26.5]

/** Bytes of the instruction that begins with this halfword. */
export function instructionLength(halfword: number): 2 | 4 {
  return (halfword & 3) === 3 ? 4 : 2;
}

export interface CodeWord {
  readonly offset: number;
  readonly length: 2 | 4;
  /** The instruction, zero-extended. */
  readonly word: number;
}

export function* instructions(code: Uint8Array): Generator<CodeWord> {
  let offset = 0;
  while (offset + 2 <= code.length) {
    const half = (code[offset] ?? 0) | ((code[offset + 1] ?? 0) << 8);
    const length = instructionLength(half);
    if (offset + length > code.length) return;
    const upper = length === 4 ? (code[offset + 2] ?? 0) | ((code[offset + 3] ?? 0) << 8) : 0;
    yield { offset, length, word: (half | (upper << 16)) >>> 0 };
    offset += length;
  }
}

const opcodeBranch = 0x63;
const opcodeJal = 0x6f;
const opcodeJalr = 0x67;

/** How an instruction continues anywhere but behind itself. Distances are in bytes from the instruction. */
export type Transfer =
  | { readonly kind: 'branch' | 'jump'; readonly distance: number }
  | { readonly kind: 'call' | 'millicode call' | 'indirect jump' | 'return' | 'trap return' | 'environment' };

function signExtend(value: number, bits: number): number {
  return (value << (32 - bits)) >> (32 - bits);
}

/** Collects immediate bits: pairs of the position in the instruction and in the immediate, with a length. */
function gather(
  word: number,
  fields: readonly (readonly [from: number, to: number, length: number])[],
  bits: number,
): number {
  let value = 0;
  for (const [from, to, length] of fields) value |= ((word >>> from) & ((1 << length) - 1)) << to;
  return signExtend(value, bits);
}

/** `undefined` for an instruction that always continues behind itself. */
export function transferOf(code: CodeWord): Transfer | undefined {
  return code.length === 4 ? transfer32(code.word) : transfer16(code.word);
}

function transfer32(word: number): Transfer | undefined {
  const destination = (word >>> 7) & 31;
  const links = destination === 1 || destination === 5;
  const call = destination === 5 ? 'millicode call' : 'call';
  switch (word & 0x7f) {
    case opcodeBranch: {
      const fields = [
        [31, 12, 1],
        [7, 11, 1],
        [25, 5, 6],
        [8, 1, 4],
      ] as const;
      return { kind: 'branch', distance: gather(word, fields, 13) };
    }
    case opcodeJal: {
      const fields = [
        [31, 20, 1],
        [12, 12, 8],
        [20, 11, 1],
        [21, 1, 10],
      ] as const;
      return links ? { kind: call } : { kind: 'jump', distance: gather(word, fields, 21) };
    }
    case opcodeJalr:
      if (links) return { kind: call };
      return { kind: ((word >>> 15) & 31) === 1 ? 'return' : 'indirect jump' };
    case 0x73:
      // mret and sret; ecall and ebreak.
      if (word === 0x30200073 || word === 0x10200073) return { kind: 'trap return' };
      return word === 0x73 || word === 0x100073 ? { kind: 'environment' } : undefined;
    default:
      return undefined;
  }
}

function transfer16(word: number): Transfer | undefined {
  const quadrant = word & 3;
  const funct3 = word >> 13;
  if (quadrant === 1 && funct3 === 5) {
    const fields = [
      [12, 11, 1],
      [8, 10, 1],
      [9, 8, 2],
      [6, 7, 1],
      [7, 6, 1],
      [2, 5, 1],
      [11, 4, 1],
      [3, 1, 3],
    ] as const;
    return { kind: 'jump', distance: gather(word, fields, 12) };
  }
  if (quadrant === 1 && funct3 >= 6) {
    const fields = [
      [12, 8, 1],
      [5, 6, 2],
      [2, 5, 1],
      [10, 3, 2],
      [3, 1, 2],
    ] as const;
    return { kind: 'branch', distance: gather(word, fields, 9) };
  }
  // c.jr, c.jalr and c.ebreak have rs2 = 0.
  if (quadrant !== 2 || funct3 !== 4 || ((word >> 2) & 31) !== 0) return undefined;
  const source = (word >> 7) & 31;
  const isHigh = ((word >> 12) & 1) === 1;
  if (source === 0) return isHigh ? { kind: 'environment' } : undefined;
  return isHigh ? { kind: 'call' } : { kind: source === 1 ? 'return' : 'indirect jump' };
}

export function isControlTransfer(code: Uint8Array): boolean {
  for (const instruction of instructions(code)) if (transferOf(instruction) !== undefined) return true;
  return false;
}

/** Whether the code that ends before a return address ends with a call, one that writes ra or t0. `code` is the 4 bytes before. */
export function endsWithCall(code: Uint8Array): boolean {
  if (code.length < 4) return false;
  const word = ((code[0] ?? 0) | ((code[1] ?? 0) << 8) | ((code[2] ?? 0) << 16) | ((code[3] ?? 0) << 24)) >>> 0;
  const opcode = word & 0x7f;
  const destination = (word >> 7) & 31;
  const links = destination === 1 || destination === 5;
  if (links && (opcode === opcodeJal || (opcode === opcodeJalr && ((word >> 12) & 7) === 0))) return true;
  const half = word >>> 16;
  // c.jalr: funct4 1001, rs1 not 0, rs2 0.
  return (half & 0xf07f) === 0x9002 && ((half >> 7) & 31) !== 0;
}
