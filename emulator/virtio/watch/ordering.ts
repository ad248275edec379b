// Watches the order in which a hart's accesses to a ring reach memory: asks the processor for its fences, and has it traced over the two
// stretches where the steps of fences are not enough. Rules ask here. [RISC-V unpriv. 17.1; virtio 1.4, 2.7.13, 2.7.14]
// Guarantees: accesses of different harts count as ordered; where nothing is known no rule is told `unordered`.
import type { SavedState } from '../../bus/access';
import type { GuestMemory } from '../../bus/memory';
import type { Cpu, OrderClass, TracedInstruction } from '../../cpu/contract';
import { fencesSince, type FenceVerdict, orderedByFences, type OrderedAccess } from '../../cpu/memory-order';
import type { DriverOrigin, RingFact, VirtioEvent } from '../../record/events';
import type { DriverEvent, View } from '../rules/rule';
import { eventFlag, offsetAndWrap, packedOffset } from '../spec/packed-ring';
import { descriptorBytes, usedOffset } from '../spec/split-ring';
import { copyOf } from './copy';
import { usesEventIdx } from './notification';
import {
  followSlot,
  followUsed,
  isOver,
  type SlotTrace,
  slotTrace,
  type Stretch,
  type StrayStore,
  type UsedTrace,
  usedTrace,
} from './ordering-trace';
import type { QueueState } from './queue-state';
import type { DeviceState } from './state';

/** What the processor tells about the order of accesses. */
export type OrderSource = Pick<Cpu, 'fenceEpochs' | 'lastFence' | 'trace' | 'effectsAt' | 'readX' | 'translate'>;

/** What rules may ask. `at` is the access that comes now: its hart, pc and step. */
export interface OrderingView {
  /** Whether an earlier access of class `from` is ordered before the one of class `to` that comes now. */
  verdict(earlier: DriverEvent, from: OrderClass, at: AccessNow, to: OrderClass): FenceVerdict;
  /** The fences of a hart since a step, as assembly. */
  fences(hart: number, step: number): readonly string[];
  /** Stores of the hart that are not ordered before the store that comes now, as far as they were traced. */
  unorderedStores(device: string, queue: number, at: AccessNow): readonly StrayStore[];
}

export interface AccessNow extends Pick<DriverOrigin, 'hart' | 'pc'> {
  readonly step: number;
}

/** A store to a slot is followed the first times, then now and then: what it leads to does not change any more. */
const alwaysFollowed = 64;
const laterFollowed = 16;

interface Saved {
  readonly traces: (UsedTrace | SlotTrace)[];
  readonly slotStores: ReadonlyMap<bigint, number>;
}

type Unordered = DriverOrigin & Extract<RingFact, { kind: 'unordered' }>;

export class OrderingWatch implements OrderingView {
  private traces: (UsedTrace | SlotTrace)[] = [];
  /** How often each store to a slot was executed, by its pc. */
  private slotStores = new Map<bigint, number>();

  constructor(
    private readonly harts: OrderSource | undefined,
    private readonly memory: GuestMemory,
  ) {}

  verdict(earlier: DriverEvent, from: OrderClass, at: AccessNow, to: OrderClass): FenceVerdict {
    const { harts } = this;
    if (harts === undefined || earlier.hart !== at.hart) return 'ordered';
    if (harts.lastFence(at.hart, from, to) > earlier.step) return 'ordered';
    const byFences = orderedByFences(harts.fenceEpochs(at.hart), earlier.step, from, to);
    if (byFences === 'ordered') return byFences;
    const inMemory = to === 'read' || to === 'write';
    if (inMemory && harts.effectsAt(at.hart, at.pc)?.release === true) return 'ordered';
    if (inMemory && harts.effectsAt(earlier.hart, earlier.pc)?.acquire === true) return 'ordered';
    if (byFences === 'unordered') return byFences;
    const trace = this.traces.find((one): one is SlotTrace => one.purpose === 'slot' && one.hart === at.hart);
    if (trace?.current?.step !== at.step || to !== 'write' || earlier.step > trace.origin.step) return byFences;
    if (trace.current.ordered) return 'ordered';
    return trace.origin.step === earlier.step ? 'unordered' : byFences;
  }

  fences(hart: number, step: number): readonly string[] {
    const epochs = this.harts?.fenceEpochs(hart);
    return epochs === undefined ? [] : fencesSince(epochs, step).map(({ pred, succ }) => `fence ${pred},${succ}`);
  }

  unorderedStores(device: string, queue: number, at: AccessNow): readonly StrayStore[] {
    const trace = this.slotTraceOf(device, queue);
    if (trace?.hart !== at.hart || trace.current?.step !== at.step || trace.current.release) return [];
    return trace.stores.filter((store) => store.step < at.step);
  }

  /** Takes an event into account; `state` is the one before it. `isJudged`: some rule may ask. */
  note(state: DeviceState, event: VirtioEvent, isJudged: boolean): void {
    if (this.harts === undefined || !('queue' in event) || event.queue === undefined) return;
    const queue = state.queues[event.queue];
    if (queue === undefined) return;
    if (event.kind === 'collect') this.followFromIndex(state, queue, event);
    else if (event.kind === 'publish') this.drop(this.slotTraceOf(event.device, queue.index));
    else if (event.kind === 'unordered') this.drop(this.usedTraceOf(event.device, queue.index));
    else if (event.kind === 'ring-store') {
      if (begins(queue, event)) {
        if (isJudged) this.followFromSlot(queue, event);
      } else if (queue.format === 'packed') notePackedWish(queue, event);
      else noteInterruptWish(state, queue, event);
    } else if (event.kind === 'ring-load') this.noteLook(queue, event);
  }

  /** A look at the used index that became no event because it repeats the one before. */
  noteRepeatedLook(
    queue: QueueState,
    fact: DriverOrigin & Extract<RingFact, { kind: 'ring-load' | 'ring-store' }>,
    step: number,
  ): void {
    const { looseRecheck, interruptWanted } = queue;
    if (looseRecheck === undefined || interruptWanted === undefined) return;
    const verdict = this.verdict(interruptWanted, 'write', { hart: fact.hart, pc: fact.pc, step }, 'read');
    if (verdict !== 'unordered') queue.looseRecheck = undefined;
  }

  /** The instruction a traced hart stands in front of: a fact where it loads too early. */
  traced(next: TracedInstruction): Unordered | undefined {
    const io = next.physicalAddress !== undefined && !this.memory.contains(next.physicalAddress, 1);
    let found: Unordered | undefined;
    for (const trace of this.traces) {
      if (trace.hart !== next.hart) continue;
      if (trace.purpose === 'slot') followSlot(trace, next, io);
      else {
        const early = followUsed(trace, next, io);
        if (early !== undefined) found ??= unordered(trace, early, next);
      }
    }
    // Dropping one replaces the list.
    for (const trace of this.traces) if (isOver(trace)) this.drop(trace);
    return found;
  }

  save(): SavedState {
    const saved: Saved = { traces: copyOf(this.traces), slotStores: new Map(this.slotStores) };
    return saved;
  }
  restore(state: SavedState): void {
    const saved = state as Saved;
    for (const { hart } of this.traces) this.harts?.trace(hart, false);
    this.traces = copyOf(saved.traces);
    this.slotStores = new Map(saved.slotStores);
    for (const { hart } of this.traces) this.harts?.trace(hart, true);
  }

  /** [virtio 1.4, 2.7.14, 2.8.22] */
  private followFromIndex(state: DeviceState, queue: QueueState, event: CollectEvent): void {
    this.drop(this.usedTraceOf(event.device, queue.index));
    const places = queue.format === 'packed' ? announcedPacked(queue) : announcedSplit(queue, event);
    const access = this.accessOf(event, places.index.start);
    if (access === undefined || access.effects.acquire) return;
    const { hart } = event;
    const common = { hart, device: state.description.name, queue: queue.index, origin: event };
    this.add(usedTrace(common, access, places));
  }

  /** [virtio 1.4, 2.7.13.3, 2.8.21] */
  private followFromSlot(queue: QueueState, event: DriverEvent & { readonly physicalAddress: number }): void {
    const { hart, device, pc } = event;
    const earlier = this.slotTraceOf(device, queue.index);
    // The descriptors of a packed list are one stretch, from the first store on.
    if (earlier !== undefined && queue.format === 'packed') return;
    this.drop(earlier);
    const count = this.slotStores.get(pc) ?? 0;
    this.slotStores.set(pc, count + 1);
    if (count >= alwaysFollowed && count % laterFollowed !== 0) return;
    const access = this.accessOf(event, event.physicalAddress);
    if (access !== undefined) this.add(slotTrace({ hart, device, queue: queue.index, origin: event }, access));
  }

  private accessOf({ hart, pc }: DriverOrigin, physicalAddress: number): OrderedAccess | undefined {
    const effects = this.harts?.effectsAt(hart, pc);
    return effects?.memory === undefined ? undefined : { effects, physicalAddress, io: false };
  }

  /** Interrupts were asked for, and the driver looks once more before it relies on them. [virtio 1.4, 2.7.7] */
  private noteLook(queue: QueueState, event: DriverEvent & { readonly kind: 'ring-load' | 'ring-store' }): void {
    if (!looksForUsed(queue, event.place)) return;
    const wish = queue.interruptWanted;
    const isLoose = wish !== undefined && this.verdict(wish, 'write', event, 'read') === 'unordered';
    queue.looseRecheck = isLoose ? event : undefined;
  }

  private slotTraceOf(device: string, queue: number): SlotTrace | undefined {
    return this.traces.find(
      (one): one is SlotTrace => one.purpose === 'slot' && one.device === device && one.queue === queue,
    );
  }
  private usedTraceOf(device: string, queue: number): UsedTrace | undefined {
    return this.traces.find(
      (one): one is UsedTrace => one.purpose === 'used' && one.device === device && one.queue === queue,
    );
  }

  private add(trace: UsedTrace | SlotTrace): void {
    this.traces.push(trace);
    this.harts?.trace(trace.hart, true);
  }
  private drop(trace: UsedTrace | SlotTrace | undefined): void {
    if (trace === undefined) return;
    this.traces = this.traces.filter((one) => one !== trace);
    if (!this.traces.some(({ hart }) => hart === trace.hart)) this.harts?.trace(trace.hart, false);
  }
}

type RingAccess = DriverEvent & { readonly kind: 'ring-load' | 'ring-store' };

/** Whether a store begins what the next publish exposes: of a slot of the available ring, or of a descriptor of a packed ring. */
function begins({ format }: QueueState, { place }: RingAccess): boolean {
  if (format === 'packed') return place.part === 'descriptor' && place.table === undefined;
  return place.part === 'available' && place.field === 'ring';
}

/** Whether this is where the driver sees that something was used. */
function looksForUsed({ format, size, collectedIndex }: QueueState, place: RingAccess['place']): boolean {
  if (format === 'split') return place.part === 'used' && place.field === 'idx';
  return place.part === 'descriptor' && place.field === 'flags' && place.table === undefined && place.index === collectedIndex % size; // prettier-ignore
}

type CollectEvent = VirtioEvent & DriverOrigin & { readonly kind: 'collect' };

type Announced = Pick<UsedTrace, 'index' | 'entries' | 'buffers'>;

/** The used descriptor and the device-writable buffers that the flags of a used descriptor announced. */
function announcedPacked(queue: View<QueueState>): Announced {
  const at = queue.descriptorArea + (queue.collectedIndex % queue.size) * descriptorBytes;
  const index = { start: at + packedOffset.flags, end: at + packedOffset.flags + 2 };
  const entries = [{ start: at + packedOffset.len, end: at + packedOffset.flags }];
  return { index, entries, buffers: writableBuffers(queue, queue.usedPositions.slice(0, 1)) };
}

/** Used entries and device-writable buffers that a load of the used index announced. */
function announcedSplit(queue: View<QueueState>, { before, after }: CollectEvent): Announced {
  const index = { start: queue.deviceArea + usedOffset.idx, end: queue.deviceArea + usedOffset.idx + 2 };
  const count = Math.min((after - before) & 0xffff, queue.size);
  const entries = Array.from({ length: count }, (_, i) => {
    const start = queue.deviceArea + usedOffset.id(((before + i) & 0xffff) % queue.size);
    return { start, end: start + 8 };
  });
  const given = queue.usedPositions.slice(0, Math.max(0, queue.usedPositions.length - ((queue.usedIndex - after) & 0xffff))); // prettier-ignore
  return { index, entries, buffers: writableBuffers(queue, given) };
}

function writableBuffers(queue: View<QueueState>, positions: readonly (number | undefined)[]): readonly Stretch[] {
  return positions.flatMap((position) => {
    const chain = position === undefined ? undefined : queue.chains.get(position)?.chain;
    return (chain?.elements ?? [])
      .filter((element) => element.deviceWritable)
      .map(({ address, length }) => ({ start: Number(address), end: Number(address) + length }));
  });
}

/** Whether a store asks for an interrupt at the very next used descriptor. [virtio 1.4, 2.8.14] */
function notePackedWish(queue: QueueState, event: RingAccess): void {
  const { place } = event;
  if (place.part !== 'driver-event') return;
  if (place.field === 'desc') {
    if (Number(event.after) !== offsetAndWrap(queue.collectedIndex, queue.size)) return;
  } else if (Number(event.after) === eventFlag.DISABLE) {
    queue.interruptWanted = undefined;
    queue.looseRecheck = undefined;
    return;
  } else if (event.before === event.after) return;
  queue.interruptWanted = event;
  queue.looseRecheck = undefined;
}

/** Whether a store asks for an interrupt at the very next used entry. [virtio 1.4, 2.7.7.1] */
function noteInterruptWish(state: DeviceState, queue: QueueState, event: RingAccess): void {
  if (event.place.part !== 'available' || event.place.field === 'idx' || event.place.field === 'ring') return;
  const isEvent = event.place.field === 'used_event';
  if (isEvent !== usesEventIdx(state)) return;
  const asks = isEvent ? Number(event.after) === queue.collectedIndex : (event.after & 1n) === 0n && (event.before & 1n) === 1n; // prettier-ignore
  queue.interruptWanted = asks ? event : undefined;
  queue.looseRecheck = undefined;
}

function unordered(trace: UsedTrace, early: EarlyLoadOf, next: TracedInstruction): Unordered {
  return {
    kind: 'unordered',
    by: 'driver',
    hart: next.hart,
    pc: next.pc,
    device: trace.device,
    queue: trace.queue,
    ...early,
    earlierPc: trace.origin.pc,
    earlierStep: trace.origin.step,
    fences: trace.fences,
  };
}
type EarlyLoadOf = NonNullable<ReturnType<typeof followUsed>>;
