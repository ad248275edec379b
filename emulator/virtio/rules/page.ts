// The page of one rule as Markdown, for docs/rules/ and for the editor: what is demanded, why, what goes wrong where, a driver that does
// it wrong and right, and its neighbours. A projection of the catalogue and the explanations.
import type { Blame, RuleLevel } from '../violation';
import { pciNamesIn } from '../transport/register-names';
import { explanationOf } from './explanations';

/** What the page needs of a rule. */
export interface PageRule {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly fix: string;
  readonly level: RuleLevel;
  readonly family: string;
  readonly blames: string;
  readonly section: string;
  readonly link: string;
  readonly covers: readonly string[];
  /** Absent: it may be judged on every transport. */
  readonly needs?: { readonly transport?: string };
}

const levelText: Readonly<Record<RuleLevel, string>> = {
  must: 'MUST: the specification demands it',
  should: 'SHOULD: the specification recommends it',
  hazard: 'Hazard: a mistake that the specification does not name, or that cannot be certain',
};

const whereItStops: Readonly<Record<Blame, string>> = {
  access:
    'In front of the access that breaks the rule: the value is shown and has not been stored. Continue executes it once.',
  'descriptor store':
    'At the next step boundary after the chain was exposed; the line shown is the store that wrote the descriptor.',
  publish: 'At the next step boundary after the available index moved; the line shown is the store that moved it.',
  'missing action': 'When the action has not come in time; the line shown is the access after which it was due.',
  device: 'At the next step boundary. No line of the guest is to blame.',
};
const isBlame = (text: string): text is Blame => Object.hasOwn(whereItStops, text);

/** Pages lie beside each other, each under its rule's id. */
export function rulePage(rule: PageRule, all: readonly PageRule[]): string {
  const explanation = explanationOf(rule.id);
  const related = relatedRules(rule, all);
  return [
    `# ${rule.title}`,
    '',
    `\`${rule.id}\` · ${levelText[rule.level]} · [virtio 1.4, ${rule.section}](${rule.link})`,
    '',
    ...(explanation === undefined ? [] : ['## What is demanded', '', explanation.demanded, '']),
    '## Why',
    '',
    rule.why,
    '',
    ...(explanation === undefined ? [] : ['## What goes wrong, and where', '', explanation.hardware, '']),
    '## What to do',
    '',
    rule.fix,
    '',
    ...namesOnPci(rule),
    ...(explanation === undefined
      ? []
      : ['Wrong:', '', '```c', explanation.wrong, '```', '', 'Right:', '', '```c', explanation.right, '```', '']),
    '## Where Ringside stops',
    '',
    isBlame(rule.blames) ? whereItStops[rule.blames] : '',
    '',
    rule.covers.length === 0
      ? 'No keyword of the specification demands this; it follows from what it describes.'
      : `Covers the normative statements ${rule.covers.map((id) => `\`${id}\``).join(', ')}.`,
    '',
    ...(related.length === 0
      ? []
      : ['## Related rules', '', ...related.map(({ id, title }) => `- [${title}](${id}.md) (\`${id}\`)`), '']),
  ].join('\n');
}

/** Rules and excerpts use the names of virtio-mmio. */
function namesOnPci({ id, title, why, fix, needs }: PageRule): readonly string[] {
  if (needs?.transport === 'mmio') return [];
  const explanation = explanationOf(id);
  const { demanded = '', hardware = '', wrong = '', right = '' } = explanation ?? {};
  const names = pciNamesIn(title, why, fix, demanded, hardware, wrong, right);
  if (names.length === 0) return [];
  return [`On virtio-pci ${names.map(([mmio, pci]) => `\`${mmio}\` is \`${pci}\``).join(', ')}.`, ''];
}

const mostRelated = 6;
const leastKinship = 3;

/** The nearest neighbours, nearest first: rules that share the words of their ids, the section or the statements. */
function relatedRules(rule: PageRule, all: readonly PageRule[]): readonly PageRule[] {
  return all
    .filter((other) => other.id !== rule.id)
    .map((other) => ({ other, kinship: kinship(rule, other) }))
    .filter((candidate) => candidate.kinship >= leastKinship)
    .sort((a, b) => b.kinship - a.kinship)
    .slice(0, mostRelated)
    .map(({ other }) => other);
}

function kinship(rule: PageRule, other: PageRule): number {
  const ours = wordsOf(rule.id);
  const shared = wordsOf(other.id).filter((word) => ours.includes(word)).length;
  const statements = other.covers.filter((id) => rule.covers.includes(id)).length;
  return (
    2 * shared +
    2 * Math.min(statements, 1) +
    2 * Number(rule.section === other.section) +
    Number(rule.family === other.family)
  );
}

/** What an id is about: its words, without those that say nothing alone. */
const wordsOf = (id: string): readonly string[] => id.split(/[.-]/).filter((word) => !fillers.has(word));
const fillers: ReadonlySet<string> = new Set([
  'not',
  'no',
  'in',
  'of',
  'after',
  'before',
  'and',
  'the',
  'with',
  'without',
]);
