// Address translation: exact translation entries, page-table walks for Sv39, Sv48 and Sv57, and the flushes that forget them.
// Accessed and dirty bits are set by the walk, as QEMU does. [RISC-V priv. 10.3 to 10.6, 11 (Svnapot), 12 (Svpbmt)]
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
import { pageFlag } from '../contract';
import { hartCell, translation } from '../layout';
import {
  causeOf,
  cell,
  cell32,
  isInRam,
  pageFlags,
  ramOffset,
  setCell,
  setCell32,
  type SystemContext,
} from './context';
import { pmpPermission, protection } from './protection';
import { accessKind, cause, environmentConfiguration, mstatus, privilege } from './status';

/** What translation yields instead of an address when it fails; the cause is then in the hart's `faultCause`. */
export const noAddress = -1n;

/** Page-table entry bits. [RISC-V priv. 10.3.1, 10.4.1] */
const pte = {
  V: 1n,
  R: 2n,
  W: 4n,
  X: 8n,
  U: 16n,
  A: 64n,
  D: 128n,
  reserved: 0x1fc0_0000_0000_0000n,
  /** The memory type, which changes nothing here: memory is sequentially consistent, and devices are never cached. */
  PBMT: 3n << 61n,
  N: 1n << 63n,
} as const;
/** The one size of a naturally aligned power-of-two range of pages: its exponent, and what the page number ends in. */
const rangeShift = 16n;
const rangePattern = { mask: 15n, value: 8n } as const;

export interface TranslationFunctions {
  /** (hart, virtualAddress, kind, bytes) -> physical address or `noAddress`. */
  readonly translate: number;
  /** (hart): forgets all translations. */
  readonly flush: number;
  /** (hart, virtualAddress): forgets the translations that may map an address. */
  readonly flushAddress: number;
}

export function declareTranslation(
  context: SystemContext,
  protect: number,
  invalidateCode: number,
): TranslationFunctions {
  const walk = declareWalk(context, protect, invalidateCode);
  const flush = declareFlush(context);
  return {
    translate: declareTranslate(context, protect, walk),
    flush,
    flushAddress: declareFlushAddress(context, flush),
  };
}

/** Offset of the entry of a virtual address in a table. */
export function entryOffset(virtualAddress: Operand): Expression {
  return op('i32.and', op('i32.shr_u', op('i32.wrap_i64', virtualAddress), 8), (translation.entries - 1) * 16);
}

/** The table that serves an access of a kind now. */
export function tableFor(hart: Operand, kind: Operand): Expression {
  return select(
    op('i32.eq', kind, accessKind.fetch),
    cell32(hart, 'fetchTranslations'),
    op('i32.add', cell32(hart, 'dataTranslations'), op('i32.mul', kind, translation.store)),
  );
}

function pageOf(address: Operand): Expression {
  return op('i64.and', address, -4096n);
}

function declareTranslate({ module }: SystemContext, protect: number, walk: number): number {
  return defineFunction(module, ['i32', 'i64', 'i32', 'i32'], ['i64'], (c, hart, address, kind, bytes) => {
    const table = c.keep(tableFor(hart, kind));
    const entry = c.keep(op('i32.add', op('i32.add', table, translation.exact), entryOffset(address)));
    const physical = c.local('i64');
    c.when(op('i64.eq', load('i64.load', entry, translation.tag), pageOf(address)), () =>
      c.return(op('i64.or', load('i64.load', entry, translation.addend), op('i64.and', address, 4095n))),
    );
    const mode = c.keep(select(op('i32.eq', kind, accessKind.fetch), cell32(hart, 'mode'), cell32(hart, 'dataMode')));
    const bare = op('i32.or', op('i32.eq', mode, privilege.M), op('i64.eqz', op('i64.shr_u', cell(hart, 'satp'), 60n)));
    c.set(physical, address);
    c.when(op('i32.eqz', bare), () => {
      c.set(physical, call(walk, 'i64', hart, address, kind, mode));
      c.when(op('i64.eq', physical, noAddress), () => c.return(noAddress));
    });
    const verdict = c.keep(
      call(protect, 'i32', hart, physical, op('i64.extend_i32_u', bytes), mode, op('i32.shl', 1, kind)),
    );
    c.when(op('i32.or', op('i32.eqz', verdict), op('i64.ne', op('i64.shr_u', physical, 56n), 0n)), () => {
      setCell32(
        c,
        hart,
        'faultCause',
        causeOf(kind, cause.loadAccessFault, cause.storeAccessFault, cause.instructionAccessFault),
      );
      c.return(noAddress);
    });
    c.when(op('i32.eq', verdict, protection.allowedPage), () => {
      c.store('i64.store', entry, pageOf(address), translation.tag);
      c.store('i64.store', entry, pageOf(physical), translation.addend);
      // The fast entry of this place belonged to another page.
      c.store('i64.store', op('i32.sub', entry, translation.exact), -1n, translation.tag);
      const position = op(
        'i32.div_u',
        op('i32.sub', table, op('i32.add', hart, hartCell.translations)),
        translation.tableBytes,
      );
      setCell32(
        c,
        hart,
        'usedTranslations',
        op('i32.or', cell32(hart, 'usedTranslations'), op('i32.shl', 1, position)),
      );
      const inserted = c.keep(cell32(hart, 'insertedTranslations'));
      c.when(op('i32.lt_u', inserted, hartCell.insertionLogEntries), () =>
        c.store('i32.store', op('i32.add', hart, op('i32.shl', inserted, 2)), entry, hartCell.insertionLog),
      );
      setCell32(c, hart, 'insertedTranslations', op('i32.add', inserted, 1));
    });
    c.result(physical);
  });
}

function declareWalk(context: SystemContext, protect: number, invalidateCode: number): number {
  const { module, layout } = context;
  return defineFunction(module, ['i32', 'i64', 'i32', 'i32'], ['i64'], (c, hart, address, kind, mode) => {
    const satp = c.keep(cell(hart, 'satp'));
    const fail = (load: number, store: number, fetch: number): void => {
      setCell32(c, hart, 'faultCause', causeOf(kind, load, store, fetch));
      c.return(noAddress);
    };
    const pageFault = (): void => fail(cause.loadPageFault, cause.storePageFault, cause.instructionPageFault);
    const accessFault = (): void => fail(cause.loadAccessFault, cause.storeAccessFault, cause.instructionAccessFault);

    // satp.MODE 8 is Sv39 with three levels, 9 is Sv48 with four, 10 is Sv57 with five. `shift` is the lowest address bit that the level's index covers.
    const levels = op('i64.sub', op('i64.shr_u', satp, 60n), 5n);
    const shift = c.keep(op('i64.add', 3n, op('i64.mul', levels, 9n)));
    const unused = c.keep(op('i64.sub', 55n, shift));
    c.when(op('i64.ne', op('i64.shr_s', op('i64.shl', address, unused), unused), address), pageFault);
    const table = c.keep(op('i64.shl', op('i64.and', satp, (1n << 44n) - 1n), 12n));
    const offset = c.local('i64');
    const at = c.local('i32');
    const entry = c.local('i64');
    const has = (bits: bigint) => op('i64.ne', op('i64.and', entry, bits), 0n);
    const lacks = (bits: bigint) => op('i64.eqz', op('i64.and', entry, bits));

    const typed = op('i64.ne', op('i64.and', cell(hart, 'menvcfg'), environmentConfiguration.PBMTE), 0n);
    const reserved = c.keep(select(typed, pte.reserved, pte.reserved | pte.PBMT));

    c.block((leaf) => {
      c.loop((again) => {
        const index = op('i64.and', op('i64.shr_u', address, shift), 511n);
        const entryAddress = c.keep(op('i64.add', table, op('i64.shl', index, 3n)));
        c.set(offset, ramOffset(layout, entryAddress));
        const readable = call(protect, 'i32', hart, entryAddress, 8n, privilege.S, pmpPermission.read);
        c.when(op('i32.eqz', op('i32.and', isInRam(layout, offset), op('i32.ne', readable, 0))), accessFault);
        c.set(at, op('i32.wrap_i64', offset));
        c.set(entry, load('i64.load', at, layout.ram));
        c.when(op('i32.or', lacks(pte.V), op('i64.ne', op('i64.and', entry, reserved), 0n)), pageFault);
        c.when(op('i64.eq', op('i64.and', entry, pte.PBMT), pte.PBMT), pageFault);
        c.when(op('i32.and', lacks(pte.R), has(pte.W)), pageFault);
        c.brIf(leaf, has(pte.R | pte.X));
        c.when(has(pte.A | pte.D | pte.U | pte.N | pte.PBMT), pageFault);
        c.set(table, op('i64.shl', op('i64.shr_u', entry, 10n), 12n));
        c.set(shift, op('i64.sub', shift, 9n));
        c.brIf(again, op('i64.ge_u', shift, 12n));
        pageFault();
      });
    });

    const status = c.keep(cell(hart, 'mstatus'));
    const isFetch = op('i32.eq', kind, accessKind.fetch);
    const supervisor = op('i32.eq', mode, privilege.S);
    // A user page is open to S-mode data accesses with SUM; another page never to U-mode. [RISC-V priv. 10.3.1]
    const userPageRefused = op(
      'i32.and',
      supervisor,
      op('i32.or', isFetch, op('i64.eqz', op('i64.and', status, mstatus.SUM))),
    );
    c.when(select(has(pte.U), userPageRefused, op('i32.eqz', supervisor)), pageFault);
    const physicalPage = c.keep(op('i64.shl', op('i64.shr_u', op('i64.shl', entry, 10n), 20n), 12n));
    c.when(has(pte.N), () => {
      const ending = op('i64.and', op('i64.shr_u', physicalPage, 12n), rangePattern.mask);
      const legal = op('i32.and', op('i64.eq', shift, 12n), op('i64.eq', ending, rangePattern.value));
      c.when(op('i32.eqz', legal), pageFault);
      c.set(shift, rangeShift);
      c.set(physicalPage, op('i64.and', physicalPage, -(1n << rangeShift)));
    });
    const superpageMask = c.keep(op('i64.sub', op('i64.shl', 1n, shift), 1n));
    c.when(op('i64.ne', op('i64.and', physicalPage, superpageMask), 0n), pageFault);
    const executableRead = op('i32.and', has(pte.X), op('i64.ne', op('i64.and', status, mstatus.MXR), 0n));
    const permitted = select(
      isFetch,
      has(pte.X),
      select(op('i32.eq', kind, accessKind.store), has(pte.W), op('i32.or', has(pte.R), executableRead)),
    );
    c.when(op('i32.eqz', permitted), pageFault);

    const updated = c.keep(op('i64.or', entry, select(op('i32.eq', kind, accessKind.store), pte.A | pte.D, pte.A)));
    c.when(op('i64.ne', updated, entry), () => {
      const entryAddress = op('i64.add', offset, BigInt(layout.ramBase));
      const writable = call(protect, 'i32', hart, entryAddress, 8n, privilege.S, pmpPermission.write);
      c.when(op('i32.eqz', writable), accessFault);
      c.store('i64.store', at, updated, layout.ram);
      const page = op('i32.shr_u', at, 12);
      c.store('i32.store8', page, op('i32.or', pageFlags(layout, at), pageFlag.dirty), layout.pageFlags);
      c.when(op('i32.and', pageFlags(layout, at), pageFlag.code), () => c.call(invalidateCode, at, 8));
    });
    c.when(op('i64.gt_u', shift, 12n), () => rememberLargePage(c, hart, address, superpageMask));
    c.result(
      op(
        'i64.or',
        op('i64.and', physicalPage, op('i64.xor', superpageMask, -1n)),
        op('i64.and', address, superpageMask),
      ),
    );
  });
}

/**
 * Widens the one aligned range that covers all large pages seen since the last flush: a fence for an address inside it flushes
 * everything, because entries of a large page are spread over many places.
 */
function rememberLargePage(c: CodeWriter, hart: Local, address: Local, superpageMask: Local): void {
  const any = c.keep(cell32(hart, 'largePages'));
  const mask = c.keep(op('i64.and', op('i64.xor', superpageMask, -1n), select(any, cell(hart, 'largePageMask'), -1n)));
  const base = c.keep(select(any, cell(hart, 'largePageBase'), address));
  c.loop((again) => {
    c.when(op('i64.ne', op('i64.and', op('i64.xor', base, address), mask), 0n), () => {
      c.set(mask, op('i64.shl', mask, 1n));
      c.br(again);
    });
  });
  setCell32(c, hart, 'largePages', 1);
  setCell(c, hart, 'largePageMask', mask);
  setCell(c, hart, 'largePageBase', base);
}

const tableCount = translation.allBytes / translation.tableBytes;

function declareFlush({ module }: SystemContext): number {
  return defineFunction(
    module,
    ['i32'],
    [],
    (c, hart) => {
      const inserted = c.keep(cell32(hart, 'insertedTranslations'));
      c.when(
        op('i32.le_u', inserted, hartCell.insertionLogEntries),
        () => clearLogged(c, hart, inserted),
        () => clearUsed(c, hart),
      );
      setCell32(c, hart, 'insertedTranslations', 0);
      setCell32(c, hart, 'usedTranslations', 0);
      setCell32(c, hart, 'largePages', 0);
    },
    'flush',
  );
}

/** Few translations since the last flush are forgotten one by one. */
function clearLogged(c: CodeWriter, hart: Local, inserted: Local): void {
  const entry = c.local('i32');
  c.block((end) => {
    c.loop((again) => {
      c.brIf(end, op('i32.eqz', inserted));
      c.set(inserted, op('i32.sub', inserted, 1));
      c.set(entry, load('i32.load', op('i32.add', hart, op('i32.shl', inserted, 2)), hartCell.insertionLog));
      c.store('i64.store', entry, -1n, translation.tag);
      c.store('i64.store', op('i32.sub', entry, translation.exact), -1n, translation.tag);
      c.br(again);
    });
  });
}

/** Many translations are forgotten by the table. */
function clearUsed(c: CodeWriter, hart: Local): void {
  const used = c.keep(cell32(hart, 'usedTranslations'));
  const table = c.keep(op('i32.add', hart, hartCell.translations));
  c.loop((again) => {
    c.when(op('i32.and', used, 1), () => c.fill(table, 0xff, translation.tableBytes));
    c.set(table, op('i32.add', table, translation.tableBytes));
    c.set(used, op('i32.shr_u', used, 1));
    c.brIf(again, used);
  });
}

function declareFlushAddress({ module }: SystemContext, flush: number): number {
  return defineFunction(module, ['i32', 'i64'], [], (c, hart, address) => {
    const inLargePages = op(
      'i64.eqz',
      op('i64.and', op('i64.xor', address, cell(hart, 'largePageBase')), cell(hart, 'largePageMask')),
    );
    c.when(op('i32.and', cell32(hart, 'largePages'), inLargePages), () => {
      c.call(flush, hart);
      c.return();
    });
    const entry = c.keep(op('i32.add', op('i32.add', hart, hartCell.translations), entryOffset(address)));
    const left = c.keep(tableCount);
    c.loop((again) => {
      c.when(op('i64.eq', load('i64.load', entry, translation.exact + translation.tag), pageOf(address)), () => {
        c.store('i64.store', entry, -1n, translation.tag);
        c.store('i64.store', entry, -1n, translation.exact + translation.tag);
      });
      c.set(entry, op('i32.add', entry, translation.tableBytes));
      c.set(left, op('i32.sub', left, 1));
      c.brIf(again, left);
    });
  });
}
