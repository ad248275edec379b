// Console device with one port: bytes in through receiveq, bytes out through transmitq, and the emergency write. [virtio 1.4, 5.3]
import type { SavedState } from '../../../bus/access';
import { consoleConfigFields, consoleFeature, consoleQueue } from '../../spec/console';
import { deviceId } from '../../spec/device-id';
import { hasFeature } from '../../spec/feature';
import { littleEndian } from '../../spec/wire-layout';
import type { DeviceContext, VirtioDevice } from '../interface';
import { mainChannel } from '../interface';

export interface ConsoleOptions {
  readonly queueSize: number;
  readonly features: bigint;
  readonly columns: number;
  readonly rows: number;
  /** Where an emergency write goes; it needs no driver and no queue. */
  emergencyOutput(bytes: Uint8Array): void;
}

interface SavedConsole {
  readonly waiting: Uint8Array;
}

/** Most bytes that one buffer sends; a longer one makes no sense for a terminal. */
const maximumSendBytes = 1024 * 1024;

export class ConsoleDevice implements VirtioDevice {
  readonly deviceId = deviceId.console;
  readonly typeName = 'console';
  readonly queueMaximumSizes: readonly number[];
  readonly orderedQueues = [consoleQueue.receive];
  readonly queueNames = ['receiveq(port0)', 'transmitq(port0)'] as const;
  readonly configFields = consoleConfigFields;
  readonly features: bigint;
  private context: DeviceContext | undefined;
  /** Input that no receive buffer was there for. */
  private waiting: Uint8Array = new Uint8Array(0);

  constructor(private readonly options: ConsoleOptions) {
    this.features = options.features;
    this.queueMaximumSizes = [options.queueSize, options.queueSize];
  }

  negotiated(): void {
    // Nothing depends on the driver's choice.
  }

  activate(context: DeviceContext): void {
    this.context = context;
  }

  queueNotified(queue: number): void {
    if (queue === consoleQueue.receive) this.receive();
    else this.send();
  }

  input(_channel: string, bytes: Uint8Array): void {
    const all = new Uint8Array(this.waiting.length + bytes.length);
    all.set(this.waiting);
    all.set(bytes, this.waiting.length);
    this.waiting = all;
    this.receive();
  }

  readConfig(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(12);
    bytes.set(littleEndian(this.options.columns, 2), 0);
    bytes.set(littleEndian(this.options.rows, 2), 2);
    bytes.set(littleEndian(1, 4), 4);
    return bytes.slice(offset, offset + length);
  }

  writeConfig(offset: number, bytes: Uint8Array): void {
    const low = bytes[8 - offset];
    if (low !== undefined && hasFeature(this.features, consoleFeature.EMERG_WRITE)) {
      this.options.emergencyOutput(Uint8Array.of(low));
    }
  }

  /** Input that waits belongs to the outside and survives. */
  reset(): void {
    this.context = undefined;
  }

  save(): SavedState {
    const saved: SavedConsole = { waiting: this.waiting.slice() };
    return saved;
  }
  restore(state: SavedState): void {
    this.waiting = (state as SavedConsole).waiting.slice();
  }

  /** Fills one receive buffer with what waits. */
  private receive(): void {
    if (this.waiting.length === 0) return;
    const buffer = this.context?.next(consoleQueue.receive);
    if (buffer === undefined) return;
    if (buffer.writableLength === 0) {
      this.context?.reject(buffer, 'a receive buffer without device-writable bytes');
      return;
    }
    const taken = this.waiting.subarray(0, buffer.writableLength);
    buffer.write(0, taken);
    buffer.describe(`receive ${byteCount(taken.length)}`);
    this.waiting = this.waiting.slice(taken.length);
    this.context?.complete(buffer, taken.length);
  }

  private send(): void {
    const buffer = this.context?.next(consoleQueue.transmit);
    if (buffer === undefined) return;
    if (buffer.readableLength > maximumSendBytes) {
      this.context?.reject(buffer, `a transmit buffer of ${buffer.readableLength} bytes`);
      return;
    }
    const bytes = buffer.read(0, buffer.readableLength);
    buffer.describe(`send ${byteCount(bytes.length)}`);
    if (bytes.length > 0) this.context?.output(mainChannel, bytes);
    this.context?.complete(buffer, 0);
  }
}

function byteCount(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}
