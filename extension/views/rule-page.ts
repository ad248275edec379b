// The page of a rule as a read-only Markdown document, opened from the stop, from Problems and from the tree. Its text is the catalogue's.
import * as vscode from 'vscode';
import { rulePage } from '../../emulator/virtio/rules/page';
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

function pageUri(id: string): vscode.Uri {
  return vscode.Uri.from({ scheme: ruleScheme, path: `/${id}.md` });
}

export async function openRulePage(id: string): Promise<void> {
  await vscode.commands.executeCommand('markdown.showPreview', pageUri(id));
}
