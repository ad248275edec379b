// CSR accesses that generated code serves by itself, from descriptors in linear memory; all others go to the CSR table.
import { call, defineFunction, load, op, select } from '../../wasm/code';
import { csrDescriptor, csrEffect, csrIndex } from '../layout';
import { cell32, setCell, type SystemContext } from './context';
import { mstatus } from './status';

export const csrChange = { write: 0, set: 1, clear: 2 } as const;
export const csrFlag = { reads: 4, writes: 8 } as const;
/** How a CSR access ends. After `changed` interrupts may be due and translation may differ. */
export const csrOutcome = { done: 0, illegal: 1, changed: 2 } as const;

/** Declares (hart, number, change + flags, operand) -> `csrOutcome`; the value read is left in `scratch`. [RISC-V unpriv. 6.1] */
export function declareCsrAccess({ module, imports }: SystemContext, statusChanged: number): number {
  return defineFunction(module, ['i32', 'i32', 'i32', 'i64'], ['i32'], (c, hart, number, change, operand) => {
    const index = c.keep(load('i32.load8_u', number, csrIndex));
    c.when(op('i32.eqz', index), () => {
      setCell(c, hart, 'scratch', operand);
      c.return(call(imports.csr, 'i32', hart, number, change));
    });
    const neededMode = op('i32.and', op('i32.shr_u', number, 8), 3);
    c.when(op('i32.lt_u', cell32(hart, 'mode'), neededMode), () => c.return(csrOutcome.illegal));
    const at = c.keep(op('i32.add', csrDescriptor.base, op('i32.mul', index, csrDescriptor.strideBytes)));
    const cellAddress = c.keep(op('i32.add', hart, load('i32.load', at, csrDescriptor.cell)));
    const maskCell = c.keep(load('i32.load', at, csrDescriptor.maskCell));
    const mask = c.keep(-1n);
    c.when(maskCell, () => c.set(mask, load('i64.load', op('i32.add', hart, maskCell))));
    const stored = c.keep(load('i64.load', cellAddress));
    const old = c.keep(op('i64.and', op('i64.and', stored, load('i64.load', at, csrDescriptor.readMask)), mask));
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
    const next = c.keep(op('i64.or', kept, op('i64.and', combined, writable)));
    const effect = c.keep(load('i32.load', at, csrDescriptor.effect));
    c.when(op('i32.eq', effect, csrEffect.status), () => {
      // MPP cannot hold the mode that does not exist: it stays as it was.
      c.when(op('i64.eq', op('i64.and', next, mstatus.MPP), 2n << 11n), () =>
        c.set(next, op('i64.or', op('i64.and', next, ~mstatus.MPP), op('i64.and', stored, mstatus.MPP))),
      );
    });
    c.store('i64.store', cellAddress, next);
    c.when(op('i32.eq', effect, csrEffect.status), () => c.call(statusChanged, hart));
    c.result(select(effect, csrOutcome.changed, csrOutcome.done));
  });
}
