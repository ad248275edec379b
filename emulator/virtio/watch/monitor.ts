// The monitor: every virtio fact comes here, is stamped and kept, moves the watchers' state and is judged by the rules.
// Guarantees: `attempt` changes nothing that a guest or a later judgement can see; a fact is judged on the state before it; each
// violation is listed once, whether it was stopped at, reported or found again when the stopped access went on.
import type { GuestMemory } from '../../bus/memory';
import type { SavedState, Stateful } from '../../bus/access';
import type { TracedInstruction } from '../../cpu/contract';
import type { DriverFact, DriverOrigin, EventKind, EventSink, VirtioEvent, VirtioFact } from '../../record/events';
import { EventLog } from '../../record/log';
import { stamped } from '../../record/stamp';
import type { VirtioDeviceInspection } from '../inspection';
import { catalogue, type Finding, type Rule, type RuleContext } from '../rules';
import type { FactOf } from '../rules/rule';
import { feature, hasFeature } from '../spec/feature';
import type { RuleLevel, Violation } from '../violation';
import { BufferWatch } from './buffers';
import { copyOf } from './copy';
import { describe, describePlaceholder, freshDevice } from './fresh';
import { OrderingWatch, type OrderSource } from './ordering';
import { noteFruitlessLoad, notificationWindowNanoseconds } from './notification';
import { RulePolicy } from './policy';
import { isRepeated } from './polling';
import { absenceDue, handlerWindowNanoseconds } from './waiting';
import { RuleTable } from './rule-table';
import type { DeviceDescription, DeviceState } from './state';
import { watchersOf } from './watchers';
import { type Raised, ViolationList } from './violations';

export interface MonitorOptions {
  readonly now: () => { readonly step: number; readonly virtualNanoseconds: number };
  /** Guest memory, to look into rings and requests. */
  readonly memory: GuestMemory;
  /** The processor's fences, for rules of order. Absent: order is not judged. */
  readonly harts?: OrderSource;
  /** Absent: the default policy. */
  readonly policy?: RulePolicy;
  /** How much the log keeps, as `EventLog` weighs it; older events are dropped first. */
  readonly eventCapacity?: number;
  readonly onEvent?: (event: VirtioEvent) => void;
  /**
   * A violation is new, or was found again after a device reset. `stop`: the machine has to stop, in front of the instruction when
   * `beforeEffect` is set, else at the next boundary. Mere repeats only change `count` in `violations`.
   */
  readonly onViolation?: (violation: Violation, stop: boolean) => void;
  /**
   * Asks for one call of `wake` after so much virtual time, in place of the one asked for before, so that absence is noticed where nothing
   * happens.
   */
  readonly wakeAfter?: (nanoseconds: number) => void;
  /** Evaluates a policy row's condition. Absent: every condition holds. */
  readonly condition?: (expression: string, violation: Violation) => boolean;
}

/** What the monitor watches: the machine's virtio side. */
export interface Watched {
  readonly devices: readonly { readonly name: string; inspect(): VirtioDeviceInspection }[];
}

export interface Monitor extends EventSink, Stateful {
  readonly policy: RulePolicy;
  readonly events: EventLog;
  /** In the order of `number`. Entries are replaced, never changed, when counts or consequences grow. */
  readonly violations: readonly Violation[];
  /** Changes whenever `violations` does. */
  readonly revision: number;
  /** Tells which devices there are; before the first fact. */
  attach(watched: Watched): void;
  /** Called once after `wakeAfter`. */
  wake(): void;
  /** An instruction of a hart that this monitor has traced; `mayStop` unless the user lets it pass. */
  traced(instruction: TracedInstruction, mayStop: boolean): 'proceed' | 'stop';
  /** The watchers' picture of a device, to be read only; undefined for an unknown name. */
  device(name: string): DeviceState | undefined;
  /** The violation that this one only follows from, or itself. */
  rootOf(violation: number): Violation;
  save(): SavedState;
  restore(state: SavedState): void;
}

const defaultEventCapacity = 100_000;

export function createMonitor(options: MonitorOptions): Monitor {
  return new WatchingMonitor(options);
}

/** Facts after which something may be owed. */
const beginsWaiting: ReadonlySet<EventKind> = new Set([
  'publish',
  'ring-load',
  'used',
  'collect',
  'interrupt-acknowledge',
  'starved',
]);
const shortestWindow = Math.min(handlerWindowNanoseconds, notificationWindowNanoseconds);

interface KnownTable {
  readonly accepted: bigint;
  readonly legacy: boolean;
  /** Of the policy. */
  readonly revision: number;
  readonly table: RuleTable;
}

/** An access in front of which the machine was told to stop, and what was listed for it then. */
interface StoppedAccess {
  readonly hart: number;
  readonly pc: bigint;
  readonly step: number;
  readonly listed: readonly string[];
}

class WatchingMonitor implements Monitor {
  readonly policy: RulePolicy;
  readonly events: EventLog;
  private readonly list = new ViolationList();
  private readonly ordering: OrderingWatch;
  private readonly buffers: BufferWatch;
  private devices = new Map<string, DeviceState>();
  private watched: Watched = { devices: [] };
  private stopped: StoppedAccess | undefined;
  /** Worked out anew when a device's accepted features change, the interface that its driver uses, or the policy. */
  private readonly tables = new Map<DeviceDescription, KnownTable>();
  /** The fact that `attempt` found nothing in, until something is recorded: it need not be judged again. */
  private clean: VirtioFact | undefined;
  /** Virtual time of the call of `wake` that was asked for last. */
  private wakeDue: number | undefined;

  constructor(private readonly options: MonitorOptions) {
    this.policy = options.policy ?? new RulePolicy(catalogue);
    this.events = new EventLog(options.eventCapacity ?? defaultEventCapacity);
    this.ordering = new OrderingWatch(options.harts, options.memory);
    this.buffers = new BufferWatch(options.memory, options.harts, () => this.devices.values());
  }

  get violations(): readonly Violation[] {
    return this.list.all;
  }
  get revision(): number {
    return this.list.revision;
  }

  attach(watched: Watched): void {
    this.watched = watched;
    this.devices = new Map(
      watched.devices.map((device) => [device.name, freshDevice(describe(device.name, device.inspect()))]),
    );
  }

  device(name: string): DeviceState | undefined {
    return this.devices.get(name);
  }

  rootOf(violation: number): Violation {
    return this.list.rootOf(violation);
  }

  attempt(fact: DriverFact & DriverOrigin): 'proceed' | 'stop' {
    this.clean = undefined;
    const state = this.stateOf(fact.device);
    const rules = this.rulesFor(state).of(fact).access;
    if (rules.length === 0) return 'proceed';
    const moment = this.options.now();
    if (this.isStopped(fact, moment.step)) return 'proceed';
    const found = this.judge(rules, fact, state, moment);
    if (found.length === 0) {
      this.clean = fact;
      return 'proceed';
    }
    const raised = found.map((each) => ({ ...each, beforeEffect: true }));
    const stopping = raised.find((each) => this.stopsAt(each));
    if (stopping === undefined) return 'proceed';
    this.stopped = {
      hart: fact.hart,
      pc: fact.pc,
      step: moment.step,
      listed: raised.map((each) => listingKey(each, fact)),
    };
    for (const each of raised) this.enter(each, each === stopping);
    return 'stop';
  }

  record(fact: VirtioFact): VirtioEvent {
    const moment = this.options.now();
    const { clean } = this;
    this.clean = undefined;
    const event = stamped(fact, this.events.length, moment.step, moment.virtualNanoseconds);
    let listed = noKeys;
    if (this.stopped !== undefined && event.by === 'driver') {
      if (!this.isStopped(event, moment.step)) this.stopped = undefined;
      listed = this.stopped?.listed ?? noKeys;
    }
    this.events.append(event);
    this.options.onEvent?.(event);
    if (event.device !== undefined) this.take(this.stateOf(event.device), event, moment, clean === fact, listed);
    else if (event.kind === 'idle') {
      for (const state of this.devices.values()) this.take(state, event, moment, false, listed);
    }
    if (beginsWaiting.has(event.kind)) this.scheduleWake(moment.virtualNanoseconds);
    return event;
  }

  /** Judges an event of a device on the state before it, and moves that state. `isClean`: no rule about accesses is broken. */
  private take(
    state: DeviceState,
    event: VirtioEvent,
    moment: Moment,
    isClean: boolean,
    listed: readonly string[],
  ): void {
    const table = this.rulesFor(state);
    const rules = table.of(event);
    const access = isClean ? nothing : this.judge(rules.access, event, state, moment);
    const other = this.judge(rules.other, event, state, moment);
    this.ordering.note(state, event, !table.isEmpty);
    // What only rules ask for is not worked out for nobody.
    if (!table.isEmpty) this.buffers.note(state, event);
    this.watch(state, event);
    for (const each of access) if (!listed.includes(listingKey(each, event))) this.enter(each, this.stopsAt(each));
    for (const each of other) this.enter(each, this.stopsAt(each));
  }

  repeats(fact: FactOf<'ring-load'>): boolean {
    const state = this.stateOf(fact.device);
    const queue = state.queues[fact.queue];
    if (queue === undefined || !isRepeated(queue, fact)) return false;
    const moment = this.options.now();
    const isClean = this.clean === fact;
    if (this.stopped !== undefined && !this.isStopped(fact, moment.step)) this.stopped = undefined;
    const listed = this.stopped?.listed ?? noKeys;
    const rules = this.rulesFor(state).of(fact);
    const access = isClean ? nothing : this.judge(rules.access, fact, state, moment);
    const other = this.judge(rules.other, fact, state, moment);
    noteFruitlessLoad(queue);
    this.ordering.noteRepeatedLook(queue, fact, moment.step);
    for (const each of access) if (!listed.includes(listingKey(each, fact))) this.enter(each, this.stopsAt(each));
    for (const each of other) this.enter(each, this.stopsAt(each));
    return true;
  }

  wake(): void {
    const moment = this.options.now();
    this.wakeDue = undefined;
    // No hart need be waiting now: zero harts say that only time has passed.
    const passed: VirtioFact = { kind: 'idle', by: 'board', device: undefined, harts: 0 };
    for (const state of this.devices.values()) {
      const found = this.judge(this.rulesFor(state).of(passed).other, passed, state, moment);
      for (const each of found) this.enter(each, this.stopsAt(each));
    }
    this.scheduleWake(moment.virtualNanoseconds);
  }

  traced(instruction: TracedInstruction, mayStop: boolean): 'proceed' | 'stop' {
    const fact = this.ordering.traced(instruction);
    if (fact === undefined) return 'proceed';
    if (mayStop && this.attempt(fact) === 'stop') return 'stop';
    this.record(fact);
    return 'proceed';
  }

  save(): SavedState {
    const saved: Saved = {
      devices: copyOf(this.devices),
      violations: this.list.save(),
      ordering: this.ordering.save(),
      buffers: this.buffers.save(),
      stopped: this.stopped,
      wakeDue: this.wakeDue,
      events: this.events.length,
    };
    return saved;
  }

  restore(state: SavedState): void {
    const saved = state as Saved;
    this.devices = copyOf(saved.devices);
    this.list.restore(saved.violations);
    this.ordering.restore(saved.ordering);
    this.buffers.restore(saved.buffers);
    this.stopped = saved.stopped;
    this.wakeDue = saved.wakeDue;
    this.events.goTo(saved.events);
  }

  /** The rules that can be judged on a device with the features it has accepted now, and are not off. */
  private rulesFor({ description, legacy, features: { accepted } }: DeviceState): RuleTable {
    const known = this.tables.get(description);
    const { revision } = this.policy;
    if (known?.accepted === accepted && known.legacy === legacy && known.revision === revision) return known.table;
    const table = new RuleTable(
      catalogue.filter(
        (rule) => applies(rule, description, legacy, accepted) && !this.policy.isOff(rule, description.name),
      ),
    );
    this.tables.set(description, { accepted, legacy, revision, table });
    return table;
  }

  private stateOf(name: string): DeviceState {
    const known = this.devices.get(name);
    if (known !== undefined) return known;
    const placeholder = freshDevice(describePlaceholder(name));
    this.devices.set(name, placeholder);
    return placeholder;
  }

  /** What the rules find in a fact, gravest first, on the state before it. */
  private judge(rules: readonly Rule[], fact: VirtioFact, state: DeviceState, moment: Moment): readonly Raised[] {
    if (rules.length === 0) return nothing;
    const { step, virtualNanoseconds } = moment;
    const { memory } = this.options;
    const { ordering, buffers } = this;
    const context: RuleContext = { device: state, memory, ordering, buffers, step, virtualNanoseconds };
    let raised: Raised[] | undefined;
    for (const rule of rules) {
      const findings = rule.judge(fact, context);
      if (findings.length === 0) continue;
      for (const finding of findings) {
        const each = raise(rule, finding, fact, state, moment);
        if (this.policy.decide(rule, each.device, each.blamed.pc).action !== 'off') (raised ??= []).push(each);
      }
    }
    if (raised === undefined) return nothing;
    return raised.length < 2 ? raised : raised.sort((a, b) => gravity[a.rule.level] - gravity[b.rule.level]);
  }

  /** Whether the machine stops for a finding, were it listed now. */
  private stopsAt(raised: Raised): boolean {
    const { violation, kind, cause } = this.list.preview(raised);
    if (kind === 'repeat' || kind === 'unlisted' || cause?.because === 'follows') return false;
    if (cause !== undefined && this.decisionOn(this.list.rootOf(cause.number)) === 'break') return false;
    const { action, condition } = this.policy.decide(raised.rule, raised.device, raised.blamed.pc);
    if (action !== 'break') return false;
    return condition === undefined || (this.options.condition?.(condition, violation) ?? true);
  }

  private decisionOn(violation: Violation): string {
    const { rule, family, level, device, pc } = violation;
    return this.policy.decide({ id: rule, family, level }, device, pc).action;
  }

  private enter(raised: Raised, stop: boolean): void {
    const { violation, kind } = this.list.raise(raised);
    if (kind === 'new' || kind === 'again') this.options.onViolation?.(violation, stop);
  }

  private watch(state: DeviceState, event: VirtioEvent): void {
    for (const watch of watchersOf(event.kind)) watch(state, event, this.options.memory);
    if (event.by === 'driver') state.lastAccess = event;
    if (event.kind === 'status-write' && event.value === 0) this.list.startLap(state.description.name);
    if (event.kind === 'config-change' || event.kind === 'config-write') this.refreshConfig(state);
  }

  private refreshConfig(state: DeviceState): void {
    const watched = this.watched.devices.find((device) => device.name === state.description.name);
    if (watched === undefined) return;
    state.configValues = new Map(watched.inspect().configFields.map((field) => [field.name, field.value]));
  }

  /** Asks to be woken when something is owed, so that its absence is seen although the guest does nothing else. */
  private scheduleWake(now: number): void {
    // What begins to be owed now is due no sooner than this.
    if (this.options.wakeAfter === undefined) return;
    if (this.wakeDue !== undefined && this.wakeDue <= now + shortestWindow) return;
    let soonest: number | undefined;
    for (const state of this.devices.values()) {
      for (const due of absenceDue(state)) if (due > now) soonest = Math.min(soonest ?? due, due);
    }
    if (soonest === undefined || (this.wakeDue !== undefined && this.wakeDue <= soonest)) return;
    this.wakeDue = soonest;
    this.options.wakeAfter(soonest - now);
  }

  /** Whether this is the access in front of which the machine was told to stop. */
  private isStopped(fact: DriverOrigin, step: number): boolean {
    const { stopped } = this;
    return stopped !== undefined && stopped.hart === fact.hart && stopped.pc === fact.pc && stopped.step === step;
  }
}

type Moment = ReturnType<MonitorOptions['now']>;

interface Saved {
  readonly devices: Map<string, DeviceState>;
  readonly violations: object;
  readonly ordering: SavedState;
  readonly buffers: SavedState;
  readonly stopped: StoppedAccess | undefined;
  readonly wakeDue: number | undefined;
  readonly events: number;
}

const nothing: readonly Raised[] = [];
const noKeys: readonly string[] = [];
const gravity: Readonly<Record<RuleLevel, number>> = { must: 0, should: 1, hazard: 2 };

/** Whether a rule can be judged on a device with these accepted features. */
function applies({ needs, family }: Rule, description: DeviceDescription, legacy: boolean, accepted: bigint): boolean {
  if (needs.transport !== undefined && !description.transport.startsWith(needs.transport)) return false;
  const spoken = legacy ? 'legacy' : description.dialect === 'draft-virtio30' ? 'draft' : 'modern';
  // The other rules of the handshake know the order of the published standards only.
  if (needs.interface !== undefined ? needs.interface !== spoken : spoken === 'draft' && family === 'handshake')
    return false;
  if (needs.device !== undefined && needs.device !== description.deviceId) return false;
  const format = hasFeature(accepted, feature.RING_PACKED) ? 'packed' : 'split';
  if (needs.ring !== undefined && needs.ring !== format) return false;
  if (needs.feature !== undefined && !hasFeature(accepted, needs.feature)) return false;
  return needs.withoutFeature === undefined || !hasFeature(accepted, needs.withoutFeature);
}

function raise(rule: Rule, finding: Finding, fact: VirtioFact, state: DeviceState, moment: Moment): Raised {
  const blamed = finding.blamed ?? (fact.by === 'driver' ? { ...fact, step: moment.step } : state.lastAccess);
  return {
    rule,
    finding,
    device: state.description.name,
    transport: state.description.transport,
    legacy: state.legacy,
    queue: finding.queue ?? ('queue' in fact ? fact.queue : undefined),
    blamed: { hart: blamed?.hart ?? 0, pc: blamed?.pc ?? 0n, step: blamed?.step ?? moment.step },
    foundAtStep: moment.step,
    virtualNanoseconds: moment.virtualNanoseconds,
    beforeEffect: false,
    lap: state.lap,
  };
}

/** Tells one finding about one fact of an access from the others of the same access. */
function listingKey({ rule }: Raised, fact: VirtioFact): string {
  const place = 'physicalAddress' in fact ? fact.physicalAddress : 'offset' in fact ? fact.offset : '';
  return `${rule.id} ${fact.kind} ${place}`;
}
