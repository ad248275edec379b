// Instructions on cache blocks. There is no cache to manage, so that only permissions and zeros are left of them.
// [RISC-V unpriv. 19.3 and 19.4]
import { call, defineFunction, op } from '../../wasm/code';
import { pageFlag } from '../contract';
import { cacheBlockBytes } from '../extensions';
import type { CacheBlockOperation } from '../instructions/meaning';
import { announce, type Parts, raiseAndReturn, watchedKind } from './access';
import { cell32, isInRam, pageFlags, ramOffset } from './context';
import { accessKind, cause, environmentConfiguration, outcome } from './status';
import { noAddress } from './translate';

/** Bits of menvcfg and senvcfg of which one must be set for an operation below M-mode. */
export const blockEnable: Readonly<Record<CacheBlockOperation, bigint>> = {
  clean: environmentConfiguration.CBCFE,
  flush: environmentConfiguration.CBCFE,
  invalidate: environmentConfiguration.CBIE,
  zero: environmentConfiguration.CBZE,
};

/** A fault is that of a store and names the address of the instruction, not that of the block. */
export function declareZeroBlock(parts: Parts): number {
  const { module, layout, imports } = parts.context;
  return defineFunction(module, ['i32', 'i64'], ['i32'], (c, hart, address) => {
    const block = c.keep(op('i64.and', address, BigInt(-cacheBlockBytes)));
    const physical = c.keep(call(parts.translate, 'i64', hart, block, accessKind.store, cacheBlockBytes));
    c.when(op('i64.eq', physical, noAddress), () =>
      raiseAndReturn(c, parts, hart, cell32(hart, 'faultCause'), address),
    );
    const wide = ramOffset(layout, physical);
    c.when(op('i32.eqz', isInRam(layout, wide)), () => raiseAndReturn(c, parts, hart, cause.storeAccessFault, address));
    const first = c.keep(op('i32.wrap_i64', wide));
    const watched = c.keep(op('i32.and', pageFlags(layout, first), pageFlag.watchStore));
    const words = Array.from({ length: cacheBlockBytes / 8 }, (_, index) => index * 8);
    c.when(watched, () => {
      for (const distance of words) {
        const at = op('i64.add', block, BigInt(distance));
        announce(c, parts, hart, at, op('i32.add', first, distance), 8, watchedKind.store, 0, 0n);
      }
    });
    for (const distance of words) c.call(parts.ramStore, op('i32.add', first, distance), 8, 0n);
    c.when(watched, () => c.call(imports.watchedAfter, hart));
    c.result(outcome.done);
  });
}

/** What a load or a store may access may be managed; else it is the store that faults. */
export function declareManageBlock(parts: Parts): number {
  const { module } = parts.context;
  return defineFunction(module, ['i32', 'i64'], ['i32'], (c, hart, address) => {
    const block = c.keep(op('i64.and', address, BigInt(-cacheBlockBytes)));
    const reached = (kind: number) =>
      op('i64.ne', call(parts.translate, 'i64', hart, block, kind, cacheBlockBytes), noAddress);
    c.when(reached(accessKind.load), () => c.return(outcome.done));
    c.when(reached(accessKind.store), () => c.return(outcome.done));
    raiseAndReturn(c, parts, hart, cell32(hart, 'faultCause'), address);
    c.result(outcome.done);
  });
}
