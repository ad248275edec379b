// How much of the specification, and of what older machines checked, the catalogue covers. Pure functions over the tables.
// [virtio 1.4, all requirements sections]
import { type AncestorCheck, ancestorChecks, type Statement, statements } from '../spec/statements';
import { type Reason, reasonFor } from './coverage-reasons';
import { catalogue } from './index';

/** What becomes of one statement or check: rules that judge it, or why there is none. */
export interface Coverage<T> {
  readonly subject: T;
  /** Ids of rules. */
  readonly rules: readonly string[];
  /** Undefined where there is a rule, and, which is a mistake, where nobody has said why there is none. */
  readonly reason: Reason | undefined;
}

export interface CoverageCount {
  readonly total: number;
  readonly ruled: number;
  readonly planned: number;
  readonly notSeen: number;
}

function coverageOf<T extends { readonly id: string }>(
  subjects: readonly T[],
  covers: (rule: (typeof catalogue)[number]) => readonly string[],
): readonly Coverage<T>[] {
  const rules = new Map<string, string[]>();
  for (const rule of catalogue) for (const id of covers(rule)) rules.set(id, [...(rules.get(id) ?? []), rule.id]);
  return subjects.map((subject) => {
    const own = rules.get(subject.id) ?? [];
    return { subject, rules: own, reason: own.length === 0 ? reasonFor(subject.id) : undefined };
  });
}

/** Statements that a machine can see a driver break: `target` are musts, `advisory` shoulds. */
export function statementCoverage(kind: 'target' | 'advisory'): readonly Coverage<Statement>[] {
  return coverageOf(
    statements.filter((statement) => statement.kind === kind),
    (rule) => rule.covers,
  );
}

/** Checks of lguest and Akaros. */
export function ancestorCoverage(): readonly Coverage<AncestorCheck>[] {
  return coverageOf(ancestorChecks, (rule) => rule.ancestors);
}

export function countCoverage(lines: readonly Coverage<unknown>[]): CoverageCount {
  return {
    total: lines.length,
    ruled: lines.filter(({ rules }) => rules.length > 0).length,
    planned: lines.filter(({ reason }) => reason?.kind === 'planned').length,
    notSeen: lines.filter(({ reason }) => reason?.kind === 'not seen').length,
  };
}
