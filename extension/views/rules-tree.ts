// The rule catalogue as a native checkbox tree: families, rules, mutes. A checked box stops, an unchecked one only reports.
import * as vscode from 'vscode';
import type { PolicyEntry } from '../debug/target';
import type { RuleSummary } from '../worker/rule-summary';
import { levelWord } from '../debug/violation-text';
import type { Mutes, Mute } from './mutes';
import type { Sessions } from './sessions';

type Node =
  | { readonly kind: 'family'; readonly id: string; readonly title: string; readonly description: string }
  | { readonly kind: 'rule'; readonly rule: RuleSummary }
  | { readonly kind: 'mutes' }
  | { readonly kind: 'mute'; readonly mute: Mute };

export interface RuleBook {
  readonly families: readonly { readonly id: string; readonly title: string; readonly description: string }[];
  readonly rules: readonly RuleSummary[];
}

export class RulesTree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly change = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.change.event;
  private readonly subscriptions: vscode.Disposable[];
  private choices: readonly PolicyEntry[];

  constructor(
    private readonly book: RuleBook,
    private readonly sessions: Sessions,
    private readonly mutes: Mutes,
    private readonly memory: vscode.Memento,
  ) {
    this.choices = memory.get<PolicyEntry[]>('ringside.ruleChoices', []);
    const view = vscode.window.createTreeView('ringside.rules', {
      treeDataProvider: this,
      manageCheckboxStateManually: true,
    });
    this.subscriptions = [
      view,
      view.onDidChangeCheckboxState((event) => void this.check(event.items)),
      // A guest that runs without debugging reports and never stops.
      sessions.onStart((session) => {
        if (session.debugSession.configuration['noDebug'] !== true)
          void sessions.setPolicyOf(session, 'tree', this.choices);
      }),
      sessions.onChange(() => this.change.fire()),
      sessions.onViolation(() => this.change.fire()),
      mutes.onChange(() => this.change.fire()),
    ];
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.change.dispose();
  }

  getTreeItem(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case 'family': {
        const item = new vscode.TreeItem(node.title, vscode.TreeItemCollapsibleState.Collapsed);
        const rules = this.rulesOf(node.id);
        const seen = this.seen((rule) => rule.family === node.id);
        item.id = `family ${node.id}`;
        item.description = `${rules.length} rules${seen > 0 ? ` · ${seen} broken` : ''}`;
        item.tooltip = node.description;
        item.checkboxState = rules.some((rule) => this.breaks(rule))
          ? vscode.TreeItemCheckboxState.Checked
          : vscode.TreeItemCheckboxState.Unchecked;
        return item;
      }
      case 'rule': {
        const { rule } = node;
        const item = new vscode.TreeItem(rule.title);
        const seen = this.seen((violation) => violation.rule === rule.id);
        item.id = `rule ${rule.id}`;
        item.description = `${levelWord[rule.level]} · ${rule.section}${seen > 0 ? ` · ${seen}×` : ''}`;
        item.tooltip = `${rule.id}\n\n${rule.why}`;
        item.contextValue = 'rule';
        item.checkboxState = this.breaks(rule)
          ? vscode.TreeItemCheckboxState.Checked
          : vscode.TreeItemCheckboxState.Unchecked;
        item.command = { command: 'ringside.explainRule', title: 'Explain', arguments: [rule.id] };
        return item;
      }
      case 'mutes': {
        const item = new vscode.TreeItem('Muted', vscode.TreeItemCollapsibleState.Expanded);
        item.iconPath = new vscode.ThemeIcon('bell-slash');
        item.description = String(this.mutes.list.length);
        item.contextValue = 'mutes';
        return item;
      }
      case 'mute': {
        const item = new vscode.TreeItem(
          this.book.rules.find((rule) => rule.id === node.mute.rule)?.title ?? node.mute.rule,
        );
        item.description = node.mute.device;
        item.tooltip = `${node.mute.rule} on ${node.mute.device} is reported but does not stop`;
        item.contextValue = 'mute';
        item.iconPath = new vscode.ThemeIcon('bell-slash');
        return item;
      }
    }
  }

  getChildren(node?: Node): Node[] {
    if (node === undefined) {
      const families = this.book.families
        .filter((family) => this.rulesOf(family.id).length > 0)
        .map((family): Node => ({ kind: 'family', ...family }));
      return this.mutes.list.length > 0 ? [{ kind: 'mutes' }, ...families] : families;
    }
    if (node.kind === 'family') return this.rulesOf(node.id).map((rule) => ({ kind: 'rule', rule }));
    if (node.kind === 'mutes') return this.mutes.list.map((mute) => ({ kind: 'mute', mute }));
    return [];
  }

  private rulesOf(family: string): readonly RuleSummary[] {
    return this.book.rules.filter((rule) => rule.family === family);
  }

  /** Whether the rule stops by what the tree alone says: its own choice, its family's, its level's. */
  private breaks(rule: RuleSummary): boolean {
    const choice =
      this.choices.find((entry) => entry.pattern === rule.id) ??
      this.choices.find((entry) => entry.pattern === rule.family);
    return choice === undefined ? rule.level === 'must' : choice.action === 'break';
  }

  private seen(matches: (violation: { rule: string; family: string }) => boolean): number {
    return [...(this.sessions.current?.violations.values() ?? [])].filter(matches).length;
  }

  private async check(items: readonly (readonly [Node, vscode.TreeItemCheckboxState])[]): Promise<void> {
    let choices = [...this.choices];
    for (const [node, state] of items) {
      const action = state === vscode.TreeItemCheckboxState.Checked ? 'break' : 'report';
      if (node.kind === 'family') {
        const ids = this.rulesOf(node.id).map((rule) => rule.id);
        choices = [
          ...choices.filter((entry) => entry.pattern !== node.id && !ids.includes(entry.pattern)),
          { pattern: node.id, action },
        ];
      } else if (node.kind === 'rule') {
        choices = [...choices.filter((entry) => entry.pattern !== node.rule.id), { pattern: node.rule.id, action }];
      }
    }
    this.choices = choices;
    await this.memory.update('ringside.ruleChoices', choices);
    await this.sessions.setPolicy('tree', choices);
    this.change.fire();
  }
}
