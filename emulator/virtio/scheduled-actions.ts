// What one owner has scheduled in virtual time, with what each entry is to do; the clock itself keeps only times and numbers.
// Guarantees: saved state is plain data; an entry that was cancelled never comes back.
import type { Clock } from '../clock';

export interface SavedActions<Action extends object> {
  readonly actions: readonly (readonly [number, Action])[];
  readonly nextToken: number;
}

/** Actions are plain objects that never change once scheduled. */
export class ScheduledActions<Action extends object> {
  private actions = new Map<number, Action>();
  private nextToken = 1;

  /** @param run does one action when it is due */
  constructor(
    private readonly clock: Clock,
    private readonly owner: string,
    run: (action: Action) => void,
  ) {
    clock.handle(owner, (token) => {
      const action = this.actions.get(token);
      this.actions.delete(token);
      if (action !== undefined) run(action);
    });
  }

  /** Actions of the same moment run in the order in which they were planned. */
  plan(action: Action, delayNanoseconds: number): void {
    const token = this.nextToken++;
    this.actions.set(token, action);
    this.clock.schedule(this.owner, delayNanoseconds, token);
  }

  has(which: (action: Action) => boolean): boolean {
    return [...this.actions.values()].some(which);
  }

  cancel(which: (action: Action) => boolean): void {
    for (const [token, action] of this.actions) {
      if (!which(action)) continue;
      this.actions.delete(token);
      this.clock.cancel(this.owner, token);
    }
  }

  cancelAll(): void {
    this.actions.clear();
    this.clock.cancel(this.owner);
  }

  save(): SavedActions<Action> {
    return {
      actions: [...this.actions].map(([token, action]) => [token, { ...action }] as const),
      nextToken: this.nextToken,
    };
  }

  /** The clock's entries are restored by the clock. */
  restore(saved: SavedActions<Action>): void {
    this.actions = new Map(saved.actions.map(([token, action]) => [token, { ...action }]));
    this.nextToken = saved.nextToken;
  }
}
