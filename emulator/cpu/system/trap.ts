// Traps: exceptions, interrupts, returns from them, and what a change of mstatus or mode entails. [RISC-V priv. 3.1.6 to 3.1.9, 3.3.2]
import {
  call,
  type CodeWriter,
  defineFunction,
  type Expression,
  load,
  op,
  type Operand,
  select,
} from '../../wasm/code';
import type { Local } from '../../wasm/function';
import { control, hartCell, translation } from '../layout';
import { cell, cell32, setCell, setCell32, type SystemContext } from './context';
import { cause, mstatus, outcome, privilege } from './status';

export interface TrapFunctions {
  /** (hart): mstatus or mode changed; chooses translation tables and keeps SD right. */
  readonly statusChanged: number;
  /** (hart, cause, tval) -> `outcome.trapped` or `outcome.lost`; the hart's pc is the trapping instruction's and becomes the handler's. */
  readonly raise: number;
  /** (hart) -> 1 where an interrupt was taken. */
  readonly takeInterrupt: number;
  /** (hart) -> 1 where an interrupt is pending and enabled in mie, whatever mstatus says: what ends `wfi`. */
  readonly wakes: number;
  /** (hart) -> 1 where the mode may not execute it; else the hart is back where the trap came from. */
  readonly returnFromMachine: number;
  readonly returnFromSupervisor: number;
}

export function declareTraps(context: SystemContext, flush: number): TrapFunctions {
  const statusChanged = declareStatusChanged(context, flush);
  const enter = declareEnter(context, statusChanged);
  return {
    statusChanged,
    raise: declareRaise(context, enter),
    takeInterrupt: declareTakeInterrupt(context, enter),
    wakes: declareWakes(context),
    returnFromMachine: declareReturn(context, statusChanged, 'M'),
    returnFromSupervisor: declareReturn(context, statusChanged, 'S'),
  };
}

/** The machine's step of the instruction that executes. */
export function currentStep(): Expression {
  const left = op('i64.extend_i32_u', load('i32.load', 0, control.budget));
  return op('i64.sub', op('i64.sub', load('i64.load', 0, control.budgetEnd), left), 1n);
}

function has(value: Operand, bits: bigint): Expression {
  return op('i64.ne', op('i64.and', value, bits), 0n);
}
function fieldOf(value: Operand, low: bigint, mask: number): Expression {
  return op('i32.and', op('i32.wrap_i64', op('i64.shr_u', value, low)), mask);
}
function without(value: Operand, bits: bigint): Expression {
  return op('i64.and', value, ~bits);
}

function declareStatusChanged({ module }: SystemContext, flush: number): number {
  return defineFunction(
    module,
    ['i32'],
    [],
    (c, hart) => {
      const status = c.keep(cell(hart, 'mstatus'));
      const dirty = op('i64.eq', op('i64.and', status, mstatus.FS), mstatus.FS);
      c.set(status, op('i64.or', without(status, mstatus.SD), select(dirty, mstatus.SD, 0n)));
      setCell(c, hart, 'mstatus', status);
      const mode = c.keep(cell32(hart, 'mode'));
      const borrowed = op('i32.and', op('i32.eq', mode, privilege.M), has(status, mstatus.MPRV));
      const dataMode = c.keep(select(borrowed, fieldOf(status, 11n, 3), mode));
      setCell32(c, hart, 'dataMode', dataMode);
      const supervisorSet = op('i32.add', 1, has(status, mstatus.SUM));
      const set = select(
        op('i32.eq', dataMode, privilege.M),
        0,
        select(op('i32.eq', dataMode, privilege.U), 3, supervisorSet),
      );
      const tables = op('i32.add', hart, hartCell.translations);
      setCell32(c, hart, 'dataTranslations', op('i32.add', tables, op('i32.mul', set, translation.dataSetBytes)));
      const fetchSet = select(op('i32.eq', mode, privilege.M), 0, op('i32.sub', 2, mode));
      setCell32(
        c,
        hart,
        'fetchTranslations',
        op('i32.add', op('i32.add', tables, translation.fetch), op('i32.mul', fetchSet, translation.tableBytes)),
      );
      const mxr = c.keep(fieldOf(status, 19n, 1));
      c.when(op('i32.ne', mxr, cell32(hart, 'mxr')), () => {
        setCell32(c, hart, 'mxr', mxr);
        c.call(flush, hart);
      });
    },
    'statusChanged',
  );
}

/** (hart, cause value, tval, 1 for S-mode): records the trap and goes to its handler. */
function declareEnter({ module, imports }: SystemContext, statusChanged: number): number {
  return defineFunction(module, ['i32', 'i64', 'i64', 'i32'], [], (c, hart, value, tval, toSupervisor) => {
    const status = c.keep(cell(hart, 'mstatus'));
    const mode = c.keep(cell32(hart, 'mode'));
    const vector = c.local('i64');
    c.when(
      toSupervisor,
      () => {
        setCell(c, hart, 'scause', value);
        setCell(c, hart, 'stval', tval);
        setCell(c, hart, 'sepc', cell(hart, 'pc'));
        c.set(vector, cell(hart, 'stvec'));
        // SPIE takes SIE's place four bits up, SPP the mode's lowest bit.
        const enabled = op('i64.shl', op('i64.and', status, mstatus.SIE), 4n);
        const previous = op('i64.shl', op('i64.extend_i32_u', mode), 8n);
        const kept = without(status, mstatus.SIE | mstatus.SPIE | mstatus.SPP);
        setCell(c, hart, 'mstatus', op('i64.or', op('i64.or', kept, enabled), previous));
        setCell32(c, hart, 'mode', privilege.S);
      },
      () => {
        setCell(c, hart, 'mcause', value);
        setCell(c, hart, 'mtval', tval);
        setCell(c, hart, 'mepc', cell(hart, 'pc'));
        c.set(vector, cell(hart, 'mtvec'));
        const enabled = op('i64.shl', op('i64.and', status, mstatus.MIE), 4n);
        const previous = op('i64.shl', op('i64.extend_i32_u', mode), 11n);
        const kept = without(status, mstatus.MIE | mstatus.MPIE | mstatus.MPP);
        setCell(c, hart, 'mstatus', op('i64.or', op('i64.or', kept, enabled), previous));
        setCell32(c, hart, 'mode', privilege.M);
      },
    );
    const base = without(vector, 3n);
    const interrupt = op('i64.lt_s', value, 0n);
    const vectored = op('i32.and', interrupt, op('i32.wrap_i64', op('i64.and', vector, 1n)));
    const entry = op('i64.add', base, op('i64.shl', op('i64.and', value, 0x3fn), 2n));
    setCell(c, hart, 'pc', select(vectored, entry, base));
    c.store('i32.store', 0, 0, control.reservation);
    c.call(statusChanged, hart);
    c.when(load('i32.load', 0, control.reportTraps), () =>
      c.call(imports.trapTaken, hart, op('i32.wrap_i64', value), interrupt, mode),
    );
  });
}

function declareRaise({ module }: SystemContext, enter: number): number {
  return defineFunction(module, ['i32', 'i32', 'i64'], ['i32'], (c, hart, code, tval) => {
    const mode = c.keep(cell32(hart, 'mode'));
    const delegated = op('i64.and', op('i64.shr_u', cell(hart, 'medeleg'), op('i64.extend_i32_u', code)), 1n);
    const toSupervisor = c.keep(op('i32.and', op('i32.wrap_i64', delegated), op('i32.ne', mode, privilege.M)));
    const step = c.keep(currentStep());
    const target = select(toSupervisor, privilege.S, privilege.M);
    const handler = without(select(toSupervisor, cell(hart, 'stvec'), cell(hart, 'mtvec')), 3n);
    // The handler of a trap one step ago traps at its first instruction into itself: this can only go on for ever.
    const unfetchable = op(
      'i32.or',
      op('i32.eq', code, cause.illegalInstruction),
      op('i32.or', op('i32.eq', code, cause.instructionAccessFault), op('i32.eq', code, cause.instructionPageFault)),
    );
    const repeated = op(
      'i32.and',
      op('i64.eq', op('i64.add', cell(hart, 'trapStep'), 1n), step),
      op('i32.and', op('i32.eq', target, mode), op('i64.eq', handler, cell(hart, 'pc'))),
    );
    c.when(op('i32.and', unfetchable, repeated), () =>
      c.when(op('i32.eqz', cell32(hart, 'lostReported')), () => {
        setCell32(c, hart, 'lostReported', 1);
        c.return(outcome.lost);
      }),
    );
    setCell(c, hart, 'trapStep', step);
    setCell(c, hart, 'trapped', op('i64.add', cell(hart, 'trapped'), 1n));
    c.call(enter, hart, op('i64.extend_i32_u', code), tval, toSupervisor);
    c.result(outcome.trapped);
  });
}

/** Pending and enabled interrupts; the external supervisor interrupt is pending by wire or by software. [RISC-V priv. 3.1.9] */
function pendingInterrupts(hart: Local): Expression {
  const pending = op('i64.or', cell(hart, 'mip'), cell(hart, 'externalSupervisorInterrupt'));
  return op('i64.and', pending, cell(hart, 'mie'));
}

function declareWakes({ module }: SystemContext): number {
  return defineFunction(
    module,
    ['i32'],
    ['i32'],
    (c, hart) => c.result(op('i64.ne', pendingInterrupts(hart), 0n)),
    'wakes',
  );
}

/** Within one mode's interrupts: external, software, timer, those of M before those of S. [RISC-V priv. 3.1.9] */
const interruptPriority = [11, 3, 7, 9, 1, 5] as const;

function declareTakeInterrupt({ module, imports }: SystemContext, enter: number): number {
  return defineFunction(module, ['i32'], ['i32'], (c, hart) => {
    const pending = c.keep(pendingInterrupts(hart));
    c.when(op('i64.eqz', pending), () => c.return(0));
    const status = c.keep(cell(hart, 'mstatus'));
    const mode = c.keep(cell32(hart, 'mode'));
    const delegated = c.keep(cell(hart, 'mideleg'));
    const open = (below: number, enable: bigint): Expression =>
      op('i32.or', op('i32.lt_u', mode, below), op('i32.and', op('i32.eq', mode, below), has(status, enable)));
    const supervisor = c.keep(0);
    const chosen = c.keep(
      select(open(privilege.M, mstatus.MIE), op('i64.and', pending, op('i64.xor', delegated, -1n)), 0n),
    );
    c.when(op('i64.eqz', chosen), () => {
      c.set(chosen, select(open(privilege.S, mstatus.SIE), op('i64.and', pending, delegated), 0n));
      c.set(supervisor, 1);
    });
    c.when(op('i64.eqz', chosen), () => c.return(0));
    c.when(op('i64.ne', cell(hart, 'prioritised'), 0n), () => {
      const preferred = call(imports.preferredInterrupt, 'i64', hart, chosen, supervisor);
      c.call(enter, hart, op('i64.or', preferred, 1n << 63n), 0n, supervisor);
      c.return(1);
    });
    for (const code of interruptPriority) {
      c.when(has(chosen, 1n << BigInt(code)), () => {
        c.call(enter, hart, (1n << 63n) | BigInt(code), 0n, supervisor);
        c.return(1);
      });
    }
    c.result(0);
  });
}

function declareReturn({ module }: SystemContext, statusChanged: number, from: 'M' | 'S'): number {
  return defineFunction(module, ['i32'], ['i32'], (c, hart) => {
    const status = c.keep(cell(hart, 'mstatus'));
    const mode = c.keep(cell32(hart, 'mode'));
    const previous = c.local('i32');
    if (from === 'M') {
      c.when(op('i32.ne', mode, privilege.M), () => c.return(1));
      c.set(previous, fieldOf(status, 11n, 3));
      returnStatus(c, status, mstatus.MIE, mstatus.MPIE, mstatus.MPP);
      setCell(c, hart, 'pc', cell(hart, 'mepc'));
    } else {
      const trapped = op('i32.and', op('i32.eq', mode, privilege.S), has(status, mstatus.TSR));
      c.when(op('i32.or', op('i32.eqz', mode), trapped), () => c.return(1));
      c.set(previous, fieldOf(status, 8n, 1));
      returnStatus(c, status, mstatus.SIE, mstatus.SPIE, mstatus.SPP);
      setCell(c, hart, 'pc', cell(hart, 'sepc'));
    }
    const lower = op('i32.ne', previous, privilege.M);
    c.set(status, select(lower, without(status, mstatus.MPRV), status));
    setCell(c, hart, 'mstatus', status);
    setCell32(c, hart, 'mode', previous);
    c.call(statusChanged, hart);
    c.result(0);
  });
}

/** xIE takes xPIE's value, xPIE becomes 1, xPP the least mode. [RISC-V priv. 3.1.6.1] */
function returnStatus(c: CodeWriter, status: Local, enable: bigint, previous: bigint, mode: bigint): void {
  const enabled = op('i64.shr_u', op('i64.and', status, previous), 4n);
  c.set(status, op('i64.or', op('i64.or', without(status, enable | mode), previous), enabled));
}
