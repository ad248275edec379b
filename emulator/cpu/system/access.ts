// Memory accesses that the inline fast path does not serve: translation misses, misaligned accesses, watched, clean and code pages,
// devices, atomics. Each ends in an `outcome`; a loaded value is left in the hart's `scratch`.
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
import { control, pageBytes, record, slotRegion, translation } from '../layout';
import { declareManageBlock, declareZeroBlock } from './cache-block';
import { cell, cell32, isInRam, pageFlags, ramOffset, setCell, type SystemContext } from './context';
import { accessKind, cause, outcome } from './status';
import { entryOffset, noAddress, tableFor } from './translate';
import { currentStep } from './trap';

/** Kinds of watched access, as `watchedBefore` gets them. */
export const watchedKind = { load: 0, store: 1, atomic: 2, conditionalStore: 3 } as const;

/** (ramOffset, bytes): drops the decoded instructions that reach into these bytes of one page. */
export function declareInvalidateCode({ module, layout, imports }: SystemContext): number {
  return defineFunction(module, ['i32', 'i32'], [], (c, offset, bytes) => {
    const slot = c.keep(load('i32.load', op('i32.shl', op('i32.shr_u', offset, 12), 2), layout.slotOfPage));
    c.when(op('i32.eqz', slot), () => c.return());
    const within = op('i32.and', offset, pageBytes - 1);
    eachRecord(c, slot, within, bytes, (at) => {
      const changes = op('i32.ne', load('i32.load16_u', at, record.handler), 0);
      c.when(op('i32.and', changes, op('i32.ne', load('i32.load', slot, slotRegion.count), 0)), () =>
        c.call(imports.dropRegion, slot),
      );
      c.store('i32.store16', at, 0, record.handler);
    });
  });
}

/** Visits the records of a slot whose instructions reach into some bytes of its page. */
export function eachRecord(
  c: CodeWriter,
  slot: Local,
  within: Operand,
  bytes: Operand,
  visit: (record: Local) => void,
): void {
  const first = c.keep(op('i32.shr_u', within, 1));
  const at = c.keep(op('i32.add', slot, op('i32.mul', first, record.bytes)));
  const last = op('i32.shr_u', op('i32.sub', op('i32.add', within, bytes), 1), 1);
  const end = c.keep(op('i32.add', slot, op('i32.mul', last, record.bytes)));
  // A 32-bit instruction may begin one halfword earlier.
  c.when(first, () => {
    const before = load('i32.load8_u', op('i32.sub', at, record.bytes), record.bits);
    const isLong = op('i32.eq', op('i32.and', before, 3), 3);
    c.set(at, op('i32.sub', at, select(isLong, record.bytes, 0)));
  });
  c.loop((again) => {
    visit(at);
    c.set(at, op('i32.add', at, record.bytes));
    c.brIf(again, op('i32.le_u', at, end));
  });
}

export interface AccessFunctions {
  /** (hart, virtualAddress, bytes) -> outcome */
  readonly load: number;
  /** (hart, virtualAddress, bytes, value) -> outcome */
  readonly store: number;
  /** (hart, virtualAddress, bytes, order) -> outcome */
  readonly loadReserved: number;
  /** (hart, virtualAddress, bytes, value, order) -> outcome; `scratch` is 0 where it stored, else 1 */
  readonly storeConditional: number;
  /** (hart, virtualAddress, ramOffset, kind) */
  readonly enableFast: number;
  /** (hart, virtualAddress, bytes) -> outcome; leaves the operand's address in linear memory in `scratch` */
  readonly atomicBegin: number;
  /** (hart, virtualAddress, bytes, value, order) -> outcome; after `atomicBegin` of the same instruction */
  readonly atomicEnd: number;
  /** (hart, virtualAddress) -> outcome; the block that holds the address is zeros afterwards */
  readonly zeroBlock: number;
  /** (hart, virtualAddress) -> outcome; checks that the block may be accessed */
  readonly manageBlock: number;
}

export interface Parts {
  readonly context: SystemContext;
  readonly translate: number;
  readonly raise: number;
  readonly invalidateCode: number;
  readonly ramLoad: number;
  readonly ramStore: number;
  readonly enableFast: number;
}

export function declareAccesses(
  context: SystemContext,
  translate: number,
  raise: number,
  invalidateCode: number,
): AccessFunctions {
  const ramLoad = declareRamLoad(context);
  const ramStore = declareRamStore(context, invalidateCode);
  const enableFast = declareEnableFast(context);
  const parts: Parts = { context, translate, raise, invalidateCode, ramLoad, ramStore, enableFast };
  const crossing = declareCrossing(parts);
  return {
    enableFast,
    load: declareLoad(parts, crossing),
    store: declareStore(parts, crossing),
    loadReserved: declareLoadReserved(parts),
    storeConditional: declareStoreConditional(parts),
    atomicBegin: declareAtomicBegin(parts),
    atomicEnd: declareAtomicEnd(parts),
    zeroBlock: declareZeroBlock(parts),
    manageBlock: declareManageBlock(parts),
  };
}

/** (ramOffset, bytes) -> zero-extended value; need not be aligned. */
function declareRamLoad({ module, layout }: SystemContext): number {
  return defineFunction(module, ['i32', 'i32'], ['i64'], (c, offset, bytes) => {
    c.when(op('i32.eq', bytes, 8), () => c.return(load('i64.load', offset, layout.ram)));
    c.when(op('i32.eq', bytes, 4), () => c.return(load('i64.load32_u', offset, layout.ram)));
    c.when(op('i32.eq', bytes, 2), () => c.return(load('i64.load16_u', offset, layout.ram)));
    c.result(load('i64.load8_u', offset, layout.ram));
  });
}

/** (ramOffset, bytes, value): stores inside one page, marks it dirty and drops what was decoded there. */
function declareRamStore({ module, layout }: SystemContext, invalidateCode: number): number {
  return defineFunction(module, ['i32', 'i32', 'i64'], [], (c, offset, bytes, value) => {
    const flags = c.keep(pageFlags(layout, offset));
    const page = op('i32.shr_u', offset, 12);
    c.store('i32.store8', page, op('i32.or', flags, pageFlag.dirty), layout.pageFlags);
    c.when(op('i32.and', flags, pageFlag.code), () => c.call(invalidateCode, offset, bytes));
    c.when(op('i32.eq', bytes, 8), () => {
      c.store('i64.store', offset, value, layout.ram);
      c.return();
    });
    c.when(op('i32.eq', bytes, 4), () => {
      c.store('i64.store32', offset, value, layout.ram);
      c.return();
    });
    c.when(op('i32.eq', bytes, 2), () => {
      c.store('i64.store16', offset, value, layout.ram);
      c.return();
    });
    c.store('i64.store8', offset, value, layout.ram);
  });
}

/**
 * (hart, virtualAddress, ramOffset, kind): lets the inline path serve a page whose exact entry is present, unless its flags forbid it.
 * Atomics take the stores' path, so that also a page watched for loads is none for fast stores.
 */
function declareEnableFast({ module, layout }: SystemContext): number {
  return defineFunction(module, ['i32', 'i64', 'i32', 'i32'], [], (c, hart, address, offset, kind) => {
    const entry = c.keep(op('i32.add', tableFor(hart, kind), entryOffset(address)));
    const page = c.keep(op('i64.and', address, -4096n));
    c.when(op('i64.ne', load('i64.load', entry, translation.exact + translation.tag), page), () => c.return());
    const unfit = select(
      kind,
      pageFlag.watchLoad | pageFlag.watchStore | pageFlag.code | pageFlag.dirty,
      pageFlag.watchLoad,
    );
    const wanted = select(kind, pageFlag.dirty, 0);
    c.when(op('i32.ne', op('i32.and', pageFlags(layout, offset), unfit), wanted), () => c.return());
    c.store('i64.store', entry, page, translation.tag);
    const host = op('i32.add', op('i32.and', offset, -pageBytes), layout.ram);
    c.store('i32.store', entry, op('i32.sub', host, op('i32.wrap_i64', page)), translation.addend);
  });
}

function isMisaligned(address: Operand, bytes: Operand): Expression {
  return op('i32.and', op('i32.wrap_i64', address), op('i32.sub', bytes, 1));
}
function crossesPage(address: Operand, bytes: Operand): Expression {
  const within = op('i32.and', op('i32.wrap_i64', address), pageBytes - 1);
  return op('i32.gt_u', op('i32.add', within, bytes), pageBytes);
}

export function raiseAndReturn(c: CodeWriter, { raise }: Parts, hart: Local, code: Operand, address: Operand): void {
  c.return(call(raise, 'i32', hart, code, address));
}

/** Translates; on failure raises and returns from the function that is being written. */
function translated(c: CodeWriter, parts: Parts, hart: Local, address: Operand, kind: number, bytes: Operand): Local {
  const physical = c.keep(call(parts.translate, 'i64', hart, address, kind, bytes));
  c.when(op('i64.eq', physical, noAddress), () => raiseAndReturn(c, parts, hart, cell32(hart, 'faultCause'), address));
  return physical;
}

/** Asks the environment about a watched access; returns from the function that is being written when it refuses. */
export function announce(
  c: CodeWriter,
  { context }: Parts,
  hart: Local,
  address: Operand,
  offset: Operand,
  bytes: Operand,
  kind: Operand,
  order: Operand,
  value: Operand,
): void {
  setCell(c, hart, 'accessAddress', address);
  setCell(c, hart, 'physicalAddress', op('i64.add', op('i64.extend_i32_u', offset), BigInt(context.layout.ramBase)));
  setCell(c, hart, 'scratch', value);
  c.when(call(context.imports.watchedBefore, 'i32', hart, bytes, kind, order), () => c.return(outcome.refused));
}

/** Hands an access outside RAM to the environment and returns what comes of it. */
function deviceAccess(
  c: CodeWriter,
  parts: Parts,
  hart: Local,
  address: Local,
  physical: Local,
  bytes: Local,
  kind: 'load' | 'store',
): void {
  const { imports } = parts.context;
  const code = kind === 'load' ? cause.loadAccessFault : cause.storeAccessFault;
  // Addresses beyond what a number holds exactly are not on the bus.
  const unreachable = op('i64.ne', op('i64.shr_u', physical, 52n), 0n);
  c.when(op('i32.or', isMisaligned(address, bytes), unreachable), () => raiseAndReturn(c, parts, hart, code, address));
  setCell(c, hart, 'accessAddress', address);
  setCell(c, hart, 'physicalAddress', physical);
  const answer = c.keep(call(kind === 'load' ? imports.deviceLoad : imports.deviceStore, 'i32', hart, bytes));
  c.when(op('i32.eq', answer, 1), () => raiseAndReturn(c, parts, hart, code, address));
  c.return(answer);
}

function declareLoad(parts: Parts, crossing: number): number {
  const { module, layout, imports } = parts.context;
  return defineFunction(module, ['i32', 'i64', 'i32'], ['i32'], (c, hart, address, bytes) => {
    c.when(crossesPage(address, bytes), () =>
      c.return(call(crossing, 'i32', hart, address, bytes, accessKind.load, 0n)),
    );
    const physical = translated(c, parts, hart, address, accessKind.load, bytes);
    const inRam = isInRam(layout, ramOffset(layout, physical));
    c.when(op('i32.eqz', inRam), () => deviceAccess(c, parts, hart, address, physical, bytes, 'load'));
    const offset = c.keep(op('i32.wrap_i64', ramOffset(layout, physical)));
    const value = call(parts.ramLoad, 'i64', offset, bytes);
    c.when(
      op('i32.and', pageFlags(layout, offset), pageFlag.watchLoad),
      () => {
        announce(c, parts, hart, address, offset, bytes, watchedKind.load, 0, value);
        setCell(c, hart, 'scratch', value);
        c.call(imports.watchedAfter, hart);
      },
      () => {
        c.call(parts.enableFast, hart, address, offset, accessKind.load);
        setCell(c, hart, 'scratch', value);
      },
    );
    c.result(outcome.done);
  });
}

function declareStore(parts: Parts, crossing: number): number {
  const { module, layout, imports } = parts.context;
  return defineFunction(module, ['i32', 'i64', 'i32', 'i64'], ['i32'], (c, hart, address, bytes, value) => {
    c.when(crossesPage(address, bytes), () =>
      c.return(call(crossing, 'i32', hart, address, bytes, accessKind.store, value)),
    );
    const physical = translated(c, parts, hart, address, accessKind.store, bytes);
    const inRam = isInRam(layout, ramOffset(layout, physical));
    c.when(op('i32.eqz', inRam), () => {
      setCell(c, hart, 'scratch', value);
      deviceAccess(c, parts, hart, address, physical, bytes, 'store');
    });
    const offset = c.keep(op('i32.wrap_i64', ramOffset(layout, physical)));
    c.when(
      op('i32.and', pageFlags(layout, offset), pageFlag.watchStore),
      () => {
        announce(c, parts, hart, address, offset, bytes, watchedKind.store, 0, value);
        c.call(parts.ramStore, offset, bytes, value);
        c.call(imports.watchedAfter, hart);
      },
      () => {
        c.call(parts.ramStore, offset, bytes, value);
        c.call(parts.enableFast, hart, address, offset, accessKind.store);
      },
    );
    c.result(outcome.done);
  });
}

/**
 * (hart, virtualAddress, bytes, kind, value) -> outcome: an access that lies in two pages. Both translate before anything happens; a
 * fault names the part's own address. Of a watched page each byte is an access of its own.
 */
function declareCrossing(parts: Parts): number {
  const { module, layout, imports } = parts.context;
  return defineFunction(
    module,
    ['i32', 'i64', 'i32', 'i32', 'i64'],
    ['i32'],
    (c, hart, address, bytes, kind, value) => {
      const second = c.keep(op('i64.and', op('i64.add', address, op('i64.extend_i32_u', bytes)), -4096n));
      const firstBytes = c.keep(op('i32.wrap_i64', op('i64.sub', second, address)));
      const offsetOf = (at: Operand, count: Operand): Local => {
        const physical = c.keep(call(parts.translate, 'i64', hart, at, kind, count));
        c.when(op('i64.eq', physical, noAddress), () => raiseAndReturn(c, parts, hart, cell32(hart, 'faultCause'), at));
        c.when(op('i32.eqz', isInRam(layout, ramOffset(layout, physical))), () =>
          raiseAndReturn(c, parts, hart, op('i32.add', cause.loadAccessFault, op('i32.shl', kind, 1)), at),
        );
        return c.keep(op('i32.wrap_i64', ramOffset(layout, physical)));
      };
      const first = offsetOf(address, firstBytes);
      const rest = offsetOf(second, op('i32.sub', bytes, firstBytes));
      const position = c.keep(0);
      const offset = c.local('i32');
      const byte = c.local('i64');
      const eachByte = (body: () => void): void => {
        c.set(position, 0);
        c.loop((again) => {
          c.set(offset, op('i32.add', first, position));
          c.when(op('i32.ge_u', position, firstBytes), () =>
            c.set(offset, op('i32.add', rest, op('i32.sub', position, firstBytes))),
          );
          body();
          c.set(position, op('i32.add', position, 1));
          c.brIf(again, op('i32.lt_u', position, bytes));
        });
      };
      const wide = op('i64.extend_i32_u', position);
      const bitPosition = op('i64.shl', wide, 3n);
      const watched = c.keep(0);
      eachByte(() =>
        c.when(op('i32.and', pageFlags(layout, offset), op('i32.add', kind, 1)), () => {
          c.set(byte, op('i64.and', op('i64.shr_u', value, bitPosition), 0xffn));
          c.when(op('i32.eqz', kind), () => c.set(byte, call(parts.ramLoad, 'i64', offset, 1)));
          announce(c, parts, hart, op('i64.add', address, wide), offset, 1, kind, 0, byte);
          c.set(watched, 1);
        }),
      );
      const loaded = c.keep(0n);
      eachByte(() =>
        c.when(
          kind,
          () => c.call(parts.ramStore, offset, 1, op('i64.shr_u', value, bitPosition)),
          () => c.set(loaded, op('i64.or', loaded, op('i64.shl', call(parts.ramLoad, 'i64', offset, 1), bitPosition))),
        ),
      );
      setCell(c, hart, 'scratch', loaded);
      c.when(watched, () => c.call(imports.watchedAfter, hart));
      c.result(outcome.done);
    },
  );
}

/** Atomics are for aligned RAM only; the rest of the function sees the RAM offset. [RISC-V priv. 3.6.3] */
function atomicOffset(
  c: CodeWriter,
  parts: Parts,
  hart: Local,
  address: Local,
  bytes: Local,
  kind: 'load' | 'store',
): Local {
  const { layout } = parts.context;
  const isLoad = kind === 'load';
  c.when(isMisaligned(address, bytes), () =>
    raiseAndReturn(c, parts, hart, isLoad ? cause.loadAddressMisaligned : cause.storeAddressMisaligned, address),
  );
  const physical = translated(c, parts, hart, address, accessKind[kind], bytes);
  const offset = c.keep(ramOffset(layout, physical));
  c.when(op('i32.eqz', isInRam(layout, offset)), () =>
    raiseAndReturn(c, parts, hart, isLoad ? cause.loadAccessFault : cause.storeAccessFault, address),
  );
  return c.keep(op('i32.wrap_i64', offset));
}

/** Remembers the step of an instruction with .aq or .rl. */
export function noteOrder(c: CodeWriter, hart: Operand, order: Operand, step: Operand): void {
  c.when(order, () => {
    c.when(op('i32.and', order, 1), () => setCell(c, hart, 'acquireStep', step));
    c.when(op('i32.and', order, 0x100), () => setCell(c, hart, 'releaseStep', step));
  });
}

/** Reservation sets are aligned 64-byte blocks of RAM. */
function reservationSet({ layout }: SystemContext, offset: Operand): Expression {
  return op('i32.and', op('i32.add', offset, layout.ram), -64);
}

function declareLoadReserved(parts: Parts): number {
  const { module, layout, imports } = parts.context;
  return defineFunction(module, ['i32', 'i64', 'i32', 'i32'], ['i32'], (c, hart, address, bytes, order) => {
    const offset = atomicOffset(c, parts, hart, address, bytes, 'load');
    const value = call(parts.ramLoad, 'i64', offset, bytes);
    const watched = c.keep(op('i32.and', pageFlags(layout, offset), pageFlag.watchLoad));
    c.when(watched, () => announce(c, parts, hart, address, offset, bytes, watchedKind.load, order, value));
    setCell(c, hart, 'scratch', value);
    c.store('i32.store', 0, reservationSet(parts.context, offset), control.reservation);
    const step = c.keep(currentStep());
    c.store('i64.store', 0, step, control.reservationStep);
    noteOrder(c, hart, order, step);
    c.when(watched, () => c.call(imports.watchedAfter, hart));
    c.result(outcome.done);
  });
}

function declareStoreConditional(parts: Parts): number {
  const { module, layout, imports } = parts.context;
  const parameters = ['i32', 'i64', 'i32', 'i64', 'i32'] as const;
  return defineFunction(module, parameters, ['i32'], (c, hart, address, bytes, value, order) => {
    const reserved = load('i32.load', 0, control.reservation);
    const fail = (): void => {
      c.store('i32.store', 0, 0, control.reservation);
      setCell(c, hart, 'scratch', 1n);
      noteOrder(c, hart, order, currentStep());
      c.return(outcome.done);
    };
    // Without a reservation the access is not attempted, so it cannot fault; a misaligned address always does.
    c.when(op('i32.and', op('i32.eqz', reserved), op('i32.eqz', isMisaligned(address, bytes))), fail);
    const offset = atomicOffset(c, parts, hart, address, bytes, 'store');
    c.when(op('i32.ne', reserved, reservationSet(parts.context, offset)), fail);
    const watched = c.keep(op('i32.and', pageFlags(layout, offset), pageFlag.watchStore));
    c.when(watched, () => announce(c, parts, hart, address, offset, bytes, watchedKind.conditionalStore, order, value));
    c.store('i32.store', 0, 0, control.reservation);
    c.call(parts.ramStore, offset, bytes, value);
    noteOrder(c, hart, order, currentStep());
    c.when(watched, () => c.call(imports.watchedAfter, hart));
    setCell(c, hart, 'scratch', 0n);
    c.result(outcome.done);
  });
}

function declareAtomicBegin(parts: Parts): number {
  const { module, layout } = parts.context;
  return defineFunction(module, ['i32', 'i64', 'i32'], ['i32'], (c, hart, address, bytes) => {
    const offset = atomicOffset(c, parts, hart, address, bytes, 'store');
    setCell(c, hart, 'physicalAddress', op('i64.extend_i32_u', offset));
    setCell(c, hart, 'scratch', op('i64.extend_i32_u', op('i32.add', offset, layout.ram)));
    c.result(outcome.done);
  });
}

function declareAtomicEnd(parts: Parts): number {
  const { module, layout, imports } = parts.context;
  const parameters = ['i32', 'i64', 'i32', 'i64', 'i32'] as const;
  return defineFunction(module, parameters, ['i32'], (c, hart, address, bytes, value, order) => {
    const offset = c.keep(op('i32.wrap_i64', cell(hart, 'physicalAddress')));
    const watched = c.keep(op('i32.and', pageFlags(layout, offset), pageFlag.watchLoad | pageFlag.watchStore));
    c.when(watched, () => announce(c, parts, hart, address, offset, bytes, watchedKind.atomic, order, value));
    c.call(parts.ramStore, offset, bytes, value);
    c.when(
      watched,
      () => c.call(imports.watchedAfter, hart),
      () => c.call(parts.enableFast, hart, address, offset, accessKind.store),
    );
    c.result(outcome.done);
  });
}
