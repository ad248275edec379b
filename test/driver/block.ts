// Block requests of the scripted driver. [virtio 1.4, 5.2.6]
import { blockRangeSegment, blockRequestHeader, blockRequestType } from '../../emulator/virtio/spec/block';
import type { Piece, ScriptedDriver } from './driver';

export interface BlockParts {
  readonly header: Piece;
  readonly data: readonly Piece[];
  readonly status: Piece;
}

/** Header, data and status of a request, at fixed places of the driver's buffer space; the header is written. */
export function blockParts(
  driver: ScriptedDriver,
  type: number,
  { sector = 0, bytes = 512, at = 0 }: { readonly sector?: number; readonly bytes?: number; readonly at?: number } = {},
): BlockParts {
  const header = driver.buffer(at);
  driver.bench.store(header, 4, type);
  driver.bench.store(header + 4, 4, 0);
  driver.bench.store(header + 8, 8, sector);
  const fromDevice = type === blockRequestType.IN || type === blockRequestType.GET_ID;
  return {
    header: { address: header, length: blockRequestHeader.size },
    data: bytes === 0 ? [] : [{ address: header + 0x100, length: bytes, deviceWritable: fromDevice }],
    status: { address: header + 0x80, length: 1, deviceWritable: true },
  };
}

export function piecesOf({ header, data, status }: BlockParts): readonly Piece[] {
  return [header, ...data, status];
}

/** Reads one sector with a chain of three descriptors, from publish to collect. */
export function readSector(driver: ScriptedDriver, sector = 0): void {
  driver.submit(driver.queue(), piecesOf(blockParts(driver, blockRequestType.IN, { sector })));
}

/** Writes the segments of a discard or write zeroes request into its data buffer. */
export function writeSegments(
  driver: ScriptedDriver,
  parts: BlockParts,
  segments: readonly { readonly sector: number; readonly sectors: number; readonly flags: number }[],
): void {
  const start = parts.data[0]?.address ?? 0;
  segments.forEach(({ sector, sectors, flags }, i) => {
    const at = start + i * blockRangeSegment.size;
    driver.bench.store(at, 8, sector);
    driver.bench.store(at + 8, 4, sectors);
    driver.bench.store(at + 12, 4, flags);
  });
}
