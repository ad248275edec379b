// Switches on what the engine knows of WebAssembly only behind a flag and what makes compiled guest code faster: multiplication and
// addition in one rounding, and hints which way branches go. [WebAssembly core 3.0, relaxed SIMD; code metadata, branch hinting]
import { setFlagsFromString } from 'node:v8';
import { knowsRelaxedMultiplyAdd } from '../../emulator/cpu/compiler/fuse';

/** From V8 13.6 on hints count without a flag. */
const hintsWithoutFlag = { major: 13, minor: 6 } as const;

function needsHintFlag(): boolean {
  const [major = 0, minor = 0] = process.versions.v8.split('.').map(Number);
  return major < hintsWithoutFlag.major || (major === hintsWithoutFlag.major && minor < hintsWithoutFlag.minor);
}

/**
 * Flags hold for the whole process, and neither changes what any program computes. To be called before the first machine is made;
 * where it has no effect slower code serves.
 */
export function allowEngineFeatures(): void {
  if (!knowsRelaxedMultiplyAdd()) setFlagsFromString('--experimental-wasm-relaxed-simd');
  if (needsHintFlag()) setFlagsFromString('--experimental-wasm-branch-hinting');
}
