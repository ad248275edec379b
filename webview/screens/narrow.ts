// Side bar and half windows, under 940 pixels: the same facts in one column. Pointers become a four-row table, chains become lines.
import { html, nothing, type TemplateResult } from 'lit';
import {
  groupDigits,
  plainText,
  type ChainModel,
  type ConfigRow,
  type DeviceModel,
  type HandshakeState,
  type NamedValue,
  type QueueModel,
  type ViolationModel,
  type ViolationMoment,
} from '../model/inspector';
import { namedValues, queueGlance } from '../parts/glance';
import { directionText, hazardSign, legend, ownerSign, pointerTag, violationSign } from '../parts/signs';
import { descriptorThing } from '../parts/things';
import { actionButton, factLine, link, positionLink, rich } from '../parts/words';
import type { View } from '../view';
import { chainLine } from './chains';
import { clock } from './frame';
import { inFlightOnly, inFlightSwitch, queuePicker } from './queues';
import { suppressions } from './packed-ring';
import { foldText, rowClass, tableItems } from './split-ring';
import { chosenViolation, levelSign } from './violations';
import { discovery, idleQueue, nothingYet } from './welcome';

function section(title: string, end: unknown, body: unknown): TemplateResult {
  return html`<section class="part" aria-label=${title}>
    <h4>${title}<span class="end">${end}</span></h4>
    ${body}
  </section>`;
}

function stateLine(view: View, state: HandshakeState): TemplateResult {
  return html`<li class=${state.progress} aria-current=${state.progress === 'current' ? 'step' : nothing}>
    <i aria-hidden="true"></i
    ><span
      >${state.name}
      <span class="mono dim">${state.value}</span>${state.violated ? html` ${violationSign()}` : nothing}</span
    >
    <span class="mono">${state.position === null ? nothing : positionLink(view, state.position)}</span>
  </li>`;
}

function configFields(rows: readonly ConfigRow[]): TemplateResult {
  return html`<dl class="pairs">
    ${rows
      .filter((row) => row.present)
      .map(
        ({ name, value, violated }) =>
          html`<dt>${name} ${violated === true ? violationSign('breaks a rule') : nothing}</dt>
            <dd>${value}</dd>`,
      )}
  </dl>`;
}

export function narrowOverview(view: View, device: DeviceModel): TemplateResult {
  if (device.discovery !== null) return discovery(view, device.discovery);
  const { handshake, features, interrupt, config } = device;
  return html`<div class="part dim small">${device.caption} · ${interrupt.line}<br />${clock(view.model)}</div>
    ${section(
      'Handshake',
      `lap ${handshake.lap}`,
      html`<ol class="steps">
          ${handshake.states.map((state) => stateLine(view, state))}
        </ol>
        <div class="tiny dim">
          ${handshake.lanes.filter((lane) => lane.reached === undefined).map((lane, at) => `${at === 0 ? '' : ' · '}${lane.name} ${lane.mark}`)}
        </div>`,
    )}
    ${section('Interrupt', interrupt.line, html`<div class="small">${factLine(view, interrupt.summary)}</div>`)}
    ${section(
      'Features',
      features.summary.split(',')[0],
      features.remark === null ? nothing : html`<div class="small">${hazardSign()}${rich(view, features.remark)}</div>`,
    )}
    ${device.queues.map((queue) =>
      section(
        queue.name,
        `${queue.format}, ${groupDigits(queue.size)}, ${queue.caption}`,
        queue.ready && queue.states !== '' ? queueGlance(queue.states, Math.max(160, view.page.width - 24)) : nothing,
      ),
    )}
    ${
      config.rows.length === 0
        ? nothing
        : section('Config', `generation ${config.generation}`, configFields(config.rows))
    }`;
}

function pointerRows(queue: QueueModel): TemplateResult {
  return html`<table class="pointers">
    <tbody>
      ${queue.positions.map(
        (at, index) =>
          html`<tr>
            <td>${pointerTag(at)}</td>
            <td class="mono right">${groupDigits(at.value)}</td>
            <td class="dim fill">${queue.spans[index]?.label ?? ''}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** The side bar is for a glance; the wide layout lists a large table in full. */
const mostRows = 256;

function narrowTable(view: View, queue: QueueModel): TemplateResult {
  const items = tableItems(queue.descriptors, inFlightOnly(view, queue)).slice(0, mostRows);
  const isPacked = queue.format === 'packed';
  return html`<table class="narrow-table" data-rows>
    <thead>
      <tr>
        <th></th>
        <th>#</th>
        <th>addr</th>
        <th class="right">len</th>
        <th>data</th>
        <th class="right">${isPacked ? 'A U' : 'next'}</th>
      </tr>
    </thead>
    <tbody>
      ${items.map((item, at) => {
        if (item.kind === 'fold')
          return html`<tr class="folded">
            <td colspan="6">${foldText(item.run)}</td>
          </tr>`;
        const { row } = item;
        const { violated } = row;
        return html`<tr
          class="${rowClass(row, view.model.sequence)} ${violated === undefined ? '' : 'tall'}"
          data-row
          data-thing=${descriptorThing(row.index)}
          tabindex=${at === 0 ? 0 : -1}
        >
          <td>${ownerSign(row.state)}</td>
          <td class="mono strong">${row.index}</td>
          <td class="mono ${violated === undefined ? '' : 'violated'}">
            ${row.address}${violated === undefined ? nothing : html`<span class="attempted">${violated.value === null ? `${violated.column} is wrong` : html`<i aria-hidden="true">▸</i> ${violated.column === 'addr' ? '' : `${violated.column} `}${violated.value}`}</span>`}
          </td>
          <td class="mono right">${row.length}</td>
          <td>${directionText(row.direction)}</td>
          <td class="mono right">
            ${row.packed === undefined ? (row.next ?? '–') : `${row.packed.available} ${row.packed.used}`}
          </td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

export function narrowQueue(view: View, device: DeviceModel): TemplateResult {
  const { queue } = view.model;
  if (queue === null) return nothingYet('No queue is selected', 'Choose one on the Overview.');
  const picker = html`<div class="part row">
    ${queuePicker(view, device, queue)}<span class="dim small">${queue.format}, ${groupDigits(queue.size)}</span
    ><span class="grow"></span>${inFlightSwitch(view, queue)}
  </div>`;
  if (!queue.ready) return html`${picker}${idleQueue(view, queue)}`;
  return html`${picker}
    <div class="part flush">${pointerRows(queue)}</div>
    <div class="part flush">${narrowTable(view, queue)}</div>
    ${queue.packed === undefined ? nothing : html`<div class="part">${suppressions(queue.packed)}</div>`}
    ${section('Chains', 'oldest first', queue.chains.length === 0 ? html`<div class="small dim">none in flight</div>` : queue.chains.map((chain: ChainModel) => chainLine(chain)))}
    <div class="part">${legend()}</div>`;
}

/** The evidence that breaks the rule, one row of the table as pairs: a side bar has no room for its columns. */
function violatedEvidence(
  violation: ViolationModel,
): readonly { readonly title: string; readonly values: readonly NamedValue[] }[] {
  const [first = 'Evidence', ...columns] = violation.evidence.columns;
  return violation.evidence.rows
    .filter((row) => row.violated)
    .map(({ cells: [name = '', ...cells] }) => ({
      title: `${first} ${name}`,
      values: columns.flatMap((column, at) => {
        const value = cells[at] ?? '';
        return value === '' ? [] : [{ name: column, value }];
      }),
    }));
}

function narrowLines(moment: ViolationMoment): TemplateResult | typeof nothing {
  const lines = moment.lines.filter((line) => line.number === moment.position.line);
  if (lines.length === 0) return nothing;
  return html`<div class="code">
    ${lines.map(
      (line) =>
        html`<div class=${moment.blamed ? 'blamed' : 'earlier'}>
          <span class="line-number">${line.number}</span><span class="text">${line.text.trim()}</span>
        </div>`,
    )}
  </div>`;
}

export function narrowViolation(view: View): TemplateResult {
  const violation = chosenViolation(view.model, view.page.selectedViolation);
  if (violation === null)
    return nothingYet('No violation', 'The driver has kept to the specification as far as this session watched.');
  const others = view.model.violations.filter((each) => each.id !== violation.id);
  return html`<section class="part rule level-${violation.level}" aria-label="Rule">
      <div class="strong">${violation.title}</div>
      <div class="row wrap">
        <span class="chip level-${violation.level}">${violation.level.toUpperCase()}</span
        >${link(view, `virtio 1.4, ${violation.section}`, { type: 'openSpec', section: violation.section })}
      </div>
      <div class="mono">${link(view, violation.rule, { type: 'openRule', rule: violation.rule })}</div>
    </section>
    ${violation.moments.map((moment, at) =>
      section(
        `${at + 1} ${moment.title}`,
        moment.when,
        html`<span class="mono">${positionLink(view, moment.position)}</span> ${narrowLines(moment)}`,
      ),
    )}
    ${violatedEvidence(violation).map(({ title, values }) => section(title, '', namedValues(values)))}
    ${section('Suggested fix', '', html`<div class="small">${rich(view, violation.fix)} ${violation.hint === null ? nothing : rich(view, violation.hint)}</div>`)}
    <div class="part row wrap">${violation.actions.map((action) => actionButton(view, action))}</div>
    ${
      others.length === 0
        ? nothing
        : section(
            'Other violations',
            others.length,
            others.map(
              (each) =>
                html`<button
                  class="link block"
                  title=${plainText(each.explanation)}
                  @click=${() => view.change({ selectedViolation: each.id })}
                >
                  ${levelSign(each)} ${each.title}
                </button>`,
            ),
          )
    }`;
}
