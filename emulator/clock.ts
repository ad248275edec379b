// Virtual time and what is due in it. The clock is driven by steps; devices and timers wait in one queue.
// Guarantees: entries run in order of (time, order of scheduling); the queue is plain data, so it can be saved.
import type { SavedState, Stateful } from './bus/access';

export interface ScheduledEntry {
  readonly dueNanoseconds: number;
  readonly order: number;
  /** Who handles it: a name registered with `handle`. */
  readonly owner: string;
  readonly token: number;
}

export class Clock implements Stateful {
  private entries: ScheduledEntry[] = [];
  private nextOrder = 0;
  /** Virtual nanoseconds that passed while every hart waited. */
  private skippedNanoseconds = 0;
  private ranCount = 0;
  private readonly handlers = new Map<string, (token: number) => void>();

  /**
   * @param currentStep the machine's step count now
   * @param harts virtual time is steps / harts nanoseconds plus what was skipped
   * @param dueSooner called when something was scheduled for this step, so that a running processor comes back in time
   */
  constructor(
    private readonly currentStep: () => number,
    private readonly harts: number,
    private readonly dueSooner: (step: number) => void,
  ) {}

  /** Virtual nanoseconds since reset. */
  now(): number {
    return Math.floor(this.currentStep() / this.harts) + this.skippedNanoseconds;
  }

  /** Entries that ran since reset. */
  get ran(): number {
    return this.ranCount;
  }

  handle(owner: string, handler: (token: number) => void): void {
    this.handlers.set(owner, handler);
  }

  /** Runs `owner`'s handler with `token` once `delayNanoseconds` (0 or more) of virtual time have passed. */
  schedule(owner: string, delayNanoseconds: number, token: number): void {
    this.scheduleAt(owner, this.now() + delayNanoseconds, token);
  }

  /** As `schedule`, in place of what `owner` scheduled with this token before. */
  reschedule(owner: string, delayNanoseconds: number, token: number): void {
    this.cancel(owner, token);
    this.schedule(owner, delayNanoseconds, token);
  }

  scheduleAt(owner: string, dueNanoseconds: number, token: number): void {
    const entry = { dueNanoseconds, order: this.nextOrder++, owner, token };
    let place = this.entries.length;
    while (place > 0 && (this.entries[place - 1]?.dueNanoseconds ?? 0) > dueNanoseconds) place--;
    this.entries.splice(place, 0, entry);
    if (place === 0) this.dueSooner(this.stepOf(dueNanoseconds));
  }

  /** Forgets what `owner` scheduled, or only its entries with this token. */
  cancel(owner: string, token?: number): void {
    this.entries = this.entries.filter((e) => e.owner !== owner || (token !== undefined && e.token !== token));
  }

  /** The step at which the next entry is due; undefined when nothing is. */
  nextStep(): number | undefined {
    const first = this.entries[0];
    return first === undefined ? undefined : this.stepOf(first.dueNanoseconds);
  }

  /** Runs one due entry; false when none is due. One at a time, so that ring stepping can stop between any two. */
  runOneDue(): boolean {
    const first = this.entries[0];
    if (first === undefined || first.dueNanoseconds > this.now()) return false;
    this.entries.shift();
    const handler = this.handlers.get(first.owner);
    if (handler === undefined) throw new Error(`nobody handles what ${first.owner} scheduled`);
    handler(first.token);
    this.ranCount++;
    return true;
  }

  /** Virtual nanoseconds until the next entry is due, 0 when it is overdue; undefined when nothing is scheduled. */
  untilNext(): number | undefined {
    const first = this.entries[0];
    return first === undefined ? undefined : Math.max(0, first.dueNanoseconds - this.now());
  }

  /** Every hart waits: moves time on by at most `nanoseconds`, no further than to the next entry. False when nothing is scheduled. */
  skip(nanoseconds: number): boolean {
    const gap = this.untilNext();
    if (gap === undefined) return false;
    this.skippedNanoseconds += Math.min(gap, nanoseconds);
    return true;
  }

  save(): SavedState {
    return {
      entries: this.entries.map((e) => ({ ...e })),
      nextOrder: this.nextOrder,
      skipped: this.skippedNanoseconds,
      ran: this.ranCount,
    };
  }
  restore(state: SavedState): void {
    const saved = state as { entries: ScheduledEntry[]; nextOrder: number; skipped: number; ran: number };
    this.entries = saved.entries.map((e) => ({ ...e }));
    this.nextOrder = saved.nextOrder;
    this.skippedNanoseconds = saved.skipped;
    this.ranCount = saved.ran;
  }

  private stepOf(nanoseconds: number): number {
    return Math.max(0, (nanoseconds - this.skippedNanoseconds) * this.harts);
  }
}
