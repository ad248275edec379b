// The chains of a queue as linked cards with what each asks and what it waits for; and the chain that the driver is still building.
import type { Chain } from '../../../emulator/record/events';
import { descriptorFlag } from '../../../emulator/virtio/spec/split-ring';
import { descriptorAddress, holderOf, ownDescriptors } from '../../../emulator/virtio/watch/chains';
import type { ChainState, QueueState } from '../../../emulator/virtio/watch/queue-state';
import type { View } from '../../../emulator/virtio/rules/rule';
import {
  formatAddress,
  formatDuration,
  groupDigits,
  type ChainCard,
  type ChainModel,
  type DetailModel,
  type RichText,
} from '../../../webview/model/inspector';
import { decodeChain, type DecodedChain, type DecodedElement } from './requests';
import { buildingOf, directionOf, letterOf, readDescriptor, type RingView, violatedCell, wholeTable } from './rings';

/** Cards of one chain that are sent; the page says how many are left out. */
const shownCards = 40;
/** Chains that are sent: of a large queue those that fit a screen or two. */
export function shownChains(size: number): number {
  return size > 64 ? 24 : 64;
}

type LiveChain = View<ChainState>;

/** A chain that is decoded when somebody looks at it, once for table rows and cards. */
export class KnownChain {
  private known: DecodedChain | undefined;

  constructor(
    private readonly ring: RingView,
    readonly live: LiveChain,
  ) {}

  get decoded(): DecodedChain {
    const { view, queue } = this.ring;
    this.known ??= decodeChain(this.live.chain, {
      deviceId: view.seen.deviceId,
      queue: queue.index,
      memory: view.machine.memory,
      answered: this.live.phase === 'used',
      state: view.state,
    });
    return this.known;
  }
}

/** Split positions wrap at 16 bits, packed ones never. */
function positionOrder(a: View<Chain>, b: View<Chain>): number {
  const difference = a.position - b.position;
  return a.packed === undefined ? (difference << 16) >> 16 : difference;
}

/** Oldest first. */
export function chainsOf(ring: RingView): readonly KnownChain[] {
  return [...ring.queue.chains.values()]
    .sort((a, b) => a.published.index - b.published.index || positionOrder(a.chain, b.chain))
    .map((live) => new KnownChain(ring, live));
}

const nothingDecoded: DecodedElement = { role: 'data', note: '', strong: false, bytes: [], fields: [] };

/** What hovering tells. A running guest is not hovered over: its pictures go by thirty times a second. */
function detail(ring: RingView, known: KnownChain, at: number): DetailModel | undefined {
  const { chain, phase } = known.live;
  const element = chain.elements[at];
  if (element === undefined || ring.view.isRunning) return undefined;
  const decoded = known.decoded.elements[at] ?? nothingDecoded;
  const stored = ring.queue.descriptorStores.get(element.at);
  const where = element.indirect ? `entry ${element.index} of the indirect table` : `Descriptor ${element.index}`;
  return {
    title: `${where}: ${decoded.role} of ${nameOf(chain)} ${chain.head}`,
    subtitle: `${formatAddress(element.address)}, ${groupDigits(element.length)} ${element.length === 1 ? 'byte' : 'bytes'}, ${element.deviceWritable ? 'device writes' : 'device reads'}`,
    state: letterOf(phase),
    bytes: decoded.bytes,
    fields: decoded.fields,
    writtenAt: stored?.by === 'driver' ? ring.view.positionOf(stored.pc) : null,
    address: `0x${element.address.toString(16)}`,
    lengthBytes: Math.min(element.length, 0xffff_ffff),
  };
}

function cardOf(ring: RingView, known: KnownChain, at: number): ChainCard | undefined {
  const element = known.live.chain.elements[at];
  if (element === undefined) return undefined;
  const decoded = known.decoded.elements[at] ?? nothingDecoded;
  // A row of the table that is sent whole already has it.
  const about = element.indirect || ring.size > wholeTable ? detail(ring, known, at) : undefined;
  return {
    descriptor: element.index,
    role: decoded.role,
    length: groupDigits(element.length),
    address: formatAddress(element.address),
    direction: element.deviceWritable ? 'in' : 'out',
    note: decoded.note,
    ...(decoded.strong ? { noteStrong: true } : {}),
    ...(!element.indirect && violatedCell(ring, element.index) !== undefined ? { violated: true } : {}),
    ...(about === undefined ? {} : { detail: about }),
  };
}

/** Cards of a chain: its own descriptors, then each indirect table inside the card that refers to it. */
function cardsOf(ring: RingView, known: KnownChain): { readonly cards: readonly ChainCard[]; readonly rest: number } {
  const { chain } = known.live;
  const direct: ChainCard[] = [];
  const entries: ChainCard[] = [];
  let left = 0;
  chain.elements.forEach((element, at) => {
    const list = element.indirect ? entries : direct;
    if (list.length >= shownCards) left++;
    else {
      const card = cardOf(ring, known, at);
      if (card !== undefined) list.push(card);
    }
  });
  const [table] = chain.tables;
  if (table === undefined) return { cards: direct, rest: left };
  const raw = table.index < ring.size ? readDescriptor(ring, table.index) : undefined;
  direct.push({
    descriptor: table.index,
    role: 'indirect',
    length: groupDigits(raw?.length ?? 0),
    address: formatAddress(table.address),
    direction: 'table',
    note: '',
    ...(violatedCell(ring, table.index) === undefined ? {} : { violated: true }),
    table: entries,
    tableRest: Math.max(0, table.entries - entries.length),
  });
  return { cards: direct, rest: 0 };
}

function defectText({ defects }: View<Chain>): string {
  const [first] = defects;
  switch (first?.kind) {
    case undefined:
      return '';
    case 'head-out-of-range':
      return ` Head ${first.head} lies outside the table of ${first.queueSize}.`;
    case 'next-out-of-range':
      return ` Descriptor ${first.index} points at ${first.next}, outside the table of ${first.limit}.`;
    case 'loop':
      return ` The chain comes back to descriptor ${first.index}.`;
    default:
      return ` The chain is malformed: ${first?.kind.replaceAll('-', ' ')}.`;
  }
}

function waiting(
  ring: RingView,
  { live, decoded }: KnownChain,
): { readonly text: RichText; readonly progress: number | null } {
  const { view, queue } = ring;
  const { chain, phase } = live;
  const defect = defectText(chain);
  if (phase === 'available') {
    const { owed: unnotified } = queue.notification;
    const owed = unnotified !== undefined && unnotified.index <= live.published.index;
    return {
      text: [
        { strong: 'Available' },
        `, not fetched${owed ? '; the device has not been notified since' : ' yet'}.${defect}`,
      ],
      progress: null,
    };
  }
  if (phase === 'used') {
    const at = queue.usedPositions.indexOf(chain.position);
    const slot = usedSlot(queue, Math.max(0, at));
    const status = decoded.elements.filter((element) => element.strong).at(-1)?.note;
    return {
      text: [
        { strong: `Used, slot ${slot}${status === undefined ? '' : `, ${status}`}.` },
        ` Waits for the driver to look at ${queue.format === 'packed' ? 'its flags' : 'the used index'}.${defect}`,
      ],
      progress: null,
    };
  }
  const flight = view.seen.queues[queue.index]?.inFlight.find((each) => each.position === chain.position);
  if (flight === undefined) return { text: [{ strong: 'In the device' }, `.${defect}`], progress: null };
  const { fetchedAtNanoseconds: fetched, dueNanoseconds: due } = flight;
  const since = `fetched ${formatDuration(view.now - fetched)} ago`;
  if (due === undefined) {
    const idle =
      flight.state === 'fetched'
        ? 'the device model has not looked at it yet'
        : 'it waits for something to answer with';
    return { text: [{ strong: 'In the device' }, `, ${since}; ${idle}.${defect}`], progress: null };
  }
  return {
    text: [{ strong: 'In the device' }, `, ${since}, due in ${formatDuration(Math.max(0, due - view.now))}.${defect}`],
    progress: due > fetched ? Math.min(1, (view.now - fetched) / (due - fetched)) : 1,
  };
}

/** What comes back from the device to name a chain. */
function nameOf({ packed }: View<Chain>): string {
  return packed === undefined ? 'head' : 'buffer';
}

/** The slot of one of the entries that are not collected; in a packed ring those before it may stand for several descriptors. */
function usedSlot(queue: View<QueueState>, at: number): number {
  if (queue.format === 'split') return (queue.collectedIndex + at) % queue.size;
  return (at === 0 ? queue.collectedIndex : (queue.usedEnds[at - 1] ?? queue.collectedIndex)) % queue.size;
}

export function chainModel(ring: RingView, known: KnownChain): ChainModel {
  const { chain, phase, published } = known.live;
  const { cards, rest } = cardsOf(ring, known);
  const { text, progress } = waiting(ring, known);
  return {
    head: chain.head,
    title: `${nameOf(chain)} ${chain.head}`,
    state: letterOf(phase),
    request: known.decoded.request,
    where: [
      `slot ${chain.slot}${chain.packed === undefined ? `, idx ${groupDigits(chain.position)}` : ''} · ${formatDuration(ring.view.now - published.virtualNanoseconds)} old`,
    ],
    cards,
    ...(rest > 0 ? { rest } : {}),
    waiting: text,
    progress,
    violated: ownDescriptors(chain).some((index) => violatedCell(ring, index) !== undefined),
  };
}

/** The chain `3 → 4 → 5` that holds a descriptor. */
export function chainText(chain: View<Chain>): string {
  const own = [...ownDescriptors(chain)];
  return own.length > 4 ? `${own.slice(0, 3).join(' → ')} → … ${own.length - 3} more` : own.join(' → ');
}

function draftCard(ring: RingView, index: number, ghost: boolean): ChainCard {
  const raw = readDescriptor(ring, index);
  const holder = ghost ? holderOf(ring.queue, index) : undefined;
  const stored = ring.queue.descriptorStores.get(descriptorAddress(ring.queue, index));
  return {
    descriptor: index,
    role: 'draft',
    length: groupDigits(raw.length),
    address: formatAddress(raw.address),
    direction: directionOf(raw.flags),
    note: holder === undefined ? '' : `taken: chain ${chainText(holder.chain)}`,
    ...(ghost ? { ghost: true, violated: true } : {}),
    detail: {
      title: `Descriptor ${index}: not published`,
      subtitle: `${formatAddress(raw.address)}, ${groupDigits(raw.length)} bytes`,
      state: 'B',
      bytes: [],
      fields: [],
      writtenAt: stored?.by === 'driver' ? ring.view.positionOf(stored.pc) : null,
      address: `0x${raw.address.toString(16)}`,
      lengthBytes: Math.min(raw.length, 0xffff_ffff),
    },
  };
}

/** Chains that the driver is building: descriptors stored since they were last free, followed along `next`. */
export function draftChains(ring: RingView): readonly ChainModel[] {
  const building = new Set(buildingOf(ring));
  const targets = new Set(
    [...building].flatMap((index) => {
      const { flags, next } = readDescriptor(ring, index);
      return (flags & descriptorFlag.NEXT) === 0 ? [] : [next];
    }),
  );
  const heads = [...building].filter((index) => !targets.has(index)).sort((a, b) => a - b);
  return heads.slice(0, shownChains(ring.size)).map((head): ChainModel => {
    const cards: ChainCard[] = [];
    const visited = new Set<number>();
    let taken: number | undefined;
    for (let index = head; cards.length < shownCards && !visited.has(index);) {
      visited.add(index);
      if (!building.has(index)) {
        if (holderOf(ring.queue, index) !== undefined) {
          taken = index;
          cards.push(draftCard(ring, index, true));
        }
        break;
      }
      cards.push(draftCard(ring, index, false));
      const { flags, next } = readDescriptor(ring, index);
      if ((flags & descriptorFlag.NEXT) === 0 || next >= ring.size) break;
      index = next;
    }
    const stored = ring.queue.descriptorStores.get(descriptorAddress(ring.queue, head));
    return {
      head: null,
      title: 'not published',
      state: 'B',
      request: 'being built',
      where: stored?.by === 'driver' ? ['written at ', { position: ring.view.positionOf(stored.pc) }] : [],
      cards,
      waiting:
        taken === undefined
          ? [
              { strong: 'The driver is filling it.' },
              ` The device cannot see it before ${ring.queue.format === 'packed' ? 'the flags of its first descriptor are stored' : 'the available index moves'}.`,
            ]
          : [
              { strong: `Two requests claim descriptor ${taken}.` },
              ' The driver links it into the next request while another still uses it.',
            ],
      progress: null,
      violated: taken !== undefined,
    };
  });
}

export interface RowWordsOf {
  readonly part: string;
  readonly request?: string;
  readonly detail?: DetailModel;
}

/** For each of the rows that are sent: which chain it is part of, and as what. */
export function rowWords(
  ring: RingView,
  chains: readonly KnownChain[],
  rows: readonly number[],
): ReadonlyMap<number, RowWordsOf> {
  const words = new Map<number, RowWordsOf>();
  const byPosition = new Map(chains.map((known) => [known.live.chain.position, known]));
  const wanted = new Set(rows);
  const named = new Set<KnownChain>();
  for (const row of rows) {
    const holder = holderOf(ring.queue, row);
    const known = holder === undefined ? undefined : byPosition.get(holder.chain.position);
    if (known === undefined || named.has(known)) continue;
    named.add(known);
    nameRows(ring, known, wanted, words);
  }
  for (const index of buildingOf(ring)) if (wanted.has(index) && !words.has(index)) words.set(index, { part: 'draft' });
  return words;
}

function nameRows(
  ring: RingView,
  known: KnownChain,
  wanted: ReadonlySet<number>,
  words: Map<number, RowWordsOf>,
): void {
  const { chain } = known.live;
  const first = chain.packed === undefined ? chain.head : chain.slot;
  chain.elements.forEach((element, at) => {
    if (element.indirect || !wanted.has(element.index)) return;
    const about = detail(ring, known, at);
    words.set(element.index, {
      part: `${chain.head} ${known.decoded.elements[at]?.role ?? 'data'}`,
      ...(element.index === first ? { request: known.decoded.request } : {}),
      ...(about === undefined ? {} : { detail: about }),
    });
  });
  for (const table of chain.tables) {
    words.set(table.index, {
      part: `${chain.head} table`,
      ...(table.index === first ? { request: known.decoded.request } : {}),
    });
  }
}
