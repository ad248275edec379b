// The core-local interruptor: software interrupts, the machine timer and its comparators. [SiFive CLINT; RISC-V priv. 3.2.1]
import type { AccessSize, MmioRegion, SavedState, Stateful } from '../bus/access';
import type { BoardContext } from './contract';
import { memoryMap } from './memory-map';
import { type MachineTimer, TimerComparators } from './timer';

/** A row is `count` registers of `widthBytes`; 64-bit ones may be accessed by halves. */
interface ClintRegister {
  readonly offset: number;
  readonly name: string;
  readonly widthBytes: 4 | 8;
  readonly count: (clint: Clint) => number;
  readonly read: (clint: Clint, hart: number) => bigint;
  readonly write: (clint: Clint, value: bigint, hart: number) => void;
}

const registers: readonly ClintRegister[] = [
  {
    offset: 0,
    name: 'msip',
    widthBytes: 4,
    count: (clint) => clint.harts,
    read: (clint, hart) => (clint.softwareInterrupt(hart) ? 1n : 0n),
    write: (clint, value, hart) => clint.setSoftwareInterrupt(hart, (value & 1n) === 1n),
  },
  {
    offset: 0x4000,
    name: 'mtimecmp',
    widthBytes: 8,
    count: (clint) => clint.harts,
    read: (clint, hart) => clint.comparators.get(hart),
    write: (clint, value, hart) => clint.comparators.set(hart, value),
  },
  {
    offset: 0xbff8,
    name: 'mtime',
    widthBytes: 8,
    count: () => 1,
    read: (clint) => clint.timer.now(),
    write: (clint, value) => clint.setTime(value),
  },
];

export class Clint implements MmioRegion, Stateful {
  readonly name = 'clint';
  readonly base = memoryMap.clint.base;
  readonly sizeBytes = memoryMap.clint.sizeBytes;
  readonly harts: number;
  readonly comparators: TimerComparators;
  private pending: boolean[];

  constructor(
    private readonly context: BoardContext,
    readonly timer: MachineTimer,
  ) {
    this.harts = context.harts;
    this.pending = new Array<boolean>(this.harts).fill(false);
    // All comparators begin at 0, so MTIP is pending from the start, as on QEMU.
    this.comparators = new TimerComparators(
      'clint',
      'MTIP',
      this.harts,
      0n,
      timer,
      context.clock,
      (hart, name, level) => context.setInterrupt(hart, name, level),
    );
  }

  softwareInterrupt(hart: number): boolean {
    return this.pending[hart] ?? false;
  }
  setSoftwareInterrupt(hart: number, level: boolean): void {
    if (this.pending[hart] === level) return;
    this.pending[hart] = level;
    this.context.setInterrupt(hart, 'MSIP', level);
  }
  setTime(value: bigint): void {
    this.timer.set(value);
  }

  read(offset: number, size: AccessSize): bigint | undefined {
    return this.peek(offset, size);
  }
  peek(offset: number, size: AccessSize): bigint | undefined {
    if (size < 4) return undefined;
    const found = this.find(offset);
    if (found === undefined) return 0n;
    const { row, hart, shift } = found;
    return BigInt.asUintN(size * 8, row.read(this, hart) >> shift);
  }
  write(offset: number, size: AccessSize, value: bigint): boolean {
    if (size < 4) return false;
    const found = this.find(offset);
    if (found === undefined) return true;
    const { row, hart, shift } = found;
    const mask = BigInt.asUintN(size * 8, -1n) << shift;
    row.write(this, BigInt.asUintN(64, (row.read(this, hart) & ~mask) | ((value << shift) & mask)), hart);
    return true;
  }

  reset(): void {
    this.timer.reset();
    for (let hart = 0; hart < this.harts; hart++) this.setSoftwareInterrupt(hart, false);
    this.comparators.reset();
  }
  save(): SavedState {
    return { pending: [...this.pending], timer: this.timer.save(), comparators: this.comparators.save() };
  }
  restore(state: SavedState): void {
    const saved = state as { pending: boolean[]; timer: SavedState; comparators: SavedState };
    this.pending = [...saved.pending];
    this.timer.restore(saved.timer);
    this.comparators.restore(saved.comparators);
  }

  private find(offset: number): { row: ClintRegister; hart: number; shift: bigint } | undefined {
    for (const row of registers) {
      const hart = Math.floor((offset - row.offset) / row.widthBytes);
      if (hart < 0 || hart >= row.count(this)) continue;
      return { row, hart, shift: BigInt(((offset - row.offset) % row.widthBytes) * 8) };
    }
    return undefined;
  }
}
