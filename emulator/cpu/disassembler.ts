// Assembly text of an instruction, from the instruction table: compressed instructions are shown as what they expand to, and common
// idioms by their standard names. [RISC-V unpriv. 25, 34; RISC-V assembly programmer's manual, pseudoinstructions]
import { csrNames } from './csr/access';
import { decode, type DecodedInstruction, instructionLength } from './decoder';
import { floatRegisterNames, integerRegisterNames } from './registers';

export interface DisassembledInstruction {
  /** Mnemonic and operands, separated by one space. */
  readonly text: string;
  readonly lengthBytes: 2 | 4;
  /** Where a branch or jump with a constant offset goes. */
  readonly target?: bigint;
}

const ra = 1;

/** A standard name for an instruction whose fields have these values. The first one that fits counts. */
interface Idiom {
  readonly of: string;
  readonly when: Readonly<Record<string, number>>;
  /** A field whose lowest bits have a value; the rest of it is the operand `offset`. */
  readonly low?: { readonly field: string; readonly bits: number; readonly value: number };
  /** Fields that must be equal. */
  readonly same?: readonly [string, string];
  readonly name: string;
  readonly text: string;
}

const idioms: readonly Idiom[] = [
  { of: 'addi', when: { rd: 0, rs1: 0, imm: 0 }, name: 'nop', text: '' },
  { of: 'addi', when: { rs1: 0 }, name: 'li', text: 'rd, imm' },
  { of: 'addi', when: { imm: 0 }, name: 'mv', text: 'rd, rs1' },
  { of: 'add', when: { rs1: 0 }, name: 'mv', text: 'rd, rs2' },
  // Zicbop: a prefetch is an `ori` to x0 whose immediate ends in the kind. [RISC-V unpriv. 19.5.3]
  ...(['i', 'r', undefined, 'w'] as const).flatMap((kind, value): Idiom[] =>
    kind === undefined
      ? []
      : [
          {
            of: 'ori',
            when: { rd: 0 },
            low: { field: 'imm', bits: 5, value },
            name: `prefetch.${kind}`,
            text: 'offset(rs1)',
          },
        ],
  ),
  { of: 'xori', when: { imm: -1 }, name: 'not', text: 'rd, rs1' },
  { of: 'sub', when: { rs1: 0 }, name: 'neg', text: 'rd, rs2' },
  { of: 'subw', when: { rs1: 0 }, name: 'negw', text: 'rd, rs2' },
  { of: 'addiw', when: { imm: 0 }, name: 'sext.w', text: 'rd, rs1' },
  { of: 'andi', when: { imm: 255 }, name: 'zext.b', text: 'rd, rs1' },
  { of: 'sltiu', when: { imm: 1 }, name: 'seqz', text: 'rd, rs1' },
  { of: 'sltu', when: { rs1: 0 }, name: 'snez', text: 'rd, rs2' },
  { of: 'slt', when: { rs2: 0 }, name: 'sltz', text: 'rd, rs1' },
  { of: 'slt', when: { rs1: 0 }, name: 'sgtz', text: 'rd, rs2' },
  { of: 'beq', when: { rs2: 0 }, name: 'beqz', text: 'rs1, target' },
  { of: 'bne', when: { rs2: 0 }, name: 'bnez', text: 'rs1, target' },
  { of: 'blt', when: { rs2: 0 }, name: 'bltz', text: 'rs1, target' },
  { of: 'bge', when: { rs2: 0 }, name: 'bgez', text: 'rs1, target' },
  { of: 'bge', when: { rs1: 0 }, name: 'blez', text: 'rs2, target' },
  { of: 'blt', when: { rs1: 0 }, name: 'bgtz', text: 'rs2, target' },
  { of: 'jal', when: { rd: 0 }, name: 'j', text: 'target' },
  { of: 'jal', when: { rd: ra }, name: 'jal', text: 'target' },
  { of: 'jalr', when: { rd: 0, rs1: ra, imm: 0 }, name: 'ret', text: '' },
  { of: 'jalr', when: { rd: 0, imm: 0 }, name: 'jr', text: 'rs1' },
  { of: 'jalr', when: { rd: 0 }, name: 'jr', text: 'imm(rs1)' },
  { of: 'jalr', when: { rd: ra, imm: 0 }, name: 'jalr', text: 'rs1' },
  { of: 'fence', when: { fm: 0, pred: 1, succ: 0, rs1: 0, rd: 0 }, name: 'pause', text: '' },
  { of: 'fence', when: { fm: 8, pred: 3, succ: 3 }, name: 'fence.tso', text: '' },
  { of: 'fence', when: { pred: 15, succ: 15 }, name: 'fence', text: '' },
  { of: 'csrrs', when: { rs1: 0 }, name: 'csrr', text: 'rd, csr' },
  { of: 'csrrw', when: { rd: 0 }, name: 'csrw', text: 'csr, rs1' },
  { of: 'csrrs', when: { rd: 0 }, name: 'csrs', text: 'csr, rs1' },
  { of: 'csrrc', when: { rd: 0 }, name: 'csrc', text: 'csr, rs1' },
  { of: 'csrrwi', when: { rd: 0 }, name: 'csrwi', text: 'csr, zimm' },
  { of: 'csrrsi', when: { rd: 0 }, name: 'csrsi', text: 'csr, zimm' },
  { of: 'csrrci', when: { rd: 0 }, name: 'csrci', text: 'csr, zimm' },
  { of: 'sfence.vma', when: { rs1: 0, rs2: 0 }, name: 'sfence.vma', text: '' },
  { of: 'sfence.vma', when: { rs2: 0 }, name: 'sfence.vma', text: 'rs1' },
  { of: 'sinval.vma', when: { rs1: 0, rs2: 0 }, name: 'sinval.vma', text: '' },
  { of: 'sinval.vma', when: { rs2: 0 }, name: 'sinval.vma', text: 'rs1' },
  { of: 'add.uw', when: { rs2: 0 }, name: 'zext.w', text: 'rd, rs1' },
  ...(['s', 'd'] as const).flatMap((letter): Idiom[] => [
    { of: `fsgnj.${letter}`, when: {}, same: ['fs1', 'fs2'], name: `fmv.${letter}`, text: 'fd, fs1' },
    { of: `fsgnjn.${letter}`, when: {}, same: ['fs1', 'fs2'], name: `fneg.${letter}`, text: 'fd, fs1' },
    { of: `fsgnjx.${letter}`, when: {}, same: ['fs1', 'fs2'], name: `fabs.${letter}`, text: 'fd, fs1' },
  ]),
];

const csrNameByNumber = new Map(csrNames(true).map(({ name, number }) => [number, name]));
const orderClasses = ['i', 'o', 'r', 'w'] as const;
const roundingModes = ['rne', 'rtz', 'rdn', 'rup', 'rmm', '5', '6', ''] as const;

/**
 * The text of the instruction whose lowest 32 bits are `word` and which lies at `pc`; what no instruction has is shown as data
 * (`.half 0x...`, `.word 0x...`). Never throws.
 */
export function disassemble(word: number, pc: bigint): DisassembledInstruction {
  const decoded = decode(word);
  if (decoded === undefined) {
    const lengthBytes = instructionLength(word);
    const text = lengthBytes === 4 ? `.word 0x${hex(word >>> 0, 8)}` : `.half 0x${hex(word & 0xffff, 4)}`;
    return { text, lengthBytes };
  }
  const { row, lengthBytes, fields } = decoded;
  const idiom = idioms.find((candidate) => fits(candidate, decoded));
  const name = idiom?.name ?? row.name;
  const target = row.text.includes('target') ? BigInt.asUintN(64, pc + BigInt(fields['imm'] ?? 0)) : undefined;
  const shown = idiom?.low === undefined ? fields : { ...fields, offset: offsetOf(idiom.low, fields) };
  const operands = (idiom?.text ?? row.text).replace(/[a-z]\w*/g, (field) => operandText(field, shown, target));
  // A dynamic rounding mode is not written, and leaves its comma.
  const text = `${name}${orderSuffix(fields)} ${operands.replace(/, $/, '')}`.trim();
  return target === undefined ? { text, lengthBytes } : { text, lengthBytes, target };
}

function offsetOf({ field, bits }: NonNullable<Idiom['low']>, fields: Readonly<Record<string, number>>): number {
  const value = fields[field] ?? 0;
  return value - (value & (2 ** bits - 1));
}

function fits(idiom: Idiom, { row, fields }: DecodedInstruction): boolean {
  if (idiom.of !== row.name) return false;
  if (idiom.same !== undefined && fields[idiom.same[0]] !== fields[idiom.same[1]]) return false;
  const { low } = idiom;
  if (low !== undefined && ((fields[low.field] ?? 0) & (2 ** low.bits - 1)) !== low.value) return false;
  return Object.entries(idiom.when).every(([field, value]) => fields[field] === value);
}

function orderSuffix(fields: Readonly<Record<string, number>>): string {
  const acquire = fields['aq'] === 1;
  const release = fields['rl'] === 1;
  return acquire || release ? `.${acquire ? 'aq' : ''}${release ? 'rl' : ''}` : '';
}

function operandText(field: string, fields: Readonly<Record<string, number>>, target: bigint | undefined): string {
  const value = fields[field === 'upper' ? 'imm' : field] ?? 0;
  switch (field) {
    case 'rd':
    case 'rs1':
    case 'rs2':
      return integerRegisterNames[value] ?? String(value);
    case 'fd':
    case 'fs1':
    case 'fs2':
    case 'fs3':
      return floatRegisterNames[value] ?? String(value);
    case 'target':
      return `0x${(target ?? 0n).toString(16)}`;
    case 'upper':
      return `0x${((value >>> 12) & 0xfffff).toString(16)}`;
    case 'csr':
      return csrNameByNumber.get(value) ?? `0x${hex(value, 3)}`;
    case 'rm':
      return roundingModes[value] ?? '';
    case 'pred':
    case 'succ':
      return orderClasses.filter((_, position) => (value & (8 >> position)) !== 0).join('') || '0';
    default:
      return String(value);
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
