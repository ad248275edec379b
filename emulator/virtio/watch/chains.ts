// Which descriptor chain holds which descriptor, slot and indirect table, in either ring format. A chain is the driver's until it is
// published, then available, in flight from the fetch, used, and the driver's again once it has seen that. [virtio 1.4, 2.7, 2.8, 3.3.1]
import type { Chain } from '../../record/events';
import type { DriverEvent, View } from '../rules/rule';
import { packedOffset } from '../spec/packed-ring';
import { descriptorBytes, descriptorOffset } from '../spec/split-ring';
import type { ChainState, Ownership, QueueState } from './queue-state';

/** A driver that never looks at what was used leaves no more than this behind. */
export const maximumUncollected = 0x8000;

export type DescriptorField = keyof typeof descriptorOffset | keyof typeof packedOffset;

/** Guest-physical address of a descriptor of the queue's own table or of an indirect one. */
export function descriptorAddress(queue: { readonly descriptorArea: number }, index: number, table?: number): number {
  return (table ?? queue.descriptorArea) + index * descriptorBytes;
}

/** Guest-physical address of a field of the descriptor at `at`. The field has to be one of the format. */
export function fieldAddress(format: QueueState['format'], at: number, field: DescriptorField): number {
  const offsets: Readonly<Partial<Record<DescriptorField, number>>> =
    format === 'packed' ? packedOffset : descriptorOffset;
  return at + (offsets[field] ?? 0);
}

/** The chain that was last published with a descriptor of the queue's own table, and is not collected. */
export function holderOf(queue: View<QueueState>, index: number): View<ChainState> | undefined {
  const position = queue.holderOf.get(index);
  return position === undefined ? undefined : queue.chains.get(position);
}

/** Who owns a descriptor of the queue's own table, for pictures. */
export function ownershipOf(queue: View<QueueState>, index: number): Ownership {
  const owned = queue.format === 'packed' ? packedOwnership(queue, index) : holderOf(queue, index)?.phase;
  return owned ?? (queue.building.has(index) ? 'building' : 'free');
}

/**
 * Positions decide who has a slot of a packed ring: used descriptors are written in the order of use, over whichever chain was there.
 * Undefined for slots that the driver may fill.
 */
export function packedOwnership(queue: View<QueueState>, slot: number): ChainState['phase'] | undefined {
  const position = outstandingPosition(queue, slot);
  if (position === undefined) return undefined;
  if (position < queue.usedIndex) return 'used';
  return position < queue.fetchedIndex ? 'in flight' : 'available';
}

/** The position, from the oldest that the driver has not collected on, that a slot of a packed ring stands for. */
export function outstandingPosition(queue: View<QueueState>, slot: number): number | undefined {
  const { collectedIndex, availableIndex, size } = queue;
  const position = collectedIndex + ((slot - (collectedIndex % size) + size) % size);
  return position < availableIndex ? position : undefined;
}

/** Positions that were published and not fetched, oldest first. */
export function unfetchedPositions(queue: View<QueueState>): readonly number[] {
  if (queue.format === 'packed') {
    return [...queue.chains].filter(([, { phase }]) => phase === 'available').map(([position]) => position);
  }
  const count = (queue.availableIndex - queue.fetchedIndex) & 0xffff;
  return Array.from({ length: Math.min(count, queue.size) }, (_, i) => (queue.fetchedIndex + i) & 0xffff);
}

/** Chains that the device works on. */
export function inFlight(queue: View<QueueState>): readonly View<ChainState>[] {
  return [...queue.chains.values()].filter((chain) => chain.phase === 'in flight');
}

/** Descriptors of the queue's own table that a chain occupies. */
export function ownDescriptors(chain: View<Chain>): readonly number[] {
  const indices: number[] = [];
  for (const { indirect, index } of chain.elements) if (!indirect) indices.push(index);
  for (const { index } of chain.tables) indices.push(index);
  return indices;
}

/** A chain was published. */
export function exposeChain(queue: QueueState, chain: Chain, event: DriverEvent): void {
  for (const index of ownDescriptors(chain)) {
    const held = queue.holderOf.get(index);
    if (held !== undefined && queue.chains.get(held)?.phase === 'used') releaseChain(queue, held);
  }
  releaseChain(queue, chain.position);
  queue.chains.set(chain.position, { chain, published: event, phase: 'available' });
  for (const index of ownDescriptors(chain)) {
    queue.holderOf.set(index, chain.position);
    queue.building.delete(index);
  }
  for (const table of chain.tables) {
    queue.tables.set(table.address, { bytes: table.entries * descriptorBytes, position: chain.position });
  }
}

/** The device gave the oldest chain with this head or buffer id back; its position, where its publishing was seen. */
function returnChain(queue: QueueState, head: number): number | undefined {
  const found = [...queue.chains].find(([, state]) => state.phase === 'in flight' && state.chain.head === head);
  if (found !== undefined) found[1].phase = 'used';
  return found?.[0];
}

/**
 * Chains that a used entry gives back: the one with this head or buffer id, and with VIRTIO_F_IN_ORDER those before it in the batch.
 * Their positions, oldest first; undefined for one whose publishing was not seen. [2.7.9, 2.8.8]
 */
export function returnBatch(queue: QueueState, head: number, batch: number): readonly (number | undefined)[] {
  const positions: (number | undefined)[] = [];
  for (let i = 1; i < batch; i++) {
    const oldest = [...queue.chains].find(([, { phase }]) => phase === 'in flight');
    if (oldest !== undefined) oldest[1].phase = 'used';
    positions.push(oldest?.[0]);
  }
  return [...positions, returnChain(queue, head)];
}

/** The driver has a chain's descriptors and tables again. */
export function releaseChain(queue: QueueState, position: number): void {
  const state = queue.chains.get(position);
  if (state === undefined) return;
  queue.chains.delete(position);
  for (const index of ownDescriptors(state.chain)) {
    if (queue.holderOf.get(index) === position) queue.holderOf.delete(index);
  }
  for (const table of state.chain.tables) {
    if (queue.tables.get(table.address)?.position === position) queue.tables.delete(table.address);
  }
}
