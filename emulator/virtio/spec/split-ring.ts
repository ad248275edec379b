// Layout of a split virtqueue: three areas, their sizes and alignments, and which field an address belongs to. [virtio 1.4, 2.7]
import type { SplitPlace } from '../../record/events';

/** Descriptor flags. [2.7.5] */
export const descriptorFlag = { NEXT: 1, WRITE: 2, INDIRECT: 4 } as const;
export const descriptorFlagNames: readonly { readonly mask: number; readonly name: string }[] = [
  { mask: descriptorFlag.NEXT, name: 'VIRTQ_DESC_F_NEXT' },
  { mask: descriptorFlag.WRITE, name: 'VIRTQ_DESC_F_WRITE' },
  { mask: descriptorFlag.INDIRECT, name: 'VIRTQ_DESC_F_INDIRECT' },
];
/** VIRTQ_AVAIL_F_NO_INTERRUPT. [2.7.6] */
export const availableFlag = { NO_INTERRUPT: 1 } as const;
/** VIRTQ_USED_F_NO_NOTIFY. [2.7.8] */
export const usedFlag = { NO_NOTIFY: 1 } as const;

export const descriptorBytes = 16;
export const usedElementBytes = 8;
/** Largest queue size the format allows; sizes are powers of two. [2.7] */
export const maximumQueueSize = 32768;

/** Required alignment of each area in bytes. [2.7] */
export const areaAlignment = { descriptor: 16, available: 2, used: 4 } as const;
export type SplitArea = keyof typeof areaAlignment;

/** Bytes of each area. The event fields count whether or not EVENT_IDX is negotiated. [2.7] */
export const areaBytes: Readonly<Record<SplitArea, (queueSize: number) => number>> = {
  descriptor: (size) => descriptorBytes * size,
  available: (size) => 6 + 2 * size,
  used: (size) => 6 + usedElementBytes * size,
};

/**
 * Where the areas of a legacy queue lie: one stretch of memory, the used ring on its own alignment. [2.7.2]
 * @param alignment bytes, a power of two; anything below 1 counts as 1
 */
export function legacyAreas(start: bigint, queueSize: number, alignment: number): Record<SplitArea, bigint> {
  const available = start + BigInt(areaBytes.descriptor(queueSize));
  const unit = BigInt(Math.max(1, alignment));
  // The legacy layout counts used_event, whether or not the feature is there.
  const end = available + BigInt(areaBytes.available(queueSize));
  return { descriptor: start, available, used: ((end + unit - 1n) / unit) * unit };
}

/** Alignment of the used ring where the driver cannot choose it, in bytes; a page frame on PCI has the same size. [2.7.2, 4.1.5.1.3.1] */
export const legacyAlignment = 4096;

/** Byte offsets inside the areas. */
export const descriptorOffset = { addr: 0, len: 8, flags: 12, next: 14 } as const;
export const availableOffset = {
  flags: 0,
  idx: 2,
  ring: (slot: number) => 4 + 2 * slot,
  usedEvent: (queueSize: number) => 4 + 2 * queueSize,
} as const;
export const usedOffset = {
  flags: 0,
  idx: 2,
  id: (slot: number) => 4 + usedElementBytes * slot,
  len: (slot: number) => 8 + usedElementBytes * slot,
  availEvent: (queueSize: number) => 4 + usedElementBytes * queueSize,
} as const;

const descriptorSize = { addr: 8, len: 4, flags: 2, next: 2 } as const;

/** A field of a ring and where it lies, in bytes from the start of its area. */
export interface PlacedField {
  readonly place: SplitPlace;
  readonly offset: number;
  readonly size: number;
}

/** Every field of the area that overlaps the bytes `from` to `to - 1`, in address order. `table`: address of an indirect table. */
export function fieldsBetween(
  area: SplitArea,
  queueSize: number,
  from: number,
  to: number,
  table?: number,
): PlacedField[] {
  const fields: PlacedField[] = [];
  const end = Math.min(to, areaBytes[area](queueSize));
  for (let at = Math.max(0, from); at < end;) {
    const field = fieldAt(area, queueSize, at, table);
    fields.push(field);
    at = field.offset + field.size;
  }
  return fields;
}

function fieldAt(area: SplitArea, queueSize: number, at: number, table: number | undefined): PlacedField {
  switch (area) {
    case 'descriptor': {
      const index = Math.floor(at / descriptorBytes);
      const within = at % descriptorBytes;
      const field = within < 8 ? 'addr' : within < 12 ? 'len' : within < 14 ? 'flags' : 'next';
      const place = { part: 'descriptor', index, field, ...(table !== undefined && { table }) } as const;
      return { place, offset: index * descriptorBytes + descriptorOffset[field], size: descriptorSize[field] };
    }
    case 'available': {
      if (at < 4) return headerField('available', at);
      const slot = Math.floor((at - 4) / 2);
      const offset = availableOffset.ring(slot);
      if (slot === queueSize) return { place: { part: 'available', field: 'used_event' }, offset, size: 2 };
      return { place: { part: 'available', field: 'ring', slot }, offset, size: 2 };
    }
    case 'used': {
      if (at < 4) return headerField('used', at);
      const slot = Math.floor((at - 4) / usedElementBytes);
      if (slot === queueSize) {
        return { place: { part: 'used', field: 'avail_event' }, offset: usedOffset.availEvent(queueSize), size: 2 };
      }
      const field = at < usedOffset.len(slot) ? 'id' : 'len';
      return { place: { part: 'used', field, slot }, offset: usedOffset[field](slot), size: 4 };
    }
  }
}

function headerField(part: 'available' | 'used', at: number): PlacedField {
  const field = at < 2 ? 'flags' : 'idx';
  return { place: { part, field }, offset: field === 'flags' ? 0 : 2, size: 2 };
}

/**
 * Whether moving an index from `old` to `now` passes `event`, all free-running 16-bit numbers: then the other side wants to be
 * notified. [2.7.7, 2.7.10]
 */
export function needsEvent(event: number, now: number, old: number): boolean {
  return ((now - event - 1) & 0xffff) < ((now - old) & 0xffff);
}
