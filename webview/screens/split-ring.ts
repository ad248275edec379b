// A small split ring, read from left to right as the data goes: available ring, descriptor table, used ring. [virtio 1.4, 2.7]
import { html, nothing, type TemplateResult } from 'lit';
import { headHeight, middlesOf, rowHeight, tallRowHeight, wireGap, type RowMiddles } from '../drawing/wires';
import type { AttemptedValue, DescriptorRow, QueueModel, RingModel, RingRow } from '../model/inspector';
import { directionText, ownerSign, pointerTag, violationSign } from '../parts/signs';
import { descriptorThing } from '../parts/things';
import { heading, rich } from '../parts/words';
import type { View } from '../view';
import { chainsCard } from './chains';

/** A run of free descriptors that is folded into one line. */
export interface FoldedRun {
  readonly first: number;
  readonly last: number;
}
export type TableItem =
  { readonly kind: 'row'; readonly row: DescriptorRow } | { readonly kind: 'fold'; readonly run: FoldedRun };

/** The rows to show: all of them, or those that are not free with the free runs between folded. */
export function tableItems(rows: readonly DescriptorRow[], inFlightOnly: boolean): readonly TableItem[] {
  const items: TableItem[] = [];
  for (const row of rows) {
    const before = items.at(-1);
    if (!inFlightOnly || row.state !== 'F' || row.violated !== undefined) items.push({ kind: 'row', row });
    else if (before?.kind === 'fold' && before.run.last === row.index - 1) {
      items[items.length - 1] = { kind: 'fold', run: { first: before.run.first, last: row.index } };
    } else items.push({ kind: 'fold', run: { first: row.index, last: row.index } });
  }
  return items;
}

export function foldText(run: FoldedRun): string {
  const count = run.last - run.first + 1;
  return count === 1 ? `⋯ ${run.first}: free ⋯` : `⋯ ${run.first} – ${run.last}: ${count} free ⋯`;
}

/** One cell of a descriptor row: marked when it breaks a rule, with the value that is about to be stored. */
export function cell(
  row: DescriptorRow,
  column: AttemptedValue['column'],
  classes: string,
  content: string,
): TemplateResult {
  const { violated } = row;
  if (violated === undefined || violated.column !== column) return html`<td class=${classes}>${content}</td>`;
  const attempted =
    violated.value === null
      ? nothing
      : html`<span class="attempted" title="about to be stored"><i aria-hidden="true">▸</i> ${violated.value}</span>`;
  return html`<td class="${classes} violated">
    <span>${content}</span>${attempted}<span class="flag">${violationSign()}</span>
  </td>`;
}

export function descriptorCells(row: DescriptorRow): TemplateResult {
  return html`<td>${ownerSign(row.state)}</td>
    <td class="mono strong">${row.index}</td>
    ${cell(row, 'addr', 'mono', row.address)} ${cell(row, 'len', 'mono right', row.length)}
    <td>${directionText(row.direction)}</td>
    ${cell(row, 'flags', 'tiny', row.flags)}
    ${cell(row, 'next', 'mono right', row.next === null ? '–' : row.next.toString())}`;
}

/** Class of a descriptor's row: ownership tint, height, and a flash when the newest event changed it. */
export function rowClass(
  row: { readonly state: DescriptorRow['state'] | null; readonly changed?: boolean },
  sequence: number,
): string {
  const tint = row.state === null ? 'old' : `tint-${row.state}`;
  return row.changed === true ? `${tint} changed-${sequence % 2}` : tint;
}

/** The key to the mark of a value that is not in memory yet. */
export function aboutToStore(items: readonly TableItem[]): TemplateResult | typeof nothing {
  const stored = items.some((item) => item.kind === 'row' && typeof item.row.violated?.value === 'string');
  return stored ? html`<span class="about"><i aria-hidden="true">▸</i> about to be stored</span>` : nothing;
}

function descriptorTable(view: View, queue: QueueModel, items: readonly TableItem[]): TemplateResult {
  let first = true;
  const rows = items.map((item) => {
    if (item.kind === 'fold')
      return html`<tr class="folded">
        <td colspan="8">${foldText(item.run)}</td>
      </tr>`;
    const { row } = item;
    const tabindex = first ? 0 : -1;
    first = false;
    return html`<tr
      class="${rowClass(row, view.model.sequence)} ${row.violated === undefined ? '' : 'tall'}"
      data-row
      data-thing=${descriptorThing(row.index)}
      tabindex=${tabindex}
    >
      ${descriptorCells(row)}
      <td class="dim ellipsis" title=${row.part}>${row.part}</td>
    </tr>`;
  });
  return html`<section class="card ring descriptors" aria-label="Descriptor table">
    ${heading('Descriptor table', nothing, html`<span class="mono">${queue.tableAddress ?? 'not set'}</span>`)}
    <table data-rows>
      <thead>
        <tr>
          <th></th>
          <th>#</th>
          <th>addr</th>
          <th class="right">len</th>
          <th>data</th>
          <th>flags</th>
          <th class="right">next</th>
          <th class="fill">chain</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
    <div class="foot">
      ${aboutToStore(items)}<span>${rich(view, queue.summary)}</span
      ><span class="end">→ dev reads &nbsp; ← dev writes</span>
    </div>
  </section>`;
}

function ringFoot(ring: RingModel): TemplateResult {
  return html`<div class="foot">
    ${ring.fields.map(({ name, value }) => html`<span>${name} <b>${value}</b></span>`)}<span class="end"
      >${ring.rest}</span
    >
  </div>`;
}

export function slotThing(row: RingRow): string | typeof nothing {
  return row.state === null ? nothing : descriptorThing(row.head);
}

function availableRow(view: View, row: RingRow, first: boolean): TemplateResult {
  return html`<tr
    class=${rowClass(row, view.model.sequence)}
    data-row
    data-thing=${slotThing(row)}
    tabindex=${first ? 0 : -1}
  >
    <td class="mono">${row.slot}</td>
    <td>${row.state === null ? nothing : ownerSign(row.state)}</td>
    <td class="mono strong ${row.violated === true ? 'violated' : ''}">${row.head}</td>
    <td class="fill">
      ${row.pointers.length > 0 ? row.pointers.map(pointerTag) : html`<span class="tiny">${row.note ?? ''}</span>`}
    </td>
  </tr>`;
}

function usedRow(view: View, row: RingRow, first: boolean): TemplateResult {
  return html`<tr
    class=${rowClass(row, view.model.sequence)}
    data-row
    data-thing=${slotThing(row)}
    tabindex=${first ? 0 : -1}
  >
    <td class="mono">${row.slot}</td>
    <td class="mono strong ${row.violated === true ? 'violated' : ''}">${row.head}</td>
    <td class="mono right">${row.length ?? ''}</td>
    <td class="fill">${row.pointers.map(pointerTag)}</td>
  </tr>`;
}

export function availableTable(view: View, ring: RingModel): TemplateResult {
  return html`<section class="card ring available" aria-label="Available ring">
    ${heading('Available ring', 'driver writes', html`<span class="mono">${ring.address ?? 'not set'}</span>`)}
    <table data-rows>
      <thead>
        <tr>
          <th>slot</th>
          <th></th>
          <th>head</th>
          <th class="right">${ring.position}</th>
        </tr>
      </thead>
      <tbody>
        ${ring.rows.map((row, at) => availableRow(view, row, at === 0))}
      </tbody>
    </table>
    ${ringFoot(ring)}
  </section>`;
}

export function usedTable(view: View, ring: RingModel): TemplateResult {
  return html`<section class="card ring used" aria-label="Used ring">
    ${heading('Used ring', 'device writes', html`<span class="mono">${ring.address ?? 'not set'}</span>`)}
    <table data-rows>
      <thead>
        <tr>
          <th>slot</th>
          <th>id</th>
          <th class="right">len</th>
          <th class="right">${ring.position}</th>
        </tr>
      </thead>
      <tbody>
        ${ring.rows.map((row, at) => usedRow(view, row, at === 0))}
      </tbody>
    </table>
    ${ringFoot(ring)}
  </section>`;
}

function middles(queue: QueueModel, items: readonly TableItem[]): RowMiddles {
  const slots = (ring: RingModel): ReadonlyMap<number, number> =>
    middlesOf(ring.rows.map((row) => ({ key: row.slot, height: rowHeight })));
  return {
    descriptors: middlesOf(
      items.map((item) =>
        item.kind === 'fold'
          ? { key: null, height: rowHeight }
          : { key: item.row.index, height: item.row.violated === undefined ? rowHeight : tallRowHeight },
      ),
    ),
    available: slots(queue.available),
    used: slots(queue.used),
  };
}

export function splitRing(view: View, queue: QueueModel, inFlightOnly: boolean): TemplateResult {
  const items = tableItems(queue.descriptors, inFlightOnly);
  const places = middles(queue, items);
  const rows = Math.max(items.length, queue.available.rows.length);
  const height = headHeight + rows * rowHeight + tallRowHeight;
  return html`<div class="rings">
      ${availableTable(view, queue.available)} ${wireGap(queue, 'available', places, height)}
      ${descriptorTable(view, queue, items)} ${wireGap(queue, 'used', places, height)} ${usedTable(view, queue.used)}
    </div>
    ${chainsCard(view, queue)}`;
}
