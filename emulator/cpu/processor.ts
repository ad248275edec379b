// The processor: harts in linear memory, run by generated code, turn by turn. Implements the contract with the machine.
import type { SavedState } from '../bus/access';
import { Bridge, type BridgeHost } from './bridge';
import { CodeCache } from './code-cache';
import { defaultCodeBytes, defaultThreshold, RegionCompiler } from './compiler/compiler';
import {
  type Cpu,
  type CpuEnvironment,
  type CpuOptions,
  type FenceEpochs,
  interruptBit,
  type InterruptName,
  type OrderClass,
  orderClass,
  pageFlag,
  type PrivilegeMode,
  type RunExit,
} from './contract';
import { csrNames, peekCsr, pokeCsr, writeDescriptors } from './csr/access';
import { retiredInstructions } from './csr/counters';
import { forgetDecisions, openAll, updateRegions } from './csr/protection';
import type { CsrHart } from './csr/row';
import { resetStatus } from './csr/rows';
import { HartState, MachineMemory } from './hart-state';
import { effectsOf, type InstructionEffects } from './effects';
import { interruptDue, modeName, peekTranslation, wakesFromWait } from './inspect';
import { greatestRamBytes, hartBase, hartCell, layoutFor, type MemoryLayout, pageBytes, translation } from './layout';
import { processorModule, regionTable, wasmPageBytes } from './module';
import { isSavedProcessor, restoreHart, saveHart, type SavedProcessor } from './saved-state';
import { importModule } from './system/imports';
import { environmentConfiguration, exitCode, mstatus, privilege } from './system/status';
import { Turns, type HartRun } from './turns';

/** The stop word is looked at, and V8 gets a chance to swap in better code, at least this often. */
const sliceSteps = { off: 10_000, on: 100_000 } as const;
const defaultTurnSteps = 1000;
const defaultCompiler: 'on' | 'off' = 'on';
const greatestHarts = 8;

interface GeneratedCode {
  execute(hart: number): number;
  flush(hart: number): void;
  statusChanged(hart: number): void;
}

function isFunction(value: unknown): value is (...values: number[]) => number {
  return typeof value === 'function';
}

export class Processor implements Cpu {
  readonly ram: Uint8Array;
  readonly ramBase: number;
  readonly pageFlags: Uint8Array;
  readonly csrs: Cpu['csrs'];
  readonly harts: number;

  private readonly layout: MemoryLayout;
  private readonly memory: MachineMemory;
  private readonly code: CodeCache;
  private readonly compiler: RegionCompiler | undefined;
  private readonly bridge: Bridge;
  private readonly generated: GeneratedCode;
  private readonly hartList: readonly CsrHart[];
  private readonly turns: Turns;
  private readonly stopWord: Int32Array | undefined;

  /** Steps at which the budget handed to generated code reaches 0. */
  private budgetEnd = 0;
  /** The hart that generated code runs, and the steps at which it began; -1 outside. */
  private executing = -1;
  private executingSince = 0;
  private runLimit = 0;
  private stopRequested = false;
  private lastHart = 0;
  private ignoreBreakpoints = false;
  private reportedBreakpointHart: number | undefined;
  private pass: { readonly hart: number; readonly pc: bigint } | undefined;
  private readonly traced = new Set<number>();

  constructor(
    options: CpuOptions,
    private readonly environment: CpuEnvironment,
  ) {
    checkOptions(options);
    this.harts = options.harts;
    this.csrs = csrNames(environment.interruptFiles !== undefined);
    this.ramBase = options.ramBase;
    this.stopWord = options.stopWord;
    const layout = layoutFor(options.harts, options.ramBase, options.ramBytes);
    this.layout = layout;
    const shared = options.shared ?? false;
    const pages = layout.totalBytes / wasmPageBytes;
    const wasmMemory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
    this.memory = new MachineMemory(wasmMemory.buffer);
    this.ram = new Uint8Array(wasmMemory.buffer, layout.ram, options.ramBytes);
    this.pageFlags = new Uint8Array(wasmMemory.buffer, layout.pageFlags, options.ramBytes / pageBytes);
    const threshold = options.compileThreshold ?? defaultThreshold;
    this.code = new CodeCache(this.memory, layout, threshold);
    if ((options.compiler ?? defaultCompiler) === 'on') {
      const bounds = { threshold, codeBytes: options.compiledCodeBytes ?? defaultCodeBytes };
      this.compiler = new RegionCompiler(this.memory, layout, shared, bounds, {
        pageOf: (slot) => this.code.pageOf(slot),
        translate: (base, address) => peekTranslation(this.memory, layout, this.hartAt(base).state, address),
      });
    }
    const { compiler } = this;
    this.code.onChange = (slot) => compiler?.drop(slot);
    this.turns = new Turns(options.harts, options.turnSteps ?? defaultTurnSteps);
    this.hartList = Array.from({ length: options.harts }, (_, index) => this.createHart(index));
    this.bridge = new Bridge(this.bridgeHost());
    const instance = new WebAssembly.Instance(processorModule(layout, shared, compiler !== undefined), {
      [importModule]: {
        memory: wasmMemory,
        ...(compiler && { [regionTable]: compiler.table }),
        ...this.bridge.imports(),
      },
    });
    const functions = Object.entries(instance.exports).flatMap(([name, value]) =>
      isFunction(value) ? [[name, value] as const] : [],
    );
    compiler?.bind({ memory: wasmMemory, ...Object.fromEntries(functions) });
    const exported = (name: string): ((...values: number[]) => number) => {
      const value = instance.exports[name];
      if (!isFunction(value)) throw new Error(`the generated module does not export ${name}`);
      return value;
    };
    this.generated = {
      execute: exported('execute'),
      flush: exported('flush'),
      statusChanged: exported('statusChanged'),
    };
    writeDescriptors(this.memory);
    for (const hart of this.hartList) this.resetHart(hart);
  }

  get steps(): number {
    const left = this.memory.controlWord('budget');
    // While an instruction executes it has left the budget but is not attempted yet.
    return this.budgetEnd - left - (this.executing >= 0 ? 1 : 0);
  }

  get turn(): number {
    return this.turns.peek((index) => wakesFromWait(this.hart(index).state), this.sinceReservation());
  }

  run(limit: number): RunExit {
    this.beginRun(limit);
    for (;;) {
      if (this.stopRequested || this.isStopWordSet()) return { kind: 'stop' };
      this.compiler?.beginSlice();
      if (this.steps >= this.runLimit) return { kind: 'limit' };
      const hart = this.turns.next((index) => wakesFromWait(this.hart(index).state), this.sinceReservation());
      if (hart === undefined) return { kind: 'idle' };
      const slice = sliceSteps[this.compiler === undefined ? 'off' : 'on'];
      const left = this.harts === 1 ? slice : this.turns.left;
      const exit = this.execute(hart, Math.min(left, this.runLimit - this.steps, slice));
      if (exit !== undefined) return exit;
    }
  }

  stepHart(index: number): RunExit {
    const { state } = this.hart(index);
    const run = this.turns.states[index];
    if (run === 'waiting' && wakesFromWait(state)) this.turns.states[index] = 'running';
    if (this.turns.states[index] !== 'running') return { kind: 'idle' };
    if (this.turns.current !== index || this.turns.left <= 0) this.turns.begin(index);
    this.beginRun(this.steps + 1);
    this.ignoreBreakpoints = true;
    try {
      return this.execute(index, 1) ?? (this.stopRequested ? { kind: 'stop' } : { kind: 'limit' });
    } finally {
      this.ignoreBreakpoints = false;
    }
  }

  requestStop(): void {
    this.stopRequested = true;
    this.endBudgetAt(this.steps + 1);
  }

  limitTo(step: number): void {
    this.runLimit = Math.min(this.runLimit, step);
    this.endBudgetAt(Math.max(step, this.steps + 1));
  }

  setBreakpoints(pcs: readonly bigint[]): void {
    this.code.setBreakpoints(pcs);
    this.compiler?.forgetCounts();
  }

  passBreakpointOnce(): void {
    const hart = this.reportedBreakpointHart ?? this.turns.current;
    this.pass = { hart, pc: this.readPc(hart) };
  }

  watch(page: number, flags: number): void {
    const known = pageFlag.watchLoad | pageFlag.watchStore;
    const old = this.pageFlags[page];
    if (old === undefined) throw new RangeError(`page ${page} is not in RAM, which has ${this.pageFlags.length} pages`);
    this.pageFlags[page] = (old & ~known) | (flags & known);
    if ((flags & ~old & known) !== 0) {
      this.code.clearFast('load');
      this.code.clearFast('store');
    }
  }

  noteOutsideWrite(physicalAddress: number, lengthBytes: number): void {
    const first = Math.max(0, physicalAddress - this.ramBase);
    const end = Math.min(this.layout.ramBytes, physicalAddress - this.ramBase + lengthBytes);
    for (let at = first; at < end;) {
      const page = Math.floor(at / pageBytes);
      const pageEnd = Math.min(end, (page + 1) * pageBytes);
      const flags = this.pageFlags[page] ?? 0;
      this.pageFlags[page] = flags | pageFlag.dirty;
      if ((flags & pageFlag.code) !== 0) this.code.dropRange(page, at - page * pageBytes, pageEnd - page * pageBytes);
      at = pageEnd;
    }
    const reserved = this.memory.controlWord('reservation') >>> 0;
    if (reserved !== 0 && reserved < this.layout.ram + end && reserved + 64 > this.layout.ram + first) {
      this.memory.setControlWord('reservation', 0);
    }
  }

  clearDirty(): void {
    const { pageFlags } = this;
    for (let page = 0; page < pageFlags.length; page++) pageFlags[page] = (pageFlags[page] ?? 0) & ~pageFlag.dirty;
    this.code.clearFast('store');
  }

  setInterrupt(index: number, name: InterruptName, level: boolean): void {
    const { state } = this.hart(index);
    const bit = 1n << BigInt(interruptBit[name]);
    const cell = name === 'SEIP' ? 'externalSupervisorInterrupt' : 'mip';
    const old = state.get(cell);
    state.set(cell, level ? old | bit : old & ~bit);
    if (level && this.executing === index) this.endBudgetAt(this.steps + 1);
  }

  startHart(index: number, pc: bigint, mode: PrivilegeMode): void {
    const hart = this.hart(index);
    const { state } = hart;
    if (mode === 'M') {
      this.resetHart(hart);
      this.timerChanged(state);
    } else {
      for (let register = 1; register < 32; register++) state.setX(register, 0n);
      state.set('satp', 0n);
      state.set('mstatus', state.get('mstatus') & ~(mstatus.SIE | mstatus.MIE));
      state.set('lostReported', 0n);
      hart.flush();
      if (state.getWord('pmpCount') === 0) openAll(hart);
    }
    state.set('mode', BigInt(privilege[mode]));
    this.writePc(index, pc);
    hart.statusChanged();
    this.turns.states[index] = 'running';
  }

  stopHart(index: number): void {
    this.hart(index);
    this.turns.states[index] = 'stopped';
    if (this.executing === index) this.endBudgetAt(this.steps + 1);
  }

  hartState(index: number): HartRun {
    this.hart(index);
    return this.turns.states[index] ?? 'stopped';
  }

  trace(index: number, on: boolean): void {
    this.hart(index);
    if (!on) this.traced.delete(index);
    else if (!this.traced.has(index)) {
      this.traced.add(index);
      if (this.executing === index) this.endBudgetAt(this.steps + 1);
    }
  }

  effectsAt(index: number, pc: bigint): InstructionEffects | undefined {
    const low = this.halfwordAt(index, pc);
    if (low === undefined || (low & 3) !== 3) return low === undefined ? undefined : effectsOf(low);
    const high = this.halfwordAt(index, pc + 2n);
    return high === undefined ? undefined : effectsOf(((high << 16) | low) >>> 0);
  }

  reportTraps(on: boolean): void {
    this.memory.setControlWord('reportTraps', on ? 1 : 0);
  }

  readX(index: number, register: number): bigint {
    return this.hart(index).state.x(checkedRegister(register));
  }
  writeX(index: number, register: number, value: bigint): void {
    this.hart(index).state.setX(checkedRegister(register), value);
  }
  readPc(index: number): bigint {
    return this.hart(index).state.get('pc');
  }
  writePc(index: number, value: bigint): void {
    this.hart(index).state.set('pc', value & ~1n);
  }
  readF(index: number, register: number): bigint {
    return this.hart(index).state.f(checkedRegister(register));
  }
  writeF(index: number, register: number, value: bigint): void {
    this.hart(index).state.setF(checkedRegister(register), value);
  }
  mode(index: number): PrivilegeMode {
    return modeName(this.hart(index).state.getWord('mode'));
  }
  peekCsr(index: number, number: number): bigint | undefined {
    return peekCsr(this.hart(index), number);
  }
  pokeCsr(index: number, number: number, value: bigint): boolean {
    return pokeCsr(this.hart(index), number, value);
  }
  translate(index: number, virtualAddress: bigint): number | undefined {
    return peekTranslation(this.memory, this.layout, this.hart(index).state, virtualAddress);
  }

  fenceEpochs(index: number): FenceEpochs {
    const { state } = this.hart(index);
    const step = (value: bigint): number => Number(BigInt.asIntN(64, value));
    return {
      fence: [0, 1, 2, 3].map((pred) =>
        [0, 1, 2, 3].map((succ) => step(state.at(hartCell.fenceSteps + (pred * 4 + succ) * 8))),
      ),
      acquire: step(state.get('acquireStep')),
      release: step(state.get('releaseStep')),
    };
  }
  lastFence(index: number, earlier: OrderClass, later: OrderClass): number {
    const cell = hartCell.fenceSteps + (orderClass[earlier] * 4 + orderClass[later]) * 8;
    return Number(BigInt.asIntN(64, this.hart(index).state.at(cell)));
  }
  retired(index: number): number {
    return Number(retiredInstructions(this.hart(index)));
  }

  save(): SavedProcessor {
    if (this.executing >= 0) throw new Error('save during an instruction: ask at an instruction boundary');
    const reservation = this.memory.controlWord('reservation') >>> 0;
    return {
      steps: this.steps,
      harts: this.hartList.map(({ state }) => saveHart(state)),
      states: [...this.turns.states],
      current: this.turns.current,
      left: this.turns.left,
      extended: this.turns.extended,
      lastHart: this.lastHart,
      reservation: reservation === 0 ? -1 : reservation - this.layout.ram,
      reservationStep: this.memory.controlCell('reservationStep'),
    };
  }

  restore(saved: SavedState): void {
    if (!isSavedProcessor(saved, this.harts)) throw new Error(`this is no saved processor with ${this.harts} harts`);
    saved.harts.forEach((savedHart, index) => {
      const hart = this.hart(index);
      restoreHart(hart.state, savedHart);
      forgetDecisions(hart.state);
      this.generated.statusChanged(hart.state.base);
    });
    saved.states.forEach((state, index) => (this.turns.states[index] = state));
    this.turns.current = saved.current;
    this.turns.left = saved.left;
    this.turns.extended = saved.extended;
    this.lastHart = saved.lastHart;
    this.memory.setControlWord('reservation', saved.reservation < 0 ? 0 : saved.reservation + this.layout.ram);
    this.memory.setControlCell('reservationStep', saved.reservationStep);
    this.memory.setControlWord('budget', 0);
    this.budgetEnd = saved.steps;
    this.pass = undefined;
    this.reportedBreakpointHart = undefined;
  }

  private hart(index: number): CsrHart {
    const hart = this.hartList[index];
    if (hart === undefined) throw new RangeError(`hart ${index} of ${this.harts}`);
    return hart;
  }

  private hartAt(base: number): CsrHart {
    return this.hart(Math.floor((base - hartBase(0)) / hartCell.strideBytes));
  }

  private createHart(index: number): CsrHart {
    const state = new HartState(this.memory, index);
    return {
      state,
      interruptFiles: this.environment.interruptFiles,
      attempted: () =>
        state.get('attempted') + (this.executing === index ? BigInt(this.steps - this.executingSince) : 0n),
      time: () => this.environment.time(),
      flush: () => this.generated.flush(state.base),
      timerChanged: () => this.timerChanged(state),
      statusChanged: () => this.generated.statusChanged(state.base),
    };
  }

  private resetHart(hart: CsrHart): void {
    const { state } = hart;
    const { bytes } = this.memory;
    bytes.fill(0, state.base, state.base + hartCell.stateEnd);
    const tables = state.base + hartCell.translations;
    bytes.fill(0xff, tables, tables + translation.allBytes);
    for (let cell = 0; cell < 16; cell++) state.put(hartCell.fenceSteps + cell * 8, -1n);
    for (const name of ['acquireStep', 'releaseStep'] as const) state.set(name, -1n);
    // No instruction follows a trap that never was.
    state.set('trapStep', -2n);
    state.set('mode', BigInt(privilege.M));
    state.set('mstatus', resetStatus);
    state.set('stimecmp', -1n);
    updateRegions(hart);
    hart.statusChanged();
  }

  private timerChanged(state: HartState): void {
    const enabled = (state.get('menvcfg') & environmentConfiguration.STCE) !== 0n;
    this.environment.supervisorTimer?.(state.index, enabled ? state.get('stimecmp') : undefined);
  }

  private bridgeHost(): BridgeHost {
    return {
      environment: this.environment,
      memory: this.memory,
      layout: this.layout,
      code: this.code,
      compiler: this.compiler,
      hart: (index) => this.hart(index),
      hartIndex: (base) => this.hartAt(base).state.index,
      currentStep: () => this.steps,
      stopsAtBreakpoint: (hart, pc) => this.stopsAtBreakpoint(hart, pc),
    };
  }

  private stopsAtBreakpoint(hart: number, pc: bigint): boolean {
    if (this.ignoreBreakpoints || !this.code.isBreakpoint(pc)) return false;
    if (this.pass?.hart === hart && this.pass.pc === pc) {
      this.pass = undefined;
      return false;
    }
    return true;
  }

  private halfwordAt(index: number, pc: bigint): number | undefined {
    const offset = (this.translate(index, pc) ?? -1) - this.ramBase;
    if (offset < 0 || offset + 2 > this.layout.ramBytes) return undefined;
    return this.memory.view.getUint16(this.layout.ram + offset, true);
  }

  /** Tells the environment what a traced hart stands in front of. */
  private tellTraced(index: number): 'proceed' | 'stop' {
    const { state } = this.hart(index);
    const pc = state.get('pc');
    const effects = this.effectsAt(index, pc);
    if (effects === undefined) return 'proceed';
    const { memory } = effects;
    const address = memory && BigInt.asUintN(64, state.x(memory.base) + memory.offset);
    const physicalAddress = address === undefined ? undefined : this.translate(index, address);
    return this.environment.traced?.({ hart: index, pc, step: this.steps, effects, physicalAddress }) ?? 'proceed';
  }

  private beginRun(limit: number): void {
    this.runLimit = limit;
    this.stopRequested = false;
  }

  private isStopWordSet(): boolean {
    return this.stopWord !== undefined && Atomics.load(this.stopWord, 0) !== 0;
  }

  /** Instructions since the LR of a reservation that holds. */
  private sinceReservation(): number | undefined {
    if (this.memory.controlWord('reservation') === 0) return undefined;
    return this.steps - this.memory.controlCell('reservationStep') - 1;
  }

  /** Shortens what generated code may still execute, so that it comes back when `steps` is this. */
  private endBudgetAt(step: number): void {
    if (this.executing < 0 || step >= this.budgetEnd) return;
    const cut = this.budgetEnd - step;
    this.setBudget(this.memory.controlWord('budget') - cut, step);
  }
  private setBudget(budget: number, end: number): void {
    this.memory.setControlWord('budget', budget);
    this.memory.setControlCell('budgetEnd', end);
    this.budgetEnd = end;
  }

  /** Runs one hart for at most so many instructions; `undefined` when nothing ended the run. */
  private execute(index: number, budget: number): RunExit | undefined {
    const { state } = this.hart(index);
    // A reservation does not outlive the hart's turn, so no other hart's store needs to look for it.
    if (this.lastHart !== index) this.memory.setControlWord('reservation', 0);
    this.lastHart = index;
    if (this.traced.has(index) && !interruptDue(state)) {
      if (this.tellTraced(index) === 'stop') return { kind: 'refused', hart: index, pc: state.get('pc') };
    }
    const before = this.steps;
    const allowed = this.traced.has(index) ? 1 : budget;
    this.setBudget(allowed, before + allowed);
    this.executing = index;
    this.executingSince = before;
    let code: number;
    try {
      code = this.generated.execute(state.base);
    } catch (error) {
      this.bridge.abandon();
      throw error;
    } finally {
      this.executing = -1;
      const executed = this.steps - before;
      state.set('attempted', state.get('attempted') + BigInt(executed));
      // A lone hart has no turns, so pauses leave no trace in its state.
      if (this.harts > 1) this.turns.left -= executed;
      this.reportedBreakpointHart = undefined;
    }
    if (this.pass?.hart === index) this.pass = undefined;
    return this.exitOf(index, code);
  }

  private exitOf(hart: number, code: number): RunExit | undefined {
    const { state } = this.hart(hart);
    const pc = state.get('pc');
    switch (code) {
      case exitCode.refused:
        return { kind: 'refused', hart, pc };
      case exitCode.breakpoint:
        this.reportedBreakpointHart = hart;
        return { kind: 'breakpoint', hart, pc };
      case exitCode.lost: {
        const machine = state.getWord('mode') === privilege.M;
        return {
          kind: 'lost',
          hart,
          pc: state.get(machine ? 'mepc' : 'sepc'),
          cause: Number(state.get(machine ? 'mcause' : 'scause') & 0xffn),
          tval: state.get(machine ? 'mtval' : 'stval'),
        };
      }
      case exitCode.waiting:
        if (this.turns.states[hart] === 'running') this.turns.states[hart] = 'waiting';
        this.turns.left = 0;
        return undefined;
      default:
        return undefined;
    }
  }
}

function checkedRegister(register: number): number {
  if (!Number.isInteger(register) || register < 0 || register > 31)
    throw new RangeError(`register ${register} of 0..31`);
  return register;
}

function checkOptions(options: CpuOptions): void {
  const { harts, ramBase, ramBytes } = options;
  if (!Number.isInteger(harts) || harts < 1 || harts > greatestHarts) {
    throw new RangeError(`${harts} harts: give 1 to ${greatestHarts}`);
  }
  if (ramBytes < pageBytes || ramBytes % pageBytes !== 0 || ramBytes > greatestRamBytes) {
    throw new RangeError(`${ramBytes} bytes of RAM: give a multiple of ${pageBytes} up to ${greatestRamBytes}`);
  }
  if (!Number.isSafeInteger(ramBase) || ramBase < 0 || ramBase % pageBytes !== 0) {
    throw new RangeError(`RAM at ${ramBase}: give a multiple of ${pageBytes}`);
  }
}
