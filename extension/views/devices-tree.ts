// The guest's devices as a native tree: status, queues, violations, and data breakpoints of the inspector. Drawn from the same pictures as the inspector.
import * as vscode from 'vscode';
import type { Screen } from '../../webview/model/messages';
import type { ViolationReport } from '../debug/target';
import { fileName, levelWord } from '../debug/violation-text';
import type { DataBreakpoints } from './data-breakpoints';
import type { Sessions, ViewedSession } from './sessions';

type Node =
  | { readonly kind: 'device'; readonly session: ViewedSession; readonly name: string; readonly type: string }
  | {
      readonly kind: 'fact';
      readonly label: string;
      readonly description: string;
      readonly tooltip?: string;
      readonly icon: string;
      /** What the inspector shows of it. */
      readonly opens: readonly [device: string, screen: Screen, queue?: number];
    }
  | { readonly kind: 'violation'; readonly violation: ViolationReport }
  | { readonly kind: 'data-breakpoint'; readonly dataId: string };

/** While the guest runs, the tree is refreshed this often at most. */
const refreshMilliseconds = 500;

export class DevicesTree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly change = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.change.event;
  private readonly subscriptions: vscode.Disposable[];
  private timer: NodeJS.Timeout | undefined;
  private readonly view: vscode.TreeView<Node>;

  constructor(
    private readonly sessions: Sessions,
    private readonly dataBreakpoints: DataBreakpoints,
  ) {
    this.view = vscode.window.createTreeView('ringside.devices', { treeDataProvider: this });
    this.subscriptions = [
      this.view,
      sessions.onChange(() => this.refreshSoon(0)),
      sessions.onViolation(() => this.refreshSoon(refreshMilliseconds)),
      dataBreakpoints.onChange(() => this.refreshSoon(0)),
      vscode.debug.onDidChangeActiveDebugSession(() => this.refreshSoon(0)),
      // A view that has just become visible loads by itself; a refresh in the middle of that would lose its children.
      this.view.onDidChangeVisibility(() => this.refreshSoon(refreshMilliseconds)),
    ];
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const subscription of this.subscriptions) subscription.dispose();
    this.change.dispose();
  }

  getTreeItem(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case 'device': {
        const item = new vscode.TreeItem(node.name, vscode.TreeItemCollapsibleState.Expanded);
        const count = violationsOf(node.session, node.name).length;
        item.id = `${node.session.id}/${node.name}`;
        item.description =
          count === 0 ? node.type : `${node.type} · ${count} ${count === 1 ? 'violation' : 'violations'}`;
        item.iconPath = new vscode.ThemeIcon(
          { block: 'database', console: 'terminal', entropy: 'symbol-numeric', net: 'broadcast' }[node.type] ??
            'circuit-board',
        );
        item.command = { command: 'ringside.openInspector', title: 'Open Inspector', arguments: [node.name] };
        item.tooltip = `Show ${node.name} in the inspector`;
        return item;
      }
      case 'fact': {
        const item = new vscode.TreeItem(node.label);
        item.description = node.description;
        item.iconPath = new vscode.ThemeIcon(node.icon);
        item.tooltip = node.tooltip ?? `${node.label}: ${node.description}`;
        item.command = { command: 'ringside.openInspector', title: 'Open Inspector', arguments: [...node.opens] };
        return item;
      }
      case 'violation': {
        const { violation } = node;
        // Under a device the subject of nearly all titles goes without saying, and the view is narrow.
        const brief = violation.title.replace(/^Driver /, '');
        const item = new vscode.TreeItem(brief.charAt(0).toUpperCase() + brief.slice(1));
        const where =
          violation.source === undefined
            ? violation.function
            : `${fileName(violation.source.file)}:${violation.source.line}`;
        item.description = `${where}${violation.count > 1 ? ` · ${violation.count}×` : ''}`;
        item.iconPath = new vscode.ThemeIcon(
          violation.level === 'must' ? 'error' : 'warning',
          new vscode.ThemeColor(violation.level === 'must' ? 'list.errorForeground' : 'list.warningForeground'),
        );
        item.tooltip = `${violation.title}\n${levelWord[violation.level]} · virtio 1.4, ${violation.section}\n${violation.message}`;
        item.contextValue = 'violation';
        if (violation.source !== undefined)
          item.command = {
            command: 'ringside.goToSource',
            title: 'Go to Source',
            arguments: [violation.source.file, violation.source.line],
          };
        return item;
      }
      case 'data-breakpoint': {
        const [place = '', bytes = ''] = node.dataId.replace('physical:', '').split('/');
        const item = new vscode.TreeItem(`Break when ${place} changes`);
        item.description = `${bytes} ${bytes === '1' ? 'byte' : 'bytes'}, guest-physical`;
        item.iconPath = new vscode.ThemeIcon('debug-breakpoint-data');
        item.contextValue = 'data-breakpoint';
        return item;
      }
    }
  }

  async getChildren(node?: Node): Promise<Node[]> {
    const session = node?.kind === 'device' ? node.session : this.sessions.current;
    if (session === undefined) return [];
    if (node === undefined) return this.roots(session);
    if (node.kind !== 'device') return [];
    const found = violationsOf(session, node.name).map((violation): Node => ({ kind: 'violation', violation }));
    try {
      const picture =
        session.standing === 'ended'
          ? session.pictures.get(node.name)
          : await session.target.inspect({ device: node.name });
      const device = picture?.device ?? null;
      if (device === null) return found;
      const facts = device.queues.map((queue): Node => ({
        kind: 'fact',
        label: queue.name,
        description: `queue ${queue.index} · ${queue.ready ? `${queue.size} entries · ${queue.caption}` : 'not ready'}`,
        icon: queue.ready ? 'list-ordered' : 'circle-slash',
        opens: [node.name, 'queues', queue.index],
      }));
      return [
        {
          kind: 'fact',
          label: 'Status',
          description: device.handshake.status,
          icon: 'pulse',
          opens: [node.name, 'overview'],
        },
        ...device.identity
          .filter(({ name }) => name === 'Mood')
          .map(({ name, value }): Node => ({
            kind: 'fact',
            label: name,
            description: value,
            tooltip: `This device behaves in unusual but legal ways: ${value}`,
            icon: 'beaker',
            opens: [node.name, 'overview'],
          })),
        ...facts,
        ...found,
      ];
    } catch {
      // The session ended while the tree was being drawn; what is known is what was found.
      return found;
    }
  }

  /** The view's title says whose devices these are, as soon as there is a choice. */
  private roots(session: ViewedSession): Node[] {
    const ended = session.standing === 'ended' ? ' (ended)' : '';
    this.view.description = this.sessions.live.length > 1 || ended !== '' ? `${session.name}${ended}` : '';
    return [
      ...session.devices.map(({ name, type }): Node => ({ kind: 'device', session, name, type })),
      ...this.dataBreakpoints.of(session).map((dataId): Node => ({ kind: 'data-breakpoint', dataId })),
    ];
  }

  private refreshSoon(milliseconds: number): void {
    if (!this.view.visible) return;
    if (this.timer !== undefined && milliseconds > 0) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.change.fire();
      if (this.sessions.current?.standing === 'running') this.refreshSoon(refreshMilliseconds);
    }, milliseconds);
  }
}

function violationsOf(session: ViewedSession, device: string): ViolationReport[] {
  return [...session.violations.values()].filter((violation) => violation.device === device);
}
