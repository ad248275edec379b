// The device's side of one packed virtqueue: what it reads of the descriptor ring, and the used descriptors it writes over it.
// Knows no transport and no device type. [virtio 1.4, 2.8]
// Guarantees: nothing is read or written unless all three areas lie in RAM; guest values never make it throw.
import type { GuestMemory } from '../../bus/memory';
import type { Chain } from '../../record/events';
import {
  availableBits,
  eventFlag,
  eventOffset,
  lapBits,
  offsetAndWrap,
  packedOffset,
  passesEvent,
  usedBits,
} from '../spec/packed-ring';
import { descriptorBytes, descriptorFlag } from '../spec/split-ring';
import { walkPackedChain } from './chain';
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

/** Everything that changes while a queue runs; plain data. Positions count descriptors since the queue was enabled. */
export interface PackedQueueState {
  readonly format: 'packed';
  readonly size: number;
  readonly descriptor: number;
  readonly driver: number;
  readonly device: number;
  lastAvailable: number;
  usedIndex: number;
  /** Used position at the last decision about an interrupt. */
  signalledUsed: number;
  seenDriverFlags: number | undefined;
  seenDriverDesc: number | undefined;
  writtenFlags: number;
  writtenDesc: number | undefined;
}

export class PackedQueue implements DeviceRing {
  readonly format = 'packed';

  constructor(
    private readonly memory: GuestMemory,
    readonly state: PackedQueueState,
  ) {}

  /** A queue just enabled. The areas must lie in RAM (`areasOutsideMemory` is empty). */
  static enabled(memory: GuestMemory, areas: QueueAreas, size: number): PackedQueue {
    return new PackedQueue(memory, {
      format: 'packed',
      size,
      descriptor: Number(areas.descriptor),
      driver: Number(areas.available),
      device: Number(areas.used),
      lastAvailable: 0,
      usedIndex: 0,
      signalledUsed: 0,
      seenDriverFlags: undefined,
      seenDriverDesc: undefined,
      writtenFlags: eventFlag.ENABLE,
      writtenDesc: undefined,
    });
  }

  get size(): number {
    return this.state.size;
  }

  get inspection(): RingInspection {
    const { lastAvailable, usedIndex, seenDriverFlags, seenDriverDesc, writtenFlags, writtenDesc } = this.state;
    return {
      lastAvailable,
      usedIndex,
      seenAvailableFlags: seenDriverFlags,
      seenUsedEvent: seenDriverDesc,
      writtenUsedFlags: writtenFlags,
      writtenAvailableEvent: writtenDesc,
    };
  }

  /** Only a changed AVAIL flag makes a descriptor the device's. [2.8.15] */
  pending(): Pending {
    const { lastAvailable, size } = this.state;
    const flags = this.memory.read16(this.descriptorAt(lastAvailable) + packedOffset.flags);
    const isAvailable = (flags & lapBits) === availableBits(lastAvailable, size);
    return isAvailable ? { kind: 'entries', count: 1 } : { kind: 'none' };
  }

  take(features: RingFeatures): Chain {
    const { descriptor, lastAvailable, size } = this.state;
    const chain = walkPackedChain(
      { memory: this.memory, descriptorAddress: descriptor, queueSize: size, indirect: features.indirect },
      lastAvailable,
    );
    this.state.lastAvailable = lastAvailable + (chain.packed?.descriptors ?? 1);
    return chain;
  }

  /** A packed ring has no index that could be impossible. */
  skipToAvailable(): void {
    this.state.lastAvailable += 1;
  }

  /** The flags are written last: they are what exposes the rest. Only the first descriptor of a list is written. [2.8.7] */
  putUsed({ head, advance, writable }: Returned, length: number): { slot: number; usedIndex: number } {
    const { usedIndex, size } = this.state;
    const at = this.descriptorAt(usedIndex);
    this.memory.write16(at + packedOffset.id, head & 0xffff);
    this.memory.write32(at + packedOffset.len, length);
    const flags = usedBits(usedIndex, size) | (writable ? descriptorFlag.WRITE : 0);
    this.memory.write16(at + packedOffset.flags, flags);
    const slot = usedIndex % size;
    this.state.usedIndex = usedIndex + advance;
    return { slot, usedIndex: this.state.usedIndex };
  }

  decideInterrupt(features: RingFeatures): InterruptDecision {
    const { state, memory } = this;
    const flags = memory.read16(state.driver + eventOffset.flags) & 3;
    const desc = memory.read16(state.driver + eventOffset.desc);
    const old = state.signalledUsed;
    state.seenDriverFlags = flags;
    state.seenDriverDesc = desc;
    state.signalledUsed = state.usedIndex;
    const because = 'driver event suppression';
    if (flags === eventFlag.DISABLE) return { wanted: false, because };
    if (flags !== eventFlag.DESC || !features.eventIdx) return { wanted: true, because };
    return { wanted: passesEvent(desc, state.usedIndex, old, state.size), because };
  }

  /** With EVENT_IDX the place is written before the flags that make it count. [2.8.14] */
  tellNotifications(wanted: boolean, features: RingFeatures): Suppression | undefined {
    const { state, memory } = this;
    if (wanted && features.eventIdx) {
      const desc = offsetAndWrap(state.lastAvailable, state.size);
      memory.write16(state.device + eventOffset.desc, desc);
      memory.write16(state.device + eventOffset.flags, eventFlag.DESC);
      state.writtenDesc = desc;
      state.writtenFlags = eventFlag.DESC;
      return { field: 'desc', value: desc };
    }
    const value = wanted ? eventFlag.ENABLE : eventFlag.DISABLE;
    memory.write16(state.device + eventOffset.flags, value);
    state.writtenFlags = value;
    return { field: 'flags', value };
  }

  private descriptorAt(position: number): number {
    return this.state.descriptor + (position % this.state.size) * descriptorBytes;
  }
}
