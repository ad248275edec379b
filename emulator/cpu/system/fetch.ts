// Instruction fetch: from an address to a decoded record, in a page's slot or loose. [RISC-V unpriv. 1.5]
import { call, type CodeWriter, defineFunction, load, op } from '../../wasm/code';
import type { Local } from '../../wasm/function';
import { looseRecords, record, translation } from '../layout';
import { cell32, isInRam, ramOffset, type SystemContext } from './context';
import { accessKind, cause } from './status';
import { entryOffset, noAddress } from './translate';

export interface FetchFunctions {
  /** (hart, pc) -> slot address; 0 where the page has no slot; minus the outcome where the fetch trapped. */
  readonly page: number;
  /** (hart, pc) -> address of a loose record; minus the outcome where the fetch trapped. */
  readonly loose: number;
}

export function declareFetch(context: SystemContext, translate: number, raise: number): FetchFunctions {
  return {
    page: declareFetchPage(context, translate, raise),
    loose: declareFetchLoose(context, declareFetchHalfword(context, translate, raise)),
  };
}

function translateFetch(c: CodeWriter, translate: number, raise: number, hart: Local, address: Local): Local {
  const physical = c.keep(call(translate, 'i64', hart, address, accessKind.fetch, 2));
  c.when(op('i64.eq', physical, noAddress), () =>
    c.return(op('i32.sub', 0, call(raise, 'i32', hart, cell32(hart, 'faultCause'), address))),
  );
  return physical;
}

function declareFetchPage({ module, layout, imports }: SystemContext, translate: number, raise: number): number {
  return defineFunction(module, ['i32', 'i64'], ['i32'], (c, hart, pc) => {
    const physical = translateFetch(c, translate, raise, hart, pc);
    c.when(op('i32.eqz', isInRam(layout, ramOffset(layout, physical))), () => c.return(0));
    // Without an exact entry, memory protection changes inside the page: each instruction is checked by itself.
    const entry = c.keep(op('i32.add', cell32(hart, 'fetchTranslations'), entryOffset(pc)));
    const tag = c.keep(op('i64.and', pc, -4096n));
    c.when(op('i64.ne', load('i64.load', entry, translation.exact + translation.tag), tag), () => c.return(0));
    const page = c.keep(op('i32.shr_u', op('i32.wrap_i64', ramOffset(layout, physical)), 12));
    const slot = c.keep(load('i32.load', op('i32.shl', page, 2), layout.slotOfPage));
    c.when(op('i32.eqz', slot), () => c.set(slot, call(imports.allocateSlot, 'i32', page)));
    c.store('i64.store', entry, tag, translation.tag);
    c.store('i32.store', entry, slot, translation.addend);
    c.result(slot);
  });
}

/** (hart, virtualAddress) -> halfword, or minus the outcome. */
function declareFetchHalfword({ module, layout, imports }: SystemContext, translate: number, raise: number): number {
  return defineFunction(module, ['i32', 'i64'], ['i32'], (c, hart, address) => {
    const physical = translateFetch(c, translate, raise, hart, address);
    const offset = c.keep(ramOffset(layout, physical));
    c.when(isInRam(layout, offset), () => c.return(load('i32.load16_u', op('i32.wrap_i64', offset), layout.ram)));
    const halfword = c.keep(-1);
    c.when(op('i64.eqz', op('i64.shr_u', physical, 52n)), () =>
      c.set(halfword, call(imports.fetchOutside, 'i32', op('f64.convert_i64_u', physical))),
    );
    c.when(op('i32.lt_s', halfword, 0), () =>
      c.return(op('i32.sub', 0, call(raise, 'i32', hart, cause.instructionAccessFault, address))),
    );
    c.result(halfword);
  });
}

function declareFetchLoose({ module, imports }: SystemContext, fetchHalfword: number): number {
  return defineFunction(module, ['i32', 'i64'], ['i32'], (c, hart, pc) => {
    const word = c.keep(call(fetchHalfword, 'i32', hart, pc));
    c.when(op('i32.lt_s', word, 0), () => c.return(word));
    c.when(op('i32.eq', op('i32.and', word, 3), 3), () => {
      const high = c.keep(call(fetchHalfword, 'i32', hart, op('i64.add', pc, 2n)));
      c.when(op('i32.lt_s', high, 0), () => c.return(high));
      c.set(word, op('i32.or', word, op('i32.shl', high, 16)));
    });
    // A decoded instruction depends on its bits alone, so these records never go stale.
    const hash = op('i32.shr_u', op('i32.mul', word, 0x9e37_79b1 | 0), 32 - Math.log2(looseRecords.count));
    const at = c.keep(op('i32.add', looseRecords.base, op('i32.mul', hash, looseRecords.strideBytes)));
    const known = op(
      'i32.and',
      op('i32.eq', load('i32.load', at, record.bits), word),
      op('i32.ne', load('i32.load16_u', at, record.handler), 0),
    );
    c.when(op('i32.eqz', known), () => c.call(imports.decodeWord, word, at));
    c.result(at);
  });
}

/**
 * A loose record stands for an instruction at any address, so its place says nothing about pc. The interpreter pretends a slot far
 * below it and an odd page, which keeps pc right and makes every jump leave.
 */
export const loosePretence = { slotDistance: 0x4000_0008, pageDistance: 0x0800_0001n } as const;
