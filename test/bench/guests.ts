// The benchmark's guests: bare-metal C, one for each kind of work. Each prints "begin", works, and prints its result.
import { bareMetal, type GuestProgram } from '../guest/harness/compiler';

export interface BenchGuest {
  /** File in programs/, without its suffix. */
  readonly name: string;
  readonly rounds: number;
  readonly abi?: 'lp64d';
  /** One of the four classes that the geometric mean is of. */
  readonly isClass: boolean;
  /** The sample's block driver is linked in, and there is a disk. */
  readonly usesDisk?: boolean;
  /** The program's own driver makes so many requests, of this device in this format of ring. */
  readonly requests?: { readonly device: 'block' | 'net'; readonly ring: 'split' | 'packed' };
}

export const benchGuests: readonly BenchGuest[] = [
  { name: 'integer', rounds: 60, isClass: true },
  { name: 'floating-point', rounds: 40, abi: 'lp64d', isClass: true },
  { name: 'virtual-memory', rounds: 6000, isClass: true },
  { name: 'traps', rounds: 400, isClass: true },
  { name: 'many-pages', rounds: 6000, isClass: false },
  { name: 'ring', rounds: 500, isClass: false, usesDisk: true },
];

/** Requests one after another, by their rate. */
export const requestGuests: readonly BenchGuest[] = (['block', 'net'] as const).flatMap((device) =>
  (['split', 'packed'] as const).map((ring) => ({
    name: 'requests',
    rounds: 10_000,
    isClass: false,
    requests: { device, ring },
  })),
);

export function benchProgram({ name, rounds, abi, usesDisk, requests }: BenchGuest, scale: number): GuestProgram {
  const processor = 'test/guest/programs/processor';
  const support =
    usesDisk === true
      ? ['plic.c', 'trap.c', 'virtio_mmio.c', 'virtqueue.c', 'virtio_blk.c'].map((file) => `media/sample/${file}`)
      : requests !== undefined
        ? ['media/sample/plic.c', 'media/sample/trap.c']
        : ['test/guest/programs/finisher.c', `${processor}/processor.c`, `${processor}/lower-mode.S`];
  return {
    name,
    sources: [...bareMetal, ...support, `test/bench/programs/${name}.c`],
    includes: [processor],
    optimisation: '-O2',
    flags: [`-DROUNDS=${Math.max(1, Math.round(rounds * scale))}`],
    ...(abi !== undefined && { abi }),
  };
}
