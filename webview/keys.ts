// Keys: arrows move in a table or along chains, [ and ] step the ring, } returns to the live end, Enter goes to an event of the list, I hides free descriptors, 1 to 5 change the screen, Esc closes.
import { chosenViolation } from './screens/violations';
import { inFlightOnly } from './screens/queues';
import { tabsOf } from './screens/frame';
import type { View } from './view';

export interface KeyView extends View {
  closeHover(): void;
}

function isTyping(event: KeyboardEvent): boolean {
  const [target] = event.composedPath();
  return (
    target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement
  );
}

/** Moves the focus and takes the tab stop along, so that Tab leaves a table with one key. */
function moveFocus(from: HTMLElement, to: HTMLElement | undefined): boolean {
  if (to === undefined) return false;
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
  to.scrollIntoView({ block: 'nearest' });
  return true;
}

function moveInTable(row: HTMLElement, key: string): boolean {
  const rows = [...(row.closest('[data-rows]')?.querySelectorAll<HTMLElement>('[data-row]') ?? [])];
  const at = rows.indexOf(row);
  const targets: Readonly<Record<string, number>> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    Home: 0,
    End: rows.length - 1,
    PageDown: Math.min(rows.length - 1, at + 10),
    PageUp: Math.max(0, at - 10),
  };
  const target = targets[key];
  return target !== undefined && target >= 0 && moveFocus(row, rows[target]);
}

function moveInChains(card: HTMLElement, key: string): boolean {
  const chain = card.closest('[data-chain]');
  const cards = [...(chain?.querySelectorAll<HTMLElement>('[data-card]') ?? [])];
  const at = cards.indexOf(card);
  if (key === 'ArrowRight') return moveFocus(card, cards[at + 1]);
  if (key === 'ArrowLeft') return at > 0 && moveFocus(card, cards[at - 1]);
  if (key !== 'ArrowDown' && key !== 'ArrowUp') return false;
  const chains = [...(chain?.parentElement?.querySelectorAll('[data-chain]') ?? [])];
  const next = chains[(chain === null ? -1 : chains.indexOf(chain)) + (key === 'ArrowDown' ? 1 : -1)];
  return moveFocus(card, next?.querySelector<HTMLElement>('[data-card]') ?? undefined);
}

function pageKey(event: KeyboardEvent, view: KeyView): boolean {
  const tab = tabsOf(view.model)[Number.parseInt(event.key, 10) - 1];
  if (tab !== undefined) {
    view.change({ screen: tab.screen });
    return true;
  }
  switch (event.key) {
    case '[':
      if (view.model.can.previousRingEvent) view.send({ type: 'previousRingEvent' });
      return true;
    case ']':
      if (view.model.can.nextRingEvent) view.send({ type: 'nextRingEvent' });
      return true;
    case '}':
      if (view.model.can.goToLiveEnd) view.send({ type: 'goToLiveEnd' });
      return true;
    case 'i':
    case 'I':
      if (view.model.queue === null || view.page.screen !== 'queues') return false;
      view.change({ inFlightOnly: !inFlightOnly(view, view.model.queue) });
      return true;
    case 'Escape':
      view.closeHover();
      if (view.page.selectedFeature !== null) view.change({ selectedFeature: null });
      return true;
    default:
      return false;
  }
}

/** On the Violations screen every action has a key; Enter only when nothing else would take it. */
function actionKey(event: KeyboardEvent, view: View): boolean {
  if (view.page.screen !== 'violations') return false;
  if (event.key === 'Enter' && document.activeElement !== document.body) return false;
  const action = chosenViolation(view.model, view.page.selectedViolation)?.actions.find(
    (each) => each.key?.toLowerCase() === event.key.toLowerCase(),
  );
  if (action === undefined) return false;
  view.send(action.intent);
  return true;
}

function eventKey(row: HTMLElement, key: string, view: View): boolean {
  const event = Number.parseInt(row.dataset['event'] ?? '', 10);
  if (key !== 'Enter' || Number.isNaN(event) || !view.model.can.goToEvent) return false;
  view.send({ type: 'goToEvent', event });
  return true;
}

export function handleKey(event: KeyboardEvent, view: KeyView): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  const focus = document.activeElement;
  const moved =
    focus instanceof HTMLElement &&
    ((focus.matches('[data-row]') && (moveInTable(focus, event.key) || eventKey(focus, event.key, view))) ||
      (focus.matches('[data-card]') && moveInChains(focus, event.key)));
  if (moved || pageKey(event, view) || actionKey(event, view)) event.preventDefault();
}
