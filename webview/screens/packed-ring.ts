// A small packed ring: the circle with the wrap counters, what the two flags mean to each side now, and the descriptors as rows.
// [virtio 1.4, 2.8]
import { html, nothing, type TemplateResult } from 'lit';
import { circle } from '../drawing/circle';
import type { DescriptorRow, PackedModel, QueueModel, SuppressionModel } from '../model/inspector';
import { ownerSign, pointerTag, violationSign } from '../parts/signs';
import { descriptorThing } from '../parts/things';
import { heading, rich } from '../parts/words';
import type { View } from '../view';
import { chainsCard } from './chains';
import { aboutToStore, cell, foldText, rowClass, tableItems } from './split-ring';

/** Cells of a descriptor's row, pointers and chain left out. */
export function packedCells(row: DescriptorRow): TemplateResult {
  const { packed } = row;
  return html`<td>${ownerSign(row.state)}</td>
    <td class="mono strong">${row.index}</td>
    <td class="mono right dim">${packed === undefined || packed.lap === 0 ? '–' : packed.lap}</td>
    <td class="mono">${packed?.available ?? ''} ${packed?.used ?? ''}</td>
    ${cell(row, 'id', 'mono right', `${packed?.id ?? ''}`)} ${cell(row, 'addr', 'mono', row.address)}
    ${cell(row, 'len', 'mono right', row.length)} ${cell(row, 'flags', 'tiny', row.flags)}`;
}

/** Where somebody goes on; places that agree are named briefly, as a row has little room. */
export function pointerTags({ packed }: DescriptorRow): TemplateResult | typeof nothing {
  const pointers = packed?.pointers ?? [];
  if (pointers.length === 0) return nothing;
  if (pointers.length === 4) return html`<span class="tiny">all four places agree here</span>`;
  const brief = (label: string): string => (pointers.length === 1 ? label : label.replace(/^next (to )?/, ''));
  return html`${pointers.map((pointer) => pointerTag({ ...pointer, label: brief(pointer.label) }))}`;
}

export const packedHead = html`<th></th>
  <th>#</th>
  <th class="right">lap</th>
  <th><abbr title="AVAIL and USED">A U</abbr></th>
  <th class="right">id</th>
  <th>addr</th>
  <th class="right">len</th>
  <th>flags</th>`;

function descriptorTable(view: View, queue: QueueModel, packed: PackedModel, inFlightOnly: boolean): TemplateResult {
  const items = tableItems(queue.descriptors, inFlightOnly);
  const first = items.findIndex(({ kind }) => kind === 'row');
  return html`<section class="card ring descriptors" aria-label="Descriptor ring">
    ${heading('Descriptors', nothing, html`<span class="mono">${queue.tableAddress ?? 'not set'}</span>`)}
    <table data-rows>
      <thead>
        <tr>
          ${packedHead}
          <th class="fill">chain</th>
        </tr>
      </thead>
      <tbody>
        ${items.map((item, at) => {
          if (item.kind === 'fold')
            return html`<tr class="folded">
              <td colspan="9">${foldText(item.run)}</td>
            </tr>`;
          const { row } = item;
          return html`<tr
            class="${rowClass(row, view.model.sequence)} ${row.violated === undefined ? '' : 'tall'}"
            data-row
            data-thing=${descriptorThing(row.index)}
            tabindex=${at === first ? 0 : -1}
          >
            ${packedCells(row)}
            <td class="dim ellipsis" title=${row.part}>${pointerTags(row)} ${row.part}</td>
          </tr>`;
        })}
      </tbody>
    </table>
    <div class="foot">${aboutToStore(items)}<span>${rich(view, queue.summary)}</span></div>
    ${suppressions(packed)}
  </section>`;
}

/** What each side wants to be told. */
export function suppressions({ suppression }: PackedModel): TemplateResult {
  const line = ({ side, value, meaning, violated }: SuppressionModel): TemplateResult =>
    html`<dt>${side} event ${violated === true ? violationSign('breaks a rule') : nothing}</dt>
      <dd class=${violated === true ? 'violated' : ''}>
        <b class="mono">${value}</b> <span class="dim">${meaning}</span>
      </dd>`;
  return html`<dl class="pairs suppression" aria-label="Event suppression">${suppression.map(line)}</dl>`;
}

const flagPairs = [
  [1, 0],
  [1, 1],
  [0, 1],
  [0, 0],
] as const;

/** What AVAIL and USED say to whoever looks next: the answer turns round with each lap. */
function flagMeanings({ fetch, collect }: PackedModel): TemplateResult {
  const row = (available: number, used: number): TemplateResult => {
    const toFetch = available === fetch.wrap && used !== fetch.wrap;
    const toCollect = available === collect.wrap && used === collect.wrap;
    return html`<tr>
      <td class="mono">${available} ${used}</td>
      <td class=${toFetch ? 'strong' : 'dim'}>${toFetch ? `available: fetch` : 'nothing new'}</td>
      <td class=${toCollect ? 'strong' : 'dim'}>${toCollect ? 'used: collect' : 'not used yet'}</td>
    </tr>`;
  };
  return html`<table class="meanings">
    <thead>
      <tr>
        <th>AVAIL USED</th>
        <th>to the device, wrap ${fetch.wrap} (lap ${fetch.lap})</th>
        <th>to the driver, wrap ${collect.wrap} (lap ${collect.lap})</th>
      </tr>
    </thead>
    <tbody>
      ${flagPairs.map(([available, used]) => row(available, used))}
    </tbody>
  </table>`;
}

export function packedRing(view: View, queue: QueueModel, packed: PackedModel, inFlightOnly: boolean): TemplateResult {
  return html`<div class="packed">
      <section class="card ring" aria-label="Ring">
        ${heading('Ring', `clockwise; inner numbers: AVAIL USED; thick band: lap ${packed.available.lap}, the driver’s`, nothing)}
        ${circle(queue, packed, view.model.sequence)} ${flagMeanings(packed)}
      </section>
      ${descriptorTable(view, queue, packed, inFlightOnly)}
    </div>
    ${chainsCard(view, queue)}`;
}
