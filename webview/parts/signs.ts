// The small signs of the visual grammar: ownership letter with texture, who-mark, violation octagon, hazard triangle, icons.
import { html, nothing, svg, type SVGTemplateResult, type TemplateResult } from 'lit';
import type { DeviceIcon, Direction, OwnerState, Pointer, Who } from '../model/inspector';

export const ownerMeaning: Readonly<Record<OwnerState, string>> = {
  F: 'free',
  B: 'the driver is filling it',
  A: 'available, not fetched yet',
  I: 'in the device',
  U: 'used, not collected yet',
};
const legendWords: readonly (readonly [OwnerState, string])[] = [
  ['F', 'free'],
  ['B', 'driver fills'],
  ['A', 'available'],
  ['I', 'in device'],
  ['U', 'used'],
];

/** How far a descriptor has come: hue, texture and letter. */
export function ownerSign(state: OwnerState): TemplateResult {
  return html`<i class="own o-${state}" role="img" aria-label=${ownerMeaning[state]} title=${ownerMeaning[state]}
    ><b aria-hidden="true">${state}</b></i
  >`;
}

export function legend(): TemplateResult {
  return html`<div class="legend" role="group" aria-label="What the letters mean">
    ${legendWords.map(([state, words]) => html`<span>${ownerSign(state)}${words}</span>`)}
  </div>`;
}

export function whoSign(who: Who | null): TemplateResult | typeof nothing {
  return who === null ? nothing : html`<span class="who ${who}" role="img" aria-label=${who}></span>`;
}

/** The octagon: a violation, and only that. */
export function violationSign(label = 'violation'): TemplateResult {
  return html`<svg class="octagon" viewBox="0 0 14 14" role="img" aria-label=${label}>${octagonPaths}</svg>`;
}
export const octagonPaths: SVGTemplateResult = svg`<path d="M4.1 0h5.8L14 4.1v5.8L9.9 14H4.1L0 9.9V4.1z"/><path d="M7 3v5M7 9.6v1.6"/>`;

export function hazardSign(): TemplateResult {
  return html`<svg class="hazard" viewBox="0 0 10 10" role="img" aria-label="hazard"><path d="M5 1l4.5 8h-9z" /></svg>`;
}

export function pointerTag(pointer: Pointer): TemplateResult {
  const place = pointer.place === 'memory' ? 'in guest memory' : `private to the ${pointer.who}`;
  return html`<span
    class="pointer ${pointer.who} ${pointer.place}"
    title=${`${pointer.label}: ${pointer.who}, ${place}`}
    >${pointer.label}</span
  >`;
}

const directionWords: Readonly<Record<Direction, readonly [string, string, string]>> = {
  out: ['→', 'dev', 'device reads'],
  in: ['←', 'dev', 'device writes'],
  table: ['', 'table', 'indirect table'],
};
/** Data direction, seen from the device: `→ dev`, or in full `→ device reads`. */
export function directionText(direction: Direction, full = false): string {
  const [arrow, brief, long] = directionWords[direction];
  if (direction === 'table') return full ? long : brief;
  return `${arrow} ${full ? long : brief}`;
}

const iconPaths = {
  block: svg`<rect x="2" y="3" width="12" height="10" rx="1"/><path d="M2 9h12M11 11h1"/>`,
  net: svg`<rect x="5" y="2" width="6" height="4"/><rect x="1.5" y="10" width="5" height="4"/><rect x="9.5" y="10" width="5" height="4"/><path d="M8 6v2M4 10V8h8v2"/>`,
  console: svg`<rect x="2" y="3" width="12" height="10" rx="1"/><path d="M4.5 6l2 2-2 2M8 10.5h3"/>`,
  entropy: svg`<rect x="2.5" y="2.5" width="11" height="11" rx="2"/><path d="M5.5 5.5h.1M10.5 5.5h.1M8 8h.1M5.5 10.5h.1M10.5 10.5h.1"/>`,
  other: svg`<rect x="2.5" y="2.5" width="11" height="11" rx="1"/><path d="M5.5 8h5"/>`,
  previous: svg`<path d="M11 3L5 8l6 5M3.5 3v10"/>`,
  next: svg`<path d="M5 3l6 5-6 5M12.5 3v10"/>`,
  live: svg`<path d="M3 4l5 4-5 4M8 4l5 4-5 4"/>`,
  find: svg`<circle cx="7" cy="7" r="4"/><path d="M10 10l4 4"/>`,
  external: svg`<path d="M6 3H3v10h10v-3M9 3h4v4M13 3L7 9"/>`,
};
export type IconName = DeviceIcon | 'previous' | 'next' | 'live' | 'find' | 'external';

export function icon(name: IconName): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${iconPaths[name]}</svg>`;
}

/** Fill patterns that other drawings refer to; rendered once. */
export function patterns(): TemplateResult {
  return html`<svg class="defs" aria-hidden="true">
    <defs>
      <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect class="fill-device" width="1.6" height="6" />
      </pattern>
      <pattern id="dots" width="5" height="5" patternUnits="userSpaceOnUse">
        <circle class="fill-driver" cx="2.5" cy="2.5" r="1.3" />
      </pattern>
      <pattern id="future" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">
        <rect class="fill-line" width="1" height="8" />
      </pattern>
    </defs>
  </svg>`;
}
