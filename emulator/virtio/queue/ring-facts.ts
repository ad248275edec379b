// What one access to ring memory means: which fields it loads or stores, what it publishes and what it collects. [virtio 1.4, 2.7, 2.8]
// Guarantees: reads memory, changes nothing; facts of one access come in address order, `publish` and `collect` after their field.
import type { WatchedAccess } from '../../bus/access';
import type { GuestMemory } from '../../bus/memory';
import type { Chain, DriverOrigin, RingFact, RingPlace } from '../../record/events';
import { availableBits, lapBits, packedFieldsBetween, packedOffset, usedBits } from '../spec/packed-ring';
import { availableOffset, descriptorBytes, fieldsBetween } from '../spec/split-ring';
import { type ChainSource, walkChain, walkPackedChain } from './chain';
import { overlaidMemory, type Overlay, readOverlaid } from './overlay';
import { packedAreaOf } from './ring';
import type { Area, AreaField as Field, WatchedQueue } from './ring-areas';

type Fact = RingFact & DriverOrigin;

export interface Described {
  readonly facts: readonly Fact[];
  readonly published:
    { readonly owner: WatchedQueue; readonly chains: readonly Chain[]; readonly index: number } | undefined;
  readonly collected: { readonly owner: WatchedQueue; readonly index: number } | undefined;
  /** The access only loaded, whole, the place that tells of used buffers, and it told nothing new. */
  readonly fruitless: boolean;
}

/** An index that moved. */
interface Move {
  readonly before: number;
  readonly after: number;
}

/** The facts of an access that touches these areas, worked out from memory before it takes effect. */
export function describeAccess(memory: GuestMemory, access: WatchedAccess, areas: readonly Area[]): Described {
  const facts: Fact[] = [];
  let published: Described['published'];
  let collected: Described['collected'];
  for (const area of areas) {
    const { owner } = area;
    const { device, queue } = owner;
    const touched = fieldsOf(area, access);
    if (access.kind === 'load' || access.loads) {
      for (const field of touched) {
        facts.push(ringFact(memory, 'ring-load', area, field, access));
        const seen = collectedBy(memory, area, field, access);
        if (seen === undefined) continue;
        const { before, after } = seen;
        const { hart, pc } = access;
        const fact: Fact = { kind: 'collect', by: 'driver', hart, pc, device, queue, before, after };
        facts.push(owner.format === 'packed' ? { ...fact, packedSize: owner.size } : fact);
        collected = { owner, index: after };
      }
    }
    if (access.kind === 'load') continue;
    for (const field of touched) facts.push(ringFact(memory, 'ring-store', area, field, access));
    for (const field of touched) {
      const moved = publishedBy(memory, area, field, access);
      if (moved === undefined) continue;
      const { before, after, chains } = moved;
      const { hart, pc } = access;
      const fact: Fact = { kind: 'publish', by: 'driver', hart, pc, device, queue, before, after, chains };
      facts.push(owner.format === 'packed' ? { ...fact, packedSize: owner.size } : fact);
      published = { owner, chains, index: after };
    }
  }
  const [area] = areas;
  const [only] = facts;
  const fruitless =
    access.kind === 'load' &&
    facts.length === 1 &&
    only?.kind === 'ring-load' &&
    area !== undefined &&
    isLook(area, only);
  return { facts, published, collected, fruitless };
}

function fieldsOf({ owner, kind, size, start, table, fields }: Area, access: WatchedAccess): readonly Field[] {
  const from = access.physicalAddress - start;
  const key = from * widths + access.size;
  const known = fields.get(key);
  if (known !== undefined) return known;
  const to = from + access.size;
  const found =
    owner.format === 'split'
      ? fieldsBetween(kind, size, from, to, table)
      : packedFieldsBetween(packedAreaOf[kind], size, from, to, table);
  fields.set(key, found);
  return found;
}
/** More than the widest access in bytes. */
const widths = 16;

function ringFact(
  memory: GuestMemory,
  kind: 'ring-load' | 'ring-store',
  area: Area,
  field: Field,
  access: WatchedAccess,
): Fact {
  const start = area.start + field.offset;
  const isWhole = access.physicalAddress === start && access.size === field.size;
  const before = isWhole ? access.before : loadedValue(memory, area, field, access);
  const stored = (): bigint =>
    isWhole ? access.value : fieldValue(memory, area, field, { access, bytes: access.value });
  return {
    kind,
    device: area.owner.device,
    queue: area.owner.queue,
    place: field.place,
    physicalAddress: start,
    before,
    after: kind === 'ring-load' ? before : stored(),
    partial: access.physicalAddress > start || access.physicalAddress + access.size < start + field.size,
    acquire: access.acquire,
    release: access.release,
    by: 'driver',
    hart: access.hart,
    pc: access.pc,
  };
}

/** A field's value as the access finds it: for a plain load simply what memory holds. */
function loadedValue(memory: GuestMemory, area: Area, field: Field, access: WatchedAccess): bigint {
  return fieldValue(memory, area, field, access.kind === 'load' ? undefined : { access, bytes: access.before });
}

function fieldValue(memory: GuestMemory, area: Area, field: Field, over: Overlay | undefined): bigint {
  return readOverlaid(memory, area.start + field.offset, field.size, over);
}

// Collecting.

function collectedBy(memory: GuestMemory, area: Area, field: Field, access: WatchedAccess): Move | undefined {
  const { owner } = area;
  if (owner.format === 'packed') return packedCollected(memory, area, field, access);
  if (field.place.part !== 'used' || field.place.field !== 'idx') return undefined;
  const after = Number(loadedValue(memory, area, field, access));
  return after === owner.collected ? undefined : { before: owner.collected, after };
}

/** The flags of the oldest used descriptor that the driver has not seen show it. [2.8.22] */
function packedCollected(memory: GuestMemory, area: Area, field: Field, access: WatchedAccess): Move | undefined {
  const { owner, table } = area;
  const [oldest] = owner.usedChains;
  if (oldest === undefined || table !== undefined || !isFlagsOf(field.place, oldest.position % owner.size)) {
    return undefined;
  }
  const flags = Number(loadedValue(memory, area, field, access));
  if ((flags & lapBits) !== usedBits(oldest.position, owner.size)) return undefined;
  return { before: owner.collected, after: oldest.next };
}

/** Whether this is where the driver looks for what was used: the used index, or the flags of the next used descriptor. */
function isLook(
  { owner, table }: Area,
  { partial, place }: Extract<Fact, { kind: 'ring-load' | 'ring-store' }>,
): boolean {
  if (partial) return false;
  if (owner.format === 'split') return place.part === 'used' && place.field === 'idx';
  return table === undefined && isFlagsOf(place, owner.collected % owner.size);
}

function isFlagsOf(place: RingPlace, slot: number): boolean {
  return place.part === 'descriptor' && place.field === 'flags' && place.index === slot;
}

// Publishing.

function publishedBy(
  memory: GuestMemory,
  area: Area,
  field: Field,
  access: WatchedAccess,
): (Move & { readonly chains: readonly Chain[] }) | undefined {
  const { owner, table } = area;
  if (owner.format === 'packed') {
    const isNext = table === undefined && isFlagsOf(field.place, owner.published % owner.size);
    return isNext ? packedPublished(memory, owner, access) : undefined;
  }
  if (field.place.part !== 'available' || field.place.field !== 'idx') return undefined;
  const before = Number(fieldValue(memory, area, field, { access, bytes: access.before }));
  const after = Number(fieldValue(memory, area, field, { access, bytes: access.value }));
  if (before === after) return undefined;
  return { before, after, chains: splitExposed(memory, owner, before, after, access) };
}

function sourceOf(memory: GuestMemory, owner: WatchedQueue, access: WatchedAccess): ChainSource {
  return {
    memory: overlaidMemory(memory, { access, bytes: access.value }),
    descriptorAddress: owner.descriptor,
    queueSize: owner.size,
    indirect: owner.indirect,
  };
}

/** The chains between two values of the available index, as the device will find them once the store has taken effect. */
function splitExposed(
  memory: GuestMemory,
  owner: WatchedQueue,
  before: number,
  after: number,
  access: WatchedAccess,
): Chain[] {
  const source = sourceOf(memory, owner, access);
  const count = Math.min((after - before) & 0xffff, owner.size);
  const chains: Chain[] = [];
  for (let i = 0; i < count; i++) {
    const position = (before + i) & 0xffff;
    const slot = position % owner.size;
    const head = source.memory.read16(owner.available + availableOffset.ring(slot));
    chains.push(walkChain(source, { head, slot, position }));
  }
  return chains;
}

/**
 * The chains from the next position on that are available once the store has taken effect: those behind the first were prepared
 * before and are exposed with it. [2.8.21]
 */
function packedPublished(
  memory: GuestMemory,
  owner: WatchedQueue,
  access: WatchedAccess,
): (Move & { readonly chains: readonly Chain[] }) | undefined {
  const source = sourceOf(memory, owner, access);
  const before = owner.published;
  const chains: Chain[] = [];
  let after = before;
  while (after - before < owner.size) {
    const at = owner.descriptor + (after % owner.size) * descriptorBytes;
    const flags = source.memory.read16(at + packedOffset.flags);
    if ((flags & lapBits) !== availableBits(after, owner.size)) break;
    const chain = walkPackedChain(source, after);
    chains.push(chain);
    after += chain.packed?.descriptors ?? 1;
  }
  return chains.length === 0 ? undefined : { before, after, chains };
}
