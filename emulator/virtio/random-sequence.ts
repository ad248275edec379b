// A deterministic sequence of random bytes: equal seeds give equal sequences. Not for secrets.

/** xorshift128 over four 32-bit words, seeded through a splitmix step so that close seeds give unrelated sequences. */
export class RandomSequence {
  private words: [number, number, number, number];

  /** @param name distinguishes sequences drawn from one seed */
  constructor(seed: number, name: string) {
    let state = (seed ^ Math.floor(seed / 2 ** 32)) | 0;
    for (let i = 0; i < name.length; i++) state = Math.imul(state ^ name.charCodeAt(i), 0x01000193);
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = state;
      mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
      return (mixed ^ (mixed >>> 16)) >>> 0;
    };
    // The all-zero state would stay zero for ever.
    this.words = [next() | 1, next(), next(), next()];
  }

  bytes(length: number): Uint8Array {
    const result = new Uint8Array(length);
    for (let i = 0; i < length; i += 4) {
      const word = this.word();
      for (let k = 0; k < 4 && i + k < length; k++) result[i + k] = word >>> (8 * k);
    }
    return result;
  }

  save(): readonly number[] {
    return [...this.words];
  }
  restore(words: readonly number[]): void {
    const [a = 1, b = 0, c = 0, d = 0] = words;
    this.words = [a, b, c, d];
  }

  private word(): number {
    const [a, b, c, d] = this.words;
    let mixed = a ^ (a << 11);
    mixed = (mixed ^ (mixed >>> 8) ^ d ^ (d >>> 19)) >>> 0;
    this.words = [b, c, d, mixed];
    return mixed;
  }
}
