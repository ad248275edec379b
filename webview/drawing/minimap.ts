// The minimap of a descriptor table: full height is the device's (hollow: not fetched), half height the driver's, base line free.
// When a column stands for several entries they are stacked by state.
import { html, svg, type TemplateResult } from 'lit';
import { countOf, groupDigits, type OwnerState } from '../model/inspector';

export type StateCounts = Readonly<Record<OwnerState, number>>;

/** How many entries of each state `states` has, from `first` on. Unknown letters count as free. */
export function countStates(states: string, first = 0, end = states.length): StateCounts {
  const counts: Record<OwnerState, number> = { F: 0, B: 0, A: 0, I: 0, U: 0 };
  for (let index = first; index < Math.min(end, states.length); index++) {
    const letter = states.charAt(index);
    if (letter === 'B' || letter === 'A' || letter === 'I' || letter === 'U') counts[letter]++;
    else counts.F++;
  }
  return counts;
}

/** The table's entries in at most `columns` groups of equal size, in order. */
export function minimapColumns(states: string, columns: number): readonly StateCounts[] {
  const each = Math.max(1, Math.ceil(states.length / Math.max(1, columns)));
  const groups: StateCounts[] = [];
  for (let first = 0; first < states.length; first += each) groups.push(countStates(states, first, first + each));
  return groups;
}

/** The minimap in words. */
export function minimapText(states: string): string {
  const { F, B, A, I, U } = countStates(states);
  const parts = [
    [I, 'in the device'],
    [A, 'available'],
    [U, 'used'],
    [B, 'being filled'],
    [F, 'free'],
  ] as const;
  const named = parts.filter(([count]) => count > 0).map(([count, words]) => `${groupDigits(count)} ${words}`);
  return `${countOf(states.length, 'descriptor')}: ${named.join(', ')}`;
}

const stack: readonly (readonly [OwnerState, number])[] = [
  ['I', 1],
  ['A', 1],
  ['U', 0.5],
  ['B', 0.5],
];

/** One path for each state, so that the picture stays cheap at any size. */
export function minimapPaths(
  states: string,
  width: number,
  height: number,
  columns: number,
): Readonly<Record<OwnerState, string>> {
  const groups = minimapColumns(states, columns);
  const pitch = width / Math.max(1, groups.length);
  const gap = pitch > 3 ? 1 : 0;
  const paths: Record<OwnerState, string> = { F: '', B: '', A: '', I: '', U: '' };
  const box = (x: number, y: number, w: number, h: number): string =>
    `M${x.toFixed(2)} ${y.toFixed(2)}h${w.toFixed(2)}v${h.toFixed(2)}h${(-w).toFixed(2)}z`;
  groups.forEach((counts, at) => {
    const total = counts.F + counts.B + counts.A + counts.I + counts.U;
    const x = at * pitch + gap / 2;
    const inset = Math.min(0.5, (pitch - gap) / 4);
    let top = height;
    for (const [state, share] of stack) {
      const tall = (height * share * counts[state]) / total;
      if (tall === 0) continue;
      top -= tall;
      const hollow = state === 'A' || state === 'B' ? inset : 0;
      paths[state] += box(x + hollow, top + hollow, pitch - gap - 2 * hollow, Math.max(0.5, tall - 2 * hollow));
    }
    if (top === height) paths.F += box(x, height - 2, pitch - gap, 2);
  });
  return paths;
}

/** A strip that shows all of a table at a glance. */
export function minimapStrip(states: string, width: number, height: number): TemplateResult {
  const paths = minimapPaths(states, width, height, Math.min(256, Math.floor(width / 2)));
  return html`<svg
    class="strip"
    width=${width}
    height=${height}
    viewBox="0 0 ${width} ${height}"
    preserveAspectRatio="none"
    role="img"
    aria-label=${minimapText(states)}
  >
    ${(['F', 'B', 'A', 'I', 'U'] as const).map((state) => svg`<path class="mini-${state}" d=${paths[state]} />`)}
  </svg>`;
}
