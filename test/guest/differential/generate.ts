// Makes one random instruction sequence with the state it starts in. Encodings come from the processor's instruction table only.
import {
  decode,
  encodable,
  type EncodableInstruction,
  instructionLength,
  instructionNames,
} from '../../../emulator/cpu/decoder';
import type { EncodedField } from '../../../emulator/cpu/instructions/format';
import { type Random, seededRandom } from '../../reference/random';
import {
  type Context,
  environment,
  farTime,
  isProtected,
  type Mode,
  randomContext,
  randomEnvironment,
  randomInteger,
  randomPermissions,
  randomRegion,
  status,
  timerInterrupt,
} from './context';
import { absentCsrs, type CsrChoice, csrChoices } from './csr-choices';
import { codeBase, userAlias } from './layout';

export interface Sequence {
  /** Seed, index and attempt: what makes it again. */
  readonly name: string;
  readonly context: Context;
  /** Addresses as the sequence's first mode sees them are these, or `userAlias` above. */
  readonly start: number;
  /** Address of the final ecall. */
  readonly end: number;
  readonly code: Uint8Array;
  /** Addresses of LRs that an SC depends on. */
  readonly reservations: readonly number[];
  /** Where it changes an instruction of its own, undefined where it does not. */
  readonly patch: { readonly store: number; readonly target: number } | undefined;
  /** Whether it has instructions that QEMU 7.2 does not know; only the interpreter and the compiler are compared then. */
  readonly isBeyondQemu: boolean;
}

/** Distance of sequences: even but not a multiple of 4, so that instructions lie across words and pages in all ways. */
export const codeStride = 134;
const greatestCount = 20;
const greatestBytes = codeStride - 4;

/** `slot` is its place in the batch. */
export function generateSequence(seed: number, index: number, attempt: number, slot: number): Sequence {
  const name = `${seed}:${index}:${attempt}`;
  const random = seededRandom(name);
  const start = codeBase + slot * codeStride;
  const context = randomContext(random, (mode, mapped) => start + (mode === 'U' && mapped ? userAlias : 0));
  const isBeyondQemu = random.once(16);
  const builder = new Builder(random, context, start, isBeyondQemu);
  const code = builder.build();
  const { reservations, patch } = builder;
  return { name, context, start, end: start + code.length - 4, code, reservations, patch, isBeyondQemu };
}

type Fields = Record<string, number>;
/** Names of the rows that a sequence is made of; undefined words have none. */
export function instructionsOf({ code }: Sequence): string[] {
  const view = new DataView(code.buffer);
  const names: string[] = [];
  for (let offset = 0; offset < code.length;) {
    const length = instructionLength(view.getUint16(offset, true));
    const decoded = decode(length === 4 ? view.getUint32(offset, true) : view.getUint16(offset, true));
    if (decoded !== undefined) names.push(decoded.compressed?.name ?? decoded.row.name);
    offset += length;
  }
  return names;
}

interface Item {
  readonly instruction: EncodableInstruction | 'word';
  readonly fields: Fields;
  /** For jumps and branches: the item they lead to. */
  target?: number;
  /** The item whose address counts as the jump's own. */
  origin?: number;
  /** Only the item before may lead here: it holds what this one needs. */
  inside?: boolean;
  /** The target is this item, also where it is inside a pattern. */
  exact?: boolean;
}

type Options = Pick<Item, 'target' | 'origin' | 'inside' | 'exact'>;

/** Rows by what the generator must know about them. */
type Kind = 'compute' | 'memory' | 'stack' | 'atomic' | 'branch' | 'jump' | 'special';

function kindOf({ name, text }: EncodableInstruction): Kind {
  if (/^(lr|amo)/.test(name)) return 'atomic';
  if (/^(sc\.|csr|[ms]ret$|wfi$|ecall$|ebreak$|c\.ebreak$|jalr$|c\.jr$|c\.jalr$)/.test(name)) return 'special';
  if (text.includes('target')) return text.includes('rs1') ? 'branch' : 'jump';
  if (/sp$/.test(name) && /^c\.(f?[ls][wd])/.test(name)) return 'stack';
  return text.includes('(rs1)') ? 'memory' : 'compute';
}

function required(name: string): EncodableInstruction {
  const found = encodable(name);
  if (found === undefined) throw new Error(`the instruction table has no ${name}`);
  return found;
}

/** QEMU 7.2 has neither Zicond nor Zfa nor cache-block operations. */
export function absentFromQemu(name: string): boolean {
  return /^(czero|cbo|fli|f(min|max)m|fl[et]q|fround(nx)?|fcvtmod)\./.test(name);
}

type Rows = ReadonlyMap<Kind, readonly EncodableInstruction[]>;
function rowsByKind(names: readonly string[]): Rows {
  const byKind = new Map<Kind, EncodableInstruction[]>();
  for (const name of names) {
    const instruction = required(name);
    const kind = kindOf(instruction);
    byKind.set(kind, [...(byKind.get(kind) ?? []), instruction]);
  }
  return byKind;
}
const commonRows = rowsByKind(instructionNames.filter((name) => !absentFromQemu(name)));
const beyondRows = rowsByKind(instructionNames.filter(absentFromQemu));

const weights = {
  compute: 52,
  memory: 16,
  stack: 4,
  atomic: 5,
  branch: 7,
  jump: 2,
  indirect: 2,
  csr: 6,
  reservation: 2,
  environment: 1,
  return: 2,
  patch: 1,
  wait: 1,
  undefined: 1,
} as const;

/** QEMU 7.2 executes these in U-mode too. */
export function isInvalidationFence(name: string): boolean {
  return name === 'sfence.w.inval' || name === 'sfence.inval.ir';
}

class Builder {
  private readonly items: Item[] = [];
  private readonly constants: number[];
  /** The mode the sequence is in if nothing trapped. */
  private mode: Mode;
  private latest = 10;
  private interruptsTouched = false;
  /** Whether memory may be accessed as another mode would; such sequences do not return from traps. */
  private readonly translates: boolean;
  /** The one interrupt that may be pending. */
  private readonly interrupt: bigint;
  private readonly reserving: Item[] = [];
  private patching: { readonly store: Item; readonly target: Item } | undefined;

  constructor(
    private readonly random: Random,
    private readonly context: Context,
    private readonly start: number,
    private readonly isBeyondQemu: boolean,
  ) {
    this.constants = [...context.constantRegisters];
    this.mode = context.mode;
    this.translates = context.mode === 'M' && context.satp !== 0n && !random.once(4);
    const any = 1n << BigInt(random.pick([1, 5, 9]));
    this.interrupt = this.timed ? timerInterrupt : context.csrs.mip === 0n ? any : context.csrs.mip;
  }

  build(): Uint8Array {
    const count = 6 + this.random.below(greatestCount - 6);
    if (this.mode === 'M') this.setMachineStatus();
    while (this.items.length < count) this.add();
    return this.assemble();
  }

  /** Whether stimecmp drives STIP. */
  private get timed(): boolean {
    return (this.context.csrs.menvcfg & environment.STCE) !== 0n;
  }

  get reservations(): number[] {
    return this.reserving.map((item) => this.address(this.items.indexOf(item)));
  }

  get patch(): Sequence['patch'] {
    if (this.patching === undefined) return undefined;
    const [store, target] = [this.patching.store, this.patching.target].map((item) => this.items.indexOf(item));
    if (store === undefined || target === undefined || store < 0) return undefined;
    return { store: this.address(store), target: this.address(target) };
  }

  private rowsOf(kind: Kind): readonly EncodableInstruction[] {
    const beyond = this.isBeyondQemu ? beyondRows.get(kind) : undefined;
    return (this.random.once(2) ? beyond : undefined) ?? commonRows.get(kind) ?? [];
  }

  private add(): void {
    const { random } = this;
    const kind = random.weighted(weights);
    switch (kind) {
      case 'compute':
      case 'atomic':
      case 'memory':
      case 'stack':
        this.addPlain(random.pick(this.rowsOf(kind)));
        return;
      case 'branch':
      case 'jump':
        this.push(random.pick(this.rowsOf(kind)), {}, { target: this.ahead() });
        return;
      case 'indirect':
        this.addIndirectJump();
        return;
      case 'csr':
        this.addCsr();
        return;
      case 'reservation':
        this.addReservation();
        return;
      case 'environment':
        this.push(required(random.pick(['ecall', 'ebreak', 'c.ebreak', ...(this.translates ? [] : ['mret', 'sret'])])));
        return;
      case 'return':
        if (!this.translates) this.addReturn();
        return;
      case 'patch':
        this.addPatch();
        return;
      case 'wait':
        this.addWait();
        return;
      case 'undefined':
        this.addUndefined();
        return;
    }
  }

  /** An item a little further on; the assembler takes the end when there are fewer. */
  private ahead(): number {
    return this.items.length + 1 + this.random.below(4);
  }

  private push(instruction: EncodableInstruction, fixed: Fields = {}, options: Options = {}): void {
    const fields: Fields = {};
    const nearby = ['memory', 'stack', 'atomic'].includes(kindOf(instruction));
    for (const field of instruction.fields) fields[field.name] = fixed[field.name] ?? this.value(field, nearby);
    // Reserved forms of compressed instructions cannot be encoded: another choice will do.
    if (options.target === undefined && !canEncode(instruction, fields)) return;
    this.items.push({ instruction, fields, ...options });
    if (fields['rd'] !== undefined) this.latest = fields['rd'];
  }

  private value(field: EncodedField, nearby: boolean): number {
    const { random } = this;
    switch (field.name) {
      case 'rd':
        return this.destination(field);
      case 'rs1':
        return nearby && !random.once(30) ? this.addressRegister(field) : this.source(field);
      case 'rs2':
        return this.source(field);
      case 'rm':
        return random.once(20) ? 5 + random.below(2) : random.once(3) ? 7 : random.below(5);
      default:
        break;
    }
    if (/^f[ds]/.test(field.name)) return field.bias + random.below(field.bias > 0 ? 8 : random.pick([4, 32]));
    const step = 2 ** Math.min(...field.pieces.map((piece) => piece.valueLow));
    const least = field.signed ? -(2 ** (field.bits - 1)) : 0;
    const most = field.signed ? 2 ** (field.bits - 1) - step : 2 ** field.bits - step;
    if (nearby && field.name !== 'aq' && field.name !== 'rl') {
      const near = random.once(3) ? random.below(129) - 64 : (random.below(17) - 8) * 8;
      return Math.floor(Math.max(least, Math.min(most, least < 0 ? near : Math.abs(near))) / step) * step;
    }
    const corners = [least, most, 0, step, field.signed ? -step : most - step];
    if (random.once(4)) return random.pick(corners);
    const value = least + random.below((most - least) / step + 1) * step;
    return random.once(2) ? value : Math.trunc(value / step / 64) * step;
  }

  private inReach(field: EncodedField, registers: readonly number[]): readonly number[] {
    return field.bias > 0 ? registers.filter((register) => register >= 8 && register <= 15) : registers;
  }

  private addressRegister(field: EncodedField): number {
    return this.random.pick(this.inReach(field, this.context.addressRegisters));
  }

  private source(field: EncodedField): number {
    const { random } = this;
    if (random.once(3) && this.inReach(field, [this.latest]).length > 0) return this.latest;
    return field.bias > 0 ? 8 + random.below(8) : random.below(32);
  }

  private destination(field?: EncodedField): number {
    const { random, context } = this;
    for (;;) {
      const register = field !== undefined && field.bias > 0 ? 8 + random.below(8) : random.below(32);
      if (context.constantRegisters.includes(register)) continue;
      if (context.addressRegisters.includes(register) && !random.once(15)) continue;
      return register;
    }
  }

  /** A register that holds this value throughout, or undefined where there is none left. */
  private constant(value: bigint): number | undefined {
    const register = this.constants.pop();
    if (register !== undefined) this.context.x[register] = value;
    return register;
  }

  /** In M-mode the return that starts the sequence has cleared MPP; this gives it and MPRV any value. */
  private setMachineStatus(): void {
    const { random } = this;
    const previous = random.pick([status.MPP.M, status.MPP.S, status.MPP.U]);
    const translated = this.translates ? status.MPRV : 0n;
    const register = this.constant((this.context.csrs.mstatus & ~status.MPP.M) | previous | translated);
    if (register !== undefined) this.push(required('csrrw'), { rd: 0, csr: 0x300, rs1: register });
  }

  private addPlain(instruction: EncodableInstruction): void {
    if (this.mode === 'U' && isInvalidationFence(instruction.name)) return;
    if (instruction.name !== 'ctzw') {
      this.push(instruction);
      return;
    }
    // QEMU 7.2 goes on counting where the low word is 0.
    let operand = 0;
    while (operand === 0) operand = this.destination();
    this.push(required('bseti'), { rd: operand, rs1: operand, shamt: this.random.below(32) });
    this.push(instruction, { rs1: operand }, { inside: true });
  }

  private addIndirectJump(): void {
    const { random } = this;
    const form = required(random.pick(['jalr', 'jalr', 'c.jr', 'c.jalr']));
    if (random.once(8)) {
      this.push(form, { rs1: random.pick(this.context.addressRegisters.slice(4)) });
      return;
    }
    // x1 is no constant register.
    const base = this.destination() || 1;
    const first = this.items.length;
    this.push(required('auipc'), { rd: base, imm: 0 });
    if (form.name === 'jalr') {
      this.push(form, { rs1: base }, { target: this.ahead(), origin: first, inside: true });
      return;
    }
    this.push(required('addi'), { rd: base, rs1: base }, { target: this.ahead() + 1, origin: first, inside: true });
    this.push(form, { rs1: base }, { inside: true });
  }

  private addReservation(): void {
    const { random } = this;
    const width = random.pick(['w', 'd']);
    // Rarely where the LR may trap, as the sequence is unfit then.
    const { addressRegisters, satp, x } = this.context;
    const aligned = addressRegisters.slice(0, 4).filter((register) => (x[register] ?? 1n) % 8n === 0n);
    if (aligned.length === 0 || (satp !== 0n && !random.once(3))) return;
    const address = random.pick(aligned);
    const old = this.destination();
    if (old === address) return;
    this.push(required(`lr.${width}`), { rs1: address, rd: old });
    const load = this.items.at(-1);
    if (load !== undefined) this.reserving.push(load);
    if (random.once(2)) {
      const between = this.destination();
      if (between !== address) this.push(required('addi'), { rd: between }, { inside: true });
    }
    this.push(required(`sc.${width}`), { rs1: address, rd: this.destination() }, { inside: true });
    // The reservation is gone now, whatever a machine takes for its extent.
    if (random.once(4)) this.push(required(`sc.${width}`), { rs1: address }, { inside: true });
  }

  /**
   * An instruction that is executed, then changed by a store, and after FENCE.I executed again as another one. Once in a sequence.
   * [RISC-V unpriv. 6]
   */
  private addPatch(): void {
    const { random } = this;
    // QEMU 7.2 stores past the translation of MPRV to pages that M-mode executes.
    if (this.patching !== undefined || this.translates) return;
    const [again, base] = [this.destination(), this.destination()];
    const word = this.constant(0n);
    if (again === 0 || base === 0 || again === base || word === undefined) return;
    const isFit = (name: string): boolean => name !== 'ctzw' && !isInvalidationFence(name);
    const length = random.pick([2, 4]);
    const rows = this.rowsOf('compute').filter((row) => row.lengthBytes === length && isFit(row.name));
    if (rows.length === 0) return;
    const [first, second] = [this.filled(random.pick(rows)), this.filled(random.pick(rows))];
    const spoils = (item: Item | undefined): boolean =>
      item === undefined || [again, base].includes(item.fields['rd'] ?? -1);
    if (first === undefined || second === undefined || spoils(first) || spoils(second)) return;
    this.context.x[word] = BigInt(second.instruction === 'word' ? 0 : second.instruction.encode(second.fields));
    this.push(required('addi'), { rd: again, rs1: 0, imm: 0 });
    const target = { ...first, inside: true };
    const place = this.items.length;
    this.items.push(target);
    this.push(required('bne'), { rs1: again, rs2: 0 }, { target: place + 6, inside: true });
    this.push(required('addi'), { rd: again, rs1: 0, imm: 1 }, { inside: true });
    this.push(required('auipc'), { rd: base, imm: 0 }, { inside: true });
    this.push(
      required(length === 4 ? 'sw' : 'sh'),
      { rs1: base, rs2: word },
      { target: place, origin: place + 3, inside: true, exact: true },
    );
    const store = this.items.at(-1);
    this.push(required('fence.i'), {}, { inside: true });
    this.push(required('jal'), { rd: 0 }, { target: place, inside: true, exact: true });
    if (store !== undefined) this.patching = { store, target };
  }

  /** An item with random fields, or undefined where its form is reserved. */
  private filled(instruction: EncodableInstruction): Item | undefined {
    const fields: Fields = {};
    for (const field of instruction.fields) fields[field.name] = this.value(field, false);
    return canEncode(instruction, fields) ? { instruction, fields } : undefined;
  }

  /** To a lower or the same mode, to the instruction behind the return. */
  private addReturn(): void {
    const { random, context } = this;
    if (this.mode === 'U') return;
    const machine = this.mode === 'M';
    const to: Mode = machine ? random.pick(['M', 'S', 'U']) : random.pick(['S', 'U']);
    const target = this.constant(0n);
    const bits = this.constant(
      (context.csrs.mstatus & ~status.MPP.M & ~status.SPP) |
        (machine ? status.MPP[to] : 0n) |
        (!machine && to === 'S' ? status.SPP : 0n),
    );
    if (target === undefined || bits === undefined) return;
    this.push(required('csrrw'), { rd: 0, csr: machine ? 0x341 : 0x141, rs1: target });
    this.push(required('csrrw'), { rd: 0, csr: machine ? 0x300 : 0x100, rs1: bits });
    this.push(required(machine ? 'mret' : 'sret'));
    context.x[target] = BigInt(this.address(this.items.length) + (to === 'U' && context.satp !== 0n ? userAlias : 0));
    this.mode = to;
  }

  private addCsr(): void {
    const { random } = this;
    if (random.once(12)) {
      this.push(required('csrrs'), { csr: random.pick(absentCsrs) });
      return;
    }
    // Regions change only where there are some: that is known then.
    const available = csrChoices.filter(
      ({ name, use }) => (isProtected(this.context) || !name.startsWith('pmp')) && (this.timed || use !== 'timer'),
    );
    const reachable = available.filter((choice) => (choice.number >> 8) % 4 <= { M: 3, S: 1, U: 0 }[this.mode]);
    const choice = random.pick(random.once(8) ? available : reachable);
    if (['mie', 'mip', 'sie', 'sip', 'mstatus', 'sstatus', 'mideleg', 'stimecmp'].includes(choice.name))
      this.interruptsTouched = true;
    this.pushCsr(choice);
  }

  private pushCsr(choice: CsrChoice): void {
    const { random } = this;
    const csr = choice.number;
    const form = random.pick(['csrrw', 'csrrs', 'csrrc', 'csrrwi', 'csrrsi', 'csrrci']);
    switch (choice.use) {
      case 'any':
        this.push(required(form), { csr });
        return;
      case 'masked': {
        // When exactly floating point becomes dirty is up to the implementation.
        const isStatus = csr === 0x300 || csr === 0x100;
        const hidden: Fields = isStatus && isPartlyDirty(this.context.csrs.mstatus) ? { rd: 0 } : {};
        let bits = isStatus && random.once(2) ? (choice.bits ?? 0n) & ~status.FS : (choice.bits ?? 0n);
        if (!this.translates) bits &= ~status.MPRV;
        if (choice.name === 'mip' || choice.name === 'sip') bits &= this.interrupt;
        if (form.endsWith('i')) {
          this.push(required(form), { csr, zimm: random.below(32) & Number(bits & 31n), ...hidden });
          return;
        }
        const value = randomInteger(random) & bits;
        const register = this.constant(isStatus ? wholeFS(value) : value);
        if (register !== undefined) this.push(required(form), { csr, rs1: register, ...hidden });
        return;
      }
      case 'restored': {
        const value = this.constant(randomInteger(random) & (choice.bits ?? 0n));
        const saved = this.destination();
        const seen = this.destination();
        if (value === undefined || saved === 0 || saved === seen) return;
        this.push(required('csrrw'), { csr, rd: saved, rs1: value });
        this.push(required('csrrw'), { csr, rd: seen, rs1: saved }, { inside: true });
        return;
      }
      case 'read':
        this.push(required('csrrs'), { csr, rs1: 0 });
        return;
      case 'hidden': {
        const seen = this.destination();
        this.push(required('csrrs'), { csr, rs1: 0, rd: seen });
        this.push(required('addi'), { rd: seen, rs1: 0 }, { inside: true });
        return;
      }
      case 'environment': {
        const register = this.constant(randomEnvironment(random, this.context.csrs.menvcfg));
        if (register !== undefined && random.once(2)) this.push(required('csrrw'), { csr, rs1: register });
        else this.push(required(random.pick(['csrrsi', 'csrrci'])), { csr, zimm: 1 });
        return;
      }
      case 'timer': {
        const register = this.constant(random.pick([0n, farTime]));
        if (register !== undefined) this.push(required('csrrw'), { csr, rs1: register });
        return;
      }
      case 'permissions': {
        const register = this.constant(randomPermissions(random));
        if (register !== undefined) this.push(required('csrrw'), { csr, rs1: register });
        return;
      }
      case 'region': {
        const [register, seen] = [this.constant(randomRegion(random)), this.destination()];
        if (register === undefined || seen === 0) return;
        this.push(required('csrrw'), { csr, rs1: register, rd: 0 });
        // QEMU 7.2 moves the lower end of the next region only when a configuration is written, and writes none where no bit is to change.
        const configuration = choice.name === 'pmpaddr9' ? 0x3a2 : 0x3a0;
        this.push(required('csrrs'), { csr: configuration, rs1: 0, rd: seen }, { inside: true });
        this.push(required('csrrw'), { csr: configuration, rs1: seen, rd: 0 }, { inside: true });
        return;
      }
      case 'space': {
        const satp = this.constant(this.context.satp ^ (this.context.satp === 0n ? 0n : random.bits(16) << 44n));
        if (satp !== undefined) this.push(required('csrrw'), { csr, rs1: satp });
      }
    }
  }

  /** Only where it cannot wait for ever: where it is illegal, or while an enabled interrupt is pending that is not taken. */
  private addWait(): void {
    const { csrs, mode } = this.context;
    const traps = mode === 'U' || (mode === 'S' && (csrs.mstatus & status.TW) !== 0n);
    const wakes =
      mode === 'M' &&
      this.mode === 'M' &&
      (csrs.mie & csrs.mip) !== 0n &&
      (csrs.mstatus & (status.MIE | status.MPIE)) === 0n &&
      !this.interruptsTouched;
    if (traps || wakes) this.push(required('wfi'));
  }

  /** A word that the instruction table does not know, or that the architecture keeps undefined. */
  private addUndefined(): void {
    const { random } = this;
    const undefinedWords = [0, 0xffff, 0xffffffff, 0x8000, 0x9c41, 0x6101];
    const word = random.once(2) ? random.pick(undefinedWords) : Number(random.bits(32));
    if (decode(word) !== undefined || (word & 0x1f) === 0x1f) return;
    this.items.push({ instruction: 'word', fields: { word: (word & 3) === 3 ? word : word & 0xffff } });
  }

  private address(item: number): number {
    return this.items.slice(0, item).reduce((sum, each) => sum + lengthOf(each), this.start);
  }

  private assemble(): Uint8Array {
    // What does not fit is cut off, patterns as a whole; jumps into what is cut off lead to the end.
    while (this.address(this.items.length) - this.start > greatestBytes) {
      let cut = this.items.pop();
      while (cut?.inside === true) cut = this.items.pop();
    }
    const last = this.items.length;
    this.items.push({ instruction: required('ecall'), fields: {} });
    const bytes = new Uint8Array(this.address(this.items.length) - this.start);
    const view = new DataView(bytes.buffer);
    this.items.forEach((item, index) => {
      const own = this.address(index);
      const offset = own - this.start;
      const word = this.word(item, own, last);
      if (lengthOf(item) === 4) view.setUint32(offset, word, true);
      else view.setUint16(offset, word, true);
    });
    return bytes;
  }

  private word({ instruction, fields, target, origin, exact }: Item, own: number, last: number): number {
    if (instruction === 'word') return fields['word'] ?? 0;
    if (target === undefined) return instruction.encode(fields);
    const from = origin === undefined ? own : this.address(origin);
    let reached = Math.min(target, last);
    while (exact !== true && this.items[reached]?.inside === true) reached++;
    return instruction.encode({ ...fields, imm: this.address(reached) - from });
  }
}

/** With FS off or dirty. */
function wholeFS(value: bigint): bigint {
  return (value & status.FS) === 0n ? value : value | status.FS;
}

/** FS initial or clean. */
function isPartlyDirty(mstatus: bigint): boolean {
  return (mstatus & status.FS) !== 0n && (mstatus & status.FS) !== status.FS;
}

function lengthOf({ instruction, fields }: Item): 2 | 4 {
  if (instruction !== 'word') return instruction.lengthBytes;
  return ((fields['word'] ?? 0) & 3) === 3 ? 4 : 2;
}

function canEncode(instruction: EncodableInstruction, fields: Fields): boolean {
  try {
    instruction.encode(fields);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
