// One request of the block device: what it asks, whether it may, and what the answer is. Framing does not depend on how the driver cut
// the buffer into descriptors: the first 16 readable bytes are the header, the last writable byte is the status. [virtio 1.4, 5.2.6]
import type { BlockBackend } from '../../../configuration';
import {
  blockIdBytes,
  blockRangeSegment,
  blockRequestHeader,
  blockRequestType,
  blockRequestTypes,
  blockStatus,
  type BlockStatusName,
  sectorBytes,
  unmapFlag,
} from '../../spec/block';
import { hasFeature } from '../../spec/feature';
import { readField } from '../../spec/wire-layout';
import type { DeviceBuffer } from '../interface';
import { maximumRangeSectors, maximumRangeSegments } from './config';

/** What a request may rely on. */
export interface BlockSurroundings {
  readonly backend: BlockBackend;
  readonly readOnly: boolean;
  readonly serial: string;
  /** Offered features decide what is supported. */
  readonly offered: bigint;
  /** Without a write cache every write is made durable before it completes. */
  readonly writeback: boolean;
}

export interface BlockAnswer {
  readonly status: BlockStatusName;
  /** What was asked, in words. */
  readonly description: string;
  /** For the device-writable part before the status byte. */
  readonly data?: Uint8Array;
  /** Why the status is not OK. */
  readonly problem?: string;
}

interface BlockRequest {
  readonly type: number;
  readonly sector: bigint;
  readonly buffer: DeviceBuffer;
  /** Bytes that the driver sends after the header. */
  readonly outLength: number;
  /** Bytes that the driver wants before the status byte. */
  readonly inLength: number;
}

/** Most data bytes of one request; a larger one fails instead of exhausting the host. */
const maximumDataBytes = 64 * 1024 * 1024;

/** Executes the request in `buffer`, which has room for header and status. Never throws: what the backend throws becomes IOERR. */
export function executeBlockRequest(buffer: DeviceBuffer, around: BlockSurroundings): BlockAnswer {
  const header = buffer.read(0, blockRequestHeader.size);
  const request: BlockRequest = {
    type: Number(readField(blockRequestHeader, 'type', header)),
    sector: readField(blockRequestHeader, 'sector', header),
    buffer,
    outLength: buffer.readableLength - blockRequestHeader.size,
    inLength: buffer.writableLength - 1,
  };
  const description = describe(request);
  if (request.outLength > maximumDataBytes || request.inLength > maximumDataBytes) {
    return { status: 'IOERR', description, problem: 'more than 64 MiB of data' };
  }
  const row = blockRequestTypes.find((r) => r.type === request.type);
  const handler = handlers[request.type];
  if (handler === undefined || (row?.feature !== undefined && !hasFeature(around.offered, row.feature))) {
    return { status: 'UNSUPP', description, problem: 'the device does not support this request' };
  }
  try {
    return { description, ...handler(request, around) };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { status: 'IOERR', description, problem };
  }
}

type Outcome = Omit<BlockAnswer, 'description'>;
type Handler = (request: BlockRequest, around: BlockSurroundings) => Outcome;

const handlers: Readonly<Record<number, Handler>> = {
  [blockRequestType.IN]: ({ sector, inLength }, { backend }) => {
    const problem = rangeProblem(sector, inLength, backend);
    if (problem !== undefined) return { status: 'IOERR', problem };
    return { status: 'OK', data: backend.read(Number(sector) * sectorBytes, inLength) };
  },
  [blockRequestType.OUT]: ({ sector, outLength, buffer }, { backend, readOnly, writeback }) => {
    const problem = readOnly ? 'the disk is read-only' : rangeProblem(sector, outLength, backend);
    if (problem !== undefined) return { status: 'IOERR', problem };
    backend.write(Number(sector) * sectorBytes, buffer.read(blockRequestHeader.size, outLength));
    if (!writeback) backend.flush();
    return { status: 'OK' };
  },
  [blockRequestType.FLUSH]: (_request, { backend }) => {
    backend.flush();
    return { status: 'OK' };
  },
  [blockRequestType.GET_ID]: (_request, { serial }) => {
    const data = new Uint8Array(blockIdBytes);
    for (let i = 0; i < Math.min(serial.length, blockIdBytes); i++) data[i] = serial.charCodeAt(i) & 0x7f;
    return { status: 'OK', data };
  },
  [blockRequestType.DISCARD]: (request, around) =>
    forEachRange(request, around, (_offset, _length, flags) =>
      // What was discarded may read as anything, the old bytes included, so nothing needs to be done.
      (flags & unmapFlag) === 0 ? { status: 'OK' } : { status: 'UNSUPP', problem: 'discard with the unmap flag' },
    ),
  [blockRequestType.WRITE_ZEROES]: (request, around) =>
    forEachRange(request, around, (offset, length) => {
      around.backend.write(offset, new Uint8Array(length));
      if (!around.writeback) around.backend.flush();
      return { status: 'OK' };
    }),
};

/** Checks every segment before it acts on the first. */
function forEachRange(
  { buffer, outLength }: BlockRequest,
  { backend, readOnly }: BlockSurroundings,
  act: (offset: number, length: number, flags: number) => Outcome,
): Outcome {
  const { size } = blockRangeSegment;
  if (readOnly) return { status: 'IOERR', problem: 'the disk is read-only' };
  if (outLength === 0 || outLength % size !== 0) {
    return { status: 'IOERR', problem: `${outLength} bytes are not whole segments of ${size}` };
  }
  if (outLength / size > maximumRangeSegments) {
    return { status: 'UNSUPP', problem: `${outLength / size} segments, at most ${maximumRangeSegments} are supported` };
  }
  const bytes = buffer.read(blockRequestHeader.size, outLength);
  const ranges = Array.from({ length: outLength / size }, (_, i) => ({
    sector: readField(blockRangeSegment, 'sector', bytes, i * size),
    sectors: Number(readField(blockRangeSegment, 'num_sectors', bytes, i * size)),
    flags: Number(readField(blockRangeSegment, 'flags', bytes, i * size)),
  }));
  for (const { sector, sectors, flags } of ranges) {
    if ((flags & ~unmapFlag) !== 0) return { status: 'UNSUPP', problem: `unknown flags 0x${flags.toString(16)}` };
    if (sectors > maximumRangeSectors) {
      return { status: 'IOERR', problem: `${sectors} sectors, at most ${maximumRangeSectors} are supported` };
    }
    const problem = rangeProblem(sector, sectors * sectorBytes, backend);
    if (problem !== undefined) return { status: 'IOERR', problem };
  }
  let outcome: Outcome = { status: 'OK' };
  for (const { sector, sectors, flags } of ranges) {
    outcome = act(Number(sector) * sectorBytes, sectors * sectorBytes, flags);
    if (outcome.status !== 'OK') break;
  }
  return outcome;
}

function rangeProblem(sector: bigint, length: number, backend: BlockBackend): string | undefined {
  if (length % sectorBytes !== 0) return `${length} bytes are not whole sectors`;
  const capacity = BigInt(Math.floor(backend.sizeBytes / sectorBytes));
  const end = sector + BigInt(length / sectorBytes);
  return end > capacity ? `sectors ${sector} to ${end - 1n} pass the capacity of ${capacity}` : undefined;
}

function describe({ type, sector, inLength, outLength }: BlockRequest): string {
  const row = blockRequestTypes.find((r) => r.type === type);
  if (row === undefined) return `unknown request type ${type}`;
  switch (type) {
    case blockRequestType.IN:
    case blockRequestType.OUT: {
      const length = type === blockRequestType.IN ? inLength : outLength;
      return `${row.meaning} ${amount(length)} ${type === blockRequestType.IN ? 'from' : 'to'} sector ${sector}`;
    }
    case blockRequestType.DISCARD:
    case blockRequestType.WRITE_ZEROES:
      return `${row.meaning}, ${amount(outLength)} of segments`;
    default:
      return row.meaning;
  }
}

function amount(bytes: number): string {
  if (bytes % sectorBytes !== 0 || bytes === 0) return `${bytes} bytes`;
  const sectors = bytes / sectorBytes;
  return sectors === 1 ? '1 sector' : `${sectors} sectors`;
}

/** The status byte's value. */
export function blockStatusByte(name: BlockStatusName): number {
  return blockStatus[name];
}
