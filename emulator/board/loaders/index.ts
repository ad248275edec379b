// Chooses the loader by what the file says about itself.
import { isElf, loadElf } from './elf';
import { loadImage } from './image';
import type { LoadedProgram, LoadSource, LoadSpace } from './program';

/**
 * @param rawAddress where a file that does not say so itself belongs
 * @throws LoadError
 */
export function loadProgram(source: LoadSource, ram: LoadSpace, rawAddress: number): LoadedProgram {
  if (isElf(source.bytes) || source.name.toLowerCase().endsWith('.elf')) return loadElf(source, ram);
  return loadImage(source, ram, rawAddress);
}
