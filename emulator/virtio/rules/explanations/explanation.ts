// What a rule's page says beyond the catalogue's row: the demand itself, what goes wrong where, and a driver that does it wrong and right.
// The excerpts are ours. `write32` and `read32` access a register, `fence(w, r)` is `fence w,r` for processor and compiler, `readable` and
// `writable` make a descriptor that the device reads or writes, `accepted` holds the negotiated features; everything else is ordinary C.

export interface Explanation {
  /** The demand, in one or two sentences of our own. */
  readonly demanded: string;
  /** On which devices or machines the mistake shows, and how. */
  readonly hardware: string;
  readonly wrong: string;
  readonly right: string;
}

export type ExplanationTable = Readonly<Record<string, Explanation>>;
