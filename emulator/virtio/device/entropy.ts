// Entropy device: fills buffers with random bytes, the same ones for the same seed. [virtio 1.4, 5.4]
import type { SavedState } from '../../bus/access';
import { deviceId } from '../spec/device-id';
import type { ConfigField, DeviceContext, VirtioDevice } from './interface';

/** Most bytes for one buffer; a device may use less than the buffer's length. [5.4.6.2] */
const maximumBytes = 64 * 1024;

export class EntropyDevice implements VirtioDevice {
  readonly deviceId = deviceId.entropy;
  readonly typeName = 'entropy';
  readonly queueMaximumSizes: readonly number[];
  readonly queueNames = ['requestq'] as const;
  readonly features = 0n;
  readonly configFields: readonly ConfigField[] = [];
  private context: DeviceContext | undefined;

  constructor(queueSize: number) {
    this.queueMaximumSizes = [queueSize];
  }

  negotiated(): void {
    // There are no features.
  }

  activate(context: DeviceContext): void {
    this.context = context;
  }

  queueNotified(queue: number): void {
    const { context } = this;
    const buffer = context?.next(queue);
    if (context === undefined || buffer === undefined) return;
    if (buffer.writableLength === 0) {
      context.reject(buffer, 'an entropy buffer without device-writable bytes');
      return;
    }
    const bytes = context.random(Math.min(buffer.writableLength, maximumBytes));
    buffer.write(0, bytes);
    buffer.describe(`${bytes.length} random bytes`);
    context.complete(buffer, bytes.length);
  }

  readConfig(): Uint8Array {
    return new Uint8Array(0);
  }
  writeConfig(): void {
    // There is no configuration space, so the core lets no write through.
  }

  reset(): void {
    this.context = undefined;
  }
  save(): SavedState {
    return {};
  }
  restore(): void {
    // The sequence belongs to the core.
  }
}
