// Where QEMU and the emulator may differ, with the reason: data for the comparison, for what the campaign prints and for the docs.
import type { State } from './image';

export interface PermittedDifference {
  readonly what: string;
  readonly why: string;
  /** Whether a difference in this field of the state is one of this kind. */
  covers(field: string, qemu: State, ours: State): boolean;
}

const never = (): boolean => false;

export const permittedDifferences: readonly PermittedDifference[] = [
  {
    what: 'Counters and time: cycle, time, instret, mcycle, minstret',
    why: 'They count host time or another unit of work. Sequences read them, which may trap, and throw the value away.',
    covers: never,
  },
];
