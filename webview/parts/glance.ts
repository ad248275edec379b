// Small readings that several screens share: all descriptors of a queue at a glance, and pairs of name and value.
import { html, type TemplateResult } from 'lit';
import { minimapStrip, minimapText } from '../drawing/minimap';
import type { NamedValue, OwnerState } from '../model/inspector';
import { ownerSign } from './signs';

export function asOwnerState(letter: string): OwnerState {
  return letter === 'B' || letter === 'A' || letter === 'I' || letter === 'U' ? letter : 'F';
}

/** All descriptors of a queue at a glance: lettered cells for a small one, a strip for a large one. */
export function queueGlance(states: string, width: number): TemplateResult {
  if (states.length > 16) return minimapStrip(states, width, 14);
  return html`<div class="cells" role="img" aria-label=${minimapText(states)}>
    ${Array.from(states, (letter) => ownerSign(asOwnerState(letter)))}
  </div>`;
}

export function namedValues(values: readonly NamedValue[]): TemplateResult {
  return html`<dl class="pairs">
    ${values.map(
      ({ name, value }) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}
