// How findings about descriptor chains point at a descriptor: the store that wrote the field, its values, its cell. [virtio 1.4, 2.7.5]
import type { Chain, ChainElement } from '../../record/events';
import { packedFlagNames } from '../spec/packed-ring';
import { descriptorFlag } from '../spec/split-ring';
import type { Evidence, ViolationPlace } from '../violation';
import type { QueueState } from '../watch/state';
import { descriptorAddress, type DescriptorField, fieldAddress } from '../watch/chains';
import { hex, seen } from './evidence';
import type { BlamedAccess, FactOf, Finding, RuleContext, View } from './rule';

export type { DescriptorField };
export type Publish = FactOf<'publish'>;

/** The queue that a publish belongs to. */
export function queueOf(fact: { readonly queue: number }, at: RuleContext): View<QueueState> | undefined {
  return at.device.queues[fact.queue];
}

/** The store that last wrote a field of a descriptor; undefined when it was written before the ring was watched. */
export function storeOf(
  queue: View<QueueState> | undefined,
  at: number,
  field: DescriptorField,
): BlamedAccess | undefined {
  return queue?.descriptorStores.get(fieldAddress(queue.format, at, field));
}

export function flagText(flags: number): string {
  const names = packedFlagNames.filter(({ mask }) => (flags & mask) !== 0).map(({ name }) => name);
  return names.length === 0 ? hex(flags) : `${hex(flags)} (${names.join(' | ')})`;
}

/** A descriptor's values. */
export function elementEvidence(element: ChainElement): Evidence[] {
  return [
    seen('descriptor', element.index),
    seen('at', hex(element.at)),
    seen('addr', hex(element.address)),
    seen('len', element.length),
    seen('flags', flagText(element.flags)),
    ...(element.id === undefined ? [] : [seen('id', element.id)]),
    ...(element.id !== undefined || (element.flags & descriptorFlag.NEXT) === 0 ? [] : [seen('next', element.next)]),
  ];
}

/** The cell of a descriptor; entries of indirect tables name their table. */
export function elementPlace(queue: number, element: ChainElement, field: DescriptorField): ViolationPlace {
  const place = { kind: 'descriptor', queue, index: element.index, field } as const;
  return element.indirect ? { ...place, table: element.at - element.index * 16 } : place;
}

/** A finding about one element of a chain, blamed on the store to `field`. */
export function elementFinding(
  fact: Publish,
  at: RuleContext,
  chain: Chain,
  element: ChainElement,
  field: DescriptorField,
  message: string,
): Finding {
  return {
    message,
    evidence: [seen('head', chain.head), seen('slot', chain.slot), ...elementEvidence(element)],
    place: elementPlace(fact.queue, element, field),
    blamed: storeOf(queueOf(fact, at), element.at, field),
  };
}

/** A finding about a descriptor of the queue's own table that is no element itself, such as the one that names an indirect table. */
export function descriptorFinding(
  fact: Publish,
  at: RuleContext,
  chain: Chain,
  index: number,
  field: DescriptorField,
  message: string,
): Finding {
  const queue = queueOf(fact, at);
  const address = queue === undefined ? 0 : descriptorAddress(queue, index);
  return {
    message,
    evidence: [seen('head', chain.head), seen('slot', chain.slot), seen('descriptor', index), seen('at', hex(address))],
    place: { kind: 'descriptor', queue: fact.queue, index, field },
    blamed: storeOf(queue, address, field),
  };
}
