// Composition root: a configuration goes in, a machine comes out. It joins processor, bus, board, virtio and rules, and decides when
// who acts; it holds no behaviour of any of them. [design: the machine, exactly what happens]
// Guarantees: what a guest computes depends only on configuration, seed and the recorded inputs, never on how often `run` returns.
import type { Accessor, AccessSize, MmioRegion, SavedState, WatchedAccess } from './bus/access';
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
  type InterruptFiles,
  pageFlag,
  type RunExit,
  type TrapReport,
} from './cpu/contract';
import type { VirtioEvent } from './record/events';
import { applyInput, type InputChange, InputLog } from './record/inputs';
import { isBefore, type Moment } from './record/moment';
import { RevertibleDisk } from './record/revertible-disk';
import { Snapshots } from './record/snapshots';
import { hashState } from './record/state-hash';
import { poisonByte } from './virtio/mood';
import { littleEndian } from './virtio/spec/wire-layout';
import { createVirtio, devicesAt, type Virtio } from './virtio/virtio';
import type { Violation } from './virtio/violation';
import type {
  MachineExit,
  MachineListener,
  MachineOptions,
  MachineState,
  RunOptions,
  Watchpoint,
} from './machine-contract';
import { createMonitor, type Monitor } from './virtio/watch/monitor';

export type { MachineExit, MachineListener, MachineOptions, RunOptions, Watchpoint } from './machine-contract';

export class Machine {
  readonly cpu: Cpu;
  readonly clock: Clock;
  readonly memory: GuestMemory;
  readonly board: Board;
  readonly virtio: Virtio;
  readonly monitor: Monitor;
  readonly inputs = new InputLog();
  readonly snapshots: Snapshots;
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
  /** The step of the wait that was told last: any instruction ends a wait. */
  private idleSince = -1;
  private stopRequested = false;
  private breakpoints: ReadonlySet<bigint> = new Set();
  private temporaryBreakpoints: readonly bigint[] = [];
  private readonly disks: readonly RevertibleDisk[];
  /** The latest moment the machine has been at, while it is before it: what happens until then has been told already. */
  private furthest: Moment | undefined;
  private restoring = false;

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
    this.snapshots = new Snapshots(this.cpu, this);
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
      wakeAfter: (nanoseconds) => this.clock.reschedule(monitorOwner, nanoseconds, 0),
      onEvent: (event) => this.noteEvent(event),
      onViolation: (violation, stop) => this.noteViolation(violation, stop),
    });
    this.board = createBoard(
      {
        clock: this.clock,
        harts,
        setInterrupt: (hart, name, level) => this.cpu.setInterrupt(hart, name, level),
        output: (channel, bytes) => this.output(channel, bytes),
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
    const disks: RevertibleDisk[] = [];
    const devices = configuration.devices.map((device) => {
      if (device.type !== 'block' || options.revertible !== true) return device;
      const backend = new RevertibleDisk(device.backend, () => this.isLive());
      disks.push(backend);
      return { ...device, backend };
    });
    this.disks = disks;
    this.virtio = createVirtio(devices, {
      ...(this.board.interruptFiles !== undefined && {
        messages: (address: bigint, data: number) => this.message(address, data),
      }),
      memory: this.memory,
      clock: this.clock,
      fences: this.cpu,
      sink: this.monitor,
      slots: Array.from({ length: virtioSlots.count }, (_, slot) => ({
        base: virtioSlot(slot).base,
        interrupt: this.board.line(virtioSlot(slot).interrupt),
      })),
      pci: this.board.pci,
      seed: configuration.seed,
      output: (channel, bytes) => this.output(channel, bytes),
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

  /** Where the machine is in its run. */
  get moment(): Moment {
    return {
      step: this.cpu.steps,
      actions: this.clock.ran,
      inputs: this.inputs.applied,
      virtualNanoseconds: this.clock.now(),
    };
  }

  /** Runs guest and devices. Comes back at a step boundary. In the machine's past, recorded inputs are applied again. */
  run(options: RunOptions): MachineExit {
    return this.advance(options, undefined);
  }

  /**
   * Runs to exactly this moment, which must not have passed. What would stop `run` on the way is told to `stopped`, and passed unless that
   * is true; only a pause, the guest's end or a wait that nothing ends come back before as well.
   */
  runTo(moment: Moment, stopped: (exit: MachineExit) => boolean = () => false): MachineExit {
    for (;;) {
      const exit = this.advance({ untilStep: moment.step, skipIdle: true }, moment);
      if (exit.kind === 'limit' || exit.kind === 'paused' || exit.kind === 'finished' || exit.kind === 'idle')
        return exit;
      if (stopped(exit)) return exit;
      this.pass(exit);
    }
  }

  /** Lets the next run go on from a stop. */
  pass(exit: MachineExit): void {
    if (exit.kind === 'breakpoint') this.cpu.passBreakpointOnce();
    if (exit.kind === 'violation') this.passStop();
  }

  private advance(options: RunOptions, bound: Moment | undefined): MachineExit {
    for (;;) {
      const ended = this.pendingExit();
      if (ended !== undefined) return ended;
      if (bound !== undefined && !isBefore(this.moment, bound)) return { kind: 'limit' };
      if (this.applyRecorded()) continue;
      if (this.runDue()) continue;
      // Before the bound at its step, every hart waits.
      if (this.cpu.steps >= options.untilStep && bound === undefined) return { kind: 'limit' };
      const exit = this.cpu.run(this.nextLimit(options.untilStep));
      const translated = this.translateExit(exit, options, bound);
      if (translated !== undefined) return translated;
    }
  }

  /** The step at which something is to happen next; more than the present one. */
  private nextLimit(untilStep: number): number {
    const { steps } = this.cpu;
    const input = this.inputs.next?.step ?? untilStep;
    const limit = Math.min(untilStep, this.clock.nextStep() ?? untilStep, input > steps ? input : untilStep);
    return Math.max(limit, steps + 1);
  }

  /** Applies the input that was recorded for now. */
  private applyRecorded(): boolean {
    if (this.inputs.next === undefined) return false;
    const input = this.inputs.takeAt(this.moment);
    if (input === undefined) {
      if (isBefore(this.inputs.next, this.moment)) {
        throw new Error(
          `an input of step ${this.inputs.next.step} was not met again: the run differs from its recording`,
        );
      }
      return false;
    }
    applyInput(input.change, this);
    return true;
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
    this.clock.skip(Math.min(nanoseconds, this.untilInput()));
  }

  /** `run` returns once an event matches; undefined: never. */
  stopAtEvent(filter: ((event: VirtioEvent) => boolean) | undefined): void {
    this.eventFilter = filter;
  }

  /** Bytes from the outside, as `change` takes them. Call it only while `run` is not active: inputs land on step boundaries. */
  input(channel: string, bytes: Uint8Array): boolean {
    return this.change({ kind: 'bytes', channel, bytes });
  }

  /**
   * Changes the machine from outside, and records it. In the machine's past it makes the run go another way from here: what was
   * recorded behind is forgotten, and disks no longer reach their images. Call it only while `run` is not active.
   * @returns whether the run went another way
   */
  change(change: InputChange): boolean {
    const forks = !this.isLive();
    if (forks) {
      this.inputs.cut();
      this.snapshots.dropLater(this.moment);
      this.monitor.events.forgetAhead();
      for (const disk of this.disks) disk.detach();
      this.furthest = undefined;
    }
    const { moment } = this;
    applyInput(change, this);
    this.inputs.add(moment, change);
    return forks;
  }

  /** Whether the machine does everything for the first time; false in its past. */
  isLive(): boolean {
    if (this.restoring) return false;
    if (this.furthest === undefined) return true;
    if (isBefore(this.moment, this.furthest)) return false;
    this.furthest = undefined;
    return true;
  }

  /** Everything but RAM. */
  save(): SavedState {
    const state: MachineState = {
      applied: this.inputs.applied,
      idleSince: this.idleSince,
      finished: this.finished,
      cpu: this.cpu.save(),
      clock: this.clock.save(),
      board: this.board.save(),
      virtio: this.virtio.save(),
      monitor: this.monitor.save(),
      disks: this.disks.map((disk) => disk.save()),
    };
    return state;
  }

  blocksOf(saved: SavedState): readonly ReadonlyMap<number, Uint8Array>[] {
    return (saved as MachineState).disks.map(({ blocks }) => blocks);
  }
  /** Bytes kept of host images as they were before the guest's flushes changed them. */
  get imageBytes(): number {
    return this.disks.reduce((sum, { originalBytes }) => sum + originalBytes, 0);
  }

  /** Puts back what `save` gave, after RAM. Listeners hear nothing until the machine is where it was. */
  restore(saved: SavedState): void {
    const state = saved as MachineState;
    const { moment } = this;
    if (this.furthest === undefined || isBefore(this.furthest, moment)) this.furthest = moment;
    this.restoring = true;
    try {
      this.virtio.restore(state.virtio);
      this.board.restore(state.board);
      this.monitor.restore(state.monitor);
      this.cpu.restore(state.cpu);
      this.clock.restore(state.clock);
    } finally {
      this.restoring = false;
    }
    this.disks.forEach((disk, index) => disk.restore(state.disks[index] ?? { blocks: new Map() }));
    this.inputs.goTo(state.applied);
    this.idleSince = state.idleSince;
    this.finished = state.finished;
    this.stopViolation = undefined;
    this.stopWatchpoint = undefined;
    this.stopEvent = undefined;
    this.stopRequested = false;
    this.passing = undefined;
  }

  setBreakpoints(pcs: readonly bigint[]): void {
    this.breakpoints = new Set(pcs);
    this.applyBreakpoints();
  }
  /** More breakpoints, which `isBreakpoint` does not know: for steps that run to an address. */
  setTemporaryBreakpoints(pcs: readonly bigint[]): void {
    this.temporaryBreakpoints = pcs;
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
      ...((this.configuration.aia ?? 'none') === 'aplic-imsic' && { interruptFiles: this.interruptFiles() }),
      supervisorTimer: (hart, compare) => this.board.setSupervisorTimer(hart, compare),
      environmentCall: (hart) => this.board.environmentCall(hart),
      trap: (report: TrapReport) => this.onTrap?.(report),
      traced: (instruction) => this.monitor.traced(instruction, !this.passes(instruction)),
    };
  }

  /** The processor is made before the board, and asks only when a hart does. */
  private interruptFiles(): InterruptFiles {
    const files = (): InterruptFiles => {
      const found = this.board.interruptFiles;
      if (found === undefined) throw new Error(`the board has no interrupt files with aia ${this.configuration.aia}`);
      return found;
    };
    return {
      read: (hart, level, select) => files().read(hart, level, select),
      write: (hart, level, select, value) => files().write(hart, level, select, value),
      top: (hart, level) => files().top(hart, level),
      claim: (hart, level) => files().claim(hart, level),
    };
  }

  /** A device's store of 32 bits: to an interrupt file, or to RAM; nothing else takes messages. */
  private message(address: bigint, data: number): void {
    if (this.board.message(address, data) || address > BigInt(Number.MAX_SAFE_INTEGER)) return;
    if (this.memory.contains(Number(address), 4)) this.memory.write(Number(address), littleEndian(data, 4));
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

  private translateExit(exit: RunExit, options: RunOptions, bound: Moment | undefined): MachineExit | undefined {
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
        if (this.idleSince !== this.cpu.steps) {
          this.idleSince = this.cpu.steps;
          this.monitor.record({ kind: 'idle', by: 'board', device: undefined, harts: this.cpu.harts });
        }
        const ended = this.pendingExit();
        if (ended !== undefined) return ended;
        const untilBound = bound?.step === this.cpu.steps ? bound.virtualNanoseconds - this.clock.now() : Infinity;
        const untilOutside = Math.min(this.untilInput(), untilBound);
        if (options.skipIdle && this.clock.skip(untilOutside)) return undefined;
        const untilNext = this.clock.untilNext();
        return {
          kind: 'idle',
          dueNanoseconds: untilNext === undefined ? undefined : Math.min(untilNext, untilOutside),
        };
      }
    }
  }

  /** Virtual time until an input is to be applied again while every hart waits. */
  private untilInput(): number {
    const { next } = this.inputs;
    return next?.step === this.cpu.steps ? next.virtualNanoseconds - this.clock.now() : Infinity;
  }

  private output(channel: string, bytes: Uint8Array): void {
    if (this.isLive()) this.listener.output?.(channel, bytes);
  }

  private noteEvent(event: VirtioEvent): void {
    if (this.isLive()) this.listener.event?.(event);
    if (this.eventFilter?.(event) === true) {
      this.stopEvent = event;
      this.cpu.requestStop();
    }
  }

  private noteViolation(violation: Violation, stop: boolean): void {
    if (this.isLive()) this.listener.violation?.(violation);
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
    this.cpu.setBreakpoints([...this.breakpoints, ...this.temporaryBreakpoints]);
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
