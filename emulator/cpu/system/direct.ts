// CSR accesses that generated code serves by itself, from descriptors in linear memory; all others go to the CSR table.
import { call, defineFunction, load, op, select } from '../../wasm/code';
import { csrDescriptor, csrEffect, csrIndex } from '../layout';
import { cell, cell32, setCell, type SystemContext } from './context';
import { mstatus, privilege, satpMode } from './status';

export const csrChange = { write: 0, set: 1, clear: 2 } as const;
export const csrFlag = { reads: 4, writes: 8 } as const;
/** The bit of mcounteren and scounteren for `time`. [RISC-V priv. 3.1.11] */
export const timeEnable = 2n;
/** How a CSR access ends. After `changed` interrupts may be due and translation may differ. */
export const csrOutcome = { done: 0, illegal: 1, changed: 2 } as const;

/** Declares (hart, number, change + flags, operand) -> `csrOutcome`; the value read is left in `scratch`. [RISC-V unpriv. 6.1] */
export function declareCsrAccess(context: SystemContext, statusChanged: number, flush: number): number {
  const { module, imports } = context;
  const forbidden = declareForbidden(context);
  const legalised = declareLegalised(context);
  return defineFunction(module, ['i32', 'i32', 'i32', 'i64'], ['i32'], (c, hart, number, change, operand) => {
    const index = c.keep(load('i32.load8_u', number, csrIndex));
    c.when(op('i32.eqz', index), () => {
      setCell(c, hart, 'scratch', operand);
      c.return(call(imports.csr, 'i32', hart, number, change));
    });
    const at = c.keep(op('i32.add', csrDescriptor.base, op('i32.mul', index, csrDescriptor.strideBytes)));
    const effect = c.keep(load('i32.load', at, csrDescriptor.effect));
    c.when(call(forbidden, 'i32', hart, number, change, effect), () => c.return(csrOutcome.illegal));
    c.when(op('i32.eq', effect, csrEffect.time), () => {
      setCell(c, hart, 'scratch', call(imports.time, 'i64'));
      c.return(csrOutcome.done);
    });
    const cellAddress = c.keep(op('i32.add', hart, load('i32.load', at, csrDescriptor.cell)));
    const maskCell = c.keep(load('i32.load', at, csrDescriptor.maskCell));
    const mask = c.keep(-1n);
    c.when(maskCell, () => c.set(mask, load('i64.load', op('i32.add', hart, maskCell))));
    const shift = c.keep(load('i64.load32_u', at, csrDescriptor.shift));
    const stored = c.keep(load('i64.load', cellAddress));
    const shown = op('i64.and', op('i64.and', stored, load('i64.load', at, csrDescriptor.readMask)), mask);
    const old = c.keep(op('i64.shr_u', shown, shift));
    setCell(c, hart, 'scratch', old);
    c.when(op('i32.eqz', op('i32.and', change, csrFlag.writes)), () => c.return(csrOutcome.done));

    const kind = op('i32.and', change, 3);
    const cleared = op('i64.and', old, op('i64.xor', operand, -1n));
    const combined = select(
      op('i32.eq', kind, csrChange.set),
      op('i64.or', old, operand),
      select(op('i32.eq', kind, csrChange.clear), cleared, operand),
    );
    const writable = c.keep(op('i64.and', load('i64.load', at, csrDescriptor.writeMask), mask));
    const kept = op('i64.and', stored, op('i64.xor', writable, -1n));
    const next = c.keep(op('i64.or', kept, op('i64.and', op('i64.shl', combined, shift), writable)));
    c.when(effect, () => c.set(next, call(legalised, 'i64', effect, stored, next)));
    c.store('i64.store', cellAddress, next);
    c.when(op('i32.eq', effect, csrEffect.float), () => {
      setCell(c, hart, 'mstatus', op('i64.or', cell(hart, 'mstatus'), mstatus.FS | mstatus.SD));
      c.return(csrOutcome.done);
    });
    c.when(op('i32.eq', effect, csrEffect.status), () => c.call(statusChanged, hart));
    // Translations carry no address-space number.
    c.when(op('i32.and', op('i32.eq', effect, csrEffect.translation), op('i64.ne', next, stored)), () =>
      c.call(flush, hart),
    );
    c.result(select(effect, csrOutcome.changed, csrOutcome.done));
  });
}

/** (hart, number, change + flags, effect) -> 1 where the access is illegal now. */
function declareForbidden({ module }: SystemContext): number {
  return defineFunction(module, ['i32', 'i32', 'i32', 'i32'], ['i32'], (c, hart, number, change, effect) => {
    const mode = c.keep(cell32(hart, 'mode'));
    const neededMode = op('i32.and', op('i32.shr_u', number, 8), 3);
    c.when(op('i32.lt_u', mode, neededMode), () => c.return(1));
    const readOnly = op('i32.eq', op('i32.shr_u', number, 10), 3);
    c.when(op('i32.and', readOnly, op('i32.ne', op('i32.and', change, csrFlag.writes), 0)), () => c.return(1));
    const lacks = (name: 'mstatus' | 'mcounteren' | 'scounteren', bits: bigint) =>
      op('i64.eqz', op('i64.and', cell(hart, name), bits));
    c.when(op('i32.eq', effect, csrEffect.float), () => c.return(lacks('mstatus', mstatus.FS)));
    c.when(op('i32.eq', effect, csrEffect.translation), () =>
      c.return(op('i32.and', op('i32.eq', mode, privilege.S), op('i32.eqz', lacks('mstatus', mstatus.TVM)))),
    );
    c.when(op('i32.eq', effect, csrEffect.time), () => {
      const forUser = op('i32.and', op('i32.eqz', mode), lacks('scounteren', timeEnable));
      const belowMachine = op('i32.ne', mode, privilege.M);
      c.return(op('i32.or', op('i32.and', belowMachine, lacks('mcounteren', timeEnable)), forUser));
    });
    c.result(0);
  });
}

/** (effect, stored, wanted) -> what a cell holds after a write: a field that cannot take the value stays as it was. */
function declareLegalised({ module }: SystemContext): number {
  return defineFunction(module, ['i32', 'i64', 'i64'], ['i64'], (c, effect, stored, wanted) => {
    c.when(op('i32.eq', effect, csrEffect.status), () => {
      // There is no mode 2 for MPP.
      const noMode = op('i64.eq', op('i64.and', wanted, mstatus.MPP), 2n << 11n);
      const kept = op('i64.or', op('i64.and', wanted, ~mstatus.MPP), op('i64.and', stored, mstatus.MPP));
      c.return(select(noMode, kept, wanted));
    });
    c.when(op('i32.eq', effect, csrEffect.translation), () => {
      const mode = op('i64.shr_u', wanted, 60n);
      const paged = op('i64.le_u', op('i64.sub', mode, satpMode.sv39), satpMode.sv57 - satpMode.sv39);
      c.return(select(op('i32.or', op('i64.eqz', mode), paged), wanted, stored));
    });
    c.result(wanted);
  });
}
