// What a debugger looks at in a session's guest, and changes by hand: stacks, registers, variables, memory, code. Changes are inputs of
// the machine: recorded, and in its past the beginning of another run.
import type { Machine } from '../../emulator/machine';
import type { LaunchConfiguration } from '../debug/launch-configuration';
import type * as target from '../debug/target';
import type { Accessors } from './accessors';
import { disassembleAround } from './disassembly';
import { FrameInspector } from './frame-inspector';
import type { GuestSymbols } from './guest-symbols';
import { readPhysical, readVirtual, writeVirtual } from './hart-registers';
import type { LoadedMachine } from './load-machine';
import type { TimeTravel } from './time-travel';

/** A guest in its machine, with everything that belongs to this launch. */
export interface LoadedGuest {
  readonly configuration: LaunchConfiguration;
  readonly files: LoadedMachine;
  readonly symbols: GuestSymbols;
  readonly accessors: Accessors;
  readonly machine: Machine;
  /** Undefined where the configuration wants no history. */
  readonly past: TimeTravel | undefined;
}

export abstract class LookingSession {
  /** Of the present stop; undefined when the machine moved. */
  protected frames: FrameInspector | undefined;

  /** Throws Error before a launch. */
  protected abstract require(): LoadedGuest;
  /** A change in the past made the run go another way. */
  protected abstract noteFork(): void;

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
      machine.change({ kind: 'memory', address: Number(address), bytes });
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
    await this.changing(() => this.require().machine.change({ kind: 'pc', hart, value: pc }));
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

  protected inspector(): FrameInspector {
    const { machine, symbols } = this.require();
    this.frames ??= new FrameInspector(machine, symbols);
    return this.frames;
  }

  /** Changes something of the machine; while it runs, between two slices. */
  protected changing<Result>(change: () => Result): Promise<Result> {
    try {
      const wasPast = !this.require().machine.isLive();
      const result = change();
      if (wasPast && this.require().machine.isLive()) this.noteFork();
      this.frames?.refresh();
      return Promise.resolve(result);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
