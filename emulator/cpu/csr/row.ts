// What a CSR row says, and what its accesses may use of the processor.
import type { InterruptFiles } from '../contract';
import type { HartState } from '../hart-state';
import type { CellName, csrEffect } from '../layout';

export interface CsrHart {
  readonly state: HartState;
  /** What makes the CSRs of Smaia and Ssaia exist. */
  readonly interruptFiles: InterruptFiles | undefined;
  /** Instructions this hart attempted so far; without the one that executes. */
  attempted(): bigint;
  /** The `time` CSR. */
  time(): bigint;
  /** Translations may no longer hold. */
  flush(): void;
  /** stimecmp or what enables it changed. */
  timerChanged(): void;
  /** mstatus changed. */
  statusChanged(): void;
}

export interface CsrRow {
  readonly name: string;
  readonly number: number;
  /** What the board must have for the CSR to exist. */
  readonly needs?: 'interrupt files';
  /** A CSR that is a cell: generated code serves it from this description. */
  readonly direct?: {
    readonly cell: CellName;
    readonly readMask: bigint;
    readonly writeMask: bigint;
    readonly effect: keyof typeof csrEffect;
    /** A cell whose bits select which bits exist for this CSR. */
    readonly maskCell?: CellName;
    /** Bit of the cell that is the CSR's bit 0. */
    readonly shift?: number;
  };
  /** Whether the hart's mode may access it now, beyond what the number says. */
  permits?(hart: CsrHart): boolean;
  read(hart: CsrHart): bigint;
  /** What a write makes of the value; absent where writes are ignored. Legalisation is the row's. */
  write?(hart: CsrHart, value: bigint): void;
  /** The value that `csrrs` and `csrrc` modify, where it differs from what is read. */
  modifies?(hart: CsrHart): bigint;
}
