// Things that appear more than once on a screen (a descriptor in the table, in its chain, behind a ring slot) carry one name, so that
// hovering or focusing one outlines the others and opens the same detail.
import type { ChainCard, DetailModel, InspectorModel } from '../model/inspector';

/** Name of a descriptor, or of an entry of an indirect table. */
export function descriptorThing(index: number, entry?: number): string {
  return entry === undefined ? `d${index}` : `d${index}.${entry}`;
}

/** What can be told about every thing of the selected queue. */
export function detailsOf(model: InspectorModel): ReadonlyMap<string, DetailModel> {
  const details = new Map<string, DetailModel>();
  const { queue } = model;
  if (queue === null) return details;
  for (const row of queue.descriptors) {
    if (row.detail !== undefined) details.set(descriptorThing(row.index), row.detail);
  }
  const add = (thing: string, card: ChainCard): void => {
    if (card.detail !== undefined && card.ghost !== true) details.set(thing, card.detail);
  };
  for (const chain of queue.chains) {
    for (const card of chain.cards) {
      add(descriptorThing(card.descriptor), card);
      for (const entry of card.table ?? []) add(descriptorThing(card.descriptor, entry.descriptor), entry);
    }
  }
  return details;
}
