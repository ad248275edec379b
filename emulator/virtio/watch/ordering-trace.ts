// What a hart's instructions order, followed one by one over two short stretches: from a load of the used index that showed something new to
// the first look at what it announced, and from the store of an available-ring slot to the store of the index that publishes it.
// [RISC-V unpriv. 17.1; virtio 1.4, 2.7.13.3, 2.7.14]
// Guarantees: plain data; following the same instruction twice, as after a stop in front of it, changes no answer.
import type { TracedInstruction } from '../../cpu/contract';
import type { InstructionEffects } from '../../cpu/effects';
import {
  advance,
  alsoFrom,
  classBit,
  isOrdered,
  type OrderedAccess,
  orderFrom,
  type OrderState,
} from '../../cpu/memory-order';
import type { DriverEvent } from '../rules/rule';

/** Bytes of memory, guest-physical, end excluded. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

interface Trace {
  readonly hart: number;
  readonly device: string;
  readonly queue: number;
  /** The access from which it is followed. */
  readonly origin: DriverEvent;
  order: OrderState;
  /** Instructions that are still followed; then nothing is known any more. */
  left: number;
  /** Fences met, as assembly. */
  fences: string[];
}

/** From a load of the used index. */
export interface UsedTrace extends Trace {
  readonly purpose: 'used';
  readonly index: Stretch;
  readonly entries: readonly Stretch[];
  readonly buffers: readonly Stretch[];
}

export interface StrayStore {
  readonly pc: bigint;
  readonly step: number;
  readonly start: number;
  readonly end: number;
}

/** From a store to an available-ring slot. */
export interface SlotTrace extends Trace {
  readonly purpose: 'slot';
  /** Stores of the hart behind its newest fence for stores. */
  stores: StrayStore[];
  /** The instruction that is about to be executed, and whether it is ordered behind the origin. */
  current: { readonly step: number; readonly ordered: boolean; readonly release: boolean } | undefined;
}

/** A load that may return what memory held before the used index moved. */
export interface EarlyLoad {
  readonly target: 'used-entry' | 'buffer';
  readonly physicalAddress: number;
}

const greatestLength = { used: 400, slot: 200 } as const;
/** Stores kept of a stretch; a driver has few between its last fence and the index. */
const greatestStores = 64;

type Common = Pick<Trace, 'hart' | 'device' | 'queue' | 'origin'>;

export function usedTrace(
  common: Common,
  access: OrderedAccess,
  places: Pick<UsedTrace, 'index' | 'entries' | 'buffers'>,
): UsedTrace {
  return { purpose: 'used', ...common, ...places, order: orderFrom(access), left: greatestLength.used, fences: [] };
}

export function slotTrace(common: Common, access: OrderedAccess): SlotTrace {
  return { purpose: 'slot', ...common, order: orderFrom(access), left: greatestLength.slot, fences: [], stores: [], current: undefined }; // prettier-ignore
}

/** Whether nothing more can come of following it. */
export function isOver(trace: UsedTrace | SlotTrace): boolean {
  return trace.left <= 0 || (trace.purpose === 'used' && (trace.order.after & classBit.read) !== 0);
}

/** Follows the next instruction; an answer means that it is a load too early, and that it was not followed. */
export function followUsed(trace: UsedTrace, next: TracedInstruction, io: boolean): EarlyLoad | undefined {
  const access: OrderedAccess = { effects: next.effects, physicalAddress: next.physicalAddress, io };
  const at = loadedStretch(next);
  if (at !== undefined && !io) {
    if (overlaps(at, trace.index)) {
      trace.order = alsoFrom(trace.order, access);
      trace.left--;
      return undefined;
    }
    if (!isOrdered(trace.order, access)) {
      if (trace.entries.some((entry) => overlaps(at, entry)))
        return { target: 'used-entry', physicalAddress: at.start };
      if (trace.buffers.some((buffer) => overlaps(at, buffer))) return { target: 'buffer', physicalAddress: at.start };
    }
  }
  step(trace, access);
  return undefined;
}

export function followSlot(trace: SlotTrace, next: TracedInstruction, io: boolean): void {
  const { effects, physicalAddress } = next;
  const access: OrderedAccess = { effects, physicalAddress, io };
  trace.current = { step: next.step, ordered: isOrdered(trace.order, access), release: effects.release };
  const { memory, fence } = effects;
  if (fence !== undefined && (fence.pred & fence.succ & classBit.write) !== 0) trace.stores = [];
  if (memory !== undefined && !isLoad(effects) && !io && physicalAddress !== undefined) {
    trace.stores = [...trace.stores.slice(1 - greatestStores), { pc: next.pc, step: next.step, start: physicalAddress, end: physicalAddress + memory.bytes }]; // prettier-ignore
  }
  step(trace, access);
}

export function overlaps(a: Stretch, b: Stretch): boolean {
  return a.start < b.end && b.start < a.end;
}

export function fenceText(pred: number, succ: number): string {
  const set = (bits: number): string => ['i', 'o', 'r', 'w'].filter((_, i) => (bits & (8 >> i)) !== 0).join('');
  return `fence ${set(pred)},${set(succ)}`;
}

function step(trace: UsedTrace | SlotTrace, access: OrderedAccess): void {
  const { fence } = access.effects;
  if (fence !== undefined) {
    trace.fences = [...trace.fences, fence.total ? 'fence.tso' : fenceText(fence.pred, fence.succ)];
  }
  trace.order = advance(trace.order, access);
  trace.left--;
}

function isLoad({ memory }: InstructionEffects): boolean {
  return memory?.kind === 'load' || memory?.kind === 'load-reserved';
}

function loadedStretch({ effects, physicalAddress }: TracedInstruction): Stretch | undefined {
  const { memory } = effects;
  if (memory === undefined || physicalAddress === undefined) return undefined;
  const loads = isLoad(effects) || memory.kind === 'atomic';
  return loads ? { start: physicalAddress, end: physicalAddress + memory.bytes } : undefined;
}
