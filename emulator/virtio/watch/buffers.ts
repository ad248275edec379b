// Watches the bytes that the device owns: which live chain has which stretch of memory, and what device-readable buffers held when they were
// published. Stores to buffers are not seen one by one, which would cost every store to their pages; what they leave behind is.
// [virtio 1.4, 3.3.1]
// Guarantees: the payload of block requests is not compared, since a page cache may legally change what is being written.
import type { SavedState } from '../../bus/access';
import type { GuestMemory } from '../../bus/memory';
import type { Cpu } from '../../cpu/contract';
import type { Chain, VirtioEvent } from '../../record/events';
import type { DriverEvent } from '../rules/rule';
import { deviceId } from '../spec/device-id';
import { copyOf } from './copy';
import type { DeviceState } from './state';

/** Where a hart's stack is. */
export type StackSource = Pick<Cpu, 'readX' | 'translate'>;

/** One buffer of a chain at the device. Guest-physical, end excluded. */
export interface LiveBuffer {
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
  readonly buffers: readonly LiveBuffer[];
  readonly kept: readonly Kept[];
}

export interface ChangedBuffer extends Kept {
  /** The first byte that changed. */
  readonly address: number;
  readonly before: number;
  readonly after: number;
}

/** What rules may ask. */
export interface BufferView {
  /** A buffer of these chains that shares bytes with one at the device, or with an earlier one of these, where either is device-writable. */
  overlap(device: string, queue: number, chains: readonly Chain[], published: DriverEvent): readonly [LiveBuffer, LiveBuffer] | undefined; // prettier-ignore
  /** A device-readable buffer of the oldest chain with this head that no longer holds what was published. */
  changed(device: string, queue: number, head: number): ChangedBuffer | undefined;
}

const pageBytes = 4096;
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
  /** Buffers by device and page, for overlaps; worked out anew after a restore. */
  private pages = new Map<string, Map<number, LiveBuffer[]>>();

  constructor(
    private readonly memory: GuestMemory,
    private readonly harts: StackSource | undefined,
  ) {}

  overlap(
    device: string,
    queue: number,
    chains: readonly Chain[],
    published: DriverEvent,
  ): readonly [LiveBuffer, LiveBuffer] | undefined {
    const fresh: LiveBuffer[] = [];
    for (const buffer of chains.flatMap((chain) => buffersOf(queue, chain, published))) {
      const meets = (other: LiveBuffer): boolean =>
        (other.deviceWritable || buffer.deviceWritable) && other.start < buffer.end && buffer.start < other.end;
      const live = pagesOf(buffer).flatMap((page) => this.pages.get(device)?.get(page) ?? []);
      const other = live.find(meets) ?? fresh.find(meets);
      if (other !== undefined) return [other, buffer];
      fresh.push(buffer);
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

  /** Takes an event into account. */
  note(state: DeviceState, event: VirtioEvent): void {
    const { name } = state.description;
    if (event.kind === 'publish') {
      for (const chain of event.chains) this.add(state, event.queue, chain, event);
    } else if (event.kind === 'used') {
      const chain = this.find(name, event.queue, event.head);
      if (chain !== undefined) this.remove(name, (one) => one === chain);
    } else if (event.kind === 'status-write' && event.value === 0) this.remove(name, () => true);
    else if (event.kind === 'queue-ready-write' && event.value === 0) this.remove(name, (one) => one.queue === event.queue); // prettier-ignore
  }

  save(): SavedState {
    return copyOf(this.devices);
  }
  restore(saved: SavedState): void {
    this.devices = copyOf(saved as Map<string, LiveChain[]>);
    this.pages.clear();
    for (const [device, chains] of this.devices) for (const { buffers } of chains) this.place(device, buffers);
  }

  private find(device: string, queue: number, head: number): LiveChain | undefined {
    return this.devices.get(device)?.find((chain) => chain.queue === queue && chain.head === head);
  }

  private add(state: DeviceState, queue: number, chain: Chain, published: DriverEvent): void {
    const { name, deviceId: id } = state.description;
    const all = buffersOf(queue, chain, published);
    const buffers = all.filter(({ start, end }) => this.memory.contains(start, end - start));
    const compared = buffers.filter(
      ({ deviceWritable, start, end }) =>
        !deviceWritable && (id !== deviceId.block || end - start <= blockHeaderBytes),
    );
    const stack = this.harts === undefined || compared.length === 0 ? undefined : this.stackOf(published.hart);
    const kept = compared.map((buffer) => ({
      buffer,
      bytes: [...this.memory.read(buffer.start, Math.min(comparedBytes, buffer.end - buffer.start))],
      onStack: stack !== undefined && buffer.start >= stack && buffer.start < stack + stackReach,
    }));
    const chains = this.devices.get(name) ?? [];
    this.devices.set(name, chains);
    chains.push({ queue, head: chain.head, buffers, kept });
    this.place(name, buffers);
  }

  /** Guest-physical address of a hart's stack pointer. */
  private stackOf(hart: number): number | undefined {
    const pointer = this.harts?.readX(hart, stackPointer);
    return pointer === undefined ? undefined : this.harts?.translate(hart, pointer);
  }

  private place(device: string, buffers: readonly LiveBuffer[]): void {
    const pages = this.pages.get(device) ?? new Map<number, LiveBuffer[]>();
    this.pages.set(device, pages);
    for (const buffer of buffers) {
      for (const page of pagesOf(buffer)) {
        const there = pages.get(page);
        if (there === undefined) pages.set(page, [buffer]);
        else there.push(buffer);
      }
    }
  }

  private remove(device: string, isGone: (chain: LiveChain) => boolean): void {
    const chains = this.devices.get(device);
    const pages = this.pages.get(device);
    if (chains === undefined || pages === undefined) return;
    for (const { buffers } of chains.filter(isGone)) {
      for (const buffer of buffers) {
        for (const page of pagesOf(buffer)) {
          const left = (pages.get(page) ?? []).filter((other) => other !== buffer);
          if (left.length === 0) pages.delete(page);
          else pages.set(page, left);
        }
      }
    }
    this.devices.set(
      device,
      chains.filter((chain) => !isGone(chain)),
    );
  }
}

function buffersOf(queue: number, { head, elements }: Chain, published: DriverEvent): LiveBuffer[] {
  return elements
    .filter(({ length }) => length > 0)
    .map(({ index, address, length, deviceWritable }) => {
      const start = Number(address);
      return { queue, head, index, start, end: start + length, deviceWritable, published };
    });
}

/** First and last pages of a very long buffer stand for it. */
const greatestPages = 64;

function pagesOf({ start, end }: LiveBuffer): readonly number[] {
  const first = Math.floor(start / pageBytes);
  const last = Math.floor((end - 1) / pageBytes);
  if (last - first >= greatestPages) return [first, last];
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
