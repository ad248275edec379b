// A processor with a recording environment, for tests of the processor.
import type { WatchedAccess } from '../../../emulator/bus/access';
import { createCpu } from '../../../emulator/cpu';
import type {
  BusAnswer,
  Cpu,
  CpuEnvironment,
  CpuOptions,
  InterruptFiles,
  TrapReport,
} from '../../../emulator/cpu/contract';
import { integerRegisterNames } from '../../../emulator/cpu/registers';
import { assemble, type Line, type Program } from '../../assembler';

export const ramBase = 0x8000_0000;

export interface Bench {
  readonly cpu: Cpu;
  readonly log: string[];
  readonly before: WatchedAccess[];
  readonly after: WatchedAccess[];
  readonly traps: TrapReport[];
  /** Answers of the environment, to be replaced by tests. */
  answers: {
    load: (address: number) => BusAnswer;
    store: (address: number, value: bigint) => 'done' | 'fault' | 'stop';
    watched: (access: WatchedAccess) => 'proceed' | 'stop';
    environmentCall: (hart: number) => boolean;
    fetch: (address: number) => number;
    time: () => bigint;
    trap: (report: TrapReport) => void;
  };
  /** Assembles a program and puts it into RAM. */
  load(lines: readonly Line[], at?: number): Program;
  x(name: string, hart?: number): bigint;
}

export type BenchOptions = Partial<Omit<CpuOptions, 'ramBase'>>;

/** @param interruptFiles makes Smaia and Ssaia exist */
export function createBench(options: BenchOptions = {}, interruptFiles?: InterruptFiles): Bench {
  const log: string[] = [];
  const before: WatchedAccess[] = [];
  const after: WatchedAccess[] = [];
  const traps: TrapReport[] = [];
  const answers: Bench['answers'] = {
    load: () => 'fault',
    store: () => 'fault',
    watched: () => 'proceed',
    environmentCall: () => false,
    fetch: () => -1,
    time: () => 0n,
    trap: () => undefined,
  };
  const environment: CpuEnvironment = {
    ...(interruptFiles !== undefined && { interruptFiles }),
    load: (address, size, by) => {
      log.push(`load ${address.toString(16)} ${size} pc=${by.pc.toString(16)} step=${by.step} hart=${by.hart}`);
      return answers.load(address);
    },
    store: (address, size, value, by) => {
      log.push(`store ${address.toString(16)} ${size} ${value.toString(16)} pc=${by.pc.toString(16)} step=${by.step}`);
      return answers.store(address, value);
    },
    beforeWatched: (access) => {
      before.push(access);
      return answers.watched(access);
    },
    afterWatched: (access) => void after.push(access),
    time: () => answers.time(),
    environmentCall: (hart) => answers.environmentCall(hart),
    fetch: (address) => answers.fetch(address),
    trap: (report) => {
      traps.push(report);
      answers.trap(report);
    },
  };
  const cpu = createCpu({ harts: 1, ramBytes: 0x10_0000, ...options, ramBase }, environment);
  return {
    cpu,
    log,
    before,
    after,
    traps,
    answers,
    load: (lines, at = ramBase) => {
      const program = assemble(lines, at);
      cpu.ram.set(program.bytes, at - ramBase);
      cpu.noteOutsideWrite(at, program.bytes.length);
      return program;
    },
    x: (name, hart = 0) => cpu.readX(hart, integerRegisterNames.indexOf(name)),
  };
}

/** Runs a program on hart 0 in M-mode until it executes `wfi` or this many steps went by. */
export function runProgram(bench: Bench, lines: readonly Line[], steps = 100_000): Program {
  const program = bench.load(lines);
  bench.cpu.startHart(0, program.base, 'M');
  bench.cpu.run(steps);
  return program;
}
