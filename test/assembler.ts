// A mini assembler for tests: states small programs with the instruction table's own names and encodings.
//   assemble([['li', 'a0', 5], 'loop:', ['addi', 'a0', 'a0', -1], ['bnez', 'a0', 'loop'], ['ebreak']], 0x8000_0000)
// Operands stand in the order of the row's text: registers by ABI or x/f name, numbers, labels, CSR names. Memory operands are written
// as two operands: ['ld', 'a0', 8, 'sp'].
import { csrRows } from '../emulator/cpu/csr/rows';
import { encodable } from '../emulator/cpu/decoder';
import { floatRegisterNames, integerRegisterNames } from '../emulator/cpu/registers';

export type Operand = string | number | bigint;
/** A label ending in a colon, an instruction, raw words or bytes, or alignment in bytes. */
export type Line = string | readonly [string, ...Operand[]];

export interface Program {
  readonly bytes: Uint8Array;
  readonly base: bigint;
  /** Addresses of labels. */
  readonly labels: Readonly<Record<string, bigint>>;
}

/** A rounding mode where none is written: dynamic. */
const dynamicRounding = 7;
const roundingModes: Readonly<Record<string, number>> = { rne: 0, rtz: 1, rdn: 2, rup: 3, rmm: 4, dyn: 7 };
const fenceSets: Readonly<Record<string, number>> = { i: 8, o: 4, r: 2, w: 1 };

/** Instructions written as others; `$1` is the first operand. */
const pseudoInstructions: Readonly<Record<string, readonly Operand[]>> = {
  nop: ['addi', 'zero', 'zero', 0],
  mv: ['addi', '$1', '$2', 0],
  not: ['xori', '$1', '$2', -1],
  neg: ['sub', '$1', 'zero', '$2'],
  seqz: ['sltiu', '$1', '$2', 1],
  snez: ['sltu', '$1', 'zero', '$2'],
  beqz: ['beq', '$1', 'zero', '$2'],
  bnez: ['bne', '$1', 'zero', '$2'],
  bltz: ['blt', '$1', 'zero', '$2'],
  bgez: ['bge', '$1', 'zero', '$2'],
  j: ['jal', 'zero', '$1'],
  call: ['jal', 'ra', '$1'],
  jr: ['jalr', 'zero', 0, '$1'],
  ret: ['jalr', 'zero', 0, 'ra'],
  csrr: ['csrrs', '$1', '$2', 'zero'],
  csrw: ['csrrw', 'zero', '$1', '$2'],
  csrs: ['csrrs', 'zero', '$1', '$2'],
  csrc: ['csrrc', 'zero', '$1', '$2'],
  csrwi: ['csrrwi', 'zero', '$1', '$2'],
};

interface Placed {
  readonly address: bigint;
  readonly name: string;
  readonly operands: readonly Operand[];
}

/** Assembles a program that is to lie at `base`. Throws Error naming the line that cannot be encoded. */
export function assemble(lines: readonly Line[], base: bigint | number = 0x8000_0000n): Program {
  const start = BigInt(base);
  const labels: Record<string, bigint> = {};
  const placed: Placed[] = [];
  let address = start;
  for (const line of lines) {
    if (typeof line === 'string') {
      labels[line.replace(/:$/, '')] = address;
      continue;
    }
    for (const [name, ...operands] of expand(line)) {
      placed.push({ address, name, operands });
      address += BigInt(lengthOf(name, operands, address));
    }
  }
  const bytes = new Uint8Array(Number(address - start));
  const view = new DataView(bytes.buffer);
  for (const line of placed) emit(view, Number(line.address - start), line, labels);
  return { bytes, base: start, labels };
}

type Instruction = readonly [string, ...Operand[]];

function expand(line: Instruction): Instruction[] {
  const [name, ...operands] = line;
  if (name === 'li') return loadImmediate(String(operands[0]), BigInt(operands[1] ?? 0));
  if (name === 'la') {
    const [register = '', label = ''] = operands;
    return [
      ['auipc', register, `%hi ${label}`],
      ['addi', register, register, `%lo ${label}`],
    ];
  }
  const template = pseudoInstructions[name];
  if (template === undefined) return [line];
  const [real = '', ...parts] = template.map((part) =>
    typeof part === 'string' && part.startsWith('$') ? (operands[Number(part.slice(1)) - 1] ?? 0) : part,
  );
  return [[String(real), ...parts]];
}

/** lui and addiw for 32 bits; more by building the upper part, shifting and adding twelve bits at a time. */
function loadImmediate(register: string, wanted: bigint): Instruction[] {
  const value = BigInt.asIntN(64, wanted);
  const low = BigInt.asIntN(12, value);
  if (value === low) return [['addi', register, 'zero', low]];
  if (BigInt.asIntN(32, value) === value) {
    const upper: Instruction = ['lui', register, BigInt.asIntN(32, value - low) >> 12n];
    return low === 0n ? [upper] : [upper, ['addiw', register, register, low]];
  }
  const rest = loadImmediate(register, (value - low) >> 12n);
  const shifted: Instruction[] = [...rest, ['slli', register, register, 12]];
  return low === 0n ? shifted : [...shifted, ['addi', register, register, low]];
}

function lengthOf(name: string, operands: readonly Operand[], address: bigint): number {
  switch (name) {
    case '.word':
      return 4 * operands.length;
    case '.dword':
      return 8 * operands.length;
    case '.half':
      return 2 * operands.length;
    case '.align': {
      const to = BigInt(operands[0] ?? 1);
      return Number((to - (address % to)) % to);
    }
    case '.space':
      return Number(operands[0] ?? 0);
    default: {
      const instruction = encodable(name);
      if (instruction === undefined) throw new Error(`no instruction "${name}"`);
      return instruction.lengthBytes;
    }
  }
}

function emit(view: DataView, at: number, line: Placed, labels: Readonly<Record<string, bigint>>): void {
  const { name, operands, address } = line;
  const number = (operand: Operand): bigint => {
    const label = typeof operand === 'string' ? labels[operand] : undefined;
    return label ?? BigInt(operand);
  };
  if (name === '.align' || name === '.space') return;
  if (name === '.word')
    return operands.forEach((o, i) => view.setUint32(at + i * 4, Number(BigInt.asUintN(32, number(o))), true));
  if (name === '.half') return operands.forEach((o, i) => view.setUint16(at + i * 2, Number(number(o)), true));
  if (name === '.dword')
    return operands.forEach((o, i) => view.setBigUint64(at + i * 8, BigInt.asUintN(64, number(o)), true));
  const instruction = encodable(name);
  if (instruction === undefined) throw new Error(`no instruction "${name}"`);
  try {
    const fields = fieldValues(instruction.text, operands, address, labels);
    const word = instruction.encode(fields);
    if (instruction.lengthBytes === 4) view.setUint32(at, word, true);
    else view.setUint16(at, word, true);
  } catch (error) {
    throw new Error(`cannot encode ${name} ${operands.join(', ')}`, { cause: error });
  }
}

function fieldValues(
  text: string,
  operands: readonly Operand[],
  address: bigint,
  labels: Readonly<Record<string, bigint>>,
): Record<string, number> {
  const names = text.split(/[ ,()]+/).filter((part) => part !== '');
  const aq = operands.includes('aq') || operands.includes('aqrl') ? 1 : 0;
  const rl = operands.includes('rl') || operands.includes('aqrl') ? 1 : 0;
  const values: Record<string, number> = { aq, rl };
  names.forEach((name, position) => {
    const operand = operands[position];
    if (operand === undefined) {
      if (name === 'rm') values['rm'] = dynamicRounding;
      else throw new Error(`operand "${name}" is missing`);
      return;
    }
    assign(values, name, operand, address, labels);
  });
  return values;
}

function assign(
  values: Record<string, number>,
  name: string,
  operand: Operand,
  address: bigint,
  labels: Readonly<Record<string, bigint>>,
): void {
  switch (name) {
    case 'rd':
    case 'rs1':
    case 'rs2':
      values[name] = registerNumber(integerRegisterNames, 'x', operand);
      return;
    case 'fd':
    case 'fs1':
    case 'fs2':
    case 'fs3':
      values[name] = registerNumber(floatRegisterNames, 'f', operand);
      return;
    case 'target':
      values['imm'] = Number((labels[String(operand)] ?? BigInt(operand)) - address);
      return;
    case 'upper':
    case 'nzupper':
      values[name === 'upper' ? 'imm' : 'nzimm'] = Number(upperPart(operand, address, labels) << 12n);
      return;
    case 'csr':
      values['csr'] = csrRows.find((row) => row.name === operand)?.number ?? Number(operand);
      return;
    case 'rm':
      values['rm'] = roundingModes[String(operand)] ?? Number(operand);
      return;
    case 'pred':
    case 'succ':
      values[name] = Object.entries(fenceSets).reduce(
        (set, [letter, bit]) => (String(operand).includes(letter) ? set | bit : set),
        0,
      );
      return;
    default:
      values[name] = Number(lowPart(operand, address, labels));
  }
}

function registerNumber(names: readonly string[], letter: string, operand: Operand): number {
  const text = operand === 'fp' ? 's0' : String(operand);
  const byName = names.indexOf(text);
  const number = byName >= 0 ? byName : text.startsWith(letter) ? Number(text.slice(1)) : NaN;
  if (!Number.isInteger(number) || number > 31) throw new Error(`"${text}" is no ${letter} register`);
  return number;
}

/** `%hi label` and `%lo label` belong to an auipc and the addi right behind it. */
function upperPart(operand: Operand, address: bigint, labels: Readonly<Record<string, bigint>>): bigint {
  if (typeof operand !== 'string' || !operand.startsWith('%hi ')) return BigInt(operand);
  const distance = (labels[operand.slice(4)] ?? 0n) - address;
  return BigInt.asIntN(20, (distance + 0x800n) >> 12n);
}
function lowPart(operand: Operand, address: bigint, labels: Readonly<Record<string, bigint>>): bigint {
  if (typeof operand !== 'string' || !operand.startsWith('%lo ')) return BigInt(operand);
  return BigInt.asIntN(12, (labels[operand.slice(4)] ?? 0n) - (address - 4n));
}
