// The rule catalogue: every rule, in the order in which one access is judged.
import type { Rule } from './rule';

export { families, familyNames, type FamilyName } from './families';
export type { Finding, Rule, RuleContext } from './rule';

export const catalogue: readonly Rule[] = [];

const byId = new Map(catalogue.map((row) => [row.id, row]));

/** The rule with this id, or undefined. */
export function ruleById(id: string): Rule | undefined {
  return byId.get(id);
}
