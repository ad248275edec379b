// The past of a machine within a budget of memory: snapshots while it runs, thinned out with age, and any earlier moment reached from the
// nearest one by running again. [design: history and time travel]
// Guarantees: going somewhere and coming back changes nothing; the earliest moment moves on only when the budget forces it to.
import type { Machine } from '../machine';
import type { MachineExit, RunOptions } from '../machine-contract';
import { isBefore, type Moment } from './moment';
import type { Snapshot } from './snapshots';

export interface HistoryOptions {
  /** Bytes for snapshots, the blocks of disks and the event log; about. */
  readonly budgetBytes: number;
  /** Steps from one snapshot to the next while the machine runs; running again takes about as many at most. */
  readonly intervalSteps?: number;
}

/** Where a run would have stopped. */
export interface PastStop {
  readonly moment: Moment;
  readonly exit: MachineExit;
}

const defaultIntervalSteps = 5_000_000;
/** Of the budget, at most one part in so many is events: older ones come again when the run does. */
const eventsShare = 4;
/** How far before a moment snapshots are taken that a search back from it begins with. */
const nearSteps = [400_000, 20_000];
/** The first snapshot, the newest, and the one that RAM is told by. */
const fewestSnapshots = 3;

export class History {
  private interval: number;
  private readonly budgetBytes: number;
  /** The latest moment that was reached. */
  private end: Moment;

  /** Begins where the machine is. */
  constructor(
    private readonly machine: Machine,
    options: HistoryOptions,
  ) {
    this.interval = options.intervalSteps ?? defaultIntervalSteps;
    this.budgetBytes = options.budgetBytes;
    this.end = machine.moment;
    machine.monitor.events.limitTo(options.budgetBytes / eventsShare);
    machine.snapshots.take();
  }

  /** The earliest moment that can be reached. */
  get earliest(): Moment {
    return this.machine.snapshots.all[0]?.moment ?? this.end;
  }
  /** The live end. */
  get latest(): Moment {
    return this.end;
  }
  /** Bytes in use. */
  get bytes(): number {
    const { snapshots, monitor, imageBytes } = this.machine;
    return snapshots.bytes + monitor.events.bytes + imageBytes;
  }

  /** Steps from one snapshot to the next, from now on: as many as take a time that whoever goes back may wait. */
  set intervalSteps(steps: number) {
    this.interval = Math.max(1, Math.floor(steps));
  }

  /** As the machine's own `run`, with snapshots on the way. */
  run(options: RunOptions): MachineExit {
    const { machine } = this;
    for (;;) {
      const due = (this.before(machine.moment)?.moment.step ?? machine.steps) + this.interval;
      const untilStep = Math.min(options.untilStep, Math.max(due, machine.steps + 1));
      const exit = machine.run({ ...options, untilStep });
      this.noteReached();
      if (machine.steps >= due) machine.snapshots.take();
      this.thin();
      if (exit.kind !== 'limit' || machine.steps >= options.untilStep) return exit;
    }
  }

  /** Goes to a moment between the earliest and the latest. Throws RangeError outside. */
  goTo(moment: Moment): MachineExit {
    this.approach(moment);
    return this.machine.runTo(moment);
  }

  /** Goes to where so many steps were made and what was due then is done. */
  goToStep(step: number): MachineExit {
    const moment = { step, actions: Infinity, inputs: Infinity, virtualNanoseconds: Infinity };
    this.approach(moment);
    return this.runToStep(step);
  }

  /** Goes to right behind an event, as a run that stops at it does. Throws RangeError where it has not happened or is forgotten. */
  goToEvent(index: number): MachineExit {
    const { machine } = this;
    this.noteReached();
    const from = machine.snapshots.all.filter(({ events }) => events <= index).at(-1);
    if (from === undefined) throw new RangeError(`event ${index} is older than the history`);
    machine.snapshots.restore(from);
    machine.stopAtEvent((event) => event.index === index);
    try {
      const exit = machine.runTo(this.end, (stop) => stop.kind === 'event');
      if (machine.monitor.events.length <= index) throw new RangeError(`event ${index} has not happened`);
      return exit;
    } finally {
      machine.stopAtEvent(undefined);
    }
  }

  /**
   * Goes to the last stop before a moment among those that are wanted: breakpoints, watchpoints, violations and events, as they are set
   * now. Undefined, and the machine at the earliest moment, where there is none.
   */
  goToLastStop(before: Moment, wanted: (exit: MachineExit) => boolean): PastStop | undefined {
    for (const replay of this.stretchesBack(before)) {
      let last: PastStop | undefined;
      replay((stop) => {
        if (wanted(stop.exit)) last = stop;
      });
      if (last === undefined) continue;
      this.goToStop(last);
      return last;
    }
    this.goTo(this.earliest);
    return undefined;
  }

  /** Goes to where a replay met a stop, so that the machine stands as it did there. */
  goToStop({ moment, exit }: PastStop): void {
    const { machine } = this;
    this.goTo(moment);
    if (exit.kind !== 'violation' || machine.monitor.violations.some(({ number }) => number === exit.violation.number))
      return;
    // It is found when the access in front of which the machine stands is attempted.
    machine.run({ untilStep: machine.steps + 1, skipIdle: true });
  }

  /**
   * The way back from a moment, a stretch between two snapshots at a time. Each stretch is run again when it is called, telling every stop
   * strictly before the moment in order; it answers false when a pause ended it early. The caller goes to where it wants to be afterwards.
   */
  *stretchesBack(before: Moment): Generator<(met: (stop: PastStop) => void) => boolean, void> {
    const { machine } = this;
    this.noteReached();
    this.comeNear(before);
    let end = before;
    for (const snapshot of machine.snapshots.all.filter(({ moment }) => isBefore(moment, before)).reverse()) {
      const until = end;
      yield (met) => {
        machine.snapshots.restore(snapshot);
        const last = machine.runTo(until, (exit) => {
          const { moment } = machine;
          if (isBefore(moment, before)) met({ moment, exit });
          return false;
        });
        return last.kind !== 'paused';
      };
      end = snapshot.moment;
    }
  }

  /** The newest snapshot at or before a moment. */
  private before(moment: Moment): Snapshot | undefined {
    return this.machine.snapshots.all.filter((snapshot) => !isBefore(moment, snapshot.moment)).at(-1);
  }

  /** Restores the nearest snapshot. On a long way it takes another one near the goal, as those who go back once go back again. */
  private approach(moment: Moment): void {
    const { machine } = this;
    this.noteReached();
    const from = this.before(moment);
    if (from === undefined || moment.step > this.end.step) {
      const { step } = this.earliest;
      throw new RangeError(`step ${moment.step} cannot be reached: the history has steps ${step} to ${this.end.step}`);
    }
    machine.snapshots.restore(from);
    if (moment.step - from.moment.step <= 2 * this.interval) return;
    this.runToStep(moment.step - this.interval);
    this.take();
  }

  /**
   * Takes snapshots a little before a moment: what is looked for backwards is mostly near, and stretches in which much is met, such as
   * breakpoints in a loop, are slow.
   */
  private comeNear(before: Moment): void {
    for (const distance of nearSteps) {
      const step = before.step - distance;
      const nearest = this.before(before);
      if (nearest === undefined || step <= nearest.moment.step || distance >= 2 * this.interval) continue;
      this.machine.snapshots.restore(nearest);
      this.runToStep(step);
      this.take();
    }
  }

  private runToStep(step: number): MachineExit {
    const { machine } = this;
    for (;;) {
      const exit = machine.run({ untilStep: step, skipIdle: true });
      if (exit.kind === 'limit' || exit.kind === 'finished' || exit.kind === 'idle' || exit.kind === 'paused')
        return exit;
      machine.pass(exit);
    }
  }

  private noteReached(): void {
    const { moment } = this.machine;
    // A new input in the past may have made the run another, shorter one.
    if (this.machine.isLive() || isBefore(this.end, moment)) this.end = moment;
  }

  private take(): void {
    this.machine.snapshots.take();
    this.thin();
  }

  /** Drops the snapshot whose absence makes the smallest gap for its age, until the rest fits. */
  private thin(): void {
    const { snapshots } = this.machine;
    while (this.bytes > this.budgetBytes && snapshots.all.length > fewestSnapshots) {
      const { all } = snapshots;
      let chosen: Snapshot | undefined;
      let least = Infinity;
      for (let place = 1; place < all.length - 1; place++) {
        const [previous, own, next] = [all[place - 1], all[place], all[place + 1]];
        if (previous === undefined || own === undefined || next === undefined) continue;
        const age = this.end.step - own.moment.step + this.interval;
        const gap = (next.moment.step - previous.moment.step) / age;
        if (gap < least) [chosen, least] = [own, gap];
      }
      // Where every gap is as long as its age already, the history becomes shorter.
      const victim = least > 1 ? all[0] : chosen;
      if (victim === undefined) return;
      snapshots.drop(victim);
    }
  }
}
