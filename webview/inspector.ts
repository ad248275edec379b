// The inspector page: newest snapshot in, pictures out, intents back. Draws at most once a frame, and only while it is on the screen.
import { html, nothing, render, type TemplateResult } from 'lit';
import { registerControls } from './controls';
import { handleKey } from './keys';
import {
  emptyModel,
  parsePageMessage,
  screens,
  type InspectorModel,
  type Intent,
  type Screen,
} from './model/inspector';
import { HoverCard } from './parts/hover';
import { patterns } from './parts/signs';
import { featuresScreen } from './screens/features';
import { bar, narration } from './screens/frame';
import { narrowOverview, narrowQueue, narrowViolation } from './screens/narrow';
import { overview } from './screens/overview';
import { queuesScreen } from './screens/queues';
import { timelineScreen } from './screens/timeline';
import { violationsScreen } from './screens/violations';
import { noDevices, welcome } from './screens/welcome';
import { firstPageState, narrowBelow, type PageState, type View } from './view';

const host = acquireVsCodeApi();

/** What survives a reload of the page: where the user was, nothing of the machine. */
function restored(): PageState {
  const saved: unknown = host.getState();
  const screen = typeof saved === 'object' && saved !== null && 'screen' in saved ? saved.screen : null;
  const known = screens.find((each) => each === screen);
  return known === undefined ? firstPageState : { ...firstPageState, screen: known };
}

class Page implements View {
  model: InspectorModel = emptyModel();
  page: PageState = restored();
  private frame = 0;
  private readonly hover: HoverCard;
  private askedRows = '';
  private wanted: { readonly first: number; readonly count: number } | null = null;
  private acknowledged = -1;

  constructor(
    private readonly root: HTMLElement,
    hoverHost: HTMLElement,
  ) {
    this.hover = new HoverCard(
      root,
      hoverHost,
      () => this.model,
      (intent) => this.send(intent),
    );
  }

  get narrow(): boolean {
    return this.page.width < narrowBelow;
  }

  send(intent: Intent): void {
    if (intent.type === 'showScreen') this.change({ screen: intent.screen });
    else host.postMessage(intent);
  }

  change(change: Partial<PageState>): void {
    this.page = { ...this.page, ...change };
    if (change.screen !== undefined) host.setState({ screen: change.screen });
    this.schedule();
  }

  wantRows(rows: { readonly first: number; readonly count: number } | null): void {
    this.wanted = rows;
  }

  closeHover(): void {
    this.hover.hide();
  }

  /** A snapshot that is not newer than the one on the screen is dropped. */
  receive(data: unknown): void {
    const message = parsePageMessage(data);
    if (message === null) return;
    if (message.type === 'show') {
      const stays = message.yieldsToReader === true && this.page.screen === 'violations';
      this.change(stays ? {} : { screen: message.screen });
    } else if (message.model.sequence > this.model.sequence || this.acknowledged < 0) {
      const { standingAt } = message.model;
      // A new stop shows its own violation, whatever was looked at before.
      if (standingAt !== null && standingAt !== this.model.standingAt)
        this.page = { ...this.page, selectedViolation: null };
      this.model = message.model;
      this.schedule();
    }
  }

  private schedule(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private draw(): void {
    this.wanted = null;
    this.root.classList.toggle('narrow', this.narrow);
    this.root.classList.toggle('live', this.model.session === 'running');
    render(this.layout(), this.root);
    this.hover.refresh();
    if (this.model.sequence !== this.acknowledged) {
      this.acknowledged = this.model.sequence;
      host.postMessage({ type: 'rendered', sequence: this.acknowledged });
    }
    this.askForRows();
  }

  private askForRows(): void {
    const rows: { readonly first: number; readonly count: number } | null = this.wanted;
    const key = rows === null ? '' : `${rows.first}+${rows.count}`;
    if (rows !== null && key !== this.askedRows) host.postMessage({ type: 'showRows', ...rows });
    this.askedRows = key;
  }

  private layout(): TemplateResult {
    return html`${patterns()}${bar(this)}
      <main
        id="screen"
        class="main ${this.model.device === null ? 'bare' : this.page.screen}"
        role=${this.model.device === null ? nothing : 'tabpanel'}
        aria-label=${this.page.screen}
      >
        ${this.screen(this.page.screen)}
      </main>
      ${narration(this)}`;
  }

  private screen(screen: Screen): TemplateResult {
    const { device, session } = this.model;
    if (session === 'none') return welcome(this);
    if (device === null) return session === 'ended' ? welcome(this) : noDevices(this);
    switch (screen) {
      case 'overview':
        return this.narrow ? narrowOverview(this, device) : overview(this, device);
      case 'features':
        return featuresScreen(this, device);
      case 'queues':
        return this.narrow ? narrowQueue(this, device) : queuesScreen(this, device);
      case 'timeline':
        return timelineScreen(this);
      case 'violations':
        return this.narrow ? narrowViolation(this) : violationsScreen(this);
    }
  }
}

const root = document.getElementById('inspector');
const hoverHost = document.getElementById('hover');
if (root === null || hoverHost === null)
  throw new Error('The page has no #inspector and #hover: its HTML is of another version');
registerControls();
const page = new Page(root, hoverHost);
window.addEventListener('message', (event) => page.receive(event.data));
window.addEventListener('keydown', (event) => handleKey(event, page));
new ResizeObserver(() => page.change({ width: root.clientWidth, height: root.clientHeight })).observe(root);
page.send({ type: 'ready' });
