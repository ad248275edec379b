// Hosts one inspector page: snapshots out, intents in. A hidden page costs nothing.
import * as vscode from 'vscode';
import { type Intent, type PageMessage, parseIntent, type Screen } from '../../webview/model/messages';
import { emptyModel, noControls, type InspectorModel } from '../../webview/model/inspector';
import { inspectorHtml } from './inspector-html';
import type { Sessions, ViewedSession } from './sessions';

/** At most 30 pictures a second. */
const pictureMilliseconds = 34;

/** What the page asks for that is not a matter of pictures. */
export type IntentHandler = (intent: Intent, page: InspectorPageHost) => void;

export class InspectorPageHost implements vscode.Disposable {
  private selection: { device?: string; queue?: number; firstRow?: number; rowCount?: number } = {};
  private ready = false;
  private busy = false;
  private disposed = false;
  /** Changes so far, and how many of them the last picture has in it. */
  private changes = 1;
  private pictured = 0;
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
    this.disposed = true;
    clearTimeout(this.timer);
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  /** Selects a device, and one of its queues, and turns to a screen; what is not given stays. */
  show(device: string | undefined, screen: Screen | undefined, queue?: number): void {
    if (device !== undefined) this.selection = { device, ...(queue !== undefined && { queue }) };
    this.screen = screen;
    this.refresh();
  }

  refresh(): void {
    this.changes++;
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
    if (!this.ready || this.busy || this.unrendered > 0 || !this.isVisible()) return;
    if (this.pictured === this.changes && !running) return;
    this.busy = true;
    const pictured = this.changes;
    const model = await this.model();
    this.busy = false;
    this.pictured = pictured;
    this.unrendered++;
    await this.post({ type: 'snapshot', model });
    if (this.screen !== undefined) await this.post({ type: 'show', screen: this.screen, yieldsToReader: true });
    this.screen = undefined;
    if (this.changes !== pictured) this.schedule(pictureMilliseconds);
  }

  private async model(): Promise<InspectorModel> {
    const session = this.sessions.current;
    if (session === undefined) return emptyModel(++sequence);
    if (session.standing === 'starting') return { ...emptyModel(++sequence), session: 'starting' };
    if (session.standing === 'ended') return this.lastPicture(session);
    try {
      const picture = await session.target.inspect(this.selection);
      if (picture.device !== null) session.pictures.set(picture.device.name, picture);
      return { ...picture, sequence: ++sequence };
    } catch {
      // It ended while the picture was asked for.
      return this.lastPicture(session);
    }
  }

  /** What is known of a machine that is gone. */
  private lastPicture({ pictures }: ViewedSession): InspectorModel {
    const picture = pictures.get(this.selection.device ?? '') ?? [...pictures.values()].at(-1) ?? emptyModel();
    return { ...picture, session: 'ended', can: noControls, sequence: ++sequence };
  }

  private async post(message: PageMessage): Promise<void> {
    if (!this.disposed) await this.webview.postMessage(message);
  }
}

/** Grows over all sessions, so that a page never takes a new session's first picture for an old one. */
let sequence = 0;

function nonce(): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => letters[byte % letters.length]).join('');
}
