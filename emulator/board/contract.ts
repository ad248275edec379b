// What the board's fixed devices get from the machine. [QEMU `virt` board, riscv]
import type { Clock } from '../clock';
import type { InterruptName } from '../cpu/contract';

/** A wire into the interrupt controller. */
export interface InterruptLine {
  /** Source number at the PLIC; 1 or more. */
  readonly source: number;
  set(level: boolean): void;
}

export interface BoardContext {
  readonly clock: Clock;
  readonly harts: number;
  /** Drives an interrupt-pending bit of a hart. */
  setInterrupt(hart: number, name: InterruptName, level: boolean): void;
  /** Bytes that a fixed device sends out, e.g. channel `uart0`. */
  output(channel: string, bytes: Uint8Array): void;
  /** The guest asked to end: power-off, reset, or a failure code through the test finisher or SBI. */
  finish(outcome: FinishOutcome): void;
  /** Wall-clock time at reset, nanoseconds since 1970, a recorded input. */
  readonly wallClockAtResetNanoseconds: bigint;
}

export type FinishOutcome =
  { readonly kind: 'power-off' } | { readonly kind: 'reset' } | { readonly kind: 'fail'; readonly code: number };
