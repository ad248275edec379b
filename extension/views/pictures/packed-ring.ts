// A packed ring as one picture: whose turn it is at which slot, what AVAIL and USED say in this lap, the two wrap counters and what each
// side wants to be told. [virtio 1.4, 2.8]
import { feature, hasFeature } from '../../../emulator/virtio/spec/feature';
import { eventFlag, eventOffset, packedFlag, packedOffset, wrapOf } from '../../../emulator/virtio/spec/packed-ring';
import { descriptorAddress } from '../../../emulator/virtio/watch/chains';
import {
  groupDigits,
  type IndexPosition,
  type IndexSpan,
  type OwnerState,
  type PackedCell,
  type PackedModel,
  type Pointer,
  type SuppressionModel,
  type WrapCounter,
} from '../../../webview/model/inspector';
import type { RingView } from './rings';

/** Positions of the ring in ring order from the oldest, each between 0 and a lap behind the next. */
interface Positions {
  readonly collect: number;
  readonly used: number;
  readonly fetch: number;
  readonly available: number;
}

function positionsOf({ view, queue, availableIndex, usedIndex }: RingView): Positions {
  const fetch = view.seen.queues[queue.index]?.lastAvailable ?? queue.fetchedIndex;
  return { collect: queue.collectedIndex, used: usedIndex, fetch, available: Math.max(availableIndex, fetch) };
}

const pointerRows = [
  { at: 'collect', label: 'next to collect', who: 'driver' },
  { at: 'used', label: 'next used', who: 'device' },
  { at: 'fetch', label: 'next to fetch', who: 'device' },
  { at: 'available', label: 'next available', who: 'driver' },
] as const;

/** Pointers by slot. All of them are private: a packed ring has no index in memory. */
function pointersAt(ring: RingView, slot: number): readonly Pointer[] {
  const positions = positionsOf(ring);
  return pointerRows
    .filter(({ at }) => positions[at] % ring.size === slot)
    .map(({ label, who }) => ({ label, who, place: 'private' }));
}

/** What only packed rings show of a descriptor. */
export function packedCell(ring: RingView, slot: number): PackedCell {
  const { view, queue, size } = ring;
  const { memory } = view.machine;
  const at = descriptorAddress(queue, slot);
  const flags = memory.read16(at + packedOffset.flags);
  const { collect, available } = positionsOf(ring);
  const position = collect + ((slot - (collect % size) + size) % size);
  // A slot that is free now was last used one lap before the one in which it is filled next.
  const lap = Math.floor(position / size) - (position < available ? 0 : 1);
  return {
    lap: Math.max(0, lap + 1),
    available: (flags & packedFlag.AVAIL) === 0 ? 0 : 1,
    used: (flags & packedFlag.USED) === 0 ? 0 : 1,
    id: memory.read16(at + packedOffset.id),
    pointers: pointersAt(ring, slot),
  };
}

function suppression(ring: RingView, side: 'driver' | 'device'): SuppressionModel {
  const { view, queue } = ring;
  const area = side === 'driver' ? queue.driverArea : queue.deviceArea;
  const { memory } = view.machine;
  const flags = memory.read16(area + eventOffset.flags);
  const desc = memory.read16(area + eventOffset.desc);
  const what = side === 'driver' ? 'interrupt' : 'notification';
  const violated = view.standingAt.some(
    ({ place }) => place?.kind === 'event-suppression' && place.queue === queue.index && place.side === side,
  );
  return { side, ...suppressionWords(flags, desc, what), ...(violated ? { violated } : {}) };
}

function suppressionWords(flags: number, desc: number, what: string): { value: string; meaning: string } {
  switch (flags & 3) {
    case eventFlag.ENABLE:
      return { value: 'ENABLE', meaning: `wants every ${what}` };
    case eventFlag.DISABLE:
      return { value: 'DISABLE', meaning: `wants no ${what}` };
    case eventFlag.DESC:
      return {
        value: `DESC ${desc & 0x7fff}, wrap ${desc >> 15}`,
        meaning: `wants the ${what} when slot ${desc & 0x7fff} is passed in a lap with wrap counter ${desc >> 15}`,
      };
    default:
      return { value: `0x${flags.toString(16)}`, meaning: 'has no meaning' };
  }
}

export function packedModel(ring: RingView): PackedModel {
  const { size } = ring;
  const positions = positionsOf(ring);
  const counter = (position: number): WrapCounter => ({
    wrap: wrapOf(position, size),
    lap: Math.floor(position / size) + 1,
  });
  return {
    available: counter(positions.available),
    fetch: counter(positions.fetch),
    used: counter(positions.used),
    collect: counter(positions.collect),
    suppression: [suppression(ring, 'driver'), suppression(ring, 'device')],
    eventIdx: hasFeature(ring.view.seen.acceptedFeatures, feature.EVENT_IDX),
  };
}

/** The line of the four positions. */
export function packedIndexLine(ring: RingView): {
  readonly positions: readonly IndexPosition[];
  readonly spans: readonly IndexSpan[];
} {
  const positions = positionsOf(ring);
  const span = (state: OwnerState, from: number, to: number, words: string): IndexSpan => {
    const count = Math.max(0, to - from);
    return { state, count, label: `${count === 0 ? 'none' : groupDigits(count)} ${words}` };
  };
  return {
    positions: pointerRows.map(({ at, label, who }) => ({
      label,
      value: positions[at] % ring.size,
      who,
      place: 'private',
    })),
    spans: [
      span('U', positions.collect, positions.used, 'to collect'),
      span('I', positions.used, positions.fetch, 'in the device'),
      span('A', positions.fetch, positions.available, 'to fetch'),
    ],
  };
}
