// Says where a guest is lost: it traps, and the handler of the trap cannot be fetched either. [RISC-V priv. 3.1.15]
import type { MachineExit } from '../../emulator/machine';
import type { GuestSymbols } from './guest-symbols';

/** The exception causes that a guest that got lost meets. [RISC-V priv. 3.1.15] */
const causes: Readonly<Record<number, string>> = {
  0: 'instruction address misaligned',
  1: 'instruction access fault',
  2: 'illegal instruction',
  3: 'breakpoint',
  4: 'load address misaligned',
  5: 'load access fault',
  6: 'store address misaligned',
  7: 'store access fault',
  8: 'environment call from U-mode',
  9: 'environment call from S-mode',
  11: 'environment call from M-mode',
  12: 'instruction page fault',
  13: 'load page fault',
  15: 'store page fault',
};

/** One sentence about a guest that can only trap for ever. */
export function describeLost(exit: Extract<MachineExit, { kind: 'lost' }>, symbols: GuestSymbols): string {
  const cause = causes[exit.cause] ?? `cause ${exit.cause}`;
  return `The guest is lost: ${cause} at ${symbols.nameOf(exit.pc)} (pc 0x${exit.pc.toString(16)}, tval 0x${exit.tval.toString(16)}), and its trap handler cannot be fetched either. It can only trap for ever.`;
}
