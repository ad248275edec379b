// The device-independent core of one virtio device: status, features, queues, configuration generation, interrupt status, reset. The
// transport's registers act on it, the device model sits behind it. [virtio 1.4, 2 and 3.1]
// Guarantees: questions (`...After`, `inspect`, getters) change nothing; writes never run the device model's queues, they only schedule.
import type { SavedState } from '../bus/access';
import type { GuestMemory } from '../bus/memory';
import type { Clock } from '../clock';
import type { OnDriverError } from '../configuration';
import type { EventSink } from '../record/events';
import { type ActivityHost, DeviceActivity } from './activity';
import type { ConfigField, VirtioDevice } from './device/interface';
import { type DriverErrorKind, type Reaction, reactions } from './driver-error';
import { inspectInFlight } from './in-flight';
import type { ConfigFieldInspection, QueueInspection } from './inspection';
import {
  areasOutsideMemory,
  type QueueAreas,
  type RingFeatures,
  SplitQueue,
  type SplitQueueState,
} from './queue/split';
import type { SplitRingWatch } from './queue/split-ring-watch';
import { RandomSequence } from './random-sequence';
import { feature, hasFeature } from './spec/feature';
import { checkAcceptedFeatures, featureDefectText } from './spec/feature-check';
import { interruptBit } from './spec/interrupt';
import { status } from './spec/status';

/** Feature words of 32 bits that exist: bits 0 to 127. */
const featureWindows = 4;

/** A queue as its registers describe it. */
interface CoreQueue {
  readonly maximumSize: number;
  size: number;
  areas: QueueAreas;
  ready: boolean;
  /** The ring, while ready and in RAM. */
  ring: SplitQueue | undefined;
}

interface SavedCore {
  readonly status: number;
  readonly needsReset: string | undefined;
  readonly accepted: bigint;
  readonly negotiated: bigint | undefined;
  readonly activated: boolean;
  readonly generation: number;
  readonly interruptStatus: number;
  readonly queues: readonly {
    readonly size: number;
    readonly areas: QueueAreas;
    readonly ready: boolean;
    readonly ring: SplitQueueState | undefined;
  }[];
  readonly activity: SavedState;
  readonly device: SavedState;
}

/** What the core needs around it. */
export interface CoreEnvironment {
  readonly name: string;
  readonly device: VirtioDevice;
  /** Transport, ring and device features together. */
  readonly offeredFeatures: bigint;
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly sink: EventSink;
  readonly ringWatch: SplitRingWatch;
  readonly fetchNanoseconds: number;
  readonly completeNanoseconds: number;
  readonly onDriverError: OnDriverError;
  readonly seed: number;
  output(channel: string, bytes: Uint8Array): void;
  /** The interrupt status may have changed: the transport drives its wire. */
  interruptChanged(): void;
}

export class VirtioCore implements ActivityHost {
  readonly name: string;
  readonly device: VirtioDevice;
  readonly offeredFeatures: bigint;
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly sink: EventSink;
  readonly ringWatch: SplitRingWatch;
  readonly fetchNanoseconds: number;
  readonly completeNanoseconds: number;
  private readonly activity: DeviceActivity;
  private readonly queues: CoreQueue[];
  private statusValue = 0;
  private needsResetReason: string | undefined;
  private accepted = 0n;
  private negotiated: bigint | undefined;
  private activated = false;
  private generation = 0;
  private interruptStatusValue = 0;

  constructor(private readonly environment: CoreEnvironment) {
    this.name = environment.name;
    this.device = environment.device;
    this.offeredFeatures = environment.offeredFeatures;
    this.memory = environment.memory;
    this.clock = environment.clock;
    this.sink = environment.sink;
    this.ringWatch = environment.ringWatch;
    this.fetchNanoseconds = environment.fetchNanoseconds;
    this.completeNanoseconds = environment.completeNanoseconds;
    this.queues = this.device.queueMaximumSizes.map(freshQueue);
    this.activity = new DeviceActivity(this, new RandomSequence(environment.seed, this.name));
  }

  // Status and reset.

  get status(): number {
    return this.statusValue;
  }
  get needsReset(): string | undefined {
    return this.needsResetReason;
  }

  /** What Status will hold after `value` is written: FEATURES_OK stays clear when refused, DEVICE_NEEDS_RESET is the device's own. */
  statusAfter(value: number): number {
    if (value === 0) return 0;
    const own = this.statusValue & status.DEVICE_NEEDS_RESET;
    const written = (value & 0xff & ~status.DEVICE_NEEDS_RESET) | own;
    const asksFeatures = (written & status.FEATURES_OK) !== 0 && (this.statusValue & status.FEATURES_OK) === 0;
    const refused = asksFeatures && this.featureDefects().length > 0 && this.reaction('features') !== 'proceed';
    return refused ? written & ~status.FEATURES_OK : written;
  }

  writeStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    const before = this.statusValue;
    const after = this.statusAfter(value);
    const gained = after & ~before;
    if ((value & status.FEATURES_OK) !== 0 && (before & status.FEATURES_OK) === 0) {
      const defects = this.featureDefects();
      if (defects.length > 0) {
        this.driverError('features', defects.map((d) => featureDefectText(this.device.deviceId, d)).join('; '));
      }
    }
    this.statusValue = after;
    if ((gained & status.FEATURES_OK) !== 0) this.negotiate();
    if ((gained & status.DRIVER_OK) !== 0 && !this.activated && (after & status.FAILED) === 0) {
      this.activated = true;
      this.activity.start();
    }
  }

  /** Back to the state after power-on, except that a configuration that changes by it gets a new generation. [2.4, 4.2.2.1] */
  private reset(): void {
    const before = this.configBytes();
    for (const index of this.queues.keys()) this.ringWatch.queueDisabled(this.name, index);
    this.queues.splice(0, this.queues.length, ...this.device.queueMaximumSizes.map(freshQueue));
    this.statusValue = 0;
    this.needsResetReason = undefined;
    this.accepted = 0n;
    this.negotiated = undefined;
    this.activated = false;
    this.interruptStatusValue = 0;
    this.device.reset();
    this.activity.stopAll();
    if (before.some((byte, i) => byte !== this.configBytes()[i])) this.generation = nextGeneration(this.generation);
    this.environment.interruptChanged();
  }

  // Features.

  get acceptedFeatures(): bigint {
    return this.accepted;
  }
  /** In force since FEATURES_OK; undefined before. */
  get negotiatedFeatures(): bigint | undefined {
    return this.negotiated;
  }

  /** 32 offered bits; windows beyond the last hold none. */
  offeredWindow(window: number): number {
    if (window >= featureWindows) return 0;
    return Number((this.offeredFeatures >> BigInt(window * 32)) & 0xffff_ffffn);
  }

  /** The accepted set after one word is written. Once FEATURES_OK is set it does not change any more. */
  acceptedAfter(window: number, value: number): bigint {
    if (window >= featureWindows || (this.statusValue & status.FEATURES_OK) !== 0) return this.accepted;
    const shift = BigInt(window * 32);
    return (this.accepted & ~(0xffff_ffffn << shift)) | (BigInt(value >>> 0) << shift);
  }

  acceptWindow(window: number, value: number): void {
    if ((this.statusValue & status.FEATURES_OK) !== 0) {
      this.driverError('register-write', 'DriverFeatures was written after FEATURES_OK');
    }
    this.accepted = this.acceptedAfter(window, value);
  }

  private featureDefects(): ReturnType<typeof checkAcceptedFeatures> {
    return checkAcceptedFeatures(this.device.deviceId, this.offeredFeatures, this.accepted);
  }

  private negotiate(): void {
    this.negotiated = this.accepted & this.offeredFeatures;
    this.ringWatch.indirectNegotiated(this.name, this.ringFeatures().indirect);
    this.device.negotiated(this.negotiated);
  }

  ringFeatures(): RingFeatures {
    const features = this.negotiated ?? 0n;
    return {
      eventIdx: hasFeature(features, feature.EVENT_IDX),
      indirect: hasFeature(features, feature.INDIRECT_DESC),
    };
  }

  // Queues.

  get queueCount(): number {
    return this.queues.length;
  }

  /** 0 for a queue that does not exist. */
  queueMaximumSize(queue: number): number {
    return this.queues[queue]?.maximumSize ?? 0;
  }

  queueReady(queue: number): boolean {
    return this.queues[queue]?.ready ?? false;
  }

  /** What QueueReady will read after `value` is written; only 0 and 1 mean anything. */
  queueReadyAfter(queue: number, value: number): number {
    const before = this.queueReady(queue) ? 1 : 0;
    return this.queues[queue] === undefined || value > 1 ? before : value;
  }

  writeQueueReady(index: number, value: number): void {
    const queue = this.queues[index];
    if (queue === undefined || value > 1) {
      this.driverError('register-write', `QueueReady of queue ${index} was written with ${value}`);
      return;
    }
    if ((value === 1) === queue.ready) return;
    if (value === 1) this.enableQueue(index, queue);
    else {
      queue.ready = false;
      queue.ring = undefined;
      this.ringWatch.queueDisabled(this.name, index);
      this.activity.stopQueue(index);
    }
  }

  /** Dropped while the queue is ready, does not exist, or when the size is 0 or above the maximum. */
  writeQueueSize(index: number, size: number): void {
    const queue = this.configurable(index, 'QueueSize');
    if (queue === undefined) return;
    if (size === 0 || size > queue.maximumSize) {
      this.driverError('register-write', `QueueSize ${size} is not between 1 and ${queue.maximumSize}`);
    } else queue.size = size;
  }

  /** Sets one half of an area's address; dropped while the queue is ready or when it does not exist. */
  writeQueueAddress(index: number, area: keyof QueueAreas, half: 'low' | 'high', value: number): void {
    const queue = this.configurable(index, `an address of the ${area} area`);
    if (queue === undefined) return;
    const word = BigInt(value >>> 0);
    const now = queue.areas[area];
    const address = half === 'low' ? (now & ~0xffff_ffffn) | word : (now & 0xffff_ffffn) | (word << 32n);
    queue.areas = { ...queue.areas, [area]: address };
  }

  private configurable(index: number, what: string): CoreQueue | undefined {
    const queue = this.queues[index];
    if (queue !== undefined && !queue.ready) return queue;
    const why = queue === undefined ? 'which does not exist' : 'which is ready';
    this.driverError('register-write', `${what} was written for queue ${index}, ${why}`);
    return undefined;
  }

  private enableQueue(index: number, queue: CoreQueue): void {
    queue.ready = true;
    const outside = areasOutsideMemory(this.memory, queue.areas, queue.size);
    if (outside.length > 0) {
      this.driverError('queue-outside-memory', `of queue ${index} the ${outside.join(', ')} area is not in RAM`);
      return;
    }
    queue.ring = SplitQueue.enabled(this.memory, queue.areas, queue.size);
    this.ringWatch.queueEnabled(this.name, index, queue.ring.state, this.ringFeatures().indirect);
  }

  ring(queue: number): SplitQueue | undefined {
    return this.queues[queue]?.ring;
  }

  /** A driver notification. The device looks later, never inside the store that notifies. */
  notify(queue: number): void {
    if (this.queues[queue] === undefined) {
      this.driverError('register-write', `queue ${queue} was notified, which does not exist`);
    } else this.activity.notified(queue);
  }

  // Configuration space.

  get configGeneration(): number {
    return this.generation;
  }

  /** Bytes up to the last field that exists with the offered features. [2.5] */
  get configLength(): number {
    return this.presentFields().reduce((end, field) => Math.max(end, field.offset + field.size), 0);
  }

  /** The described field that holds this byte. */
  configField(offset: number): ConfigField | undefined {
    return this.presentFields().find((f) => offset >= f.offset && offset < f.offset + f.size);
  }

  /** Little-endian; all ones where the space ends before the access does, as QEMU answers. */
  readConfig(offset: number, size: number): bigint {
    if (offset + size > this.configLength) return (1n << BigInt(size * 8)) - 1n;
    return littleEndianValue(this.device.readConfig(offset, size), size);
  }

  writeConfig(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.configLength) {
      this.driverError('register-write', `configuration bytes at ${offset} do not exist`);
    } else this.device.writeConfig(offset, bytes);
  }

  advanceGeneration(): void {
    this.generation = nextGeneration(this.generation);
    this.sink.record({ kind: 'config-change', device: this.name, generation: this.generation, by: 'device' });
  }

  private presentFields(): ConfigField[] {
    return this.device.configFields.filter(
      (f) => f.feature === undefined || hasFeature(this.offeredFeatures, f.feature),
    );
  }

  private configBytes(): Uint8Array {
    return this.device.readConfig(0, this.configLength).slice();
  }

  // Interrupts.

  get interruptStatus(): number {
    return this.interruptStatusValue;
  }

  /** Clears the given bits. */
  acknowledge(bits: number): void {
    this.interruptStatusValue &= ~bits;
    this.environment.interruptChanged();
  }

  /** A configuration change before DRIVER_OK interrupts nobody. [2.1.2] */
  raiseInterrupt(cause: 'used-buffer' | 'config-change', queue: number | undefined): void {
    if (cause === 'config-change' && (this.statusValue & status.DRIVER_OK) === 0) return;
    const bit = interruptBit[cause];
    const outcome = (this.interruptStatusValue & bit) === 0 ? 'raised' : 'already-pending';
    this.interruptStatusValue |= bit;
    this.recordInterrupt(cause, queue, outcome);
    this.environment.interruptChanged();
  }

  interruptSuppressed(queue: number): void {
    this.recordInterrupt('used-buffer', queue, 'suppressed');
  }

  private recordInterrupt(
    cause: 'used-buffer' | 'config-change',
    queue: number | undefined,
    outcome: 'raised' | 'already-pending' | 'suppressed',
  ): void {
    const interruptStatus = this.interruptStatusValue;
    this.sink.record({ kind: 'interrupt', device: this.name, cause, queue, outcome, interruptStatus, by: 'device' });
  }

  // Driver errors.

  live(): boolean {
    return this.activated && (this.statusValue & status.DRIVER_OK) !== 0 && this.needsResetReason === undefined;
  }

  /** Says what is to be done about a mistake of the driver, and sees to DEVICE_NEEDS_RESET where that is the answer. */
  driverError(kind: DriverErrorKind, reason: string): Reaction {
    const reaction = this.reaction(kind);
    // A device that nobody has begun to drive has nothing to give up.
    if (reaction === 'needs-reset' && this.statusValue !== 0) this.activity.scheduleNeedsReset(reason);
    return reaction;
  }

  private reaction(kind: DriverErrorKind): Reaction {
    return reactions[this.environment.onDriverError][kind];
  }

  markNeedsReset(reason: string): void {
    this.statusValue |= status.DEVICE_NEEDS_RESET;
    this.needsResetReason = reason;
    this.sink.record({ kind: 'needs-reset', device: this.name, reason, by: 'device' });
  }

  // The outside.

  output(channel: string, bytes: Uint8Array): void {
    this.environment.output(channel, bytes);
  }

  input(channel: string, bytes: Uint8Array): void {
    this.activity.input(channel, bytes);
  }

  inspectQueues(): QueueInspection[] {
    return this.queues.map((queue, index) => this.inspectQueue(queue, index));
  }

  private inspectQueue({ maximumSize, size, areas, ready, ring }: CoreQueue, index: number): QueueInspection {
    const state = ring?.state;
    return {
      index,
      name: this.device.queueNames[index] ?? `queue ${index}`,
      maximumSize,
      size,
      ready,
      descriptorAddress: areas.descriptor,
      driverAddress: areas.available,
      deviceAddress: areas.used,
      inMemory: areasOutsideMemory(this.memory, areas, size).length === 0,
      lastAvailable: state?.lastAvailable ?? 0,
      usedIndex: state?.usedIndex ?? 0,
      collectedIndex: this.ringWatch.collectedIndex(this.name, index),
      seenAvailableFlags: state?.seenAvailableFlags,
      seenUsedEvent: state?.seenUsedEvent,
      writtenUsedFlags: state?.writtenUsedFlags ?? 0,
      writtenAvailableEvent: state?.writtenAvailableEvent,
      notificationPending: this.activity.notificationPending(index),
      inFlight: this.activity.records(index).map(inspectInFlight),
    };
  }

  inspectConfig(): ConfigFieldInspection[] {
    return this.device.configFields.map((field) => ({
      ...field,
      feature: field.feature,
      present: field.feature === undefined || hasFeature(this.offeredFeatures, field.feature),
      value: this.readConfig(field.offset, field.size),
    }));
  }

  save(): SavedState {
    const saved: SavedCore = {
      status: this.statusValue,
      needsReset: this.needsResetReason,
      accepted: this.accepted,
      negotiated: this.negotiated,
      activated: this.activated,
      generation: this.generation,
      interruptStatus: this.interruptStatusValue,
      queues: this.queues.map(({ size, areas, ready, ring }) => ({
        size,
        areas: { ...areas },
        ready,
        ring: ring === undefined ? undefined : { ...ring.state },
      })),
      activity: this.activity.save(),
      device: this.device.save(),
    };
    return saved;
  }

  /** The ring watch and the clock are restored by whoever owns them. */
  restore(state: SavedState): void {
    const saved = state as SavedCore;
    this.statusValue = saved.status;
    this.needsResetReason = saved.needsReset;
    this.accepted = saved.accepted;
    this.negotiated = saved.negotiated;
    this.activated = saved.activated;
    this.generation = saved.generation;
    this.interruptStatusValue = saved.interruptStatus;
    for (const [index, { size, areas, ready, ring }] of saved.queues.entries()) {
      const queue = this.queues[index];
      if (queue === undefined) throw new Error(`${this.name}: the saved state has more queues than the device`);
      queue.size = size;
      queue.areas = { ...areas };
      queue.ready = ready;
      queue.ring = ring === undefined ? undefined : new SplitQueue(this.memory, { ...ring });
    }
    this.device.reset();
    if (this.negotiated !== undefined) this.device.negotiated(this.negotiated);
    this.activity.restore(saved.activity);
    if (this.activated) this.activity.reactivate();
    this.device.restore(saved.device);
  }
}

function freshQueue(maximumSize: number): CoreQueue {
  return {
    maximumSize,
    size: maximumSize,
    areas: { descriptor: 0n, available: 0n, used: 0n },
    ready: false,
    ring: undefined,
  };
}

function nextGeneration(generation: number): number {
  return (generation + 1) >>> 0;
}

function littleEndianValue(bytes: Uint8Array, size: number): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}
