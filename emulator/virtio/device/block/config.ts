// The block device's configuration space: its numbers and their bytes. [virtio 1.4, 5.2.4]
import { blockConfigFields, sectorBytes } from '../../spec/block';
import { littleEndian } from '../../spec/wire-layout';

/** Sectors in one segment of a discard or write zeroes request; bounds the work of one request to 16 MiB. */
export const maximumRangeSectors = 0x8000;
/** Segments in one such request. */
export const maximumRangeSegments = 1;

/** Values of the fields that are not zero. */
export function blockConfigValues(capacity: number, queueSize: number, writeback: boolean): Record<string, number> {
  const heads = 16;
  const sectors = 63;
  const cylinders = Math.min(16383, Math.max(2, Math.floor(capacity / (heads * sectors))));
  return {
    capacity,
    // Header and status need a descriptor each.
    seg_max: Math.max(1, queueSize - 2),
    'geometry.cylinders': cylinders,
    'geometry.heads': heads,
    'geometry.sectors': sectors,
    blk_size: sectorBytes,
    writeback: writeback ? 1 : 0,
    max_discard_sectors: maximumRangeSectors,
    max_discard_seg: maximumRangeSegments,
    discard_sector_alignment: 1,
    max_write_zeroes_sectors: maximumRangeSectors,
    max_write_zeroes_seg: maximumRangeSegments,
  };
}

const configBytes = Math.max(...blockConfigFields.map((field) => field.offset + field.size));

export function encodeBlockConfig(values: Readonly<Record<string, number>>): Uint8Array {
  const bytes = new Uint8Array(configBytes);
  for (const { name, offset, size } of blockConfigFields) bytes.set(littleEndian(values[name] ?? 0, size), offset);
  return bytes;
}
