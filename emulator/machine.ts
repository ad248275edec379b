// Composition root: a configuration goes in, a machine comes out. It joins processor, bus, board, virtio and rules, and decides when
// who acts; it holds no behaviour of any of them. [design: the machine, exactly what happens]
// Guarantees: what a guest computes depends only on configuration, seed and the recorded inputs, never on how often `run` returns.
import type { Accessor, AccessSize, MmioRegion, WatchedAccess } from './bus/access';
import { AddressMap } from './bus/address-map';
import { Ram } from './bus/ram';
import type { GuestMemory } from './bus/memory';
import { createBoard } from './board/board';
import type { Board, FinishOutcome } from './board/contract';
import { ramBase, virtioSlot, virtioSlots } from './board/memory-map';
import { Clock } from './clock';
import type { MachineConfiguration } from './configuration';
import { createCpu } from './cpu';
import {
  type Cpu,
  type CpuEnvironment,
  type CpuOptions,
  pageFlag,
  type RunExit,
  type TrapReport,
} from './cpu/contract';
import type { VirtioEvent } from './record/events';
import { hashState } from './record/state-hash';
import { poisonByte } from './virtio/mood';
import { createVirtio, devicesAt, type Virtio } from './virtio/virtio';
import type { Violation } from './virtio/violation';
import { createMonitor, type Monitor } from './virtio/watch/monitor';
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
  /** How the processor gets its speed; executions are the same whatever is chosen. */
  readonly processor?: Pick<CpuOptions, 'compiler' | 'compileThreshold'>;
}

/** An input and where it was applied. With configuration and seed, the inputs determine the whole run. */
export interface RecordedInput {
  readonly step: number;
  readonly virtualNanoseconds: number;
  readonly channel: string;
  readonly bytes: Uint8Array;
}

export class Machine {
  readonly cpu: Cpu;
  readonly clock: Clock;
  readonly memory: GuestMemory;
  readonly board: Board;
  readonly virtio: Virtio;
  readonly monitor: Monitor;
  readonly inputs: RecordedInput[] = [];
  private readonly map: AddressMap;
  private finished: FinishOutcome | undefined;
  private stopViolation: Violation | undefined;
  private stopEvent: VirtioEvent | undefined;
  private stopWatchpoint: WatchedAccess | undefined;
  private eventFilter: ((event: VirtioEvent) => boolean) | undefined;
  private watchpoints: readonly Watchpoint[] = [];
  /** Watch flags that virtio asked for, by page number. */
  private readonly virtioWatch = new Map<number, number>();
  /** The access that the user let pass after a stop in front of it. */
  private passing: { hart: number; pc: bigint; step: number } | undefined;
  private idleReported = false;
  private stopRequested = false;
  private breakpoints: ReadonlySet<bigint> = new Set();
  private temporaryBreakpoint: bigint | undefined;

  constructor(
    readonly configuration: MachineConfiguration,
    private readonly listener: MachineListener = {},
    options: MachineOptions = {},
  ) {
    const { harts, memoryBytes } = configuration;
    this.cpu = createCpu(
      {
        harts,
        ramBase,
        ramBytes: memoryBytes,
        ...(options.stopWord !== undefined && { stopWord: options.stopWord }),
        ...options.processor,
      },
      this.environment(),
    );
    if (configuration.devices.some(({ mood }) => mood?.includes('poisonedMemory') === true)) {
      this.cpu.ram.fill(poisonByte);
    }
    this.memory = new Ram(this.cpu);
    this.clock = new Clock(
      () => this.cpu.steps,
      harts,
      (step) => this.cpu.limitTo(step),
    );
    this.monitor = createMonitor({
      now: () => ({ step: this.cpu.steps, virtualNanoseconds: this.clock.now() }),
      memory: this.memory,
      harts: this.cpu,
      ...(options.policy !== undefined && { policy: options.policy }),
      ...(options.condition !== undefined && { condition: options.condition }),
      wakeAfter: (nanoseconds) => this.clock.schedule(monitorOwner, nanoseconds, 0),
      onEvent: (event) => this.noteEvent(event),
      onViolation: (violation, stop) => this.noteViolation(violation, stop),
    });
    this.board = createBoard(
      {
        clock: this.clock,
        harts,
        setInterrupt: (hart, name, level) => this.cpu.setInterrupt(hart, name, level),
        output: (channel, bytes) => this.listener.output?.(channel, bytes),
        finish: (outcome) => {
          this.finished ??= outcome;
          this.cpu.requestStop();
        },
        wallClockAtResetNanoseconds: configuration.wallClockAtResetNanoseconds,
      },
      configuration,
      this.cpu,
      this.memory,
    );
    this.virtio = createVirtio(configuration.devices, {
      memory: this.memory,
      clock: this.clock,
      sink: this.monitor,
      slots: Array.from({ length: virtioSlots.count }, (_, slot) => ({
        base: virtioSlot(slot).base,
        interrupt: this.board.line(virtioSlot(slot).interrupt),
      })),
      pci: this.board.pci,
      seed: configuration.seed,
      output: (channel, bytes) => this.listener.output?.(channel, bytes),
      setWatch: (page, flags) => this.watchForVirtio(page, flags),
    });
    this.monitor.attach(this.virtio);
    this.clock.handle(monitorOwner, () => this.monitor.wake());
    this.board.observeInterrupts({
      claimed: (context, source) => this.noteInterrupt('interrupt-claim', context, source),
      completed: (context, source) => this.noteInterrupt('interrupt-complete', context, source),
    });
    this.map = new AddressMap([...this.board.regions, ...this.virtio.regions]);
    this.board.reset();
  }

  /** Instructions attempted since reset, summed over harts. */
  get steps(): number {
    return this.cpu.steps;
  }

  /** Runs guest and devices. Comes back at a step boundary. */
  run(options: RunOptions): MachineExit {
    for (;;) {
      const ended = this.pendingExit();
      if (ended !== undefined) return ended;
      if (this.runDue()) continue;
      if (this.cpu.steps >= options.untilStep) return { kind: 'limit' };
      const exit = this.cpu.run(Math.min(options.untilStep, this.clock.nextStep() ?? Number.MAX_SAFE_INTEGER));
      const translated = this.translateExit(exit, options);
      if (translated !== undefined) return translated;
    }
  }

  /** Makes `run` come back `paused` at the next step boundary. For listeners, whether a hart or a device is at work when they hear. */
  requestStop(): void {
    this.stopRequested = true;
    this.cpu.requestStop();
  }

  /** Executes one instruction of `hart` (and, so that the order stays the machine's own, of the harts before it). */
  stepHart(hart: number): MachineExit {
    for (;;) {
      const turn = this.cpu.turn;
      this.cpu.passBreakpointOnce();
      const exit = this.run({ untilStep: this.cpu.steps + 1, skipIdle: false });
      if (exit.kind !== 'limit' || turn === hart || this.cpu.hartState(hart) !== 'running') return exit;
    }
  }

  /** Lets the instruction that was stopped at (a breakpoint, a violation in front of its effect) execute once. */
  passStop(): void {
    this.cpu.passBreakpointOnce();
    const hart = this.cpu.turn;
    this.passing = { hart, pc: this.cpu.readPc(hart), step: this.cpu.steps };
  }

  /** Every hart waits: moves virtual time on by at most `nanoseconds`, no further than to what is due. */
  skipIdleTime(nanoseconds: number): void {
    this.clock.skip(nanoseconds);
  }

  /** `run` returns once an event matches; undefined: never. */
  stopAtEvent(filter: ((event: VirtioEvent) => boolean) | undefined): void {
    this.eventFilter = filter;
  }

  /** Bytes from the outside. Call it only while `run` is not active: inputs land on step boundaries. */
  input(channel: string, bytes: Uint8Array): void {
    this.inputs.push({ step: this.cpu.steps, virtualNanoseconds: this.clock.now(), channel, bytes });
    if (channel === 'uart0') this.board.input(bytes);
    else this.virtio.input(channel, bytes);
  }

  setBreakpoints(pcs: readonly bigint[]): void {
    this.breakpoints = new Set(pcs);
    this.applyBreakpoints();
  }
  /** One more breakpoint that `isBreakpoint` does not know: for a step that runs to a return address. */
  setTemporaryBreakpoint(pc: bigint | undefined): void {
    this.temporaryBreakpoint = pc;
    this.applyBreakpoints();
  }
  isBreakpoint(pc: bigint): boolean {
    return this.breakpoints.has(pc);
  }

  setWatchpoints(watchpoints: readonly Watchpoint[]): void {
    const before = this.watchedPages();
    this.watchpoints = watchpoints;
    for (const page of new Set([...before, ...this.watchedPages()])) this.applyWatch(page);
  }

  /** What a load would give, without any effect; undefined where nothing answers. Guest-physical address. */
  peek(physicalAddress: number, size: AccessSize): bigint | undefined {
    if (this.memory.contains(physicalAddress, size)) {
      return this.memory.read(physicalAddress, size).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    }
    const region = this.map.find(physicalAddress, size);
    return region?.peek(physicalAddress - region.base, size);
  }

  /** Equal hashes mean equal machines as far as a guest can tell: RAM, registers, devices, time. */
  stateHash(): string {
    return hashState(this.cpu.ram, [this.cpu.save(), this.clock.save(), this.board.save(), this.virtio.save()]);
  }

  private environment(): CpuEnvironment {
    return {
      load: (address, size, by) => {
        const region = this.map.find(address, size);
        if (region === undefined) return 'fault';
        if (this.asks(region, address, size, 'read', 0n, by) === 'stop') return 'stop';
        return region.read(address - region.base, size, by) ?? 'fault';
      },
      store: (address, size, value, by) => {
        const region = this.map.find(address, size);
        if (region === undefined) return 'fault';
        if (this.asks(region, address, size, 'write', value, by) === 'stop') return 'stop';
        return region.write(address - region.base, size, value, by) ? 'done' : 'fault';
      },
      beforeWatched: (access) => (this.passes(access) ? 'proceed' : this.virtio.beforeWatched(access)),
      afterWatched: (access) => {
        this.virtio.afterWatched(access);
        if (this.hitsWatchpoint(access)) {
          this.stopWatchpoint = access;
          this.cpu.requestStop();
        }
      },
      fetch: (address) => this.board.fetch(address),
      time: () => this.board.time(),
      supervisorTimer: (hart, compare) => this.board.setSupervisorTimer(hart, compare),
      environmentCall: (hart) => this.board.environmentCall(hart),
      trap: (report: TrapReport) => this.onTrap?.(report),
      traced: (instruction) => this.monitor.traced(instruction, !this.passes(instruction)),
    };
  }

  /** Set by the debugger when trap breakpoints are on. */
  onTrap: ((report: TrapReport) => void) | undefined;

  private asks(
    region: MmioRegion,
    address: number,
    size: AccessSize,
    kind: 'read' | 'write',
    value: bigint,
    by: Accessor,
  ): 'proceed' | 'stop' {
    if (region.attempt === undefined || this.passes(by)) return 'proceed';
    return region.attempt(address - region.base, size, kind, value, by);
  }

  /** Whether the user already saw this very access and went on. */
  private passes(by: Pick<Accessor, 'hart' | 'pc' | 'step'>): boolean {
    return (
      this.passing !== undefined &&
      this.passing.step === by.step &&
      this.passing.hart === by.hart &&
      this.passing.pc === by.pc
    );
  }

  private pendingExit(): MachineExit | undefined {
    if (this.stopViolation !== undefined) {
      const violation = this.stopViolation;
      this.stopViolation = undefined;
      return { kind: 'violation', violation };
    }
    if (this.finished !== undefined) return { kind: 'finished', outcome: this.finished };
    if (this.stopWatchpoint !== undefined) {
      const access = this.stopWatchpoint;
      this.stopWatchpoint = undefined;
      return { kind: 'watchpoint', access };
    }
    if (this.stopEvent !== undefined) {
      const event = this.stopEvent;
      this.stopEvent = undefined;
      return { kind: 'event', event };
    }
    if (this.stopRequested) {
      this.stopRequested = false;
      return { kind: 'paused' };
    }
    return undefined;
  }

  /** Runs one thing that is due, so that a stop between any two is possible. */
  private runDue(): boolean {
    return this.clock.runOneDue();
  }

  private translateExit(exit: RunExit, options: RunOptions): MachineExit | undefined {
    if (exit.kind !== 'idle') this.idleReported = false;
    switch (exit.kind) {
      case 'limit':
        return undefined;
      case 'refused':
        return this.pendingExit() ?? { kind: 'paused' };
      case 'stop':
        return this.pendingExit() ?? { kind: 'paused' };
      case 'breakpoint':
      case 'lost':
        return this.pendingExit() ?? exit;
      case 'idle': {
        if (!this.idleReported) {
          this.idleReported = true;
          this.monitor.record({ kind: 'idle', by: 'board', device: undefined, harts: this.cpu.harts });
        }
        const ended = this.pendingExit();
        if (ended !== undefined) return ended;
        if (options.skipIdle && this.clock.skip(Number.MAX_SAFE_INTEGER)) return undefined;
        return { kind: 'idle', dueNanoseconds: this.clock.untilNext() };
      }
    }
  }

  private noteEvent(event: VirtioEvent): void {
    this.listener.event?.(event);
    if (this.eventFilter?.(event) === true) {
      this.stopEvent = event;
      this.cpu.requestStop();
    }
  }

  private noteViolation(violation: Violation, stop: boolean): void {
    this.listener.violation?.(violation);
    if (!stop || this.stopViolation !== undefined) return;
    this.stopViolation = violation;
    this.cpu.requestStop();
  }

  private noteInterrupt(kind: 'interrupt-claim' | 'interrupt-complete', context: number, source: number): void {
    const hart = context >> 1;
    for (const { name: device } of devicesAt(this.virtio.devices, source)) {
      this.monitor.record({ kind, by: 'board', device, source, context, hart, pc: this.cpu.readPc(hart) });
    }
  }

  private applyBreakpoints(): void {
    const temporary = this.temporaryBreakpoint === undefined ? [] : [this.temporaryBreakpoint];
    this.cpu.setBreakpoints([...this.breakpoints, ...temporary]);
  }

  private watchForVirtio(page: number, flags: number): void {
    if (flags === 0) this.virtioWatch.delete(page);
    else this.virtioWatch.set(page, flags);
    this.applyWatch(page);
  }

  private applyWatch(page: number): void {
    let flags = this.virtioWatch.get(page) ?? 0;
    const start = this.cpu.ramBase + page * pageBytes;
    for (const point of this.watchpoints) {
      if (point.address >= start + pageBytes || point.address + point.lengthBytes <= start) continue;
      if (point.load) flags |= pageFlag.watchLoad;
      if (point.store) flags |= pageFlag.watchStore;
    }
    this.cpu.watch(page, flags);
  }

  private watchedPages(): readonly number[] {
    return this.watchpoints.flatMap(({ address, lengthBytes }) => {
      const first = Math.floor((address - this.cpu.ramBase) / pageBytes);
      const last = Math.floor((address + lengthBytes - 1 - this.cpu.ramBase) / pageBytes);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
  }

  private hitsWatchpoint(access: WatchedAccess): boolean {
    return this.watchpoints.some(
      ({ address, lengthBytes, load, store }) =>
        access.physicalAddress < address + lengthBytes &&
        address < access.physicalAddress + access.size &&
        ((load && access.loads) || (store && access.kind !== 'load')),
    );
  }
}

const pageBytes = 4096;
/** Whose entries in the clock are the rules' own; a guest cannot see them. */
const monitorOwner = 'monitor';
