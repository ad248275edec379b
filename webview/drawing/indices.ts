// The line of the four ring indices: what lies between them, not to scale, but always in ring order. [virtio 1.4, 2.7.6, 2.7.8]
import { html, svg, type TemplateResult } from 'lit';
import { groupDigits, type IndexPosition, type IndexSpan, type QueueModel } from '../model/inspector';

interface PlacedPosition {
  readonly x: number;
  readonly label: string;
  readonly at: IndexPosition;
}
interface PlacedSpan {
  readonly from: number;
  readonly to: number;
  readonly span: IndexSpan;
}
export interface IndexLine {
  readonly positions: readonly PlacedPosition[];
  readonly spans: readonly PlacedSpan[];
}

const margin = 120;
const least = 150;

/** Gives every span that holds something room for its words; positions that agree share one place and one label. */
export function placeIndices(
  positions: readonly IndexPosition[],
  spans: readonly IndexSpan[],
  width: number,
): IndexLine {
  const filled = spans.filter((span) => span.count > 0);
  const room = Math.max(0, width - 2 * margin);
  const floor = Math.min(least, filled.length === 0 ? 0 : room / filled.length);
  const free = room - floor * filled.length;
  const total = filled.reduce((sum, span) => sum + span.count, 0);
  const widthOf = (span: IndexSpan): number => (span.count === 0 ? 0 : floor + (free * span.count) / total);

  const placedPositions: PlacedPosition[] = [];
  const placedSpans: PlacedSpan[] = [];
  let x = filled.length === 0 ? width / 2 : margin;
  positions.forEach((at, index) => {
    const before = placedPositions.at(-1);
    if (before !== undefined && before.x === x) {
      placedPositions[placedPositions.length - 1] = { ...before, label: `${before.label} = ${at.label}` };
    } else {
      placedPositions.push({ x, label: at.label, at });
    }
    const span = spans[index];
    if (span === undefined) return;
    const next = x + widthOf(span);
    if (next > x) placedSpans.push({ from: x, to: next, span });
    x = next;
  });
  return { positions: placedPositions, spans: placedSpans };
}

/** The line in words. */
export function indicesText(queue: QueueModel): string {
  const places = queue.positions.map((at) => `${at.label} ${groupDigits(at.value)}`).join(', ');
  const spans = queue.spans.filter((span) => span.count > 0).map((span) => span.label);
  return `${places}; ${spans.length === 0 ? 'they all agree' : spans.join(', ')}`;
}

export function indexLine(queue: QueueModel, width: number): TemplateResult {
  const line = placeIndices(queue.positions, queue.spans, width);
  const inFlight = queue.spans.reduce((sum, span) => sum + span.count, 0);
  return html`<svg
    class="indices"
    width=${width}
    height="56"
    viewBox="0 0 ${width} 56"
    role="img"
    aria-label=${indicesText(queue)}
  >
    <path class="line-strong" d="M0 28H${width}" />
    ${line.spans.map(
      ({ from, to, span }) => svg`
        <rect class="fill-${span.state}" x=${from} y="20" width=${to - from} height="16" />
        <text x=${(from + to) / 2} y="50" text-anchor="middle">${span.label}</text>`,
    )}
    ${line.positions.map(
      ({ x, label, at }) => svg`
        <path class="stroke-${at.who} ${at.place}" d="M${x} 14v24" />
        <text class="mono" x=${x} y="10" text-anchor="middle">${label} ${groupDigits(at.value)}</text>`,
    )}
    <text class="dim" x="0" y="50">${groupDigits(inFlight)} in flight</text>
    <text class="dim" x=${width} y="50" text-anchor="end">
      ${groupDigits(Math.max(0, queue.size - inFlight))} slots free
    </text>
  </svg>`;
}
