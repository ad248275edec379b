// Loads and stores of ring fields in columns of numbers: by far the most frequent events, of which a log keeps very many, and hardly
// anybody looks at one. An event is made again when somebody does.
// Guarantees: what comes back equals what was put in; a host's collector of garbage finds nothing to walk in a full log.
import type { DriverOrigin, EventStamp, RingFact, RingPlace } from './events';

export type FieldEvent = EventStamp & DriverOrigin & Extract<RingFact, { kind: 'ring-load' | 'ring-store' }>;

const flag = { store: 1, partial: 2, acquire: 4, release: 8 } as const;

/** Numbers for things of which there are few. */
class Names<T> {
  private readonly numbers = new Map<T, number>();
  private readonly all: T[] = [];

  numberOf(name: T): number {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    this.numbers.set(name, this.all.length);
    return this.all.push(name) - 1;
  }
  at(number: number): T | undefined {
    return this.all[number];
  }
}

/** One cell of each holds one event. */
interface Columns {
  /** Plus 1, so that 0 is an empty cell. */
  readonly indices: Float64Array;
  readonly steps: Float64Array;
  readonly times: Float64Array;
  readonly addresses: Float64Array;
  readonly pcs: BigUint64Array;
  readonly befores: BigUint64Array;
  readonly afters: BigUint64Array;
  readonly harts: Uint16Array;
  readonly devices: Uint16Array;
  readonly queues: Uint16Array;
  readonly flags: Uint8Array;
}

function columnsOf(cells: number): Columns {
  return {
    indices: new Float64Array(cells),
    steps: new Float64Array(cells),
    times: new Float64Array(cells),
    addresses: new Float64Array(cells),
    pcs: new BigUint64Array(cells),
    befores: new BigUint64Array(cells),
    afters: new BigUint64Array(cells),
    harts: new Uint16Array(cells),
    devices: new Uint16Array(cells),
    queues: new Uint16Array(cells),
    flags: new Uint8Array(cells),
  };
}

function grown(old: Columns, cells: number): Columns {
  const columns = columnsOf(cells);
  columns.indices.set(old.indices);
  columns.steps.set(old.steps);
  columns.times.set(old.times);
  columns.addresses.set(old.addresses);
  columns.pcs.set(old.pcs);
  columns.befores.set(old.befores);
  columns.afters.set(old.afters);
  columns.harts.set(old.harts);
  columns.devices.set(old.devices);
  columns.queues.set(old.queues);
  columns.flags.set(old.flags);
  return columns;
}

const firstCells = 1024;

export class FieldColumns {
  private columns: Columns;
  private readonly places: (RingPlace | undefined)[] = [];
  private readonly devices = new Names<string>();

  /** @param capacity most cells there will be; memory is taken as they are used */
  constructor(private readonly capacity: number) {
    this.columns = columnsOf(Math.min(capacity, firstCells));
  }

  put(cell: number, event: FieldEvent): void {
    const cells = this.columns.flags.length;
    if (cell >= cells) this.columns = grown(this.columns, Math.min(this.capacity, Math.max(2 * cells, cell + 1)));
    const { columns } = this;
    columns.indices[cell] = event.index + 1;
    columns.steps[cell] = event.step;
    columns.times[cell] = event.virtualNanoseconds;
    columns.addresses[cell] = event.physicalAddress;
    columns.pcs[cell] = event.pc;
    columns.befores[cell] = event.before;
    columns.afters[cell] = event.after;
    columns.harts[cell] = event.hart;
    columns.devices[cell] = this.devices.numberOf(event.device);
    columns.queues[cell] = event.queue;
    columns.flags[cell] =
      (event.kind === 'ring-store' ? flag.store : 0) |
      (event.partial ? flag.partial : 0) |
      (event.acquire ? flag.acquire : 0) |
      (event.release ? flag.release : 0);
    while (this.places.length < cell) this.places.push(undefined);
    this.places[cell] = event.place;
  }

  /** The event with this index, if the cell holds it. */
  at(cell: number, index: number): FieldEvent | undefined {
    const { columns } = this;
    const place = this.places[cell];
    const device = this.devices.at(columns.devices[cell] ?? 0);
    if (columns.indices[cell] !== index + 1 || place === undefined || device === undefined) return undefined;
    const flags = columns.flags[cell] ?? 0;
    return {
      kind: (flags & flag.store) !== 0 ? 'ring-store' : 'ring-load',
      by: 'driver',
      hart: columns.harts[cell] ?? 0,
      pc: columns.pcs[cell] ?? 0n,
      device,
      queue: columns.queues[cell] ?? 0,
      place,
      physicalAddress: columns.addresses[cell] ?? 0,
      before: columns.befores[cell] ?? 0n,
      after: columns.afters[cell] ?? 0n,
      partial: (flags & flag.partial) !== 0,
      acquire: (flags & flag.acquire) !== 0,
      release: (flags & flag.release) !== 0,
      index,
      step: columns.steps[cell] ?? 0,
      virtualNanoseconds: columns.times[cell] ?? 0,
    };
  }

  holds(cell: number, index: number): boolean {
    return this.columns.indices[cell] === index + 1;
  }

  clear(cell: number): void {
    if (cell < this.columns.flags.length) this.columns.indices[cell] = 0;
  }
}
