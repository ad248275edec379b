// Who owned a descriptor over time, drawn to scale: the same textures as in the tables, the future dashed.
import { html, svg, type SVGTemplateResult, type TemplateResult } from 'lit';
import { formatDuration, type OwnershipHistory, type OwnershipMark } from '../model/inspector';
import { octagonPaths } from '../parts/signs';

const letterWidth = 6.2;
const barTop = 24;
const barHeight = 22;

interface Label {
  readonly text: string;
  readonly left: number;
  readonly y: number;
}

/** Labels on two lines, driver above and device below; one that would cover its neighbour moves right, or is left out at the edge. */
export function placeLabels(
  marks: readonly OwnershipMark[],
  x: (at: number) => number,
  width: number,
): readonly Label[] {
  const edge = { above: 0, below: 0 };
  const labels: Label[] = [];
  for (const mark of marks) {
    const side = mark.who === 'driver' || mark.violation ? 'above' : 'below';
    const size = mark.label.length * letterWidth;
    const wish = Math.min(width - size, Math.max(0, x(mark.atNanoseconds) - (mark.violation ? size / 2 : 2)));
    const left = Math.max(edge[side], wish);
    if (left + size > width + 1) continue;
    labels.push({ text: mark.label, left, y: side === 'above' ? 14 : 66 });
    edge[side] = left + size + 8;
  }
  return labels;
}

/** The picture in words. */
export function ownershipText(history: OwnershipHistory): string {
  return history.phases
    .map(
      (phase) =>
        `${phase.future ? 'then ' : ''}${phase.label} ${formatDuration(phase.toNanoseconds - phase.fromNanoseconds)}`,
    )
    .join(', ');
}

export function ownershipPicture(history: OwnershipHistory, width: number): TemplateResult {
  const first = history.phases[0]?.fromNanoseconds ?? 0;
  const last = Math.max(first + 1, history.phases.at(-1)?.toNanoseconds ?? 0);
  const x = (at: number): number => 1 + ((at - first) / (last - first)) * (width - 10);

  const phases = history.phases.map((phase): SVGTemplateResult => {
    const from = x(phase.fromNanoseconds);
    const to = x(phase.toNanoseconds);
    const size = phase.label.length * letterWidth + 8;
    const fits = to - from > size;
    const middle = (from + to) / 2;
    return svg`<rect class=${phase.future ? 'future' : `fill-${phase.state}`} x=${from} y=${barTop} width=${Math.max(0.5, to - from)} height=${barHeight} />
      ${fits && !phase.future ? svg`<rect class="plate" x=${middle - size / 2} y=${barTop + 4} width=${size} height="14" rx="1" />` : ''}
      ${fits ? svg`<text class=${phase.future ? 'dim' : ''} x=${middle} y=${barTop + 15} text-anchor="middle">${phase.label}</text>` : ''}`;
  });
  const marks = history.marks.map((mark): SVGTemplateResult => {
    const at = x(mark.atNanoseconds);
    const tone = mark.violation ? 'violation' : mark.who;
    return svg`<path class="mark stroke-${tone} ${mark.future ? 'draft' : ''}" d="M${at} 18V52" />
      ${mark.violation ? svg`<g class="octagon" transform="translate(${at - 8} 27) scale(1.143)">${octagonPaths}</g>` : ''}`;
  });
  const labels = placeLabels(history.marks, x, width).map(
    (label) => svg`<text x=${label.left} y=${label.y}>${label.text}</text>`,
  );
  return html`<svg
    class="ownership"
    width=${width}
    height="74"
    viewBox="0 0 ${width} 74"
    role="img"
    aria-label=${ownershipText(history)}
  >
    ${phases}${marks}${labels}
  </svg>`;
}
