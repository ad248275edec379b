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

/** Whether an instruction may continue anywhere but behind itself. */
export function transfersControl({ word, length }: CodeWord): boolean {
  if (length === 4) {
    const opcode = word & 0x7f;
    // SYSTEM with funct3 0: ecall, ebreak, xret.
    return opcode === opcodeBranch || opcode === opcodeJal || opcode === opcodeJalr || (word & 0x707f) === 0x73;
  }
  const quadrant = word & 3;
  const funct3 = word >> 13;
  // c.j, c.beqz, c.bnez; c.jr, c.jalr and c.ebreak have rs2 = 0.
  return (quadrant === 1 && funct3 >= 5) || (quadrant === 2 && funct3 === 4 && ((word >> 2) & 31) === 0);
}

export function isControlTransfer(code: Uint8Array): boolean {
  for (const instruction of instructions(code)) if (transfersControl(instruction)) return true;
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
