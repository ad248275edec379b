// Reads a published chain as a block request, without executing it. [virtio 1.4, 5.2.6]
import type { GuestMemory } from '../../bus/memory';
import type { Chain, ChainElement } from '../../record/events';
import { blockRangeSegment, blockRequestHeader, blockRequestTypes } from '../spec/block';
import { readField } from '../spec/wire-layout';

export interface BlockRequest {
  readonly chain: Chain;
  readonly readableBytes: number;
  readonly writableBytes: number;
  /** Undefined when the header is not complete. */
  readonly type: number | undefined;
  /** The type's name in the specification's spelling, or its number. */
  readonly typeName: string;
  readonly sector: bigint;
  /** Device-readable bytes behind the header, device-writable bytes before the status byte. */
  readonly dataOut: number;
  readonly dataIn: number;
}

export interface BlockRange {
  readonly sector: bigint;
  readonly sectors: number;
  readonly flags: number;
}

const lengthOf = (elements: readonly ChainElement[]): number => elements.reduce((sum, { length }) => sum + length, 0);

/** Each published chain is read once, whatever the number of rules; they ask for the same one after another. */
const known = new WeakMap<Chain, BlockRequest>();
let newest: BlockRequest | undefined;

/** The request in a chain that has no defects, as it stands in memory when it is first asked for. */
export function readBlockRequest(chain: Chain, memory: GuestMemory): BlockRequest {
  if (newest?.chain === chain) return newest;
  newest = known.get(chain);
  if (newest !== undefined) return newest;
  newest = decode(chain, memory);
  known.set(chain, newest);
  return newest;
}

function decode(chain: Chain, memory: GuestMemory): BlockRequest {
  const readableBytes = lengthOf(chain.elements.filter((element) => !element.deviceWritable));
  const writableBytes = lengthOf(chain.elements.filter((element) => element.deviceWritable));
  const header =
    readableBytes < blockRequestHeader.size ? undefined : readOut(chain, memory, 0, blockRequestHeader.size);
  const type = header === undefined ? undefined : Number(readField(blockRequestHeader, 'type', header));
  return {
    chain,
    readableBytes,
    writableBytes,
    type,
    typeName: blockRequestTypes.find((row) => row.type === type)?.name ?? `type ${type ?? 'unknown'}`,
    sector: header === undefined ? 0n : readField(blockRequestHeader, 'sector', header),
    dataOut: Math.max(0, readableBytes - blockRequestHeader.size),
    dataIn: Math.max(0, writableBytes - 1),
  };
}

/** The ranges of a discard or write zeroes request; at most `limit` of them. */
export function readRanges(request: BlockRequest, memory: GuestMemory, limit = 256): readonly BlockRange[] {
  const count = Math.min(limit, Math.floor(request.dataOut / blockRangeSegment.size));
  const bytes = readOut(request.chain, memory, blockRequestHeader.size, count * blockRangeSegment.size);
  return Array.from({ length: count }, (_, i) => {
    const base = i * blockRangeSegment.size;
    return {
      sector: readField(blockRangeSegment, 'sector', bytes, base),
      sectors: Number(readField(blockRangeSegment, 'num_sectors', bytes, base)),
      flags: Number(readField(blockRangeSegment, 'flags', bytes, base)),
    };
  });
}

/** `length` device-readable bytes from `offset`, wherever the driver cut them. */
function readOut(chain: Chain, memory: GuestMemory, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let start = 0;
  for (const { deviceWritable, address, length: size } of chain.elements) {
    if (deviceWritable) continue;
    const from = Math.max(offset, start);
    const to = Math.min(offset + length, start + size);
    if (from < to) bytes.set(memory.read(Number(address) + from - start, to - from), from - offset);
    start += size;
  }
  return bytes;
}
