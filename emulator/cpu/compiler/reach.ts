// What compiled code calls when its inline translation probe misses. It serves every access to RAM that nothing but the hart notices;
// all others go to the interpreter, which does them with all their consequences.
import { call, type CodeWriter, defineFunction, load, op, type Operand, select } from '../../wasm/code';
import type { Local } from '../../wasm/function';
import { pageFlag } from '../contract';
import { control, pageBytes, record } from '../layout';
import { eachRecord } from '../system/access';
import { isInRam, pageFlags, ramOffset, type SystemContext } from '../system/context';
import { accessKind } from '../system/status';
import { noAddress } from '../system/translate';

/**
 * What an access is. Atomics ask like stores, and also leave pages watched for loads alone; a conditional store is left to the
 * interpreter where it will fail.
 */
export const reachKind = { load: 0, store: 1, atomic: 2, conditional: 3 } as const;

/**
 * Declares (hart, virtualAddress, bytes, kind) -> address in linear memory, or 0 where the interpreter must do it. A page that is
 * stored to is marked dirty here, so the store must follow.
 */
export function declareReach(context: SystemContext, translate: number, enableFast: number): number {
  const { module, layout } = context;
  return defineFunction(
    module,
    ['i32', 'i64', 'i32', 'i32'],
    ['i32'],
    (c, hart, address, bytes, kind) => {
      const low = op('i32.wrap_i64', address);
      const within = c.keep(op('i32.and', low, pageBytes - 1));
      c.when(op('i32.gt_u', op('i32.add', within, bytes), pageBytes), () => c.return(0));
      const misaligned = op('i32.and', low, op('i32.sub', bytes, 1));
      c.when(op('i32.and', op('i32.eq', kind, reachKind.atomic), op('i32.ne', misaligned, 0)), () => c.return(0));
      const dropped = c.keep(load('i32.load', 0, control.dropped));
      const access = c.keep(select(kind, accessKind.store, accessKind.load));
      const physical = c.keep(call(translate, 'i64', hart, address, access, bytes));
      const inRam = isInRam(layout, ramOffset(layout, physical));
      c.when(op('i32.or', op('i64.eq', physical, noAddress), op('i32.eqz', inRam)), () => c.return(0));
      // Setting an accessed or dirty bit may have changed the code that runs.
      c.when(op('i32.ne', load('i32.load', 0, control.dropped), dropped), () => c.return(0));
      const offset = c.keep(op('i32.wrap_i64', ramOffset(layout, physical)));
      const flags = c.keep(pageFlags(layout, offset));
      const { watchLoad, watchStore, code, dirty } = pageFlag;
      const asStore = select(op('i32.eq', kind, reachKind.atomic), watchLoad | watchStore, watchStore);
      c.when(op('i32.and', flags, select(kind, asStore, watchLoad)), () => c.return(0));
      const reserved = op('i32.and', op('i32.add', offset, layout.ram), -64);
      const fails = op('i32.ne', load('i32.load', 0, control.reservation), reserved);
      c.when(op('i32.and', op('i32.eq', kind, reachKind.conditional), fails), () => c.return(0));
      c.when(kind, () => {
        c.when(op('i32.and', flags, code), () => {
          const page = op('i32.shl', op('i32.shr_u', offset, 12), 2);
          const slot = c.keep(load('i32.load', page, layout.slotOfPage));
          c.when(slot, () =>
            eachRecord(c, slot, within, bytes, (at) =>
              c.when(load('i32.load16_u', at, record.handler), () => c.return(0)),
            ),
          );
        });
        c.store('i32.store8', op('i32.shr_u', offset, 12), op('i32.or', flags, dirty), layout.pageFlags);
      });
      c.call(enableFast, hart, address, offset, access);
      c.result(op('i32.add', offset, layout.ram));
    },
    'reach',
  );
}

/**
 * Declares (hart, pc) -> the second halfword of the instruction at pc, which lies across two pages, or -1 where the interpreter must
 * fetch it. It translates both halves as the interpreter does, so that equal translations are remembered.
 */
export function declareSecondHalf({ module, layout }: SystemContext, translate: number): number {
  const fetched = (c: CodeWriter, hart: Local, address: Operand): Local => {
    const dropped = c.keep(load('i32.load', 0, control.dropped));
    const physical = c.keep(call(translate, 'i64', hart, address, accessKind.fetch, 2));
    const inRam = isInRam(layout, ramOffset(layout, physical));
    c.when(op('i32.or', op('i64.eq', physical, noAddress), op('i32.eqz', inRam)), () => c.return(-1));
    c.when(op('i32.ne', load('i32.load', 0, control.dropped), dropped), () => c.return(-1));
    return physical;
  };
  return defineFunction(
    module,
    ['i32', 'i64'],
    ['i32'],
    (c, hart, pc) => {
      fetched(c, hart, pc);
      const second = fetched(c, hart, op('i64.add', pc, 2n));
      c.result(load('i32.load16_u', op('i32.wrap_i64', ramOffset(layout, second)), layout.ram));
    },
    'secondHalf',
  );
}
