// The event log: the newest events of the virtio stream, bounded, with subscription.
// Guarantees: `index` of an event is its place in the whole stream, also after older ones were dropped.
import type { VirtioEvent } from './events';
import { FieldColumns } from './field-columns';

/** What an event counts against a log's capacity: 1, and 1 for each descriptor that it carries. */
export function weightOf(event: VirtioEvent): number {
  if (event.kind === 'publish') return event.chains.reduce((sum, chain) => sum + 1 + chain.elements.length, 1);
  return event.kind === 'fetch' ? 1 + event.chain.elements.length : 1;
}

/** Memory of one unit of weight: an object with about a dozen fields. */
const bytesOfEvent = 200;

export class EventLog {
  /** Circular: the event with index i stands at i modulo capacity, here or, if it is about a ring's field, in the columns. */
  private readonly cells: (VirtioEvent | undefined)[] = [];
  private readonly fields: FieldColumns;
  private nextIndex = 0;
  private firstIndex = 0;
  private weight = 0;
  private greatestWeight: number;
  private readonly listeners = new Set<(event: VirtioEvent) => void>();

  /** @param capacity how much is kept, as `weightOf` counts it; 1 or more. The newest event is kept whatever it weighs. */
  constructor(readonly capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`an event log needs a capacity of 1 or more events, found ${capacity}`);
    }
    this.greatestWeight = capacity;
    this.fields = new FieldColumns(capacity);
  }

  /** Index that the next event gets: the number of events of the whole stream. */
  get length(): number {
    return this.nextIndex;
  }
  /** Index of the oldest event still kept. */
  get first(): number {
    return this.firstIndex;
  }
  /** What the kept events take in memory, about. */
  get bytes(): number {
    return this.weight * bytesOfEvent;
  }
  /** Keeps less from now on: events of so many bytes, about. The capacity stays the bound. */
  limitTo(bytes: number): void {
    this.greatestWeight = Math.max(1, Math.min(this.capacity, Math.floor(bytes / bytesOfEvent)));
    while (this.weight > this.greatestWeight && this.firstIndex < this.nextIndex - 1) this.dropOldest();
  }
  get newest(): VirtioEvent | undefined {
    return this.at(this.nextIndex - 1);
  }

  /** Keeps an event whose `index` is `length`, and tells the subscribers. */
  append(event: VirtioEvent): void {
    if (event.index !== this.nextIndex) {
      throw new RangeError(`event ${event.index} does not follow the log's last event ${this.nextIndex - 1}`);
    }
    this.weight += weightOf(event);
    while (this.weight > this.greatestWeight && this.firstIndex < this.nextIndex) this.dropOldest();
    const cell = event.index % this.capacity;
    if (event.kind === 'ring-load' || event.kind === 'ring-store') {
      this.cells[cell] = undefined;
      this.fields.put(cell, event);
    } else {
      this.cells[cell] = event;
      this.fields.clear(cell);
    }
    this.nextIndex++;
    for (const listener of this.listeners) listener(event);
  }

  /** The event with this index; undefined when it was dropped or has not happened. */
  at(index: number): VirtioEvent | undefined {
    return index < this.firstIndex || index >= this.nextIndex ? undefined : this.inCell(index);
  }

  /** What was the event with this index before time travel went in front of it; undefined when it is not known any more. */
  ahead(index: number): VirtioEvent | undefined {
    return index < this.nextIndex ? undefined : this.inCell(index);
  }
  /** The run goes another way from here: what `ahead` knows does not happen. */
  forgetAhead(): void {
    for (let index = this.nextIndex; this.ahead(index) !== undefined; index++) {
      this.empty(index % this.capacity);
    }
  }

  /** The kept events with `from` <= index < `to`, oldest first. */
  slice(from: number = this.firstIndex, to: number = this.nextIndex): readonly VirtioEvent[] {
    const events: VirtioEvent[] = [];
    for (let index = Math.max(from, this.firstIndex); index < Math.min(to, this.nextIndex); index++) {
      const event = this.at(index);
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  /** Calls `listener` with each new event until the returned function is called. */
  subscribe(listener: (event: VirtioEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The next event gets index `length`, after time travel: kept events before it stay, as far as they are there. */
  goTo(length: number): void {
    this.firstIndex = length > this.nextIndex ? length : Math.min(this.firstIndex, length);
    this.nextIndex = length;
    this.weight = this.slice().reduce((sum, event) => sum + weightOf(event), 0);
  }

  private dropOldest(): void {
    const index = this.firstIndex++;
    const cell = index % this.capacity;
    const oldest = this.cells[cell];
    if (oldest?.index === index) this.weight -= weightOf(oldest);
    else if (this.fields.holds(cell, index)) this.weight--;
    else return;
    this.empty(cell);
  }

  /** Cells may still hold an event that was dropped long ago, or is ahead. */
  private inCell(index: number): VirtioEvent | undefined {
    const cell = index % this.capacity;
    const event = this.cells[cell];
    return event?.index === index ? event : this.fields.at(cell, index);
  }
  private empty(cell: number): void {
    this.cells[cell] = undefined;
    this.fields.clear(cell);
  }
}
