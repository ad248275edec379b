// What a machine is asked for and why it comes back: the vocabulary between the machine and whoever runs it.
import type { SavedState, WatchedAccess } from './bus/access';
import type { FinishOutcome } from './board/contract';
import type { CpuOptions } from './cpu/contract';
import type { VirtioEvent } from './record/events';
import type { SavedDisk } from './record/revertible-disk';
import type { Violation } from './virtio/violation';
import type { RulePolicy } from './virtio/watch/policy';

/** Why `run` came back. */
export type MachineExit =
  | { readonly kind: 'limit' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'breakpoint'; readonly hart: number; readonly pc: bigint }
  | { readonly kind: 'watchpoint'; readonly access: WatchedAccess }
  | { readonly kind: 'violation'; readonly violation: Violation }
  /** The event that `stopAtEvent` waited for; the newest one when a step made several. */
  | { readonly kind: 'event'; readonly event: VirtioEvent }
  /** Every hart waits. `dueNanoseconds` is the virtual time until something happens by itself; undefined: only input can wake it. */
  | { readonly kind: 'idle'; readonly dueNanoseconds: number | undefined }
  | { readonly kind: 'finished'; readonly outcome: FinishOutcome }
  | {
      readonly kind: 'lost';
      readonly hart: number;
      readonly pc: bigint;
      readonly cause: number;
      readonly tval: bigint;
    };

export interface RunOptions {
  /** Come back no later than at this step. */
  readonly untilStep: number;
  /** Whether virtual time jumps over idle stretches; otherwise `run` comes back `idle` and the caller paces the jump. */
  readonly skipIdle: boolean;
}

/** Watches guest-physical RAM bytes for the debugger. */
export interface Watchpoint {
  readonly address: number;
  readonly lengthBytes: number;
  readonly load: boolean;
  readonly store: boolean;
}

export interface MachineListener {
  /** Bytes of a guest console: `uart0` or a device's channel. */
  output?(channel: string, bytes: Uint8Array): void;
  event?(event: VirtioEvent): void;
  violation?(violation: Violation): void;
}

export interface MachineOptions {
  /** A word that another thread sets to a non-zero value to make `run` come back. */
  readonly stopWord?: Int32Array;
  /** What happens when a rule is broken; absent: the default policy. It may change while the machine runs. */
  readonly policy?: RulePolicy;
  /** Evaluates the condition of a policy entry; absent: every condition holds. */
  readonly condition?: (expression: string, violation: Violation) => boolean;
  /** Disks go back in time with the machine; what a guest writes reaches them with its flushes. */
  readonly revertible?: boolean;
  /** How the processor gets its speed; executions are the same whatever is chosen. */
  readonly processor?: Pick<CpuOptions, 'compiler' | 'compileThreshold'>;
}

/** Everything of a machine but RAM, as plain data. */
export interface MachineState {
  readonly applied: number;
  readonly idleSince: number;
  readonly finished: FinishOutcome | undefined;
  readonly cpu: SavedState;
  readonly clock: SavedState;
  readonly board: SavedState;
  readonly virtio: SavedState;
  readonly monitor: SavedState;
  readonly disks: readonly SavedDisk[];
}
