// FENCE has nothing to order here, because memory is sequentially consistent; it records what it would have ordered, for rules
// about ordering. [RISC-V unpriv. 2.7]
import { type CodeWriter, defineFunction, type Expression, op, type Operand } from '../../wasm/code';
import { hartCell } from '../layout';
import type { SystemContext } from './context';
import { currentStep } from './trap';

/** Predecessor and successor sets as the instruction holds them: bit 3 input, 2 output, 1 read, 0 write. */
const read = 2;
const write = 1;
const totalStoreOrder = { fm: 8, pred: read | write, succ: read | write } as const;

/** Declares (hart, fm, pred, succ): stores the step in the cell of each ordered pair of classes. */
export function declareFence({ module }: SystemContext): number {
  const order = declareOrder({ module });
  return defineFunction(module, ['i32', 'i32', 'i32', 'i32'], [], (c, hart, fm, pred, succ) => {
    const isTotal = op(
      'i32.and',
      op('i32.eq', fm, totalStoreOrder.fm),
      op('i32.and', op('i32.eq', pred, totalStoreOrder.pred), op('i32.eq', succ, totalStoreOrder.succ)),
    );
    c.when(
      isTotal,
      () => {
        c.call(order, hart, read, read | write);
        c.call(order, hart, write, write);
      },
      () => c.call(order, hart, pred, succ),
    );
  });
}

function declareOrder({ module }: Pick<SystemContext, 'module'>): number {
  return defineFunction(module, ['i32', 'i32', 'i32'], [], (c, hart, pred, succ) => {
    const step = c.keep(currentStep());
    for (let p = 0; p < 4; p++) {
      c.when(bit(pred, p), () => {
        for (let s = 0; s < 4; s++) c.when(bit(succ, s), () => storeStep(c, hart, p * 4 + s, step));
      });
    }
  });
}

/** Class 0 (input) is the highest bit of a set. */
function bit(set: Operand, orderClass: number): Expression {
  return op('i32.and', set, 8 >> orderClass);
}
function storeStep(c: CodeWriter, hart: Operand, position: number, step: Operand): void {
  c.store('i64.store', hart, step, hartCell.fenceSteps + position * 8);
}
