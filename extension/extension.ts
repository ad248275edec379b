// What VS Code activates. It only registers; machines, symbols and rules are loaded when a guest starts.
import * as vscode from 'vscode';
import { familySummaries, ruleSummaries } from './worker/rule-summary';
import { registerCommands } from './views/commands';
import { registerDebugger } from './views/debugger';
import { DevicesTree } from './views/devices-tree';
import { InspectorPageHost } from './views/inspector-host';
import { createIntentHandler } from './views/intents';
import { Mutes } from './views/mutes';
import { Problems } from './views/problems';
import { RulePages, ruleScheme } from './views/rule-page';
import { RulesTree } from './views/rules-tree';
import { Sessions } from './views/sessions';
import { createStatusBarItem } from './views/status-bar';
import { ConsoleTerminals } from './views/terminals';

export function activate(context: vscode.ExtensionContext): void {
  const sessions = new Sessions();
  const mutes = new Mutes(context.workspaceState, sessions);
  const onIntent = createIntentHandler(sessions, mutes);
  let panel: { view: vscode.WebviewPanel; page: InspectorPageHost } | undefined;

  const adopt = (view: vscode.WebviewPanel): InspectorPageHost => {
    const page = new InspectorPageHost(view.webview, () => view.visible, context.extensionUri, sessions, onIntent);
    panel = { view, page };
    view.iconPath = vscode.Uri.joinPath(context.extensionUri, 'media', 'icon.svg');
    view.onDidChangeViewState(() => page.refresh());
    view.onDidDispose(() => {
      page.dispose();
      panel = undefined;
    });
    return page;
  };
  const openInspector = (device?: string): void => {
    if (panel === undefined)
      adopt(
        vscode.window.createWebviewPanel(
          'ringside.inspector',
          'Ringside Inspector',
          { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
          {},
        ),
      );
    else panel.view.reveal(undefined, true);
    panel?.page.show(device, undefined);
  };

  context.subscriptions.push(
    sessions,
    mutes,
    registerDebugger(context, sessions),
    registerCommands({ extension: context, sessions, mutes, rules: () => ruleSummaries, openInspector }),
    new ConsoleTerminals(sessions),
    new Problems(sessions),
    new DevicesTree(sessions),
    new RulesTree({ families: familySummaries, rules: ruleSummaries }, sessions, mutes, context.workspaceState),
    createStatusBarItem(sessions),
    vscode.workspace.registerTextDocumentContentProvider(ruleScheme, new RulePages(() => ruleSummaries)),
    vscode.window.registerWebviewPanelSerializer('ringside.inspector', {
      deserializeWebviewPanel: (view) => {
        adopt(view);
        return Promise.resolve();
      },
    }),
    sessions.onChange((session) => {
      // The first stop at a violation opens the picture of it; afterwards the user decides.
      if (session.stoppedAt === undefined) return;
      if (
        panel === undefined &&
        vscode.workspace.getConfiguration('ringside').get<boolean>('openInspectorAtViolation', true)
      )
        openInspector(session.stoppedAt.device);
      else panel?.page.show(session.stoppedAt.device, undefined);
    }),
  );
}

export function deactivate(): void {
  // Everything is disposed of with the context's subscriptions.
}
