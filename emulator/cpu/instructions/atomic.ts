// A: load-reserved, store-conditional and atomic memory operations. [RISC-V unpriv. 13, version 2.1]
import type { InstructionRow } from './format';
import type { Meaning } from './meaning';

type Combine = <V, C>(m: Meaning<V, C>, old: V, operand: V) => V;

const widths = [
  { suffix: 'w', funct3: '010', bytes: 4 },
  { suffix: 'd', funct3: '011', bytes: 8 },
] as const;

function reservedPair(): InstructionRow[] {
  return widths.flatMap(({ suffix, funct3, bytes }): InstructionRow[] => [
    {
      name: `lr.${suffix}`,
      encoding: `00010 aq rl 00000 rs1 ${funct3} rd 0101111`,
      text: 'rd, (rs1)',
      meaning: (m) => m.setX('rd', m.loadReserved(m.x('rs1'), bytes)),
    },
    {
      name: `sc.${suffix}`,
      encoding: `00011 aq rl rs2 rs1 ${funct3} rd 0101111`,
      text: 'rd, rs2, (rs1)',
      meaning: (m) => m.setX('rd', m.storeConditional(m.x('rs1'), bytes, m.x('rs2'))),
    },
  ]);
}

function operation(name: string, funct5: string, extension: 'signed' | 'unsigned', combine: Combine): InstructionRow[] {
  return widths.map(({ suffix, funct3, bytes }) => ({
    name: `${name}.${suffix}`,
    encoding: `${funct5} aq rl rs2 rs1 ${funct3} rd 0101111`,
    text: 'rd, rs2, (rs1)',
    meaning: (m) => {
      const cut = <V>(value: V, meaning: Meaning<V, unknown>): V => {
        if (bytes === 8) return value;
        return extension === 'signed' ? meaning.signExtend(value, 32) : meaning.zeroExtend(value, 32);
      };
      m.setX(
        'rd',
        m.atomic(m.x('rs1'), bytes, (old) => combine(m, cut(old, m), cut(m.x('rs2'), m))),
      );
    },
  }));
}

export const atomic: readonly InstructionRow[] = [
  ...reservedPair(),
  ...operation('amoswap', '00001', 'signed', (_m, _old, operand) => operand),
  ...operation('amoadd', '00000', 'signed', (m, old, operand) => m.add(old, operand)),
  ...operation('amoxor', '00100', 'signed', (m, old, operand) => m.xor(old, operand)),
  ...operation('amoand', '01100', 'signed', (m, old, operand) => m.and(old, operand)),
  ...operation('amoor', '01000', 'signed', (m, old, operand) => m.or(old, operand)),
  ...operation('amomin', '10000', 'signed', (m, old, operand) => m.choose(m.lessSigned(old, operand), old, operand)),
  ...operation('amomax', '10100', 'signed', (m, old, operand) => m.choose(m.lessSigned(operand, old), old, operand)),
  ...operation('amominu', '11000', 'unsigned', (m, old, operand) =>
    m.choose(m.lessUnsigned(old, operand), old, operand),
  ),
  ...operation('amomaxu', '11100', 'unsigned', (m, old, operand) =>
    m.choose(m.lessUnsigned(operand, old), old, operand),
  ),
];
