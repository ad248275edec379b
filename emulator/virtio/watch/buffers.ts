// Watches the bytes that the device is to read: what device-readable buffers held when they were published. Stores to buffers are not
// seen one by one, which would cost every store to their pages; what they leave behind is.
// [virtio 1.4, 3.3.1]
// Guarantees: the payload of block requests is not compared, since a page cache may legally change what is being written.
import type { SavedState } from '../../bus/access';
import type { GuestMemory } from '../../bus/memory';
import type { Cpu } from '../../cpu/contract';
import type { Chain, VirtioEvent } from '../../record/events';
import { bytesOfArea } from '../queue/ring';
import type { DriverEvent, View } from '../rules/rule';
import { deviceId } from '../spec/device-id';
import { descriptorBytes } from '../spec/split-ring';
import { copyOf } from './copy';
import type { QueueState } from './queue-state';
import type { DeviceState } from './state';

/** Where a hart's stack is. */
export type StackSource = Pick<Cpu, 'readX' | 'translate'>;

/** One buffer of a chain at the device. Guest-physical, end excluded. */
export interface LiveBuffer {
  readonly device: string;
  readonly queue: number;
  readonly head: number;
  /** Index of its descriptor in its table. */
  readonly index: number;
  readonly start: number;
  readonly end: number;
  readonly deviceWritable: boolean;
  readonly published: DriverEvent;
}

interface Kept {
  readonly buffer: LiveBuffer;
  /** Its first bytes when it was published. */
  readonly bytes: readonly number[];
  /** It lay above the stack pointer of the hart that published it, in the same stack. */
  readonly onStack: boolean;
}

interface LiveChain {
  readonly queue: number;
  readonly head: number;
  readonly kept: readonly Kept[];
  /** All its buffers, and the indirect tables that describe them. */
  readonly buffers: readonly LiveBuffer[];
  /** Where the stack of the hart that published it ended; undefined where that is not known. */
  readonly stack: number | undefined;
  readonly published: DriverEvent;
}

export interface ChangedBuffer extends Kept {
  /** The first byte that changed. */
  readonly address: number;
  readonly before: number;
  readonly after: number;
}

/** Bytes handed over, and whose they are already: another buffer's, or a ring's. */
export interface Overlap {
  readonly own: LiveBuffer;
  readonly other: LiveBuffer | LiveRing;
}

/** An area of a ready queue. Guest-physical, end excluded. */
export interface LiveRing {
  readonly device: string;
  readonly queue: number;
  readonly area: 'descriptor' | 'driver' | 'device';
  readonly start: number;
  readonly end: number;
  readonly deviceWritable: boolean;
}

/** What rules may ask. */
export interface BufferView {
  /** A buffer of these chains that shares bytes with what a device has, or with an earlier one of these, where either is device-writable. */
  overlap(device: string, queue: number, chains: readonly Chain[], published: DriverEvent): Overlap | undefined;
  /** A device-readable buffer of the oldest chain with this head that no longer holds what was published. */
  changed(device: string, queue: number, head: number): ChangedBuffer | undefined;
  /** The publish of the oldest chain with this head, and whether it had what lies at `address` on its stack. */
  published(device: string, queue: number, head: number, address: number): PublishedBuffer | undefined;
}

export interface PublishedBuffer {
  readonly event: DriverEvent;
  readonly onStack: boolean;
}

/** Bytes of a buffer that are compared. */
const comparedBytes = 64;
/** A buffer of more bytes is payload where it belongs to a block request. */
const blockHeaderBytes = 16;
/** How far above the stack pointer a frame may lie. */
const stackReach = 16 * 1024;
const stackPointer = 2;

export class BufferWatch implements BufferView {
  /** By device; chains in the order of their publishing. */
  private devices = new Map<string, LiveChain[]>();
  /** Buffers at any device by page; worked out anew after a restore. */
  private readonly pages = new Map<number, LiveBuffer[]>();

  constructor(
    private readonly memory: GuestMemory,
    private readonly harts: StackSource | undefined,
    private readonly states: () => Iterable<View<DeviceState>> = () => [],
  ) {}

  overlap(device: string, queue: number, chains: readonly Chain[], published: DriverEvent): Overlap | undefined {
    const fresh: LiveBuffer[] = [];
    const rings = this.rings();
    for (const chain of chains) {
      for (const own of buffersOf(device, queue, chain, published)) {
        const other = meeting(own, fresh) ?? this.meetingPlaced(own) ?? meeting(own, rings);
        if (other !== undefined) return { own, other };
        fresh.push(own);
      }
    }
    return undefined;
  }

  changed(device: string, queue: number, head: number): ChangedBuffer | undefined {
    for (const kept of this.find(device, queue, head)?.kept ?? []) {
      const { start } = kept.buffer;
      const now = this.memory.read(start, kept.bytes.length);
      const at = kept.bytes.findIndex((byte, i) => byte !== now[i]);
      if (at >= 0) return { ...kept, address: start + at, before: kept.bytes[at] ?? 0, after: now[at] ?? 0 };
    }
    return undefined;
  }

  published(device: string, queue: number, head: number, address: number): PublishedBuffer | undefined {
    const chain = this.find(device, queue, head);
    return chain && { event: chain.published, onStack: isOnStack(chain.stack, address) };
  }

  /** Takes an event into account. */
  note(state: DeviceState, event: VirtioEvent): void {
    const { name } = state.description;
    if (event.kind === 'publish') {
      for (const chain of event.chains) this.add(state, event.queue, chain, event);
    } else if (event.kind === 'used') {
      this.giveBack(name, event.queue, event.head, event.batch ?? 1);
    } else if (event.kind === 'status-write' && event.value === 0) this.remove(name, () => true);
    else if (event.kind === 'queue-reset-done' || (event.kind === 'queue-ready-write' && event.value === 0))
      this.remove(name, (one) => one.queue === event.queue);
  }

  save(): SavedState {
    return copyOf(this.devices);
  }
  restore(saved: SavedState): void {
    this.devices = copyOf(saved as Map<string, LiveChain[]>);
    this.pages.clear();
    for (const chains of this.devices.values())
      for (const { buffers } of chains) for (const each of buffers) this.place(each);
  }

  private find(device: string, queue: number, head: number): LiveChain | undefined {
    return this.devices.get(device)?.find((chain) => chain.queue === queue && chain.head === head);
  }

  /** With VIRTIO_F_IN_ORDER one used entry may stand for several chains: the last of them, and those published before it. [2.7.9] */
  private giveBack(device: string, queue: number, head: number, batch: number): void {
    const last = this.find(device, queue, head);
    if (last === undefined) return;
    if (batch === 1) {
      this.remove(device, (chain) => chain === last);
      return;
    }
    const own = (this.devices.get(device) ?? []).filter((chain) => chain.queue === queue);
    const end = own.indexOf(last) + 1;
    const returned = own.slice(Math.max(0, end - batch), end);
    this.remove(device, (chain) => returned.includes(chain));
  }

  private add(state: DeviceState, queue: number, chain: Chain, published: DriverEvent): void {
    const { name, deviceId: id } = state.description;
    const all = buffersOf(name, queue, chain, published);
    const buffers = all.filter(({ start, end }) => this.memory.contains(start, end - start));
    const compared = buffers.filter(
      ({ deviceWritable, start, end, index }) =>
        index >= 0 && !deviceWritable && (id !== deviceId.block || end - start <= blockHeaderBytes),
    );
    const stack = this.harts === undefined ? undefined : this.stackOf(published.hart);
    const kept = compared.map((buffer) => ({
      buffer,
      bytes: [...this.memory.read(buffer.start, Math.min(comparedBytes, buffer.end - buffer.start))],
      onStack: isOnStack(stack, buffer.start),
    }));
    const chains = this.devices.get(name) ?? [];
    this.devices.set(name, chains);
    chains.push({ queue, head: chain.head, kept, buffers, stack, published });
    for (const buffer of buffers) this.place(buffer);
  }

  /** Guest-physical address of a hart's stack pointer. */
  private stackOf(hart: number): number | undefined {
    const pointer = this.harts?.readX(hart, stackPointer);
    return pointer === undefined ? undefined : this.harts?.translate(hart, pointer);
  }

  private remove(device: string, isGone: (chain: LiveChain) => boolean): void {
    const chains = this.devices.get(device);
    if (chains === undefined) return;
    const left = chains.filter((chain) => !isGone(chain));
    if (left.length === chains.length) return;
    for (const { buffers } of chains.filter(isGone)) for (const buffer of buffers) this.displace(buffer);
    this.devices.set(device, left);
  }

  /** The first buffer that a device has already and that shares bytes with this one, page by page. */
  private meetingPlaced(own: LiveBuffer): LiveBuffer | undefined {
    for (const page of pagesOf(own)) {
      const there = this.pages.get(page);
      const other = there === undefined ? undefined : meeting(own, there);
      if (other !== undefined) return other;
    }
    return undefined;
  }

  /** The areas of every ready queue. */
  private rings(): readonly LiveRing[] {
    const rings: LiveRing[] = [];
    for (const { description, queues } of this.states()) {
      for (const queue of queues) if (queue.ready) rings.push(...ringsOf(description.name, queue));
    }
    return rings;
  }

  private place(buffer: LiveBuffer): void {
    for (const page of pagesOf(buffer)) {
      const there = this.pages.get(page);
      if (there === undefined) this.pages.set(page, [buffer]);
      else there.push(buffer);
    }
  }

  private displace(buffer: LiveBuffer): void {
    for (const page of pagesOf(buffer)) {
      const there = this.pages.get(page);
      if (there === undefined) continue;
      if (there.length === 1) this.pages.delete(page);
      else there.splice(there.indexOf(buffer), 1);
    }
  }
}

/** The first of these that shares bytes with a buffer, where either is device-writable. */
function meeting<T extends Pick<LiveBuffer, 'start' | 'end' | 'deviceWritable'>>(
  own: LiveBuffer,
  others: readonly T[],
): T | undefined {
  for (const other of others) {
    if (other.start < own.end && own.start < other.end && (other.deviceWritable || own.deviceWritable)) return other;
  }
  return undefined;
}

function isOnStack(stack: number | undefined, address: number): boolean {
  return stack !== undefined && address >= stack && address < stack + stackReach;
}

function buffersOf(device: string, queue: number, chain: Chain, published: DriverEvent): LiveBuffer[] {
  const { head } = chain;
  const buffers: LiveBuffer[] = [];
  for (const { index, address, length, deviceWritable } of chain.elements) {
    if (length === 0) continue;
    const start = Number(address);
    buffers.push({ device, queue, head, index, start, end: start + length, deviceWritable, published });
  }
  // A table is no buffer: it has no descriptor of its own.
  for (const { address: start, entries } of chain.tables) {
    const end = start + entries * descriptorBytes;
    buffers.push({ device, queue, head, index: tableIndex, start, end, deviceWritable: false, published });
  }
  return buffers;
}

/** Stands for the index of what an indirect table lies in. */
export const tableIndex = -1;

function ringsOf(device: string, queue: View<QueueState>): readonly LiveRing[] {
  const { format, size, index } = queue;
  return ringAreas.map(({ area, name, at }) => {
    const start = queue[at];
    const deviceWritable = area === 'device' || (area === 'descriptor' && format === 'packed');
    return { device, queue: index, area, start, end: start + bytesOfArea(format, name, size), deviceWritable };
  });
}

const ringAreas = [
  { area: 'descriptor', name: 'descriptor', at: 'descriptorArea' },
  { area: 'driver', name: 'available', at: 'driverArea' },
  { area: 'device', name: 'used', at: 'deviceArea' },
] as const;

const pageBytes = 4096;
/** First and last pages of a very long buffer stand for it. */
const greatestPages = 64;

function pagesOf({ start, end }: LiveBuffer): readonly number[] {
  const first = Math.floor(start / pageBytes);
  const last = Math.floor((end - 1) / pageBytes);
  if (first === last) return [first];
  if (last - first >= greatestPages) return [first, last];
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
