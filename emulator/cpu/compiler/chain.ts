// Goes from region to region without the interpreter, as long as there is a compiled entry at pc and budget for it.
import { CodeWriter, expression, load, op } from '../../wasm/code';
import { entryShift, record, slotRegion, translation } from '../layout';
import { cell32, setCell, type SystemContext } from '../system/context';
import { entryOffset } from '../system/translate';

/** Declares (hart, pc, budget) -> what regions return. A fast fetch entry always leads to a slot of the current mode's page. */
export function declareChain({ module }: SystemContext, region: number): number {
  const f = module.function(['i32', 'i64', 'i32'], ['i32'], 'chain');
  const c = new CodeWriter(f);
  const [hart, pc, budget] = [f.parameter(0), f.parameter(1), f.parameter(2)];
  setCell(c, hart, 'pc', pc);
  const page = c.keep(op('i64.and', pc, -4096n));
  const fetched = c.keep(op('i32.add', cell32(hart, 'fetchTranslations'), entryOffset(pc)));
  c.when(op('i64.ne', load('i64.load', fetched, translation.tag), page), () => c.return(budget));
  const slot = c.keep(load('i32.load', fetched, translation.addend));
  const within = op('i32.shl', op('i32.and', op('i32.wrap_i64', pc), 0xffe), 3);
  const handler = load('i32.load16_u', op('i32.add', slot, within), record.handler);
  const number = c.keep(op('i32.shr_u', handler, entryShift));
  c.when(op('i32.eqz', number), () => c.return(budget));
  const entry = c.keep(load('i32.load', op('i32.add', slot, op('i32.shl', number, 2)), slotRegion.entries));
  c.when(op('i32.lt_s', budget, op('i32.shr_u', entry, slotRegion.needShift)), () => c.return(budget));
  for (const operand of [hart, number, page, budget, op('i32.and', entry, slotRegion.functionMask)]) {
    expression(operand).emit(f);
  }
  f.returnCallIndirect(region);
  return f.index;
}
