// Timeline: the newest events as marks on lanes by kind, and as a list in words. Time runs to the right; the list has the newest first.
// In the past, what came after the shown moment stands behind the cursor, dimmed. A click on an event goes there.
import { html, nothing, svg, type SVGTemplateResult, type TemplateResult } from 'lit';
import { formatClock, formatDuration, groupDigits, type EventRow } from '../model/inspector';
import { octagonPaths, violationSign, whoSign } from '../parts/signs';
import { heading, positionLink, rich } from '../parts/words';
import type { View } from '../view';
import { nothingYet } from './welcome';

type Mark = EventRow['mark'];
interface Lane {
  readonly mark: Mark;
  readonly who: EventRow['who'];
  readonly label: string;
}
const lanes: readonly Lane[] = [
  { mark: 'publish', who: 'driver', label: 'publish' },
  { mark: 'notify', who: 'driver', label: 'notify' },
  { mark: 'fetch', who: 'device', label: 'fetch' },
  { mark: 'used', who: 'device', label: 'used' },
  { mark: 'interrupt', who: 'device', label: 'interrupt' },
  { mark: 'other', who: null, label: 'set-up, other' },
  { mark: 'violation', who: null, label: 'violations' },
];
const laneHeight = 24;
const labelWidth = 128;
/** Events that the picture shows; the list shows all that were sent. */
const inPicture = 60;

function sign(mark: Mark, who: EventRow['who'], x: number, y: number): SVGTemplateResult {
  const tone = who ?? 'neutral';
  switch (mark) {
    case 'publish':
      return svg`<path class="fill-${tone}" d="M${x} ${y - 6}l6 11h-12z" />`;
    case 'notify':
      return svg`<path class="fill-${tone}" d="M${x + 6} ${y}l-11 6v-12z" />`;
    case 'fetch':
    case 'interrupt':
      return svg`<path class="fill-${tone}" d="M${x} ${y + 6}l6 -11h-12z" />`;
    case 'used':
      return svg`<path class="fill-${tone}" d="M${x} ${y - 6}l6 6l-6 6l-6 -6z" />`;
    case 'violation':
      return svg`<g class="octagon" transform="translate(${x - 7} ${y - 7})">${octagonPaths}</g>`;
    case 'other':
      return who === 'device'
        ? svg`<circle class="fill-device" cx=${x} cy=${y} r="4" />`
        : svg`<rect class="fill-${tone}" x=${x - 4} y=${y - 4} width="8" height="8" rx="1" />`;
  }
}

/** Events that share a time are put side by side, so that each can be seen: a place for each event, in time order. */
export function placeEvents(events: readonly EventRow[], width: number): readonly number[] {
  const first = events[0]?.virtualNanoseconds ?? 0;
  const last = Math.max(first + 1, events.at(-1)?.virtualNanoseconds ?? 0);
  const least = Math.min(14, width / Math.max(1, events.length));
  const free = Math.max(0, width - least * events.length);
  return events.map(
    (event, at) => least * at + (free * (event.virtualNanoseconds - first)) / (last - first) + least / 2,
  );
}

function picture(events: readonly EventRow[], width: number): TemplateResult {
  const shown = events.slice(-inPicture);
  const used = lanes.filter((lane) => shown.some((event) => event.mark === lane.mark));
  const height = used.length * laneHeight + 8;
  const places = placeEvents(shown, width - labelWidth - 16);
  const present = shown.findLastIndex((event) => event.ahead !== true);
  const now = labelWidth + (places[present] ?? 0) + 8;
  const words = used
    .map((lane) => `${shown.filter((event) => event.mark === lane.mark).length} ${lane.label}`)
    .join(', ');
  return html`<svg
    class="events"
    width=${width}
    height=${height}
    viewBox="0 0 ${width} ${height}"
    role="img"
    aria-label=${`the newest ${shown.length} events: ${words}; the list below says them in words`}
  >
    ${used.map((lane, at) => {
      const y = at * laneHeight + laneHeight / 2 + 4;
      return svg`<path class="line" d="M${labelWidth} ${y}H${width}" /><text x="12" y=${y + 4}>${lane.label}</text>`;
    })}
    <path class="cursor" d="M${now} 0V${height}" />
    ${shown.map((event, at) => {
      const lane = used.findIndex((each) => each.mark === event.mark);
      const mark = sign(
        event.mark,
        event.who,
        labelWidth + 4 + (places[at] ?? 0),
        lane * laneHeight + laneHeight / 2 + 4,
      );
      return event.ahead === true ? svg`<g class="ahead">${mark}</g>` : mark;
    })}
  </svg>`;
}

function eventLine(view: View, event: EventRow, current: boolean): TemplateResult {
  const reachable = view.model.can.goToEvent && event.mark !== 'violation' && !current;
  const go = (click: Event): void => {
    // Links in the row have their own meaning.
    if (click.target instanceof Element && click.target.closest('a, button, vscode-link') !== null) return;
    view.send({ type: 'goToEvent', event: event.index - 1 });
  };
  return html`<tr
    data-row
    data-event=${reachable ? event.index - 1 : nothing}
    class="${current ? 'selected' : ''} ${event.ahead === true ? 'ahead' : ''}"
    tabindex=${current ? 0 : -1}
    title=${`event ${groupDigits(event.index)}, ${formatClock(event.virtualNanoseconds)}${reachable ? ': click to go there' : ''}`}
    @click=${reachable ? go : nothing}
  >
    <td class="mono right dim">${groupDigits(event.step)}</td>
    <td class="nowrap">${event.mark === 'violation' ? violationSign() : whoSign(event.who)} ${event.kind}</td>
    <td class="dim">${event.device ?? ''}</td>
    <td class="fill ellipsis">${rich(view, event.text)}</td>
    <td class="mono right">${event.position === null ? '' : positionLink(view, event.position)}</td>
  </tr>`;
}

export function timelineScreen(view: View): TemplateResult {
  const { events } = view.model;
  const present = events.findLast((event) => event.ahead !== true);
  const first = events[0];
  const last = events.at(-1);
  if (first === undefined || last === undefined)
    return nothingYet(
      'No event yet',
      'Every status write, publish, notification, fetch, used buffer and interrupt appears here.',
    );
  const span = formatDuration(last.virtualNanoseconds - first.virtualNanoseconds);
  const width = Math.max(200, view.page.width - (view.narrow ? 2 : 26));
  return html`${
      view.narrow
        ? ''
        : html`<section class="card" aria-label="Events over time">
            ${heading('Newest events', 'in order; simultaneous events side by side', 'driver ▲ publishes ▶ notifies · device ▼ fetches, interrupts ◆ used')}
            ${picture(events, width)}
          </section>`
    }
    <section class="card scroll grow" aria-label="Event list">
      ${heading('Events', `${groupDigits(events.length)} over ${span}, newest first`, view.model.can.goToEvent ? 'click one to go there' : nothing)}
      <table class="event-list" data-rows>
        <tbody>
          ${[...events].reverse().map((event) => eventLine(view, event, event === present))}
        </tbody>
      </table>
    </section>`;
}
