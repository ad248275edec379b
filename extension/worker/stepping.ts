// Steps of a debugger over one hart: by instruction or source line, into, over or out of functions. Works on a halted machine and
// returns when the step is done, when something else stopped the machine, or when its share of time is used up.
import type { Machine, MachineExit } from '../../emulator/machine';
import type { StepGranularity, StepKind } from '../debug/target';
import type { AddressRange } from '../symbols/contract';
import type { GuestSymbols } from './guest-symbols';
import { memoryReader, registersOf } from './hart-registers';

export type StepProgress =
  | { readonly kind: 'done' }
  | { readonly kind: 'stopped'; readonly exit: Exclude<MachineExit, { kind: 'limit' }> }
  /** Not finished: call `advance` again after looking at messages. */
  | { readonly kind: 'more' };

/** Runs to an address in the same or an outer frame. */
interface Temporary {
  readonly pc: bigint;
  /** The stack pointer must be at or above this, so that a recursive call does not end the step. */
  readonly stackAtLeast: bigint;
}

const stackPointer = 2;
const returnAddress = 1;

export class Step {
  private ranges: readonly AddressRange[] = [];
  private readonly startStack: bigint;
  private runTo: Temporary | undefined;
  private first = true;

  constructor(
    private readonly machine: Machine,
    private readonly symbols: GuestSymbols,
    private readonly hart: number,
    private readonly kind: StepKind,
    private readonly granularity: StepGranularity,
  ) {
    const pc = machine.cpu.readPc(hart);
    this.startStack = machine.cpu.readX(hart, stackPointer);
    if (kind === 'out') this.runTo = this.callerOf();
    else if (granularity === 'line')
      this.ranges = symbols.at(pc)?.rangesOfLine(pc, { overInlined: kind === 'over' }) ?? [];
  }

  /** Whether there is a caller to step out to. */
  get possible(): boolean {
    return this.kind !== 'out' || this.runTo !== undefined;
  }

  /** Executes at most `steps` instructions of the step. */
  advance(steps: number): StepProgress {
    const { cpu } = this.machine;
    const limit = cpu.steps + steps;
    while (cpu.steps < limit) {
      if (this.runTo !== undefined) {
        const progress = this.advanceTo(this.runTo, limit);
        if (progress !== undefined) return progress;
        this.runTo = undefined;
        if (this.kind === 'out') return { kind: 'done' };
      } else {
        const exit = this.oneInstruction();
        if (exit !== undefined) return { kind: 'stopped', exit };
      }
      if (!this.onTheWay() && this.arrived()) return { kind: 'done' };
    }
    return { kind: 'more' };
  }

  /** Whether a call or a trap that the step passes over is still being run. */
  private onTheWay(): boolean {
    return this.runTo !== undefined;
  }

  private oneInstruction(): Exclude<MachineExit, { kind: 'limit' }> | undefined {
    const { cpu } = this.machine;
    const before = cpu.readPc(this.hart);
    const stack = cpu.readX(this.hart, stackPointer);
    const mode = cpu.mode(this.hart);
    if (this.first) this.machine.passStop();
    this.first = false;
    const exit = this.machine.stepHart(this.hart);
    if (exit.kind !== 'limit') return exit;
    const after = cpu.readPc(this.hart);
    const link = cpu.readX(this.hart, returnAddress);
    const called = (link === before + 4n || link === before + 2n) && after !== link && after !== before;
    const trapped = cpu.mode(this.hart) !== mode && !called;
    if (called && (this.kind === 'over' || !this.hasSource(after)) && this.granularityCounts()) {
      this.runTo = { pc: link, stackAtLeast: stack };
    } else if (trapped && this.granularity === 'line' && !this.inRanges(after)) {
      // A trap handler is not part of the line: run until it returns behind or to the interrupted instruction.
      this.runTo = { pc: before, stackAtLeast: 0n };
    }
    return undefined;
  }

  private granularityCounts(): boolean {
    return this.granularity === 'line' || this.kind === 'over';
  }

  private hasSource(pc: bigint): boolean {
    return this.granularity === 'instruction' || this.symbols.lineAt(pc) !== undefined;
  }

  private arrived(): boolean {
    if (this.granularity === 'instruction') return true;
    const pc = this.machine.cpu.readPc(this.hart);
    if (this.inRanges(pc)) return false;
    const line = this.symbols.lineAt(pc);
    if (line === undefined) {
      // Returned into code without lines: that is the end when nothing else can be shown.
      return this.machine.cpu.readX(this.hart, stackPointer) > this.startStack;
    }
    // In the middle of another line after a return: finish that line only when it is not a statement's start.
    return line.isStatement || this.ranges.length === 0;
  }

  private inRanges(pc: bigint): boolean {
    return this.ranges.some(({ low, high }) => low <= pc && pc < high);
  }

  /** Runs at speed with a temporary breakpoint; undefined when it got there. */
  private advanceTo(target: Temporary, limit: number): StepProgress | undefined {
    const { cpu } = this.machine;
    if (this.first) this.machine.passStop();
    this.first = false;
    this.machine.setTemporaryBreakpoints([target.pc]);
    try {
      for (;;) {
        const exit = this.machine.run({ untilStep: limit, skipIdle: true });
        if (exit.kind === 'limit') return { kind: 'more' };
        if (exit.kind !== 'breakpoint' || exit.pc !== target.pc) return { kind: 'stopped', exit };
        if (exit.hart === this.hart && cpu.readX(this.hart, stackPointer) >= target.stackAtLeast) return undefined;
        if (this.machine.isBreakpoint(exit.pc)) return { kind: 'stopped', exit };
        this.machine.passStop();
      }
    } finally {
      this.machine.setTemporaryBreakpoints([]);
    }
  }

  private callerOf(): Temporary | undefined {
    const registers = registersOf(this.machine, this.hart);
    const frames = this.symbols.backtrace(registers, memoryReader(this.machine, this.hart), 16).frames;
    const caller = frames.find((frame) => frame.registers.pc !== registers.pc);
    if (caller === undefined) return undefined;
    return { pc: caller.registers.pc, stackAtLeast: this.startStack };
  }
}
