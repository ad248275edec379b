// The inspector as an editor tab and as a view of the Ringside container: both show the same session, each in its own selection.
import * as vscode from 'vscode';
import type { Screen } from '../../webview/model/messages';
import type { ViolationReport } from '../debug/target';
import { InspectorPageHost, type IntentHandler } from './inspector-host';
import type { Sessions } from './sessions';

const panelType = 'ringside.inspector';
const viewId = 'ringside.inspectorView';

export class Inspector implements vscode.Disposable, vscode.WebviewViewProvider, vscode.WebviewPanelSerializer {
  private panel: { readonly view: vscode.WebviewPanel; readonly page: InspectorPageHost } | undefined;
  private docked: { readonly view: vscode.WebviewView; readonly page: InspectorPageHost } | undefined;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly root: vscode.Uri,
    private readonly sessions: Sessions,
    private readonly onIntent: IntentHandler,
  ) {
    this.subscriptions = [
      vscode.window.registerWebviewPanelSerializer(panelType, this),
      vscode.window.registerWebviewViewProvider(viewId, this),
      sessions.onStop(({ stoppedAt }) => {
        if (stoppedAt !== undefined) this.stopped(stoppedAt);
      }),
    ];
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.panel?.view.dispose();
    this.docked?.page.dispose();
  }

  /** Brings the tab to the front, or makes one beside the source. */
  open(device?: string, screen?: Screen): void {
    if (this.panel === undefined)
      this.adopt(
        vscode.window.createWebviewPanel(
          panelType,
          'Ringside Inspector',
          { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
          {},
        ),
      );
    else this.panel.view.reveal(undefined, true);
    this.panel?.page.show(device, screen);
  }

  deserializeWebviewPanel(view: vscode.WebviewPanel): Promise<void> {
    this.adopt(view);
    return Promise.resolve();
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    const page = new InspectorPageHost(view.webview, () => view.visible, this.root, this.sessions, this.onIntent);
    this.docked = { view, page };
    view.onDidChangeVisibility(() => page.refresh());
    view.onDidDispose(() => {
      page.dispose();
      this.docked = undefined;
    });
  }

  private adopt(view: vscode.WebviewPanel): void {
    const page = new InspectorPageHost(view.webview, () => view.visible, this.root, this.sessions, this.onIntent);
    this.panel = { view, page };
    const icon = (theme: 'light' | 'dark'): vscode.Uri =>
      vscode.Uri.joinPath(this.root, 'media', `inspector-${theme}.svg`);
    view.iconPath = { light: icon('light'), dark: icon('dark') };
    view.onDidChangeViewState(() => page.refresh());
    view.onDidDispose(() => {
      page.dispose();
      this.panel = undefined;
    });
  }

  /** A stop at a violation shows where it is; the first one opens the picture, afterwards the user decides. */
  private stopped(violation: ViolationReport): void {
    const screen = screenOf(violation);
    this.docked?.page.show(violation.device, screen);
    const wanted = vscode.workspace.getConfiguration('ringside').get<boolean>('openInspectorAtViolation', true);
    if (this.panel !== undefined) this.panel.page.show(violation.device, screen);
    else if (wanted && this.docked?.view.visible !== true) this.open(violation.device, screen);
  }
}

/** Families whose violated cell is in a ring or in a chain. */
const ringFamilies: ReadonlySet<string> = new Set(['ring', 'ownership', 'notification', 'block', 'console', 'entropy']);

/** Where the violated cell is drawn. */
function screenOf({ family, queue }: ViolationReport): Screen {
  if (family === 'features') return 'features';
  return queue !== undefined && ringFamilies.has(family) ? 'queues' : 'overview';
}
