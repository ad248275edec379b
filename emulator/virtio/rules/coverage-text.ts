// The catalogue and its coverage as documents: Markdown for people, JSON for tools. Both are projections of the tables.
import type { Rule } from './rule';
import { type Coverage, type CoverageCount, countCoverage, ancestorCoverage, statementCoverage } from './coverage';
import { families, familyNames } from './families';
import { catalogue } from './index';
import { sectionLink } from './links';

/** The page of rules: what each demands, and a line for every statement and every ancestor's check. */
export function rulesMarkdown(): string {
  const targets = statementCoverage('target');
  const advisory = statementCoverage('advisory');
  const ancestors = ancestorCoverage();
  return [
    '# Rules',
    '',
    '<!-- Generated from the catalogue: change emulator/virtio/rules and generate it again. -->',
    '',
    `Ringside judges ${catalogue.length} rules. Each has an id, a level and the statements of virtio 1.4 that it covers. *must*: a demand of the`,
    'specification; *should*: a recommendation; *hazard*: a mistake that the specification does not name, or that cannot be certain.',
    '',
    '| | total | covered by rules | planned | not seen |',
    '|---|---|---|---|---|',
    countLine('Statements that a machine can see a driver break', countCoverage(targets)),
    countLine('Recommendations that a machine can see', countCoverage(advisory)),
    countLine('Checks of lguest and Akaros', countCoverage(ancestors)),
    '',
    '## Catalogue',
    ...familyNames.flatMap(familyChapter),
    '',
    '## Statements that a machine can see a driver break',
    ...statementTables(targets),
    '',
    '## Recommendations that a machine can see',
    ...statementTables(advisory),
    '',
    '## Checks of lguest and Akaros',
    '',
    ...table(ancestors, ({ subject }) => subject.section),
    '',
  ].join('\n');
}

/** The same as data, indented by two. */
export function rulesJson(): string {
  const lines = <T extends { readonly id: string; readonly section: string }>(
    coverage: readonly Coverage<T>[],
  ): object[] =>
    coverage.map(({ subject, rules, reason }) => ({
      id: subject.id,
      section: subject.section,
      rules,
      ...(reason !== undefined && { without: reason.kind, why: reason.why }),
    }));
  const document = {
    rules: catalogue.map(ruleObject),
    statements: lines(statementCoverage('target')),
    recommendations: lines(statementCoverage('advisory')),
    ancestors: lines(ancestorCoverage()),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function ruleObject(rule: Rule): object {
  const { id, title, level, family, blames, why, fix, section, link, covers, ancestors } = rule;
  return { id, title, level, family, blames, why, fix, section, link, statements: covers, ancestors };
}

function countLine(title: string, count: CoverageCount): string {
  return `| ${title} | ${count.total} | ${count.ruled} | ${count.planned} | ${count.notSeen} |`;
}

function familyChapter(name: (typeof familyNames)[number]): readonly string[] {
  const rules = catalogue.filter((rule) => rule.family === name);
  const { title, meaning } = families[name];
  const head = ['', `### ${title} (\`${name}\`)`, '', meaning];
  return rules.length === 0 ? head : [...head, ...rules.flatMap(ruleText)];
}

function ruleText(rule: Rule): readonly string[] {
  const statements = rule.covers.length === 0 ? '' : ` Covers ${rule.covers.map(code).join(', ')}.`;
  return [
    '',
    `#### \`${rule.id}\`: ${rule.title}`,
    '',
    `*${rule.level}*, section ${linked(rule.section)}, blames the ${rule.blames}.${statements}`,
    '',
    rule.why,
    '',
    `**Fix:** ${rule.fix} [Wrong and right](rules/${rule.id}.md).`,
  ];
}

function statementTables(lines: ReturnType<typeof statementCoverage>): readonly string[] {
  const areas = [...new Set(lines.map(({ subject }) => subject.area))];
  return areas.flatMap((area) => {
    const own = lines.filter(({ subject }) => subject.area === area);
    const { total, ruled } = countCoverage(own);
    const rows = table(own, ({ subject }) => linked(subject.section));
    return ['', `### ${area}: ${ruled} of ${total} covered`, '', ...rows];
  });
}

function table<T extends { readonly id: string }>(
  lines: readonly Coverage<T>[],
  section: (line: Coverage<T>) => string,
): readonly string[] {
  return [
    '| id | section | rules, or why there is none |',
    '|---|---|---|',
    ...lines.map((line) => `| ${code(line.subject.id)} | ${section(line)} | ${outcome(line)} |`),
  ];
}

function outcome({ rules, reason }: Coverage<unknown>): string {
  return rules.length > 0 ? rules.map(code).join(', ') : (reason?.why ?? '');
}

const code = (text: string): string => `\`${text}\``;
const linked = (section: string): string => `[${section}](${sectionLink(section)})`;
