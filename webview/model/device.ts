// What the Overview and Features screens draw of one device: handshake, identity, configuration, interrupt, queues in short.
import type { Action, CodePosition, Fact, NamedValue, RichText, Who } from './text';

export type DeviceIcon = 'block' | 'net' | 'console' | 'entropy' | 'other';

/** One line of the device picker. */
export interface DeviceSummary {
  readonly name: string;
  readonly icon: DeviceIcon;
  /** `block · mmio slot 7`. */
  readonly caption: string;
  readonly violations: number;
}

/** A state of the initialisation sequence. [virtio 1.4, 3.1.1] */
export interface HandshakeState {
  readonly name: string;
  /** Device status in this state: `0x0b`. */
  readonly value: string;
  /** `next`: may come now. `later`: not before others. `skipped`: a later one was entered without it. */
  readonly progress: 'done' | 'current' | 'next' | 'later' | 'skipped';
  readonly facts: readonly Fact[];
  /** `step 41,902,113 +52`, empty when it has not happened. */
  readonly when: string;
  readonly position: CodePosition | null;
  readonly violated: boolean;
}

/** A line under the states: a bit that stands beside the sequence, or an earlier lap. */
export interface HandshakeLane {
  readonly who: Who | null;
  readonly name: string;
  /** States that an earlier lap reached; absent for bits. */
  readonly reached?: { readonly count: number; readonly of: number };
  readonly mark: string;
  /** The bit is set, or the lap ended: the line is solid. */
  readonly happened: boolean;
  readonly text: RichText;
}

export interface HandshakeModel {
  readonly caption: string;
  readonly lap: number;
  readonly status: string;
  /** Highest bit first. */
  readonly bits: readonly { readonly name: string; readonly set: boolean }[];
  readonly states: readonly HandshakeState[];
  readonly lanes: readonly HandshakeLane[];
  /** What the specification lets the driver do now. */
  readonly next: RichText;
}

/** Feature filters of the Features screen. */
export interface FeatureRow {
  readonly bit: number;
  readonly name: string;
  /** Heading it stands under: `Block device`. */
  readonly group: string;
  readonly offered: boolean;
  readonly accepted: boolean;
  /** Null while the negotiation is open. */
  readonly effective: boolean | null;
  readonly unknown: boolean;
  /** Against the lap before: newly accepted or no longer. */
  readonly change: 'added' | 'removed' | null;
  readonly meaning: string;
  readonly behaviour: RichText;
  /** Accepted and not acted upon: a hazard. */
  readonly neverHonoured: boolean;
  /** Accepted without being offered, or without what it needs. */
  readonly violated: boolean;
  /** Bits that must be accepted with it. */
  readonly needs: readonly number[];
  readonly detail?: { readonly why: RichText; readonly did: RichText; readonly references: readonly RichText[] };
}

export interface FeaturesModel {
  /** `13 of 17 accepted, FEATURES_OK kept; closed since step 41,906,402`. */
  readonly summary: string;
  /** 64 or 128. */
  readonly bitCount: number;
  readonly rows: readonly FeatureRow[];
  /** Name of the lap that `change` compares with, or null. */
  readonly comparedWith: string | null;
  /** Most important remark for the narrow layout, or null. */
  readonly remark: RichText | null;
}

export interface ConfigRow {
  readonly offset: string;
  readonly name: string;
  readonly value: string;
  readonly note: string;
  /** False when the feature that defines the field is not there: `note` says which. */
  readonly present: boolean;
  readonly warning: boolean;
  /** The access that the guest stands at breaks a rule here. */
  readonly violated?: boolean;
}
export interface ConfigModel {
  /** Name of the structure: `virtio_blk_config`. */
  readonly structure: string;
  /** `generation 0, driver read 9 of 13`. */
  readonly caption: string;
  readonly generation: number;
  readonly rows: readonly ConfigRow[];
}

export interface InterruptStage {
  readonly lit: Who | null;
  readonly label: string;
  readonly value: string;
}
export interface InterruptModel {
  /** `irq 8`. */
  readonly line: string;
  /** `raised 0.49 µs ago`. */
  readonly caption: string;
  readonly stages: readonly InterruptStage[];
  readonly counters: readonly NamedValue[];
  /** One line for the narrow layout. */
  readonly summary: Fact;
}

export interface QueueSummary {
  readonly index: number;
  readonly name: string;
  readonly format: 'split' | 'packed';
  readonly size: number;
  readonly ready: boolean;
  /** `3 in flight`, `all free`, `not set up`. */
  readonly caption: string;
  /** One letter of `OwnerState` for each descriptor; empty while not set up. */
  readonly states: string;
  readonly counters: readonly NamedValue[];
  /** Requests in flight, sampled evenly; empty when nothing was measured. */
  readonly activity: readonly number[];
  readonly activityCaption: string;
  readonly violations: number;
}

export interface RequestRow {
  readonly index: string;
  readonly request: string;
  readonly microseconds: string;
  readonly state: string;
}

/** Shown instead of the pictures while the guest has not touched the device. */
export interface DiscoveryModel {
  readonly title: string;
  readonly text: RichText;
  readonly fact: Fact | null;
  /** Slots of the transport, and which one is this device's. */
  readonly slots: number;
  readonly slot: number;
  readonly actions: readonly Action[];
}

export interface DeviceModel extends DeviceSummary {
  readonly discovery: DiscoveryModel | null;
  readonly handshake: HandshakeModel;
  readonly features: FeaturesModel;
  readonly identity: readonly NamedValue[];
  readonly config: ConfigModel;
  readonly interrupt: InterruptModel;
  readonly queues: readonly QueueSummary[];
  /** `2 of 2 ready`. */
  readonly queueCaption: string;
  /** Newest first. */
  readonly requests: readonly RequestRow[];
  readonly requestCaption: string;
}
