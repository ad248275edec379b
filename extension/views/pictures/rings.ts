// The areas of a ring as rows, straight from guest memory, with owners and indices as the watchers know them.
// [virtio 1.4, 2.7.5, 2.7.6, 2.7.8, 2.8.13]
import type { VirtioEvent } from '../../../emulator/record/events';
import { descriptorFlag } from '../../../emulator/virtio/spec/split-ring';
import { availableOffset, descriptorOffset, usedOffset } from '../../../emulator/virtio/spec/split-ring';
import { descriptorAddress, holderOf, ownershipOf } from '../../../emulator/virtio/watch/chains';
import { packedFlag, packedOffset } from '../../../emulator/virtio/spec/packed-ring';
import type { GuestMemory } from '../../../emulator/bus/memory';
import type { Ownership, QueueState } from '../../../emulator/virtio/watch/queue-state';
import type { View } from '../../../emulator/virtio/rules/rule';
import { usesEventIdx } from '../../../emulator/virtio/watch/notification';
import {
  formatAddress,
  groupDigits,
  type AttemptedValue,
  type DescriptorRow,
  type IndexPosition,
  type IndexSpan,
  type NamedValue,
  type OwnerState,
  type RingModel,
  type RingRow,
  type Wire,
} from '../../../webview/model/inspector';
import { packedCell } from './packed-ring';
import { changeOf, type DeviceView } from './source';

const letters: Readonly<Record<Ownership, OwnerState>> = {
  free: 'F',
  building: 'B',
  available: 'A',
  'in flight': 'I',
  used: 'U',
};
/** Who has a descriptor. Stores to `next` of a free one only move the driver's free list. */
export function ownerOf({ view, queue }: RingView, index: number): OwnerState {
  const ownership = ownershipOf(queue, index);
  if (ownership !== 'building') return letterOf(ownership);
  return view.history.queue(view.seen.name, queue.index).filling.has(index) ? 'B' : 'F';
}

export function letterOf(ownership: Ownership): OwnerState {
  return letters[ownership];
}

/** Tables and rings up to this size are sent whole. */
export const wholeTable = 256;

/** Everything about one ready queue that rows are made from. */
export interface RingView {
  readonly view: DeviceView;
  readonly queue: View<QueueState>;
  readonly size: number;
  /** The available and used index in memory; packed: positions as the watchers know them. */
  readonly availableIndex: number;
  readonly usedIndex: number;
}
type Indices = Pick<RingView, 'availableIndex' | 'usedIndex'>;

/** Undefined while the queue is not ready, or lies outside memory. */
export function viewRing(view: DeviceView, index: number): RingView | undefined {
  const seen = view.seen.queues[index];
  const queue = view.state.queues[index];
  if (seen === undefined || queue === undefined || !seen.ready || !seen.inMemory || !queue.ready || queue.size === 0)
    return undefined;
  const { memory } = view.machine;
  return {
    view,
    queue,
    size: queue.size,
    ...(queue.format === 'packed' ? packedIndices(queue) : splitIndices(queue, memory)),
  };
}

/** A packed ring has no indices in memory. */
function packedIndices({ availableIndex, usedIndex }: View<QueueState>): Indices {
  return { availableIndex, usedIndex };
}
function splitIndices(queue: View<QueueState>, memory: GuestMemory): Indices {
  return {
    availableIndex: memory.read16(queue.driverArea + availableOffset.idx),
    usedIndex: memory.read16(queue.deviceArea + usedOffset.idx),
  };
}

/** One letter for each descriptor; empty while the queue is not ready. */
export function statesOf(view: DeviceView, index: number): string {
  const ring = viewRing(view, index);
  if (ring === undefined) return '';
  return Array.from({ length: ring.size }, (_, at) => ownerOf(ring, at)).join('');
}

export interface RawDescriptor {
  readonly address: bigint;
  readonly length: number;
  readonly flags: number;
  readonly next: number;
}

export function readDescriptor({ view, queue }: RingView, index: number): RawDescriptor {
  const at = descriptorAddress(queue, index);
  const { memory } = view.machine;
  const address = memory.read64(at + descriptorOffset.addr);
  const length = memory.read32(at + descriptorOffset.len);
  if (queue.format === 'packed') {
    return { address, length, flags: memory.read16(at + packedOffset.flags), next: (index + 1) % queue.size };
  }
  return {
    address,
    length,
    flags: memory.read16(at + descriptorOffset.flags),
    next: memory.read16(at + descriptorOffset.next),
  };
}

const flagNames: readonly (readonly [number, string])[] = [
  [descriptorFlag.NEXT, 'NEXT'],
  [descriptorFlag.WRITE, 'WRITE'],
  [descriptorFlag.INDIRECT, 'INDIRECT'],
];
const lapFlags = packedFlag.AVAIL | packedFlag.USED;

export function flagText(flags: number): string {
  const known = flagNames.filter(([mask]) => (flags & mask) !== 0).map(([, name]) => name);
  const rest = flags & ~7;
  return [...known, ...(rest === 0 ? [] : [`0x${rest.toString(16)}`])].join(' ');
}

export function directionOf(flags: number): DescriptorRow['direction'] {
  if ((flags & descriptorFlag.INDIRECT) !== 0) return 'table';
  return (flags & descriptorFlag.WRITE) !== 0 ? 'in' : 'out';
}

type DescriptorField = AttemptedValue['column'];

/** A value as its column shows it. */
function fieldText(field: DescriptorField, value: bigint): string {
  switch (field) {
    case 'addr':
      return formatAddress(value);
    case 'flags':
      return flagText(Number(value & 0xffffn)) || '0';
    case 'len':
    case 'next':
    case 'id':
      return groupDigits(value);
  }
}

/** The value that the violation's access is about to store, from its evidence; null when it is not about to store one. */
function attemptedValue(violation: DeviceView['standingAt'][number], field: DescriptorField): string | null {
  if (!violation.beforeEffect) return null;
  const { after } = changeOf(violation.evidence);
  if (after === undefined) return null;
  return /^(0x[0-9a-f]+|[0-9]+)$/.test(after) ? fieldText(field, BigInt(after)) : after;
}

export function violatedCell({ view, queue }: RingView, index: number): AttemptedValue | undefined {
  for (const violation of view.standingAt) {
    const { place } = violation;
    if (place?.kind !== 'descriptor' || place.queue !== queue.index || place.index !== index) continue;
    if (place.table !== undefined) continue;
    const column = place.field ?? 'addr';
    return { column, value: place.field === undefined ? null : attemptedValue(violation, column) };
  }
  return undefined;
}

/** What the newest event moved. */
function newestEvent({ view, queue }: RingView): VirtioEvent | undefined {
  const event = view.log.newest;
  return event !== undefined && event.device === view.seen.name && 'queue' in event && event.queue === queue.index
    ? event
    : undefined;
}

export interface RowWords {
  readonly part: string;
  readonly request?: string;
  readonly detail?: NonNullable<DescriptorRow['detail']>;
}

export function descriptorRow(ring: RingView, index: number, words: RowWords): DescriptorRow {
  const raw = readDescriptor(ring, index);
  const violated = violatedCell(ring, index);
  const newest = newestEvent(ring);
  const isPacked = ring.queue.format === 'packed';
  const wrote = newest?.kind === 'used' && newest.packedSize !== undefined && newest.slot === index;
  const stored =
    newest?.kind === 'ring-store' &&
    newest.place.part === 'descriptor' &&
    newest.place.index === index &&
    newest.place.table === undefined;
  return {
    index,
    state: ownerOf(ring, index),
    address: formatAddress(raw.address),
    length: groupDigits(raw.length),
    direction: directionOf(raw.flags),
    flags: flagText(isPacked ? raw.flags & ~lapFlags : raw.flags),
    next: isPacked || ((raw.flags & descriptorFlag.NEXT) === 0 && violated?.column !== 'next') ? null : raw.next,
    ...(isPacked ? { packed: packedCell(ring, index) } : {}),
    head: holderOf(ring.queue, index)?.chain.head ?? null,
    ...words,
    ...(violated === undefined ? {} : { violated }),
    ...(stored || wrote ? { changed: true } : {}),
  };
}

const distance = (from: number, to: number): number => (to - from) & 0xffff;

function lapText(index: number, size: number): string {
  return `idx ${groupDigits(index)} = lap ${Math.floor(index / size)}, slot ${index % size}`;
}

/** Slots that are sent: all of a small ring, of a large one those that `live` names, and where the pointers stand. */
function slotsToSend(size: number, live: readonly number[], pointers: readonly number[]): readonly number[] {
  if (size <= wholeTable) return Array.from({ length: size }, (_, slot) => slot);
  return [...new Set([...live.slice(0, wholeTable), ...pointers])].map((slot) => slot % size).sort((a, b) => a - b);
}

export function availableRing(ring: RingView): RingModel {
  const { view, queue, size, availableIndex } = ring;
  const { memory } = view.machine;
  const bySlot = new Map<number, OwnerState>();
  for (const { chain, phase } of queue.chains.values()) bySlot.set(chain.slot, letterOf(phase));
  const fetched = view.seen.queues[queue.index]?.lastAvailable ?? queue.fetchedIndex;
  const newest = newestEvent(ring);
  const marked = view.standingAt.flatMap(({ place }) =>
    place?.kind === 'available' && place.queue === queue.index && place.slot !== undefined ? [place.slot] : [],
  );
  const sent = slotsToSend(size, [...bySlot.keys()], [fetched, availableIndex]);
  const rows = sent.map((slot): RingRow => {
    const stored = queue.slotsSincePublish.has(slot);
    const head = memory.read16(queue.driverArea + availableOffset.ring(slot));
    const state = bySlot.get(slot) ?? (stored ? 'B' : null);
    return {
      slot,
      head,
      state,
      pointers: [
        ...(fetched % size === slot
          ? [{ label: `last_avail ${groupDigits(fetched)}`, who: 'device', place: 'private' } as const]
          : []),
        ...(availableIndex % size === slot
          ? [{ label: `idx ${groupDigits(availableIndex)}`, who: 'driver', place: 'memory' } as const]
          : []),
      ],
      ...(marked.includes(slot) ? { violated: true } : {}),
      ...(state === null && (slot < availableIndex || head !== 0) ? { note: 'old' } : {}),
      ...(newest?.kind === 'publish' && newest.chains.some((chain) => chain.slot === slot) ? { changed: true } : {}),
    };
  });
  const toFetch = distance(fetched, availableIndex);
  return {
    address: formatAddress(queue.driverArea),
    position: lapText(availableIndex, size),
    rows,
    fields: [
      { name: 'flags', value: `${memory.read16(queue.driverArea + availableOffset.flags)}` },
      ...eventField(ring, 'used_event', queue.driverArea + availableOffset.usedEvent(size)),
    ],
    rest: toFetch === 0 ? 'none to fetch' : `${groupDigits(toFetch)} to fetch`,
  };
}

function eventField({ view }: RingView, name: string, address: number): readonly NamedValue[] {
  return usesEventIdx(view.state) ? [{ name, value: groupDigits(view.machine.memory.read16(address)) }] : [];
}

export function usedRing(ring: RingView): RingModel {
  const { view, queue, size, usedIndex } = ring;
  const { memory } = view.machine;
  const collected = queue.collectedIndex;
  const toCollect = distance(collected, usedIndex);
  const newest = newestEvent(ring);
  const waiting = Array.from({ length: Math.min(toCollect, size) }, (_, at) => (collected + at) % size);
  const rows = slotsToSend(size, waiting, [collected, usedIndex]).map((slot): RingRow => {
    const live = distance(collected % size, slot) % size < toCollect;
    return {
      slot,
      head: memory.read32(queue.deviceArea + usedOffset.id(slot)),
      length: groupDigits(memory.read32(queue.deviceArea + usedOffset.len(slot))),
      state: live ? 'U' : null,
      pointers: [
        ...(collected % size === slot
          ? [{ label: `last_used ${groupDigits(collected)}`, who: 'driver', place: 'private' } as const]
          : []),
        ...(usedIndex % size === slot
          ? [{ label: `idx ${groupDigits(usedIndex)}`, who: 'device', place: 'memory' } as const]
          : []),
      ],
      ...(newest?.kind === 'used' && newest.slot === slot ? { changed: true } : {}),
    };
  });
  return {
    address: formatAddress(queue.deviceArea),
    position: lapText(usedIndex, size),
    rows,
    fields: [
      { name: 'flags', value: `${memory.read16(queue.deviceArea + usedOffset.flags)}` },
      ...eventField(ring, 'avail_event', queue.deviceArea + usedOffset.availEvent(size)),
    ],
    rest: toCollect === 0 ? 'none to collect' : `${groupDigits(toCollect)} to collect`,
  };
}

/** Wires of live heads: who acts next on a chain gives the wire its hue. */
export function wiresOf(ring: RingView): readonly Wire[] {
  const { queue, size } = ring;
  const wires: Wire[] = [];
  for (const { chain, phase } of queue.chains.values()) {
    if (chain.head >= size) continue;
    wires.push({
      from: 'available',
      row: chain.slot,
      descriptor: chain.head,
      who: phase === 'used' ? 'driver' : 'device',
      draft: phase === 'available',
      violated: false,
    });
  }
  queue.usedPositions.forEach((position, at) => {
    const head = position === undefined ? undefined : queue.chains.get(position)?.chain.head;
    if (head === undefined || head >= size) return;
    wires.push({
      from: 'used',
      row: (queue.collectedIndex + at) % size,
      descriptor: head,
      who: 'driver',
      draft: false,
      violated: false,
    });
  });
  for (const link of takenLinks(ring))
    wires.push({ from: 'link', row: link.from, descriptor: link.to, who: 'driver', draft: true, violated: true });
  return wires;
}

/** Descriptors that the driver is filling. */
export function buildingOf(ring: RingView): readonly number[] {
  return [...ring.queue.building].filter((index) => index < ring.size && ownerOf(ring, index) === 'B');
}

/** Descriptors being built that point into a chain which is not collected: two requests claim one descriptor. */
export function takenLinks(ring: RingView): readonly { readonly from: number; readonly to: number }[] {
  return buildingOf(ring).flatMap((from) => {
    const { flags, next } = readDescriptor(ring, from);
    if ((flags & descriptorFlag.NEXT) === 0 || next >= ring.size || holderOf(ring.queue, next) === undefined) return [];
    return [{ from, to: next }];
  });
}

export function indexLine({ view, queue, availableIndex, usedIndex }: RingView): {
  readonly positions: readonly IndexPosition[];
  readonly spans: readonly IndexSpan[];
} {
  const fetched = view.seen.queues[queue.index]?.lastAvailable ?? queue.fetchedIndex;
  const collected = queue.collectedIndex;
  const span = (state: OwnerState, from: number, to: number, words: string): IndexSpan => {
    const count = distance(from, to);
    return { state, count, label: `${count === 0 ? 'none' : groupDigits(count)} ${words}` };
  };
  return {
    positions: [
      { label: 'last_used', value: collected, who: 'driver', place: 'private' },
      { label: 'used.idx', value: usedIndex, who: 'device', place: 'memory' },
      { label: 'last_avail', value: fetched, who: 'device', place: 'private' },
      { label: 'avail.idx', value: availableIndex, who: 'driver', place: 'memory' },
    ],
    spans: [
      span('U', collected, usedIndex, 'to collect'),
      span('I', usedIndex, fetched, 'in the device'),
      span('A', fetched, availableIndex, 'to fetch'),
    ],
  };
}
