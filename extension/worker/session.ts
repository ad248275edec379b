// One debugging session in this thread: a machine, its symbols, and what the user wants of them. The worker serves it over messages; the
// command line and the protocol tests use it directly.
import * as path from 'node:path';
import { Machine, type MachineExit } from '../../emulator/machine';
import { describeEvent, isRingEvent } from '../../emulator/record/describe';
import type { VirtioEvent } from '../../emulator/record/events';
import { catalogue, families, familyNames } from '../../emulator/virtio/rules';
import { RulePolicy } from '../../emulator/virtio/watch/policy';
import type { Violation } from '../../emulator/virtio/violation';
import { evaluateCondition } from '../debug/condition';
import type { LaunchConfiguration } from '../debug/launch-configuration';
import type * as target from '../debug/target';
import { violationFields } from '../debug/violation-text';
import { Accessors } from './accessors';
import { BreakpointTable, type Evaluate } from './breakpoints';
import { DataBreakpointTable } from './data-breakpoints';
import { FrameInspector } from './frame-inspector';
import { GuestSymbols } from './guest-symbols';
import { loadMachine, type LoadedMachine } from './load-machine';
import { launchPolicy } from './launch-policy';
import { describeLost } from './lost-guest';
import { disassembleRange } from './disassembly';
import { type LoadedGuest, LookingSession } from './looking-session';
import { Pacer } from './pacer';
import { SourcePaths } from './source-paths';
import { Step } from './stepping';
import { type Arrival, TimeTravel } from './time-travel';
import { unmetDevices } from './unmet-devices';
import { captureViolation, type CapturedViolation, reportViolation } from './violation-report';

/** Steps between two looks at messages: a few milliseconds of work. Adapts to the machine's speed. */
const sliceMilliseconds = 5;
const firstSliceSteps = 200_000;
const largestSliceSteps = 5_000_000;

export interface SessionOptions {
  /** A word that another thread sets to make a running machine come back at once. */
  readonly stopWord?: Int32Array;
}

export class Session extends LookingSession implements target.DebugTarget {
  private loaded: LoadedGuest | undefined;
  private readonly listeners: ((event: target.TargetEvent) => void)[] = [];
  private readonly breakpoints = new BreakpointTable();
  private readonly dataBreakpoints = new DataBreakpointTable();
  private readonly captured = new Map<number, CapturedViolation>();
  /** Outlives restarts, as breakpoints do. */
  private readonly rules = new RulePolicy(catalogue);
  private readonly pacer = new Pacer();
  private running = false;
  private pauseRequested = false;
  /** Resolves when the run loop has come to rest. */
  private atRest: Promise<void> = Promise.resolve();
  private sliceSteps = firstSliceSteps;
  private pending: { channel: string; bytes: Uint8Array }[] = [];
  private finished = false;
  /** Remarks of this launch that were made already. */
  private readonly noted = new Set<string>();

  constructor(private readonly options: SessionOptions = {}) {
    super();
  }

  /** The machine, for inspection between slices; undefined before launch. */
  get machine(): Machine | undefined {
    return this.loaded?.machine;
  }
  get symbols(): GuestSymbols | undefined {
    return this.loaded?.symbols;
  }
  /** The live end of the run while the machine is in its past. */
  get liveEnd(): TimeTravel['liveEnd'] {
    return this.loaded?.past?.liveEnd;
  }
  get canGoBack(): boolean {
    return this.loaded?.past !== undefined;
  }
  get isRunning(): boolean {
    return this.running;
  }
  /** The guest has ended by itself; its machine stays inspectable. */
  get hasEnded(): boolean {
    return this.finished;
  }

  onEvent(listener: (event: target.TargetEvent) => void): void {
    this.listeners.push(listener);
  }

  async launch(configuration: LaunchConfiguration): Promise<target.LaunchResult> {
    await this.halt();
    // The old guest stays until the new one is known to load.
    const policy = launchPolicy(configuration);
    const files = loadMachine(configuration);
    this.loaded?.files.close();
    const sources = new SourcePaths(sourceFolders(configuration));
    const symbols = new GuestSymbols(files.symbols, (file) => sources.find(file));
    const accessors = new Accessors(configuration.accessors, (low, high) => this.code(low, high));
    this.rules.replace('launch', policy);
    files.networks.onArrival = () => this.pacer.wake();
    const machine = this.build(files, configuration.historyBytes > 0);
    const past = this.remember(machine, symbols, configuration.historyBytes);
    this.loaded = { configuration, files, symbols, accessors, machine, past };
    this.begin();
    for (const text of symbols.problems) this.emit({ kind: 'message', severity: 'warning', text });
    const result: target.LaunchResult = {
      harts: configuration.harts,
      notes: files.notes,
      hasDebugInformation: symbols.hasLines,
      hasHistory: past !== undefined,
      consoles: [
        'uart0',
        ...configuration.devices.filter((device) => device.type === 'console').map((device) => device.name),
      ],
      devices: machine.virtio.devices.map((device) => ({ name: device.name, type: device.inspect().typeName })),
    };
    this.emit({ kind: 'launched', result });
    return result;
  }

  async restart(configuration?: LaunchConfiguration): Promise<target.LaunchResult> {
    const next = configuration ?? this.require().configuration;
    this.breakpoints.resetHits();
    return this.launch(next);
  }

  async terminate(): Promise<void> {
    await this.halt();
    this.loaded?.files.close();
    this.loaded = undefined;
  }

  resume(): Promise<void> {
    const { machine } = this.require();
    this.start(() => {
      machine.passStop();
      return this.runLoop(machine);
    });
    return Promise.resolve();
  }

  async pause(): Promise<void> {
    if (!this.running) return;
    this.pauseRequested = true;
    this.pacer.wake();
    await this.atRest;
  }

  step(hart: number, kind: target.StepKind, granularity: target.StepGranularity): Promise<void> {
    const { machine, symbols } = this.require();
    const step = new Step(machine, symbols, hart, kind, granularity);
    if (!step.possible)
      return Promise.reject(new Error('There is no caller to step out to: the call stack ends here.'));
    this.start(async () => {
      for (;;) {
        const progress = step.advance(this.sliceSteps);
        if (progress.kind === 'done') return void this.stop({ kind: 'step' }, hart);
        if (progress.kind === 'stopped') {
          this.applyInput(machine);
          if (this.handle(progress.exit)) return;
          continue;
        }
        await this.breathe();
        if (this.wantsPause()) return void this.stop({ kind: 'pause' }, hart);
      }
    });
    return Promise.resolve();
  }

  nextRingEvent(device?: string): Promise<void> {
    const { machine } = this.require();
    this.start(async () => {
      machine.passStop();
      machine.stopAtEvent(ringEventsOf(device));
      try {
        await this.runLoop(machine);
      } finally {
        machine.stopAtEvent(undefined);
      }
    });
    return Promise.resolve();
  }

  // The ways back

  previousRingEvent(device?: string): Promise<void> {
    return this.goBack((past) => past.previousEvent(ringEventsOf(device)));
  }
  stepBack(hart: number, granularity: target.StepGranularity): Promise<void> {
    return this.goBack((past) => (granularity === 'line' ? past.lineBack(hart) : past.instructionBack(hart)), hart);
  }
  reverseContinue(): Promise<void> {
    return this.goBack((past) => past.reverseContinue());
  }
  goToEvent(index: number): Promise<void> {
    return this.goBack((past) => past.toEvent(index));
  }
  goToLiveEnd(): Promise<void> {
    return this.goBack((past) => past.toLiveEnd());
  }

  // Breakpoints

  setSourceBreakpoints(
    file: string,
    breakpoints: readonly target.SourceBreakpoint[],
  ): Promise<readonly target.BreakpointBinding[]> {
    return this.placing(() => this.breakpoints.setSource(this.require().symbols, file, breakpoints));
  }
  setInstructionBreakpoints(
    breakpoints: readonly target.InstructionBreakpoint[],
  ): Promise<readonly target.BreakpointBinding[]> {
    return this.placing(() => this.breakpoints.setInstruction(breakpoints));
  }
  setFunctionBreakpoints(
    breakpoints: readonly target.FunctionBreakpoint[],
  ): Promise<readonly target.BreakpointBinding[]> {
    return this.placing(() => this.breakpoints.setFunction(this.require().symbols, breakpoints));
  }
  setDataBreakpoints(breakpoints: readonly target.DataBreakpoint[]): Promise<readonly target.BreakpointBinding[]> {
    this.dataBreakpoints.set(breakpoints);
    return this.placing(() => this.dataBreakpoints.place(this.require().machine));
  }

  // Rules

  ruleFamilies(): Promise<readonly target.RuleFamily[]> {
    return Promise.resolve(
      familyNames.map((id) => ({ id, title: families[id].title, description: families[id].meaning })),
    );
  }
  policy(): Promise<readonly target.PolicyEntry[]> {
    return Promise.resolve(this.rules.entries);
  }
  setPolicy(origin: target.PolicyOrigin, entries: readonly target.PolicyEntry[]): Promise<void> {
    this.rules.replace(origin, entries);
    this.emit({ kind: 'policy-changed' });
    return Promise.resolve();
  }
  violations(): Promise<readonly target.ViolationReport[]> {
    return Promise.resolve(this.allViolations());
  }
  allViolations(): readonly target.ViolationReport[] {
    return this.loaded?.machine.monitor.violations.map((violation) => this.report(violation)) ?? [];
  }
  consoleInput(channel: string, bytes: Uint8Array): Promise<void> {
    this.pending.push({ channel, bytes });
    if (this.running) this.pacer.wake();
    return Promise.resolve();
  }

  // Running

  private build({ machine: configuration, networks }: LoadedMachine, revertible: boolean): Machine {
    this.captured.clear();
    const machine: Machine = new Machine(
      configuration,
      {
        output: (channel, bytes) => {
          if (!networks.output(channel, bytes, machine.clock.now())) this.emit({ kind: 'console', channel, bytes });
          // Answers land right behind what they answer; and no time is skipped while the host works for the guest.
          else if (networks.hasInput || networks.isBusy) machine.requestStop();
        },
        violation: (violation) => this.noteViolation(violation),
      },
      {
        policy: this.rules,
        revertible,
        condition: (expression, violation) => this.holds(expression, violation),
        ...(this.options.stopWord !== undefined && { stopWord: this.options.stopWord }),
      },
    );
    return machine;
  }

  private remember(machine: Machine, symbols: GuestSymbols, budgetBytes: number): TimeTravel | undefined {
    if (budgetBytes === 0) return undefined;
    return new TimeTravel(
      machine,
      symbols,
      budgetBytes,
      (exit) => this.countsBackwards(exit),
      () => this.breathe(),
    );
  }

  private begin(): void {
    const { machine } = this.require();
    this.finished = false;
    this.noted.clear();
    this.frames = undefined;
    machine.setBreakpoints(this.breakpoints.addresses());
    this.dataBreakpoints.place(machine);
    this.pacer.begin(machine.clock.now());
  }

  private start(body: () => Promise<void>): void {
    if (this.running) throw new Error('The guest is running already: pause it first.');
    if (this.finished) throw new Error('The guest has ended: restart it.');
    this.running = true;
    this.pauseRequested = false;
    this.frames = undefined;
    if (this.options.stopWord !== undefined) Atomics.store(this.options.stopWord, 0, 0);
    this.emit({ kind: 'continued' });
    this.pacer.begin(this.require().machine.clock.now());
    this.atRest = body()
      .catch((error: unknown) => {
        this.running = false;
        this.emit({ kind: 'crashed', text: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      })
      .finally(() => {
        this.running = false;
      });
  }

  private async runLoop(machine: Machine): Promise<void> {
    const { configuration, past, files } = this.require();
    const { networks } = files;
    let wasBusy = false;
    for (;;) {
      this.applyInput(machine);
      const began = performance.now();
      const untilStep = machine.steps + this.sliceSteps;
      // The past is not waited for again.
      const live = machine.isLive();
      const paced = live && configuration.clock === 'paced';
      // While the host works for the guest, time passes as on the host.
      const busy = live && networks.isBusy;
      if (busy && !wasBusy && !paced) this.pacer.begin(machine.clock.now());
      wasBusy = busy;
      const exit = (past ?? machine).run({ untilStep, skipIdle: !paced && !busy });
      this.adapt(performance.now() - began);
      if (past !== undefined) past.pace = this.sliceSteps;
      if (exit.kind === 'idle') {
        if (!this.wantsPause() && !(live && networks.hasInput)) await this.idle(machine, exit.dueNanoseconds);
      } else if (exit.kind !== 'limit' && this.handle(exit)) return;
      if (this.wantsPause()) return void this.stop({ kind: 'pause' }, machine.cpu.turn);
      if (paced) await this.pacer.holdBack(machine.clock.now());
      else await this.breathe();
      if (this.wantsPause()) return void this.stop({ kind: 'pause' }, machine.cpu.turn);
    }
  }

  /** Set from outside while a slice runs or sleeps. */
  private wantsPause(): boolean {
    return this.pauseRequested;
  }

  /** Every hart waits. */
  private async idle(machine: Machine, dueNanoseconds: number | undefined): Promise<void> {
    if (dueNanoseconds === undefined) {
      // Only input can wake it, and somebody may type: wait for that or for a pause.
      await this.pacer.forever();
      return;
    }
    machine.skipIdleTime(await this.pacer.waitFor(machine.clock.now(), dueNanoseconds));
  }

  private adapt(milliseconds: number): void {
    if (milliseconds > 2 * sliceMilliseconds) this.sliceSteps = Math.max(10_000, this.sliceSteps >> 1);
    else if (milliseconds < sliceMilliseconds / 2) this.sliceSteps = Math.min(largestSliceSteps, this.sliceSteps << 1);
  }

  private applyInput(machine: Machine): void {
    // What the host sends was not there in the past.
    const arrived = machine.isLive() ? this.require().files.networks.take() : [];
    const pending = [...this.pending, ...arrived];
    this.pending = [];
    const forks = pending.map(({ channel, bytes }) => machine.input(channel, bytes));
    if (forks.includes(true)) this.noteFork();
  }

  private goBack(way: (past: TimeTravel) => Arrival | Promise<Arrival>, hart?: number): Promise<void> {
    const { past, machine } = this.require();
    if (past === undefined) throw new Error('This session keeps no history: set "history" to a size such as "256M".');
    this.start(async () => {
      const arrival = await way(past);
      const at = hart ?? machine.cpu.turn;
      switch (arrival.kind) {
        case 'there':
          return void this.stop({ kind: 'step' }, at);
        case 'paused':
          return void this.stop({ kind: 'pause' }, at);
        case 'beginning': {
          const description = `There is nothing before step ${past.earliest.step}: the history begins here.`;
          return void this.stop({ kind: 'beginning', description }, at);
        }
        case 'stop':
          this.frames = undefined;
          if (arrival.exit.kind === 'breakpoint') {
            const { hart: stopped, pc } = arrival.exit;
            const ids = this.breakpoints.standing(pc, this.evaluator(stopped));
            return void this.stop({ kind: 'breakpoint', ids }, stopped);
          }
          if (arrival.exit.kind !== 'limit') this.handle(arrival.exit);
      }
    });
    return Promise.resolve();
  }

  /** Whether a run backwards ends at what stops a run forward. */
  private countsBackwards(exit: MachineExit): boolean {
    if (exit.kind === 'breakpoint') return this.breakpoints.standing(exit.pc, this.evaluator(exit.hart)).length > 0;
    return exit.kind === 'watchpoint' || exit.kind === 'violation' || exit.kind === 'lost';
  }

  /** The run went another way than before: what was found behind is no more, and the outside knows nothing of the new way. */
  protected noteFork(): void {
    const { machine, files } = this.require();
    const violations = machine.monitor.violations.map(({ number }) => number);
    for (const number of [...this.captured.keys()]) if (!violations.includes(number)) this.captured.delete(number);
    const cut = files.networks.cut() ? ', and network connections to the host are cut' : '';
    const text = `From step ${machine.steps} the run goes another way: what came behind is forgotten, disks no longer write to their files${cut}.`;
    this.emit({ kind: 'message', severity: 'info', text });
    this.emit({ kind: 'forked', step: machine.steps, violations });
  }

  /** Lets messages in. */
  private breathe(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  private async halt(): Promise<void> {
    await this.pause();
  }

  /** What an exit of the machine means for the user; false when the guest just goes on. */
  private handle(exit: Exclude<MachineExit, { kind: 'limit' }>): boolean {
    const { machine, symbols } = this.require();
    const hart = machine.cpu.turn;
    switch (exit.kind) {
      case 'breakpoint': {
        const arrival = this.breakpoints.arrive(exit.pc, this.evaluator(exit.hart));
        this.frames = undefined;
        if (arrival.kind === 'stop') return this.stop({ kind: 'breakpoint', ids: arrival.ids }, exit.hart);
        for (const text of arrival.log) this.emit({ kind: 'message', severity: 'info', text });
        machine.passStop();
        return false;
      }
      case 'watchpoint': {
        const { physicalAddress, size } = exit.access;
        const hit = this.dataBreakpoints.find(machine, physicalAddress, size);
        const verb = exit.access.kind === 'load' ? 'read' : `wrote 0x${exit.access.value.toString(16)} to`;
        return this.stop(
          {
            kind: 'data-breakpoint',
            id: hit?.id ?? '',
            description: `${symbols.nameOf(exit.access.pc)} ${verb} 0x${exit.access.virtualAddress.toString(16)}`,
          },
          exit.access.hart,
        );
      }
      case 'violation':
        return this.stop({ kind: 'violation', violation: this.report(exit.violation) }, exit.violation.hart);
      case 'event':
        return this.stop({ kind: 'ring-event', description: describeEvent(exit.event) }, hart);
      case 'lost':
        return this.stop({ kind: 'trap', description: describeLost(exit, symbols) }, exit.hart);
      case 'finished': {
        const { outcome } = exit;
        this.finished = true;
        this.noteUnmet();
        this.emit({ kind: 'finished', outcome: outcome.kind, code: outcome.kind === 'fail' ? outcome.code : 0 });
        return true;
      }
      case 'idle':
        return exit.dueNanoseconds === undefined
          ? this.stop(
              {
                kind: 'stuck',
                description: 'Every hart waits in wfi and nothing is due: only console input could wake the guest.',
              },
              hart,
            )
          : (machine.skipIdleTime(exit.dueNanoseconds), false);
      case 'paused':
        if (this.options.stopWord !== undefined) Atomics.store(this.options.stopWord, 0, 0);
        return false;
    }
  }

  private stop(reason: target.StopReason, hart: number): true {
    if (reason.kind === 'pause' || reason.kind === 'stuck' || reason.kind === 'trap') this.noteUnmet();
    this.running = false;
    this.frames = undefined;
    const { machine } = this.require();
    this.emit({ kind: 'stopped', reason, hart, step: machine.steps, inPast: !machine.isLive() });
    return true;
  }

  /** Once, where a guest ends or is looked at because it does nothing. */
  private noteUnmet(): void {
    const texts = unmetDevices(this.require().machine).filter((text) => !this.noted.has(text));
    for (const text of texts) {
      this.noted.add(text);
      this.emit({ kind: 'message', severity: 'warning', text });
    }
  }

  private noteViolation(violation: Violation): void {
    const { loaded } = this;
    if (loaded === undefined) return;
    if (!this.captured.has(violation.number)) {
      this.captured.set(
        violation.number,
        captureViolation(loaded.machine, loaded.symbols, loaded.accessors, violation),
      );
    }
    this.emit({ kind: 'violation', violation: this.report(violation) });
  }

  private report(violation: Violation): target.ViolationReport {
    const { symbols, machine, accessors } = this.require();
    let captured = this.captured.get(violation.number);
    if (captured === undefined) {
      captured = captureViolation(machine, symbols, accessors, violation);
      this.captured.set(violation.number, captured);
    }
    return reportViolation(violation, captured);
  }

  /** A condition that cannot be evaluated holds, so that nothing is missed in silence. */
  private holds(expression: string, violation: Violation): boolean {
    const result = evaluateCondition(expression, violationFields(this.report(violation)));
    if (result.ok) return result.value;
    this.emit({ kind: 'message', severity: 'warning', text: `condition "${expression}": ${result.message}` });
    return true;
  }

  private evaluator(hart: number): Evaluate {
    const inspector = new FrameInspector(this.require().machine, this.require().symbols);
    return (expression) => inspector.test(hart, expression);
  }

  private code(low: bigint, high: bigint): readonly string[] | undefined {
    const { machine } = this.require();
    return disassembleRange(machine, machine.cpu.turn, low, high);
  }

  private async placing<Result>(change: () => Result): Promise<Result> {
    return this.changing(() => {
      const result = change();
      this.require().machine.setBreakpoints(this.breakpoints.addresses());
      return result;
    });
  }

  protected require(): LoadedGuest {
    if (this.loaded === undefined) throw new Error('No guest is loaded: launch first.');
    return this.loaded;
  }
  private emit(event: target.TargetEvent): void {
    for (const listener of this.listeners) listener(event);
  }
}

function ringEventsOf(device: string | undefined): (event: VirtioEvent) => boolean {
  return (event) => isRingEvent(event) && (device === undefined || event.device === device);
}

function sourceFolders(configuration: LaunchConfiguration): readonly string[] {
  const { sourceFolder, symbols } = configuration;
  return [...(sourceFolder === undefined ? [] : [sourceFolder]), ...symbols.map((file) => path.dirname(file))];
}
