// Zba, Zbb, Zbc, Zbs and Zicond: addresses, bits, carry-less products and conditional zeros.
// [RISC-V unpriv. 28.4, version 1.0.0; unpriv. 11, version 1.0]
import type { InstructionRow } from './format';
import type { Meaning } from './meaning';

type Unary = <V, C>(m: Meaning<V, C>, a: V) => V;
type Binary = <V, C>(m: Meaning<V, C>, a: V, b: V) => V;

const opcode = {
  register: '0110011',
  registerWord: '0111011',
  immediate: '0010011',
  immediateWord: '0011011',
} as const;

function binary(
  name: string,
  funct7: string,
  funct3: string,
  major: keyof typeof opcode,
  compute: Binary,
): InstructionRow {
  return {
    name,
    encoding: `${funct7} rs2 rs1 ${funct3} rd ${opcode[major]}`,
    text: 'rd, rs1, rs2',
    meaning: (m) => m.setX('rd', compute(m, m.keep(m.x('rs1')), m.keep(m.x('rs2')))),
  };
}

/** `high` are the bits above the amount, whose width they leave. */
function immediate(
  name: string,
  high: string,
  funct3: string,
  major: keyof typeof opcode,
  compute: Binary,
): InstructionRow {
  return {
    name,
    encoding: `${high} shamt[${high.length === 6 ? 5 : 4}:0] rs1 ${funct3} rd ${opcode[major]}`,
    text: 'rd, rs1, shamt',
    meaning: (m) => m.setX('rd', compute(m, m.keep(m.x('rs1')), m.number('shamt'))),
  };
}

function unary(
  name: string,
  funct12: string,
  funct3: string,
  major: keyof typeof opcode,
  compute: Unary,
): InstructionRow {
  return {
    name,
    encoding: `${funct12} rs1 ${funct3} rd ${opcode[major]}`,
    text: 'rd, rs1',
    meaning: (m) => m.setX('rd', compute(m, m.keep(m.x('rs1')))),
  };
}

/** The first operand shifted left by so many bits, plus the second. */
function shiftAndAdd(bits: bigint, operand: 'whole' | 'word'): Binary {
  return (m, a, b) => m.add(m.shiftLeft(operand === 'word' ? m.zeroExtend(a, 32) : a, m.constant(bits)), b);
}
const shiftedSums = [1n, 2n, 3n].flatMap((bits): InstructionRow[] => {
  const funct3 = (bits * 2n).toString(2).padStart(3, '0');
  return [
    binary(`sh${bits}add`, '0010000', funct3, 'register', shiftAndAdd(bits, 'whole')),
    binary(`sh${bits}add.uw`, '0010000', funct3, 'registerWord', shiftAndAdd(bits, 'word')),
  ];
});

const addresses: readonly InstructionRow[] = [
  ...shiftedSums,
  binary('add.uw', '0000100', '000', 'registerWord', shiftAndAdd(0n, 'word')),
  immediate('slli.uw', '000010', '001', 'immediateWord', (m, a, b) => m.shiftLeft(m.zeroExtend(a, 32), b)),
];

const rotateRightWord: Binary = (m, a, b) => {
  const word = m.keep(m.zeroExtend(a, 32));
  const right = m.shiftRightLogical(word, m.and(b, m.constant(31n)));
  const left = m.shiftLeft(word, m.and(m.subtract(m.constant(0n), b), m.constant(31n)));
  return m.signExtend(m.or(right, left), 32);
};
const rotateLeftWord: Binary = (m, a, b) => rotateRightWord(m, a, m.subtract(m.constant(0n), b));

/** Exchanges neighbouring groups of so many bits; `low` has ones in the lower group of each pair. */
function exchange<V, C>(m: Meaning<V, C>, value: V, bits: bigint, low: bigint): V {
  const [amount, mask, kept] = [m.constant(bits), m.constant(low), m.keep(value)];
  const up = m.shiftLeft(m.and(kept, mask), amount);
  return m.or(up, m.and(m.shiftRightLogical(kept, amount), mask));
}
const reverseBytes: Unary = (m, a) => {
  const halves = exchange(m, exchange(m, a, 8n, 0x00ff_00ff_00ff_00ffn), 16n, 0x0000_ffff_0000_ffffn);
  return m.rotateLeft(halves, m.constant(32n));
};
const reverseBits: Unary = (m, a) => {
  const inNibbles = exchange(m, exchange(m, a, 1n, 0x5555_5555_5555_5555n), 2n, 0x3333_3333_3333_3333n);
  return reverseBytes(m, exchange(m, inNibbles, 4n, 0x0f0f_0f0f_0f0f_0f0fn));
};
/** Bit 7 of each byte says whether the byte has any bit; 255 times bit 0 is the whole byte. */
const combineBytes: Unary = (m, a) => {
  const low = m.constant(0x7f7f_7f7f_7f7f_7f7fn);
  const any = m.or(m.add(m.and(a, low), low), a);
  const ones = m.and(m.shiftRightLogical(any, m.constant(7n)), m.constant(0x0101_0101_0101_0101n));
  return m.multiply(ones, m.constant(0xffn));
};
const inverted: Unary = (m, a) => m.xor(a, m.constant(-1n));
const countTrailingWord: Unary = (m, a) => m.countTrailingZeros(m.or(a, m.constant(1n << 32n)));
const countLeadingWord: Unary = (m, a) => m.subtract(m.countLeadingZeros(m.zeroExtend(a, 32)), m.constant(32n));

const basic: readonly InstructionRow[] = [
  binary('andn', '0100000', '111', 'register', (m, a, b) => m.and(a, inverted(m, b))),
  binary('orn', '0100000', '110', 'register', (m, a, b) => m.or(a, inverted(m, b))),
  binary('xnor', '0100000', '100', 'register', (m, a, b) => inverted(m, m.xor(a, b))),
  unary('clz', '011000000000', '001', 'immediate', (m, a) => m.countLeadingZeros(a)),
  unary('clzw', '011000000000', '001', 'immediateWord', countLeadingWord),
  unary('ctz', '011000000001', '001', 'immediate', (m, a) => m.countTrailingZeros(a)),
  unary('ctzw', '011000000001', '001', 'immediateWord', countTrailingWord),
  unary('cpop', '011000000010', '001', 'immediate', (m, a) => m.countOnes(a)),
  unary('cpopw', '011000000010', '001', 'immediateWord', (m, a) => m.countOnes(m.zeroExtend(a, 32))),
  binary('max', '0000101', '110', 'register', (m, a, b) => m.choose(m.lessSigned(a, b), b, a)),
  binary('maxu', '0000101', '111', 'register', (m, a, b) => m.choose(m.lessUnsigned(a, b), b, a)),
  binary('min', '0000101', '100', 'register', (m, a, b) => m.choose(m.lessSigned(a, b), a, b)),
  binary('minu', '0000101', '101', 'register', (m, a, b) => m.choose(m.lessUnsigned(a, b), a, b)),
  unary('sext.b', '011000000100', '001', 'immediate', (m, a) => m.signExtend(a, 8)),
  unary('sext.h', '011000000101', '001', 'immediate', (m, a) => m.signExtend(a, 16)),
  unary('zext.h', '000010000000', '100', 'registerWord', (m, a) => m.zeroExtend(a, 16)),
  binary('rol', '0110000', '001', 'register', (m, a, b) => m.rotateLeft(a, b)),
  binary('rolw', '0110000', '001', 'registerWord', rotateLeftWord),
  binary('ror', '0110000', '101', 'register', (m, a, b) => m.rotateRight(a, b)),
  immediate('rori', '011000', '101', 'immediate', (m, a, b) => m.rotateRight(a, b)),
  immediate('roriw', '0110000', '101', 'immediateWord', rotateRightWord),
  binary('rorw', '0110000', '101', 'registerWord', rotateRightWord),
  unary('orc.b', '001010000111', '101', 'immediate', combineBytes),
  unary('rev8', '011010111000', '101', 'immediate', reverseBytes),
];

/** A bit for every fourth place. */
const everyFourth = 0x1111_1111_1111_1111n;
/**
 * The low half of a carry-less product, from sixteen integer products: of operands with three zeros between their bits, so that sums of
 * up to fifteen never reach the next bit that counts; the sixteenth lands above bit 63.
 */
const carrylessMultiply: Binary = (m, a, b) => {
  const parts = (value: typeof a) =>
    [0n, 1n, 2n, 3n].map((place) => m.keep(m.and(value, m.constant(everyFourth << place))));
  const [left, right] = [parts(a), parts(b)];
  let product = m.constant(0n);
  for (const place of [0, 1, 2, 3]) {
    let sum = m.constant(0n);
    left.forEach((part, index) => {
      const other = right[(4 + place - index) % 4];
      if (other !== undefined) sum = m.xor(sum, m.multiply(part, other));
    });
    product = m.or(product, m.and(sum, m.constant(everyFourth << BigInt(place))));
  }
  return product;
};
/** Mirrored operands give the mirrored product, so that the upper bits come from the lower ones. */
const carrylessMultiplyReversed: Binary = (m, a, b) =>
  reverseBits(m, carrylessMultiply(m, m.keep(reverseBits(m, a)), m.keep(reverseBits(m, b))));

const carryless: readonly InstructionRow[] = [
  binary('clmul', '0000101', '001', 'register', carrylessMultiply),
  binary('clmulr', '0000101', '010', 'register', carrylessMultiplyReversed),
  binary('clmulh', '0000101', '011', 'register', (m, a, b) =>
    m.shiftRightLogical(carrylessMultiplyReversed(m, a, b), m.constant(1n)),
  ),
];

/** An instruction about one bit: its number comes from a register, or from the instruction. */
function singleBit(name: string, funct6: string, funct3: string, compute: Binary): InstructionRow[] {
  return [
    binary(name, `${funct6}0`, funct3, 'register', compute),
    immediate(`${name}i`, funct6, funct3, 'immediate', compute),
  ];
}
const bitAt: Unary = (m, number) => m.shiftLeft(m.constant(1n), number);

const single: readonly InstructionRow[] = [
  ...singleBit('bclr', '010010', '001', (m, a, b) => m.and(a, inverted(m, bitAt(m, b)))),
  ...singleBit('bext', '010010', '101', (m, a, b) => m.and(m.shiftRightLogical(a, b), m.constant(1n))),
  ...singleBit('binv', '011010', '001', (m, a, b) => m.xor(a, bitAt(m, b))),
  ...singleBit('bset', '001010', '001', (m, a, b) => m.or(a, bitAt(m, b))),
];

const conditional: readonly InstructionRow[] = [
  binary('czero.eqz', '0000111', '101', 'register', (m, a, b) =>
    m.choose(m.equal(b, m.constant(0n)), m.constant(0n), a),
  ),
  binary('czero.nez', '0000111', '111', 'register', (m, a, b) =>
    m.choose(m.equal(b, m.constant(0n)), a, m.constant(0n)),
  ),
];

export const bitManipulation: readonly InstructionRow[] = [
  ...addresses,
  ...basic,
  ...carryless,
  ...single,
  ...conditional,
];
