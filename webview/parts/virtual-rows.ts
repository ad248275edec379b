// Which rows of a long list are on the screen. The list keeps its full height with two spacers; only the rows between them exist.
export interface RowWindow {
  /** First row to draw, and the one after the last. */
  readonly first: number;
  readonly end: number;
  /** Heights of the spacers in CSS pixels. */
  readonly above: number;
  readonly below: number;
}

const overscanPixels = 120;

/** `heights` of all rows in order, in CSS pixels; `scrollTop` and `viewport` in CSS pixels too. */
export function visibleRows(heights: readonly number[], scrollTop: number, viewport: number): RowWindow {
  const total = heights.reduce((sum, height) => sum + height, 0);
  const from = Math.max(0, Math.min(scrollTop, total - viewport) - overscanPixels);
  const to = Math.max(0, Math.min(scrollTop, total)) + viewport + overscanPixels;
  let first = 0;
  let above = 0;
  for (; first < heights.length; first++) {
    const height = heights[first] ?? 0;
    if (above + height > from) break;
    above += height;
  }
  let end = first;
  let bottom = above;
  for (; end < heights.length && bottom < to; end++) bottom += heights[end] ?? 0;
  return { first, end, above, below: total - bottom };
}
