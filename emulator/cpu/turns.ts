// Whose turn it is: harts run one after the other, a fixed number of instructions each. The state says exactly where in a turn the
// machine is, so the interleaving does not depend on how often `run` comes back.

export type HartRun = 'running' | 'waiting' | 'stopped';

/** A hart is not switched away from for so many instructions after an LR, so that constrained loops make progress. */
export const reservationSteps = 64;

export class Turns {
  readonly states: HartRun[];
  /** The hart whose turn it is. */
  current = 0;
  /** Instructions left in its turn. */
  left: number;
  /** The turn was already made longer because of an LR; it is not made longer again. */
  extended = false;

  constructor(
    readonly harts: number,
    readonly turnSteps: number,
  ) {
    this.states = Array.from({ length: harts }, () => 'stopped');
    this.left = turnSteps;
  }

  /**
   * The hart to run next; `undefined` while all wait. `wakes` says whether something is pending for a waiting hart.
   * `sinceReservation` is the number of instructions since the LR of a reservation that still holds.
   */
  next(wakes: (hart: number) => boolean, sinceReservation: number | undefined): number | undefined {
    if (this.states[this.current] === 'running' && this.left > 0) return this.current;
    if (this.mayExtend(sinceReservation)) {
      this.left = reservationSteps - (sinceReservation ?? 0);
      this.extended = true;
      return this.current;
    }
    const hart = this.following(wakes);
    if (hart === undefined) return undefined;
    this.states[hart] = 'running';
    this.begin(hart);
    return hart;
  }

  /** What `next` would say, without starting a turn; the current hart while all wait. */
  peek(wakes: (hart: number) => boolean, sinceReservation: number | undefined): number {
    if (this.states[this.current] === 'running' && this.left > 0) return this.current;
    return this.mayExtend(sinceReservation) ? this.current : (this.following(wakes) ?? this.current);
  }

  begin(hart: number): void {
    this.current = hart;
    this.left = this.turnSteps;
    this.extended = false;
  }

  private mayExtend(sinceReservation: number | undefined): boolean {
    if (this.harts === 1 || this.extended || this.states[this.current] !== 'running') return false;
    return sinceReservation !== undefined && sinceReservation < reservationSteps;
  }

  /** The next hart in order that can run, the current one last. */
  private following(wakes: (hart: number) => boolean): number | undefined {
    for (let distance = 1; distance <= this.harts; distance++) {
      const hart = (this.current + distance) % this.harts;
      if (this.states[hart] === 'running' || (this.states[hart] === 'waiting' && wakes(hart))) return hart;
    }
    return undefined;
  }
}
