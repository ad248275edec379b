// What only the past tells: counts, latencies, earlier laps and the last requests of each device, read once from the event stream.
// A history keeps up with its log: each picture costs only the events since the picture before it.
import type { VirtioEvent } from '../../../emulator/record/events';
import { ownDescriptors } from '../../../emulator/virtio/watch/chains';
import type { EventLog } from '../../../emulator/record/log';

/** One way of a chain through the ring. Times are virtual nanoseconds. */
export interface RequestRecord {
  /** Free-running available index. */
  readonly position: number;
  readonly head: number;
  readonly published: number;
  fetched: number | undefined;
  used: number | undefined;
  collected: boolean;
  description: string | undefined;
  status: string | undefined;
}

export interface QueueHistory {
  /** Chains published, and notifications of the queue. */
  published: number;
  notified: number;
  indirectTables: number;
  longestTable: number;
  availEventLoads: number;
  usedEventStores: number;
  /** From publish to used, newest last. */
  readonly latencies: number[];
  /** In flight after each change, newest last. */
  readonly changes: { readonly at: number; readonly inFlight: number }[];
  /** Newest last. */
  readonly requests: RequestRecord[];
  lastUsed: number | undefined;
  /**
   * Descriptors whose address, length or flags were stored and that were not published since. A store to `next` alone does not count:
   * drivers keep their free list there.
   */
  readonly filling: Set<number>;
}

/** The time between two device resets. */
export interface Lap {
  /** The reset that began it; undefined for the first one after power-on. */
  readonly reset: VirtioEvent | undefined;
  /** Every status bit that was set in it. */
  bits: number;
  /** The write that set the last one. */
  last: VirtioEvent | undefined;
}

export interface DeviceHistory {
  readonly laps: Lap[];
  /** Configuration fields that the driver read since the last reset, and the newest read of each. */
  fieldsRead: Map<string, VirtioEvent>;
  /** The first status read after FEATURES_OK was written in this lap. */
  featuresReread: VirtioEvent | undefined;
  raised: number;
  suppressed: number;
  acknowledged: number;
  lastRaised: VirtioEvent | undefined;
  touched: boolean;
  readonly queues: Map<number, QueueHistory>;
}

const longestMemory = 128;
const featuresOk = 8;

function freshDevice(): DeviceHistory {
  return {
    laps: [{ reset: undefined, bits: 0, last: undefined }],
    fieldsRead: new Map(),
    featuresReread: undefined,
    raised: 0,
    suppressed: 0,
    acknowledged: 0,
    lastRaised: undefined,
    touched: false,
    queues: new Map(),
  };
}

function freshQueue(): QueueHistory {
  return {
    published: 0,
    notified: 0,
    indirectTables: 0,
    longestTable: 0,
    availEventLoads: 0,
    usedEventStores: 0,
    latencies: [],
    changes: [],
    requests: [],
    lastUsed: undefined,
    filling: new Set(),
  };
}

function keep<Item>(list: Item[], item: Item): void {
  list.push(item);
  if (list.length > longestMemory) list.splice(0, list.length - longestMemory);
}

export class EventHistory {
  private readonly devices = new Map<string, DeviceHistory>();
  private absorbed = 0;
  /** Events that were dropped from the log before they were read: counts are then lower bounds. */
  missed = 0;

  device(name: string): DeviceHistory {
    let device = this.devices.get(name);
    if (device === undefined) this.devices.set(name, (device = freshDevice()));
    return device;
  }

  queue(name: string, index: number): QueueHistory {
    const { queues } = this.device(name);
    let queue = queues.get(index);
    if (queue === undefined) queues.set(index, (queue = freshQueue()));
    return queue;
  }

  /** Reads what is new in the log; after time travel it begins again. */
  catchUp(log: EventLog): void {
    if (log.length < this.absorbed) {
      this.devices.clear();
      this.absorbed = 0;
      this.missed = 0;
    }
    if (this.absorbed < log.first) {
      this.missed += log.first - this.absorbed;
      this.absorbed = log.first;
    }
    for (; this.absorbed < log.length; this.absorbed++) {
      const event = log.at(this.absorbed);
      if (event?.device !== undefined) this.absorb(this.device(event.device), event);
    }
  }

  private absorb(device: DeviceHistory, event: VirtioEvent): void {
    if (event.by === 'driver') device.touched = true;
    switch (event.kind) {
      case 'status-write':
        noteStatus(device, event);
        return;
      case 'status-read':
        if (((device.laps.at(-1)?.bits ?? 0) & featuresOk) !== 0) device.featuresReread ??= event;
        return;
      case 'config-read':
        if (event.field !== undefined) device.fieldsRead.set(event.field, event);
        return;
      case 'interrupt':
        if (event.outcome === 'suppressed') device.suppressed++;
        else device.raised++;
        if (event.outcome === 'raised') device.lastRaised = event;
        return;
      case 'interrupt-acknowledge':
        device.acknowledged++;
        return;
      default:
        if ('queue' in event && event.queue !== undefined) noteRing(this.queue(event.device, event.queue), event);
    }
  }
}

function noteStatus(device: DeviceHistory, event: VirtioEvent & { readonly kind: 'status-write' }): void {
  const lap = device.laps.at(-1);
  if (event.value === 0) {
    keep(device.laps, { reset: event, bits: 0, last: undefined });
    device.fieldsRead = new Map();
    device.featuresReread = undefined;
    for (const queue of device.queues.values()) {
      for (const request of queue.requests) request.collected = true;
      queue.filling.clear();
      keep(queue.changes, { at: event.virtualNanoseconds, inFlight: 0 });
    }
  } else if (lap !== undefined) {
    if ((event.after & ~lap.bits) !== 0) lap.last = event;
    lap.bits |= event.after;
  }
}

function noteRing(queue: QueueHistory, event: VirtioEvent): void {
  const at = event.virtualNanoseconds;
  switch (event.kind) {
    case 'publish':
      for (const chain of event.chains) {
        queue.published++;
        queue.indirectTables += chain.tables.length;
        for (const table of chain.tables) queue.longestTable = Math.max(queue.longestTable, table.entries);
        for (const index of ownDescriptors(chain)) queue.filling.delete(index);
        keep(queue.requests, {
          position: chain.position,
          head: chain.head,
          published: at,
          fetched: undefined,
          used: undefined,
          collected: false,
          description: undefined,
          status: undefined,
        });
      }
      noteChange(queue, at, event.chains.length);
      return;
    case 'notify':
      queue.notified++;
      return;
    case 'fetch': {
      const request = queue.requests.filter((each) => each.position === event.chain.position).at(-1);
      if (request !== undefined) request.fetched = at;
      return;
    }
    case 'request': {
      const request = queue.requests.filter((each) => each.head === event.head && each.used === undefined).at(-1);
      if (request !== undefined) {
        request.description = event.description;
        request.status = event.status;
      }
      return;
    }
    case 'used': {
      queue.lastUsed = at;
      const open = queue.requests.filter((each) => each.used === undefined);
      const last = open.findIndex((each) => each.head === event.head);
      // With VIRTIO_F_IN_ORDER one entry may give several back.
      const batch = event.batch ?? 1;
      for (const request of last < 0 ? [] : open.slice(Math.max(0, last - batch + 1), last + 1)) {
        request.used = at;
        keep(queue.latencies, at - request.published);
      }
      noteChange(queue, at, -batch);
      return;
    }
    case 'collect':
      for (const request of queue.requests) if (request.used !== undefined) request.collected = true;
      return;
    case 'ring-load':
      if (event.place.part === 'used' && event.place.field === 'avail_event') queue.availEventLoads++;
      return;
    case 'ring-store':
      if (event.place.part === 'available' && event.place.field === 'used_event') queue.usedEventStores++;
      if (event.place.part === 'descriptor' && event.place.table === undefined && event.place.field !== 'next') {
        queue.filling.add(event.place.index);
      }
      return;
    default:
  }
}

function noteChange(queue: QueueHistory, at: number, by: number): void {
  keep(queue.changes, { at, inFlight: Math.max(0, (queue.changes.at(-1)?.inFlight ?? 0) + by) });
}

const histories = new WeakMap<EventLog, EventHistory>();

/** The history of a log, up to now. One log has one history. */
export function historyOf(log: EventLog): EventHistory {
  let history = histories.get(log);
  if (history === undefined) histories.set(log, (history = new EventHistory()));
  history.catchUp(log);
  return history;
}

/** The middle of the known latencies in nanoseconds, or undefined. */
export function medianLatency(queue: QueueHistory): number | undefined {
  const sorted = [...queue.latencies].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

const windows = [40e3, 400e3, 4e6, 40e6, 400e6, 4e9];
const samples = 40;

/** Requests in flight over the shortest usual window that shows some thirty changes, sampled evenly. Empty when nothing changed. */
export function activityOf(
  queue: QueueHistory,
  now: number,
): { readonly windowNanoseconds: number; readonly samples: readonly number[] } {
  const { changes } = queue;
  const thirtieth = changes.at(-30) ?? changes[0];
  if (thirtieth === undefined) return { windowNanoseconds: 0, samples: [] };
  const windowNanoseconds = windows.find((each) => now - each <= thirtieth.at) ?? 4e9;
  const from = now - windowNanoseconds;
  let at = 0;
  const values: number[] = [];
  let value = 0;
  for (let sample = 0; sample < samples; sample++) {
    const until = from + ((sample + 1) * windowNanoseconds) / samples;
    let most = -1;
    for (let change = changes[at]; change !== undefined && change.at <= until; change = changes[++at]) {
      value = change.inFlight;
      if (change.at >= until - windowNanoseconds / samples) most = Math.max(most, value);
    }
    values.push(Math.max(value, most));
  }
  return { windowNanoseconds, samples: values };
}
