// C: the 16-bit instructions as expansions of 32-bit ones. [RISC-V unpriv. 26, version 2.0]
import type { CompressedRow } from './format';

type Operands = CompressedRow['operands'];
type Except = NonNullable<CompressedRow['except']>;

function row(
  name: string,
  encoding: string,
  text: string,
  expandsTo: string,
  operands: Operands,
  except?: Except,
): CompressedRow {
  return { name, encoding, text, expandsTo, operands, ...(except === undefined ? {} : { except }) };
}

const word = 'uimm[5:3]';
const zero = 0;
const linkRegister = 1;
const stackPointer = 2;

export const compressed: readonly CompressedRow[] = [
  // Quadrant 0
  row(
    'c.addi4spn',
    "000 nzuimm[5:4|9:6|2|3] rd' 00",
    'rd, nzuimm',
    'addi',
    { rd: 'rd', rs1: stackPointer, imm: 'nzuimm' },
    { nzuimm: [0] },
  ),
  row('c.fld', `001 ${word} rs1' uimm[7:6] fd' 00`, 'fd, uimm(rs1)', 'fld', { fd: 'fd', rs1: 'rs1', imm: 'uimm' }),
  row('c.lw', "010 uimm[5:3] rs1' uimm[2|6] rd' 00", 'rd, uimm(rs1)', 'lw', { rd: 'rd', rs1: 'rs1', imm: 'uimm' }),
  row('c.ld', `011 ${word} rs1' uimm[7:6] rd' 00`, 'rd, uimm(rs1)', 'ld', { rd: 'rd', rs1: 'rs1', imm: 'uimm' }),
  row('c.fsd', `101 ${word} rs1' uimm[7:6] fs2' 00`, 'fs2, uimm(rs1)', 'fsd', { fs2: 'fs2', rs1: 'rs1', imm: 'uimm' }),
  row('c.sw', "110 uimm[5:3] rs1' uimm[2|6] rs2' 00", 'rs2, uimm(rs1)', 'sw', { rs2: 'rs2', rs1: 'rs1', imm: 'uimm' }),
  row('c.sd', `111 ${word} rs1' uimm[7:6] rs2' 00`, 'rs2, uimm(rs1)', 'sd', { rs2: 'rs2', rs1: 'rs1', imm: 'uimm' }),

  // Quadrant 1
  row('c.addi', '000 imm[5] rd imm[4:0] 01', 'rd, imm', 'addi', { rd: 'rd', rs1: 'rd', imm: 'imm' }),
  row('c.addiw', '001 imm[5] rd imm[4:0] 01', 'rd, imm', 'addiw', { rd: 'rd', rs1: 'rd', imm: 'imm' }, { rd: [zero] }),
  row('c.li', '010 imm[5] rd imm[4:0] 01', 'rd, imm', 'addi', { rd: 'rd', rs1: zero, imm: 'imm' }),
  row(
    'c.addi16sp',
    '011 nzimm[9] 00010 nzimm[4|6|8:7|5] 01',
    'nzimm',
    'addi',
    { rd: stackPointer, rs1: stackPointer, imm: 'nzimm' },
    { nzimm: [0] },
  ),
  row(
    'c.lui',
    '011 nzimm[17] rd nzimm[16:12] 01',
    'rd, nzupper',
    'lui',
    { rd: 'rd', imm: 'nzimm' },
    { rd: [stackPointer], nzimm: [0] },
  ),
  row('c.srli', "100 shamt[5] 00 rd' shamt[4:0] 01", 'rd, shamt', 'srli', { rd: 'rd', rs1: 'rd', shamt: 'shamt' }),
  row('c.srai', "100 shamt[5] 01 rd' shamt[4:0] 01", 'rd, shamt', 'srai', { rd: 'rd', rs1: 'rd', shamt: 'shamt' }),
  row('c.andi', "100 imm[5] 10 rd' imm[4:0] 01", 'rd, imm', 'andi', { rd: 'rd', rs1: 'rd', imm: 'imm' }),
  ...(
    [
      ['sub', '0', '00'],
      ['xor', '0', '01'],
      ['or', '0', '10'],
      ['and', '0', '11'],
      ['subw', '1', '00'],
      ['addw', '1', '01'],
    ] as const
  ).map(([name, high, low]) =>
    row(`c.${name}`, `100 ${high} 11 rd' ${low} rs2' 01`, 'rd, rs2', name, { rd: 'rd', rs1: 'rd', rs2: 'rs2' }),
  ),
  row('c.j', '101 imm[11|4|9:8|10|6|7|3:1|5] 01', 'target', 'jal', { rd: zero, imm: 'imm' }),
  row('c.beqz', "110 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", 'rs1, target', 'beq', { rs1: 'rs1', rs2: zero, imm: 'imm' }),
  row('c.bnez', "111 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", 'rs1, target', 'bne', { rs1: 'rs1', rs2: zero, imm: 'imm' }),

  // Quadrant 2
  row('c.slli', '000 shamt[5] rd shamt[4:0] 10', 'rd, shamt', 'slli', { rd: 'rd', rs1: 'rd', shamt: 'shamt' }),
  row('c.fldsp', '001 uimm[5] fd uimm[4:3|8:6] 10', 'fd, uimm', 'fld', { fd: 'fd', rs1: stackPointer, imm: 'uimm' }),
  row(
    'c.lwsp',
    '010 uimm[5] rd uimm[4:2|7:6] 10',
    'rd, uimm',
    'lw',
    { rd: 'rd', rs1: stackPointer, imm: 'uimm' },
    { rd: [zero] },
  ),
  row(
    'c.ldsp',
    '011 uimm[5] rd uimm[4:3|8:6] 10',
    'rd, uimm',
    'ld',
    { rd: 'rd', rs1: stackPointer, imm: 'uimm' },
    { rd: [zero] },
  ),
  row('c.jr', '100 0 rs1 00000 10', 'rs1', 'jalr', { rd: zero, rs1: 'rs1', imm: 0 }, { rs1: [zero] }),
  row('c.mv', '100 0 rd rs2 10', 'rd, rs2', 'add', { rd: 'rd', rs1: zero, rs2: 'rs2' }, { rs2: [zero] }),
  row('c.ebreak', '100 1 00000 00000 10', '', 'ebreak', {}),
  row('c.jalr', '100 1 rs1 00000 10', 'rs1', 'jalr', { rd: linkRegister, rs1: 'rs1', imm: 0 }, { rs1: [zero] }),
  row('c.add', '100 1 rd rs2 10', 'rd, rs2', 'add', { rd: 'rd', rs1: 'rd', rs2: 'rs2' }, { rs2: [zero] }),
  row('c.fsdsp', '101 uimm[5:3|8:6] fs2 10', 'fs2, uimm', 'fsd', { fs2: 'fs2', rs1: stackPointer, imm: 'uimm' }),
  row('c.swsp', '110 uimm[5:2|7:6] rs2 10', 'rs2, uimm', 'sw', { rs2: 'rs2', rs1: stackPointer, imm: 'uimm' }),
  row('c.sdsp', '111 uimm[5:3|8:6] rs2 10', 'rs2, uimm', 'sd', { rs2: 'rs2', rs1: stackPointer, imm: 'uimm' }),
];
