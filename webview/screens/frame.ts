// The frame around every screen: device picker, tabs and clock above; the narration, always in the same place, below.
import { html, nothing, type TemplateResult } from 'lit';
import { controlValue } from '../controls';
import {
  countOf,
  formatClock,
  groupDigits,
  plainText,
  type InspectorModel,
  type Narration,
  type Screen,
  type SessionState,
} from '../model/inspector';
import { icon, violationSign } from '../parts/signs';
import { actionButton, rich } from '../parts/words';
import type { View } from '../view';

export interface Tab {
  readonly screen: Screen;
  readonly label: string;
  readonly brief: string;
}
const allTabs: readonly Tab[] = [
  { screen: 'overview', label: 'Overview', brief: 'Overview' },
  { screen: 'features', label: 'Features', brief: 'Features' },
  { screen: 'queues', label: 'Queues', brief: 'Queue' },
  { screen: 'timeline', label: 'Timeline', brief: 'Time' },
  { screen: 'violations', label: 'Violations', brief: 'Violations' },
];

/** The tabs that can show something now. */
export function tabsOf(model: InspectorModel): readonly Tab[] {
  return model.device === null ? [] : allTabs;
}

const stateWords: Readonly<Record<SessionState, string>> = {
  none: '',
  starting: 'Starting',
  running: 'Running',
  stopped: 'Stopped',
  violation: 'Stopped',
  ended: 'Ended',
};

function sessionChip(model: InspectorModel): TemplateResult {
  if (model.past !== null) return html`<span class="chip past" title="An earlier moment is shown">${model.past}</span>`;
  const bad = model.session === 'violation';
  return html`<span class="chip ${bad ? 'bad' : ''} state-${model.session}">
    ${bad ? violationSign('stopped on a violation') : html`<i class="lamp" aria-hidden="true"></i>`}${stateWords[model.session]}
  </span>`;
}

function devicePicker(view: View): TemplateResult {
  const { devices, device } = view.model;
  if (device === null) return html`<b class="product">Ringside</b>`;
  if (devices.length < 2) {
    return html`<span class="pick"
      >${icon(device.icon)}<b>${device.name}</b>${view.narrow ? nothing : html`<span class="dim small">${device.caption}</span>`}</span
    >`;
  }
  const select = (event: Event): void => {
    const name = controlValue(event);
    if (name !== '' && name !== device.name) view.send({ type: 'selectDevice', device: name });
  };
  return html`<span class="pick">
    ${icon(device.icon)}
    <vscode-dropdown class="picker" aria-label="Device" .value=${device.name} @change=${select}>
      ${devices.map(
        (each) =>
          html`<vscode-option
            value=${each.name}
            ?selected=${each.name === device.name}
            title=${each.violations > 0 ? `${each.caption} · ${countOf(each.violations, 'violation')}` : each.caption}
            >${each.name}</vscode-option
          >`,
      )}
    </vscode-dropdown>
    ${view.narrow ? nothing : html`<span class="dim small">${device.caption}</span>`}
  </span>`;
}

function tabBar(view: View): TemplateResult {
  const tabs = tabsOf(view.model);
  const select = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const at = tabs.findIndex((tab) => tab.screen === view.page.screen);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (next === undefined) return;
    event.preventDefault();
    view.change({ screen: next.screen });
    document.getElementById(`tab-${next.screen}`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label="Screens" @keydown=${select}>
    ${tabs.map((tab, at) => {
      const on = tab.screen === view.page.screen;
      const count = tab.screen === 'violations' ? view.model.violations.length : 0;
      return html`<button
        role="tab"
        id="tab-${tab.screen}"
        class=${on ? 'on' : ''}
        aria-selected=${on}
        aria-controls="screen"
        tabindex=${on ? 0 : -1}
        title="${tab.label} (${at + 1})"
        @click=${() => view.change({ screen: tab.screen })}
      >
        ${view.narrow ? tab.brief : tab.label}${count > 0 ? html` <span class="count">${count}</span>` : nothing}
      </button>`;
    })}
  </div>`;
}

export function clock(model: InspectorModel): TemplateResult {
  return html`<span class="clock mono dim" title="Machine clock: instructions attempted, and virtual time"
    >step <span class="strong">${groupDigits(model.step)}</span> · ${formatClock(model.virtualNanoseconds)}</span
  >`;
}

export function bar(view: View): TemplateResult {
  const { model } = view;
  const session = model.session === 'none' ? nothing : sessionChip(model);
  if (view.narrow) {
    return html`<header class="bar">${devicePicker(view)}<span class="grow"></span>${session}</header>
      ${model.device === null ? nothing : tabBar(view)}`;
  }
  return html`<header class="bar">
    ${devicePicker(view)}${model.device === null ? nothing : tabBar(view)}<span class="grow"></span>
    ${model.session === 'none' ? nothing : clock(model)} ${session}
  </header>`;
}

function transport(view: View): TemplateResult {
  const { can, eventIndex, eventCount } = view.model;
  const previous = can.previousRingEvent
    ? html`<vscode-button
        appearance="icon"
        title="Previous ring event ([)"
        aria-label="Previous ring event"
        @click=${() => view.send({ type: 'previousRingEvent' })}
        >${icon('previous')}</vscode-button
      >`
    : nothing;
  const next = can.nextRingEvent
    ? html`<vscode-button
        appearance="icon"
        title="Next ring event (])"
        aria-label="Next ring event"
        @click=${() => view.send({ type: 'nextRingEvent' })}
        >${icon('next')}</vscode-button
      >`
    : nothing;
  const live = can.goToLiveEnd
    ? html`<vscode-button
        appearance="icon"
        title="Return to the live end (})"
        aria-label="Return to the live end"
        @click=${() => view.send({ type: 'goToLiveEnd' })}
        >${icon('live')}</vscode-button
      >`
    : nothing;
  return html`<div class="transport">
    <div class="row">${previous}${next}${live}</div>
    ${eventCount === 0 || view.narrow ? nothing : html`<div class="tiny dim num">event ${groupDigits(eventIndex)} of ${groupDigits(eventCount)}</div>`}
  </div>`;
}

function difference(narration: Narration): TemplateResult | typeof nothing {
  if (narration.difference === null) return nothing;
  const { title, minus, plus } = narration.difference;
  return html`<div class="diff" role="group" aria-label=${`${title}: ${minus}, then ${plus}`}>
    <span class="title dim">${title}</span><span class="minus">− ${minus}</span><span class="plus">+ ${plus}</span>
  </div>`;
}

/** The sentence that says what just happened; the live region of the page. While the guest runs it is not read out. */
export function narration(view: View): TemplateResult | typeof nothing {
  const { model } = view;
  const said = model.narration;
  if (said === null) return nothing;
  const actions = view.page.screen === 'violations' && !view.narrow ? [] : said.actions.slice(0, view.narrow ? 1 : 2);
  const buttons =
    actions.length === 0
      ? nothing
      : html`<div class="actions">${actions.map((action) => actionButton(view, action))}</div>`;
  const sentence = html`<div
    class="say"
    role="status"
    aria-live=${model.session === 'running' ? 'off' : 'polite'}
    title=${plainText(said.sentence)}
  >
    ${said.before === null || view.narrow ? nothing : html`<div class="was" title=${plainText(said.before)}>${rich(view, said.before)}</div>`}
    <div class="now">${rich(view, said.sentence)}</div>
  </div>`;
  const tone = said.violation ? 'bad' : '';
  const detailed = view.page.screen === 'queues' || view.page.screen === 'violations';
  if (view.narrow) {
    return html`<footer class="narration ${tone}">
      ${sentence}
      <div class="row">${transport(view)}<span class="grow"></span>${buttons}</div>
    </footer>`;
  }
  return html`<footer class="narration ${tone}">
    ${transport(view)}${sentence}${detailed ? difference(said) : nothing}${buttons}
  </footer>`;
}
