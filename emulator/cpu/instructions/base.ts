// RV64I: integer computation, control transfer, loads, stores, fences and environment calls. [RISC-V unpriv. 2 and 4, version 2.1]
import type { InstructionRow, MeaningFunction } from './format';
import type { Bytes, Meaning } from './meaning';

/** A computation of two register or immediate operands. */
type Binary = <V, C>(m: Meaning<V, C>, a: V, b: V) => V;

const add: Binary = (m, a, b) => m.add(a, b);
const subtract: Binary = (m, a, b) => m.subtract(a, b);
const lessSigned: Binary = (m, a, b) => m.bit(m.lessSigned(a, b));
const lessUnsigned: Binary = (m, a, b) => m.bit(m.lessUnsigned(a, b));
const xor: Binary = (m, a, b) => m.xor(a, b);
const or: Binary = (m, a, b) => m.or(a, b);
const and: Binary = (m, a, b) => m.and(a, b);
const shiftLeft: Binary = (m, a, b) => m.shiftLeft(a, b);
const shiftRightLogical: Binary = (m, a, b) => m.shiftRightLogical(a, b);
const shiftRightArithmetic: Binary = (m, a, b) => m.shiftRightArithmetic(a, b);

/** The amount of a word shift counts modulo 32. */
const five: <V, C>(m: Meaning<V, C>, amount: V) => V = (m, amount) => m.and(amount, m.constant(31n));
const addWord: Binary = (m, a, b) => m.signExtend(m.add(a, b), 32);
const subtractWord: Binary = (m, a, b) => m.signExtend(m.subtract(a, b), 32);
const shiftLeftWord: Binary = (m, a, b) => m.signExtend(m.shiftLeft(a, five(m, b)), 32);
const shiftRightLogicalWord: Binary = (m, a, b) =>
  m.signExtend(m.shiftRightLogical(m.zeroExtend(a, 32), five(m, b)), 32);
const shiftRightArithmeticWord: Binary = (m, a, b) => m.shiftRightArithmetic(m.signExtend(a, 32), five(m, b));

function register(name: string, funct7: string, funct3: string, opcode: string, compute: Binary): InstructionRow {
  return {
    name,
    encoding: `${funct7} rs2 rs1 ${funct3} rd ${opcode}`,
    text: 'rd, rs1, rs2',
    meaning: (m) => m.setX('rd', compute(m, m.x('rs1'), m.x('rs2'))),
  };
}

function immediate(name: string, funct3: string, opcode: string, compute: Binary): InstructionRow {
  return {
    name,
    encoding: `imm[11:0] rs1 ${funct3} rd ${opcode}`,
    text: 'rd, rs1, imm',
    meaning: (m) => m.setX('rd', compute(m, m.x('rs1'), m.number('imm'))),
  };
}

function shift(name: string, high: string, funct3: string, opcode: string, compute: Binary): InstructionRow {
  return {
    name,
    encoding: `${high} shamt[${high.length === 6 ? 5 : 4}:0] rs1 ${funct3} rd ${opcode}`,
    text: 'rd, rs1, shamt',
    meaning: (m) => m.setX('rd', compute(m, m.x('rs1'), m.number('shamt'))),
  };
}

function loadRow(name: string, funct3: string, bytes: Bytes, extension: 'signed' | 'unsigned'): InstructionRow {
  return {
    name,
    encoding: `imm[11:0] rs1 ${funct3} rd 0000011`,
    text: 'rd, imm(rs1)',
    meaning: (m) => m.setX('rd', m.load(m.add(m.x('rs1'), m.number('imm')), bytes, extension)),
  };
}

function storeRow(name: string, funct3: string, bytes: Bytes): InstructionRow {
  return {
    name,
    encoding: `imm[11:5] rs2 rs1 ${funct3} imm[4:0] 0100011`,
    text: 'rs2, imm(rs1)',
    meaning: (m) => m.store(m.add(m.x('rs1'), m.number('imm')), bytes, m.x('rs2')),
  };
}

function branchRow(name: string, funct3: string, holds: <V, C>(m: Meaning<V, C>, a: V, b: V) => C): InstructionRow {
  return {
    name,
    encoding: `imm[12|10:5] rs2 rs1 ${funct3} imm[4:1|11] 1100011`,
    text: 'rs1, rs2, target',
    meaning: (m) => m.branch(holds(m, m.x('rs1'), m.x('rs2')), m.number('imm')),
  };
}

function system(name: string, encoding: string, meaning: MeaningFunction): InstructionRow {
  return { name, encoding, text: '', meaning };
}

export const base: readonly InstructionRow[] = [
  {
    name: 'lui',
    encoding: 'imm[31:12] rd 0110111',
    text: 'rd, upper',
    meaning: (m) => m.setX('rd', m.number('imm')),
  },
  {
    name: 'auipc',
    encoding: 'imm[31:12] rd 0010111',
    text: 'rd, upper',
    meaning: (m) => m.setX('rd', m.add(m.pc(), m.number('imm'))),
  },
  {
    name: 'jal',
    encoding: 'imm[20|10:1|11|19:12] rd 1101111',
    text: 'rd, target',
    meaning: (m) => {
      m.setX('rd', m.nextPc());
      m.jumpRelative(m.number('imm'));
    },
  },
  {
    name: 'jalr',
    encoding: 'imm[11:0] rs1 000 rd 1100111',
    text: 'rd, imm(rs1)',
    meaning: (m) => {
      const target = m.keep(m.and(m.add(m.x('rs1'), m.number('imm')), m.constant(-2n)));
      m.setX('rd', m.nextPc());
      m.jump(target);
    },
  },
  branchRow('beq', '000', (m, a, b) => m.equal(a, b)),
  branchRow('bne', '001', (m, a, b) => m.notEqual(a, b)),
  branchRow('blt', '100', (m, a, b) => m.lessSigned(a, b)),
  branchRow('bge', '101', (m, a, b) => m.not(m.lessSigned(a, b))),
  branchRow('bltu', '110', (m, a, b) => m.lessUnsigned(a, b)),
  branchRow('bgeu', '111', (m, a, b) => m.not(m.lessUnsigned(a, b))),
  loadRow('lb', '000', 1, 'signed'),
  loadRow('lh', '001', 2, 'signed'),
  loadRow('lw', '010', 4, 'signed'),
  loadRow('ld', '011', 8, 'unsigned'),
  loadRow('lbu', '100', 1, 'unsigned'),
  loadRow('lhu', '101', 2, 'unsigned'),
  loadRow('lwu', '110', 4, 'unsigned'),
  storeRow('sb', '000', 1),
  storeRow('sh', '001', 2),
  storeRow('sw', '010', 4),
  storeRow('sd', '011', 8),
  immediate('addi', '000', '0010011', add),
  immediate('slti', '010', '0010011', lessSigned),
  immediate('sltiu', '011', '0010011', lessUnsigned),
  immediate('xori', '100', '0010011', xor),
  immediate('ori', '110', '0010011', or),
  immediate('andi', '111', '0010011', and),
  shift('slli', '000000', '001', '0010011', shiftLeft),
  shift('srli', '000000', '101', '0010011', shiftRightLogical),
  shift('srai', '010000', '101', '0010011', shiftRightArithmetic),
  register('add', '0000000', '000', '0110011', add),
  register('sub', '0100000', '000', '0110011', subtract),
  register('sll', '0000000', '001', '0110011', shiftLeft),
  register('slt', '0000000', '010', '0110011', lessSigned),
  register('sltu', '0000000', '011', '0110011', lessUnsigned),
  register('xor', '0000000', '100', '0110011', xor),
  register('srl', '0000000', '101', '0110011', shiftRightLogical),
  register('sra', '0100000', '101', '0110011', shiftRightArithmetic),
  register('or', '0000000', '110', '0110011', or),
  register('and', '0000000', '111', '0110011', and),
  immediate('addiw', '000', '0011011', addWord),
  shift('slliw', '0000000', '001', '0011011', shiftLeftWord),
  shift('srliw', '0000000', '101', '0011011', shiftRightLogicalWord),
  shift('sraiw', '0100000', '101', '0011011', shiftRightArithmeticWord),
  register('addw', '0000000', '000', '0111011', addWord),
  register('subw', '0100000', '000', '0111011', subtractWord),
  register('sllw', '0000000', '001', '0111011', shiftLeftWord),
  register('srlw', '0000000', '101', '0111011', shiftRightLogicalWord),
  register('sraw', '0100000', '101', '0111011', shiftRightArithmeticWord),
  // Reserved fields of the fences are ignored, as they are reserved for finer fences. [RISC-V unpriv. 2.7]
  {
    name: 'fence',
    encoding: 'fm[3:0] pred[3:0] succ[3:0] rs1 000 rd 0001111',
    text: 'pred, succ',
    meaning: (m) => m.fence(),
  },
  {
    name: 'fence.i',
    encoding: 'imm[11:0] rs1 001 rd 0001111',
    text: '',
    meaning: (m) => m.fenceInstructions(),
  },
  system('ecall', '000000000000 00000 000 00000 1110011', (m) => m.environmentCall()),
  system('ebreak', '000000000001 00000 000 00000 1110011', (m) => m.breakpoint()),
];
