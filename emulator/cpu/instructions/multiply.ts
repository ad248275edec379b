// M: integer multiplication and division. Words are computed in 64 bits and cut. [RISC-V unpriv. 12, version 2.0]
import type { InstructionRow } from './format';
import type { Meaning } from './meaning';

type Binary = <V, C>(m: Meaning<V, C>, a: V, b: V) => V;

function row(name: string, funct3: string, compute: Binary): InstructionRow {
  return {
    name,
    encoding: `0000001 rs2 rs1 ${funct3} rd 0110011`,
    text: 'rd, rs1, rs2',
    meaning: (m) => m.setX('rd', compute(m, m.x('rs1'), m.x('rs2'))),
  };
}

function wordRow(name: string, funct3: string, operands: 'signed' | 'unsigned', compute: Binary): InstructionRow {
  return {
    name,
    encoding: `0000001 rs2 rs1 ${funct3} rd 0111011`,
    text: 'rd, rs1, rs2',
    meaning: (m) => {
      const extend = operands === 'signed' ? m.signExtend.bind(m) : m.zeroExtend.bind(m);
      m.setX('rd', m.signExtend(compute(m, extend(m.x('rs1'), 32), extend(m.x('rs2'), 32)), 32));
    },
  };
}

export const multiply: readonly InstructionRow[] = [
  row('mul', '000', (m, a, b) => m.multiply(a, b)),
  row('mulh', '001', (m, a, b) => m.multiplyHighSigned(a, b)),
  row('mulhsu', '010', (m, a, b) => m.multiplyHighMixed(a, b)),
  row('mulhu', '011', (m, a, b) => m.multiplyHighUnsigned(a, b)),
  row('div', '100', (m, a, b) => m.divideSigned(a, b)),
  row('divu', '101', (m, a, b) => m.divideUnsigned(a, b)),
  row('rem', '110', (m, a, b) => m.remainderSigned(a, b)),
  row('remu', '111', (m, a, b) => m.remainderUnsigned(a, b)),
  wordRow('mulw', '000', 'signed', (m, a, b) => m.multiply(a, b)),
  wordRow('divw', '100', 'signed', (m, a, b) => m.divideSigned(a, b)),
  wordRow('divuw', '101', 'unsigned', (m, a, b) => m.divideUnsigned(a, b)),
  wordRow('remw', '110', 'signed', (m, a, b) => m.remainderSigned(a, b)),
  wordRow('remuw', '111', 'unsigned', (m, a, b) => m.remainderUnsigned(a, b)),
];
