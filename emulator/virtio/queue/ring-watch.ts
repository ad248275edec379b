// Turns a hart's loads and stores on ring memory into facts: which field of which ring, what was published, what was collected.
// Works on guest-physical addresses, so every virtual alias counts. [virtio 1.4, 2.7, 2.8; design: who accesses]
// Guarantees: reads memory, never writes it; facts of one access come in address order, `publish` and `collect` after their field.
import type { WatchedAccess } from '../../bus/access';
import type { GuestMemory } from '../../bus/memory';
import { pageFlag } from '../../cpu/contract';
import type { Chain, EventSink } from '../../record/events';
import { BufferAreas, type SavedBufferAreas } from './buffer-areas';
import type { PackedQueueState } from './packed';
import { RingAreas, type SavedRingAreas } from './ring-areas';
import { type Described, describeAccess } from './ring-facts';
import type { SplitQueueState } from './split';

export interface SavedRingWatch extends SavedRingAreas {
  readonly buffers: SavedBufferAreas;
}

export class RingWatch {
  private readonly areas: RingAreas;
  private readonly buffers: BufferAreas;
  /** What was worked out in `before`, for the `after` of the same access. */
  private described: { readonly access: WatchedAccess; readonly result: DescribedAccess } | undefined;
  /** The newest access, when it looked for used buffers and saw nothing new: a spinning driver soon repeats it. */
  private polled: { readonly access: WatchedAccess; readonly result: DescribedAccess } | undefined;

  constructor(
    private readonly memory: GuestMemory,
    private readonly sink: EventSink,
    watchPage: (page: number, flags: number) => void,
  ) {
    const pages = new SharedPages(watchPage);
    this.areas = new RingAreas(memory, (page, flags) => pages.watch('rings', page, flags !== 0));
    this.buffers = new BufferAreas(memory, (page, isWatched) => pages.watch('buffers', page, isWatched));
  }

  /** The driver made a queue ready; its areas lie in RAM. */
  queueEnabled(
    device: string,
    queue: number,
    state: Readonly<SplitQueueState> | Readonly<PackedQueueState>,
    indirect: boolean,
  ): void {
    this.queueDisabled(device, queue);
    this.polled = undefined;
    const { format, size, descriptor } = state;
    const [available, used] = state.format === 'packed' ? [state.driver, state.device] : [state.available, state.used];
    this.areas.add({
      ...{ device, queue, format, size, descriptor, available, used, indirect },
      ...{ collected: 0, published: 0, usedChains: [], tables: [] },
    });
  }

  /** Feature negotiation ended after the queue was made ready. */
  indirectNegotiated(device: string, indirect: boolean): void {
    this.polled = undefined;
    this.areas.setIndirect(device, indirect);
  }

  queueDisabled(device: string, queue: number): void {
    if (this.areas.remove(device, queue)) this.polled = undefined;
    this.buffers.disabled(device, queue);
  }

  /** The device read a chain: its tables are watched even if their publishing was not seen. */
  fetched(device: string, queue: number, chain: Chain): void {
    const owner = this.areas.find(device, queue);
    if (owner === undefined) return;
    this.addTables(owner, chain);
    // What was published before the queue was watched, or by somebody else than a hart.
    if (chain.packed !== undefined) {
      owner.published = Math.max(owner.published, chain.position + chain.packed.descriptors);
    }
  }

  /**
   * The device gave chains back: their indirect tables are the driver's again. `from` and `to`: its used index before and after; `length`
   * is that of the used entry.
   */
  used(device: string, queue: number, heads: readonly number[], from: number, to: number, length: number): void {
    this.buffers.used(device, queue, heads, length);
    const owner = this.areas.find(device, queue);
    if (owner === undefined) return;
    if (owner.format === 'packed') {
      // A driver that never looks leaves no more than this behind.
      owner.usedChains = [...owner.usedChains, { position: from, next: to }].slice(-2 * owner.size);
    }
    for (const head of heads) if (this.areas.dropTables(owner, head)) this.polled = undefined;
  }

  collectedIndex(device: string, queue: number): number {
    return this.areas.find(device, queue)?.collected ?? 0;
  }

  /** Asks the sink about an access that is about to happen; changes nothing that anybody can see. */
  before(access: WatchedAccess): 'proceed' | 'stop' {
    const result = this.describeOrRecall(access);
    let answer: 'proceed' | 'stop' = 'proceed';
    for (const fact of result.facts) if (this.sink.attempt(fact) === 'stop') answer = 'stop';
    for (const fact of result.buffers) if (this.sink.attempt(fact) === 'stop') answer = 'stop';
    // During a stop the user may change memory, so the access is described anew when it goes on.
    this.described = answer === 'proceed' ? { access, result } : undefined;
    return answer;
  }

  /** Records an access that took effect. */
  after(access: WatchedAccess): void {
    const known = this.described;
    this.described = undefined;
    const result =
      known !== undefined && sameAccess(known.access, access) ? known.result : this.describeOrRecall(access);
    this.takeAccountOf(result, access.step);
    this.buffers.after(access, result.buffers);
    this.polled = result.fruitless ? { access, result } : undefined;
    const [only] = result.facts;
    if (result.facts.length === 1 && only?.kind === 'ring-load' && this.sink.repeats?.(only) === true) return;
    for (const fact of result.facts) this.sink.record(fact);
    for (const fact of result.buffers) this.sink.record(fact);
  }

  save(): SavedRingWatch {
    return { ...this.areas.save(), buffers: this.buffers.save() };
  }

  restore(saved: SavedRingWatch): void {
    this.described = undefined;
    this.polled = undefined;
    this.areas.restore(saved);
    this.buffers.restore(saved.buffers);
  }

  private takeAccountOf({ collected, published }: Described, step: number): void {
    if (collected !== undefined) {
      const { owner, index } = collected;
      owner.collected = index;
      owner.usedChains = owner.usedChains.filter(({ next }) => next > index);
      this.buffers.seen(owner.device, owner.queue, owner.format === 'packed', step);
    }
    if (published === undefined) return;
    published.owner.published = published.index;
    for (const chain of published.chains) this.addTables(published.owner, chain);
    this.buffers.published(published.owner.device, published.owner.queue, published.chains);
  }

  private addTables(owner: Parameters<RingAreas['addTables']>[0], chain: Chain): void {
    if (chain.tables.length === 0) return;
    this.polled = undefined;
    this.areas.addTables(owner, chain);
  }

  private describeOrRecall(access: WatchedAccess): DescribedAccess {
    const { polled } = this;
    if (polled !== undefined && isSameLoad(polled.access, access)) return polled.result;
    // Written out: a spread would cost more than the rest.
    const { facts, published, collected, fruitless } = describeAccess(this.memory, access, this.areas.at(access));
    return { facts, published, collected, fruitless, buffers: this.buffers.facts(access) };
  }
}

interface DescribedAccess extends Described {
  readonly buffers: ReturnType<BufferAreas['facts']>;
}

/** Pages that several look after: watched while any of them wants it. */
class SharedPages {
  private readonly wanted = { rings: new Set<number>(), buffers: new Set<number>() };

  constructor(private readonly watchPage: (page: number, flags: number) => void) {}

  watch(who: keyof SharedPages['wanted'], page: number, isWatched: boolean): void {
    if (isWatched) this.wanted[who].add(page);
    else this.wanted[who].delete(page);
    const flags = pageFlag.watchLoad | pageFlag.watchStore;
    this.watchPage(page, this.wanted.rings.has(page) || this.wanted.buffers.has(page) ? flags : 0);
  }
}

/** Whether a load finds what an earlier one found, whenever either happened. */
function isSameLoad(a: WatchedAccess, b: WatchedAccess): boolean {
  return (
    b.kind === 'load' &&
    a.hart === b.hart &&
    a.pc === b.pc &&
    a.physicalAddress === b.physicalAddress &&
    a.size === b.size &&
    a.value === b.value &&
    a.acquire === b.acquire &&
    a.release === b.release
  );
}

function sameAccess(a: WatchedAccess, b: WatchedAccess): boolean {
  return (
    a.step === b.step &&
    a.hart === b.hart &&
    a.physicalAddress === b.physicalAddress &&
    a.size === b.size &&
    a.kind === b.kind &&
    a.value === b.value
  );
}
