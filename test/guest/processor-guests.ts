// Guests about processor and board alone: each prints a transcript that is the same on QEMU.
import { bareMetal, type GuestProgram } from './harness/compiler';

export interface ProcessorGuest {
  /** File in programs/processor, without its suffix. */
  readonly name: string;
  /** Bytes typed at the serial port before the guest starts. */
  readonly input?: string;
  readonly abi?: 'lp64d';
  /** The interrupt controller. */
  readonly aia?: 'aplic' | 'aplic-imsic';
}

export const processorGuests: readonly ProcessorGuest[] = [
  { name: 'traps' },
  { name: 'sv39' },
  { name: 'timer' },
  { name: 'interrupt-controller' },
  { name: 'aplic-direct', aia: 'aplic' },
  { name: 'interrupt-files', aia: 'aplic-imsic' },
  { name: 'serial-echo', input: 'hello from the Outside 123\n' },
  { name: 'misaligned' },
  { name: 'atomics' },
  { name: 'firmware-configuration' },
  { name: 'floating-point', abi: 'lp64d' },
];

const folder = 'test/guest/programs';
export function processorProgram(guest: ProcessorGuest): GuestProgram {
  const shared =
    guest.name === 'serial-echo' ? [] : [`${folder}/processor/processor.c`, `${folder}/processor/lower-mode.S`];
  return {
    name: guest.name,
    sources: [...bareMetal, `${folder}/finisher.c`, ...shared, `${folder}/processor/${guest.name}.c`],
    includes: [`${folder}/processor`],
    ...(guest.abi !== undefined && { abi: guest.abi }),
  };
}
