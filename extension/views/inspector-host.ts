// Hosts the inspector page, as an editor tab and in the side bar: snapshots out, intents in. Hidden pages cost nothing.
import * as vscode from 'vscode';
import { type Intent, type PageMessage, parseIntent, type Screen } from '../../webview/model/messages';
import { emptyModel, type InspectorModel } from '../../webview/model/inspector';
import { inspectorHtml } from './inspector-html';
import type { Sessions } from './sessions';

/** At most 30 pictures a second. */
const pictureMilliseconds = 34;

/** What the page asks for that is not a matter of pictures. */
export type IntentHandler = (intent: Intent, page: InspectorPageHost) => void;

export class InspectorPageHost implements vscode.Disposable {
  private selection: { device?: string; queue?: number; firstRow?: number; rowCount?: number } = {};
  private ready = false;
  private busy = false;
  private dirty = true;
  private timer: NodeJS.Timeout | undefined;
  private unrendered = 0;
  private screen: Screen | undefined;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly webview: vscode.Webview,
    private readonly isVisible: () => boolean,
    root: vscode.Uri,
    private readonly sessions: Sessions,
    private readonly onIntent: IntentHandler,
  ) {
    const dist = vscode.Uri.joinPath(root, 'dist');
    webview.options = { enableScripts: true, localResourceRoots: [dist] };
    const uri = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(dist, name)).toString();
    webview.html = inspectorHtml({
      cspSource: webview.cspSource,
      nonce: nonce(),
      scriptUri: uri('inspector.js'),
      styleUri: uri('inspector.css'),
    });
    this.subscriptions = [
      webview.onDidReceiveMessage((message: unknown) => this.receive(message)),
      sessions.onChange(() => this.refresh()),
      sessions.onViolation(() => this.refresh()),
      vscode.debug.onDidChangeActiveDebugSession(() => this.refresh()),
    ];
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  /** Selects a device and, when given, turns to a screen. */
  show(device: string | undefined, screen: Screen | undefined): void {
    if (device !== undefined) this.selection = { device };
    this.screen = screen;
    this.refresh();
  }

  refresh(): void {
    this.dirty = true;
    this.schedule(0);
  }

  private receive(message: unknown): void {
    const intent = parseIntent(message);
    if (intent === null) return;
    switch (intent.type) {
      case 'ready':
        this.ready = true;
        this.unrendered = 0;
        return this.refresh();
      case 'rendered':
        this.unrendered = 0;
        return this.schedule(pictureMilliseconds);
      case 'selectDevice':
        this.selection = { device: intent.device };
        return this.refresh();
      case 'selectQueue':
        this.selection = { device: intent.device, queue: intent.queue };
        return this.refresh();
      case 'showRows':
        this.selection = { ...this.selection, firstRow: intent.first, rowCount: intent.count };
        return this.refresh();
      default:
        this.onIntent(intent, this);
    }
  }

  private schedule(milliseconds: number): void {
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.send();
    }, milliseconds);
  }

  private async send(): Promise<void> {
    const running = this.sessions.current?.standing === 'running';
    // A page that has not drawn the last picture gets no new one; a hidden page gets none at all.
    if (!this.ready || this.busy || this.unrendered > 0 || !this.isVisible() || (!this.dirty && !running)) return;
    this.busy = true;
    this.dirty = false;
    const model = await this.model();
    this.busy = false;
    this.unrendered++;
    await this.post({ type: 'snapshot', model });
    if (this.screen !== undefined) await this.post({ type: 'show', screen: this.screen });
    this.screen = undefined;
    if (this.dirty) this.schedule(pictureMilliseconds);
  }

  private async model(): Promise<InspectorModel> {
    const session = this.sessions.current;
    if (session === undefined || session.standing === 'starting') return emptyModel(++sequence);
    try {
      return { ...(await session.target.inspect(this.selection)), sequence: ++sequence };
    } catch {
      // The session is gone: the empty page says so.
      return emptyModel(++sequence);
    }
  }

  private async post(message: PageMessage): Promise<void> {
    await this.webview.postMessage(message);
  }
}

/** Grows over all sessions, so that a page never takes a new session's first picture for an old one. */
let sequence = 0;

function nonce(): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => letters[byte % letters.length]).join('');
}
