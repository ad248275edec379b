// The serial port: a 16550A with 16-byte FIFOs. [National Semiconductor PC16550D]
// Transmission takes no time, so the transmitter is always empty. Input waits outside until the receiver has room: none is lost.
import type { AccessSize, MmioRegion, SavedState, Stateful } from '../bus/access';
import type { BoardContext, InterruptLine } from './contract';
import { memoryMap } from './memory-map';
import { RegisterBank } from './registers';

const interruptEnable = { receivedData: 1, transmitterEmpty: 2, lineStatus: 4, modemStatus: 8 } as const;
const identification = {
  none: 0x01,
  modemStatus: 0x00,
  transmitterEmpty: 0x02,
  receivedData: 0x04,
  lineStatus: 0x06,
  characterTimeout: 0x0c,
  fifosEnabled: 0xc0,
} as const;
const fifoControl = { enable: 1, resetReceiver: 2 } as const;
const lineControl = { divisorLatch: 0x80 } as const;
const modemControl = { dtr: 1, rts: 2, out1: 4, out2: 8, loopback: 0x10 } as const;
const lineStatus = { dataReady: 1, overrun: 2, transmitterHoldingEmpty: 0x20, transmitterEmpty: 0x40 } as const;
const modemStatus = { cts: 0x10, dsr: 0x20, ri: 0x40, dcd: 0x80, deltas: 0x0f } as const;

const fifoBytes = 16;
/** Bytes in the receiver at which it interrupts, by the two top bits of FCR. */
const triggerLevels = [1, 4, 8, 14] as const;
/** Input clock of the baud generator on this board. */
export const uartClockHertz = 3_686_400;

interface UartState {
  /** Bytes the receiver holds. */
  received: number[];
  /** Input from the terminal; the receiver has had the first `taken` bytes. */
  waiting: Uint8Array;
  taken: number;
  interruptEnable: number;
  fifoControl: number;
  lineControl: number;
  modemControl: number;
  /** Changes of the modem lines since MSR was read. */
  modemDeltas: number;
  scratch: number;
  divisor: number;
  overrun: boolean;
  transmitterPending: boolean;
  timeoutPending: boolean;
}

function resetState(): UartState {
  return {
    received: [],
    waiting: new Uint8Array(0),
    taken: 0,
    interruptEnable: 0,
    fifoControl: 0,
    lineControl: 0,
    modemControl: modemControl.out2,
    modemDeltas: 0,
    scratch: 0,
    // 9600 baud, as firmware leaves it.
    divisor: 24,
    overrun: false,
    transmitterPending: false,
    timeoutPending: false,
  };
}

const bank = new RegisterBank<Uart16550>(
  [
    {
      offset: 0,
      name: 'RBR/THR/DLL',
      read: (uart) => (uart.divisorLatched ? uart.divisor & 0xff : uart.receive()),
      peek: (uart) => (uart.divisorLatched ? uart.divisor & 0xff : uart.nextReceived),
      write: (uart, value) => {
        if (uart.divisorLatched) uart.divisor = (uart.divisor & 0xff00) | value;
        else uart.transmit(value);
      },
    },
    {
      offset: 1,
      name: 'IER/DLM',
      read: (uart) => (uart.divisorLatched ? uart.divisor >> 8 : uart.interruptEnable),
      write: (uart, value) => {
        if (uart.divisorLatched) uart.divisor = (uart.divisor & 0xff) | (value << 8);
        else uart.setInterruptEnable(value);
      },
    },
    {
      offset: 2,
      name: 'IIR/FCR',
      read: (uart) => uart.identify(),
      peek: (uart) => uart.identification,
      write: (uart, value) => uart.setFifoControl(value),
    },
    {
      offset: 3,
      name: 'LCR',
      read: (uart) => uart.lineControl,
      write: (uart, value) => {
        uart.lineControl = value;
      },
    },
    {
      offset: 4,
      name: 'MCR',
      read: (uart) => uart.modemControl,
      write: (uart, value) => uart.setModemControl(value),
    },
    { offset: 5, name: 'LSR', read: (uart) => uart.readLineStatus(), peek: (uart) => uart.lineStatus },
    { offset: 6, name: 'MSR', read: (uart) => uart.readModemStatus(), peek: (uart) => uart.modemStatus },
    {
      offset: 7,
      name: 'SCR',
      read: (uart) => uart.scratch,
      write: (uart, value) => {
        uart.scratch = value;
      },
    },
  ],
  // Registers are bytes; wider accesses reach the register at their own offset only, as on QEMU.
  { widths: [1, 2, 4, 8], valueBits: 8 },
);

export class Uart16550 implements MmioRegion, Stateful {
  readonly base = memoryMap.uart0.base;
  readonly sizeBytes = memoryMap.uart0.sizeBytes;
  private state = resetState();

  /** @param name the console's channel; also the owner of its character timeout in the clock */
  constructor(
    readonly name: string,
    private readonly context: BoardContext,
    private readonly interrupt: InterruptLine,
  ) {
    context.clock.handle(name, () => {
      this.state.timeoutPending = this.state.received.length > 0;
      this.update();
    });
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

  /** Bytes from the terminal, any number. */
  input(bytes: Uint8Array): void {
    const left = this.state.waiting.subarray(this.state.taken);
    const joined = new Uint8Array(left.length + bytes.length);
    joined.set(left);
    joined.set(bytes, left.length);
    this.state.waiting = joined;
    this.state.taken = 0;
    this.fill();
  }
  /** Takes the next input byte as firmware would; undefined when there is none. */
  takeInput(): number | undefined {
    return this.state.received.length > 0 ? this.receive() : undefined;
  }

  get divisorLatched(): boolean {
    return (this.state.lineControl & lineControl.divisorLatch) !== 0;
  }
  get divisor(): number {
    return this.state.divisor;
  }
  set divisor(value: number) {
    this.state.divisor = value;
  }
  get lineControl(): number {
    return this.state.lineControl;
  }
  set lineControl(value: number) {
    this.state.lineControl = value;
  }
  get scratch(): number {
    return this.state.scratch;
  }
  set scratch(value: number) {
    this.state.scratch = value;
  }

  get nextReceived(): number {
    return this.state.received[0] ?? 0;
  }
  receive(): number {
    const byte = this.state.received.shift() ?? 0;
    this.state.timeoutPending = false;
    this.fill();
    this.restartTimeout();
    this.update();
    return byte;
  }
  transmit(value: number): void {
    if (this.loopback) this.arrive(value);
    else this.context.output(this.name, Uint8Array.of(value));
    this.state.transmitterPending = false;
    this.update();
    this.state.transmitterPending = true;
    this.update();
  }

  get interruptEnable(): number {
    return this.state.interruptEnable;
  }
  setInterruptEnable(value: number): void {
    const wasEnabled = (this.state.interruptEnable & interruptEnable.transmitterEmpty) !== 0;
    const enabled = (value & interruptEnable.transmitterEmpty) !== 0;
    this.state.interruptEnable = value & 0x0f;
    if (enabled !== wasEnabled) this.state.transmitterPending = enabled;
    this.update();
  }

  /** IIR: the most urgent cause. */
  get identification(): number {
    const fifos = this.fifosEnabled ? identification.fifosEnabled : 0;
    return this.cause() | fifos;
  }
  identify(): number {
    const value = this.identification;
    if (this.cause() === identification.transmitterEmpty) {
      this.state.transmitterPending = false;
      this.update();
    }
    return value;
  }
  setFifoControl(value: number): void {
    const toggled = ((value ^ this.state.fifoControl) & fifoControl.enable) !== 0;
    if (toggled || (value & fifoControl.resetReceiver) !== 0) {
      this.state.received = [];
      this.state.timeoutPending = false;
    }
    this.state.fifoControl = (value & fifoControl.enable) !== 0 ? value & 0xc9 : 0;
    this.fill();
    this.update();
  }

  get modemControl(): number {
    return this.state.modemControl;
  }
  setModemControl(value: number): void {
    const before = this.modemLines();
    this.state.modemControl = value & 0x1f;
    const changed = before ^ this.modemLines();
    // RI counts only when it falls; the others at any change.
    const counted = changed & ~(changed & this.modemLines() & modemStatus.ri);
    this.state.modemDeltas |= counted >> 4;
    this.fill();
    this.update();
  }

  get lineStatus(): number {
    return (
      lineStatus.transmitterHoldingEmpty |
      lineStatus.transmitterEmpty |
      (this.state.received.length > 0 ? lineStatus.dataReady : 0) |
      (this.state.overrun ? lineStatus.overrun : 0)
    );
  }
  readLineStatus(): number {
    const value = this.lineStatus;
    if (this.state.overrun) {
      this.state.overrun = false;
      this.update();
    }
    return value;
  }
  get modemStatus(): number {
    return this.modemLines() | (this.state.modemDeltas & modemStatus.deltas);
  }
  readModemStatus(): number {
    const value = this.modemStatus;
    if (this.state.modemDeltas !== 0) {
      this.state.modemDeltas = 0;
      this.update();
    }
    return value;
  }

  reset(): void {
    this.context.clock.cancel(this.name);
    this.state = resetState();
    this.update();
  }
  save(): SavedState {
    const { received, waiting, taken } = this.state;
    return { ...this.state, received: [...received], waiting: waiting.slice(taken), taken: 0 };
  }
  restore(state: SavedState): void {
    const saved = state as UartState;
    this.state = { ...saved, received: [...saved.received], waiting: saved.waiting.slice() };
  }

  private get loopback(): boolean {
    return (this.state.modemControl & modemControl.loopback) !== 0;
  }
  private get fifosEnabled(): boolean {
    return (this.state.fifoControl & fifoControl.enable) !== 0;
  }
  private get capacity(): number {
    return this.fifosEnabled ? fifoBytes : 1;
  }

  /** The four modem inputs: in loopback what MCR drives, else a terminal that is always ready. */
  private modemLines(): number {
    if (!this.loopback) return modemStatus.dcd | modemStatus.dsr | modemStatus.cts;
    const control = this.state.modemControl;
    return (
      ((control & modemControl.dtr) !== 0 ? modemStatus.dsr : 0) |
      ((control & modemControl.rts) !== 0 ? modemStatus.cts : 0) |
      ((control & modemControl.out1) !== 0 ? modemStatus.ri : 0) |
      ((control & modemControl.out2) !== 0 ? modemStatus.dcd : 0)
    );
  }

  /** Moves waiting input into the receiver; in loopback the receiver is cut off from the terminal. */
  private fill(): void {
    const { received, waiting, taken } = this.state;
    const room = this.loopback ? 0 : Math.min(this.capacity - received.length, waiting.length - taken);
    if (room <= 0) return;
    received.push(...waiting.subarray(taken, taken + room));
    this.state.taken += room;
    this.restartTimeout();
    this.update();
  }
  /** A byte on the wire of the receiver that nothing holds back. */
  private arrive(byte: number): void {
    if (this.state.received.length < this.capacity) this.state.received.push(byte);
    else this.state.overrun = true;
    this.restartTimeout();
  }

  /** With FIFOs, bytes below the trigger level interrupt after four character times without a read. */
  private restartTimeout(): void {
    this.context.clock.cancel(this.name);
    if (!this.fifosEnabled || this.state.received.length === 0) return;
    const bits = 1 + 5 + (this.state.lineControl & 3) + ((this.state.lineControl >> 3) & 1) + 1;
    const characterNanoseconds = Math.floor((bits * 16 * Math.max(1, this.state.divisor) * 1e9) / uartClockHertz);
    this.context.clock.schedule(this.name, 4 * characterNanoseconds, 0);
  }

  private cause(): number {
    const { state } = this;
    const enabled = (bit: number): boolean => (state.interruptEnable & bit) !== 0;
    if (state.overrun && enabled(interruptEnable.lineStatus)) return identification.lineStatus;
    const trigger = this.fifosEnabled ? (triggerLevels[state.fifoControl >> 6] ?? 1) : 1;
    if (enabled(interruptEnable.receivedData)) {
      if (state.received.length >= trigger) return identification.receivedData;
      if (state.timeoutPending) return identification.characterTimeout;
    }
    if (state.transmitterPending && enabled(interruptEnable.transmitterEmpty)) return identification.transmitterEmpty;
    if (state.modemDeltas !== 0 && enabled(interruptEnable.modemStatus)) return identification.modemStatus;
    return identification.none;
  }
  private update(): void {
    this.interrupt.set(this.cause() !== identification.none);
  }
}
