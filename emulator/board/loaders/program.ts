// What a loader found in a file: pieces of guest memory and where execution may begin. Shared by the loaders.
import type { LoadAttribute } from './load-error';

export interface LoadedPiece {
  /** Guest-physical address. */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Memory that the piece takes; what the bytes do not cover is zero. At least `bytes.length`. */
  readonly memoryBytes: number;
  /** Whether its first byte may be an instruction. */
  readonly holdsCode: boolean;
}

export interface LoadedProgram {
  readonly format: 'ELF' | 'Linux Image' | 'raw';
  /** In ascending order of address, at least one. */
  readonly pieces: readonly LoadedPiece[];
  /** Where execution begins, guest-physical. */
  readonly start: number;
}

/** The file being loaded and what to blame. */
export interface LoadSource {
  readonly attribute: LoadAttribute;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Guest RAM. */
export interface LoadSpace {
  readonly base: number;
  readonly sizeBytes: number;
}
