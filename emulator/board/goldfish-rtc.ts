// The real-time clock: nanoseconds since 1970 with one alarm. [Goldfish virtual platform, RTC]
import type { AccessSize, MmioRegion, SavedState, Stateful } from '../bus/access';
import type { BoardContext, InterruptLine } from './contract';
import { memoryMap } from './memory-map';
import { RegisterBank } from './registers';

const owner = 'rtc';
const wordMask = 0xffff_ffffn;

interface RtcState {
  /** What software added to the time by writing it. */
  offsetNanoseconds: bigint;
  alarmNanoseconds: bigint;
  alarmRunning: boolean;
  interruptPending: boolean;
  interruptEnabled: boolean;
  /** The upper half that belongs to the last read of the lower one. */
  latchedHigh: number;
}

function resetState(): RtcState {
  return {
    offsetNanoseconds: 0n,
    alarmNanoseconds: 0n,
    alarmRunning: false,
    interruptPending: false,
    interruptEnabled: false,
    latchedHigh: 0,
  };
}

const low = (value: bigint): number => Number(value & wordMask);
const high = (value: bigint): number => Number((value >> 32n) & wordMask);
const withLow = (value: bigint, half: number): bigint => (value & ~wordMask) | BigInt(half);
const withHigh = (value: bigint, half: number): bigint => (value & wordMask) | (BigInt(half) << 32n);

const bank = new RegisterBank<GoldfishRtc>(
  [
    {
      offset: 0x00,
      name: 'TIME_LOW',
      read: (rtc) => rtc.readTimeLow(),
      peek: (rtc) => low(rtc.now()),
      write: (rtc, value) => rtc.setTime(withLow(rtc.now(), value)),
    },
    {
      offset: 0x04,
      name: 'TIME_HIGH',
      read: (rtc) => rtc.state.latchedHigh,
      write: (rtc, value) => rtc.setTime(withHigh(rtc.now(), value)),
    },
    {
      offset: 0x08,
      name: 'ALARM_LOW',
      read: (rtc) => low(rtc.state.alarmNanoseconds),
      write: (rtc, value) => rtc.startAlarm(withLow(rtc.state.alarmNanoseconds, value)),
    },
    {
      offset: 0x0c,
      name: 'ALARM_HIGH',
      read: (rtc) => high(rtc.state.alarmNanoseconds),
      // The alarm starts with the write of the lower half.
      write: (rtc, value) => {
        rtc.state.alarmNanoseconds = withHigh(rtc.state.alarmNanoseconds, value);
      },
    },
    {
      offset: 0x10,
      name: 'IRQ_ENABLED',
      read: (rtc) => (rtc.state.interruptEnabled ? 1 : 0),
      write: (rtc, value) => rtc.enableInterrupt((value & 1) === 1),
    },
    { offset: 0x14, name: 'CLEAR_ALARM', write: (rtc) => rtc.stopAlarm() },
    { offset: 0x18, name: 'ALARM_STATUS', read: (rtc) => (rtc.state.alarmRunning ? 1 : 0) },
    { offset: 0x1c, name: 'CLEAR_INTERRUPT', write: (rtc) => rtc.clearInterrupt() },
  ],
  { widths: [4], valueBits: 32 },
);

export class GoldfishRtc implements MmioRegion, Stateful {
  readonly name = 'rtc';
  readonly base = memoryMap.rtc.base;
  readonly sizeBytes = memoryMap.rtc.sizeBytes;
  /** For the register table only. */
  state = resetState();

  constructor(
    private readonly context: BoardContext,
    private readonly interrupt: InterruptLine,
  ) {
    context.clock.handle(owner, () => this.ring());
  }

  read(offset: number, size: AccessSize): bigint | undefined {
    return bank.read(this, offset, size);
  }
  peek(offset: number, size: AccessSize): bigint | undefined {
    return bank.peek(this, offset, size);
  }
  write(offset: number, size: AccessSize, value: bigint): boolean {
    return bank.write(this, offset, size, value);
  }

  /** Nanoseconds since 1970 as the guest reads them. */
  now(): bigint {
    return BigInt.asUintN(64, this.hardwareNow() + this.state.offsetNanoseconds);
  }
  readTimeLow(): number {
    const time = this.now();
    this.state.latchedHigh = high(time);
    return low(time);
  }
  setTime(value: bigint): void {
    this.state.offsetNanoseconds = value - this.hardwareNow();
    if (this.state.alarmRunning) this.startAlarm(this.state.alarmNanoseconds);
  }
  startAlarm(at: bigint): void {
    this.context.clock.cancel(owner);
    this.state.alarmNanoseconds = at;
    this.state.alarmRunning = true;
    const remaining = at - this.now();
    if (remaining <= 0n) this.ring();
    else if (remaining <= BigInt(Number.MAX_SAFE_INTEGER)) this.context.clock.schedule(owner, Number(remaining), 0);
  }
  stopAlarm(): void {
    this.context.clock.cancel(owner);
    this.state.alarmRunning = false;
  }
  enableInterrupt(on: boolean): void {
    this.state.interruptEnabled = on;
    this.update();
  }
  clearInterrupt(): void {
    this.state.interruptPending = false;
    this.update();
  }

  reset(): void {
    this.context.clock.cancel(owner);
    this.state = resetState();
    this.update();
  }
  save(): SavedState {
    return { ...this.state };
  }
  restore(state: SavedState): void {
    this.state = { ...(state as RtcState) };
  }

  private hardwareNow(): bigint {
    return this.context.wallClockAtResetNanoseconds + BigInt(this.context.clock.now());
  }
  private ring(): void {
    this.state.alarmRunning = false;
    this.state.interruptPending = true;
    this.update();
  }
  private update(): void {
    this.interrupt.set(this.state.interruptPending && this.state.interruptEnabled);
  }
}
