// The selected queue as one model: rings, wires, indices and chains, or why there is nothing to draw.
import { feature, hasFeature } from '../../../emulator/virtio/spec/feature';
import {
  formatAddress,
  groupDigits,
  type QueueModel,
  type RichText,
  type RingModel,
} from '../../../webview/model/inspector';
import type { InspectionRequest } from '../../worker/inspection-source';
import { inWordsOf } from '../../../emulator/virtio/transport/register-names';
import { areaNames } from '../../../emulator/virtio/rules/queue-setup';
import { packedIndexLine, packedModel } from './packed-ring';
import { chainModel, chainsOf, draftChains, rowWords, shownChains } from './chains';
import {
  availableRing,
  descriptorRow,
  indexLine,
  type RingView,
  statesOf,
  usedRing,
  viewRing,
  wholeTable,
  wiresOf,
} from './rings';
import type { DeviceView } from './source';

/** Rows of a larger one around those that the page shows, and at most so many that are not free. */
const margin = 64;
const liveRows = 256;

/** Queues above this size are drawn without wires. */
const drawnWires = 32;

const emptyRing: RingModel = { address: null, position: '', rows: [], fields: [], rest: '' };

function ringFeatures({ seen }: DeviceView): string {
  const names = [
    [feature.INDIRECT_DESC, 'INDIRECT_DESC'],
    [feature.EVENT_IDX, 'EVENT_IDX'],
    [feature.IN_ORDER, 'IN_ORDER'],
    [feature.NOTIFICATION_DATA, 'NOTIFICATION_DATA'],
    [feature.RING_RESET, 'RING_RESET'],
  ] as const;
  const accepted = names.filter(([bit]) => hasFeature(seen.acceptedFeatures, bit)).map(([, name]) => name);
  return accepted.length === 0 ? 'without INDIRECT_DESC and EVENT_IDX' : accepted.join(', ');
}

function notReady(view: DeviceView, index: number): QueueModel {
  const seen = view.seen.queues[index];
  const format = seen?.format ?? 'split';
  const names = areaNames[format];
  const set = (address: bigint): string | null => (address === 0n ? null : formatAddress(address));
  const addresses =
    seen === undefined
      ? []
      : ([
          [names.descriptor, set(seen.descriptorAddress)],
          [names.available, set(seen.driverAddress)],
          [names.used, set(seen.deviceAddress)],
        ] as const);
  const known = addresses
    .filter(([, address]) => address !== null)
    .map(([name, address]) => `${name} at ${address ?? ''}`);
  const outside = seen?.ready === true && !seen.inMemory;
  const size = seen?.size ?? 0;
  const progress =
    known.length === 0 ? 'The driver has not written its addresses yet.' : `So far: ${known.join(', ')}.`;
  const text = outside
    ? `The driver enabled it, but an area lies outside guest memory: ${known.join(', ')}.`
    : `It can have up to ${groupDigits(seen?.maximumSize ?? 0)} entries. ${progress} ${inWordsOf(view.seen.transport, false, 'QueueReady')} is 0.`;
  return {
    device: view.seen.name,
    index,
    name: seen?.name ?? `queue ${index}`,
    format,
    size: size === 0 ? (seen?.maximumSize ?? 0) : size,
    ready: false,
    features: ringFeatures(view),
    states: '',
    tableAddress: seen === undefined ? null : set(seen.descriptorAddress),
    descriptors: [],
    summary: [],
    available: emptyRing,
    used: emptyRing,
    wires: [],
    positions: [],
    spans: [],
    chainSummary: '',
    chains: [],
    chainRest: 0,
    idle: [text],
  };
}

/** Which rows of the table are sent. */
export function rowsToSend(
  states: string,
  request: Pick<InspectionRequest, 'firstRow' | 'rowCount'>,
): readonly number[] {
  if (states.length <= wholeTable) return Array.from(states, (_, index) => index);
  const first = Math.max(0, (request.firstRow ?? 0) - margin);
  const end = Math.min(
    states.length,
    (request.firstRow ?? 0) + Math.min(request.rowCount ?? wholeTable, 2 * wholeTable) + margin,
  );
  const wanted = new Set<number>();
  for (let index = first; index < end; index++) wanted.add(index);
  for (let index = 0, live = 0; index < states.length && live < liveRows; index++) {
    if (states.charAt(index) === 'F') continue;
    wanted.add(index);
    live++;
  }
  return [...wanted].sort((a, b) => a - b);
}

function summaryOf(states: string): RichText {
  const free = states.split('F').length - 1;
  const building = states.split('B').length - 1;
  return [
    `${free === 0 ? 'none' : groupDigits(free)} free${building === 0 ? '' : `, ${groupDigits(building)} being filled`}`,
  ];
}

function idleText({ view, queue, size, availableIndex }: RingView): RichText {
  const agree =
    queue.format === 'packed'
      ? `positions agree at slot ${availableIndex % size}`
      : `indices agree at ${groupDigits(availableIndex)}`;
  const last = view.history
    .queue(view.seen.name, queue.index)
    .requests.filter((request) => request.used !== undefined)
    .at(-1);
  const request =
    last?.description === undefined
      ? ''
      : ` Last request: ${last.description}${last.status === undefined ? '' : `, ${last.status.replace('VIRTIO_BLK_S_', '')}`}.`;
  return [
    `All ${groupDigits(size)} descriptors are free and the four ${agree}.${request} The next publish appears here.`,
  ];
}

type Parts = Pick<QueueModel, 'format' | 'available' | 'used' | 'wires' | 'packed' | 'positions' | 'spans'>;

function splitParts(ring: RingView): Parts {
  const wires = ring.size > drawnWires ? [] : wiresOf(ring);
  return { format: 'split', available: availableRing(ring), used: usedRing(ring), wires, ...indexLine(ring) };
}

function packedParts(ring: RingView): Parts {
  const empty = { available: emptyRing, used: emptyRing, wires: [] };
  return { format: 'packed', ...empty, packed: packedModel(ring), ...packedIndexLine(ring) };
}

export function projectQueue(view: DeviceView, index: number, request: InspectionRequest): QueueModel {
  const ring = viewRing(view, index);
  if (ring === undefined) return notReady(view, index);
  const states = statesOf(view, index);
  const known = chainsOf(ring);
  const drafts = draftChains(ring);
  const rows = rowsToSend(states, request);
  const words = rowWords(ring, known, rows);
  const chains = [...known.slice(0, shownChains(ring.size)).map((each) => chainModel(ring, each)), ...drafts];
  return {
    device: view.seen.name,
    index,
    name: view.seen.queues[index]?.name ?? `queue ${index}`,
    size: ring.size,
    ready: true,
    features: ringFeatures(view),
    states,
    tableAddress: formatAddress(ring.queue.descriptorArea),
    descriptors: rows.map((row) => descriptorRow(ring, row, words.get(row) ?? { part: '' })),
    summary: summaryOf(states),
    ...(ring.queue.format === 'packed' ? packedParts(ring) : splitParts(ring)),
    chainSummary: `${known.length === 0 ? 'none' : groupDigits(known.length)} in flight${drafts.length === 0 ? '' : `, ${groupDigits(drafts.length)} being built`}`,
    chains,
    chainRest: Math.max(0, known.length - shownChains(ring.size)),
    idle: known.length === 0 && drafts.length === 0 ? idleText(ring) : null,
  };
}
