// What one device does by itself: fetching, DMA, used entries, interrupts. Everything is an action scheduled in virtual time, and each
// action makes at most one recorded fact, so that ring stepping can stop between any two. [design: when a device acts]
// Guarantees: never acts inside a guest's instruction; a reset or a stopped queue leaves nothing scheduled that would touch it.
import type { SavedState } from '../bus/access';
import type { Chain, DeviceFact, DeviceOrigin } from '../record/events';
import type { BufferPiece, DeviceBuffer, DeviceContext, VirtioDevice } from './device/interface';
import { suppressionFact, usedFact } from './activity-facts';
import type { ActivityHost } from './activity-host';
import { type Action, freshQueue, lasting, type QueueActivity, type SavedActivity, sawNews } from './activity-state';
import { chainDefectText, chainErrorKind, type Reaction } from './driver-error';
import { type BufferOwner, canaryBehind, type InFlight, InFlightBuffer, piecesOf, totalLength } from './in-flight';
import { InFlightList } from './in-flight-list';
import { type Provocation, slowResetNanoseconds } from './mood';
import type { RandomSequence } from './random-sequence';
import { ScheduledActions } from './scheduled-actions';
import { beforeSuspension, forgotten, putOff, suspendPatienceNanoseconds } from './suspension';

export class DeviceActivity implements DeviceContext, BufferOwner {
  private readonly actions: ScheduledActions<Action>;
  private queues: QueueActivity[];
  private readonly inFlight = new InFlightList();
  /** The driver asked for SUSPEND, and the device finishes what it works on. */
  private suspending = false;
  /** What a suspended device puts off. */
  private deferred: Action[] = [];
  /** Queues from which the model took a buffer during the current call. */
  private readonly took = new Set<number>();
  /** The model is called because of the outside or of time, not because of a queue. */
  private unasked = false;
  /** The model is being told about a restored state: it changes nothing outside itself. */
  private muted = false;

  constructor(
    private readonly host: ActivityHost,
    private readonly randomSequence: RandomSequence,
  ) {
    this.actions = new ScheduledActions(host.clock, `virtio ${host.name}`, (action) => this.run(action));
    this.queues = this.freshQueues();
  }

  // What the transport reports.

  /** The driver wrote QueueNotify. Several notifications before the device looks are one. */
  notified(queue: number): void {
    const activity = this.queues[queue];
    if (activity === undefined || activity.notified || !this.host.live() || this.host.ring(queue) === undefined) return;
    if (this.suspending) return;
    activity.notified = true;
    this.actions.plan({ kind: 'service', queue }, this.host.fetchNanoseconds);
  }

  /** As if every queue with something in it had been notified. */
  lookEverywhere(): void {
    for (const queue of this.queues.keys()) {
      if (this.host.ring(queue)?.pending().kind !== 'none') this.notified(queue);
    }
  }

  /** The driver stored the available index: an eager device looks without being told. */
  published(queue: number): void {
    const activity = this.queues[queue];
    if (activity === undefined || activity.notified || !this.host.mood.has('eagerFetch')) return;
    if (this.suspending || !this.host.live() || this.host.ring(queue) === undefined) return;
    activity.notified = true;
    this.actions.plan({ kind: 'service', queue }, 0);
  }

  /** The driver looked at what the device has used, or fills the ring: bad moments for a completion, or an interrupt without one. */
  provoked({ by, queue, seen }: Provocation): void {
    const { mood } = this.host;
    if (by === 'look' && sawNews(this.queueActivity(queue), seen)) return;
    if (by === 'look' ? !mood.has('worstMomentCompletion') : !mood.interruptsSubmit()) return;
    if (this.inFlight.hurry(by === 'look' ? queue : undefined, this.now())) this.actions.plan({ kind: 'finish' }, 0);
    else if (by === 'filling') this.actions.plan({ kind: 'spurious-interrupt' }, 0);
  }

  notificationPending(queue: number): boolean {
    return this.queues[queue]?.notified ?? false;
  }

  /** DRIVER_OK was set. */
  start(): void {
    this.actions.plan({ kind: 'activate' }, 0);
  }

  /** The driver set SUSPEND: nothing new is begun, and when the rest is done the device is suspended. [3.4.2] */
  suspend(): void {
    if (this.suspending) return;
    this.suspending = true;
    this.actions.plan({ kind: 'suspend', since: this.now() }, this.host.fetchNanoseconds);
  }
  /** The driver set DRIVER_OK of a suspended device. */
  resume(): void {
    if (!this.actions.has(({ kind }) => kind === 'resume'))
      this.actions.plan({ kind: 'resume' }, this.host.fetchNanoseconds);
  }

  /** The device was reset: everything under way is dropped. */
  stopAll(isSlow: boolean): void {
    this.actions.cancelAll();
    this.inFlight.clear();
    this.queues = this.freshQueues();
    this.suspending = false;
    this.deferred = [];
    this.actions.plan({ kind: 'reset-done' }, isSlow ? slowResetNanoseconds : 0);
  }

  /** One queue was stopped: what the device held of it is dropped. */
  stopQueue(queue: number): void {
    this.inFlight.removeQueue(queue);
    this.actions.cancel((action) => 'queue' in action && action.queue === queue);
    this.queues[queue] = freshQueue();
  }

  /** The driver resets one queue, which was stopped already. */
  resetQueue(queue: number): void {
    this.actions.plan({ kind: 'queue-reset-done', queue }, this.host.fetchNanoseconds);
  }
  scheduleNeedsReset(reason: string): void {
    this.actions.plan({ kind: 'needs-reset', reason }, 0);
  }

  input(channel: string, bytes: Uint8Array): void {
    this.callUnasked((device) => device.input?.(channel, bytes));
  }

  /** In the order of fetching. */
  records(queue: number): InFlight[] {
    return this.inFlight.of(queue);
  }

  // DeviceContext: what a device model may do.

  next(queue: number): DeviceBuffer | undefined {
    if (this.muted || !this.host.live()) return undefined;
    const ready = this.records(queue).find((record) => record.state === 'fetched');
    if (ready === undefined) {
      if (this.unasked) this.queueActivity(queue).wanted = true;
      this.requestFetch(queue);
      return undefined;
    }
    ready.state = 'processing';
    this.took.add(queue);
    return new InFlightBuffer(this, ready);
  }

  enabled(queue: number): boolean {
    return this.host.ring(queue) !== undefined;
  }
  held(queue: number): readonly DeviceBuffer[] {
    return this.records(queue)
      .filter((record) => record.state === 'processing')
      .map((record) => new InFlightBuffer(this, record));
  }

  complete(buffer: DeviceBuffer, written: number): void {
    const record = this.recordOf(buffer);
    if (record === undefined) return;
    const room = totalLength(record.writable);
    if (!Number.isInteger(written) || written < 0 || written > room) {
      this.fault(`completed head ${record.head} with ${written} bytes written, but it has room for 0 to ${room}`);
    }
    this.finishLater(record, Math.min(Math.max(0, Math.floor(written) || 0), room));
  }

  reject(buffer: DeviceBuffer, reason: string): void {
    const record = this.recordOf(buffer);
    if (record === undefined || this.host.driverError('request', reason) === 'needs-reset') return;
    record.writes = [];
    this.describe(record, `not understood: ${reason}`, undefined);
    this.finishLater(record, 0);
  }

  schedule(delayNanoseconds: number, token: number): void {
    if (!this.muted) this.actions.plan({ kind: 'timer', token }, Math.max(0, delayNanoseconds));
  }

  configChanged(): void {
    if (!this.muted) this.actions.plan({ kind: 'config-change' }, 0);
  }

  needsReset(reason: string): void {
    if (!this.muted) this.scheduleNeedsReset(reason);
  }

  random(length: number): Uint8Array {
    return this.randomSequence.bytes(length);
  }

  output(channel: string, bytes: Uint8Array): void {
    if (!this.muted) this.host.output(channel, bytes.slice());
  }

  now(): number {
    return this.host.clock.now();
  }

  // BufferOwner: what a buffer's face needs.

  holds(record: InFlight): boolean {
    return this.inFlight.holds(record);
  }

  /** The bytes are taken now; that they were read is told piece by piece, each as its own event of the same moment. */
  readDma(record: InFlight, parts: readonly BufferPiece[]): Uint8Array {
    const bytes = new Uint8Array(totalLength(parts));
    let filled = 0;
    for (const { address, length } of parts) {
      bytes.set(this.host.memory.read(address, length), filled);
      filled += length;
      this.tell({
        kind: 'dma-read',
        by: 'device',
        device: this.host.name,
        queue: record.queue,
        head: record.head,
        address,
        length,
      });
    }
    return bytes;
  }

  describe(record: InFlight, description: string, status: string | undefined): void {
    this.actions.plan({ kind: 'describe', id: record.id, description, status }, 0);
  }

  // Saving.

  save(): SavedState {
    const saved: SavedActivity = {
      actions: this.actions.save(),
      queues: this.queues.map((q) => ({ ...q })),
      inFlight: this.inFlight.save(),
      suspending: this.suspending,
      deferred: [...this.deferred],
      random: this.randomSequence.save(),
      mood: this.host.mood.save(),
    };
    return saved;
  }

  /** The clock's entries are restored by the clock. */
  restore(state: SavedState): void {
    const saved = state as SavedActivity;
    this.actions.restore(saved.actions);
    this.queues = saved.queues.map((q) => ({ ...q }));
    this.inFlight.restore(saved.inFlight);
    this.suspending = saved.suspending;
    this.deferred = [...saved.deferred];
    this.randomSequence.restore(saved.random);
    this.host.mood.restore(saved.mood);
  }

  /** Lets the model get its context back after a restore, without any effect. */
  reactivate(): void {
    this.muted = true;
    try {
      this.host.device.activate(this);
    } finally {
      this.muted = false;
    }
  }

  // Actions.

  private run(action: Action): void {
    if (this.host.suspended && putOff.includes(action.kind)) {
      this.deferred.push(action);
      return;
    }
    switch (action.kind) {
      case 'activate':
        this.callDevice((device) => device.activate(this));
        // What the driver published before DRIVER_OK is looked for without a notification, as QEMU does.
        this.lookEverywhere();
        return;
      case 'service':
        this.queueActivity(action.queue).notified = false;
        if (this.host.ring(action.queue) !== undefined) this.callDevice((device) => device.queueNotified(action.queue));
        return;
      case 'fetch':
        this.queueActivity(action.queue).fetching = false;
        this.fetch(action.queue);
        return;
      case 'deliver':
        this.callDevice((device) => device.queueNotified(action.queue));
        return;
      case 'finish':
        this.finishOne();
        return;
      case 'interrupt':
        this.interrupt(action.queue);
        return;
      case 'spurious-interrupt':
        if (this.host.live()) this.host.raiseInterrupt('used-buffer', undefined);
        return;
      case 'allow-notifications':
        this.allowNotifications(action.queue);
        return;
      case 'timer':
        this.callUnasked((device) => device.handleTimer?.(action.token));
        return;
      case 'describe':
        this.recordDescription(action.id, action.description, action.status);
        return;
      case 'tell':
        // The recorded event is another object: the action may stand in a saved state as well.
        this.record({ ...action.fact });
        return;
      case 'config-change':
        this.host.advanceGeneration();
        this.actions.plan({ kind: 'config-interrupt' }, 0);
        return;
      case 'config-interrupt':
        this.host.raiseInterrupt('config-change', undefined);
        return;
      case 'needs-reset':
        this.actions.cancel((other) => !lasting.includes(other.kind));
        this.queues = this.freshQueues();
        this.suspending = false;
        this.host.markNeedsReset(action.reason);
        this.actions.plan({ kind: 'config-interrupt' }, 0);
        return;
      case 'suspend':
        this.suspendWhenDone(action);
        return;
      case 'resume':
        this.runAgain();
        return;
      case 'queue-reset-done':
        this.host.queueResetDone(action.queue);
        this.record({ kind: 'queue-reset-done', by: 'device', device: this.host.name, queue: action.queue });
        return;
      case 'reset-done':
        this.host.resetDone();
        this.record({ kind: 'reset-done', by: 'device', device: this.host.name });
        return;
    }
  }

  private suspendWhenDone(action: Action & { readonly kind: 'suspend' }): void {
    const isUntold = this.inFlight.isBusy() || this.actions.has(({ kind }) => beforeSuspension.includes(kind));
    if (isUntold && this.now() - action.since < suspendPatienceNanoseconds) {
      this.actions.plan(action, this.host.fetchNanoseconds + this.host.completeNanoseconds);
      return;
    }
    this.suspending = false;
    this.actions.cancel(({ kind }) => forgotten.includes(kind));
    this.queues = this.queues.map(({ quiet, wanted }) => ({ ...freshQueue(), quiet, wanted }));
    this.host.markSuspended(true);
    this.record({ kind: 'suspended', by: 'device', device: this.host.name });
  }

  /** What was put off happens now, and every queue is looked at. */
  private runAgain(): void {
    this.host.markSuspended(false);
    this.record({ kind: 'resumed', by: 'device', device: this.host.name });
    for (const action of this.deferred.splice(0)) this.actions.plan(action, 0);
    for (const [queue, activity] of this.queues.entries()) {
      if (this.host.ring(queue) === undefined) continue;
      activity.notified = true;
      this.actions.plan({ kind: 'service', queue }, 0);
    }
  }

  private requestFetch(queue: number): void {
    const activity = this.queues[queue];
    if (activity === undefined || activity.fetching || this.host.ring(queue) === undefined) return;
    activity.fetching = true;
    this.actions.plan({ kind: 'fetch', queue }, 0);
  }

  /** Takes one chain off the available ring, after having asked the driver to be quiet meanwhile. */
  private fetch(queue: number): void {
    const ring = this.host.ring(queue);
    if (ring === undefined || this.suspending || !this.host.live()) return;
    const pending = ring.pending();
    if (pending.kind === 'none') {
      if (this.queueActivity(queue).wanted)
        this.record({ kind: 'starved', by: 'device', device: this.host.name, queue });
      this.queueActivity(queue).wanted = false;
      this.settle(queue);
      return;
    }
    if (pending.kind === 'impossible') {
      const reason = `the available index of queue ${queue} is ${pending.availableIndex}, the device is at ${pending.lastAvailable}`;
      if (this.host.driverError('available-index', reason) === 'needs-reset') return;
      ring.skipToAvailable();
      this.settle(queue);
      return;
    }
    const activity = this.queueActivity(queue);
    if (!activity.quiet) {
      activity.quiet = true;
      const told = ring.tellNotifications(false, this.host.ringFeatures());
      if (told !== undefined) {
        this.record(suppressionFact(this.host.name, queue, ring, told));
        this.requestFetch(queue);
        return;
      }
    }
    activity.wanted = false;
    const { result: chain, missed } = this.host.watching(() => ring.take(this.host.ringFeatures()));
    this.host.ringWatch.fetched(this.host.name, queue, chain);
    this.record({ kind: 'fetch', by: 'device', device: this.host.name, queue, chain });
    const [early] = missed;
    if (early !== undefined) {
      const { hart, pc, step, address, length } = early;
      const store = { hart, pc, step, address, length };
      const { head } = chain;
      this.tell({ kind: 'stale-fetch', by: 'device', device: this.host.name, queue, head, store });
    }
    this.accept(queue, chain);
  }

  private accept(queue: number, chain: Chain): void {
    const error = chainErrorKind(chain.defects);
    let reaction: Reaction = 'proceed';
    if (error !== undefined) {
      const reason = `queue ${queue}, head ${chain.head}: ${chain.defects.map(chainDefectText).join('; ')}`;
      reaction = this.host.driverError(error, reason);
    }
    if (reaction === 'needs-reset') return;
    if (reaction === 'proceed') {
      this.inFlight.add(queue, chain, piecesOf(chain), this.now());
      this.actions.plan({ kind: 'deliver', queue }, 0);
      return;
    }
    const headOutOfRange = chain.defects.some((defect) => defect.kind === 'head-out-of-range');
    if (!headOutOfRange)
      this.finishLater(this.inFlight.add(queue, chain, { readable: [], writable: [] }, this.now()), 0);
    this.requestFetch(queue);
  }

  private finishLater(record: InFlight, written: number): void {
    const { mood, device } = this.host;
    const keepsOrder = this.host.ringFeatures().inOrder || (device.orderedQueues?.includes(record.queue) ?? false);
    const usual = Math.max(this.now(), record.fetchedAt + this.host.completeNanoseconds);
    const due = mood.completionDue(usual, keepsOrder);
    if (mood.has('canary')) record.writes = [...canaryBehind(record, written), ...record.writes];
    record.state = 'completing';
    record.written = written;
    this.inFlight.finishAt(record, due);
    this.actions.plan({ kind: 'finish' }, due - this.now());
  }

  /** One step of giving a due buffer back: a DMA write, or the used entry. */
  private finishOne(): void {
    const { inOrder } = this.host.ringFeatures();
    const record = this.inFlight.next(this.now(), inOrder);
    if (record === undefined) return;
    const { queue, head } = record;
    if (!this.host.reachesMemory()) {
      this.inFlight.leave(record);
      this.inFlight.remove(record);
      return;
    }
    const [write, ...rest] = record.writes;
    if (write !== undefined) {
      this.host.memory.write(write.address, write.bytes);
      record.writes = rest;
      const { address, bytes } = write;
      this.record({
        kind: 'dma-write',
        by: 'device',
        device: this.host.name,
        queue,
        head,
        address,
        length: bytes.length,
      });
      this.actions.plan({ kind: 'finish' }, 0);
      return;
    }
    this.inFlight.leave(record);
    if (inOrder && this.inFlight.joinsBatch(record, this.now())) {
      record.batched = true;
      this.actions.plan({ kind: 'finish' }, 0);
    } else this.giveBack(record);
  }

  private giveBack(record: InFlight): void {
    const { queue, head, writable } = record;
    const batch = [...this.records(queue).filter(({ batched }) => batched), record];
    for (const each of batch) this.inFlight.remove(each);
    const ring = this.host.ring(queue);
    if (ring === undefined) return;
    const told = this.host.mood.falseUsed(head, record.written ?? 0);
    const from = ring.inspection.usedIndex;
    const advance = batch.reduce((sum, { descriptors }) => sum + descriptors, 0);
    const returned = { head: told.head, advance, writable: writable.length > 0 };
    const { slot, usedIndex } = ring.putUsed(returned, told.length);
    const heads = batch.map((each) => each.head);
    this.host.ringWatch.used(this.host.name, queue, heads, from, usedIndex, told.length);
    this.record(usedFact(this.host.name, queue, ring, told, slot, usedIndex, batch.length));
    this.actions.plan({ kind: 'interrupt', queue }, 0);
    if (record.id === this.host.mood.lastBuffer) this.scheduleNeedsReset('the mood needsReset asks for it');
    // What waited for its turn behind this one may be due.
    if (this.host.ringFeatures().inOrder) this.actions.plan({ kind: 'finish' }, 0);
  }

  private interrupt(queue: number): void {
    const ring = this.host.ring(queue);
    if (ring === undefined) return;
    const { mood } = this.host;
    const { wanted } = ring.decideInterrupt(this.host.ringFeatures());
    if (wanted || mood.interruptsAnyway()) this.host.raiseInterrupt('used-buffer', queue);
    else this.host.interruptSuppressed(queue);
    const after = mood.spuriousAfter();
    if (after !== undefined) this.actions.plan({ kind: 'spurious-interrupt' }, after);
  }

  /** The device stops looking by itself: it asks for notifications, then looks once more for what came in between. [2.7.13.4] */
  private allowNotifications(queue: number): void {
    const activity = this.queueActivity(queue);
    activity.allowing = false;
    activity.quiet = false;
    const ring = this.host.ring(queue);
    if (ring === undefined) return;
    const told = ring.tellNotifications(true, this.host.ringFeatures());
    if (told !== undefined) this.record(suppressionFact(this.host.name, queue, ring, told));
    if (ring.pending().kind !== 'none') this.actions.plan({ kind: 'service', queue }, 0);
  }

  /** After the model had its turn: look again if it took a buffer and there are more, else let the driver notify again soon. */
  private settle(queue: number): void {
    const activity = this.queueActivity(queue);
    const ring = this.host.ring(queue);
    if (ring === undefined || !this.host.live() || activity.fetching) return;
    if (this.took.has(queue) && ring.pending().kind !== 'none') {
      this.actions.plan({ kind: 'service', queue }, 0);
    } else if (activity.quiet && !activity.allowing) {
      activity.allowing = true;
      const quiet = this.host.mood.quietFor(this.host.fetchNanoseconds);
      this.actions.plan({ kind: 'allow-notifications', queue }, quiet);
    }
  }

  private callUnasked(call: (device: VirtioDevice) => void): void {
    this.unasked = true;
    this.callDevice(call);
    this.unasked = false;
  }

  private callDevice(call: (device: VirtioDevice) => void): void {
    this.took.clear();
    try {
      call(this.host.device);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.fault(`the device model failed: ${message}`);
      this.scheduleNeedsReset(`the device model failed: ${message}`);
      return;
    }
    for (const queue of this.queues.keys()) this.settle(queue);
  }

  private recordOf(buffer: DeviceBuffer): InFlight | undefined {
    if (!(buffer instanceof InFlightBuffer)) {
      this.fault('the device model completed a buffer that it did not get from next()');
      return undefined;
    }
    if (!this.holds(buffer.record)) return undefined;
    if (buffer.record.state === 'completing') {
      this.fault(`the device model completed head ${buffer.head} twice`);
      return undefined;
    }
    return buffer.record;
  }

  private recordDescription(id: number, description: string, status: string | undefined): void {
    const record = this.inFlight.get(id);
    if (record === undefined) return;
    record.description = description;
    record.status = status;
    const { queue, head } = record;
    this.record({ kind: 'request', by: 'device', device: this.host.name, queue, head, description, status });
  }

  private fault(message: string): void {
    this.tell({ kind: 'device-fault', by: 'device', device: this.host.name, message });
  }

  private tell(fact: DeviceFact & DeviceOrigin): void {
    this.actions.plan({ kind: 'tell', fact }, 0);
  }

  private record(fact: DeviceFact & DeviceOrigin): void {
    this.host.sink.record(fact);
  }

  private queueActivity(queue: number): QueueActivity {
    return (this.queues[queue] ??= freshQueue());
  }

  private freshQueues(): QueueActivity[] {
    return this.host.device.queueMaximumSizes.map(freshQueue);
  }
}
