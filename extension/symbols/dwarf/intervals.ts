// Which of many address ranges contain an address. Ranges may nest and overlap.

/** Ranges in columns, ordered by their low end. Values are numbers that mean something to the owner. */
export class IntervalIndex {
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  readonly #value: Uint32Array;
  /** Greatest high end of this range and all before it: where a search backwards may stop. */
  readonly #reach: Float64Array;

  constructor(ranges: readonly { readonly low: number; readonly high: number; readonly value: number }[]) {
    const sorted = ranges.filter((range) => range.high > range.low).sort((a, b) => a.low - b.low || b.high - a.high);
    this.#low = Float64Array.from(sorted, (range) => range.low);
    this.#high = Float64Array.from(sorted, (range) => range.high);
    this.#value = Uint32Array.from(sorted, (range) => range.value);
    this.#reach = new Float64Array(sorted.length);
    let reach = -Infinity;
    sorted.forEach((range, i) => {
      reach = Math.max(reach, range.high);
      this.#reach[i] = reach;
    });
  }

  get size(): number {
    return this.#low.length;
  }

  /** Number of ranges that begin at or below an address. */
  #position(address: number): number {
    let below = 0;
    let above = this.#low.length;
    while (below < above) {
      const middle = (below + above) >>> 1;
      if ((this.#low[middle] ?? 0) <= address) below = middle + 1;
      else above = middle;
    }
    return below;
  }

  /** Values of the ranges that contain the address, the one that begins last (the innermost, when they nest) first. */
  *containing(address: number): Generator<{ value: number; low: number; high: number }> {
    for (let i = this.#position(address) - 1; i >= 0 && (this.#reach[i] ?? -Infinity) > address; i--) {
      const high = this.#high[i] ?? 0;
      if (address < high) yield { value: this.#value[i] ?? 0, low: this.#low[i] ?? 0, high };
    }
  }

  contains(address: number): boolean {
    return this.containing(address).next().done !== true;
  }

  /** Where the next range above an address begins. */
  nextLow(address: number): number | undefined {
    return this.#low[this.#position(address)];
  }
}
