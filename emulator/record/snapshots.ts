// Snapshots of a machine: its plain state, and RAM copy on write. They cost nothing until the first one is taken. [design: history]
// Guarantees: a machine that was restored does from then on exactly what it did after the snapshot was taken.
import type { SavedState } from '../bus/access';
import { isBefore, type Moment } from './moment';
import { isStamped } from './stamp';
import { type PagedMemory, PageHistory, type PageVersion } from './page-history';

export interface Snapshot {
  readonly moment: Moment;
  /** Events of the run before it. */
  readonly events: number;
  /** Bytes of its state, RAM apart; about. */
  readonly stateBytes: number;
}

interface Taken extends Snapshot {
  /** Bytes of the disk blocks that the snapshot before it does not hold. */
  blockBytes: number;
  readonly state: SavedState;
  readonly pages: PageVersion;
}

/** What can be saved and put back besides RAM. RAM is in place before `restore` is called. */
export interface Snapshotted {
  readonly moment: Moment;
  /** Blocks of disks that a saved state holds, each disk's by number. A block is shared between states until it is written again. */
  blocksOf(saved: SavedState): readonly ReadonlyMap<number, Uint8Array>[];
  readonly monitor: { readonly events: { readonly length: number } };
  save(): SavedState;
  restore(state: SavedState): void;
}

export class Snapshots {
  private readonly pages: PageHistory;
  private taken: Taken[] = [];

  constructor(
    memory: PagedMemory,
    private readonly machine: Snapshotted,
  ) {
    this.pages = new PageHistory(memory);
  }

  /** In order of time. */
  get all(): readonly Snapshot[] {
    return this.taken;
  }
  /** Bytes of all of them, about. */
  get bytes(): number {
    return this.taken.reduce((sum, { stateBytes, blockBytes }) => sum + stateBytes + blockBytes, this.pages.bytes);
  }

  /** The machine as it is now. Call it at a step boundary, never while `run` is active. */
  take(): Snapshot {
    const state = this.machine.save();
    const { moment, monitor } = this.machine;
    const events = monitor.events.length;
    const later = this.taken.findIndex((each) => isBefore(moment, each.moment));
    const place = later < 0 ? this.taken.length : later;
    const pages = this.pages.take(this.taken[place - 1]?.pages);
    const snapshot = { moment, events, stateBytes: sizeOf(state), blockBytes: 0, state, pages };
    this.taken.splice(place, 0, snapshot);
    this.measure(place);
    this.measure(place + 1);
    return snapshot;
  }

  /** Takes the machine to where it was. Throws RangeError for a snapshot that was dropped or is another machine's. */
  restore(snapshot: Snapshot): void {
    const { pages, state } = this.find(snapshot);
    this.pages.restore(pages);
    this.machine.restore(state);
  }

  drop(snapshot: Snapshot): void {
    const place = this.taken.indexOf(this.find(snapshot));
    for (const { pages } of this.taken.splice(place, 1)) this.pages.drop(pages);
    this.measure(place);
  }

  /** The run goes another way from here: what was taken behind the machine's present is no more. */
  dropLater(present: Moment): void {
    for (const snapshot of [...this.taken].reverse()) if (isBefore(present, snapshot.moment)) this.drop(snapshot);
  }

  /** Counts the disk blocks that the snapshot at a place adds to the one before it. */
  private measure(place: number): void {
    const [own, previous] = [this.taken[place], this.taken[place - 1]];
    if (own === undefined) return;
    const before = previous === undefined ? [] : this.machine.blocksOf(previous.state);
    own.blockBytes = this.machine.blocksOf(own.state).reduce((sum, blocks, disk) => {
      for (const [number, block] of blocks) {
        sum += bytesOfEntry + (before[disk]?.get(number) === block ? 0 : block.byteLength);
      }
      return sum;
    }, 0);
  }

  private find(snapshot: Snapshot): Taken {
    const found = this.taken.find((each) => each === snapshot);
    if (found === undefined) throw new RangeError('this snapshot was dropped, or belongs to another machine');
    return found;
  }
}

const bytesOfNumber = 16;
const bytesOfEntry = 32;

/** What a plain value takes in memory, about; parts that are shared count each time. */
function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.byteLength;
  if (value instanceof Map)
    return [...value].reduce<number>((sum, [key, item]) => sum + sizeOf(key) + sizeOf(item), 64);
  if (value instanceof Set) return value.size * bytesOfNumber;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + sizeOf(item), bytesOfNumber);
  if (typeof value === 'object' && value !== null) {
    // What is frozen or recorded is shared with the machine and with other snapshots.
    if (Object.isFrozen(value) || isStamped(value)) return bytesOfNumber;
    return Object.values(value).reduce<number>((sum, item) => sum + sizeOf(item), bytesOfNumber);
  }
  return typeof value === 'string' ? value.length : bytesOfNumber;
}
