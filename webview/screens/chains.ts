// Chains: one row each, oldest first: what is asked in words at left, the linked descriptors, and what the chain waits for at right.
import { html, nothing, type TemplateResult } from 'lit';
import { geometry } from '../drawing/geometry';
import {
  countOf,
  plainText,
  type ChainCard,
  type ChainModel,
  type OwnerState,
  type QueueModel,
} from '../model/inspector';
import { directionText, ownerSign, violationSign } from '../parts/signs';
import { descriptorThing } from '../parts/things';
import { heading, rich } from '../parts/words';
import type { View } from '../view';

/** Cards that stand in one row before the middle ones are folded. */
const inRow = 5;

function arrow(card: ChainCard, small: boolean): TemplateResult {
  const tone = card.ghost === true ? 'ghost' : '';
  return html`<span class="arrow ${tone} ${small ? 'small' : ''}" aria-hidden="true"
    ><svg viewBox="0 0 22 12" preserveAspectRatio="none">
      <path d="M1 6h18" />
      <path d="M15 2l4 4-4 4" /></svg
  ></span>`;
}

interface CardPlace {
  readonly thing: string;
  readonly state: OwnerState | null;
  readonly small: boolean;
  readonly tabindex: 0 | -1;
}

function cardBox(card: ChainCard, place: CardPlace): TemplateResult {
  const direction =
    card.table === undefined
      ? directionText(card.direction, !place.small)
      : countOf(card.table.length + (card.tableRest ?? 0), 'entry', 'entries');
  const last =
    card.ghost === true
      ? html`<div class="line dim"><span class="ellipsis" title=${card.note}>${card.note}</span></div>`
      : html`<div class="line dim">
          <span>${direction}</span
          ><span class="note ellipsis" title=${card.note}
            >${card.noteStrong === true ? html`<b>${card.note}</b>` : card.note}</span
          >
        </div>`;
  return html`<div
    class="descriptor ${card.violated === true && card.ghost !== true ? 'violated' : ''} ${card.ghost === true ? 'ghost' : ''} ${place.small ? 'small' : ''}"
    role="listitem"
    data-card
    data-thing=${place.thing}
    tabindex=${place.tabindex}
    aria-label=${`${card.role} ${card.descriptor}, ${directionText(card.direction, true)}, ${card.length} bytes at ${card.address}${card.note === '' ? '' : `, ${card.note}`}`}
  >
    ${place.state === null || card.ghost === true ? nothing : html`<span class="edge o-${place.state}" aria-hidden="true"></span>`}
    <div class="line">
      <span class="number mono">${card.descriptor}</span
      ><span>${card.role}</span> ${card.violated === true && card.ghost !== true ? violationSign() : nothing}<span
        class="length mono"
        >${card.length}</span
      >
    </div>
    <div class="line"><span class="mono">${card.address}</span></div>
    ${last}
  </div>`;
}

interface CardRow {
  readonly name: string;
  readonly cards: readonly ChainCard[];
  readonly rest: number;
  readonly place: (card: ChainCard, at: number) => CardPlace;
}

/** Cards with arrows; the middle of a long row is folded until it is asked for. */
function cardRow(
  view: View,
  row: CardRow,
  after: (card: ChainCard) => TemplateResult | typeof nothing,
): TemplateResult[] {
  const folded = row.cards.length > inRow && !view.page.unfolded.includes(row.name);
  const shown = folded ? [...row.cards.slice(0, inRow - 2), ...row.cards.slice(-1)] : row.cards;
  const hidden = row.cards.length - shown.length;
  const unfold = (): void => view.change({ unfolded: [...view.page.unfolded, row.name] });
  const drawn = shown.map((card, at) => {
    const place = row.place(card, at);
    const gap =
      folded && at === shown.length - 1 && row.rest === 0
        ? html`${arrow(card, true)}<button class="fold" title="Show them" @click=${unfold}>${hidden} more</button>`
        : nothing;
    return html`${gap}${at === 0 ? nothing : arrow(card, place.small)}${cardBox(card, place)}${after(card)}`;
  });
  if (row.rest > 0) drawn.push(html`<span class="fold">and ${row.rest} more</span>`);
  return drawn;
}

function tableBox(view: View, chain: ChainModel, card: ChainCard, key: string): TemplateResult | typeof nothing {
  const { table } = card;
  if (table === undefined) return nothing;
  const row: CardRow = {
    name: `${key}.${card.descriptor}`,
    cards: table,
    rest: card.tableRest ?? 0,
    place: (entry) => ({
      thing: descriptorThing(card.descriptor, entry.descriptor),
      state: null,
      small: true,
      tabindex: -1,
    }),
  };
  return html`${arrow(card, false)}
    <div class="table-box" role="list" aria-label=${`indirect table of descriptor ${card.descriptor}, ${chain.title}`}>
      ${cardRow(view, row, () => nothing)}
    </div>`;
}

export function chainRow(view: View, chain: ChainModel, first: boolean): TemplateResult {
  const key = chain.head === null ? 'draft' : `head${chain.head}`;
  const row: CardRow = {
    name: key,
    cards: chain.cards,
    rest: chain.rest ?? 0,
    place: (card, at) => ({
      thing: descriptorThing(card.descriptor),
      state: chain.state,
      small: false,
      tabindex: first && at === 0 ? 0 : -1,
    }),
  };
  const progress =
    chain.progress === null
      ? nothing
      : html`<div
          class="progress"
          role="progressbar"
          aria-label="time in the device"
          aria-valuenow=${Math.round(chain.progress * 100)}
        >
          <i ${geometry({ width: `${Math.max(0, Math.min(1, chain.progress)) * 100}%` })}></i>
        </div>`;
  return html`<div class="chain" data-chain>
    <div class="label">
      <div class="title">
        ${ownerSign(chain.state)}<span>${chain.title}</span>${chain.violated ? violationSign() : nothing}
      </div>
      <div class="ellipsis" title=${chain.request}>${chain.request}</div>
      <div class="dim tiny ellipsis" title=${plainText(chain.where)}>${rich(view, chain.where)}</div>
    </div>
    <div class="links" role="list" aria-label=${`${chain.title}: ${chain.request}`}>
      ${cardRow(view, row, (card) => tableBox(view, chain, card, key))}
      ${chain.waiting.length === 0 && chain.progress === null ? nothing : html`<div class="waiting">${rich(view, chain.waiting)}${progress}</div>`}
    </div>
  </div>`;
}

/** One line for the narrow layout: `3 → 4 → 5  write 4 KiB, sector 8`. */
export function chainLine(chain: ChainModel): TemplateResult {
  const links = chain.cards.map(
    (card, at) =>
      `${at === 0 ? '' : card.ghost === true ? ' ⇢ ' : ' → '}${card.descriptor}${card.table === undefined ? '' : ` ⟦${card.table.length + (card.tableRest ?? 0)}⟧`}`,
  );
  const brief = links.length > 4 ? [...links.slice(0, 3), ` → … ${links.length - 3} more`] : links;
  return html`<div class="mini-chain">
    ${ownerSign(chain.state)}<span class="mono nowrap">${brief}</span
    ><span class="grow ellipsis" title=${chain.request}>${chain.head === null ? chain.title : chain.request}</span
    >${chain.violated ? violationSign() : nothing}
  </div>`;
}

export function chainsCard(view: View, queue: QueueModel): TemplateResult {
  return html`<section class="card chains" aria-label="Chains">
    ${heading('Chains', queue.chainSummary, 'oldest first')}
    ${
      queue.chains.length === 0
        ? html`<p class="nothing">${queue.idle === null ? 'No chain is in flight.' : rich(view, queue.idle)}</p>`
        : queue.chains.map((chain, at) => chainRow(view, chain, at === 0))
    }
    ${queue.chainRest > 0 ? html`<p class="nothing">${countOf(queue.chainRest, 'more chain')} not shown</p>` : nothing}
  </section>`;
}
