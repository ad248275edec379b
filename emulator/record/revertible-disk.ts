// A disk whose content can go back in time: what the guest writes stays in blocks above the host's image, and reaches the image with the
// guest's flushes from the live end only. [design: history and the outside]
// Guarantees: reads give what was written last before the machine's present, whatever the image has become since.
import type { SavedState, Stateful } from '../bus/access';
import type { BlockBackend } from '../configuration';

const blockBytes = 4096;

/** A disk at a moment. Frozen: its blocks are counted apart from the rest of a state. */
export interface SavedDisk extends SavedState {
  readonly blocks: ReadonlyMap<number, Uint8Array>;
}

export class RevertibleDisk implements BlockBackend, Stateful {
  readonly sizeBytes: number;
  readonly description: string;
  /** Blocks that differ from the image as it was at the start. A block is replaced, never changed. */
  private blocks = new Map<number, Uint8Array>();
  /** Blocks whose content in the image is older than ours. */
  private uncommitted = new Set<number>();
  /** What the image held where it was written since the start. */
  private readonly originals = new Map<number, Uint8Array>();

  private detached = false;

  /** @param isLive whether the machine does something for the first time */
  constructor(
    private readonly image: BlockBackend,
    private readonly isLive: () => boolean,
  ) {
    this.sizeBytes = image.sizeBytes;
    this.description = image.description;
  }

  /** Bytes of what the image held before it was written. */
  get originalBytes(): number {
    return this.originals.size * blockBytes;
  }

  read(offset: number, length: number): Uint8Array {
    const first = Math.floor(offset / blockBytes);
    const last = Math.floor((offset + length - 1) / blockBytes);
    let own = false;
    for (let block = first; block <= last && !own; block++) own = this.blocks.has(block) || this.originals.has(block);
    if (!own) return this.image.read(offset, length);
    const bytes = new Uint8Array(length);
    this.check(offset, length);
    for (let block = first; block <= last; block++) {
      const start = Math.max(offset, block * blockBytes);
      const end = Math.min(offset + length, (block + 1) * blockBytes);
      bytes.set(this.content(block).subarray(start - block * blockBytes, end - block * blockBytes), start - offset);
    }
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    this.check(offset, bytes.length);
    for (let at = 0; at < bytes.length;) {
      const block = Math.floor((offset + at) / blockBytes);
      const within = offset + at - block * blockBytes;
      const count = Math.min(bytes.length - at, blockBytes - within);
      const content = this.content(block).slice();
      content.set(bytes.subarray(at, at + count), within);
      this.blocks.set(block, content);
      this.uncommitted.add(block);
      at += count;
    }
  }

  flush(): void {
    if (this.detached || !this.isLive()) return;
    for (const block of this.uncommitted) {
      const content = this.blocks.get(block) ?? this.originals.get(block);
      if (content === undefined) continue;
      if (!this.originals.has(block)) this.originals.set(block, this.ofImage(block));
      this.image.write(block * blockBytes, content);
    }
    this.uncommitted.clear();
    this.image.flush();
  }

  /** The run has gone another way than the one whose writes reached the image: from now on it stays as it is. */
  detach(): void {
    this.detached = true;
  }

  save(): SavedDisk {
    const saved: SavedDisk = { blocks: new Map(this.blocks) };
    return Object.freeze(saved);
  }
  restore(state: SavedState): void {
    const { blocks } = state as SavedDisk;
    for (const block of new Set([...this.blocks.keys(), ...blocks.keys()])) {
      if (this.blocks.get(block) !== blocks.get(block)) this.uncommitted.add(block);
    }
    this.blocks = new Map(blocks);
  }

  private content(block: number): Uint8Array {
    return this.blocks.get(block) ?? this.originals.get(block) ?? this.ofImage(block);
  }
  /** The last block may be shorter. */
  private ofImage(block: number): Uint8Array {
    const start = block * blockBytes;
    return this.image.read(start, Math.min(blockBytes, this.sizeBytes - start));
  }
  private check(offset: number, length: number): void {
    if (offset < 0 || offset + length > this.sizeBytes) {
      throw new RangeError(`${length} bytes at ${offset} lie outside the disk of ${this.sizeBytes} bytes`);
    }
  }
}
