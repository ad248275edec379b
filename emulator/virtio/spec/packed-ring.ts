// Layout of a packed virtqueue: one descriptor ring and two event suppression structures, their sizes and alignments, which field an
// address belongs to, and the arithmetic of positions and wrap counters. [virtio 1.4, 2.8]
// A position counts descriptors from the moment the queue was enabled and never wraps: the slot is its remainder by the queue size, and
// the wrap counter is 1 in even laps and 0 in odd ones. [2.8.1]
import type { PackedPlace } from '../../record/events';
import { descriptorBytes, descriptorFlagNames } from './split-ring';

/** The two flags that say who has a descriptor; NEXT, WRITE and INDIRECT are those of the split ring. [2.8.1, 2.8.13] */
export const packedFlag = { AVAIL: 1 << 7, USED: 1 << 15 } as const;
export const packedFlagNames: readonly { readonly mask: number; readonly name: string }[] = [
  ...descriptorFlagNames,
  { mask: packedFlag.AVAIL, name: 'VIRTQ_DESC_F_AVAIL' },
  { mask: packedFlag.USED, name: 'VIRTQ_DESC_F_USED' },
];

/** Values of the flags of an event suppression structure. [2.8.14] */
export const eventFlag = { ENABLE: 0, DISABLE: 1, DESC: 2 } as const;
export const eventFlagNames: Readonly<Record<number, string>> = {
  [eventFlag.ENABLE]: 'RING_EVENT_FLAGS_ENABLE',
  [eventFlag.DISABLE]: 'RING_EVENT_FLAGS_DISABLE',
  [eventFlag.DESC]: 'RING_EVENT_FLAGS_DESC',
};

export type PackedArea = 'descriptor' | 'driver' | 'device';
/** Required alignment of each area in bytes. [2.8.10.1] */
export const packedAlignment: Readonly<Record<PackedArea, number>> = { descriptor: 16, driver: 4, device: 4 };
/** Bytes of each area. [2.8.10.1] */
export const packedBytes: Readonly<Record<PackedArea, (queueSize: number) => number>> = {
  descriptor: (size) => descriptorBytes * size,
  driver: () => 4,
  device: () => 4,
};

/** Byte offsets in a descriptor and in an event suppression structure. [2.8.13, 2.8.14] */
export const packedOffset = { addr: 0, len: 8, id: 12, flags: 14 } as const;
export const eventOffset = { desc: 0, flags: 2 } as const;
const packedSize = { addr: 8, len: 4, id: 2, flags: 2 } as const;

/** Wrap counter of a position. [2.8.1] */
export function wrapOf(position: number, queueSize: number): 0 | 1 {
  return Math.floor(position / queueSize) % 2 === 0 ? 1 : 0;
}

/** For people. */
export function positionText(position: number, queueSize: number): string {
  return `slot ${position % queueSize} with wrap counter ${wrapOf(position, queueSize)}`;
}

/** AVAIL and USED as flags that make the descriptor at a position available. [2.8.1] */
export function availableBits(position: number, queueSize: number): number {
  return wrapOf(position, queueSize) === 1 ? packedFlag.AVAIL : packedFlag.USED;
}
/** AVAIL and USED as flags that say that the descriptor at a position was used. [2.8.1] */
export function usedBits(position: number, queueSize: number): number {
  return wrapOf(position, queueSize) === 1 ? packedFlag.AVAIL | packedFlag.USED : 0;
}
export const lapBits = packedFlag.AVAIL | packedFlag.USED;

/** A position as event suppression structures and notification data name it: slot in bits 0 to 14, wrap counter in bit 15. [2.8.14] */
export function offsetAndWrap(position: number, queueSize: number): number {
  return (position % queueSize) | (wrapOf(position, queueSize) << 15);
}

/** The first position from `from` on that a slot and a wrap counter can mean; undefined when the slot is beyond the ring. */
export function positionFrom(from: number, value: number, queueSize: number): number | undefined {
  const slot = value & 0x7fff;
  if (slot >= queueSize) return undefined;
  const ahead = (slot - (from % queueSize) + queueSize) % queueSize;
  const first = from + ahead;
  return wrapOf(first, queueSize) === value >> 15 ? first : first + queueSize;
}

/** Whether moving from position `old` to `now` passes what an event suppression structure's `desc` names. [2.8.14] */
export function passesEvent(desc: number, now: number, old: number, queueSize: number): boolean {
  const event = positionFrom(old, desc, queueSize);
  return event !== undefined && event < now;
}

/** A field of a packed ring and where it lies, in bytes from the start of its area. */
export interface PlacedPackedField {
  readonly place: PackedPlace;
  readonly offset: number;
  readonly size: number;
}

/** Every field of the area that overlaps the bytes `from` to `to - 1`, in address order. `table`: address of an indirect table. */
export function packedFieldsBetween(
  area: PackedArea,
  entries: number,
  from: number,
  to: number,
  table?: number,
): PlacedPackedField[] {
  const fields: PlacedPackedField[] = [];
  const end = Math.min(to, packedBytes[area](entries));
  for (let at = Math.max(0, from); at < end;) {
    const field = area === 'descriptor' ? descriptorField(at, table) : eventField(area, at);
    fields.push(field);
    at = field.offset + field.size;
  }
  return fields;
}

function descriptorField(at: number, table: number | undefined): PlacedPackedField {
  const index = Math.floor(at / descriptorBytes);
  const within = at % descriptorBytes;
  const field = within < 8 ? 'addr' : within < 12 ? 'len' : within < 14 ? 'id' : 'flags';
  const place = { part: 'descriptor', index, field, ...(table !== undefined && { table }) } as const;
  return { place, offset: index * descriptorBytes + packedOffset[field], size: packedSize[field] };
}

function eventField(area: 'driver' | 'device', at: number): PlacedPackedField {
  const field = at < eventOffset.flags ? 'desc' : 'flags';
  return { place: { part: `${area}-event`, field }, offset: eventOffset[field], size: 2 };
}
