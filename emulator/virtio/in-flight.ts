// Buffers between fetch and used entry: the device's plain record of each, and the face that a device model sees. [virtio 1.4, 2.7.14]
import type { Chain } from '../record/events';
import type { BufferPiece, DeviceBuffer } from './device/interface';
import type { InFlightInspection } from './inspection';
import { canaryByte } from './mood';

/** Most bytes that one read of a buffer returns; keeps a hostile chain from exhausting the host. */
export const maximumTransferBytes = 128 * 1024 * 1024;

/** Plain data, so that it can be saved. */
export interface InFlight {
  readonly id: number;
  readonly queue: number;
  readonly head: number;
  readonly position: number;
  /** Descriptors that the chain takes in a packed ring; 1 in a split one. */
  readonly descriptors: number;
  state: InFlightInspection['state'];
  readonly fetchedAt: number;
  /** Virtual nanoseconds; set by completion. */
  due: number | undefined;
  readonly readable: readonly BufferPiece[];
  readonly writable: readonly BufferPiece[];
  description: string | undefined;
  status: string | undefined;
  written: number | undefined;
  /** VIRTIO_F_IN_ORDER: done, and given back together with one behind it. */
  batched: boolean;
  /** DMA that has not reached memory yet, in order. */
  writes: readonly { readonly address: number; readonly bytes: Uint8Array }[];
}

export function totalLength(pieces: readonly BufferPiece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** Device-readable and device-writable pieces of a chain. Pieces that touch in memory stay apart, as the driver made them. */
export function piecesOf(chain: Chain): { readable: BufferPiece[]; writable: BufferPiece[] } {
  const pieces = (writable: boolean): BufferPiece[] =>
    chain.elements
      .filter((element) => element.deviceWritable === writable)
      .map(({ address, length }) => ({ address: Number(address), length }));
  return { readable: pieces(false), writable: pieces(true) };
}

/** The parts of pieces that the bytes `offset` to `offset + length - 1` of their concatenation fall on. */
export function slice(pieces: readonly BufferPiece[], offset: number, length: number): BufferPiece[] {
  const parts: BufferPiece[] = [];
  let start = 0;
  for (const piece of pieces) {
    const from = Math.max(offset, start);
    const to = Math.min(offset + length, start + piece.length);
    if (from < to) parts.push({ address: piece.address + (from - start), length: to - from });
    start += piece.length;
  }
  return parts;
}

export function copyInFlight(record: InFlight): InFlight {
  return {
    ...record,
    readable: record.readable.map((p) => ({ ...p })),
    writable: record.writable.map((p) => ({ ...p })),
    writes: record.writes.map(({ address, bytes }) => ({ address, bytes: bytes.slice() })),
  };
}

export function inspectInFlight(record: InFlight): InFlightInspection {
  return {
    queue: record.queue,
    head: record.head,
    position: record.position,
    state: record.state,
    fetchedAtNanoseconds: record.fetchedAt,
    dueNanoseconds: record.due,
    readableLength: totalLength(record.readable),
    writableLength: totalLength(record.writable),
    description: record.description,
    status: record.status,
    written: record.written,
  };
}

/** What the device side does for a buffer's face. */
export interface BufferOwner {
  /** Whether the record is still in flight; false after a reset. */
  holds(record: InFlight): boolean;
  readDma(record: InFlight, parts: readonly BufferPiece[]): Uint8Array;
  describe(record: InFlight, description: string, status: string | undefined): void;
}

export class InFlightBuffer implements DeviceBuffer {
  readonly queue: number;
  readonly head: number;
  readonly readable: readonly BufferPiece[];
  readonly writable: readonly BufferPiece[];
  readonly readableLength: number;
  readonly writableLength: number;

  constructor(
    private readonly owner: BufferOwner,
    readonly record: InFlight,
  ) {
    this.queue = record.queue;
    this.head = record.head;
    this.readable = record.readable;
    this.writable = record.writable;
    this.readableLength = totalLength(record.readable);
    this.writableLength = totalLength(record.writable);
  }

  read(offset: number, length: number): Uint8Array {
    if (!this.owner.holds(this.record)) return new Uint8Array(0);
    return this.owner.readDma(this.record, slice(this.readable, offset, Math.min(length, maximumTransferBytes)));
  }

  write(offset: number, bytes: Uint8Array): number {
    if (!this.owner.holds(this.record) || this.record.state === 'completing') return 0;
    let taken = 0;
    const writes = slice(this.writable, offset, bytes.length).map(({ address, length }) => {
      const part = bytes.slice(taken, taken + length);
      taken += length;
      return { address, bytes: part };
    });
    this.record.writes = [...this.record.writes, ...writes];
    return taken;
  }

  describe(description: string, status?: string): void {
    if (this.owner.holds(this.record)) this.owner.describe(this.record, description, status);
  }
}

/** Bytes that nobody asked for, behind the used length and under what the model wrote. [2.7.8.2] */
export function canaryBehind(record: InFlight, written: number): InFlight['writes'] {
  const room = totalLength(record.writable);
  return slice(record.writable, written, Math.min(room - written, mostCanaryBytes)).map(({ address, length }) => ({
    address,
    bytes: new Uint8Array(length).fill(canaryByte),
  }));
}
const mostCanaryBytes = 0x1_0000;
