// The buffers that a device has in flight: in the order of fetching, and in the order in which they are to be given back.
// [virtio 1.4, 2.7.9, 2.7.14]
import type { BufferPiece } from './device/interface';
import { copyInFlight, type InFlight, totalLength } from './in-flight';
import type { Chain } from '../record/events';

export interface SavedInFlight {
  readonly nextId: number;
  readonly inFlight: readonly InFlight[];
  readonly completing: readonly number[];
}

export class InFlightList {
  private nextId = 1;
  private byId = new Map<number, InFlight>();
  /** Records whose used entry is due, in the order in which they finish. */
  private completing: number[] = [];

  add(
    queue: number,
    { head, position, packed }: Chain,
    pieces: { readable: BufferPiece[]; writable: BufferPiece[] },
    now: number,
  ): InFlight {
    const record: InFlight = {
      id: this.nextId++,
      queue,
      head,
      position,
      descriptors: packed?.descriptors ?? 1,
      state: 'fetched',
      fetchedAt: now,
      due: undefined,
      ...pieces,
      description: undefined,
      status: undefined,
      written: undefined,
      batched: false,
      writes: [],
    };
    this.byId.set(record.id, record);
    return record;
  }

  get(id: number): InFlight | undefined {
    return this.byId.get(id);
  }

  holds(record: InFlight): boolean {
    return this.byId.get(record.id) === record;
  }

  /** In the order of fetching. */
  of(queue: number): InFlight[] {
    return [...this.byId.values()].filter((record) => record.queue === queue);
  }
  /** What the device has of a queue and has not finished, in the order of availability. */
  unreturned(queue: number): InFlight[] {
    return this.of(queue).filter(({ batched }) => !batched);
  }

  remove({ id }: InFlight): void {
    this.byId.delete(id);
  }
  removeQueue(queue: number): void {
    for (const [id, record] of this.byId) if (record.queue === queue) this.byId.delete(id);
    this.completing = this.completing.filter((id) => this.byId.has(id));
  }
  clear(): void {
    this.byId.clear();
    this.completing = [];
  }

  /** Its result is known: it finishes behind those that are due no later. */
  finishAt(record: InFlight, due: number): void {
    record.due = due;
    let place = this.completing.length;
    while (place > 0 && (this.byId.get(this.completing[place - 1] ?? 0)?.due ?? 0) > due) place--;
    this.completing.splice(place, 0, record.id);
  }

  /** Lets the first of a queue that is not due yet finish now, before all others; says whether there is one. */
  hurry(queue: number | undefined, now: number): boolean {
    const id = this.completing.find((one) => queue === undefined || this.byId.get(one)?.queue === queue);
    const record = id === undefined ? undefined : this.byId.get(id);
    if (id === undefined || record?.due === undefined || record.due <= now) return false;
    record.due = now;
    this.completing = [id, ...this.completing.filter((other) => other !== id)];
    return true;
  }

  /** It is being given back. */
  leave({ id }: InFlight): void {
    this.completing = this.completing.filter((other) => other !== id);
  }

  /** The buffer whose turn it is; with VIRTIO_F_IN_ORDER the oldest of its queue only. [2.7.9] */
  next(now: number, inOrder: boolean): InFlight | undefined {
    const isDue = (record: InFlight | undefined): record is InFlight => record?.due !== undefined && record.due <= now;
    if (!inOrder) {
      const first = this.byId.get(this.completing[0] ?? 0);
      return isDue(first) ? first : undefined;
    }
    return this.completing
      .map((id) => this.byId.get(id))
      .filter(isDue)
      .find((record) => this.unreturned(record.queue)[0]?.id === record.id);
  }

  /**
   * With VIRTIO_F_IN_ORDER one used entry may stand for all that are due: those it leaves out count as completely written. [2.7.9, 2.8.8]
   */
  joinsBatch(record: InFlight, now: number): boolean {
    if (record.written !== totalLength(record.writable)) return false;
    const [, next] = this.unreturned(record.queue);
    return next?.due !== undefined && next.due <= now;
  }

  /** Whether anything has a result that its driver does not know yet, or is being worked on. */
  isBusy(): boolean {
    return this.completing.length > 0 || this.has('processing');
  }
  has(state: InFlight['state']): boolean {
    return [...this.byId.values()].some((record) => record.state === state);
  }

  save(): SavedInFlight {
    return {
      nextId: this.nextId,
      inFlight: [...this.byId.values()].map(copyInFlight),
      completing: [...this.completing],
    };
  }
  restore(saved: SavedInFlight): void {
    this.nextId = saved.nextId;
    this.byId = new Map(saved.inFlight.map((record) => [record.id, copyInFlight(record)]));
    this.completing = [...saved.completing];
  }
}
