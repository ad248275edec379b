// Features: all bits as a strip, and a table of offered, accepted and effective bits with what the driver did about each.
import { html, nothing, type TemplateResult } from 'lit';
import { controlValue } from '../controls';
import { groupDigits, plainText, type DeviceModel, type FeatureRow, type FeaturesModel } from '../model/inspector';
import { hazardSign, icon, violationSign } from '../parts/signs';
import { heading, rich } from '../parts/words';
import { featureFilters, featuresAsC, filterFeatures } from '../parts/feature-filter';
import type { View } from '../view';

function bitMark(row: FeatureRow | undefined): TemplateResult {
  if (row === undefined || (!row.offered && !row.accepted)) return html`<i class="mark none"></i>`;
  if (row.offered && row.accepted) return html`<i class="mark both"></i>`;
  return html`<i class="mark ${row.offered ? 'offered' : 'accepted'}"></i>`;
}

function bitText(row: FeatureRow | undefined, bit: number): string {
  if (row === undefined || (!row.offered && !row.accepted)) return `bit ${bit}: not offered`;
  const accepted = row.accepted ? (row.offered ? 'offered and accepted' : 'accepted, not offered') : 'offered';
  return `bit ${bit} ${row.name}: ${accepted}`;
}

function bitStrip(view: View, features: FeaturesModel): TemplateResult {
  const byBit = new Map(features.rows.map((row) => [row.bit, row]));
  const select = (bit: number): void => {
    if (byBit.has(bit)) view.change({ selectedFeature: bit, featureFilter: 'all', featureSearch: '' });
  };
  const key = html`<span class="legend"
    ><span><i class="mark offered"></i>device offered</span><span><i class="mark both"></i>and driver accepted</span
    ><span><i class="mark accepted"></i>accepted, not offered: a violation</span></span
  >`;
  const rows = Array.from({ length: features.bitCount / 64 }, (_, half) => half * 64);
  return html`<section class="card bit-strip" aria-label="Feature bits">
    ${heading(`Bits 0 to ${features.bitCount - 1}`, features.summary, view.page.width < 900 ? nothing : key)}
    ${rows.map(
      (first) =>
        html`<div class="bit-row" role="img" aria-label=${`bits ${first} to ${first + 63}; the table below lists them`}>
            ${Array.from({ length: 64 }, (_, at) => {
              const row = byBit.get(first + at);
              const selected = view.page.selectedFeature === first + at && row !== undefined;
              return html`<span
                class="bit ${selected ? 'selected' : ''} ${row?.violated === true ? 'violated' : ''}"
                title=${bitText(row, first + at)}
                @click=${() => select(first + at)}
                >${bitMark(row)}</span
              >`;
            })}
          </div>
          <div class="bit-scale tiny dim mono" aria-hidden="true">
            ${Array.from({ length: 8 }, (_, at) => html`<span>${first + at * 8}</span>`)}
          </div>`,
    )}
  </section>`;
}

function verdict(row: FeatureRow): TemplateResult {
  return html`<td class="center">
      <i
        class="mark ${row.offered ? 'offered' : 'none'}"
        role="img"
        aria-label=${row.offered ? 'offered' : 'not offered'}
      ></i>
    </td>
    <td class="center">
      <i
        class="mark ${row.accepted ? 'accepted' : 'none'}"
        role="img"
        aria-label=${row.accepted ? 'accepted' : 'not accepted'}
      ></i>
    </td>
    <td class="center">
      ${row.violated ? violationSign('breaks a rule') : row.effective === null ? html`<span class="dim">open</span>` : row.effective ? '✓' : ''}
    </td>
    <td class="center mono">${row.change === 'added' ? '+' : row.change === 'removed' ? '−' : ''}</td>`;
}

/** What opens under a chosen row. In the side bar it also holds the columns that found no room. */
function moreRow(view: View, row: FeatureRow): TemplateResult | typeof nothing {
  const { detail } = row;
  if (detail === undefined && !view.narrow) return nothing;
  return html`<tr class="more">
    <td></td>
    <td colspan="8">
      <div class="explain">
        ${view.narrow ? html`<div>${row.meaning}; ${rich(view, row.behaviour)}</div>` : nothing}
        ${
          detail === undefined
            ? nothing
            : html`<div><b>Why it matters.</b> ${rich(view, detail.why)}</div>
                <div><b>What this driver did.</b> ${rich(view, detail.did)}</div>
                <div class="dim">${detail.references.map((text) => html`<div>${rich(view, text)}</div>`)}</div>`
        }
      </div>
    </td>
  </tr>`;
}

function featureRow(view: View, row: FeatureRow, first: boolean): TemplateResult {
  const selected = view.page.selectedFeature === row.bit;
  const toggle = (): void => view.change({ selectedFeature: selected ? null : row.bit });
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && event.target === event.currentTarget) toggle();
  };
  const needs = row.needs.length === 0 ? '' : `needs ${row.needs.join(', ')}`;
  return html`<tr
      class="${row.accepted ? '' : 'declined'} ${selected ? 'selected' : ''} ${row.violated ? 'violated' : ''}"
      data-row
      tabindex=${first ? 0 : -1}
      aria-expanded=${row.detail === undefined && !view.narrow ? nothing : selected}
      @click=${toggle}
      @keydown=${onKey}
    >
      <td class="mono right">${row.bit}</td>
      <td class="strong">${row.name} ${view.narrow && row.violated ? violationSign('breaks a rule') : nothing}</td>
      <td class="tiny dim">${needs}</td>
      ${verdict(row)}
      <td class="ellipsis" title=${row.meaning}>${row.meaning}</td>
      <td class="ellipsis" title=${plainText(row.behaviour)}>
        ${row.neverHonoured ? hazardSign() : nothing}${rich(view, row.behaviour)}
      </td>
    </tr>
    ${selected ? moreRow(view, row) : nothing}`;
}

function featureTable(view: View, features: FeaturesModel): TemplateResult {
  const rows = filterFeatures(features.rows, view.page.featureFilter, view.page.featureSearch);
  const groups = [...new Set(rows.map((row) => row.group))];
  return html`<section class="card scroll grow" aria-label="Feature table">
    <table class="features" data-rows>
      <thead>
        <tr>
          <th class="right">bit</th>
          <th>name</th>
          <th></th>
          <th class="center">offered</th>
          <th class="center">accepted</th>
          <th class="center">effective</th>
          <th
            class="center"
            title=${features.comparedWith === null ? 'no earlier lap' : `against ${features.comparedWith}`}
          >
            Δ
          </th>
          <th>meaning</th>
          <th class="fill">what the driver did with it</th>
        </tr>
      </thead>
      ${groups.map(
        (group, at) =>
          html`<tbody>
            <tr class="group">
              <td colspan="9">${group}</td>
            </tr>
            ${rows.filter((row) => row.group === group).map((row, index) => featureRow(view, row, at === 0 && index === 0))}
          </tbody>`,
      )}
    </table>
    ${rows.length === 0 ? html`<p class="nothing">No feature matches. <button class="link" @click=${() => view.change({ featureFilter: 'all', featureSearch: '' })}>Show all</button></p>` : nothing}
  </section>`;
}

function toolbar(view: View, features: FeaturesModel): TemplateResult {
  const search = (event: Event): void => view.change({ featureSearch: controlValue(event) });
  return html`<div class="toolbar">
    <vscode-text-field
      class="search"
      placeholder="Name, bit or meaning"
      aria-label="Find a feature"
      .value=${view.page.featureSearch}
      @input=${search}
      ><span slot="start">${icon('find')}</span></vscode-text-field
    >
    ${featureFilters.map(({ id, label, passes }) => {
      const count = features.rows.filter(passes).length;
      if (count === 0 && id !== 'all' && view.page.featureFilter !== id) return nothing;
      const text =
        id === 'changed' && features.comparedWith !== null ? `Changed since ${features.comparedWith}` : label;
      return html`<button
        class="filter"
        aria-pressed=${view.page.featureFilter === id}
        @click=${() => view.change({ featureFilter: id })}
      >
        ${text} <span class="dim num">${groupDigits(count)}</span>
      </button>`;
    })}
    <span class="grow"></span>
    <vscode-button
      appearance="secondary"
      ?disabled=${!features.rows.some((row) => row.accepted)}
      @click=${() => view.send({ type: 'copy', text: featuresAsC(features.rows) })}
      >Copy as C</vscode-button
    >
  </div>`;
}

export function featuresScreen(view: View, device: DeviceModel): TemplateResult {
  return html`${toolbar(view, device.features)} ${view.narrow ? nothing : bitStrip(view, device.features)}
  ${featureTable(view, device.features)}`;
}
