// The instruction vocabulary as compiled code: operands are constants, registers are locals.
// Guarantees: an instruction either takes effect wholly, in silence, or is left to the interpreter before it has had any effect.
import { call, type CodeWriter, type Expression, expression, load, op, type Operand } from '../../wasm/code';
import type { Local } from '../../wasm/function';
import { Arithmetic, loads, signedLoads, stores } from '../arithmetic';
import type { FloatOperation } from '../float';
import type { Bytes, FField, Field, Meaning, NumberField, XField } from '../instructions/meaning';
import { control, hartCell, pageBytes, translation } from '../layout';
import { cell, cell32, setCell } from '../system/context';
import { csrChange, csrFlag, csrOutcome } from '../system/direct';
import { mstatus } from '../system/status';
import { entryOffset } from '../system/translate';
import { currentStep } from '../system/trap';
import type { PlacedInstruction } from './blocks';
import type { RegionFrame } from './frame';
import { inlineFloat, type InlineFloat } from './inline-float';
import { joined, noRegisters, type RegisterMask } from './liveness';
import { reachKind } from './reach';

/** Where the code of a block has got to. */
export interface BlockState {
  /** Floating point is known to be on, and to be marked dirty. */
  floatOn: boolean;
  floatDirty: boolean;
  /** Registers known to hold a NaN-boxed single. */
  readonly boxed: Set<number>;
  /** Registers whose locals may be newer than the hart. */
  newer: RegisterMask;
}

/** Where the last instruction of a block goes. */
export interface Exits {
  /** To an offset from the page, inside or outside. */
  go(offset: number, newer: RegisterMask): void;
  indirect(target: Local, newer: RegisterMask): void;
  /** Whether newer locals stay so on the way to an offset. */
  keeps(offset: number): boolean;
}

interface Constant extends Expression {
  readonly constant: bigint;
}
/** A value that is at hand as a floating-point number, too. */
interface FloatValue extends Expression {
  readonly double?: Expression;
  /** Known to be NaN-boxed. */
  readonly isBoxed?: boolean;
}
function doubleOf(value: FloatValue): Expression {
  return value.double ?? op('f64.reinterpret_i64', value);
}
function fromDouble(double: Expression, isBoxed = false): FloatValue {
  return { type: 'i64', double, isBoxed, emit: (f) => op('i64.reinterpret_f64', double).emit(f) };
}
/** Above it the dynamic rounding mode is a reserved one. */
const greatestLegalFcsr = (4 << 5) | 0x1f;
/** The upper half of a boxed single. [RISC-V unpriv. 21.2] */
const box = -1n << 32n;

function constantOf(value: Expression): bigint | undefined {
  return 'constant' in value && typeof value.constant === 'bigint' ? value.constant : undefined;
}

export class CompiledMeaning extends Arithmetic implements Meaning<Expression, Expression> {
  private readonly c: CodeWriter;
  private ended = false;

  constructor(
    private readonly frame: RegionFrame,
    private readonly placed: PlacedInstruction,
    /** Instructions of the block from this one on. */
    private readonly left: number,
    private readonly block: BlockState,
    private readonly exits: Exits,
  ) {
    super();
    this.c = frame.c;
  }

  /** Writes the instruction; goes on behind it unless it says otherwise. */
  write(isLast: boolean): void {
    this.frame.releaseAll();
    const { decoded, flow, offset } = this.placed;
    if (flow.kind === 'outside') {
      this.bail();
      return;
    }
    if (offset + decoded.lengthBytes > pageBytes) {
      // What the other page holds now must be what was compiled.
      const second = call(this.frame.import('secondHalf'), 'i32', this.frame.hart, this.pc());
      this.c.rarely(op('i32.ne', second, decoded.bits >>> 16), () => this.bail());
    }
    decoded.row.meaning(this);
    if (isLast && !this.ended) this.exits.go(offset + decoded.lengthBytes, this.block.newer);
  }

  private field(field: Field): number {
    return this.placed.decoded.fields[field] ?? 0;
  }
  private bail(): void {
    this.frame.bail(this.placed.offset, this.left, this.block.newer);
  }
  private take(value: Operand, type: 'i32' | 'i64'): Local {
    const local = this.frame.take(type);
    this.c.set(local, value);
    return local;
  }

  x(field: XField): Expression {
    const register = this.field(field);
    return register === 0 ? this.constant(0n) : expression(this.frame.xLocal(register));
  }
  setX(_field: 'rd', value: Expression): void {
    const register = this.field('rd');
    if (register === 0) return;
    this.c.set(this.frame.xLocal(register), value);
    this.block.newer = joined(this.block.newer, { x: 1 << register, f: 0 });
  }
  f(field: FField): FloatValue {
    const register = this.field(field);
    const local = this.frame.fLocal(register);
    const isBoxed = this.block.boxed.has(register);
    if (local.type === 'f64') return fromDouble(expression(local), isBoxed);
    return { ...expression(local), isBoxed };
  }
  setF(_field: 'fd', value: FloatValue): void {
    const register = this.field('fd');
    const local = this.frame.fLocal(register);
    this.c.set(local, local.type === 'f64' ? doubleOf(value) : value);
    if (value.isBoxed === true) this.block.boxed.add(register);
    else this.block.boxed.delete(register);
    this.block.newer = joined(this.block.newer, { x: 0, f: 1 << register });
    this.markFloatDirty();
  }
  number(field: NumberField): Expression {
    return this.constant(BigInt(this.field(field)));
  }
  constant(value: bigint): Constant {
    return { type: 'i64', constant: value, emit: (f) => void f.i64(value) };
  }
  pc(): Expression {
    return this.frame.pcAt(this.placed.offset);
  }
  nextPc(): Expression {
    return this.frame.pcAt(this.placed.offset + this.placed.decoded.lengthBytes);
  }
  keep(value: Expression): Expression {
    return expression(this.take(value, 'i64'));
  }
  override add(a: Expression, b: Expression): Expression {
    if (constantOf(b) === 0n) return a;
    return constantOf(a) === 0n ? b : super.add(a, b);
  }
  /** What is joined with the box is boxed. */
  override or(a: Expression, b: Expression): FloatValue {
    const joined = super.or(a, b);
    return constantOf(b) === BigInt.asUintN(64, box) ? { ...joined, isBoxed: true } : joined;
  }
  multiplyHighUnsigned(a: Expression, b: Expression): Expression {
    return call(this.frame.import('multiplyHigh'), 'i64', a, b);
  }

  branch(condition: Expression): void {
    const { block, exits } = this;
    const target = this.placed.offset + this.field('imm');
    const behind = this.placed.offset + this.placed.decoded.lengthBytes;
    if (!exits.keeps(target) && !exits.keeps(behind)) {
      this.frame.update(block.newer);
      block.newer = noRegisters;
    }
    this.c.when(condition, () => exits.go(target, block.newer));
    exits.go(behind, block.newer);
    this.ended = true;
  }
  jumpRelative(): void {
    this.exits.go(this.placed.offset + this.field('imm'), this.block.newer);
    this.ended = true;
  }
  jump(target: Expression): void {
    this.exits.indirect(this.take(target, 'i64'), this.block.newer);
    this.ended = true;
  }

  /** Where the bytes of an access lie in linear memory; leaves the instruction to the interpreter where it must see it. */
  private reach(at: Expression, bytes: Bytes, kind: keyof typeof reachKind): Local {
    const { c, frame } = this;
    const { f } = c;
    const address = this.take(at, 'i64');
    const table = kind === 'load' ? 0 : translation.store;
    const entry = this.take(op('i32.add', frame.tables, entryOffset(address)), 'i32');
    const found = this.take(
      op('i32.add', op('i32.wrap_i64', address), load('i32.load', entry, table + translation.addend)),
      'i32',
    );
    const page = op('i64.and', address, -4096n | BigInt(bytes - 1));
    c.block((done) => {
      c.brIf(done, op('i64.eq', load('i64.load', entry, table + translation.tag), page), 'taken');
      call(frame.import('reach'), 'i32', frame.hart, address, bytes, reachKind[kind]).emit(f);
      f.tee(found).brIf(done);
      this.bail();
    });
    return found;
  }
  load(at: Expression, bytes: Bytes, extension: 'signed' | 'unsigned'): FloatValue {
    const found = this.reach(at, bytes, 'load');
    const value = load(extension === 'signed' ? signedLoads[bytes] : loads[bytes], found);
    return bytes === 8 ? { ...value, double: load('f64.load', found) } : value;
  }
  store(at: Expression, bytes: Bytes, value: FloatValue): void {
    const found = this.reach(at, bytes, 'store');
    if (bytes === 8 && value.double !== undefined) this.c.store('f64.store', found, value.double);
    else this.c.store(stores[bytes], found, value);
  }

  /** An address that is a multiple of the access's bytes; the interpreter traps where it is none. */
  private aligned(at: Expression, bytes: 4 | 8): Expression {
    const address = this.take(at, 'i64');
    this.c.rarely(op('i64.ne', op('i64.and', address, BigInt(bytes - 1)), 0n), () => this.bail());
    return expression(address);
  }
  /** The reservation set of an address in linear memory; the newest LR's is in the control words. */
  private reservationOf(address: Local): Expression {
    return op('i32.and', address, -64);
  }
  loadReserved(at: Expression, bytes: 4 | 8): Expression {
    const { c } = this;
    const found = this.reach(this.aligned(at, bytes), bytes, 'load');
    const value = this.take(load(signedLoads[bytes], found), 'i64');
    c.store('i32.store', 0, this.reservationOf(found), control.reservation);
    this.publishBudget();
    c.store('i64.store', 0, currentStep(), control.reservationStep);
    this.noteOrder();
    return expression(value);
  }
  storeConditional(at: Expression, bytes: 4 | 8, value: Expression): Expression {
    const { c } = this;
    const address = this.aligned(at, bytes);
    const result = this.take(1n, 'i64');
    const reserved = load('i32.load', 0, control.reservation);
    c.block((failed) => {
      c.brIf(failed, op('i32.eqz', reserved));
      const found = this.reach(address, bytes, 'conditional');
      c.brIf(failed, op('i32.ne', reserved, this.reservationOf(found)));
      c.store(stores[bytes], found, value);
      c.set(result, 0n);
    });
    c.store('i32.store', 0, 0, control.reservation);
    this.noteOrder();
    return expression(result);
  }
  atomic(at: Expression, bytes: 4 | 8, combine: (old: Expression) => Expression): Expression {
    const { c } = this;
    const operand = this.reach(at, bytes, 'atomic');
    const old = expression(this.take(load(signedLoads[bytes], operand), 'i64'));
    c.store(stores[bytes], operand, combine(old));
    this.noteOrder();
    return old;
  }
  private noteOrder(): void {
    const [acquires, releases] = [this.field('aq') !== 0, this.field('rl') !== 0];
    if (!acquires && !releases) return;
    const { hart } = this.frame;
    this.publishBudget();
    if (acquires) setCell(this.c, hart, 'acquireStep', currentStep());
    if (releases) setCell(this.c, hart, 'releaseStep', currentStep());
  }
  /** Stores the budget as it is while this instruction executes. */
  private publishBudget(): void {
    const { budget } = this.frame;
    const behind = this.left - 1;
    this.c.store('i32.store', 0, behind === 0 ? budget : op('i32.add', budget, behind), control.budget);
  }

  requireFloat(): void {
    if (this.block.floatOn) return;
    this.block.floatOn = true;
    const off = op('i64.eqz', op('i64.and', cell(this.frame.hart, 'mstatus'), mstatus.FS));
    this.c.rarely(off, () => this.bail());
  }
  float(operation: FloatOperation, operands: readonly Expression[], rounding: 'rm' | 'none'): Expression {
    const given = rounding === 'rm' ? this.field('rm') : 0;
    const inline = inlineFloat(operation);
    this.markFloatDirty();
    if (
      inline === undefined ||
      (rounding === 'rm' && given !== inline.rounding && (given !== 7 || inline.rounding !== 0))
    ) {
      return this.exactFloat(operation, operands, given);
    }
    return this.hostFloat(inline, operation, operands, given);
  }
  /** Calls the exact function. */
  private exactFloat(operation: FloatOperation, operands: readonly Expression[], given: number): Expression {
    const { c, frame } = this;
    const mode = this.take(given === 7 ? op('i32.shr_u', cell32(frame.hart, 'fcsr'), 5) : given, 'i32');
    if (given > 4) c.when(op('i32.gt_u', mode, 4), () => this.bail());
    const flags = op('i32.add', frame.hart, hartCell.fcsr);
    const result = this.take(call(frame.import(operation), 'i64', flags, mode, ...operands), 'i64');
    frame.judgeFloat();
    return expression(result);
  }
  /** Lets the host compute, and calls the exact function where its result is not to be trusted. */
  private hostFloat(
    inline: InlineFloat,
    operation: FloatOperation,
    operands: readonly FloatValue[],
    given: number,
  ): FloatValue {
    const { c, frame } = this;
    const result = frame.take(inline.result);
    c.block((done) => {
      c.block((exact) => {
        if (!inline.always) c.brIf(exact, op('i32.eqz', frame.fastFloat), 'not taken');
        // An instruction that does not round still is illegal while frm is reserved. [RISC-V unpriv. 20.2]
        else if (given === 7) {
          c.brIf(exact, op('i32.gt_u', cell32(frame.hart, 'fcsr'), greatestLegalFcsr), 'not taken');
        }
        const unboxed = operands.filter((operand) => inline.operands === 'f32' && operand.isBoxed !== true);
        if (unboxed.length > 0) {
          const together = unboxed.reduce<Expression>(
            (all, operand) => (all === operand ? all : op('i64.and', all, operand)),
            unboxed[0] ?? expression(0n),
          );
          c.brIf(exact, op('i64.lt_u', together, box), 'not taken');
        }
        const natives = operands.map((operand) => this.native(inline.operands, operand));
        c.set(result, inline.compute(...natives.map(expression)));
        c.brIf(done, inline.trusted(natives, result), 'taken');
      });
      const value = this.exactFloat(operation, operands, given);
      c.set(result, this.nativeOf(inline.result, value));
    });
    if (inline.result === 'i64') return expression(result);
    if (inline.result === 'f64') return fromDouble(expression(result));
    return {
      type: 'i64',
      isBoxed: true,
      emit: (f) => op('i64.or', op('i64.extend_i32_u', op('i32.reinterpret_f32', result)), box).emit(f),
    };
  }
  private native(type: InlineFloat['operands'], value: FloatValue): Local {
    const local = this.frame.take(type);
    this.c.set(local, this.nativeOf(type, value));
    return local;
  }
  private nativeOf(type: InlineFloat['operands'], value: FloatValue): Expression {
    if (type === 'i64') return value;
    return type === 'f64' ? doubleOf(value) : op('f32.reinterpret_i32', op('i32.wrap_i64', value));
  }
  private markFloatDirty(): void {
    if (this.block.floatDirty) return;
    this.block.floatDirty = true;
    const { hart } = this.frame;
    setCell(this.c, hart, 'mstatus', op('i64.or', cell(hart, 'mstatus'), mstatus.FS | mstatus.SD));
  }

  fence(): void {
    this.publishBudget();
    const { frame } = this;
    this.c.call(frame.import('fence'), frame.hart, this.field('fm'), this.field('pred'), this.field('succ'));
  }
  /** Stores into code drop the region at once, so there is nothing left to do. */
  fenceInstructions(): void {}

  csr(change: 'write' | 'set' | 'clear', operand: Expression): void {
    const { c, frame } = this;
    const { hart } = frame;
    const reads = change !== 'write' || this.field('rd') !== 0 ? csrFlag.reads : 0;
    const writes = change === 'write' || this.field('rs1') !== 0 || this.field('zimm') !== 0 ? csrFlag.writes : 0;
    const flags = reads | writes | csrChange[change];
    this.publishBudget();
    setCell(c, hart, 'pc', this.pc());
    const published = this.take(load('i32.load', 0, control.budget), 'i32');
    const result = this.take(call(frame.import('csrAccess'), 'i32', hart, this.field('csr'), flags, operand), 'i32');
    c.rarely(op('i32.eq', result, csrOutcome.illegal), () => this.bail());
    this.setX('rd', cell(hart, 'scratch'));
    const shortened = op('i32.ne', load('i32.load', 0, control.budget), published);
    c.when(op('i32.or', op('i32.eq', result, csrOutcome.changed), shortened), () =>
      frame.boundary(this.placed.offset + this.placed.decoded.lengthBytes, this.block.newer),
    );
    frame.judgeFloat();
  }
  fenceTranslations(): void {
    this.outside();
  }
  orderInvalidations(): void {
    this.outside();
  }
  cacheBlock(): void {
    this.outside();
  }
  environmentCall(): void {
    this.outside();
  }
  breakpoint(): void {
    this.outside();
  }
  returnFrom(): void {
    this.outside();
  }
  waitForInterrupt(): void {
    this.outside();
  }
  private outside(): never {
    throw new Error(`${this.placed.decoded.row.name} is not for compiled code`);
  }
}
