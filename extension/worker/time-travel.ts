// The past of a session: back to a ring event, to a breakpoint or violation, by an instruction, by a source line. A search runs stretches
// of the past again, the latest first, and lets messages in between them. [design: history and time travel]
// Guarantees: where a search is paused, the machine is where it was before.
import type { Machine, MachineExit, RunOptions } from '../../emulator/machine';
import type { VirtioEvent } from '../../emulator/record/events';
import { History, type PastStop } from '../../emulator/record/history';
import { isBefore, type Moment } from '../../emulator/record/moment';
import type { GuestSymbols } from './guest-symbols';
import { LineStarts } from './line-starts';

/** Where a way back ended. */
export type Arrival =
  | { readonly kind: 'there' }
  /** Something else stopped it earlier on the way back, as it does forward. */
  | { readonly kind: 'stop'; readonly exit: MachineExit }
  /** There is nothing of the kind: the machine is at the earliest moment that is remembered. */
  | { readonly kind: 'beginning' }
  | { readonly kind: 'paused' };

/** A run of hits of one line without another line between them. */
interface LineRun {
  readonly line: string;
  readonly start: Moment;
  /** It began with the first hit of its stretch, so it may reach further back. */
  readonly open: boolean;
}

const slicesBetweenSnapshots = 6;
const leastInterval = 1_000_000;
/** Instructions that are looked through for the last one of a hart, when others ran behind it. */
const farthestInstruction = 1 << 20;

export class TimeTravel {
  private readonly history: History;
  /** Events of the run up to its live end. */
  private furthestEvents = 0;

  /**
   * @param stops whether a stop of the machine counts for the user: a breakpoint's condition holds
   * @param breathe lets messages in
   */
  constructor(
    private readonly machine: Machine,
    private readonly symbols: GuestSymbols,
    budgetBytes: number,
    private readonly stops: (exit: MachineExit) => boolean,
    private readonly breathe: () => Promise<void>,
  ) {
    this.history = new History(machine, { budgetBytes });
  }

  /** As the machine's own `run`; remembers the way. */
  run(options: RunOptions): MachineExit {
    return this.history.run(options);
  }

  /** How many steps take a few milliseconds, as far as is known now: snapshots are taken so that going back is felt as immediate. */
  set pace(steps: number) {
    this.history.intervalSteps = Math.max(leastInterval, slicesBetweenSnapshots * steps);
  }

  /** The live end, while the machine is in its past. */
  get liveEnd(): (Moment & { readonly events: number }) | undefined {
    const { events } = this.machine.monitor;
    if (this.machine.isLive()) {
      this.furthestEvents = events.length;
      return undefined;
    }
    return { ...this.history.latest, events: Math.max(events.length, this.furthestEvents) };
  }
  get earliest(): Moment {
    return this.history.earliest;
  }

  /** To right behind the last event before now that matches. */
  previousEvent(matches: (event: VirtioEvent) => boolean): Promise<Arrival> {
    return this.withEvents(matches, () => this.lastStop((exit) => exit.kind === 'event'));
  }

  /** To right behind an event of the run, whether it lies before or ahead. Throws RangeError where the history does not have it. */
  toEvent(index: number): Arrival {
    this.noteEnd();
    this.history.goToEvent(index);
    return { kind: 'there' };
  }

  /** To the last breakpoint, data breakpoint or violation before now. */
  reverseContinue(): Promise<Arrival> {
    return this.lastStop((exit) => this.stops(exit));
  }

  /** To where the run had got. */
  toLiveEnd(): Arrival {
    const exit = this.history.goTo(this.history.latest);
    return { kind: exit.kind === 'paused' ? 'paused' : 'there' };
  }

  /** In front of the last instruction that a hart executed. */
  async instructionBack(hart: number): Promise<Arrival> {
    const { machine, history } = this;
    this.noteEnd();
    const here = machine.moment;
    const earliest = history.earliest.step;
    for (let reach = 1; reach <= farthestInstruction; reach *= 8) {
      const from = Math.max(earliest, here.step - reach);
      if (from >= here.step) break;
      history.goToStep(from);
      let found: number | undefined;
      while (machine.steps < here.step) {
        if (machine.cpu.turn === hart && machine.cpu.hartState(hart) === 'running') found = machine.steps;
        if (reach === 1) break;
        const exit = machine.run({ untilStep: machine.steps + 1, skipIdle: true });
        if (exit.kind === 'paused') return this.backTo(here);
        if (exit.kind === 'idle' || exit.kind === 'finished') break;
        machine.pass(exit);
      }
      if (found !== undefined) {
        if (machine.steps !== found) history.goToStep(found);
        return { kind: 'there' };
      }
      if (from === earliest) break;
      await this.breathe();
    }
    history.goTo(history.earliest);
    return { kind: 'beginning' };
  }

  /** To the start of the line that was executed before, in this frame or its caller; calls on the way are passed over. */
  async lineBack(hart: number): Promise<Arrival> {
    const { machine, history } = this;
    const lines = LineStarts.around(machine, this.symbols, hart);
    if (lines === undefined) return this.instructionBack(hart);
    this.noteEnd();
    const here = machine.moment;
    let run: LineRun | undefined;
    let stop: PastStop | undefined;
    machine.setTemporaryBreakpoints(lines.addresses);
    try {
      for (const replay of history.stretchesBack(here)) {
        let first: LineRun | undefined;
        let last: LineRun | undefined;
        let lastStop: PastStop | undefined;
        const whole = replay((met) => {
          const line = met.exit.kind === 'breakpoint' ? lines.lineOf(met.exit.hart, met.exit.pc) : undefined;
          if (line !== undefined && line !== last?.line) {
            last = { line, start: met.moment, open: first === undefined };
            first ??= last;
          }
          if ((met.exit.kind !== 'breakpoint' || machine.isBreakpoint(met.exit.pc)) && this.stops(met.exit)) {
            lastStop = met;
          }
        });
        if (!whole) return this.backTo(here);
        stop ??= lastStop;
        if (last !== undefined) {
          // The older part of a run that reaches over the edge of its stretch.
          if (run === undefined || run.line === last.line) run = last;
          else run = { ...run, open: false };
        }
        if ((run !== undefined && !run.open) || stop !== undefined) break;
        await this.breathe();
      }
    } finally {
      machine.setTemporaryBreakpoints([]);
    }
    if (stop !== undefined && (run === undefined || isBefore(run.start, stop.moment))) {
      history.goToStop(stop);
      return { kind: 'stop', exit: stop.exit };
    }
    history.goTo(run?.start ?? history.earliest);
    return run === undefined ? { kind: 'beginning' } : { kind: 'there' };
  }

  private async lastStop(wanted: (exit: MachineExit) => boolean): Promise<Arrival> {
    this.noteEnd();
    const here = this.machine.moment;
    for (const replay of this.history.stretchesBack(here)) {
      let last: PastStop | undefined;
      const whole = replay((met) => {
        if (wanted(met.exit)) last = met;
      });
      if (!whole) return this.backTo(here);
      if (last !== undefined) {
        this.history.goToStop(last);
        return { kind: 'stop', exit: last.exit };
      }
      await this.breathe();
    }
    this.history.goTo(this.history.earliest);
    return { kind: 'beginning' };
  }

  private backTo(moment: Moment): Arrival {
    this.history.goTo(moment);
    return { kind: 'paused' };
  }

  private async withEvents(matches: (event: VirtioEvent) => boolean, work: () => Promise<Arrival>): Promise<Arrival> {
    this.machine.stopAtEvent(matches);
    try {
      return await work();
    } finally {
      this.machine.stopAtEvent(undefined);
    }
  }

  /** In front of a way back: the present may be the live end. */
  private noteEnd(): void {
    const { events } = this.machine.monitor;
    if (this.machine.isLive()) this.furthestEvents = events.length;
  }
}
