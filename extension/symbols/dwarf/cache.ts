// A bounded memory of what has been parsed; what was not used for longest goes first.

export class ParsedCache<Key, Value> {
  readonly #entries = new Map<Key, { value: Value; weight: number }>();
  #weight = 0;

  /** `capacity` is in the unit of the weights given to `get`. */
  constructor(readonly capacity: number) {}

  get(key: Key, make: () => { value: Value; weight: number }): Value {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.value;
    }
    const made = make();
    this.#entries.set(key, made);
    this.#weight += made.weight;
    for (const [oldest, { weight }] of this.#entries) {
      if (this.#weight <= this.capacity || oldest === key) break;
      this.#entries.delete(oldest);
      this.#weight -= weight;
    }
    return made.value;
  }
}
