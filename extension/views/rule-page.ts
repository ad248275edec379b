// The page of a rule as a read-only Markdown document: what is demanded, why, and how to fix it.
import * as vscode from 'vscode';
import { levelWord } from '../debug/violation-text';
import type { RuleSummary } from '../worker/rule-summary';

export const ruleScheme = 'ringside-rule';

export class RulePages implements vscode.TextDocumentContentProvider {
  constructor(private readonly rules: () => readonly RuleSummary[]) {}

  provideTextDocumentContent(uri: vscode.Uri): string {
    const id = uri.path.replace(/^\//, '').replace(/\.md$/, '');
    const rule = this.rules().find((one) => one.id === id);
    return rule === undefined
      ? `# ${id}\n\nThis version of Ringside has no such rule.\n`
      : rulePage(rule, this.rules());
  }
}

export function rulePage(rule: RuleSummary, all: readonly RuleSummary[]): string {
  const related = all.filter((one) => one.family === rule.family && one.id !== rule.id && one.section === rule.section);
  return [
    `# ${rule.title}`,
    '',
    `**${levelWord[rule.level]}** · ${rule.family} · \`${rule.id}\` · [virtio 1.4, ${rule.section}](${rule.link})`,
    '',
    '## Why it matters',
    '',
    rule.why,
    '',
    '## What to do',
    '',
    rule.fix,
    '',
    '## Where Ringside stops',
    '',
    whereItStops[rule.blames] ?? '',
    '',
    ...(rule.covers.length === 0
      ? ['No keyword of the specification demands this; it follows from what it describes.', '']
      : [`Covers the normative statements ${rule.covers.map((id) => `\`${id}\``).join(', ')}.`, '']),
    ...(related.length === 0
      ? []
      : ['## Rules of the same section', '', ...related.map((one) => `- ${one.title} (\`${one.id}\`)`), '']),
  ].join('\n');
}

const whereItStops: Readonly<Record<string, string>> = {
  access:
    'In front of the access that breaks the rule: the value is shown and has not been stored. Continue executes it once.',
  'descriptor store':
    'At the next step boundary after the chain was exposed; the line shown is the store that wrote the descriptor.',
  publish: 'At the next step boundary after the available index moved; the line shown is the store that moved it.',
  'missing action': 'When the action has not come in time; the line shown is the access after which it was due.',
};

export async function openRulePage(id: string): Promise<void> {
  const uri = vscode.Uri.from({ scheme: ruleScheme, path: `/${id}.md` });
  await vscode.commands.executeCommand('markdown.showPreview', uri);
}
