// A place in a run, exactly: the state of a machine follows from configuration, seed, inputs and this. [design: time; history]

export interface Moment {
  /** Instructions attempted before it, over all harts. */
  readonly step: number;
  /** Scheduled entries of the clock that ran before it: several may be due at one step. */
  readonly actions: number;
  /** Inputs that were applied before it. */
  readonly inputs: number;
  /** While every hart waits, only this grows. */
  readonly virtualNanoseconds: number;
}

/** None of them ever decreases along a run, so any of them tells the order. */
export function isBefore(one: Moment, other: Moment): boolean {
  if (one.step !== other.step) return one.step < other.step;
  return one.actions < other.actions || one.inputs < other.inputs || one.virtualNanoseconds < other.virtualNanoseconds;
}

export function isSameMoment(one: Moment, other: Moment): boolean {
  return !isBefore(one, other) && !isBefore(other, one);
}
