// Runs batches on the emulator's processor, alone with its RAM. The same run with every page watched finds sequences that leave their
// scratch window or do not end: such ones are made anew, because on QEMU they could destroy the harness.
import { createCpu } from '../../../emulator/cpu';
import { type Cpu, type CpuEnvironment, pageFlag } from '../../../emulator/cpu/contract';
import { codeStride, type Sequence } from './generate';
import { chooseRecords, currentRecord, placeHarness, placeSequence } from './image';
import {
  codeBase,
  control,
  ramBase,
  ramBytes,
  recordsBase,
  resultsBase,
  scratch,
  testFinisher,
  userAlias,
} from './layout';
import { isHole, isProtected } from './context';

/** More than a sequence, its traps and the harness around it can need. */
const stepsPerSequence = 60_000;

/** How a run ended: with the last sequence, or at one that is not fit for the test. */
export type Exit = { readonly done: true } | { readonly done: false; readonly index: number; readonly reason: string };

/** `watched`: interpreted, with every page watched. `compiled`: each run is repeated until what it executes is compiled. */
export type MachineKind = 'watched' | 'interpreted' | 'compiled';
/** The first pass decodes, the second compiles what was decoded, the third executes it. */
const compiledPasses = 3;

class Environment implements CpuEnvironment {
  cpu: Cpu | undefined;
  finished = false;
  unfit: string | undefined;

  /** Whether accesses that cross pages are unfit, for each sequence. */
  readonly crossingUnfit: boolean[] = [];
  /** Where each sequence changes itself. */
  readonly patches: Sequence['patch'][] = [];

  private previousStep = -1;

  private note(reason: string): void {
    this.unfit ??= reason;
    this.cpu?.requestStop();
  }
  private outside(address: number, pc: bigint): 'fault' {
    if (!isHarness(pc) && !isHole(BigInt(address))) this.note(`an access to 0x${address.toString(16)}`);
    return 'fault';
  }
  load: CpuEnvironment['load'] = (address, _size, by) => this.outside(address, by.pc);
  store: CpuEnvironment['store'] = (address, _size, value, by) => {
    if (!isHarness(by.pc)) return this.outside(address, by.pc);
    if (address === testFinisher.address && value === BigInt(testFinisher.pass)) {
      this.finished = true;
      this.cpu?.requestStop();
    }
    return 'done';
  };
  fetch = (address: number): number => {
    if (!isHole(BigInt(address))) this.note(`a fetch from 0x${address.toString(16)}`);
    return -1;
  };
  beforeWatched: CpuEnvironment['beforeWatched'] = ({ physicalAddress, size, pc, step }) => {
    if (isHarness(pc)) return 'proceed';
    const inWindow =
      physicalAddress >= scratch.window && physicalAddress + size <= scratch.window + scratch.windowBytes;
    const inside = inWindow || this.isPatch(Number(pc), physicalAddress, size);
    // The second of the two parts that an access across a page boundary is made of.
    const secondPart = step === this.previousStep && physicalAddress % 4096 === 0;
    this.previousStep = step;
    if (secondPart && this.cpu !== undefined && this.crossingUnfit[currentRecord(this.cpu.ram)] === true)
      this.note('an access that crosses pages');
    if (inside) return 'proceed';
    this.note(`an access to 0x${physicalAddress.toString(16)}`);
    return 'stop';
  };
  private isPatch(pc: number, address: number, size: number): boolean {
    const patch = this.cpu && this.patches[currentRecord(this.cpu.ram)];
    if (patch === undefined || (pc !== patch.store && pc !== patch.store + userAlias)) return false;
    return address >= patch.target && address + size <= patch.target + 4;
  }
  afterWatched: CpuEnvironment['afterWatched'] = () => undefined;
  time: CpuEnvironment['time'] = () => 0n;
  environmentCall: CpuEnvironment['environmentCall'] = () => false;
  trap: CpuEnvironment['trap'] = () => undefined;
  supervisorTimer = (hart: number, compare: bigint | undefined): void => {
    if (compare !== undefined) this.cpu?.setInterrupt(hart, 'STIP', compare === 0n);
  };
}

const isHarness = (pc: bigint): boolean => pc >= BigInt(ramBase) && pc < BigInt(control.base);
/**
 * Pages that the harness uses much and that a stray access hardly ever meets; where it does, it is the same one on both machines.
 */
function isHarnessData(page: number): boolean {
  return page === control.base || (page >= recordsBase && page < codeBase) || page >= resultsBase;
}

export class OurMachine {
  private readonly environment = new Environment();
  private readonly cpu: Cpu;
  private readonly passes: number;

  constructor(harness: Uint8Array, kind: MachineKind) {
    const compiler = kind === 'compiled' ? 'on' : 'off';
    this.passes = kind === 'compiled' ? compiledPasses : 1;
    this.cpu = createCpu({ harts: 1, ramBase, ramBytes, compiler, compileThreshold: 1 }, this.environment);
    this.environment.cpu = this.cpu;
    placeHarness(this.cpu.ram, harness);
    if (kind !== 'watched') return;
    for (let page = 0; page < ramBytes / 4096; page++) {
      if (!isHarnessData(ramBase + page * 4096)) this.cpu.watch(page, pageFlag.watchLoad | pageFlag.watchStore);
    }
  }

  get ram(): Uint8Array {
    return this.cpu.ram;
  }
  get steps(): number {
    return this.cpu.steps;
  }

  place(index: number, sequence: Sequence): void {
    placeSequence(this.cpu.ram, index, sequence);
    this.cpu.noteOutsideWrite(sequence.start, codeStride);
    this.environment.crossingUnfit[index] = isProtected(sequence.context);
    this.environment.patches[index] = sequence.patch;
  }

  /** Forgets the states of an earlier batch. */
  clearResults(): void {
    this.cpu.ram.fill(0, resultsBase - ramBase);
  }

  /** Runs the placed sequences from `from` up to, not including, `to`; the results are those of the last pass. */
  run(from: number, to: number): Exit {
    const before = this.passes > 1 ? this.cpu.ram.slice() : undefined;
    for (let pass = 1; pass < this.passes; pass++) {
      const exit = this.runOnce(from, to);
      if (!exit.done) return exit;
      this.writeBack(before ?? this.cpu.ram);
    }
    return this.runOnce(from, to);
  }

  /** What a stray store did to another sequence's memory or code must not be there in the next pass. */
  private writeBack(before: Uint8Array): void {
    const { ram } = this.cpu;
    for (let page = 0; page < ramBytes; page += 4096) {
      const was = before.subarray(page, page + 4096);
      if (Buffer.compare(was, ram.subarray(page, page + 4096)) === 0) continue;
      ram.set(was, page);
      this.cpu.noteOutsideWrite(ramBase + page, 4096);
    }
  }

  private runOnce(from: number, to: number): Exit {
    const { cpu, environment } = this;
    chooseRecords(cpu.ram, from, to);
    environment.finished = false;
    environment.unfit = undefined;
    cpu.startHart(0, BigInt(ramBase), 'M');
    let index = from;
    let since = cpu.steps;
    for (;;) {
      const exit = cpu.run(cpu.steps + stepsPerSequence);
      if (environment.finished) return { done: true };
      const now = currentRecord(cpu.ram);
      const reason =
        environment.unfit ??
        (exit.kind !== 'limit' ? `the machine ends with ${exit.kind}` : undefined) ??
        (now === index && cpu.steps - since > stepsPerSequence ? 'no end' : undefined);
      if (reason !== undefined) return { done: false, reason, index: now };
      if (now !== index) since = cpu.steps;
      index = now;
    }
  }
}
