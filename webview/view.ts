// What every screen gets: the newest snapshot, the page's own state, and the two ways out (an intent, or a change of that state).
import type { InspectorModel, Intent, Screen } from './model/inspector';

export type FeatureFilter = 'all' | 'offered' | 'accepted' | 'declined' | 'neverHonoured' | 'unknown' | 'changed';
/** What the lower part of a large queue's screen lists. */
export type LargeList = 'descriptors' | 'chains' | 'available' | 'used';

/** State that belongs to the page alone: the machine and the extension know nothing of it. */
export interface PageState {
  readonly screen: Screen;
  /** Width of the page in CSS pixels; under 940 the narrow layout is drawn: three rings side by side need that much. */
  readonly width: number;
  readonly height: number;
  /** Null: on for a large queue, off for a small one. */
  readonly inFlightOnly: boolean | null;
  readonly largeList: LargeList;
  readonly featureFilter: FeatureFilter;
  readonly featureSearch: string;
  readonly selectedFeature: number | null;
  readonly selectedViolation: number | null;
  /** Heads of the chains whose folded cards are shown. */
  readonly unfolded: readonly string[];
  /** Scroll offsets of virtual lists, by name. */
  readonly scroll: Readonly<Record<string, number>>;
}

export const narrowBelow = 940;

export const firstPageState: PageState = {
  screen: 'overview',
  width: 1100,
  height: 800,
  inFlightOnly: null,
  largeList: 'descriptors',
  featureFilter: 'all',
  featureSearch: '',
  selectedFeature: null,
  selectedViolation: null,
  unfolded: [],
  scroll: {},
};

export interface View {
  readonly model: InspectorModel;
  readonly page: PageState;
  readonly narrow: boolean;
  send(intent: Intent): void;
  change(change: Partial<PageState>): void;
  /** Called while drawing: rows of the large descriptor table that are on the screen and were not sent, or null. */
  wantRows(rows: { readonly first: number; readonly count: number } | null): void;
}
