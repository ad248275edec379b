// Wires between the three tables of a split ring: from an available slot to its head, from a head to its used entry. They stand in
// the gaps between the tables, so that only row heights matter. The tables say the same in numbers, so wires are hidden from readers.
import { html, svg, type SVGTemplateResult, type TemplateResult } from 'lit';
import type { QueueModel, Wire } from '../model/inspector';

/** Heights in CSS pixels; the style sheet uses the same. */
export const rowHeight = 24;
export const tallRowHeight = 44;
export const headHeight = 48;
export const gapWidth = 38;

/** Vertical middle of a row of each table, by slot and by descriptor; a folded row has none. */
export interface RowMiddles {
  readonly descriptors: ReadonlyMap<number, number>;
  readonly available: ReadonlyMap<number, number>;
  readonly used: ReadonlyMap<number, number>;
}

/** Middles of rows that follow each other from the top of a table; `tall` rows hold two lines. */
export function middlesOf(
  rows: readonly { readonly key: number | null; readonly height: number }[],
): ReadonlyMap<number, number> {
  const middles = new Map<number, number>();
  let top = headHeight;
  for (const { key, height } of rows) {
    if (key !== null) middles.set(key, top + height / 2);
    top += height;
  }
  return middles;
}

function across(wire: Wire, from: number, to: number): SVGTemplateResult {
  const end = gapWidth - 5;
  const tone = wire.violated ? 'violation' : wire.who;
  return svg`<path class="wire stroke-${tone} ${wire.draft ? 'draft' : ''}" d="M0 ${from}C19 ${from} 19 ${to} ${end} ${to}" />
    <path class="fill-${tone}" d="M${gapWidth} ${to}l-6 -4v8z" />`;
}

function back(wire: Wire, from: number, to: number): SVGTemplateResult {
  const tone = wire.violated ? 'violation' : wire.who;
  return svg`<path class="wire stroke-${tone} ${wire.draft ? 'draft' : ''}" d="M0 ${from}C22 ${from} 22 ${to} 5 ${to}" />
    <path class="fill-${tone}" d="M0 ${to}l6 -3.5v7z" />`;
}

/** The gap left (`available`) or right (`used`) of the descriptor table. */
export function wireGap(
  queue: QueueModel,
  side: 'available' | 'used',
  middles: RowMiddles,
  height: number,
): TemplateResult {
  const drawn: SVGTemplateResult[] = [];
  for (const wire of queue.wires) {
    const descriptor = middles.descriptors.get(wire.descriptor);
    if (descriptor === undefined) continue;
    if (side === 'available' && wire.from === 'available') {
      const slot = middles.available.get(wire.row);
      if (slot !== undefined) drawn.push(across(wire, slot, descriptor));
    } else if (side === 'used' && wire.from === 'used') {
      const slot = middles.used.get(wire.row);
      if (slot !== undefined) drawn.push(across(wire, descriptor, slot));
    } else if (side === 'used' && wire.from === 'link') {
      const from = middles.descriptors.get(wire.row);
      if (from !== undefined) drawn.push(back(wire, from, descriptor));
    }
  }
  return html`<svg
    class="wires"
    width=${gapWidth}
    height=${height}
    viewBox="0 0 ${gapWidth} ${height}"
    aria-hidden="true"
  >
    ${drawn}
  </svg>`;
}
