// A packed ring as a circle, clockwise from the top: who has each slot, its AVAIL and USED flags, and the four places where somebody goes
// on. The table beside it says the same in rows. [virtio 1.4, 2.8.1]
import { html, svg, type SVGTemplateResult, type TemplateResult } from 'lit';
import { groupDigits, type DescriptorRow, type PackedModel, type QueueModel, type Who } from '../model/inspector';
import { descriptorThing } from '../parts/things';

/** CSS pixels. */
export const circleWidth = 540;
export const circleHeight = 460;
const centre = { x: circleWidth / 2, y: circleHeight / 2 };
const radius = { outer: 156, inner: 120, band: 110, bits: 94, pointer: 164, label: 182 };
const lineHeight = 14;

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A point at a turn from the top, 0 to 1, clockwise. */
export function onCircle(turn: number, distance: number): Point {
  const angle = turn * 2 * Math.PI;
  return { x: centre.x + Math.sin(angle) * distance, y: centre.y - Math.cos(angle) * distance };
}

const text = ({ x, y }: Point): string => `${x.toFixed(1)} ${y.toFixed(1)}`;

/** A piece of a ring between two turns and two radii. */
export function sector(from: number, to: number, inner: number, outer: number): string {
  const large = to - from > 0.5 ? 1 : 0;
  const [a, b] = [onCircle(from, outer), onCircle(to, outer)];
  const [c, d] = [onCircle(to, inner), onCircle(from, inner)];
  return `M${text(a)}A${outer} ${outer} 0 ${large} 1 ${text(b)}L${text(c)}A${inner} ${inner} 0 ${large} 0 ${text(d)}Z`;
}

/** Turns that a slot takes, a little apart from its neighbours. A ring of one is nearly a whole circle. */
function turnsOf(slot: number, size: number): { readonly from: number; readonly to: number; readonly middle: number } {
  const gap = Math.min(0.004, 0.1 / size);
  return { from: slot / size + gap, to: (slot + 1) / size - gap, middle: (slot + 0.5) / size };
}

function slotPart(
  view: { readonly sequence: number },
  row: DescriptorRow,
  size: number,
  lap: number,
): SVGTemplateResult {
  const { packed } = row;
  const { from, to, middle } = turnsOf(row.index, size);
  const number = onCircle(middle, (radius.inner + radius.outer) / 2);
  const bits = onCircle(middle, radius.bits);
  const isNewest = packed?.lap === lap;
  const changed = row.changed === true ? `changed-${view.sequence % 2}` : '';
  return svg`<g data-thing=${descriptorThing(row.index)} class=${row.violated === undefined ? changed : `violated ${changed}`}>
    <path class="slot fill-${row.state}" d=${sector(from, to, radius.inner, radius.outer)} />
    <path class="band ${isNewest ? 'newest' : ''}" d=${sector(from, to, radius.band, radius.inner - 3)} />
    <rect class="plate" x=${number.x - 12} y=${number.y - 9} width="24" height="18" rx="2" />
    <text class="mono" x=${number.x} y=${number.y + 4} text-anchor="middle">${row.index}</text>
    <text class="mono dim" x=${bits.x} y=${bits.y + 4} text-anchor="middle">${packed?.available ?? ''}${packed?.used ?? ''}</text>
  </g>`;
}

interface Place {
  readonly slot: number;
  readonly labels: readonly { readonly text: string; readonly who: Who }[];
}

/** Places by slot, so that those that agree share one mark. */
export function placesOf(queue: QueueModel): readonly Place[] {
  const places = new Map<number, { text: string; who: Who }[]>();
  for (const { label, who, value } of queue.positions) {
    places.set(value, [...(places.get(value) ?? []), { text: label, who }]);
  }
  return [...places].map(([slot, labels]) => ({ slot, labels }));
}

/** The lines beside a mark: who goes on there with what, and the slot. */
export function linesOf({ slot, labels }: Place): readonly string[] {
  const [only] = labels;
  const who = labels.length === 1 && only !== undefined ? only.who : 'slot';
  return [...labels.map((label) => label.text), who === 'slot' ? `slot ${slot}` : `${who}, ${slot}`];
}

function pointer(place: Place, size: number): SVGTemplateResult {
  const turn = place.slot / size + Math.min(0.01, 0.15 / size);
  const at = onCircle(turn, radius.label);
  const anchor = Math.abs(at.x - centre.x) < 30 ? 'middle' : at.x > centre.x ? 'start' : 'end';
  const lines = linesOf(place);
  const top = at.y < centre.y ? at.y - (lines.length - 1) * lineHeight : at.y + 10;
  return svg`<g>
    ${place.labels.map(({ who }, i) => {
      const { x, y } = onCircle(turn + i * 0.02, radius.pointer);
      const degrees = (turn + i * 0.02) * 360;
      return svg`<path class="fill-${who}" d="M0 0l6 -10h-12z" transform="translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${degrees.toFixed(1)})" />`;
    })}
    ${lines.map(
      (line, i) =>
        svg`<text class=${i === lines.length - 1 ? 'dim' : ''} x=${at.x} y=${top + i * lineHeight} text-anchor=${anchor}>${line}</text>`,
    )}
  </g>`;
}

function counter(who: Who, x: number, wrap: number, lap: number): SVGTemplateResult {
  return svg`<rect class="counter stroke-${who} tint-${who}" x=${x} y=${centre.y - 22} width="62" height="44" rx="3" />
    <text x=${x + 31} y=${centre.y - 6} text-anchor="middle">${who}</text>
    <text class="mono strong" x=${x + 31} y=${centre.y + 14} text-anchor="middle">${wrap}</text>
    <text class="dim" x=${x + 31} y=${centre.y + 38} text-anchor="middle">lap ${groupDigits(lap)}</text>`;
}

/** The circle in words. */
export function circleText(queue: QueueModel, { available, used }: PackedModel): string {
  const places = queue.positions.map(({ label, value }) => `${label} ${value}`).join(', ');
  return `Ring of ${queue.size}: ${places}; wrap counter of the driver ${available.wrap}, of the device ${used.wrap}`;
}

export function circle(queue: QueueModel, packed: PackedModel, sequence: number): TemplateResult {
  const { available, used } = packed;
  return html`<svg
    class="circle"
    width=${circleWidth}
    height=${circleHeight}
    viewBox="0 0 ${circleWidth} ${circleHeight}"
    role="img"
    aria-label=${circleText(queue, packed)}
  >
    ${queue.descriptors.map((row) => slotPart({ sequence }, row, queue.size, available.lap))}
    <path class="wrap-line" d="M${text(onCircle(0, radius.band - 6))}L${text(onCircle(0, radius.outer + 10))}" />
    ${placesOf(queue).map((place) => pointer(place, queue.size))}
    <text x=${centre.x} y=${centre.y - 36} text-anchor="middle">Wrap counters</text>
    ${counter('driver', centre.x - 70, available.wrap, available.lap)}
    ${counter('device', centre.x + 8, used.wrap, used.lap)}
  </svg>`;
}
