// A seeded source of random numbers for tests.

/** Evenly distributed numbers, the same for the same seed. */
export interface Random {
  /** An unsigned number of so many bits, 1 to 64. */
  bits(count: number): bigint;
  below(limit: number): number;
  /** True once in so many times. */
  once(times: number): boolean;
  pick<T>(choices: readonly [T, ...T[]] | readonly T[]): T;
  /** The keys of a table of weights. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K;
}

export function seededRandom(seed: string): Random {
  let state = 0xcbf29ce484222325n;
  for (const character of seed) state = BigInt.asUintN(64, (state ^ BigInt(character.charCodeAt(0))) * 0x100000001b3n);
  // SplitMix64.
  const next = (): bigint => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let mixed = BigInt.asUintN(64, (state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    return mixed ^ (mixed >> 31n);
  };
  const below = (limit: number): number => Number(next() % BigInt(limit));
  return {
    bits: (count) => next() >> BigInt(64 - count),
    below,
    once: (times) => below(times) === 0,
    pick: (choices) => {
      const index = below(choices.length);
      const choice = choices[index];
      if (choice === undefined) throw new RangeError('pick needs choices');
      return choice;
    },
    weighted: <K extends string>(weights: Readonly<Record<K, number>>): K => {
      const entries = Object.entries(weights) as [K, number][];
      let left = below(entries.reduce((sum, [, weight]) => sum + weight, 0));
      for (const [key, weight] of entries) {
        left -= weight;
        if (left < 0) return key;
      }
      throw new RangeError('weighted needs weights');
    },
  };
}
