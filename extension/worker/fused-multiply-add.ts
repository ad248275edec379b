// Lets compiled guest code multiply and add in one rounding where the host can. [WebAssembly core 3.0, relaxed SIMD]
import { setFlagsFromString } from 'node:v8';
import { knowsRelaxedMultiplyAdd } from '../../emulator/cpu/compiler/fuse';

/**
 * Engines of before 2023 know the instruction only behind a flag, which holds for the whole process. To be called before the first
 * machine is made; where it has no effect the exact, slower functions serve.
 */
export function allowFusedMultiplyAdd(): void {
  if (!knowsRelaxedMultiplyAdd()) setFlagsFromString('--experimental-wasm-relaxed-simd');
}
