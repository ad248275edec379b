// Text of the model on the page: every guest string becomes a text node, every link an intent.
import { html, nothing, type TemplateResult } from 'lit';
import type { Action, CodePosition, Fact, Intent, RichText } from '../model/inspector';
import type { View } from '../view';
import { whoSign } from './signs';

/** What following a code position asks for: the source line, or the disassembly where there is none. */
export function positionIntent(position: CodePosition): Intent {
  return position.file !== null && position.line !== null
    ? { type: 'goToSource', file: position.file, line: position.line }
    : { type: 'goToAddress', pc: position.pc };
}

export function link(view: View, label: string | TemplateResult, intent: Intent, title = ''): TemplateResult {
  return html`<button class="link" title=${title || nothing} @click=${() => view.send(intent)}>${label}</button>`;
}

export function positionLink(view: View, position: CodePosition): TemplateResult {
  const title = position.file === null ? `pc ${position.pc}` : `${position.file}:${position.line ?? ''}`;
  return link(view, position.label, positionIntent(position), title);
}

export function rich(view: View, text: RichText): (string | TemplateResult)[] {
  return text.map((run) => {
    if (typeof run === 'string') return run;
    if ('strong' in run) return html`<b>${run.strong}</b>`;
    if ('code' in run) return html`<span class="mono">${run.code}</span>`;
    if ('position' in run) return positionLink(view, run.position);
    return link(view, run.link, run.intent);
  });
}

export function factLine(view: View, fact: Fact): TemplateResult {
  return html`<div class="fact">${whoSign(fact.who)}<span>${rich(view, fact.text)}</span></div>`;
}

export function actionButton(view: View, action: Action): TemplateResult {
  const key = action.key === undefined ? nothing : html`<kbd>${action.key}</kbd>`;
  return html`<vscode-button
    appearance=${action.primary === true ? 'primary' : 'secondary'}
    title=${action.key === undefined ? action.label : `${action.label} (${action.key})`}
    @click=${() => view.send(action.intent)}
    >${action.label}${key}</vscode-button
  >`;
}

/** A card's heading: title, quiet words beside it, and something at the end of the line. */
export function heading(title: string, sub: unknown = nothing, end: unknown = nothing): TemplateResult {
  return html`<h3>
    ${title} ${sub === nothing ? nothing : html`<span class="sub">${sub}</span>`}
    ${end === nothing ? nothing : html`<span class="end">${end}</span>`}
  </h3>`;
}
