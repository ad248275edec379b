// A comparator against the machine timer for each hart, as the CLINT and stimecmp need it. [RISC-V priv. 3.2.1 and 12]
// Guarantees: the wire is high exactly while time >= compare and the comparator is armed.
import type { SavedState, Stateful } from '../bus/access';
import type { Clock } from '../clock';
import type { InterruptName } from '../cpu/contract';
import { nanosecondsPerTick } from './memory-map';

/** The machine timer: a 64-bit counter of 100 ns ticks that software may set. */
export class MachineTimer implements Stateful {
  private offsetTicks = 0n;
  private readonly observers: (() => void)[] = [];

  constructor(private readonly clock: Clock) {}

  /** Ticks since reset, plus what software added. */
  now(): bigint {
    return BigInt.asUintN(64, this.ticks() + this.offsetTicks);
  }
  set(value: bigint): void {
    this.offsetTicks = BigInt.asUintN(64, value - this.ticks());
    for (const observer of this.observers) observer();
  }
  /** Calls `observer` whenever software set the timer. */
  observe(observer: () => void): void {
    this.observers.push(observer);
  }
  /** Virtual nanoseconds at which the timer will have counted this many more ticks. */
  nanosecondsAfter(ticks: bigint): bigint {
    return (this.ticks() + ticks) * BigInt(nanosecondsPerTick);
  }

  reset(): void {
    this.offsetTicks = 0n;
  }
  save(): SavedState {
    return { offsetTicks: this.offsetTicks };
  }
  restore(state: SavedState): void {
    this.offsetTicks = (state as { offsetTicks: bigint }).offsetTicks;
  }

  private ticks(): bigint {
    return BigInt(Math.floor(this.clock.now() / nanosecondsPerTick));
  }
}

export class TimerComparators implements Stateful {
  private compare: (bigint | undefined)[];

  /**
   * @param owner name under which due times are scheduled
   * @param initial value at reset; undefined: the comparator leaves its wire alone until it is set
   */
  constructor(
    private readonly owner: string,
    private readonly wire: InterruptName,
    private readonly harts: number,
    private readonly initial: bigint | undefined,
    private readonly timer: MachineTimer,
    private readonly clock: Clock,
    private readonly setInterrupt: (hart: number, name: InterruptName, level: boolean) => void,
  ) {
    this.compare = new Array<bigint | undefined>(harts).fill(initial);
    timer.observe(() => this.refreshAll());
    clock.handle(owner, (hart) => this.refresh(hart));
  }

  get(hart: number): bigint {
    return this.compare[hart] ?? 0n;
  }
  /** `undefined` leaves the wire as it is, for others to drive. */
  set(hart: number, value: bigint | undefined): void {
    if (hart < 0 || hart >= this.harts) return;
    this.compare[hart] = value === undefined ? undefined : BigInt.asUintN(64, value);
    this.refresh(hart);
  }

  /** The timer was set: every comparison starts anew. */
  refreshAll(): void {
    for (let hart = 0; hart < this.harts; hart++) this.refresh(hart);
  }

  reset(): void {
    this.compare.fill(this.initial);
    this.refreshAll();
  }
  save(): SavedState {
    return { compare: [...this.compare] };
  }
  restore(state: SavedState): void {
    this.compare = [...(state as { compare: (bigint | undefined)[] }).compare];
  }

  private refresh(hart: number): void {
    this.clock.cancel(this.owner, hart);
    const compare = this.compare[hart];
    if (compare === undefined) return;
    const remaining = compare - this.timer.now();
    this.setInterrupt(hart, this.wire, remaining <= 0n);
    if (remaining <= 0n) return;
    const due = this.timer.nanosecondsAfter(remaining);
    // Beyond the clock's exact range (104 days of virtual time) the comparator is as good as off: guests write all ones for that.
    if (due <= BigInt(Number.MAX_SAFE_INTEGER)) this.clock.scheduleAt(this.owner, Number(due), hart);
  }
}
