// Every explanation, by the id of its rule. A rule without one has a page all the same, with what its row says.
import { dialectExplanations } from './dialects';
import type { Explanation } from './explanation';
import { handshakeExplanations } from './handshake';
import { requestExplanations } from './requests';
import { ringExplanations } from './rings';
import { setupExplanations } from './setup';

export type { Explanation } from './explanation';

const all: ReadonlyMap<string, Explanation> = new Map(
  [handshakeExplanations, dialectExplanations, setupExplanations, ringExplanations, requestExplanations].flatMap(
    (table) => Object.entries(table),
  ),
);

export function explanationOf(rule: string): Explanation | undefined {
  return all.get(rule);
}
export const explainedRules: readonly string[] = [...all.keys()];
