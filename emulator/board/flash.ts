// A bank of parallel flash: two 16-bit chips side by side make a 32-bit bus, as on QEMU's `virt`. [`cfi-flash` binding, bank-width 4]
import type { AccessSize, MmioRegion, SavedState, Stateful } from '../bus/access';
import { FlashChip } from './flash-chip';
import type { MapEntry } from './memory-map';

export class FlashBank implements MmioRegion, Stateful {
  readonly base: number;
  readonly sizeBytes: number;
  private readonly chips = [new FlashChip(), new FlashChip()] as const;

  constructor(
    readonly name: string,
    place: MapEntry,
  ) {
    this.base = place.base;
    this.sizeBytes = place.sizeBytes;
  }

  read(offset: number, size: AccessSize): bigint {
    return this.peek(offset, size);
  }
  /** Reading a flash chip has no effect. */
  peek(offset: number, size: AccessSize): bigint {
    if (size === 1) return BigInt((this.half(offset - (offset % 2)) >> ((offset % 2) * 8)) & 0xff);
    let value = 0n;
    for (let at = size - 2; at >= 0; at -= 2) value = (value << 16n) | BigInt(this.half(offset + at));
    return value;
  }
  write(offset: number, size: AccessSize, value: bigint): boolean {
    // The chips have no byte select: the low byte reaches one with the upper lines at 0, the high byte none.
    if (size === 1) {
      if (offset % 2 === 0) this.chip(offset).write(wordOf(offset), Number(value & 0xffn));
      return true;
    }
    for (let at = 0; at < size; at += 2) {
      this.chip(offset + at).write(wordOf(offset + at), Number((value >> BigInt(at * 8)) & 0xffffn));
    }
    return true;
  }

  reset(): void {
    for (const chip of this.chips) chip.reset();
  }
  save(): SavedState {
    return { chips: this.chips.map((chip) => chip.save()) };
  }
  restore(state: SavedState): void {
    const saved = state as { chips: SavedState[] };
    this.chips.forEach((chip, index) => {
      const from = saved.chips[index];
      if (from !== undefined) chip.restore(from);
    });
  }

  private half(offset: number): number {
    return this.chip(offset).read(wordOf(offset));
  }
  private chip(offset: number): FlashChip {
    return this.chips[(offset & 2) === 0 ? 0 : 1];
  }
}

/** The chips' address lines begin above the two that choose byte and chip. */
function wordOf(offset: number): number {
  return Math.floor(offset / 4);
}
