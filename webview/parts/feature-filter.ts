// Which rows of the feature table are shown, and the accepted ones as C for the clipboard.
import type { FeatureRow } from '../model/inspector';
import type { FeatureFilter } from '../view';

export const featureFilters: readonly {
  readonly id: FeatureFilter;
  readonly label: string;
  readonly passes: (row: FeatureRow) => boolean;
}[] = [
  { id: 'all', label: 'All', passes: () => true },
  { id: 'offered', label: 'Offered', passes: (row) => row.offered },
  { id: 'accepted', label: 'Accepted', passes: (row) => row.accepted },
  { id: 'declined', label: 'Declined', passes: (row) => row.offered && !row.accepted },
  { id: 'neverHonoured', label: 'Never honoured', passes: (row) => row.neverHonoured },
  { id: 'unknown', label: 'Unknown', passes: (row) => row.unknown },
  { id: 'changed', label: 'Changed', passes: (row) => row.change !== null },
];

/** The rows that pass a filter and whose name, bit or meaning contains `search`. */
export function filterFeatures(
  rows: readonly FeatureRow[],
  filter: FeatureFilter,
  search: string,
): readonly FeatureRow[] {
  const chosen = featureFilters.find((each) => each.id === filter) ?? featureFilters[0];
  const words = search.trim().toLowerCase();
  return rows.filter((row) => {
    if (chosen !== undefined && !chosen.passes(row)) return false;
    return words === '' || row.bit.toString() === words || `${row.name} ${row.meaning}`.toLowerCase().includes(words);
  });
}

/** The negotiated bits as C constants, for the clipboard. */
export function featuresAsC(rows: readonly FeatureRow[]): string {
  return rows
    .filter((row) => row.accepted)
    .map(
      (row) =>
        `#define ${row.unknown ? `VIRTIO_F_BIT_${row.bit}` : `VIRTIO_F_${row.name}`} (1ull << ${row.bit}) /* ${row.meaning.replaceAll('*/', '* /')} */`,
    )
    .join('\n');
}
