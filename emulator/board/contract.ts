// What the board's fixed devices get from the machine. [QEMU `virt` board, riscv]
import type { MmioRegion, Stateful } from '../bus/access';
import type { Clock } from '../clock';
import type { InterruptFiles, InterruptName, PrivilegeMode } from '../cpu/contract';
import type { PciHost } from './pci/contract';

/** A wire into the interrupt controller. */
export interface InterruptLine {
  /** Source number at the interrupt controller; 1 or more. */
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

/** Bytes for guest RAM before the first instruction. What they do not cover is zero. */
export interface BootImage {
  /** `firmware`, `kernel`, `initrd`, `device tree`: shown to people. */
  readonly name: string;
  /** Guest-physical address in RAM. */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Where a hart begins and what its registers hold. A hart that is not listed stays stopped until SBI HSM starts it. */
export interface HartStart {
  readonly hart: number;
  readonly pc: bigint;
  readonly mode: PrivilegeMode;
  /** Integer register number and value. */
  readonly registers: readonly (readonly [register: number, value: bigint])[];
  /** CSR number and value. */
  readonly csrs: readonly (readonly [number: number, value: bigint])[];
}

/** Everything that a reset puts in place: made once from the configuration, applied at each reset. */
export interface BootPlan {
  readonly images: readonly BootImage[];
  readonly starts: readonly HartStart[];
  /** Content of the reset ROM at 0x1000. */
  readonly resetRom: Uint8Array;
  readonly deviceTreeAddress: number;
  /** Where the guest's kernel begins; undefined when there is only firmware. */
  readonly kernelEntry: number | undefined;
  /** Which `bios` is in effect, for the console line that says so. */
  readonly bios: 'none' | 'builtin' | 'file';
}

/** Sees what the drivers do at the interrupt controller. A context is 2 * hart for M-mode and 2 * hart + 1 for S-mode. */
export interface InterruptObserver {
  claimed(context: number, source: number): void;
  completed(context: number, source: number): void;
}

/** What wires lead to: a PLIC, or what stands in its place. */
export interface InterruptController extends Stateful {
  readonly regions: readonly MmioRegion[];
  /** The interrupt files of the harts, where there are some. */
  readonly files: InterruptFiles | undefined;
  /**
   * The wire of one source.
   * @throws RangeError when there is no such source
   */
  line(source: number): InterruptLine;
  observe(observer: InterruptObserver): void;
  /** Whether a message's address, guest-physical, is an interrupt file's; it then has the message. */
  take(address: bigint, data: number): boolean;
  /** What M-mode firmware sets up before it starts a supervisor. */
  delegateToSupervisor(): void;
  reset(): void;
}

/** The fixed part of the machine. */
export interface Board extends Stateful {
  /** Every fixed device's region, for the address map; the virtio-mmio slots are not among them. */
  readonly regions: readonly MmioRegion[];
  /** What makes the processor's Smaia and Ssaia; undefined without them. */
  readonly interruptFiles: InterruptFiles | undefined;
  /** Where a device's message goes, by its guest-physical address; false where no interrupt file is. */
  message(address: bigint, data: number): boolean;
  /** A wire into the interrupt controller, for a source from 1 to 96. */
  line(source: number): InterruptLine;
  /** Where PCI functions are attached. */
  readonly pci: PciHost;
  observeInterrupts(observer: InterruptObserver): void;
  /** `CpuEnvironment.fetch`: 16 bits of what can be executed outside RAM, i.e. reset ROM and flash; -1 elsewhere. */
  fetch(physicalAddress: number): number;
  /** The `time` CSR in ticks of 100 ns. */
  time(): bigint;
  /** `CpuEnvironment.supervisorTimer`. */
  setSupervisorTimer(hart: number, compare: bigint | undefined): void;
  /** Terminal input for `uart0` (or the SBI console before the UART is used); an input, so only at a recorded step boundary. */
  input(bytes: Uint8Array): void;
  /** `CpuEnvironment.environmentCall`. */
  environmentCall(hart: number): boolean;
  /** Puts devices into their reset state, loads the boot images and starts the harts. RAM must be zero and the processor fresh. */
  reset(): void;
}
