// The small step curve of requests in flight. Counts are drawn in the foreground colour: they belong to nobody.
import { html, type TemplateResult } from 'lit';

const width = 180;
const height = 28;

/** Path of the steps: each sample holds until the next. */
export function activityPath(samples: readonly number[]): string {
  if (samples.length === 0) return '';
  const most = Math.max(1, ...samples);
  const pitch = width / samples.length;
  const y = (value: number): string => (height - 3 - (value / most) * (height - 8)).toFixed(1);
  return samples.reduce((path, value, at) => {
    const move = at === 0 ? `M0 ${y(value)}` : `V${y(value)}`;
    return `${path}${move}H${((at + 1) * pitch).toFixed(1)}`;
  }, '');
}

export function activityCurve(samples: readonly number[], caption: string): TemplateResult {
  return html`<svg
      class="activity"
      viewBox="0 0 ${width} ${height}"
      preserveAspectRatio="none"
      role="img"
      aria-label=${caption}
    >
      <path class="line-strong" d="M0 ${height - 2.5}H${width}" />
      <path class="curve" d=${activityPath(samples)} />
    </svg>
    <div class="tiny dim ellipsis" title=${caption}>${caption}</div>`;
}
