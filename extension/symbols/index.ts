// ELF and DWARF of RISC-V 64 guests: symbols, lines, functions, call stacks and variables. Pure ES2022: bytes in, answers out.
import type { LoadOptions, Symbols } from './contract';
import { ImageSymbols } from './symbols';

export { backtrace } from './backtrace';
export * from './contract';

/** Reads an image's headers and indexes. Throws `SymbolError` when it is not a 64-bit little-endian RISC-V ELF file. */
export function loadSymbols(image: Uint8Array, options: LoadOptions = {}): Symbols {
  return ImageSymbols.load(image, options);
}
