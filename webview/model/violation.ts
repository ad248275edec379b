// What the Violations screen draws of one violation: the rule in words, the moments that led to it, the evidence, and what to do.
import type { OwnerState } from './queue';
import type { Action, CodePosition, NamedValue, RichText, Who } from './text';

export type RuleLevel = 'must' | 'should' | 'hazard';

export interface CodeLine {
  readonly number: number;
  readonly text: string;
}

/** One moment of the story, in order: `Published`, `Stored`. */
export interface ViolationMoment {
  readonly title: string;
  /** `5.70 µs earlier`, `now, not in effect yet`. */
  readonly when: string;
  readonly who: Who;
  /** The moment that broke the rule. */
  readonly blamed: boolean;
  readonly position: CodePosition;
  /** Lines around the position; empty where the source cannot be read. */
  readonly lines: readonly CodeLine[];
  /** Under the lines: `step 48,206,212`, `hart 0`, the function. */
  readonly facts: readonly NamedValue[];
  /** At right under the lines: `avail.idx 221 → 222`, or the instruction. */
  readonly effect: string;
}

/** Who owned a thing over time; nanoseconds of virtual time, in order. */
export interface OwnershipHistory {
  readonly title: string;
  readonly caption: string;
  readonly phases: readonly OwnershipPhase[];
  readonly marks: readonly OwnershipMark[];
}
export interface OwnershipPhase {
  readonly state: OwnerState;
  readonly label: string;
  readonly fromNanoseconds: number;
  readonly toNanoseconds: number;
  /** After now: drawn dashed. */
  readonly future: boolean;
}
export interface OwnershipMark {
  readonly atNanoseconds: number;
  readonly label: string;
  readonly who: Who;
  readonly violation: boolean;
  readonly future: boolean;
}

export interface EvidenceTable {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly cells: readonly string[]; readonly violated: boolean }[];
}

/** The chains involved, in short: `3 → [4] → 5`. */
export interface RingExcerpt {
  readonly chains: readonly {
    readonly cells: readonly {
      readonly state: OwnerState | null;
      readonly label: string;
      readonly violated: boolean;
    }[];
    readonly note: string;
  }[];
  readonly queue: number;
}

export interface ViolationModel {
  /** Unique in the session. */
  readonly id: number;
  readonly rule: string;
  readonly title: string;
  readonly level: RuleLevel;
  readonly family: string;
  /** `virtio 1.4, 3.3.1 Driver requirements: device cleanup`. */
  readonly reference: string;
  readonly section: string;
  readonly explanation: RichText;
  readonly device: string;
  readonly queue: number | null;
  readonly step: number;
  /** Where the blame goes. */
  readonly position: CodePosition | null;
  readonly count: number;
  readonly muted: boolean;
  readonly moments: readonly ViolationMoment[];
  readonly ownership: OwnershipHistory | null;
  readonly evidence: EvidenceTable;
  readonly stack: readonly { readonly name: string; readonly position: CodePosition }[];
  readonly fix: RichText;
  readonly hint: RichText | null;
  readonly ring: RingExcerpt | null;
  readonly actions: readonly Action[];
  readonly policy: readonly NamedValue[];
  readonly policyNote: string;
}
