// Watches the bytes that the device is to read: what device-readable buffers held when they were published. Stores to buffers are not
// seen one by one, which would cost every store to their pages; what they leave behind is.
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
  /** A device-readable buffer of the oldest chain with this head that no longer holds what was published. */
  changed(device: string, queue: number, head: number): ChangedBuffer | undefined;
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

  constructor(
    private readonly memory: GuestMemory,
    private readonly harts: StackSource | undefined,
  ) {}

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
  }

  private find(device: string, queue: number, head: number): LiveChain | undefined {
    return this.devices.get(device)?.find((chain) => chain.queue === queue && chain.head === head);
  }

  /** With VIRTIO_F_IN_ORDER one used entry may stand for several chains: the last of them, and those published before it. [2.7.9] */
  private giveBack(device: string, queue: number, head: number, batch: number): void {
    const last = this.find(device, queue, head);
    if (last === undefined) return;
    const own = (this.devices.get(device) ?? []).filter((chain) => chain.queue === queue);
    const end = own.indexOf(last) + 1;
    const returned = own.slice(Math.max(0, end - batch), end);
    this.remove(device, (chain) => returned.includes(chain));
  }

  private add(state: DeviceState, queue: number, chain: Chain, published: DriverEvent): void {
    const { name, deviceId: id } = state.description;
    const all = buffersOf(queue, chain, published);
    const buffers = all.filter(({ start, end }) => this.memory.contains(start, end - start));
    const compared = buffers.filter(
      ({ deviceWritable, start, end }) => !deviceWritable && (id !== deviceId.block || end - start <= blockHeaderBytes),
    );
    const stack = this.harts === undefined || compared.length === 0 ? undefined : this.stackOf(published.hart);
    const kept = compared.map((buffer) => ({
      buffer,
      bytes: [...this.memory.read(buffer.start, Math.min(comparedBytes, buffer.end - buffer.start))],
      onStack: stack !== undefined && buffer.start >= stack && buffer.start < stack + stackReach,
    }));
    const chains = this.devices.get(name) ?? [];
    this.devices.set(name, chains);
    chains.push({ queue, head: chain.head, kept });
  }

  /** Guest-physical address of a hart's stack pointer. */
  private stackOf(hart: number): number | undefined {
    const pointer = this.harts?.readX(hart, stackPointer);
    return pointer === undefined ? undefined : this.harts?.translate(hart, pointer);
  }

  private remove(device: string, isGone: (chain: LiveChain) => boolean): void {
    const chains = this.devices.get(device);
    if (chains === undefined) return;
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
