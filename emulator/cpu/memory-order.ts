// Which later accesses of a hart RVWMO orders behind an earlier one: from every instruction between them where those were traced, else from
// the steps of the fences alone. [RISC-V unpriv. 17.1, preserved program order, rules 1 to 13; its appendix on I/O ordering]
// Guarantees: pure; `OrderState` is plain data that is never changed in place.
import { type FenceEpochs, type OrderClass, orderClass } from './contract';
import { type InstructionEffects, intersects, noRegisters, type RegisterSet, unionOf } from './effects';

/** Sets of order classes as FENCE holds them. */
export const classBit: Readonly<Record<OrderClass, number>> = { input: 8, output: 4, read: 2, write: 1 };
const memoryClasses = classBit.read | classBit.write;

/** One access of a hart as the memory model sees it. */
export interface OrderedAccess {
  readonly effects: InstructionEffects;
  /** Guest-physical; undefined where it is not known. */
  readonly physicalAddress: number | undefined;
  /** Whether it reaches a device instead of memory. */
  readonly io: boolean;
}

interface SeenStore {
  readonly address: number;
  readonly bytes: number;
  /** A load that returns its value is ordered too: it was atomic, or depends on an access that is ordered. [rules 3 and 12] */
  readonly forwards: boolean;
}

/** What is known to come after one access, the origin, in the order that the hart's other accesses may assume. */
export interface OrderState {
  /** Classes of the accesses so far that are the origin or ordered behind it. */
  readonly reached: number;
  /** Classes of which every later access is ordered behind the origin. */
  readonly after: number;
  /** Registers that hold something which depends on an access reached. */
  readonly tainted: RegisterSet;
  /** Every later store is ordered: a branch, or another access's address, depended on an access reached. [rules 11 and 13] */
  readonly laterStores: boolean;
  /** An access reached carries .aq or .rl. [rule 7] */
  readonly annotated: boolean;
  readonly stores: readonly SeenStore[];
}

const rememberedStores = 16;

/** The state behind the origin itself. */
export function orderFrom(origin: OrderedAccess): OrderState {
  const nothing: OrderState = {
    reached: 0,
    after: 0,
    tainted: noRegisters,
    laterStores: false,
    annotated: false,
    stores: [],
  };
  return reach(nothing, origin, false);
}

/** Whether an access that comes next is ordered behind the origin. */
export function isOrdered(state: OrderState, access: OrderedAccess): boolean {
  const { effects } = access;
  if (effects.memory === undefined) return false;
  const classes = classesOf(access);
  if ((state.after & classes) !== 0) return true;
  const inMemory = (classes & memoryClasses) !== 0;
  if (inMemory && effects.release && (state.reached & memoryClasses) !== 0) return true;
  if (inMemory && state.annotated && (effects.acquire || effects.release)) return true;
  return dependsOn(state, access) || isForwarded(state, access);
}

/** The state behind an access that serves as well as the origin did. */
export function alsoFrom(state: OrderState, origin: OrderedAccess): OrderState {
  return reach(state, origin, false);
}

/** The state behind the next instruction, whatever it is. */
export function advance(state: OrderState, access: OrderedAccess): OrderState {
  const { effects } = access;
  const { memory, fence } = effects;
  if (fence !== undefined) return behindFence(state, fence);
  if (memory !== undefined) {
    if (isOrdered(state, access)) return reach(state, access, dependsOn(state, access));
    return { ...state, tainted: without(state.tainted, effects.destination), stores: overwritten(state, access) };
  }
  const { destination, sources, control } = effects;
  const laterStores = state.laterStores || intersects(control, state.tainted);
  if (destination === noRegisters) return laterStores === state.laterStores ? state : { ...state, laterStores };
  const rest = without(state.tainted, destination);
  const tainted = intersects(sources, state.tainted) ? unionOf(rest, destination) : rest;
  return { ...state, laterStores, tainted };
}

function classesOf({ effects, io }: OrderedAccess): number {
  const kind = effects.memory?.kind;
  const loads = kind === 'load' || kind === 'load-reserved' || kind === 'atomic';
  const stores = kind === 'store' || kind === 'store-conditional' || kind === 'atomic';
  if (io) return (loads ? classBit.input : 0) | (stores ? classBit.output : 0);
  return (loads ? classBit.read : 0) | (stores ? classBit.write : 0);
}

function storesMemory(access: OrderedAccess): boolean {
  return (classesOf(access) & (classBit.write | classBit.output)) !== 0;
}

/** Rules 9, 10, 11 and 13. */
function dependsOn(state: OrderState, access: OrderedAccess): boolean {
  const { memory } = access.effects;
  if (memory === undefined) return false;
  if (intersects({ x: 1 << memory.base, f: 0 }, state.tainted) && memory.base !== 0) return true;
  return storesMemory(access) && (state.laterStores || intersects(memory.data, state.tainted));
}

/** Rules 1, 3 and 12: overlapping addresses. */
function isForwarded(state: OrderState, access: OrderedAccess): boolean {
  const hit = state.stores.find((store) => overlaps(store, access));
  return hit !== undefined && (storesMemory(access) || hit.forwards);
}

function overlaps(store: SeenStore, { effects, physicalAddress }: OrderedAccess): boolean {
  const bytes = effects.memory?.bytes ?? 0;
  return physicalAddress !== undefined && store.address < physicalAddress + bytes && physicalAddress < store.address + store.bytes; // prettier-ignore
}

/** A store that is not ordered hides what an ordered one left at its place. */
function overwritten(state: OrderState, access: OrderedAccess): readonly SeenStore[] {
  return storesMemory(access) ? state.stores.filter((store) => !overlaps(store, access)) : state.stores;
}

function reach(state: OrderState, access: OrderedAccess, dependent: boolean): OrderState {
  const { effects, physicalAddress, io } = access;
  const { memory } = effects;
  if (memory === undefined) return state;
  const marked = !io && (effects.acquire || effects.release);
  const forwards = dependent || memory.kind === 'atomic' || memory.kind === 'store-conditional';
  const kept = overwritten(state, access);
  // A load is remembered like a store: a later store to the same place is ordered behind it. [rule 1]
  const stores =
    physicalAddress === undefined
      ? kept
      : [...kept.slice(-rememberedStores), { address: physicalAddress, bytes: memory.bytes, forwards: forwards && storesMemory(access) }]; // prettier-ignore
  const addressDepends = memory.base !== 0 && intersects({ x: 1 << memory.base, f: 0 }, state.tainted);
  return {
    reached: state.reached | classesOf(access),
    after: state.after | (!io && effects.acquire ? memoryClasses : 0),
    tainted: unionOf(without(state.tainted, effects.destination), effects.destination),
    laterStores: state.laterStores || addressDepends,
    annotated: state.annotated || marked,
    stores,
  };
}

function behindFence(state: OrderState, { pred, succ, total }: NonNullable<InstructionEffects['fence']>): OrderState {
  let after = state.after;
  if (total) {
    if ((state.reached & classBit.read) !== 0) after |= memoryClasses;
    if ((state.reached & classBit.write) !== 0) after |= classBit.write;
  } else if ((pred & state.reached) !== 0) after |= succ;
  return after === state.after ? state : { ...state, after };
}

function without(set: RegisterSet, gone: RegisterSet): RegisterSet {
  return intersects(set, gone) ? { x: set.x & ~gone.x, f: set.f & ~gone.f } : set;
}

/**
 * `chained`: several fences or annotations may order the two, by way of accesses in between. `dependent`: only a dependency on a load in
 * between could. The steps of fences alone do not tell more.
 */
export type FenceVerdict = 'ordered' | 'chained' | 'dependent' | 'unordered';

/**
 * Whether the fences and annotations of a hart since `step` order a plain load or store of class `earlier` at that step before an access of
 * class `later` that comes now.
 */
export function orderedByFences(
  epochs: FenceEpochs,
  step: number,
  earlier: OrderClass,
  later: OrderClass,
): FenceVerdict {
  const since = (from: OrderClass, to: OrderClass): boolean =>
    (epochs.fence[orderClass[from]]?.[orderClass[to]] ?? -1) > step;
  if (since(earlier, later)) return 'ordered';
  // Classes of which some access in between may be ordered behind the earlier one.
  const chain = new Set<OrderClass>();
  for (let size = -1; size < chain.size;) {
    size = chain.size;
    for (const from of [earlier, ...chain]) for (const to of classes) if (since(from, to)) chain.add(to);
    // An atomic is a load and a store; a release is ordered behind everything, and an acquire before everything.
    const released = epochs.release > step;
    const acquired = epochs.acquire > step && (released || chain.has('read') || chain.has('write'));
    if (released || acquired) chain.add('read').add('write');
  }
  if (chain.has(later)) return 'chained';
  return earlier === 'read' || (chain.has('read') && later !== 'read') ? 'dependent' : 'unordered';
}

const classes: readonly OrderClass[] = ['input', 'output', 'read', 'write'];

/** One fence as it can be told apart by its step: `rw,w`. */
export interface SeenFence {
  readonly step: number;
  readonly pred: string;
  readonly succ: string;
}

const letters = ['i', 'o', 'r', 'w'] as const;

/** The fences of a hart since a step, as far as newer ones have not taken their place, oldest first. */
export function fencesSince({ fence }: FenceEpochs, step: number): readonly SeenFence[] {
  const pairs = new Map<number, { pred: Set<string>; succ: Set<string> }>();
  letters.forEach((pred, p) =>
    letters.forEach((succ, s) => {
      const at = fence[p]?.[s] ?? -1;
      if (at <= step) return;
      const seen = pairs.get(at) ?? { pred: new Set(), succ: new Set() };
      seen.pred.add(pred);
      seen.succ.add(succ);
      pairs.set(at, seen);
    }),
  );
  return [...pairs]
    .sort(([a], [b]) => a - b)
    .map(([at, { pred, succ }]) => ({ step: at, pred: [...pred].join(''), succ: [...succ].join('') }));
}
