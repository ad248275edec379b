// The queues of one device as the driver sets them up: size, addresses, ready. [virtio 1.4, 2.6 and 4.2.2]
// Guarantees: what is written to a ready queue is dropped, so a ring in use never moves; a ring exists only where all of it is in RAM.
import type { GuestMemory } from '../bus/memory';
import type { DriverErrorKind } from './driver-error';
import { PackedQueue, type PackedQueueState } from './queue/packed';
import { areasOutsideMemory, type QueueAreas, type RingFormat } from './queue/ring';
import { SplitQueue, type SplitQueueState } from './queue/split';
import { legacyAlignment, legacyAreas } from './spec/split-ring';

export type CoreRing = SplitQueue | PackedQueue;

/** A queue as its registers describe it. */
export interface CoreQueue {
  readonly maximumSize: number;
  size: number;
  areas: QueueAreas;
  ready: boolean;
  /** Legacy interfaces: alignment of the used ring in bytes, and the page frame number that the driver wrote. */
  alignment: number;
  pageFrame: number;
  /** The driver resets the queue, and the device has not finished. */
  resetting: boolean;
  /** The ring, while ready and in RAM. */
  ring: CoreRing | undefined;
}

export type SavedQueues = readonly {
  readonly size: number;
  readonly areas: QueueAreas;
  readonly ready: boolean;
  readonly alignment: number;
  readonly pageFrame: number;
  readonly resetting: boolean;
  readonly ring: SplitQueueState | PackedQueueState | undefined;
}[];

/** Who has to know of what happens to queues. */
export interface QueueOwner {
  readonly name: string;
  readonly memory: GuestMemory;
  /** Queues that the driver can reach: administration virtqueues only with VIRTIO_F_ADMIN_VQ. */
  readonly reachableQueues: number;
  /** As negotiated; split before that. */
  readonly ringFormat: RingFormat;
  driverError(kind: DriverErrorKind, reason: string): unknown;
  queueStarted(index: number, ring: CoreRing): void;
  queueStopped(index: number): void;
}

export class CoreQueues {
  private queues: CoreQueue[];

  constructor(
    private readonly owner: QueueOwner,
    private readonly maximumSizes: readonly number[],
  ) {
    this.queues = maximumSizes.map(freshQueue);
  }

  /** Those that the driver can reach. */
  get count(): number {
    return this.owner.reachableQueues;
  }

  get(index: number): Readonly<CoreQueue> | undefined {
    return this.reach(index);
  }

  all(): readonly Readonly<CoreQueue>[] {
    return this.queues;
  }

  /** Back to the state after power-on. The owner stops what runs. */
  reset(): void {
    this.queues = this.maximumSizes.map(freshQueue);
  }

  /** What QueueReady will read after `value` is written; only 0 and 1 mean anything. */
  readyAfter(index: number, value: number): number {
    const queue = this.reach(index);
    if (queue === undefined) return 0;
    return value > 1 ? Number(queue.ready) : value;
  }

  writeReady(index: number, value: number): void {
    const queue = this.reach(index);
    if (queue === undefined || value > 1) {
      this.owner.driverError('register-write', `QueueReady of queue ${index} was written with ${value}`);
      return;
    }
    if ((value === 1) === queue.ready) return;
    if (value === 1) this.enable(index, queue);
    else this.stop(index, queue);
  }

  /** The queue goes nowhere any more; it stays ready until the reset is complete. Says whether there is anything to reset. [2.6.1.1] */
  startReset(index: number): boolean {
    const queue = this.reach(index);
    if (queue === undefined || queue.resetting) return false;
    queue.resetting = true;
    queue.ring = undefined;
    this.owner.queueStopped(index);
    return true;
  }

  /** The queue is as after power-on. */
  finishReset(index: number): void {
    const maximum = this.maximumSizes[index];
    if (maximum !== undefined) this.queues[index] = freshQueue(maximum);
  }

  /** The three areas that a page frame number would mean. */
  areasAt(index: number, pageFrame: number, pageBytes: number): QueueAreas {
    const { size = 0, alignment = legacyAlignment } = this.reach(index) ?? {};
    return legacyAreas(BigInt(pageFrame) * BigInt(pageBytes), size, alignment);
  }

  /** Legacy: places and enables a queue, or stops it with 0. A queue in use does not move. [4.1.5.1.3.1, 4.2.4] */
  writePageFrame(index: number, pageFrame: number, pageBytes: number): void {
    const queue = this.reach(index);
    if (queue === undefined || (queue.ready && pageFrame !== 0)) {
      const why = queue === undefined ? 'which does not exist' : 'which is in use';
      this.owner.driverError('register-write', `the page frame number of queue ${index} was written, ${why}`);
    } else if (pageFrame !== 0) {
      queue.areas = this.areasAt(index, pageFrame, pageBytes);
      queue.pageFrame = pageFrame;
      this.enable(index, queue);
    } else if (queue.ready) {
      queue.pageFrame = 0;
      this.stop(index, queue);
    }
  }

  /** Legacy mmio: bytes; dropped while the queue is in use. */
  writeAlignment(index: number, alignment: number): void {
    const queue = this.configurable(index, 'QueueAlign');
    if (queue !== undefined) queue.alignment = alignment;
  }

  /** Dropped when the size is 0 or above the maximum. */
  writeSize(index: number, size: number): void {
    const queue = this.configurable(index, 'QueueSize');
    if (queue === undefined) return;
    if (size === 0 || size > queue.maximumSize) {
      this.owner.driverError('register-write', `QueueSize ${size} is not between 1 and ${queue.maximumSize}`);
    } else queue.size = size;
  }

  /** Sets one half of an area's address. */
  writeAddress(index: number, area: keyof QueueAreas, half: 'low' | 'high', value: number): void {
    const queue = this.configurable(index, `an address of the ${area} area`);
    if (queue === undefined) return;
    const word = BigInt(value >>> 0);
    const now = queue.areas[area];
    const address = half === 'low' ? (now & ~0xffff_ffffn) | word : (now & 0xffff_ffffn) | (word << 32n);
    queue.areas = { ...queue.areas, [area]: address };
  }

  save(): SavedQueues {
    return this.queues.map(({ size, areas, ready, alignment, pageFrame, resetting, ring }) => ({
      size,
      areas: { ...areas },
      ready,
      alignment,
      pageFrame,
      resetting,
      ring: ring === undefined ? undefined : { ...ring.state },
    }));
  }

  restore(saved: SavedQueues): void {
    if (saved.length !== this.queues.length) {
      throw new Error(`${this.owner.name}: saved with ${saved.length} queues, the device has ${this.queues.length}`);
    }
    this.queues = saved.map(({ size, areas, ready, alignment, pageFrame, resetting, ring }, index) => ({
      maximumSize: this.maximumSizes[index] ?? 0,
      size,
      areas: { ...areas },
      ready,
      alignment,
      pageFrame,
      resetting,
      ring: ring === undefined ? undefined : this.restoredRing(ring),
    }));
  }

  /** Feature negotiation ended after queues were made ready: from now on they have the negotiated format. */
  formatNegotiated(): void {
    this.queues.forEach((queue, index) => {
      if (queue.ring === undefined || queue.ring.format === this.owner.ringFormat) return;
      queue.ring = undefined;
      this.owner.queueStopped(index);
      this.enable(index, queue);
    });
  }

  private restoredRing(state: SplitQueueState | PackedQueueState): CoreRing {
    const { memory } = this.owner;
    return state.format === 'packed' ? new PackedQueue(memory, { ...state }) : new SplitQueue(memory, { ...state });
  }

  private reach(index: number): CoreQueue | undefined {
    return index < this.count ? this.queues[index] : undefined;
  }

  private configurable(index: number, what: string): CoreQueue | undefined {
    const queue = this.reach(index);
    if (queue !== undefined && !queue.ready) return queue;
    const why = queue === undefined ? 'which does not exist' : 'which is ready';
    this.owner.driverError('register-write', `${what} was written for queue ${index}, ${why}`);
    return undefined;
  }

  private stop(index: number, queue: CoreQueue): void {
    queue.ready = false;
    queue.ring = undefined;
    this.owner.queueStopped(index);
  }

  private enable(index: number, queue: CoreQueue): void {
    const { memory, ringFormat } = this.owner;
    queue.ready = true;
    const outside = areasOutsideMemory(memory, queue.areas, queue.size, ringFormat);
    if (outside.length > 0) {
      const reason = `of queue ${index} the ${outside.join(', ')} area is not in RAM`;
      this.owner.driverError('queue-outside-memory', reason);
      return;
    }
    const ring = ringFormat === 'packed' ? PackedQueue : SplitQueue;
    queue.ring = ring.enabled(memory, queue.areas, queue.size);
    this.owner.queueStarted(index, queue.ring);
  }
}

function freshQueue(maximumSize: number): CoreQueue {
  return {
    maximumSize,
    size: maximumSize,
    areas: { descriptor: 0n, available: 0n, used: 0n },
    ready: false,
    alignment: legacyAlignment,
    pageFrame: 0,
    resetting: false,
    ring: undefined,
  };
}
