// One debugging session in this thread: a machine, its symbols, and what the user wants of them. The worker serves it over messages; the
// command line and the protocol tests use it directly.
import * as path from 'node:path';
import { Machine, type MachineExit } from '../../emulator/machine';
import { describeEvent, isRingEvent } from '../../emulator/record/describe';
import { catalogue, families, familyNames } from '../../emulator/virtio/rules';
import { RulePolicy } from '../../emulator/virtio/watch/policy';
import type { Violation } from '../../emulator/virtio/violation';
import { evaluateCondition } from '../debug/condition';
import type { LaunchConfiguration } from '../debug/launch-configuration';
import type * as target from '../debug/target';
import { violationFields } from '../debug/violation-text';
import { Accessors } from './accessors';
import { BreakpointTable, type Evaluate } from './breakpoints';
import { FrameInspector } from './frame-inspector';
import { GuestSymbols } from './guest-symbols';
import { loadMachine, type LoadedMachine } from './load-machine';
import { launchPolicy } from './launch-policy';
import { describeLost } from './lost-guest';
import { readPhysical, readVirtual, writeVirtual } from './hart-registers';
import { disassembleAround, disassembleRange } from './disassembly';
import { Pacer } from './pacer';
import { SourcePaths } from './source-paths';
import { Step } from './stepping';
import { captureViolation, type CapturedViolation, reportViolation } from './violation-report';

/** Steps between two looks at messages: a few milliseconds of work. Adapts to the machine's speed. */
const sliceMilliseconds = 5;
const firstSliceSteps = 200_000;
const largestSliceSteps = 5_000_000;

export interface SessionOptions {
  /** A word that another thread sets to make a running machine come back at once. */
  readonly stopWord?: Int32Array;
}

interface Loaded {
  readonly configuration: LaunchConfiguration;
  readonly files: LoadedMachine;
  readonly symbols: GuestSymbols;
  readonly accessors: Accessors;
  machine: Machine;
}

export class Session implements target.DebugTarget {
  private loaded: Loaded | undefined;
  private readonly listeners: ((event: target.TargetEvent) => void)[] = [];
  private readonly breakpoints = new BreakpointTable();
  private dataBreakpoints: readonly target.DataBreakpoint[] = [];
  private readonly captured = new Map<number, CapturedViolation>();
  /** Outlives restarts, as breakpoints do. */
  private readonly rules = new RulePolicy(catalogue);
  private frames: FrameInspector | undefined;
  private readonly pacer = new Pacer();
  private running = false;
  private pauseRequested = false;
  /** Resolves when the run loop has come to rest. */
  private atRest: Promise<void> = Promise.resolve();
  private sliceSteps = firstSliceSteps;
  private pending: { channel: string; bytes: Uint8Array }[] = [];
  private finished = false;

  constructor(private readonly options: SessionOptions = {}) {}

  /** The machine, for inspection between slices; undefined before launch. */
  get machine(): Machine | undefined {
    return this.loaded?.machine;
  }
  get symbols(): GuestSymbols | undefined {
    return this.loaded?.symbols;
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
    this.loaded = { configuration, files, symbols, accessors, machine: this.build(files) };
    this.begin();
    const { machine } = this.loaded;
    for (const text of symbols.problems) this.emit({ kind: 'message', severity: 'warning', text });
    const result: target.LaunchResult = {
      harts: configuration.harts,
      notes: files.notes,
      hasDebugInformation: symbols.hasLines,
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
      machine.stopAtEvent((event) => isRingEvent(event) && (device === undefined || event.device === device));
      try {
        await this.runLoop(machine);
      } finally {
        machine.stopAtEvent(undefined);
      }
    });
    return Promise.resolve();
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
    this.dataBreakpoints = breakpoints;
    return this.placing(() => this.placeDataBreakpoints());
  }
  breakpointLines(file: string, firstLine: number, lastLine: number): Promise<readonly number[]> {
    const lines = this.require().symbols.linesIn(file);
    return Promise.resolve(lines.filter((line) => line >= firstLine && line <= lastLine));
  }
  addressesOf(file: string, line: number): Promise<readonly bigint[]> {
    return Promise.resolve(
      this.require()
        .symbols.addressesOf(file, line)
        .map((one) => one.address),
    );
  }

  // Looking

  harts(): ReturnType<target.DebugTarget['harts']> {
    const { cpu } = this.require().machine;
    return Promise.resolve(
      Array.from({ length: cpu.harts }, (_, hart) => ({
        hart,
        state: cpu.hartState(hart),
        pc: cpu.readPc(hart),
        mode: cpu.mode(hart),
      })),
    );
  }
  backtrace(hart: number, limit: number): Promise<readonly target.StackFrame[]> {
    return Promise.resolve(this.inspector().backtrace(hart, limit));
  }
  registers(hart: number, frame: number): Promise<readonly target.RegisterGroup[]> {
    return Promise.resolve(this.inspector().registers(hart, frame));
  }
  async writeRegister(hart: number, name: string, value: bigint): Promise<void> {
    await this.changing(() => this.inspector().writeRegister(hart, name, value));
  }
  scopes(hart: number, frame: number): Promise<readonly target.VariableScope[]> {
    return Promise.resolve(this.inspector().scopes(hart, frame));
  }
  variables(children: number, start?: number, count?: number): Promise<readonly target.Variable[]> {
    return Promise.resolve(this.inspector().variables(children, start, count));
  }
  async evaluate(hart: number, frame: number, expression: string): Promise<target.Variable> {
    return Promise.resolve(this.inspector().evaluate(hart, frame, expression));
  }
  assign(hart: number, frame: number, expression: string, value: string): Promise<target.Variable> {
    return this.changing(() => this.inspector().assign(hart, frame, expression, value));
  }
  readMemory(address: bigint, length: number, space: 'virtual' | 'physical', hart: number): Promise<Uint8Array> {
    const { machine } = this.require();
    const bytes =
      space === 'virtual'
        ? readVirtual(machine, hart, address, length)
        : readPhysical(machine, Number(address), length);
    return Promise.resolve(bytes);
  }
  writeMemory(address: bigint, bytes: Uint8Array, space: 'virtual' | 'physical', hart: number): Promise<number> {
    return this.changing(() => {
      const { machine } = this.require();
      if (space === 'virtual') return writeVirtual(machine, hart, address, bytes);
      if (!machine.memory.contains(Number(address), bytes.length)) return 0;
      machine.memory.write(Number(address), bytes);
      return bytes.length;
    });
  }
  disassemble(
    address: bigint,
    instructionOffset: number,
    count: number,
    hart: number,
  ): Promise<readonly target.DisassembledInstruction[]> {
    const { machine, symbols } = this.require();
    return Promise.resolve(disassembleAround(machine, symbols, hart, address, instructionOffset, count));
  }
  async setPc(hart: number, pc: bigint): Promise<void> {
    await this.changing(() => this.require().machine.cpu.writePc(hart, pc));
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

  private build({ machine: configuration, networks }: LoadedMachine): Machine {
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
        condition: (expression, violation) => this.holds(expression, violation),
        ...(this.options.stopWord !== undefined && { stopWord: this.options.stopWord }),
      },
    );
    return machine;
  }

  private begin(): void {
    const { machine } = this.require();
    this.finished = false;
    this.frames = undefined;
    machine.setBreakpoints(this.breakpoints.addresses());
    this.placeDataBreakpoints();
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
    const paced = this.require().configuration.clock === 'paced';
    const { networks } = this.require().files;
    let wasBusy = false;
    for (;;) {
      this.applyInput(machine);
      const began = performance.now();
      const limit = machine.steps + this.sliceSteps;
      // While the host works for the guest, time passes as on the host.
      const busy = networks.isBusy;
      if (busy && !wasBusy && !paced) this.pacer.begin(machine.clock.now());
      wasBusy = busy;
      const exit = machine.run({ untilStep: limit, skipIdle: !paced && !busy });
      this.adapt(performance.now() - began);
      if (exit.kind === 'idle') {
        if (!this.wantsPause() && !networks.hasInput) await this.idle(machine, exit.dueNanoseconds);
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
    const pending = [...this.pending, ...this.require().files.networks.take()];
    this.pending = [];
    for (const { channel, bytes } of pending) machine.input(channel, bytes);
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
        const hit = this.dataBreakpoints.find((one) => this.covers(one, physicalAddress, size));
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
    this.running = false;
    this.frames = undefined;
    this.emit({ kind: 'stopped', reason, hart, step: this.require().machine.steps });
    return true;
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

  private placeDataBreakpoints(): readonly target.BreakpointBinding[] {
    const { machine } = this.require();
    const places = this.dataBreakpoints.map((one) => ({ one, physical: this.physicalOf(one) ?? -1 }));
    const usable = places.filter(({ one, physical }) => machine.memory.contains(physical, one.lengthBytes));
    machine.setWatchpoints(
      usable.map(({ one, physical }) => ({
        address: physical,
        lengthBytes: one.lengthBytes,
        load: one.access !== 'write',
        store: one.access !== 'read',
      })),
    );
    return places.map(({ one, physical }, index) => {
      const verified = machine.memory.contains(physical, one.lengthBytes);
      return {
        id: index,
        verified,
        ...(!verified && { message: `0x${one.address.toString(16)} is not in RAM now.` }),
        addresses: [one.address],
      };
    });
  }
  private physicalOf({ address, space }: target.DataBreakpoint): number | undefined {
    return space === 'physical' ? Number(address) : this.require().machine.cpu.translate(0, address);
  }
  private covers(one: target.DataBreakpoint, physicalAddress: number, size: number): boolean {
    const physical = this.physicalOf(one);
    return physical !== undefined && physical < physicalAddress + size && physicalAddress < physical + one.lengthBytes;
  }

  private evaluator(hart: number): Evaluate {
    const inspector = new FrameInspector(this.require().machine, this.require().symbols);
    return (expression) => inspector.test(hart, expression);
  }

  private inspector(): FrameInspector {
    const { machine, symbols } = this.require();
    this.frames ??= new FrameInspector(machine, symbols);
    return this.frames;
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

  /** Changes something of the machine; while it runs, between two slices. */
  private changing<Result>(change: () => Result): Promise<Result> {
    try {
      const result = change();
      this.frames?.refresh();
      return Promise.resolve(result);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private require(): Loaded {
    if (this.loaded === undefined) throw new Error('No guest is loaded: launch first.');
    return this.loaded;
  }
  private emit(event: target.TargetEvent): void {
    for (const listener of this.listeners) listener(event);
  }
}

function sourceFolders(configuration: LaunchConfiguration): readonly string[] {
  const { sourceFolder, symbols } = configuration;
  return [...(sourceFolder === undefined ? [] : [sourceFolder]), ...symbols.map((file) => path.dirname(file))];
}
