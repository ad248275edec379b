// Seeded random numbers for tests: equal seeds give equal tests. The generator is splitmix64.

export interface Random {
  /** 64 bits. */
  bits(): bigint;
  /** 32 bits, unsigned. */
  word(): number;
  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number;
  /** 64 bits with the values that break arithmetic made likely. */
  operand(): bigint;
  pick<T>(choices: readonly [T, ...T[]]): T;
}

const edges = [
  0n,
  1n,
  -1n,
  2n,
  31n,
  32n,
  63n,
  64n,
  1n << 31n,
  (1n << 31n) - 1n,
  -(1n << 31n),
  1n << 63n,
  (1n << 63n) - 1n,
];

export function randomFrom(seed: number): Random {
  let state = BigInt.asUintN(64, BigInt(seed) * 0x9e37_79b9_7f4a_7c15n);
  const bits = (): bigint => {
    state = BigInt.asUintN(64, state + 0x9e37_79b9_7f4a_7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    return z ^ (z >> 31n);
  };
  const word = (): number => Number(bits() & 0xffff_ffffn);
  const below = (limit: number): number => word() % limit;
  return {
    bits,
    word,
    below,
    operand: () => {
      const choice = below(8);
      if (choice < 3) return BigInt.asUintN(64, edges[below(edges.length)] ?? 0n);
      if (choice < 5) return BigInt.asUintN(64, BigInt.asIntN(8 * (1 + below(8)), bits()));
      return bits();
    },
    pick: (choices) => choices[below(choices.length)] ?? choices[0],
  };
}
