// F and D: single- and double-precision floating point. Singles live NaN-boxed in 64-bit registers. [RISC-V unpriv. 20 and 21, version 2.2]
import type { FloatOperation } from '../float';
import type { InstructionRow, MeaningFunction } from './format';
import type { FField, Meaning } from './meaning';

interface FormatRows {
  readonly letter: 's' | 'd';
  /** The two bits of funct7 that name the format. */
  readonly code: string;
  readonly bytes: 4 | 8;
  /** funct3 of loads and stores. */
  readonly memory: string;
}
const single: FormatRows = { letter: 's', code: '00', bytes: 4, memory: '010' };
const double: FormatRows = { letter: 'd', code: '01', bytes: 8, memory: '011' };

const boxMask = 0xffff_ffff_0000_0000n;
const singleSign = 0x8000_0000n;
const doubleSign = 0x8000_0000_0000_0000n;

/** Every row starts with the test whether floating point is on. */
function row(name: string, encoding: string, text: string, meaning: MeaningFunction): InstructionRow {
  return {
    name,
    encoding,
    text,
    meaning: (m) => {
      m.requireFloat();
      meaning(m);
    },
  };
}

/** A single-precision operand: what is not NaN-boxed counts as the canonical NaN. [RISC-V unpriv. 21.2] */
function unboxed<V, C>(m: Meaning<V, C>, field: FField): V {
  const box = m.constant(boxMask);
  return m.choose(m.equal(m.and(m.f(field), box), box), m.f(field), m.constant(boxMask | 0x7fc0_0000n));
}

function memoryRows({ letter, bytes, memory }: FormatRows): InstructionRow[] {
  const suffix = letter === 's' ? 'w' : 'd';
  return [
    row(`fl${suffix}`, `imm[11:0] rs1 ${memory} fd 0000111`, 'fd, imm(rs1)', (m) => {
      const value = m.load(m.add(m.x('rs1'), m.number('imm')), bytes, 'unsigned');
      m.setF('fd', letter === 's' ? m.or(value, m.constant(boxMask)) : value);
    }),
    row(`fs${suffix}`, `imm[11:5] fs2 rs1 ${memory} imm[4:0] 0100111`, 'fs2, imm(rs1)', (m) =>
      m.store(m.add(m.x('rs1'), m.number('imm')), bytes, m.f('fs2')),
    ),
  ];
}

function fusedRows({ letter, code }: FormatRows): InstructionRow[] {
  const opcodes = { fmadd: '1000011', fmsub: '1000111', fnmsub: '1001011', fnmadd: '1001111' } as const;
  return (['fmadd', 'fmsub', 'fnmsub', 'fnmadd'] as const).map((name) =>
    row(`${name}.${letter}`, `fs3 ${code} fs2 fs1 rm fd ${opcodes[name]}`, 'fd, fs1, fs2, fs3, rm', (m) =>
      m.setF('fd', m.float(`${name}.${letter}`, [m.f('fs1'), m.f('fs2'), m.f('fs3')], 'rm')),
    ),
  );
}

function arithmeticRows({ letter, code }: FormatRows): InstructionRow[] {
  const codes = { fadd: '00000', fsub: '00001', fmul: '00010', fdiv: '00011' } as const;
  return [
    ...(['fadd', 'fsub', 'fmul', 'fdiv'] as const).map((name) =>
      row(`${name}.${letter}`, `${codes[name]} ${code} fs2 fs1 rm fd 1010011`, 'fd, fs1, fs2, rm', (m) =>
        m.setF('fd', m.float(`${name}.${letter}`, [m.f('fs1'), m.f('fs2')], 'rm')),
      ),
    ),
    row(`fsqrt.${letter}`, `01011 ${code} 00000 fs1 rm fd 1010011`, 'fd, fs1, rm', (m) =>
      m.setF('fd', m.float(`fsqrt.${letter}`, [m.f('fs1')], 'rm')),
    ),
    ...(['fmin', 'fmax'] as const).map((name, position) =>
      row(`${name}.${letter}`, `00101 ${code} fs2 fs1 00${position} fd 1010011`, 'fd, fs1, fs2', (m) =>
        m.setF('fd', m.float(`${name}.${letter}`, [m.f('fs1'), m.f('fs2')], 'none')),
      ),
    ),
    ...(['fle', 'flt', 'feq'] as const).map((name, position) =>
      row(
        `${name}.${letter}`,
        `10100 ${code} fs2 fs1 0${position >> 1}${position & 1} rd 1010011`,
        'rd, fs1, fs2',
        (m) => m.setX('rd', m.float(`${name}.${letter}`, [m.f('fs1'), m.f('fs2')], 'none')),
      ),
    ),
    row(`fclass.${letter}`, `11100 ${code} 00000 fs1 001 rd 1010011`, 'rd, fs1', (m) =>
      m.setX('rd', m.float(`fclass.${letter}`, [m.f('fs1')], 'none')),
    ),
  ];
}

type Sign = <V, C>(m: Meaning<V, C>, a: V, b: V, sign: V) => V;
const takeSign: Sign = (m, _a, b, sign) => m.and(b, sign);
const takeOpposite: Sign = (m, _a, b, sign) => m.and(m.xor(b, m.constant(-1n)), sign);
const multiplySigns: Sign = (m, a, b, sign) => m.and(m.xor(a, b), sign);

function signRows({ letter, code }: FormatRows): InstructionRow[] {
  const signBit = letter === 's' ? singleSign : doubleSign;
  const inject = (name: string, funct3: string, sign: Sign): InstructionRow =>
    row(`${name}.${letter}`, `00100 ${code} fs2 fs1 ${funct3} fd 1010011`, 'fd, fs1, fs2', (m) => {
      const operand = (field: FField) => m.keep(letter === 's' ? unboxed(m, field) : m.f(field));
      const a = operand('fs1');
      const b = operand('fs2');
      m.setF('fd', m.or(m.and(a, m.constant(~signBit)), sign(m, a, b, m.constant(signBit))));
    });
  return [
    inject('fsgnj', '000', takeSign),
    inject('fsgnjn', '001', takeOpposite),
    inject('fsgnjx', '010', multiplySigns),
  ];
}

function conversionRows({ letter, code }: FormatRows): InstructionRow[] {
  return (['w', 'wu', 'l', 'lu'] as const).flatMap((type, position) => {
    const selector = `000${position >> 1}${position & 1}`;
    const toInteger: FloatOperation = `fcvt.${type}.${letter}`;
    const toFloat: FloatOperation = `fcvt.${letter}.${type}`;
    return [
      row(toInteger, `11000 ${code} ${selector} fs1 rm rd 1010011`, 'rd, fs1, rm', (m) =>
        m.setX('rd', m.float(toInteger, [m.f('fs1')], 'rm')),
      ),
      row(toFloat, `11010 ${code} ${selector} rs1 rm fd 1010011`, 'fd, rs1, rm', (m) =>
        m.setF('fd', m.float(toFloat, [m.x('rs1')], 'rm')),
      ),
    ];
  });
}

/** Zfa. [RISC-V unpriv. 24, version 1.0] */
function additionalRows({ letter, code }: FormatRows): InstructionRow[] {
  return [
    row(`fli.${letter}`, `11110 ${code} 00001 zimm 000 fd 1010011`, 'fd, zimm', (m) =>
      m.setF('fd', m.float(`fli.${letter}`, [m.number('zimm')], 'none')),
    ),
    ...(['fminm', 'fmaxm'] as const).map((name, position) =>
      row(`${name}.${letter}`, `00101 ${code} fs2 fs1 01${position} fd 1010011`, 'fd, fs1, fs2', (m) =>
        m.setF('fd', m.float(`${name}.${letter}`, [m.f('fs1'), m.f('fs2')], 'none')),
      ),
    ),
    ...(['fleq', 'fltq'] as const).map((name, position) =>
      row(`${name}.${letter}`, `10100 ${code} fs2 fs1 10${position} rd 1010011`, 'rd, fs1, fs2', (m) =>
        m.setX('rd', m.float(`${name}.${letter}`, [m.f('fs1'), m.f('fs2')], 'none')),
      ),
    ),
    ...(['fround', 'froundnx'] as const).map((name, position) =>
      row(`${name}.${letter}`, `01000 ${code} 0010${position} fs1 rm fd 1010011`, 'fd, fs1, rm', (m) =>
        m.setF('fd', m.float(`${name}.${letter}`, [m.f('fs1')], 'rm')),
      ),
    ),
  ];
}

function formatRows(format: FormatRows): InstructionRow[] {
  return [memoryRows, fusedRows, arithmeticRows, signRows, conversionRows, additionalRows].flatMap((rows) =>
    rows(format),
  );
}

export const float: readonly InstructionRow[] = [
  ...formatRows(single),
  ...formatRows(double),
  row('fcvt.s.d', '0100000 00001 fs1 rm fd 1010011', 'fd, fs1, rm', (m) =>
    m.setF('fd', m.float('fcvt.s.d', [m.f('fs1')], 'rm')),
  ),
  row('fcvt.d.s', '0100001 00000 fs1 rm fd 1010011', 'fd, fs1, rm', (m) =>
    m.setF('fd', m.float('fcvt.d.s', [m.f('fs1')], 'rm')),
  ),
  row('fcvtmod.w.d', '1100001 01000 fs1 001 rd 1010011', 'rd, fs1', (m) =>
    m.setX('rd', m.float('fcvtmod.w.d', [m.f('fs1')], 'none')),
  ),
  row('fmv.x.w', '1110000 00000 fs1 000 rd 1010011', 'rd, fs1', (m) => m.setX('rd', m.signExtend(m.f('fs1'), 32))),
  row('fmv.w.x', '1111000 00000 rs1 000 fd 1010011', 'fd, rs1', (m) =>
    m.setF('fd', m.or(m.x('rs1'), m.constant(boxMask))),
  ),
  row('fmv.x.d', '1110001 00000 fs1 000 rd 1010011', 'rd, fs1', (m) => m.setX('rd', m.f('fs1'))),
  row('fmv.d.x', '1111001 00000 rs1 000 fd 1010011', 'fd, rs1', (m) => m.setF('fd', m.x('rs1'))),
];
