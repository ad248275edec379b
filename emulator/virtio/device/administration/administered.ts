// A device model with an administration virtqueue behind its own queues: the model keeps to its own, this takes the commands.
// [virtio 1.4, 2.13]
import type { SavedState } from '../../../bus/access';
import { readAdminCommand } from '../../spec/administration';
import { feature, hasFeature } from '../../spec/feature';
import type { ConfigField, DeviceContext, VirtioDevice } from '../interface';
import {
  type Administration,
  type AdminState,
  answerText,
  encodeAnswer,
  executeAdminCommand,
  freshAdminState,
} from './commands';

interface SavedAdministered {
  readonly inner: SavedState;
  readonly admin: AdminState;
}

/** A device without capabilities. */
const plain: Administration = { capabilities: [], resources: [], problem: () => undefined, changed: () => undefined };

/** Longer commands are not looked at: no structure of a command is. */
const greatestCommandBytes = 4096;

export class AdministeredDevice implements VirtioDevice {
  readonly deviceId: number;
  readonly typeName: string;
  readonly queueMaximumSizes: readonly number[];
  readonly administrationQueues = 1;
  readonly features: bigint;
  readonly configFields: readonly ConfigField[];
  /** Index of the administration virtqueue. */
  private readonly queue: number;
  private readonly commands: Administration;
  private context: DeviceContext | undefined;
  private negotiatedFeatures = 0n;
  private state: AdminState = freshAdminState();

  constructor(
    private readonly inner: VirtioDevice,
    queueSize: number,
  ) {
    this.deviceId = inner.deviceId;
    this.typeName = inner.typeName;
    this.features = inner.features;
    this.configFields = inner.configFields;
    this.queue = inner.queueMaximumSizes.length;
    this.queueMaximumSizes = [...inner.queueMaximumSizes, queueSize];
    this.commands = inner.administration ?? plain;
  }

  get queueNames(): readonly string[] {
    return [...this.inner.queueNames, 'adminq'];
  }
  /** Commands of one queue are processed in the order in which they were queued. */
  get orderedQueues(): readonly number[] {
    return [...(this.inner.orderedQueues ?? []), this.queue];
  }

  negotiated(features: bigint): void {
    this.negotiatedFeatures = features;
    this.inner.negotiated(features);
  }
  activate(context: DeviceContext): void {
    this.context = context;
    this.inner.activate(context);
  }
  queueNotified(queue: number): void {
    if (queue !== this.queue) this.inner.queueNotified(queue);
    else if (hasFeature(this.negotiatedFeatures, feature.ADMIN_VQ)) this.execute();
  }
  queueStopped(queue: number): void {
    if (queue !== this.queue) this.inner.queueStopped?.(queue);
  }
  handleTimer(token: number): void {
    this.inner.handleTimer?.(token);
  }
  input(channel: string, bytes: Uint8Array): void {
    this.inner.input?.(channel, bytes);
  }
  readConfig(offset: number, length: number): Uint8Array {
    return this.inner.readConfig(offset, length);
  }
  writeConfig(offset: number, bytes: Uint8Array): void {
    this.inner.writeConfig(offset, bytes);
  }

  reset(): void {
    this.context = undefined;
    this.negotiatedFeatures = 0n;
    this.take(freshAdminState());
    this.inner.reset();
  }
  save(): SavedState {
    const saved: SavedAdministered = { inner: this.inner.save(), admin: this.state };
    return saved;
  }
  restore(state: SavedState): void {
    const saved = state as SavedAdministered;
    this.inner.restore(saved.inner);
    this.take(saved.admin);
  }

  private execute(): void {
    const buffer = this.context?.next(this.queue);
    if (buffer === undefined) return;
    const command = readAdminCommand(buffer.read(0, Math.min(buffer.readableLength, greatestCommandBytes)));
    const answer = executeAdminCommand(command, this.state, this.commands);
    if (answer.state !== undefined) this.take(answer.state);
    buffer.describe(...answerText(command, answer));
    this.context?.complete(buffer, buffer.write(0, encodeAnswer(answer)));
  }

  private take(state: AdminState): void {
    this.state = state;
    this.commands.changed(state);
  }
}
