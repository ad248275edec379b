// Physical memory protection: may an access of a mode touch these bytes? [RISC-V priv. 3.7]
import { defineFunction, type Expression, load, op, select } from '../../wasm/code';
import type { Local } from '../../wasm/function';
import { hartCell, pmpCache, pmpRegion } from '../layout';
import { cell32, type SystemContext } from './context';
import { privilege } from './status';

/** Permission bits of a region as in pmpcfg, and the lock bit. */
export const pmpPermission = { read: 1, write: 2, execute: 4, locked: 0x80 } as const;

export const protection = { denied: 0, allowed: 1, allowedPage: 3 } as const;

/**
 * Declares (hart, physicalAddress, bytes, mode, permission) -> denied, allowed, or allowed for the whole page, which holds when no
 * region ends inside the page before the decision. The lowest-numbered matching region decides; an access must lie wholly inside it.
 */
export function declareProtection({ module }: SystemContext): number {
  const parameters = ['i32', 'i64', 'i64', 'i32', 'i32'] as const;
  return defineFunction(module, parameters, ['i32'], (c, hart, address, bytes, mode, permission) => {
    const pageFirst = c.keep(op('i64.and', address, -4096n));
    const cached = c.keep(cacheEntry(hart, address));
    const lower = op('i32.ne', mode, privilege.M);
    const known = op('i64.eq', load('i64.load', cached, pmpCache.page), pageFirst);
    const granted = op('i32.and', load('i32.load', cached, pmpCache.permissions), permission);
    c.when(op('i32.and', lower, known), () => c.return(select(granted, protection.allowedPage, protection.denied)));
    const last = c.keep(op('i64.sub', op('i64.add', address, bytes), 1n));
    const pageLast = c.keep(op('i64.or', address, 4095n));
    const region = c.keep(op('i32.add', hart, hartCell.pmpRegions));
    const end = c.keep(op('i32.add', region, op('i32.mul', cell32(hart, 'pmpCount'), pmpRegion.strideBytes)));
    const uniform = c.keep(protection.allowedPage);
    const first = c.local('i64');
    const regionLast = c.local('i64');
    const permissions = c.keep(0);
    const overlaps = (from: Local, to: Local) =>
      op('i32.and', op('i64.le_u', from, regionLast), op('i64.ge_u', to, first));
    const exceeds = (from: Local, to: Local) =>
      op('i32.or', op('i64.lt_u', from, first), op('i64.gt_u', to, regionLast));

    c.block((decided) => {
      c.loop((again) => {
        c.brIf(decided, op('i32.ge_u', region, end));
        c.set(first, load('i64.load', region, pmpRegion.first));
        c.set(regionLast, load('i64.load', region, pmpRegion.last));
        c.when(overlaps(pageFirst, pageLast), () => {
          c.when(exceeds(pageFirst, pageLast), () => c.set(uniform, protection.allowed));
          c.when(overlaps(address, last), () => {
            c.when(exceeds(address, last), () => c.return(protection.denied));
            c.set(permissions, load('i32.load', region, pmpRegion.permissions));
            c.br(decided);
          });
        });
        c.set(region, op('i32.add', region, pmpRegion.strideBytes));
        c.br(again);
      });
    });
    c.when(
      lower,
      () =>
        c.when(op('i32.eq', uniform, protection.allowedPage), () => {
          c.store('i64.store', cached, pageFirst, pmpCache.page);
          c.store('i32.store', cached, permissions, pmpCache.permissions);
        }),
      // Machine mode passes unless a region matches that is locked.
      () => c.when(op('i32.eqz', op('i32.and', permissions, pmpPermission.locked)), () => c.return(uniform)),
    );
    c.result(select(op('i32.and', permissions, permission), uniform, protection.denied));
  });
}

function cacheEntry(hart: Local, address: Local): Expression {
  const place = op('i32.and', op('i32.wrap_i64', op('i64.shr_u', address, 12n)), pmpCache.entries - 1);
  return op('i32.add', op('i32.add', hart, hartCell.pmpCache), op('i32.mul', place, pmpCache.entryBytes));
}
