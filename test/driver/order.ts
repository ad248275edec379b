// The order of a scripted hart's accesses, as a processor tells it: fences by their steps, and instructions one by one while it is traced.
// Script accesses depend on nothing, since a script keeps no registers. [RISC-V unpriv. 2.7]
import type { AccessSize } from '../../emulator/bus/access';
import { type FenceEpochs, orderClass, type OrderClass, type TracedInstruction } from '../../emulator/cpu/contract';
import { type InstructionEffects, noRegisters } from '../../emulator/cpu/effects';
import type { OrderSource } from '../../emulator/virtio/watch/ordering';

const letters = 'iorw';
const stackPointerRegister = 2;

export class BenchOrder implements OrderSource {
  readonly harts = 2;
  /** By hart. */
  private readonly fence = Array.from({ length: this.harts }, () => Array.from({ length: 4 }, () => [-1, -1, -1, -1]));
  private isTraced = false;
  stackPointer = 0n;
  /** The newest access: its pc and what it does. */
  private newest: { readonly pc: bigint; readonly effects: InstructionEffects } | undefined;

  constructor(private readonly tell: (instruction: TracedInstruction) => void) {}

  fenceEpochs(hart: number): FenceEpochs {
    return { fence: this.fence[hart] ?? [], acquire: -1, release: -1 };
  }
  lastFence(hart: number, earlier: OrderClass, later: OrderClass): number {
    return this.fence[hart]?.[orderClass[earlier]]?.[orderClass[later]] ?? -1;
  }
  /** A script has no registers but a stack pointer, if it says so. */
  readX(_hart: number, register: number): bigint {
    return register === stackPointerRegister ? this.stackPointer : 0n;
  }
  translate(_hart: number, virtualAddress: bigint): number {
    return Number(virtualAddress);
  }
  trace(_hart: number, on: boolean): void {
    this.isTraced = on;
  }
  effectsAt(_hart: number, pc: bigint): InstructionEffects | undefined {
    return this.newest?.pc === pc ? this.newest.effects : undefined;
  }

  /** A fence with sets such as `rw`. */
  noteFence(hart: number, pred: string, succ: string, pc: bigint, step: number): void {
    const bits = (set: string): number =>
      Array.from(set).reduce((all, letter) => all | (8 >> letters.indexOf(letter)), 0);
    const effects = { ...plain, fence: { pred: bits(pred), succ: bits(succ), total: false } };
    this.report({ hart, pc, step, effects, physicalAddress: undefined });
    for (const p of pred) for (const s of succ) this.set(hart, letters.indexOf(p), letters.indexOf(s), step);
  }

  noteAccess(hart: number, kind: 'load' | 'store', address: number, bytes: AccessSize, pc: bigint, step: number): void {
    const effects = { ...plain, memory: { kind, bytes, base: 0, offset: BigInt(address), data: noRegisters } };
    this.report({ hart, pc, step, effects, physicalAddress: address });
    this.newest = { pc, effects };
  }

  private report(instruction: TracedInstruction): void {
    if (this.isTraced) this.tell(instruction);
  }
  private set(hart: number, pred: number, succ: number, step: number): void {
    const row = this.fence[hart]?.[pred];
    if (row !== undefined) row[succ] = step;
  }
}

const plain: InstructionEffects = {
  lengthBytes: 4,
  sources: noRegisters,
  destination: noRegisters,
  memory: undefined,
  control: noRegisters,
  fence: undefined,
  acquire: false,
  release: false,
};
