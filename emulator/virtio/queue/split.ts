// The device's side of one split virtqueue: what it reads of the available ring and what it writes into the used ring.
// Knows no transport and no device type. [virtio 1.4, 2.7]
// Guarantees: nothing is read or written unless all three areas lie in RAM; guest values never make it throw.
import type { GuestMemory } from '../../bus/memory';
import type { Chain } from '../../record/events';
import { availableFlag, availableOffset, needsEvent, usedFlag, usedOffset } from '../spec/split-ring';
import { walkChain } from './chain';
import type {
  DeviceRing,
  InterruptDecision,
  Pending,
  QueueAreas,
  Returned,
  RingFeatures,
  RingInspection,
  Suppression,
} from './ring';

/** Everything that changes while a queue runs; plain data. */
export interface SplitQueueState {
  readonly format: 'split';
  readonly size: number;
  readonly descriptor: number;
  readonly available: number;
  readonly used: number;
  lastAvailable: number;
  usedIndex: number;
  /** Used index at the last decision about an interrupt; undefined before the first. */
  signalledUsed: number | undefined;
  seenAvailableFlags: number | undefined;
  seenUsedEvent: number | undefined;
  writtenUsedFlags: number;
  writtenAvailableEvent: number | undefined;
}

export class SplitQueue implements DeviceRing {
  readonly format = 'split';

  constructor(
    private readonly memory: GuestMemory,
    readonly state: SplitQueueState,
  ) {}

  /** A queue just enabled. The areas must lie in RAM (`areasOutsideMemory` is empty). */
  static enabled(memory: GuestMemory, areas: QueueAreas, size: number): SplitQueue {
    return new SplitQueue(memory, {
      format: 'split',
      size,
      descriptor: Number(areas.descriptor),
      available: Number(areas.available),
      used: Number(areas.used),
      lastAvailable: 0,
      usedIndex: 0,
      signalledUsed: undefined,
      seenAvailableFlags: undefined,
      seenUsedEvent: undefined,
      writtenUsedFlags: 0,
      writtenAvailableEvent: undefined,
    });
  }

  get size(): number {
    return this.state.size;
  }

  get inspection(): RingInspection {
    const { lastAvailable, usedIndex, seenAvailableFlags, seenUsedEvent, writtenUsedFlags, writtenAvailableEvent } =
      this.state;
    return { lastAvailable, usedIndex, seenAvailableFlags, seenUsedEvent, writtenUsedFlags, writtenAvailableEvent };
  }

  pending(): Pending {
    const { available, lastAvailable, size } = this.state;
    const availableIndex = this.memory.read16(available + availableOffset.idx);
    const count = (availableIndex - lastAvailable) & 0xffff;
    if (count === 0) return { kind: 'none' };
    return count > size ? { kind: 'impossible', availableIndex, lastAvailable } : { kind: 'entries', count };
  }

  take(features: RingFeatures): Chain {
    const { available, descriptor, lastAvailable, size } = this.state;
    const slot = lastAvailable % size;
    const head = this.memory.read16(available + availableOffset.ring(slot));
    this.state.lastAvailable = (lastAvailable + 1) & 0xffff;
    return walkChain(
      { memory: this.memory, descriptorAddress: descriptor, queueSize: size, indirect: features.indirect },
      { head, slot, position: lastAvailable },
    );
  }

  skipToAvailable(): void {
    this.state.lastAvailable = this.memory.read16(this.state.available + availableOffset.idx);
  }

  /** Writes one used element, then the index that exposes it. [2.7.8.2] */
  putUsed({ head, advance }: Returned, length: number): { slot: number; usedIndex: number } {
    const { used, usedIndex, size } = this.state;
    const slot = usedIndex % size;
    this.memory.write32(used + usedOffset.id(slot), head);
    this.memory.write32(used + usedOffset.len(slot), length);
    const next = (usedIndex + advance) & 0xffff;
    this.memory.write16(used + usedOffset.idx, next);
    this.state.usedIndex = next;
    return { slot, usedIndex: next };
  }

  /** Whether the driver wants to hear of what was used since the last decision. [2.7.7.2] */
  decideInterrupt(features: RingFeatures): InterruptDecision {
    const { state, memory } = this;
    if (!features.eventIdx) {
      const flags = memory.read16(state.available + availableOffset.flags);
      state.seenAvailableFlags = flags;
      return { wanted: (flags & availableFlag.NO_INTERRUPT) === 0, because: 'flags' };
    }
    const event = memory.read16(state.available + availableOffset.usedEvent(state.size));
    const old = state.signalledUsed;
    state.seenUsedEvent = event;
    state.signalledUsed = state.usedIndex;
    return { wanted: old === undefined || needsEvent(event, state.usedIndex, old), because: 'used_event' };
  }

  /**
   * Tells the driver whether to notify. With EVENT_IDX there is no flag: silence is kept by leaving avail_event behind, so asking for
   * silence writes nothing. [2.7.10.2]
   */
  tellNotifications(wanted: boolean, features: RingFeatures): Suppression | undefined {
    const { state, memory } = this;
    if (features.eventIdx) {
      if (!wanted) return undefined;
      memory.write16(state.used + usedOffset.availEvent(state.size), state.lastAvailable);
      state.writtenAvailableEvent = state.lastAvailable;
      return { field: 'avail_event', value: state.lastAvailable };
    }
    const value = wanted ? 0 : usedFlag.NO_NOTIFY;
    memory.write16(state.used + usedOffset.flags, value);
    state.writtenUsedFlags = value;
    return { field: 'flags', value };
  }
}
