// A large split ring: minimap, the line of indices, and one long list at a time, of which only the rows on the screen exist.
import { html, nothing, svg, type TemplateResult } from 'lit';
import { geometry } from '../drawing/geometry';
import { indexLine } from '../drawing/indices';
import { minimapPaths, minimapText } from '../drawing/minimap';
import { rowHeight, tallRowHeight } from '../drawing/wires';
import { groupDigits, type DescriptorRow, type QueueModel, type RingModel, type RingRow } from '../model/inspector';
import { asOwnerState } from '../parts/glance';
import { ownerSign, pointerTag } from '../parts/signs';
import { descriptorThing } from '../parts/things';
import { visibleRows, type RowWindow } from '../parts/virtual-rows';
import { heading } from '../parts/words';
import type { LargeList, View } from '../view';
import { chainRow } from './chains';
import { packedCells, packedHead, pointerTags, suppressions } from './packed-ring';
import { descriptorCells, foldText, rowClass, slotThing, type FoldedRun } from './split-ring';
import { idleQueue } from './welcome';

/** A row of the long table: one descriptor, known by its letter even when its content was not sent, or a run of free ones. */
export type LargeItem =
  { readonly kind: 'descriptor'; readonly index: number } | { readonly kind: 'fold'; readonly run: FoldedRun };

export function largeItems(states: string, inFlightOnly: boolean): readonly LargeItem[] {
  const items: LargeItem[] = [];
  for (let index = 0; index < states.length; index++) {
    if (!inFlightOnly || states.charAt(index) !== 'F') {
      items.push({ kind: 'descriptor', index });
      continue;
    }
    const first = index;
    while (states.charAt(index + 1) === 'F') index++;
    items.push({ kind: 'fold', run: { first, last: index } });
  }
  return items;
}

interface LongList {
  readonly head: TemplateResult;
  readonly columns: number;
  /** Of every row, in CSS pixels. */
  readonly heights: readonly number[];
  readonly row: (at: number) => TemplateResult;
  readonly shown?: (window: RowWindow) => void;
}

/** A list of which only the visible rows are drawn. It reports its scroll offset as the page's own state. */
function longTable(view: View, name: string, list: LongList): TemplateResult {
  const { head, columns, heights, row } = list;
  const shown = visibleRows(heights, view.page.scroll[name] ?? 0, view.page.height);
  list.shown?.(shown);
  const onScroll = (event: Event): void => {
    if (event.currentTarget instanceof HTMLElement) {
      view.change({ scroll: { ...view.page.scroll, [name]: event.currentTarget.scrollTop } });
    }
  };
  const spacer = (height: number): TemplateResult | typeof nothing =>
    height === 0
      ? nothing
      : html`<tr class="spacer" aria-hidden="true">
          <td colspan=${columns} ${geometry({ height: `${height}px` })}></td>
        </tr>`;
  return html`<div class="long" @scroll=${onScroll} id="list-${name}">
    <table data-rows aria-rowcount=${heights.length}>
      <thead>
        ${head}
      </thead>
      <tbody>
        ${spacer(shown.above)}${Array.from({ length: shown.end - shown.first }, (_, at) => row(shown.first + at))}${spacer(shown.below)}
      </tbody>
    </table>
  </div>`;
}

const splitHead = html`<th class="sign"></th>
  <th class="index">#</th>
  <th class="address">addr</th>
  <th class="number right">len</th>
  <th class="number">data</th>
  <th class="words">flags</th>
  <th class="index right">next</th>`;

function descriptorList(view: View, queue: QueueModel, items: readonly LargeItem[]): TemplateResult {
  const rows = new Map<number, DescriptorRow>(queue.descriptors.map((row) => [row.index, row]));
  const heights = items.map((item) =>
    item.kind === 'descriptor' && rows.get(item.index)?.violated !== undefined ? tallRowHeight : rowHeight,
  );
  const isPacked = queue.format === 'packed';
  const head = html`<tr>
    ${isPacked ? packedHead : splitHead}
    <th class="phrase">part of</th>
    <th class="fill">request</th>
  </tr>`;
  const draw = (at: number): TemplateResult => {
    const item = items[at];
    if (item === undefined) return html``;
    if (item.kind === 'fold')
      return html`<tr class="folded">
        <td colspan=${isPacked ? 10 : 9}>${foldText(item.run)}</td>
      </tr>`;
    const row = rows.get(item.index);
    if (row === undefined) {
      const state = asOwnerState(queue.states.charAt(item.index));
      return html`<tr class="tint-${state}" data-row tabindex="-1">
        <td>${ownerSign(state)}</td>
        <td class="mono strong">${item.index}</td>
        <td class="dim" colspan=${isPacked ? 8 : 7}>…</td>
      </tr>`;
    }
    return html`<tr
      class="${rowClass(row, view.model.sequence)} ${row.violated === undefined ? '' : 'tall'}"
      data-row
      data-thing=${descriptorThing(row.index)}
      tabindex=${at === 0 ? 0 : -1}
    >
      ${isPacked ? packedCells(row) : descriptorCells(row)}
      <td class="dim ellipsis" title=${row.part}>${pointerTags(row)} ${row.part}</td>
      <td class="ellipsis" title=${row.request ?? ''}>${row.request ?? ''}</td>
    </tr>`;
  };
  const shown = (window: RowWindow): void => view.wantRows(missingRows(queue, items, window.first, window.end));
  return longTable(view, 'descriptors', { head, columns: isPacked ? 10 : 9, heights, row: draw, shown });
}

function slotList(view: View, name: 'available' | 'used', ring: RingModel): TemplateResult {
  const used = name === 'used';
  const head = html`<tr>
    <th class="number">slot</th>
    <th class="sign"></th>
    <th class="number">${used ? 'id' : 'head'}</th>
    <th class="number right">${used ? 'len' : ''}</th>
    <th class="fill">${ring.position}</th>
  </tr>`;
  const draw = (at: number): TemplateResult => {
    const row: RingRow | undefined = ring.rows[at];
    if (row === undefined) return html``;
    return html`<tr
      class=${rowClass(row, view.model.sequence)}
      data-row
      data-thing=${slotThing(row)}
      tabindex=${at === 0 ? 0 : -1}
    >
      <td class="mono">${row.slot}</td>
      <td>${row.state === null ? nothing : ownerSign(row.state)}</td>
      <td class="mono strong ${row.violated === true ? 'violated' : ''}">${row.head}</td>
      <td class="mono right">${row.length ?? ''}</td>
      <td>${row.pointers.map(pointerTag)}</td>
    </tr>`;
  };
  return longTable(view, name, { head, columns: 5, heights: ring.rows.map(() => rowHeight), row: draw });
}

/** Where in the minimap the list's visible part lies, as fractions of the table. */
export function visibleFrame(
  items: readonly LargeItem[],
  size: number,
  first: number,
  end: number,
): { readonly from: number; readonly to: number } {
  const start = items[first];
  const last = items[Math.max(first, end - 1)];
  if (start === undefined || last === undefined || size === 0) return { from: 0, to: 1 };
  const from = start.kind === 'descriptor' ? start.index : start.run.first;
  const to = last.kind === 'descriptor' ? last.index : last.run.last;
  return { from: from / size, to: (to + 1) / size };
}

function scaleTicks(size: number): readonly number[] {
  return Array.from({ length: 8 }, (_, at) => Math.round((size / 8) * at));
}

function minimapCard(view: View, queue: QueueModel, items: readonly LargeItem[], width: number): TemplateResult {
  const height = 30;
  const paths = minimapPaths(queue.states, width, height, Math.min(queue.size, Math.floor(width / 2)));
  const viewport = Math.max(rowHeight, view.page.height - 420);
  const scrollTop = view.page.scroll['descriptors'] ?? 0;
  const first = Math.floor(scrollTop / rowHeight);
  const frame = visibleFrame(items, queue.size, first, first + Math.ceil(viewport / rowHeight));
  const list = (): HTMLElement | null => document.getElementById('list-descriptors');
  const goTo = (event: PointerEvent): void => {
    if (event.buttons !== 1 || !(event.currentTarget instanceof Element)) return;
    const box = event.currentTarget.getBoundingClientRect();
    const index = Math.floor(((event.clientX - box.left) / box.width) * queue.size);
    const at = items.findIndex((item) => (item.kind === 'descriptor' ? item.index >= index : item.run.last >= index));
    list()?.scrollTo({ top: Math.max(0, at * rowHeight - viewport / 2) });
  };
  return html`<section class="card minimap" aria-label="All descriptors">
    ${heading(`All ${groupDigits(queue.size)} descriptors`, 'full height: the device has it; half: the driver; base line: free', 'click or drag to move the list')}
    <div class="pad">
      <svg
        width=${width}
        height="52"
        viewBox="0 -4 ${width} 52"
        role="img"
        aria-label=${minimapText(queue.states)}
        @pointerdown=${goTo}
        @pointermove=${goTo}
      >
        <rect class="hit" x="0" y="-4" width=${width} height="52" />
        ${(['F', 'B', 'A', 'I', 'U'] as const).map((state) => svg`<path class="mini-${state}" d=${paths[state]} />`)}
        ${
          view.page.largeList === 'descriptors'
            ? svg`<rect class="frame" x=${frame.from * width + 1} y="-3" width=${Math.max(4, (frame.to - frame.from) * width - 2)} height="34" rx="2" />`
            : nothing
        }
        ${scaleTicks(queue.size).map((tick) => svg`<path class="line-strong" d="M${(tick / queue.size) * width} 28v4" /><text class="mono dim" x=${(tick / queue.size) * width} y="44">${groupDigits(tick)}</text>`)}
        <text class="mono dim" x=${width} y="44" text-anchor="end">${groupDigits(queue.size - 1)}</text>
      </svg>
    </div>
  </section>`;
}

const lists: readonly (readonly [LargeList, string])[] = [
  ['descriptors', 'Descriptor table'],
  ['chains', 'Chains'],
  ['available', 'Available ring'],
  ['used', 'Used ring'],
];

/** A packed ring is one list, and its chains. */
const inPacked: readonly LargeList[] = ['descriptors', 'chains'];

function listChoice(view: View, isPacked: boolean): TemplateResult {
  return html`<span class="choice" role="tablist" aria-label="List"
    >${lists
      .filter(([id]) => !isPacked || inPacked.includes(id))
      .map(
        ([id, label]) =>
          html`<button
            role="tab"
            class=${view.page.largeList === id ? 'on' : ''}
            aria-selected=${view.page.largeList === id}
            @click=${() => view.change({ largeList: id })}
          >
            ${label}
          </button>`,
      )}</span
  >`;
}

/** What the chosen list is about, at the end of its heading. */
function listCaption(queue: QueueModel, list: LargeList, shown: number): string {
  if (list === 'descriptors')
    return `${groupDigits(shown)} of ${groupDigits(queue.size)} shown${shown < queue.size ? ', free runs folded' : ''} · ${queue.tableAddress ?? 'not set'}`;
  if (list === 'chains') return `${queue.chainSummary} · oldest first`;
  const ring = list === 'available' ? queue.available : queue.used;
  return `${[...ring.fields.map(({ name, value }) => `${name} ${value}`), ring.rest].join(', ')} · ${ring.address ?? 'not set'}`;
}

/** The span of rows that are on the screen and were not sent, or null. */
export function missingRows(
  queue: QueueModel,
  items: readonly LargeItem[],
  first: number,
  end: number,
): { readonly first: number; readonly count: number } | null {
  const sent = new Set(queue.descriptors.map((row) => row.index));
  const wanted = items
    .slice(first, end)
    .flatMap((item) => (item.kind === 'descriptor' && !sent.has(item.index) ? [item.index] : []));
  const from = wanted[0];
  const to = wanted.at(-1);
  return from === undefined || to === undefined ? null : { first: from, count: to - from + 1 };
}

export function largeRing(view: View, queue: QueueModel, inFlightOnly: boolean): TemplateResult {
  const width = Math.max(200, view.page.width - 50);
  const items = largeItems(queue.states, inFlightOnly);
  const shown = items.filter((item) => item.kind === 'descriptor').length;
  const isPacked = queue.format === 'packed';
  const chosen = view.page.largeList;
  const list = isPacked && !inPacked.includes(chosen) ? 'descriptors' : chosen;
  const body =
    list === 'chains'
      ? html`<div class="long">${queue.chains.map((chain, at) => chainRow(view, chain, at === 0))}</div>`
      : list === 'descriptors'
        ? descriptorList(view, queue, items)
        : slotList(view, list, list === 'available' ? queue.available : queue.used);
  const nothingShown = (list === 'descriptors' && shown === 0) || (list === 'chains' && queue.chains.length === 0);
  return html`${minimapCard(view, queue, items, width)}
    <section class="card" aria-label="Indices">
      ${heading('Indices', 'distance between the four positions, not to scale', html`<span class="mono">${isPacked ? `wrap counter ${queue.packed?.available.wrap ?? ''}, lap ${queue.packed?.available.lap ?? ''}` : `size ${groupDigits(queue.size)}: slot = idx mod ${groupDigits(queue.size)}`}</span>`)}
      <div class="pad">
        ${indexLine(queue, width)} ${queue.packed === undefined ? nothing : suppressions(queue.packed)}
      </div>
    </section>
    <section class="card lists grow" aria-label="Rings">
      <h3>${listChoice(view, queue.format === 'packed')}<span class="end">${listCaption(queue, list, shown)}</span></h3>
      ${nothingShown ? idleQueue(view, queue) : body}
    </section>`;
}
