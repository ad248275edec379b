// The device-independent core of one virtio device: status, features, queues, configuration generation, interrupt status, reset. The
// transport's registers act on it, the device model sits behind it. [virtio 1.4, 2 and 3.1]
// Guarantees: questions (`...After`, `inspect`, getters) change nothing; writes never run the device model's queues, they only schedule.
import type { SavedState, WatchedAccess } from '../bus/access';
import type { GuestMemory } from '../bus/memory';
import type { Clock } from '../clock';
import type { OnDriverError } from '../configuration';
import type { EventSink, RegisterFact, VirtioFact } from '../record/events';
import { DeviceActivity } from './activity';
import type { ActivityHost } from './activity-host';
import { CoreConfig } from './core-config';
import { inspectQueue } from './core-inspection';
import type { ConfigField, VirtioDevice } from './device/interface';
import { CoreQueues, type CoreRing, type QueueOwner, type SavedQueues } from './core-queues';
import { type DriverErrorKind, type Reaction, reactions } from './driver-error';
import type { ConfigFieldInspection, QueueInspection } from './inspection';
import type { RingFeatures, RingFormat } from './queue/ring';
import type { RingWatch } from './queue/ring-watch';
import { DeviceMood, leftRunning, provocationOf, queueSizeInMood, refusedBits } from './mood';
import { RandomSequence } from './random-sequence';
import type { DelayedStore, StoreBuffer } from './store-buffer';
import { type Dialect, type DialectName, dialects } from './spec/dialect';
import { feature, hasFeature } from './spec/feature';
import { checkAcceptedFeatures, type FeatureDefect, featureDefectText } from './spec/feature-check';
import { interruptBit } from './spec/interrupt';
import type { SentMessage } from './transport/msix';
import type { SharedRegion } from './shared-memory';
import { status } from './spec/status';
import { askedOf, isSuspended, resumedStatus, statusAsWritten, suspendedStatus } from './suspension';

/** Feature words of 32 bits that exist: bits 0 to 127. */
const featureWindows = 4;
/** The legacy interface shows the first 32 bits only. [4.1.4.10, 4.2.4] */
const legacyFeatures = 0xffff_ffffn;

interface SavedCore {
  readonly status: number;
  readonly resettingStatus: number | undefined;
  readonly configChanges: number;
  readonly needsReset: string | undefined;
  readonly accepted: bigint;
  readonly negotiated: bigint | undefined;
  readonly activated: boolean;
  readonly generation: number;
  readonly interruptStatus: number;
  readonly legacyUsed: boolean;
  readonly queues: SavedQueues;
  readonly activity: SavedState;
  readonly device: SavedState;
  readonly storeBuffer: SavedState | undefined;
  readonly sharedMemory: readonly Uint8Array[];
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
  readonly ringWatch: RingWatch;
  readonly fetchNanoseconds: number;
  readonly completeNanoseconds: number;
  readonly onDriverError: OnDriverError;
  /** Absent: a friendly device. */
  readonly mood?: DeviceMood;
  /** What the device sees of memory, where its mood delays stores; absent: `memory` itself. */
  readonly storeBuffer?: StoreBuffer;
  readonly seed: number;
  /** Absent: none. */
  readonly sharedMemory?: readonly SharedRegion[];
  /** `either`: a transitional device, which is legacy for as long as its driver uses the legacy interface. */
  readonly interface: 'modern' | 'legacy' | 'either';
  /** What is spoken over the modern interface. */
  readonly dialect: Exclude<DialectName, 'legacy'>;
  output(channel: string, bytes: Uint8Array): void;
  /**
   * Sends the message of an event where messages are switched on, and says what became of it. Undefined or absent: there are none, the
   * interrupt status is used.
   */
  message?(cause: 'used-buffer' | 'config-change', queue: number | undefined): SentMessage | undefined;
  /** Whether the device reaches memory at all; absent: always. On PCI it needs bus mastering. */
  reachesMemory?(): boolean;
  /** The device was reset: the transport's own registers too. */
  afterReset?(): void;
  /** The interrupt status may have changed: the transport drives its wire. */
  interruptChanged(): void;
}

export class VirtioCore implements ActivityHost, QueueOwner {
  readonly name: string;
  readonly device: VirtioDevice;
  readonly offeredFeatures: bigint;
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly sink: EventSink;
  readonly ringWatch: RingWatch;
  readonly fetchNanoseconds: number;
  readonly completeNanoseconds: number;
  readonly mood: DeviceMood;
  private readonly activity: DeviceActivity;
  readonly queues: CoreQueues;
  private readonly config: CoreConfig;
  readonly sharedMemory: readonly SharedRegion[];
  private statusValue = 0;
  /** What Status shows while a reset takes its time. */
  private resettingStatus: number | undefined;
  /** Changes of the configuration that the mood made in this lap. */
  private configChanges = 0;
  private needsResetReason: string | undefined;
  private accepted = 0n;
  private negotiated: bigint | undefined;
  private activated = false;
  private interruptStatusValue = 0;
  private legacyUsed = false;

  constructor(private readonly environment: CoreEnvironment) {
    this.name = environment.name;
    this.device = environment.device;
    this.offeredFeatures = environment.offeredFeatures;
    this.memory = environment.storeBuffer ?? environment.memory;
    this.clock = environment.clock;
    this.sink = environment.sink;
    this.ringWatch = environment.ringWatch;
    this.fetchNanoseconds = environment.fetchNanoseconds;
    this.completeNanoseconds = environment.completeNanoseconds;
    this.sharedMemory = environment.sharedMemory ?? [];
    this.mood = environment.mood ?? new DeviceMood([], false, environment.seed, this.name);
    const sizes = this.device.queueMaximumSizes.map((size, queue) => queueSizeInMood(size, queue, this.mood));
    this.queues = new CoreQueues(this, sizes);
    this.config = new CoreConfig(this.device, this.offeredFeatures, this.mood);
    if (this.mood.has('runningAtBoot')) this.statusValue = leftRunning;
    this.activity = new DeviceActivity(this, new RandomSequence(environment.seed, this.name));
  }

  // Status and reset.

  get status(): number {
    return this.resettingStatus ?? this.statusValue;
  }
  get needsReset(): string | undefined {
    return this.needsResetReason;
  }

  /** Whether the driver speaks the legacy interface: there is no FEATURES_OK, and features are settled at first use. [3.1.2] */
  get legacy(): boolean {
    return this.environment.interface === 'legacy' || (this.environment.interface === 'either' && this.legacyUsed);
  }

  /** The handshake that is spoken with this driver. */
  get dialect(): Dialect {
    return dialects[this.legacy ? 'legacy' : this.environment.dialect];
  }

  /** A transitional device is told by which interface its driver works. A reset through either lets it choose again. */
  useInterface(name: 'modern' | 'legacy'): void {
    this.legacyUsed = name === 'legacy';
  }

  /** What Status will hold after `value` is written: a refused step stays clear, DEVICE_NEEDS_RESET is the device's own. */
  statusAfter(value: number): number {
    if (this.resettingStatus !== undefined) return this.resettingStatus;
    if (value === 0) return this.mood.has('slowReset') ? this.statusValue : 0;
    const written = statusAsWritten(this.statusValue, value);
    const judged = this.judgedBits(value);
    const isWrong = this.featureDefects().some((defect) => this.reaction(errorKind(defect)) !== 'proceed');
    const isUnwelcome = this.mood.has('refusedFeatures') && refusedBits(this.accepted) !== 0n;
    const refused = judged !== 0 && (isWrong || isUnwelcome);
    return refused ? written & ~judged : written;
  }

  /** Status bits that a write adds and at which the accepted features are judged. */
  private judgedBits(value: number): number {
    return value & ~this.statusValue & this.dialect.judgedAt;
  }

  writeStatus(value: number): void {
    if (this.resettingStatus !== undefined) return;
    if (value === 0) {
      this.reset();
      return;
    }
    const before = this.statusValue;
    const after = this.statusAfter(value);
    const gained = after & ~before;
    const { settledBy, liveBy } = this.dialect;
    if (this.judgedBits(value) !== 0) {
      const defects = this.featureDefects();
      if (defects.length > 0) {
        const kind = defects.some((defect) => errorKind(defect) === 'features') ? 'features' : 'incomplete-features';
        this.driverError(kind, defects.map((d) => featureDefectText(this.device.deviceId, d)).join('; '));
      }
    }
    this.statusValue = after;
    if ((gained & settledBy) !== 0) this.negotiate();
    if ((gained & liveBy) !== 0 && (after & status.FAILED) === 0) this.begin();
    this.askActivity(askedOf(before, value));
  }

  /** Only a device that is completely initialised, with VIRTIO_F_SUSPEND, listens. [3.4.2] */
  private askActivity(asked: 'suspend' | 'resume' | undefined): void {
    const isAble = this.dialect.liveBy === status.DRIVER_OK && hasFeature(this.negotiated ?? 0n, feature.SUSPEND);
    if (!this.activated || !isAble) return;
    if (asked === 'suspend') this.activity.suspend();
    else if (asked === 'resume') this.activity.resume();
  }

  get suspended(): boolean {
    return isSuspended(this.statusValue);
  }
  markSuspended(suspended: boolean): void {
    this.statusValue = suspended ? suspendedStatus(this.statusValue) : resumedStatus(this.statusValue);
  }

  /** The device goes live. Where no status bit settles the features, this does. */
  private begin(): void {
    if (this.activated) return;
    if (this.dialect.settledBy === 0) this.negotiate();
    this.activated = true;
    this.activity.start();
  }

  /** Back to the state after power-on, except that a configuration that changes by it gets a new generation. [2.4, 4.2.2.1] */
  private reset(): void {
    const before = this.config.bytes();
    if (this.mood.has('slowReset') && this.statusValue !== 0) this.resettingStatus = this.statusValue;
    this.configChanges = 0;
    for (const index of this.queues.all().keys()) this.ringWatch.queueDisabled(this.name, index);
    this.queues.reset();
    this.statusValue = 0;
    this.needsResetReason = undefined;
    this.accepted = 0n;
    this.negotiated = undefined;
    this.activated = false;
    this.interruptStatusValue = 0;
    this.legacyUsed = false;
    this.device.reset();
    this.activity.stopAll(this.resettingStatus !== undefined);
    this.environment.afterReset?.();
    const after = this.config.bytes();
    if (before.some((byte, i) => byte !== after[i])) this.config.advance();
    this.environment.interruptChanged();
  }

  resetDone(): void {
    this.resettingStatus = undefined;
  }

  /** A hart stored to a page of a ring. */
  stored(access: WatchedAccess): void {
    this.environment.storeBuffer?.stored(access);
  }

  watching<Result>(look: () => Result): { readonly result: Result; readonly missed: readonly DelayedStore[] } {
    return this.environment.storeBuffer?.watching(look) ?? { result: look(), missed: [] };
  }

  /** What a driver did that a mood answers. */
  noticed(fact: VirtioFact): void {
    const provocation = provocationOf(fact);
    if (provocation !== undefined) this.activity.provoked(provocation);
    else if (fact.kind === 'publish') this.activity.published(fact.queue);
    else if (fact.kind === 'config-read') {
      const field = this.configField(fact.offset);
      if (field?.size !== 8 || !this.mood.changesConfig(this.configChanges)) return;
      this.configChanges++;
      this.activity.configChanged();
    }
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
    if (window >= featureWindows || this.featuresSettled()) return this.accepted;
    const shift = BigInt(window * 32);
    return (this.accepted & ~(0xffff_ffffn << shift)) | (BigInt(value >>> 0) << shift);
  }

  acceptWindow(window: number, value: number): void {
    if (this.featuresSettled()) {
      this.driverError('register-write', 'features were accepted after they had been settled');
    }
    this.accepted = this.acceptedAfter(window, value);
  }

  private featuresSettled(): boolean {
    const { settledBy } = this.dialect;
    return settledBy === 0 ? this.activated : (this.statusValue & settledBy) !== 0;
  }

  private featureDefects(): ReturnType<typeof checkAcceptedFeatures> {
    return checkAcceptedFeatures(this.device.deviceId, this.offeredFeatures, this.accepted);
  }

  private negotiate(): void {
    const reachable = this.legacy ? this.offeredFeatures & legacyFeatures : this.offeredFeatures;
    this.negotiated = this.accepted & reachable;
    this.queues.formatNegotiated();
    this.ringWatch.indirectNegotiated(this.name, this.ringFeatures().indirect);
    this.device.negotiated(this.negotiated);
  }

  ringFeatures(): RingFeatures {
    const features = this.negotiated ?? 0n;
    return {
      packed: hasFeature(features, feature.RING_PACKED),
      eventIdx: hasFeature(features, feature.EVENT_IDX),
      indirect: hasFeature(features, feature.INDIRECT_DESC),
      inOrder: hasFeature(features, feature.IN_ORDER),
    };
  }

  get ringFormat(): RingFormat {
    return this.ringFeatures().packed ? 'packed' : 'split';
  }

  // Queues.

  /** num_queues: all but the administration virtqueues, which come behind them. [4.1.4.3] */
  get ordinaryQueues(): number {
    return this.device.queueMaximumSizes.length - (this.device.administrationQueues ?? 0);
  }
  get reachableQueues(): number {
    return hasFeature(this.negotiated ?? 0n, feature.ADMIN_VQ)
      ? this.device.queueMaximumSizes.length
      : this.ordinaryQueues;
  }

  queueReady(queue: number): boolean {
    return this.queues.get(queue)?.ready ?? false;
  }

  ring(queue: number): CoreRing | undefined {
    return this.reachesMemory() ? this.queues.get(queue)?.ring : undefined;
  }

  queueStarted(index: number, ring: CoreRing): void {
    this.ringWatch.queueEnabled(this.name, index, ring.state, this.ringFeatures().indirect);
  }

  queueStopped(index: number): void {
    this.ringWatch.queueDisabled(this.name, index);
    this.activity.stopQueue(index);
    this.device.queueStopped?.(index);
  }

  queueResetting(queue: number): boolean {
    return this.queues.get(queue)?.resetting ?? false;
  }

  /** The driver resets one queue: what the device holds of it is dropped, and some time later it says so. [2.6.1.1] */
  resetQueue(index: number, value: number): void {
    const isOffered = hasFeature(this.negotiated ?? 0n, feature.RING_RESET);
    if (!isOffered || value !== 1 || this.queues.get(index) === undefined) {
      const why = isOffered ? `with ${value}` : 'without VIRTIO_F_RING_RESET';
      this.driverError('register-write', `the reset of queue ${index} was written ${why}`);
    } else if (this.queues.startReset(index)) this.activity.resetQueue(index);
  }

  queueResetDone(index: number): void {
    this.queues.finishReset(index);
  }

  /**
   * What a driver notification of this value means: the queue, and with VIRTIO_F_NOTIFICATION_DATA the 16 bits above it, which are the
   * available idx (split) or the next slot and its wrap counter (packed). [2.9, 4.1.5.2, 4.2.3.3]
   */
  decodeNotification(value: number): { readonly queue: number; readonly data: number | undefined } {
    if (!hasFeature(this.negotiated ?? 0n, feature.NOTIFICATION_DATA)) return { queue: value, data: undefined };
    return { queue: value & 0xffff, data: value >>> 16 };
  }

  /** A driver notification. The device looks later, never inside the store that notifies. */
  notify(queue: number): void {
    if (this.queues.get(queue) === undefined) {
      this.driverError('register-write', `queue ${queue} was notified, which does not exist`);
      return;
    }
    // Legacy drivers may use the device before DRIVER_OK. [3.1.2]
    if (this.dialect.liveAtFirstUse && this.ring(queue) !== undefined) this.begin();
    this.activity.notified(queue);
  }

  /** The fact that a write of a page frame number makes, from the state before it. */
  pageFrameFact(queue: number, pageFrame: number, pageBytes: number): RegisterFact {
    const before = Number(this.queueReady(queue));
    const size = this.queues.get(queue)?.size ?? 0;
    const value = pageFrame === 0 ? 0 : 1;
    return {
      kind: 'queue-ready-write',
      device: this.name,
      queue,
      before,
      value,
      after: this.queues.get(queue) === undefined ? 0 : value,
      pageFrame: { value: pageFrame, size, ...this.queues.areasAt(queue, pageFrame, pageBytes) },
    };
  }

  // Configuration space.

  get configGeneration(): number {
    return this.config.generation;
  }

  get configLength(): number {
    return this.config.length;
  }
  configField(offset: number): ConfigField | undefined {
    return this.config.field(offset);
  }
  readConfig(offset: number, size: number): bigint {
    return this.config.read(offset, size);
  }

  writeConfig(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.config.length) {
      this.driverError('register-write', `configuration bytes at ${offset} do not exist`);
    } else if (this.suspended) {
      this.driverError('register-write', `configuration bytes at ${offset} were written while the device is suspended`);
    } else this.device.writeConfig(offset, bytes);
  }

  advanceGeneration(): void {
    this.config.advance();
    this.sink.record({ kind: 'config-change', device: this.name, generation: this.config.generation, by: 'device' });
  }

  inspectConfig(): ConfigFieldInspection[] {
    return this.config.inspect();
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

  /** A configuration change before the device is live interrupts nobody. [2.1.2] */
  raiseInterrupt(cause: 'used-buffer' | 'config-change', queue: number | undefined): void {
    if (cause === 'config-change' && (this.statusValue & this.dialect.liveBy) === 0) return;
    const sent = this.environment.message?.(cause, queue);
    if (sent !== undefined) {
      this.recordInterrupt(cause, queue, sent.outcome, sent);
      return;
    }
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
    outcome: SentMessage['outcome'],
    sent?: SentMessage,
  ): void {
    const fact = { cause, queue, outcome, interruptStatus: this.interruptStatusValue } as const;
    const message = sent && { vector: sent.vector };
    this.sink.record({ kind: 'interrupt', by: 'device', device: this.name, ...fact, ...message });
  }

  // Driver errors.

  live(): boolean {
    const { liveAtFirstUse, liveBy } = this.dialect;
    const allowed = liveAtFirstUse || (this.statusValue & liveBy) !== 0;
    return this.activated && allowed && this.needsResetReason === undefined && this.reachesMemory();
  }

  reachesMemory(): boolean {
    return this.environment.reachesMemory?.() ?? true;
  }

  /** Memory came into reach: what was published meanwhile is looked for. */
  memoryReached(): void {
    if (this.live()) this.activity.lookEverywhere();
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
    const { memory, ringFormat: format } = this;
    return this.queues.all().map((queue, index) =>
      inspectQueue(queue, {
        ...{ index, name: this.device.queueNames[index], format, memory },
        collectedIndex: this.ringWatch.collectedIndex(this.name, index),
        notificationPending: this.activity.notificationPending(index),
        records: this.activity.records(index),
      }),
    );
  }

  save(): SavedState {
    const saved: SavedCore = {
      status: this.statusValue,
      resettingStatus: this.resettingStatus,
      configChanges: this.configChanges,
      needsReset: this.needsResetReason,
      accepted: this.accepted,
      negotiated: this.negotiated,
      activated: this.activated,
      generation: this.config.generation,
      interruptStatus: this.interruptStatusValue,
      legacyUsed: this.legacyUsed,
      queues: this.queues.save(),
      activity: this.activity.save(),
      device: this.device.save(),
      sharedMemory: this.sharedMemory.map((region) => region.save()),
      storeBuffer: this.environment.storeBuffer?.save(),
    };
    return saved;
  }

  /** The ring watch and the clock are restored by whoever owns them. */
  restore(state: SavedState): void {
    const saved = state as SavedCore;
    this.statusValue = saved.status;
    this.resettingStatus = saved.resettingStatus;
    this.configChanges = saved.configChanges;
    this.needsResetReason = saved.needsReset;
    this.accepted = saved.accepted;
    this.negotiated = saved.negotiated;
    this.activated = saved.activated;
    this.config.generation = saved.generation;
    this.interruptStatusValue = saved.interruptStatus;
    this.legacyUsed = saved.legacyUsed;
    this.queues.restore(saved.queues);
    for (const [i, region] of this.sharedMemory.entries()) region.restore(saved.sharedMemory[i] ?? new Uint8Array(0));
    this.device.reset();
    if (this.negotiated !== undefined) this.device.negotiated(this.negotiated);
    this.activity.restore(saved.activity);
    if (this.activated) this.activity.reactivate();
    this.device.restore(saved.device);
    if (saved.storeBuffer !== undefined) this.environment.storeBuffer?.restore(saved.storeBuffer);
  }
}

function errorKind({ kind }: FeatureDefect): DriverErrorKind {
  return kind === 'not-offered' ? 'features' : 'incomplete-features';
}
