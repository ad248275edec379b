// Violations: the list, and for the chosen one the rule in words, the moments that led to it, the evidence and what to do.
import { html, nothing, type TemplateResult } from 'lit';
import { ownershipPicture } from '../drawing/ownership';
import {
  groupDigits,
  type EvidenceTable,
  type InspectorModel,
  type RingExcerpt,
  type ViolationModel,
  type ViolationMoment,
} from '../model/inspector';
import { namedValues } from '../parts/glance';
import { hazardSign, icon, ownerSign, violationSign } from '../parts/signs';
import { actionButton, heading, link, positionIntent, positionLink, rich } from '../parts/words';
import type { View } from '../view';
import { nothingYet } from './welcome';

/** The violation that is shown: the chosen one, the one that the machine stands at, or the newest. */
export function chosenViolation(model: InspectorModel, selected: number | null): ViolationModel | null {
  const find = (id: number | null): ViolationModel | undefined => model.violations.find((each) => each.id === id);
  return find(selected) ?? find(model.standingAt) ?? model.violations[0] ?? null;
}

export function levelSign(violation: ViolationModel): TemplateResult {
  return violation.level === 'must' ? violationSign('must') : hazardSign();
}

function violationList(view: View, chosen: ViolationModel): TemplateResult | typeof nothing {
  const { violations } = view.model;
  if (violations.length < 2) return nothing;
  const choose = (violation: ViolationModel): void => view.change({ selectedViolation: violation.id });
  return html`<section class="card violation-list" aria-label="All violations">
    <table data-rows>
      <tbody>
        ${violations.map(
          (each) =>
            html`<tr
              data-row
              class=${each.id === chosen.id ? 'selected' : ''}
              aria-selected=${each.id === chosen.id}
              tabindex=${each.id === chosen.id ? 0 : -1}
              @click=${() => choose(each)}
              @focus=${() => choose(each)}
            >
              <td>${levelSign(each)}</td>
              <td class="fill ellipsis" title=${each.title}>${each.title}</td>
              <td class="dim">${each.device}${each.queue === null ? '' : `, queue ${each.queue}`}</td>
              <td class="mono">${each.position === null ? '' : positionLink(view, each.position)}</td>
              <td class="mono right" title="step">${groupDigits(each.step)}</td>
              <td class="mono right dim" title="times seen">${groupDigits(each.count)}×</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </section>`;
}

export function ruleCard(view: View, violation: ViolationModel): TemplateResult {
  return html`<section class="card rule level-${violation.level}" aria-label="Rule">
    <h2>${levelSign(violation)}<span>${violation.title}</span></h2>
    <div class="row wrap">
      <span class="chip level-${violation.level}">${violation.level.toUpperCase()}</span
      ><span class="chip">${violation.family}</span>
      ${link(view, html`<span class="mono">${violation.rule}</span>`, { type: 'openRule', rule: violation.rule }, 'Open the rule')}
      ${violation.muted ? html`<span class="chip">muted</span>` : nothing}<span class="grow"></span>
      ${link(view, html`${violation.reference} ${icon('external')}`, { type: 'openSpec', section: violation.section }, 'Open the specification')}
    </div>
    <p>${rich(view, violation.explanation)}</p>
  </section>`;
}

function sourceLines(moment: ViolationMoment): TemplateResult {
  if (moment.lines.length === 0) {
    return html`<p class="nothing">
      ${moment.position.file === null ? 'There is no line information for this code.' : 'The source file cannot be read.'}
    </p>`;
  }
  return html`<div class="code" role="img" aria-label=${`source around line ${moment.position.line ?? ''}`}>
    ${moment.lines.map((line) => {
      const here = line.number === moment.position.line;
      return html`<div class=${here ? (moment.blamed ? 'blamed' : 'earlier') : ''}>
        <span class="line-number">${line.number}</span><span class="text">${line.text}</span>
      </div>`;
    })}
  </div>`;
}

export function momentCard(view: View, moment: ViolationMoment, at: number): TemplateResult {
  return html`<section class="card moment ${moment.blamed ? 'blamed' : ''}" aria-label=${moment.title}>
    <h3>
      <span class="badge ${moment.blamed ? 'bad' : moment.who}">${at + 1}</span>${moment.title}
      <span class="sub">${moment.when}</span><span class="end mono">${positionLink(view, moment.position)}</span>
    </h3>
    ${sourceLines(moment)}
    <div class="foot">
      ${moment.facts.map(({ name, value }) => html`<span>${name} <b>${value}</b></span>`)}<span class="end"
        ><b>${moment.effect}</b></span
      >
    </div>
  </section>`;
}

function evidenceCard(view: View, violation: ViolationModel): TemplateResult {
  const { evidence } = violation;
  return html`<section class="card scroll grow" aria-label="Evidence">
    ${heading('Evidence')} ${evidenceTable(evidence)}
    ${
      violation.stack.length === 0
        ? nothing
        : html`<div class="foot stack">
            <span>stack</span>
            <span class="mono"
              >${violation.stack.map(
                (frame, at) =>
                  html`${at === 0 ? '' : ' ← '}${link(view, `${frame.name} ${frame.position.label}`, positionIntent(frame.position))}`,
              )}</span
            >
          </div>`
    }
  </section>`;
}

export function evidenceTable(evidence: EvidenceTable): TemplateResult {
  if (evidence.rows.length === 0)
    return html`<p class="nothing">The rule is decided by what did not happen; there is no value to show.</p>`;
  const last = evidence.columns.length - 1;
  return html`<table class="evidence" data-rows>
    <thead>
      <tr>
        ${evidence.columns.map((column, at) => html`<th class=${at === last ? 'fill' : ''}>${column}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${evidence.rows.map(
        (row, index) =>
          html`<tr class=${row.violated ? 'violated' : ''} data-row tabindex=${index === 0 ? 0 : -1}>
            ${row.cells.map((text, at) => html`<td class=${at === last ? '' : 'mono'}>${text}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function ringCard(view: View, ring: RingExcerpt, violation: ViolationModel): TemplateResult {
  const show = (): void => {
    view.send({ type: 'selectQueue', device: violation.device, queue: ring.queue });
    view.change({ screen: 'queues' });
  };
  return html`<section class="card" aria-label="The ring at this moment">
    ${heading('The ring at this moment')}
    <div class="pad excerpt">
      ${ring.chains.map(
        (chain) =>
          html`<div class="row wrap">
            ${chain.cells.map(
              (each, at) =>
                html`${at === 0 ? nothing : html`<span class="mono" aria-hidden="true">→</span>`}<span
                    class="cell ${each.violated ? 'violated' : ''} ${each.state === null ? 'ghost' : ''}"
                    >${each.state === null ? nothing : ownerSign(each.state)}<span class="mono"
                      >${each.label}</span
                    ></span
                  >`,
            )}<span class="dim small">${chain.note}</span>
          </div>`,
      )}
      <div><button class="link" @click=${show}>Show in the queue</button></div>
    </div>
  </section>`;
}

function sideColumn(view: View, violation: ViolationModel): TemplateResult {
  return html`<div class="column">
    <section class="card" aria-label="Suggested fix">
      ${heading('Suggested fix')}
      <div class="pad">
        <div>${rich(view, violation.fix)}</div>
        ${violation.hint === null ? nothing : html`<div class="dim small hint">${rich(view, violation.hint)}</div>`}
      </div>
    </section>
    ${violation.ring === null ? nothing : ringCard(view, violation.ring, violation)}
    ${
      violation.actions.length === 0
        ? nothing
        : html`<section class="card" aria-label="Actions">
            ${heading('Actions')}
            <div class="pad buttons">${violation.actions.map((action) => actionButton(view, action))}</div>
          </section>`
    }
    <section class="card grow" aria-label="Policy and count">
      ${heading('Policy and count')}
      <div class="pad">
        ${namedValues(violation.policy)}
        <div class="dim small hint">${violation.policyNote}</div>
      </div>
    </section>
  </div>`;
}

export function violationsScreen(view: View): TemplateResult {
  const violation = chosenViolation(view.model, view.page.selectedViolation);
  if (violation === null) {
    return nothingYet(
      'No violation',
      'The driver has kept to the specification as far as this session watched. Rules that break or report are listed in the Rules view.',
    );
  }
  const inner = Math.max(240, (view.page.width - 32) * 0.69 - 28);
  return html`<div class="violation-columns">
    <div class="column">
      ${violationList(view, violation)} ${ruleCard(view, violation)}
      ${
        violation.moments.length === 0
          ? nothing
          : html`<div class="moments ${violation.moments.length === 1 ? 'one' : ''}">
              ${violation.moments.map((moment, at) => momentCard(view, moment, at))}
            </div>`
      }
      ${
        violation.ownership === null
          ? nothing
          : html`<section class="card" aria-label=${violation.ownership.title}>
              ${heading(violation.ownership.title, violation.ownership.caption)}
              <div class="pad">${ownershipPicture(violation.ownership, inner)}</div>
            </section>`
      }
      ${evidenceCard(view, violation)}
    </div>
    ${sideColumn(view, violation)}
  </div>`;
}
