// What came from outside, and when: with configuration and seed, the inputs determine the whole run. A machine in its past applies them
// again by itself. [design: time]
// Guarantees: inputs are in order of their moments; what was recorded after a new input in the past is forgotten.
import type { Board } from '../board/contract';
import type { GuestMemory } from '../bus/memory';
import type { Cpu } from '../cpu/contract';
import type { Virtio } from '../virtio/virtio';
import { isSameMoment, type Moment } from './moment';

/** Something that changes a machine from outside. A debugger's writes are inputs like a key. */
export type InputChange =
  /** Bytes for `uart0` or a device's channel. */
  | { readonly kind: 'bytes'; readonly channel: string; readonly bytes: Uint8Array }
  /** Guest-physical address. */
  | { readonly kind: 'memory'; readonly address: number; readonly bytes: Uint8Array }
  | { readonly kind: 'x' | 'f'; readonly hart: number; readonly register: number; readonly value: bigint }
  | { readonly kind: 'pc'; readonly hart: number; readonly value: bigint }
  | { readonly kind: 'csr'; readonly hart: number; readonly number: number; readonly value: bigint };

export type RecordedInput = Moment & { readonly change: InputChange };

export class InputLog {
  private recorded: RecordedInput[] = [];
  private appliedCount = 0;

  get all(): readonly RecordedInput[] {
    return this.recorded;
  }
  /** How many were applied before the machine's present. */
  get applied(): number {
    return this.appliedCount;
  }
  /** The next one to be applied again; undefined at the live end. */
  get next(): RecordedInput | undefined {
    return this.recorded[this.appliedCount];
  }

  /** A new input, now. True when it replaced recorded ones: the run has forked. */
  add(moment: Moment, change: InputChange): boolean {
    const forks = this.next !== undefined;
    this.recorded.length = this.appliedCount;
    this.recorded.push({ ...moment, change });
    this.appliedCount++;
    return forks;
  }

  /** The input recorded for exactly now, which counts as applied from then on. */
  takeAt(moment: Moment): RecordedInput | undefined {
    const { next } = this;
    if (next === undefined || !isSameMoment(next, moment)) return undefined;
    this.appliedCount++;
    return next;
  }

  /** The machine went to where so many inputs had been applied. */
  goTo(applied: number): void {
    this.appliedCount = applied;
  }
  /** Forgets what is yet to be applied again. */
  cut(): void {
    this.recorded.length = this.appliedCount;
  }
}

/** The parts of a machine that inputs change. */
export interface InputTarget {
  readonly cpu: Cpu;
  readonly memory: GuestMemory;
  readonly board: Board;
  readonly virtio: Virtio;
}

/** Throws Error where the machine has no such channel, hart or memory. */
export function applyInput(change: InputChange, { cpu, memory, board, virtio }: InputTarget): void {
  switch (change.kind) {
    case 'bytes':
      if (change.channel === 'uart0') board.input(change.bytes);
      else virtio.input(change.channel, change.bytes);
      return;
    case 'memory':
      memory.write(change.address, change.bytes);
      return;
    case 'x':
      cpu.writeX(change.hart, change.register, change.value);
      return;
    case 'f':
      cpu.writeF(change.hart, change.register, change.value);
      return;
    case 'pc':
      cpu.writePc(change.hart, change.value);
      return;
    case 'csr':
      cpu.pokeCsr(change.hart, change.number, change.value);
  }
}
