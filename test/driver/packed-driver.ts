// A scripted driver of packed rings that keeps to the specification: every step is a method of its own, so that a violating twin differs
// in one step only. Positions count descriptors from the moment the queue was enabled. [virtio 1.4, 2.8]
import { feature, featureSet } from '../../emulator/virtio/spec/feature';
import {
  availableBits,
  eventFlag,
  eventOffset,
  lapBits,
  offsetAndWrap,
  packedBytes,
  packedOffset,
  passesEvent,
  usedBits,
} from '../../emulator/virtio/spec/packed-ring';
import { descriptorBytes, descriptorFlag } from '../../emulator/virtio/spec/split-ring';
import type { Bench } from './bench';
import { type DriverOptions, type DriverQueue, type Piece, ScriptedDriver } from './driver';

export const packedFeatures = featureSet(feature.VERSION_1, feature.RING_PACKED);

/** A chain between publish and collect. */
interface Outstanding {
  readonly descriptors: number;
}

/** What the driver keeps of a queue beside `DriverQueue`, whose indices are positions here. */
interface PackedState {
  readonly outstanding: Map<number, Outstanding>;
  readonly freeIds: number[];
  /** Flags of the first descriptor of the chain that was written last; they publish it. */
  headFlags: number;
  /** Position of that descriptor. */
  head: number;
  /** Position after the chain that was written last. */
  next: number;
}

export class PackedDriver extends ScriptedDriver {
  private readonly states = new Map<number, PackedState>();

  constructor(bench: Bench, options: DriverOptions = {}) {
    super(bench, { ...options, features: (options.features ?? 0n) | packedFeatures });
  }

  state(queue: DriverQueue): PackedState {
    const state = this.states.get(queue.index);
    if (state === undefined) throw new Error(`queue ${queue.index} is not set up`);
    return state;
  }

  override setUpQueue(index: number, change: Partial<DriverQueue> = {}): DriverQueue {
    const queue = super.setUpQueue(index, change);
    this.states.set(index, {
      outstanding: new Map(),
      freeIds: Array.from({ length: queue.size }, (_, id) => id),
      headFlags: 0,
      head: 0,
      next: 0,
    });
    return queue;
  }
  /** The ring is zeroed, so that no descriptor seems available or used. [2.8.1] */
  override clearRings({ descriptors, available, used, size }: DriverQueue): void {
    for (let at = descriptors; at < descriptors + packedBytes.descriptor(size); at += 8) this.bench.store(at, 8, 0);
    this.bench.store(available, 4, 0);
    this.bench.store(used, 4, 0);
  }

  // Buffers. [2.8.21]

  freeDescriptors(queue: DriverQueue): number {
    return queue.size - (queue.availableIndex - queue.lastUsed);
  }

  /** Writes a list into the next slots, all but the flags of its first descriptor. Returns its buffer id. */
  override addChain(queue: DriverQueue, pieces: readonly Piece[]): number {
    const id = this.allocate(queue);
    this.begin(queue, id, pieces.length);
    pieces.forEach((piece, i) => {
      const isLast = i === pieces.length - 1;
      const flags = (isLast ? 0 : descriptorFlag.NEXT) | (piece.deviceWritable === true ? descriptorFlag.WRITE : 0);
      this.writeElement(queue, queue.availableIndex + i, piece, id, flags);
    });
    return id;
  }
  override addIndirectChain(queue: DriverQueue, pieces: readonly Piece[], table: number): number {
    pieces.forEach((piece, i) => {
      const at = table + i * descriptorBytes;
      this.bench.store(at + packedOffset.addr, 8, piece.address);
      this.bench.store(at + packedOffset.len, 4, piece.length);
      this.bench.store(at + packedOffset.id, 2, 0);
      this.bench.store(at + packedOffset.flags, 2, piece.deviceWritable === true ? descriptorFlag.WRITE : 0);
    });
    const id = this.allocate(queue);
    this.begin(queue, id, 1);
    const whole = { address: table, length: pieces.length * descriptorBytes };
    this.writeElement(queue, queue.availableIndex, whole, id, descriptorFlag.INDIRECT);
    return id;
  }
  override allocate(queue: DriverQueue): number {
    const id = this.state(queue).freeIds.shift();
    if (id === undefined) throw new Error(`queue ${queue.index} has no free buffer id`);
    return id;
  }
  protected begin(queue: DriverQueue, id: number, descriptors: number): void {
    const state = this.state(queue);
    state.outstanding.set(id, { descriptors });
    state.head = queue.availableIndex;
    state.next = queue.availableIndex + descriptors;
  }
  /** One descriptor at a position; the flags of the list's first one wait for `publish`. */
  writeElement(queue: DriverQueue, position: number, piece: Piece, id: number, flags: number): void {
    const at = this.descriptorAt(queue, position);
    const all = flags | availableBits(position, queue.size);
    this.bench.store(at + packedOffset.addr, 8, piece.address);
    this.bench.store(at + packedOffset.len, 4, piece.length);
    this.bench.store(at + packedOffset.id, 2, id);
    const state = this.state(queue);
    if (position === state.head) state.headFlags = all;
    else this.bench.store(at + packedOffset.flags, 2, all);
  }
  descriptorAt(queue: DriverQueue, position: number): number {
    return queue.descriptors + (position % queue.size) * descriptorBytes;
  }

  /** Makes the list that was written last available, by the flags of its first descriptor. */
  override publish(queue: DriverQueue): void {
    const state = this.state(queue);
    this.orderStores();
    this.storeFlags(queue, state.head, state.headFlags);
    queue.availableIndex = state.next;
  }
  storeFlags(queue: DriverQueue, position: number, flags: number): void {
    this.bench.store(this.descriptorAt(queue, position) + packedOffset.flags, 2, flags);
  }

  override isNotificationWanted(queue: DriverQueue): boolean {
    this.orderCheck();
    const word = this.ram(queue.used, 4);
    const flags = (word >>> 16) & 3;
    const old = queue.notifiedIndex;
    queue.notifiedIndex = queue.availableIndex;
    if (flags !== eventFlag.DESC) return flags === eventFlag.ENABLE;
    return passesEvent(word & 0xffff, queue.availableIndex, old, queue.size);
  }

  override hasUsed(queue: DriverQueue): boolean {
    const flags = this.ram(this.descriptorAt(queue, queue.lastUsed) + packedOffset.flags, 2, pollPc);
    return (flags & lapBits) === usedBits(queue.lastUsed, queue.size);
  }
  /** Takes the used descriptor back; returns its buffer id. */
  override collect(queue: DriverQueue): number {
    this.orderUsed();
    const at = this.descriptorAt(queue, queue.lastUsed);
    const id = this.ram(at + packedOffset.id, 2);
    this.usedLength = this.ram(at + packedOffset.len, 4);
    const { outstanding, freeIds } = this.state(queue);
    if (!outstanding.has(id)) throw new Error(`buffer id ${id} came back, which is not outstanding`);
    // One used descriptor stands for all up to the one that it names. [2.8.8]
    for (const [each, { descriptors }] of outstanding) {
      if (each !== id && !this.isInOrder) continue;
      outstanding.delete(each);
      freeIds.push(each);
      queue.lastUsed += descriptors;
      if (each === id) break;
    }
    return id;
  }
  override outstanding(queue: DriverQueue): number {
    return this.state(queue).outstanding.size;
  }
  protected override nextPlace(queue: DriverQueue): number {
    return offsetAndWrap(queue.availableIndex, queue.size);
  }

  // Interrupt suppression. [2.8.14]

  wantInterrupts(queue: DriverQueue, flags: number): void {
    this.bench.store(queue.available + eventOffset.flags, 2, flags);
  }
  wantInterruptAt(queue: DriverQueue, position: number): void {
    this.bench.store(queue.available + eventOffset.desc, 2, offsetAndWrap(position, queue.size));
    this.bench.store(queue.available + eventOffset.flags, 2, eventFlag.DESC);
  }
}

/** All turns of a waiting loop execute the same load. */
const pollPc = 0x9000_0000n;
