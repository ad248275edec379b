// The instruction vocabulary as interpreter code: operands come from a decoded record, registers and memory are linear memory.
import { call, type CodeWriter, type Expression, load, op, type Operand, select } from '../../wasm/code';
import type { Local } from '../../wasm/function';
import { Arithmetic, loads, signedLoads, stores } from '../arithmetic';
import type { FloatOperation } from '../float';
import type { Bytes, CacheBlockOperation, FField, Field, Meaning, NumberField, XField } from '../instructions/meaning';
import { control, hartCell, record, translation } from '../layout';
import { noteOrder } from '../system/access';
import { cell, cell32, setCell } from '../system/context';
import { blockEnable } from '../system/cache-block';
import { csrChange, csrFlag, csrOutcome } from '../system/direct';
import { cause, exitCode, mstatus, privilege } from '../system/status';
import { entryOffset } from '../system/translate';
import { currentStep } from '../system/trap';
import type { Frame, FrameLabels } from './frame';
import { places } from './records';

export class RecordMeaning extends Arithmetic implements Meaning<Expression, Expression> {
  private readonly c: CodeWriter;
  /** The code already went somewhere else: nothing follows. */
  private ended = false;

  constructor(
    private readonly frame: Frame,
    private readonly labels: FrameLabels,
    private readonly lengthBytes: 2 | 4,
  ) {
    super();
    this.c = frame.c;
  }

  /** Goes on with the next record, unless the instruction said where to go. */
  finish(): void {
    if (this.ended) return;
    const { record: at, c } = { record: this.frame.record, c: this.c };
    c.set(at, op('i32.add', at, (this.lengthBytes / 2) * record.bytes));
    c.br(this.labels.dispatch);
    this.ended = true;
  }

  private raw(field: Field): Expression {
    const { offset, bytes } = places[field];
    const name = bytes === 4 ? 'i32.load' : bytes === 2 ? 'i32.load16_u' : 'i32.load8_u';
    return load(name, this.frame.record, offset);
  }
  private registerAddress(field: XField | FField): Expression {
    return op('i32.add', this.frame.hart, this.raw(field));
  }
  private take(value: Operand, type: 'i32' | 'i64'): Local {
    const local = this.frame.take(type);
    this.c.set(local, value);
    return local;
  }

  x(field: XField): Expression {
    return load('i64.load', this.registerAddress(field));
  }
  setX(field: 'rd', value: Expression): void {
    this.c.store('i64.store', this.registerAddress(field), value);
  }
  f(field: FField): Expression {
    return load('i64.load', this.registerAddress(field));
  }
  setF(field: 'fd', value: Expression): void {
    this.c.store('i64.store', this.registerAddress(field), value);
    this.markFloatDirty();
  }
  number(field: NumberField): Expression {
    const { offset, bytes } = places[field];
    if (bytes === 4) return load('i64.load32_s', this.frame.record, offset);
    return load(bytes === 2 ? 'i64.load16_u' : 'i64.load8_u', this.frame.record, offset);
  }
  constant(value: bigint): Expression {
    return { type: 'i64', emit: (f) => void f.i64(value) };
  }
  pc(): Expression {
    return this.frame.currentPc();
  }
  nextPc(): Expression {
    return op('i64.add', this.pc(), BigInt(this.lengthBytes));
  }
  keep(value: Expression): Expression {
    const local = this.take(value, 'i64');
    return { type: 'i64', emit: (f) => void f.get(local) };
  }

  multiplyHighUnsigned(a: Expression, b: Expression): Expression {
    return call(this.frame.functions.multiplyHigh, 'i64', a, b);
  }

  branch(condition: Expression, offset: Expression): void {
    this.c.when(condition, () => this.goRelative(offset));
  }
  jumpRelative(offset: Expression): void {
    this.goRelative(offset);
    this.ended = true;
  }
  /** Inside the page the target's record is found without a fetch. */
  private goRelative(offset: Expression): void {
    const { record: at, slot, pc } = this.frame;
    const scaled = op('i32.shl', op('i32.wrap_i64', offset), 3);
    const target = this.take(op('i32.add', op('i32.sub', at, slot), scaled), 'i32');
    this.c.when(op('i32.lt_u', target, 2048 * record.bytes), () => {
      this.c.set(at, op('i32.add', slot, target));
      this.frame.countArrival();
      this.c.br(this.labels.dispatch);
    });
    this.c.set(pc, op('i64.add', this.pc(), offset));
    this.c.br(this.labels.refetch);
  }
  jump(target: Expression): void {
    const { record: at, slot, pc, page } = this.frame;
    this.c.set(pc, target);
    this.c.when(op('i64.eq', op('i64.and', pc, -4096n), page), () => {
      const within = op('i32.shl', op('i32.and', op('i32.wrap_i64', pc), 0xffe), 3);
      this.c.set(at, op('i32.add', slot, within));
      this.frame.countArrival();
      this.c.br(this.labels.dispatch);
    });
    this.c.br(this.labels.refetch);
    this.ended = true;
  }

  /** Runs a helper that ends in an outcome; anything but done leaves the instruction. */
  private attempt(status: Expression): void {
    this.frame.publish();
    this.c.set(this.frame.status, status);
    this.frame.reloadBudget();
    this.c.brIf(this.labels.leave, this.frame.status);
  }
  private scratch(): Expression {
    return cell(this.frame.hart, 'scratch');
  }
  private raise(code: Operand, tval: Operand): void {
    this.attempt(call(this.frame.functions.traps.raise, 'i32', this.frame.hart, code, tval));
  }
  private illegal(): void {
    this.raise(cause.illegalInstruction, load('i64.load32_u', this.frame.record, record.bits));
  }

  /** The fast entry of an address; its tag matches only an aligned access to that page. */
  private fastEntry(address: Local): Local {
    return this.take(op('i32.add', this.frame.dataTables, entryOffset(address)), 'i32');
  }
  private hits(entry: Local, table: number, address: Local, bytes: Bytes): Expression {
    const page = op('i64.and', address, -4096n | BigInt(bytes - 1));
    return op('i64.eq', load('i64.load', entry, table + translation.tag), page);
  }
  private fastAddress(entry: Local, table: number, address: Local): Expression {
    return op('i32.add', op('i32.wrap_i64', address), load('i32.load', entry, table + translation.addend));
  }

  load(at: Expression, bytes: Bytes, extension: 'signed' | 'unsigned'): Expression {
    const address = this.take(at, 'i64');
    const entry = this.fastEntry(address);
    const value = this.frame.take('i64');
    const name = extension === 'signed' ? signedLoads[bytes] : loads[bytes];
    this.c.when(
      this.hits(entry, 0, address, bytes),
      () => this.c.set(value, load(name, this.fastAddress(entry, 0, address))),
      () => {
        this.attempt(call(this.frame.functions.access.load, 'i32', this.frame.hart, address, bytes));
        this.c.set(value, this.extended(this.scratch(), bytes, extension));
      },
    );
    return { type: 'i64', emit: (f) => void f.get(value) };
  }
  private extended(value: Expression, bytes: Bytes, extension: 'signed' | 'unsigned'): Expression {
    if (bytes === 8 || extension === 'unsigned') return value;
    return this.signExtend(value, bytes === 4 ? 32 : bytes === 2 ? 16 : 8);
  }
  store(at: Expression, bytes: Bytes, value: Expression): void {
    const address = this.take(at, 'i64');
    const entry = this.fastEntry(address);
    this.c.when(
      this.hits(entry, translation.store, address, bytes),
      () => this.c.store(stores[bytes], this.fastAddress(entry, translation.store, address), value),
      () => this.attempt(call(this.frame.functions.access.store, 'i32', this.frame.hart, address, bytes, value)),
    );
  }

  /** aq in bit 0, rl in bit 8, as they lie in the record. */
  private order(): Expression {
    return load('i32.load16_u', this.frame.record, record.immediate);
  }
  loadReserved(at: Expression, bytes: 4 | 8): Expression {
    const { access } = this.frame.functions;
    this.attempt(call(access.loadReserved, 'i32', this.frame.hart, at, bytes, this.order()));
    return this.extended(this.scratch(), bytes, 'signed');
  }
  storeConditional(at: Expression, bytes: 4 | 8, value: Expression): Expression {
    const { access } = this.frame.functions;
    this.attempt(call(access.storeConditional, 'i32', this.frame.hart, at, bytes, value, this.order()));
    return this.scratch();
  }
  atomic(at: Expression, bytes: 4 | 8, combine: (old: Expression) => Expression): Expression {
    const { c, frame } = this;
    const { access } = frame.functions;
    const address = this.take(at, 'i64');
    const entry = this.fastEntry(address);
    const operand = frame.take('i32');
    const slow = this.take(0, 'i32');
    c.when(
      this.hits(entry, translation.store, address, bytes),
      () => c.set(operand, this.fastAddress(entry, translation.store, address)),
      () => {
        this.attempt(call(access.atomicBegin, 'i32', frame.hart, address, bytes));
        c.set(operand, op('i32.wrap_i64', this.scratch()));
        c.set(slow, 1);
      },
    );
    const old = this.take(load(signedLoads[bytes], operand), 'i64');
    const oldValue: Expression = { type: 'i64', emit: (f) => void f.get(old) };
    const next = this.take(combine(oldValue), 'i64');
    c.when(
      slow,
      () => this.attempt(call(access.atomicEnd, 'i32', frame.hart, address, bytes, next, this.order())),
      () => c.store(stores[bytes], operand, next),
    );
    c.when(this.order(), () => {
      c.store('i32.store', 0, frame.budget, control.budget);
      noteOrder(c, frame.hart, this.order(), currentStep());
    });
    return oldValue;
  }

  requireFloat(): void {
    const off = op('i64.eqz', op('i64.and', cell(this.frame.hart, 'mstatus'), mstatus.FS));
    this.c.when(off, () => this.illegal());
  }
  float(operation: FloatOperation, operands: readonly Expression[], rounding: 'rm' | 'none'): Expression {
    const mode = this.take(rounding === 'rm' ? this.raw('rm') : 0, 'i32');
    if (rounding === 'rm') {
      this.c.when(op('i32.eq', mode, 7), () => this.c.set(mode, op('i32.shr_u', cell32(this.frame.hart, 'fcsr'), 5)));
      this.c.when(op('i32.gt_u', mode, 4), () => this.illegal());
    }
    const flags = op('i32.add', this.frame.hart, hartCell.fcsr);
    const result = this.take(call(this.frame.functions.float[operation], 'i64', flags, mode, ...operands), 'i64');
    this.markFloatDirty();
    return { type: 'i64', emit: (f) => void f.get(result) };
  }
  private markFloatDirty(): void {
    const { hart } = this.frame;
    setCell(this.c, hart, 'mstatus', op('i64.or', cell(hart, 'mstatus'), mstatus.FS | mstatus.SD));
  }

  csr(change: 'write' | 'set' | 'clear', operand: Expression): void {
    const { c, frame } = this;
    const reads =
      change === 'write' ? select(op('i32.eq', this.raw('rd'), hartCell.discardedX), 0, csrFlag.reads) : csrFlag.reads;
    // x0 and a zero immediate are kept as 0.
    const writes = change === 'write' ? csrFlag.writes : select(this.raw('rs1'), csrFlag.writes, 0);
    const flags = op('i32.or', op('i32.or', reads, writes), csrChange[change]);
    frame.publish();
    const result = this.take(call(frame.functions.csr, 'i32', frame.hart, this.raw('csr'), flags, operand), 'i32');
    frame.reloadBudget();
    c.when(op('i32.eq', result, csrOutcome.illegal), () => this.illegal());
    this.setX('rd', this.scratch());
    c.when(op('i32.eq', result, csrOutcome.changed), () => this.goBoundary(this.nextPc()));
  }
  private goBoundary(pc: Operand): void {
    this.c.set(this.frame.pc, pc);
    this.c.br(this.labels.boundary);
  }

  fence(): void {
    const { c, frame } = this;
    c.store('i32.store', 0, frame.budget, control.budget);
    c.call(frame.functions.fence, frame.hart, this.raw('fm'), this.raw('pred'), this.raw('succ'));
  }
  /** Stores into code drop what was decoded at once, so there is nothing left to do. */
  fenceInstructions(): void {}
  fenceTranslations(address: Expression): void {
    const { c, frame } = this;
    this.refuseToUser(mstatus.TVM);
    c.when(
      this.raw('rs1'),
      () => c.call(frame.functions.translation.flushAddress, frame.hart, address),
      () => c.call(frame.functions.translation.flush, frame.hart),
    );
    this.goBoundary(this.nextPc());
    this.ended = true;
  }
  orderInvalidations(): void {
    this.c.when(op('i32.eqz', cell32(this.frame.hart, 'mode')), () => this.illegal());
  }
  cacheBlock(operation: CacheBlockOperation, address: Expression): void {
    const { hart } = this.frame;
    const enabled = blockEnable[operation];
    const lacks = (name: 'menvcfg' | 'senvcfg'): Expression => op('i64.eqz', op('i64.and', cell(hart, name), enabled));
    // S-mode asks M-mode, and U-mode both. [RISC-V unpriv. 19.4.2]
    const mode = cell32(hart, 'mode');
    this.c.when(op('i32.and', op('i32.ne', mode, privilege.M), lacks('menvcfg')), () => this.illegal());
    this.c.when(op('i32.and', op('i32.eqz', mode), lacks('senvcfg')), () => this.illegal());
    const { manageBlock, zeroBlock } = this.frame.functions.access;
    this.attempt(call(operation === 'zero' ? zeroBlock : manageBlock, 'i32', hart, address));
  }
  /** Illegal in U-mode, and in S-mode while a bit of mstatus traps it. */
  private refuseToUser(trapBit: bigint): void {
    const { hart } = this.frame;
    const mode = cell32(hart, 'mode');
    const trapped = op('i64.ne', op('i64.and', cell(hart, 'mstatus'), trapBit), 0n);
    const refused = op(
      'i32.or',
      op('i32.eq', mode, privilege.U),
      op('i32.and', op('i32.eq', mode, privilege.S), trapped),
    );
    this.c.when(refused, () => this.illegal());
  }
  environmentCall(): void {
    const { c, frame } = this;
    const { hart } = frame;
    c.when(op('i32.eq', cell32(hart, 'mode'), privilege.S), () => {
      frame.publish();
      const served = this.take(call(frame.functions.imports.environmentCall, 'i32', hart), 'i32');
      frame.reloadBudget();
      c.when(served, () => {
        // The call may have sent the hart somewhere else.
        const unmoved = op('i64.eq', cell(hart, 'pc'), this.pc());
        this.goBoundary(select(unmoved, this.nextPc(), cell(hart, 'pc')));
      });
    });
    this.raise(op('i32.add', cause.environmentCallFromU, cell32(hart, 'mode')), 0n);
    c.br(this.labels.leave);
    this.ended = true;
  }
  breakpoint(): void {
    // The pc in xtval would be legal too; QEMU 7.2 writes 0. [RISC-V priv. 3.1.16]
    this.raise(cause.breakpoint, 0n);
    this.c.br(this.labels.leave);
    this.ended = true;
  }
  returnFrom(mode: 'M' | 'S'): void {
    const { frame } = this;
    const { returnFromMachine, returnFromSupervisor } = frame.functions.traps;
    frame.publish();
    const illegal = call(mode === 'M' ? returnFromMachine : returnFromSupervisor, 'i32', frame.hart);
    this.c.when(illegal, () => this.illegal());
    this.goBoundary(cell(frame.hart, 'pc'));
    this.ended = true;
  }
  waitForInterrupt(): void {
    const { c, frame } = this;
    this.refuseToUser(mstatus.TW);
    c.when(op('i32.eqz', call(frame.functions.traps.wakes, 'i32', frame.hart)), () => {
      c.set(frame.exit, exitCode.waiting);
      c.set(frame.pc, this.nextPc());
      c.br(this.labels.exit);
    });
  }
}
