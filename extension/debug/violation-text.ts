// A violation as plain text, for the exception widget and the console, and as fields for conditions.
import type { ConditionValue } from './condition';
import type { ViolationReport } from './target';

export const levelWord = { must: 'MUST', should: 'SHOULD', hazard: 'hazard' } as const;

/** One line: what, where, by which clause. */
export function violationTitle(violation: ViolationReport): string {
  const queue = violation.queue === undefined ? '' : `, queue ${violation.queue}`;
  return `${violation.title} (${violation.device}${queue}; virtio 1.4, ${violation.section})`;
}

/** The body of the exception widget: plain text, because the widget shows no links. */
export function violationText(violation: ViolationReport): string {
  const lines = [
    violation.message,
    '',
    `Rule ${violation.rule} (${levelWord[violation.level]}, ${violation.family}), virtio 1.4 section ${violation.section}`,
    ...violation.evidence.map(({ name, value }) => `  ${name}: ${value}`),
  ];
  if (violation.related !== undefined) {
    const at = violation.related.source;
    lines.push(
      `Follows from: ${violation.related.description}${at === undefined ? '' : ` at ${fileName(at.file)}:${at.line}`}`,
    );
  }
  lines.push('', `Why: ${violation.why}`, `Fix: ${violation.fix}`);
  if (violation.beforeEffect)
    lines.push(
      '',
      'The access has not taken effect. Continue executes it once; it is not reported again before a reset.',
    );
  return lines.join('\n');
}

export function fileName(path: string): string {
  return path.split(/[\\/]/).at(-1) ?? path;
}

/** What a condition of an exception filter may name. */
export function violationFields(violation: ViolationReport): ReadonlyMap<string, ConditionValue> {
  const fields = new Map<string, ConditionValue>([
    ['rule', violation.rule],
    ['level', violation.level],
    ['family', violation.family],
    ['section', violation.section],
    ['device', violation.device],
    ['queue', violation.queue === undefined ? undefined : BigInt(violation.queue)],
    ['hart', BigInt(violation.hart)],
    ['pc', violation.pc],
    ['step', BigInt(violation.step)],
    ['count', BigInt(violation.count)],
    ['function', violation.function],
    ['file', violation.source === undefined ? undefined : fileName(violation.source.file)],
    ['line', violation.source === undefined ? undefined : BigInt(violation.source.line)],
    ['message', violation.message],
  ]);
  for (const { name, value } of violation.evidence) {
    const key = name.replace(/[^\w]+/g, '_');
    if (!fields.has(key)) fields.set(key, value);
  }
  return fields;
}
