// The inspector as an editor tab and as a view of the Ringside container: both show the same session, each in its own selection.
import * as vscode from 'vscode';
import type { Screen } from '../../webview/model/messages';
import type { ViolationReport } from '../debug/target';
import { InspectorPageHost, type IntentHandler } from './inspector-host';
import type { Sessions, ViewedSession } from './sessions';

const panelType = 'ringside.inspector';
const viewId = 'ringside.inspectorView';

export class Inspector implements vscode.Disposable, vscode.WebviewViewProvider, vscode.WebviewPanelSerializer {
  private panel: { readonly view: vscode.WebviewPanel; readonly page: InspectorPageHost } | undefined;
  private docked: { readonly view: vscode.WebviewView; readonly page: InspectorPageHost } | undefined;
  /** Sessions whose first violation has brought the inspector up. */
  private readonly offered = new WeakSet<ViewedSession>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly root: vscode.Uri,
    private readonly sessions: Sessions,
    private readonly onIntent: IntentHandler,
  ) {
    this.subscriptions = [
      vscode.window.registerWebviewPanelSerializer(panelType, this),
      vscode.window.registerWebviewViewProvider(viewId, this),
      sessions.onStop((session) => {
        if (session.stoppedAt !== undefined) this.stopped(session, session.stoppedAt);
      }),
    ];
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.panel?.view.dispose();
    this.docked?.page.dispose();
  }

  /** Brings the tab to the front, or makes one beside the source. */
  open(device?: string, screen?: Screen, queue?: number): void {
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
    this.panel?.page.show(device, screen, queue);
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

  /** Beside the source, also when it was covered by a source that opened in its group. */
  private async offer(device: string, screen: Screen): Promise<void> {
    await sourceShown();
    if (this.panel === undefined) this.open(device, screen);
    else if (!this.panel.view.visible) this.panel.view.reveal(vscode.ViewColumn.Beside, true);
  }

  /** A stop at a violation shows where it is; the first one opens the picture, afterwards the user decides. */
  private stopped(session: ViewedSession, violation: ViolationReport): void {
    const screen = screenOf(violation);
    this.docked?.page.show(violation.device, screen);
    const wanted = vscode.workspace.getConfiguration('ringside').get<boolean>('openInspectorAtViolation', true);
    if (this.panel !== undefined) this.panel.page.show(violation.device, screen);
    if (wanted && !this.offered.has(session) && this.docked?.view.visible !== true)
      void this.offer(violation.device, screen);
    this.offered.add(session);
  }
}

const longestWaitForSourceMs = 3000;

/** Resolves when a source is shown, or after a while if none comes: the inspector beside nothing would be covered by what opens next. */
function sourceShown(): Promise<void> {
  if (vscode.window.activeTextEditor !== undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      listening.dispose();
      resolve();
    };
    const listening = vscode.window.onDidChangeActiveTextEditor((editor) => {
      if (editor !== undefined) done();
    });
    const timer = setTimeout(done, longestWaitForSourceMs);
  });
}

/** Families whose violated cell is in a ring or in a chain. */
const ringFamilies: ReadonlySet<string> = new Set([
  'ring',
  'ownership',
  'notification',
  'block',
  'console',
  'entropy',
  'net',
]);

/** Where the violated cell is drawn. */
function screenOf({ family, queue }: ViolationReport): Screen {
  if (family === 'features') return 'features';
  return queue !== undefined && ringFamilies.has(family) ? 'queues' : 'overview';
}
