// The benchmark's guests: bare-metal C, one for each kind of work. Each prints "begin", works, and prints its result.
import { bareMetal, type GuestProgram } from '../guest/harness/compiler';

export interface BenchGuest {
  /** File in programs/, without its suffix. */
  readonly name: string;
  readonly rounds: number;
  readonly abi?: 'lp64d';
}

export const benchGuests: readonly BenchGuest[] = [
  { name: 'integer', rounds: 60 },
  { name: 'floating-point', rounds: 40, abi: 'lp64d' },
  { name: 'virtual-memory', rounds: 6000 },
  { name: 'traps', rounds: 400 },
];

export function benchProgram({ name, rounds, abi }: BenchGuest, scale: number): GuestProgram {
  const processor = 'test/guest/programs/processor';
  return {
    name,
    sources: [
      ...bareMetal,
      'test/guest/programs/finisher.c',
      `${processor}/processor.c`,
      `${processor}/lower-mode.S`,
      `test/bench/programs/${name}.c`,
    ],
    includes: [processor],
    optimisation: '-O2',
    flags: [`-DROUNDS=${Math.max(1, Math.round(rounds * scale))}`],
    ...(abi !== undefined && { abi }),
  };
}
