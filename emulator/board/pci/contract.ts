// What a PCI function is to the host bridge, and what the host bridge is to a function. [PCI Express Base 4.0, 7; QEMU `virt`: generic
// ECAM host bridge]
import type { Accessor, AccessSize, MmioRegion, Stateful } from '../../bus/access';

/** Width of an access to configuration space in bytes; wider ones are taken apart. */
export type ConfigAccessSize = 1 | 2 | 4;

/** The registers behind one base address register. Offsets are in bytes from its start; accesses are naturally aligned. */
export type BarTarget = Pick<MmioRegion, 'attempt' | 'read' | 'write' | 'peek'>;

export interface PciBar {
  /** 0..5; a 64-bit register takes the next one too. */
  readonly index: number;
  readonly space: 'memory32' | 'memory64' | 'io';
  readonly prefetchable?: boolean;
  /** A power of two; at least 16 bytes of memory or 4 bytes of I/O. */
  readonly sizeBytes: number;
  readonly target: BarTarget;
}

/** A base address register that decodes now. */
export interface DecodedBar {
  readonly bar: PciBar;
  /** Address on the bus. */
  readonly base: number;
}

/** Function 0 of a device on bus 0. */
export interface PciFunction {
  readonly name: string;
  /** 1..31; device 0 is the host bridge. */
  readonly device: number;
  /** May not change anything. `offset` is 0..255. */
  attemptConfig(offset: number, size: ConfigAccessSize, kind: 'read' | 'write', value: number, by: Accessor): Answer;
  readConfig(offset: number, size: ConfigAccessSize, by: Accessor): number;
  writeConfig(offset: number, size: ConfigAccessSize, value: number, by: Accessor): void;
  peekConfig(offset: number, size: ConfigAccessSize): number;
  /** Base address registers that are switched on by the command register. */
  decoded(): readonly DecodedBar[];
}
export type Answer = 'proceed' | 'stop';

/** One of the four legacy interrupt wires, as a function drives it. */
export interface PciWire {
  /** The interrupt controller's source that it leads to. */
  readonly source: number;
  set(level: boolean): void;
}

/** The host bridge as functions need it. */
export interface PciHost extends Stateful {
  /** The next device number that is free. Throws RangeError when all 31 are taken. */
  freeDevice(): number;
  attach(pciFunction: PciFunction): void;
  /** The wire of a device's pin (0 for INTA#), after the swizzle. Its level at the controller is that of all functions on it. */
  wire(device: number, pin: number): PciWire;
}

export type { Accessor, AccessSize };
