// A device model of the tests' own, on the public interface: takes buffers and gives them back, and can be told to misbehave.
import type { ConfigField, DeviceBuffer, DeviceContext, VirtioDevice } from '../../emulator/virtio/device/interface';
import { littleEndian } from '../../emulator/virtio/spec/wire-layout';

export interface ModelOptions {
  readonly deviceId?: number;
  readonly queues?: number;
  readonly queueSize?: number;
}

/** A device ID that no feature table or rule knows anything about. */
const anonymousId = 40;

export class TestModel implements VirtioDevice {
  readonly deviceId: number;
  readonly typeName = 'test';
  readonly queueMaximumSizes: readonly number[];
  readonly queueNames: readonly string[];
  readonly features = 0n;
  readonly configFields: readonly ConfigField[] = [
    { name: 'wide', offset: 0, size: 8, meaning: 'a field of 64 bits' },
    { name: 'narrow', offset: 8, size: 4, writable: true, meaning: 'a field of 32 bits' },
  ];
  /** Thrown at the next notification. */
  failure: Error | undefined;
  private context: DeviceContext | undefined;
  private wide = 0x1_0000_0001n;

  constructor({ deviceId = anonymousId, queues = 1, queueSize = 16 }: ModelOptions = {}) {
    this.deviceId = deviceId;
    this.queueMaximumSizes = Array.from({ length: queues }, () => queueSize);
    this.queueNames = this.queueMaximumSizes.map((_, i) => `queue ${i}`);
  }

  /** Both halves of the wide field change, as one step of the device. */
  changeConfig(): void {
    this.wide += 0x1_0000_0001n;
    this.context?.configChanged();
  }
  breakDown(): void {
    this.context?.needsReset('told to');
  }

  negotiated(): void {
    // Every set will do.
  }
  activate(context: DeviceContext): void {
    this.context = context;
  }
  queueNotified(queue: number): void {
    if (this.failure !== undefined) throw this.failure;
    this.take(queue);
  }
  /** Takes the next buffer of a queue and gives it back. */
  protected take(queue: number): void {
    const buffer = this.nextBuffer(queue);
    if (buffer !== undefined) this.giveBack(buffer);
  }
  protected nextBuffer(queue: number): DeviceBuffer | undefined {
    return this.context?.next(queue);
  }
  protected giveBack(buffer: DeviceBuffer): void {
    this.context?.complete(buffer, 0);
  }
  readConfig(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(12);
    bytes.set(littleEndian(this.wide, 8));
    return bytes.slice(offset, offset + length);
  }
  writeConfig(): void {
    // Nothing is kept.
  }
  reset(): void {
    this.context = undefined;
  }
  save(): object {
    return {};
  }
  restore(): void {
    // There is nothing to restore.
  }
}
