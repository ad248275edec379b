// What the machine asks of the processor, and what the processor asks of the machine around it.
// The processor executes; it knows nothing of devices, virtio or rules.
import type { Accessor, AccessSize, SavedState, WatchedAccess } from '../bus/access';
import type { InstructionEffects } from './effects';

export type PrivilegeMode = 'M' | 'S' | 'U';

/** Interrupt-pending bits that outside wires drive. [RISC-V priv. 3.1.9] */
export const interruptBit = { SSIP: 1, MSIP: 3, STIP: 5, MTIP: 7, SEIP: 9, MEIP: 11 } as const;
export type InterruptName = keyof typeof interruptBit;

/** Levels that have interrupt files and priorities of their own. */
export type InterruptLevel = 'M' | 'S';

/**
 * The interrupt files of every hart in the board's IMSIC, behind the CSRs of Smaia and Ssaia. Select values are those of indirect access
 * from 0x70 to 0xff. [RISC-V AIA 1.0, 3.8 to 3.10]
 */
export interface InterruptFiles {
  /** Without effect; undefined where the value selects no register. */
  read(hart: number, level: InterruptLevel, select: number): bigint | undefined;
  write(hart: number, level: InterruptLevel, select: number, value: bigint): void;
  /** Identity of the top interrupt that is pending and enabled; 0 for none. */
  top(hart: number, level: InterruptLevel): number;
  /** Takes that interrupt's pending bit away. */
  claim(hart: number, level: InterruptLevel): void;
}

/** Answer of the machine to an access that is not plain RAM: a value or the reason why there is none. */
export type BusAnswer = bigint | 'fault' | 'stop';

/** The machine as generated code sees it. Every call happens at an exact instruction whose pc and step are in `by`. */
export interface CpuEnvironment {
  /** A load from outside RAM, naturally aligned. `'stop'`: leave before the instruction, which is not counted. */
  load(physicalAddress: number, size: AccessSize, by: Accessor): BusAnswer;
  /** A store outside RAM, naturally aligned. */
  store(physicalAddress: number, size: AccessSize, value: bigint, by: Accessor): 'done' | 'fault' | 'stop';
  /** Before an access to a RAM page whose watch flag matches takes effect. */
  beforeWatched(access: WatchedAccess): 'proceed' | 'stop';
  /** After that access took effect. */
  afterWatched(access: WatchedAccess): void;
  /**
   * Sixteen bits of executable memory outside RAM (reset ROM, flash); -1 where nothing can be fetched, and without this method
   * nowhere. Must not have effects.
   */
  fetch?(physicalAddress: number): number;
  /** The `time` CSR in ticks of the timebase. */
  time(): bigint;
  /**
   * The time, in ticks, from which on STIP is to be pending; `undefined` while menvcfg.STCE leaves STIP to software. Without this method
   * stimecmp does nothing.
   */
  supervisorTimer?(hart: number, compare: bigint | undefined): void;
  /** Present: the processor has Smaia and Ssaia. */
  readonly interruptFiles?: InterruptFiles;
  /**
   * An `ecall` from S-mode when a builtin SBI serves it. `true`: served, registers a0/a1 are written, execution goes on behind
   * the `ecall`. `false`: raise the exception as usual.
   */
  environmentCall(hart: number): boolean;
  /** A trap was taken (exception or interrupt). Only called while `reportTraps` is on. */
  trap(report: TrapReport): void;
  /** An instruction of a hart that is being traced is about to be executed. `'stop'`: leave before it. */
  traced?(instruction: TracedInstruction): 'proceed' | 'stop';
}

/** An instruction in front of which a traced hart stands. */
export interface TracedInstruction {
  readonly hart: number;
  /** Virtual address of the instruction. */
  readonly pc: bigint;
  readonly step: number;
  readonly effects: InstructionEffects;
  /** Guest-physical address of its memory operand; undefined where it has none or it is not mapped. */
  readonly physicalAddress: number | undefined;
}

export interface TrapReport {
  readonly hart: number;
  readonly interrupt: boolean;
  readonly cause: number;
  readonly tval: bigint;
  /** The pc that went to xepc. */
  readonly epc: bigint;
  /** Where execution goes on: the handler. */
  readonly handler: bigint;
  readonly from: PrivilegeMode;
  readonly to: PrivilegeMode;
  readonly step: number;
}

/** Why `run` came back. */
export type RunExit =
  /** The step limit was reached. */
  | { readonly kind: 'limit' }
  /** `pc` of this hart is a breakpoint; the instruction was not executed. */
  | { readonly kind: 'breakpoint'; readonly hart: number; readonly pc: bigint }
  /** The environment answered `'stop'`; the hart stands in front of the instruction. */
  | { readonly kind: 'refused'; readonly hart: number; readonly pc: bigint }
  /** `requestStop` was called, or the shared stop word was set; the machine is at an instruction boundary. */
  | { readonly kind: 'stop' }
  /** Every started hart waits in `wfi` and nothing is pending: time may be skipped. */
  | { readonly kind: 'idle' }
  /**
   * A trap whose handler cannot be fetched, so that the guest can only trap for ever; reported once per hart until it is started
   * again. pc, cause and tval are those of the first trap; the hart stands at the handler.
   */
  | {
      readonly kind: 'lost';
      readonly hart: number;
      readonly pc: bigint;
      readonly cause: number;
      readonly tval: bigint;
    };

/** Page flags, one byte for each 4 KiB page of guest RAM. */
export const pageFlag = { watchLoad: 1, watchStore: 2, dirty: 4, code: 8 } as const;

/** The four classes of memory operation that FENCE names. [RISC-V unpriv. 2.7] */
export const orderClass = { input: 0, output: 1, read: 2, write: 3 } as const;
export type OrderClass = keyof typeof orderClass;

/**
 * When memory operations of a hart were last ordered. `fence[p][s]` is the step of the newest FENCE that orders earlier operations
 * of class p before later ones of class s, so A before B is fenced when that step lies between theirs. Steps are -1 when never.
 */
export interface FenceEpochs {
  readonly fence: readonly (readonly number[])[];
  /** Step of the newest AMO, LR or SC with .aq, and with .rl. */
  readonly acquire: number;
  readonly release: number;
}

export interface Cpu {
  readonly harts: number;
  /** Instructions attempted since reset, summed over harts: the machine's clock. */
  readonly steps: number;
  /** The hart that executes the next instruction. */
  readonly turn: number;
  /** Guest RAM as the harts see it, starting at `ramBase`. */
  readonly ram: Uint8Array;
  readonly ramBase: number;
  /** One byte of `pageFlag` bits for each page of RAM. Change watch bits through `watch` only. */
  readonly pageFlags: Uint8Array;

  /** Runs until `steps` reaches `limit` or something else happens. Harts take turns deterministically. */
  run(limit: number): RunExit;
  /** Executes exactly one instruction of one hart, taking a pending interrupt first where the architecture does. */
  stepHart(hart: number): RunExit;
  /** From inside an environment call: come back at the next instruction boundary of the running hart. */
  requestStop(): void;
  /** From inside an environment call: come back no later than this step (a device event was scheduled). */
  limitTo(step: number): void;

  setBreakpoints(pcs: readonly bigint[]): void;
  /** Steps once over a breakpoint under the pc of the hart that reported one last, or else of the hart whose turn it is. */
  passBreakpointOnce(): void;
  /** Sets or clears `watchLoad` / `watchStore` of one RAM page (page number relative to `ramBase`). */
  watch(page: number, flags: number): void;
  /** RAM was changed from outside the harts (DMA, loader, debugger): marks pages dirty, drops decoded code and reservations. */
  noteOutsideWrite(physicalAddress: number, lengthBytes: number): void;
  /** Clears all dirty flags, so that the next store to each page sets its flag again. */
  clearDirty(): void;

  setInterrupt(hart: number, name: InterruptName, level: boolean): void;
  /**
   * Starts a hart at `pc`; `stopHart` halts it. In M-mode this is a reset of the whole hart. In S or U (SBI HSM) the integer registers,
   * `satp` and the interrupt enables of mstatus are cleared, what M-mode configured stays, and memory is opened to the lower modes
   * where no PMP entry is configured.
   */
  startHart(hart: number, pc: bigint, mode: PrivilegeMode): void;
  stopHart(hart: number): void;
  hartState(hart: number): 'running' | 'waiting' | 'stopped';
  /**
   * From the next instruction boundary on, `environment.traced` is told each instruction of this hart, which is then executed one by one:
   * slow, and the execution is the same. The first instruction of an interrupt's handler is not told.
   */
  trace(hart: number, on: boolean): void;
  /** What the instruction at a virtual address does; undefined where none can be fetched from RAM. */
  effectsAt(hart: number, pc: bigint): InstructionEffects | undefined;
  /** For trap breakpoints: call `environment.trap` for each trap. Off by default. */
  reportTraps(on: boolean): void;

  /** Integer registers 0..31 and pc, as unsigned 64-bit values. */
  readX(hart: number, register: number): bigint;
  writeX(hart: number, register: number, value: bigint): void;
  readPc(hart: number): bigint;
  writePc(hart: number, value: bigint): void;
  /** Floating-point registers as raw 64-bit values. */
  readF(hart: number, register: number): bigint;
  writeF(hart: number, register: number, value: bigint): void;
  mode(hart: number): PrivilegeMode;
  /** CSRs by number as M-mode would read them, without side effects; `undefined` where the CSR does not exist. */
  peekCsr(hart: number, number: number): bigint | undefined;
  /** A debugger's write; `false` where the CSR does not exist or is read-only. */
  pokeCsr(hart: number, number: number, value: bigint): boolean;
  /** Name and number of each CSR this processor implements. */
  readonly csrs: readonly { readonly name: string; readonly number: number }[];
  /** Walks the page tables without setting A/D bits; `undefined` where the address is not mapped. Uses the hart's current mode. */
  translate(hart: number, virtualAddress: bigint): number | undefined;
  fenceEpochs(hart: number): FenceEpochs;
  /** Step of the newest FENCE of a hart that orders earlier operations of one class before later ones of another; -1: never. */
  lastFence(hart: number, earlier: OrderClass, later: OrderClass): number;
  /** Instructions retired (`minstret`) of one hart. */
  retired(hart: number): number;

  /**
   * Registers, CSRs and hart states, not RAM. What was decoded and compiled stays: `noteOutsideWrite` must have been told of RAM that
   * changed meanwhile.
   */
  save(): SavedState;
  restore(state: SavedState): void;
}

export interface CpuOptions {
  readonly harts: number;
  readonly ramBase: number;
  readonly ramBytes: number;
  /** Instructions a hart executes before the next one's turn. */
  readonly turnSteps?: number;
  /** Compiles hot code at run time; executions are the same either way. On unless said otherwise. */
  readonly compiler?: 'on' | 'off';
  /** Arrivals by jump at a page until it is compiled. */
  readonly compileThreshold?: number;
  /** WebAssembly bytes of compiled code that are kept at most; 12 MiB unless said otherwise. */
  readonly compiledCodeBytes?: number;
  /**
   * A word of shared memory that another thread sets to a non-zero value to make `run` come back; tested at least every 100,000 steps,
   * every 10,000 without the compiler, which takes about as long.
   */
  readonly stopWord?: Int32Array;
  /** Use a shared memory for RAM, so that another thread may look at what is marked live. */
  readonly shared?: boolean;
}
