// The guest that is interrupted by messages: test/guest/programs/pci/msix.c.
import { bareMetal, type GuestProgram } from './harness/compiler';

const programs = 'test/guest/programs';
const sources = ['finisher.c', 'processor/processor.c', 'processor/lower-mode.S', 'pci/pci.c', 'pci/msix.c'];

/** @param flags switches of the compiler, such as `-DLEGACY` */
export function messageProgram(flags: readonly string[] = []): GuestProgram {
  return {
    name: 'msix',
    sources: [...bareMetal, ...sources.map((file) => `${programs}/${file}`)],
    includes: [`${programs}/processor`, `${programs}/pci`],
    flags,
  };
}
