// The inspector's view model: everything the pages draw, decoded and serialisable. The only thing extension and webview share.
import type { DeviceModel, DeviceSummary } from './device';
import type { QueueModel } from './queue';
import type { Action, CodePosition, RichText, Who } from './text';
import type { ViolationModel } from './violation';

export * from './device';
export * from './format';
export * from './messages';
export * from './queue';
export * from './text';
export * from './violation';

export type SessionState = 'none' | 'starting' | 'running' | 'stopped' | 'violation' | 'ended';

/** What just happened, in one present-tense sentence from facts; shown at the foot of every screen and read out. */
export interface Narration {
  readonly before: RichText | null;
  readonly sentence: RichText;
  readonly violation: boolean;
  /** What the event changed, or what the next store is about to change. */
  readonly difference: { readonly title: string; readonly minus: string; readonly plus: string } | null;
  readonly actions: readonly Action[];
}

/** One line of the event list; `mark` chooses the sign. */
export interface EventRow {
  /** Position in the whole stream, from 1. */
  readonly index: number;
  /** Absent: it has happened. `true`: it comes after the shown moment, as the run went before. */
  readonly ahead?: true;
  readonly step: number;
  readonly virtualNanoseconds: number;
  readonly who: Who | null;
  readonly device: string | null;
  readonly mark: 'publish' | 'notify' | 'fetch' | 'used' | 'interrupt' | 'violation' | 'other';
  /** One word: `publish`. */
  readonly kind: string;
  readonly text: RichText;
  readonly position: CodePosition | null;
}

export interface InspectorModel {
  /** Grows with every snapshot; a page ignores one that is not newer than what it shows. */
  readonly sequence: number;
  readonly session: SessionState;
  /** Machine clock: instructions attempted. */
  readonly step: number;
  readonly virtualNanoseconds: number;
  /** How far back the shown moment lies, `0.309 ms in the past`; null at the live end. */
  readonly past: string | null;
  /** Position of the shown moment in the event stream, and its length. */
  readonly eventIndex: number;
  readonly eventCount: number;
  /** What the session can do now; the page shows no control for what it cannot. */
  readonly can: {
    readonly nextRingEvent: boolean;
    readonly previousRingEvent: boolean;
    /** To any event of the list. */
    readonly goToEvent: boolean;
    readonly goToLiveEnd: boolean;
    readonly continue: boolean;
    readonly pause: boolean;
  };
  readonly devices: readonly DeviceSummary[];
  /** The selected device. */
  readonly device: DeviceModel | null;
  /** The selected queue of the selected device; null while there is none. */
  readonly queue: QueueModel | null;
  /** Newest first. */
  readonly violations: readonly ViolationModel[];
  /** `id` of the violation that the machine stands at, or null. */
  readonly standingAt: number | null;
  readonly narration: Narration | null;
  /** The newest events, oldest first, a few hundred at most. */
  readonly events: readonly EventRow[];
}

/** What can be done where there is no guest. */
export const noControls: InspectorModel['can'] = {
  nextRingEvent: false,
  previousRingEvent: false,
  goToEvent: false,
  goToLiveEnd: false,
  continue: false,
  pause: false,
};

/** What the page shows before the first snapshot and when there is no session. */
export function emptyModel(sequence = 0): InspectorModel {
  return {
    sequence,
    session: 'none',
    step: 0,
    virtualNanoseconds: 0,
    past: null,
    eventIndex: 0,
    eventCount: 0,
    can: noControls,
    devices: [],
    device: null,
    queue: null,
    violations: [],
    standingAt: null,
    narration: null,
    events: [],
  };
}
