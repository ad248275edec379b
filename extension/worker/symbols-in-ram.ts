// Where a guest that is linked to run behind its own page tables lies in RAM: until it turns them on it runs at other addresses than its
// symbols say, and breakpoints and lines are wanted there too.
import { isElf } from '../../emulator/board/loaders/elf';
import { firmwareAddress, kernelAddressUnderFirmware, ramBase } from '../../emulator/board/memory-map';
import type { MachineConfiguration } from '../../emulator/configuration';
import type { Symbols } from '../symbols';

type Placement = Pick<MachineConfiguration, 'bios' | 'guest' | 'memoryBytes'>;

/**
 * The same symbols at the physical addresses where the guest is loaded; `undefined` when they are right as they are, or nothing is known.
 * @param ofGuest whether the symbols come from the very file that is loaded
 */
export function symbolsInRam(symbols: Symbols, ofGuest: boolean, machine: Placement): Symbols | undefined {
  const bias = ofGuest ? biasOfElf(symbols) : biasOfImage(symbols, machine);
  return bias === undefined || bias === 0n ? undefined : symbols.rebased(bias);
}

/** An ELF file says itself where each segment goes. */
function biasOfElf({ segments }: Symbols): bigint | undefined {
  const code = segments.find(({ executable }) => executable);
  return code === undefined ? undefined : code.physicalAddress - code.address;
}

/** A raw image begins with the lowest segment of the ELF file that it was made from. */
function biasOfImage({ segments }: Symbols, { bios, guest, memoryBytes }: Placement): bigint | undefined {
  if (guest === undefined || isElf(guest.bytes)) return undefined;
  const [first, ...others] = segments.map(({ address }) => address);
  if (first === undefined) return undefined;
  const lowest = others.reduce((least, address) => (address < least ? address : least), first);
  const isInRam = lowest >= BigInt(ramBase) && lowest < BigInt(ramBase + memoryBytes);
  if (isInRam) return undefined;
  return BigInt(bios.kind === 'none' ? firmwareAddress : kernelAddressUnderFirmware) - lowest;
}
