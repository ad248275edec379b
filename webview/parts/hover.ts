// The hover card: what a descriptor's bytes mean, beside the pointer or the focus. One element for the page, placed by the object model.
import { html, nothing, render, type TemplateResult } from 'lit';
import type { DetailModel, InspectorModel, Intent } from '../model/inspector';
import { ownerSign } from './signs';
import { detailsOf } from './things';
import { positionIntent } from './words';

const edge = 8;

function card(detail: DetailModel): TemplateResult {
  return html`<div class="pad">
      <div class="row">
        <b>${detail.title}</b><span class="grow"></span>${detail.state === null ? nothing : ownerSign(detail.state)}
      </div>
      <div class="dim small">${detail.subtitle}</div>
      ${
        detail.bytes.length === 0
          ? nothing
          : html`<div class="hex" aria-label="bytes in memory order">
              ${detail.bytes.map((group) => html`<span>${group}</span>`)}
            </div>`
      }
    </div>
    ${
      detail.fields.length === 0
        ? nothing
        : html`<table>
            <tbody>
              ${detail.fields.map(
                (field) =>
                  html`<tr>
                    <td class="mono">${field.offset}</td>
                    <td>${field.name}</td>
                    <td class="mono right">${field.value}</td>
                    <td class="fill">${field.meaning}</td>
                  </tr>`,
              )}
            </tbody>
          </table>`
    }
    <div class="foot">
      ${detail.writtenAt === null ? nothing : html`<span>written at ${detail.writtenAt.label}</span>`}<span
        class="grow"
      ></span>
      ${detail.address === null ? nothing : html`<span>Enter or click: memory</span>`}
      ${detail.writtenAt === null ? nothing : html`<span>Ctrl: writer</span>`}
    </div>`;
}

function thingAt(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('[data-thing]') : null;
}

/** Follows pointer and focus in `root`; `model` gives what is on the screen. */
export class HoverCard {
  private shown: string | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly host: HTMLElement,
    private readonly model: () => InspectorModel,
    private readonly send: (intent: Intent) => void,
  ) {
    root.addEventListener('pointerover', (event) => this.follow(thingAt(event.target)));
    root.addEventListener('pointerleave', () => this.hide());
    root.addEventListener('focusin', (event) => {
      if (event.target instanceof Element && event.target.matches(':focus-visible')) this.follow(thingAt(event.target));
    });
    root.addEventListener('focusout', () => this.hide());
    root.addEventListener('click', (event) => this.activate(event.target, event.ctrlKey || event.metaKey));
    root.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && event.target instanceof Element && event.target.matches('[data-thing]')) {
        this.activate(event.target, event.ctrlKey || event.metaKey);
      }
    });
  }

  /** Takes the card and the outlines away. */
  hide(): void {
    this.follow(null);
  }

  /** Brings the card up to date with the newest snapshot, or takes it away when its subject is gone. */
  refresh(): void {
    if (this.shown === null) return;
    const detail = detailsOf(this.model()).get(this.shown);
    if (detail === undefined || this.root.querySelector(`[data-thing="${this.shown}"]`) === null) this.hide();
    else render(card(detail), this.host);
  }

  private follow(element: HTMLElement | null): void {
    const thing = element?.dataset['thing'] ?? null;
    if (thing === this.shown) return;
    this.shown = thing;
    for (const same of this.root.querySelectorAll('[data-same]')) delete (same as HTMLElement).dataset['same'];
    if (element === null || thing === null) {
      this.host.hidden = true;
      return;
    }
    for (const same of this.root.querySelectorAll<HTMLElement>(`[data-thing="${thing}"]`)) same.dataset['same'] = '';
    const detail = detailsOf(this.model()).get(thing);
    this.host.hidden = detail === undefined;
    if (detail === undefined) return;
    render(card(detail), this.host);
    this.place(element.getBoundingClientRect());
  }

  private place(anchor: DOMRect): void {
    const own = this.host.getBoundingClientRect();
    const floor = this.root.querySelector('.narration')?.getBoundingClientRect().top ?? window.innerHeight;
    const fitsBelow = anchor.bottom + edge + own.height <= floor;
    const top = fitsBelow ? anchor.bottom + 4 : Math.max(edge, anchor.top - own.height - 4);
    const left = Math.max(edge, Math.min(anchor.left + 12, window.innerWidth - own.width - edge));
    this.host.style.setProperty('top', `${top}px`);
    this.host.style.setProperty('left', `${left}px`);
  }

  private activate(target: EventTarget | null, toWriter: boolean): void {
    const thing = thingAt(target)?.dataset['thing'];
    if (thing === undefined || (target instanceof Element && target.closest('button') !== null)) return;
    const detail = detailsOf(this.model()).get(thing);
    if (detail === undefined) return;
    if (toWriter && detail.writtenAt !== null) this.send(positionIntent(detail.writtenAt));
    else if (!toWriter && detail.address !== null) {
      this.send({ type: 'showMemory', address: detail.address, lengthBytes: detail.lengthBytes });
    }
  }
}
