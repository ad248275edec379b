// Frames on their way to the driver: they wait for receive buffers and fill them. [virtio 1.4, 5.1.9.3, 5.1.9.4]
// Guarantees: a packet fills one buffer without MRG_RXBUF and all buffers but the last completely with it; what waits is bounded.
import { describeFrame } from '../../../network/describe';
import type { DeviceBuffer, DeviceContext } from '../interface';
import { encodeHeader, type Incoming } from './header';
import type { PacketHash } from './hash';
import { mergeDatagrams } from './merge';

/** Frames that wait for buffers, for each queue; later ones are dropped, as a real card does. */
const maximumWaiting = 1024;

export interface WaitingPacket extends Incoming {
  readonly hash: PacketHash | undefined;
}

export interface ReceiveOptions {
  readonly headerBytes: number;
  /** MRG_RXBUF was negotiated. */
  readonly mergeable: boolean;
  /** Gives filled buffers back, now or gathered with others. */
  readonly giveBack: (buffers: readonly { readonly buffer: DeviceBuffer; readonly written: number }[]) => void;
  /** Buffers that were taken and are not yet filled. */
  readonly free: () => readonly DeviceBuffer[];
  /** A frame reached the driver. */
  readonly delivered: (frame: Uint8Array) => void;
}

/** Adds a packet, to the last one where the driver takes both in one; false when there is no room to wait. `offloads` are feature bits. */
export function enqueue(waiting: WaitingPacket[], packet: WaitingPacket, offloads: bigint): boolean {
  const last = waiting.at(-1);
  const merged = last === undefined ? undefined : mergeDatagrams(last, packet, offloads);
  if (last !== undefined && merged !== undefined) {
    waiting[waiting.length - 1] = { ...merged, hash: last.hash };
    return true;
  }
  if (waiting.length >= maximumWaiting) return false;
  waiting.push(packet);
  return true;
}

/** Moves waiting packets into buffers as long as there are some. */
export function fillBuffers(
  waiting: WaitingPacket[],
  queue: number,
  context: DeviceContext,
  options: ReceiveOptions,
): void {
  for (let packet = waiting[0]; packet !== undefined; packet = waiting[0]) {
    const needed = options.headerBytes + packet.frame.length;
    const buffers = collect(queue, context, options, needed);
    if (buffers === undefined) return;
    waiting.shift();
    const [first] = buffers;
    if (first === undefined || (!options.mergeable && first.writableLength < needed)) {
      first?.describe(`too small for ${describeFrame(packet.frame)}, ${needed} bytes: dropped`);
      continue;
    }
    write(packet, buffers, options);
  }
}

/** Enough free buffers for a packet; undefined while more have to be fetched first. */
function collect(
  queue: number,
  context: DeviceContext,
  { mergeable, headerBytes, free }: ReceiveOptions,
  needed: number,
): readonly DeviceBuffer[] | undefined {
  const taken = [...free()];
  const room = (): number => taken.reduce((sum, buffer) => sum + buffer.writableLength, 0);
  while (taken.length === 0 || (mergeable && room() < needed)) {
    const next = context.next(queue);
    if (next === undefined) return undefined;
    if (next.readableLength > 0 || next.writableLength < headerBytes) {
      const what = next.readableLength > 0 ? 'device-readable bytes' : `${next.writableLength} bytes of room`;
      context.reject(next, `a receive buffer with ${what}, the header alone has ${headerBytes}`);
      continue;
    }
    taken.push(next);
  }
  if (!mergeable) return taken.slice(0, 1);
  let total = 0;
  const count = taken.findIndex((buffer) => (total += buffer.writableLength) >= needed) + 1;
  return taken.slice(0, count);
}

function write(packet: WaitingPacket, buffers: readonly DeviceBuffer[], options: ReceiveOptions): void {
  const header = encodeHeader(packet, options.headerBytes, buffers.length, packet.hash);
  const bytes = new Uint8Array(header.length + packet.frame.length);
  bytes.set(header);
  bytes.set(packet.frame, header.length);
  let done = 0;
  const filled = buffers.map((buffer, i) => {
    const part = bytes.subarray(done, done + buffer.writableLength);
    done += buffer.write(0, part);
    buffer.describe(i === 0 ? `receive ${describeFrame(packet.frame)}` : `receive, part ${i + 1} of ${buffers.length}`);
    return { buffer, written: part.length };
  });
  options.giveBack(filled);
  options.delivered(packet.frame);
}
