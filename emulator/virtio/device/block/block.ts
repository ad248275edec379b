// Block device: a disk behind one request queue. [virtio 1.4, 5.2]
import type { SavedState } from '../../../bus/access';
import type { BlockBackend } from '../../../configuration';
import { blockConfigFields, blockFeature, blockRequestHeader, blockStatusText, sectorBytes } from '../../spec/block';
import { deviceId } from '../../spec/device-id';
import { hasFeature } from '../../spec/feature';
import type { DeviceBuffer, DeviceContext, VirtioDevice } from '../interface';
import { blockConfigValues, encodeBlockConfig } from './config';
import { type BlockAnswer, blockStatusByte, executeBlockRequest } from './request';

export interface BlockOptions {
  readonly backend: BlockBackend;
  readonly readOnly: boolean;
  /** Answer to GET_ID; at most 20 characters count. */
  readonly serial: string;
  /** Largest size of the request queue. */
  readonly queueSize: number;
  /** Device-specific bits to offer. */
  readonly features: bigint;
}

interface SavedBlock {
  readonly writeback: boolean;
}

const writebackField = blockConfigFields.find((field) => field.name === 'writeback');

export class BlockDevice implements VirtioDevice {
  readonly deviceId = deviceId.block;
  readonly typeName = 'block';
  readonly queueMaximumSizes: readonly number[];
  readonly queueNames = ['requestq1'] as const;
  readonly configFields = blockConfigFields;
  readonly features: bigint;
  private context: DeviceContext | undefined;
  private writeback: boolean;

  constructor(private readonly options: BlockOptions) {
    this.features = options.features;
    this.queueMaximumSizes = [options.queueSize];
    this.writeback = this.initialWriteback();
  }

  /** A driver that cannot flush gets a write-through disk. [5.2.5.2] */
  negotiated(features: bigint): void {
    this.writeback = hasFeature(features, blockFeature.FLUSH);
  }

  activate(context: DeviceContext): void {
    this.context = context;
  }

  queueNotified(queue: number): void {
    const buffer = this.context?.next(queue);
    if (buffer !== undefined) this.serve(buffer);
  }

  readConfig(offset: number, length: number): Uint8Array {
    const capacity = Math.floor(this.options.backend.sizeBytes / sectorBytes);
    const values = blockConfigValues(capacity, this.options.queueSize, this.writeback);
    return encodeBlockConfig(values).slice(offset, offset + length);
  }

  writeConfig(offset: number, bytes: Uint8Array): void {
    const index = writebackField === undefined ? -1 : writebackField.offset - offset;
    const value = bytes[index];
    if (value === undefined || !hasFeature(this.features, blockFeature.CONFIG_WCE)) return;
    this.writeback = value !== 0;
    if (!this.writeback) this.options.backend.flush();
  }

  reset(): void {
    this.context = undefined;
    this.writeback = this.initialWriteback();
  }

  save(): SavedState {
    const saved: SavedBlock = { writeback: this.writeback };
    return saved;
  }
  restore(state: SavedState): void {
    this.writeback = (state as SavedBlock).writeback;
  }

  private initialWriteback(): boolean {
    return hasFeature(this.options.features, blockFeature.FLUSH);
  }

  private serve(buffer: DeviceBuffer): void {
    if (buffer.readableLength < blockRequestHeader.size) {
      this.context?.reject(buffer, `the request header has ${buffer.readableLength} of 16 bytes`);
    } else if (buffer.writableLength === 0) {
      this.context?.reject(buffer, 'the request has no device-writable byte for its status');
    } else {
      const { backend, readOnly, serial } = this.options;
      const around = { backend, readOnly, serial, offered: this.features, writeback: this.writeback };
      this.answer(buffer, executeBlockRequest(buffer, around));
    }
  }

  /** The whole writable part is written, so that the used length never claims bytes that were left alone. [2.7.8.2] */
  private answer(buffer: DeviceBuffer, { status, description, data, problem }: BlockAnswer): void {
    const statusText = blockStatusText(blockStatusByte(status));
    buffer.describe(description, problem === undefined ? statusText : `${statusText}: ${problem}`);
    const statusAt = buffer.writableLength - 1;
    if (statusAt > maximumAnswerBytes) {
      buffer.write(statusAt, Uint8Array.of(blockStatusByte(status)));
      this.context?.complete(buffer, 0);
      return;
    }
    const bytes = new Uint8Array(statusAt + 1);
    if (data !== undefined) bytes.set(data.subarray(0, statusAt));
    bytes[statusAt] = blockStatusByte(status);
    buffer.write(0, bytes);
    this.context?.complete(buffer, bytes.length);
  }
}

/** A longer answer is refused as a request, and only its status is written. */
const maximumAnswerBytes = 64 * 1024 * 1024;
