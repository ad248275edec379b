// A virtio-pci function: configuration space, structures behind its base address registers, the access window, interrupts by wire or
// message. Modern, transitional and legacy forms differ by their layout alone. [virtio 1.4, 4.1]
// Guarantees: every access answers; `attempt` and `peek` change nothing; facts are recorded in the order access, then what it means,
// then what follows from it.
import type { Accessor, AccessSize, SavedState, Stateful } from '../../bus/access';
import { configOffset, pciCommand, pciStatus, PciConfigSpace } from '../../board/pci/config-space';
import type { BarTarget, ConfigAccessSize, DecodedBar, PciFunction, PciWire } from '../../board/pci/contract';
import type { EventSink, RegisterFact } from '../../record/events';
import type { VirtioCore } from '../core';
import { feature, hasFeature } from '../spec/feature';
import type { MessageInspection } from '../inspection';
import { littleEndian } from '../spec/wire-layout';
import { configFact, defectText, type Half, origin } from './access-facts';
import { freshSelectors, type MmioSelectors } from './mmio-registers';
import { type MessageSink, Msix, type SentMessage } from './msix';
import { configFacts, type ConfigSide, openWindow } from './pci-config-access';
import { capabilityId, type PciLayout } from './pci-layout';
import { legacyIsrOffset } from './pci-legacy-registers';
import { decodeField, mmioRow, noVector, type PciTarget } from './pci-registers';
import { partsOf, type Spot, spotAt } from './pci-spot';

interface SavedPci {
  readonly selectors: MmioSelectors;
  readonly lineLevel: boolean;
  readonly space: SavedState;
  readonly msix: SavedState | undefined;
}

export interface PciEnvironment {
  readonly name: string;
  /** Device number on bus 0. */
  readonly device: number;
  readonly core: VirtioCore;
  readonly layout: PciLayout;
  readonly wire: PciWire;
  readonly sink: EventSink;
  /** Takes MSI-X messages; needed where the layout has vectors. */
  readonly messages: MessageSink | undefined;
}

const notifyRow = mmioRow('QueueNotify');
/** The index of no queue. */
const nobody = 0xffff;
/** Message Control: enable and function mask, in the word that begins two bytes into the capability. [PCI Local Bus 3.0, 6.8.2.3] */
const messageControl = { offset: 2, enable: 0x8000, functionMask: 0x4000 } as const;

export class VirtioPci implements PciFunction, PciTarget, Stateful {
  readonly name: string;
  readonly device: number;
  readonly core: VirtioCore;
  readonly selectors: MmioSelectors = freshSelectors();
  guestPageBytes = 0;
  readonly vectorCount: number;
  private readonly space: PciConfigSpace;
  private readonly msix: Msix | undefined;
  private readonly layout: PciLayout;
  private readonly wire: PciWire;
  private readonly sink: EventSink;
  private readonly configSide: ConfigSide;
  private lineLevel = false;
  /** The access whose facts are not recorded yet; a change of the wire waits for them. */
  private acting: Accessor | undefined;

  constructor({ name, device, core, layout, wire, sink, messages }: PciEnvironment) {
    this.name = name;
    this.device = device;
    this.core = core;
    this.layout = layout;
    this.wire = wire;
    this.sink = sink;
    this.vectorCount = layout.vectors;
    const bars = layout.bars.map((bar) => ({ ...bar, target: this.target(bar.index) }));
    this.space = new PciConfigSpace(layout.identity, bars, layout.capabilities);
    this.configSide = {
      ...{ name: core.name, space: this.space, layout },
      spot: (bar, offset) => this.spot(bar, offset),
      facts: (spot, size, kind, value) => this.facts(spot, size, kind, value, undefined),
    };
    if (layout.vectors > 0 && messages !== undefined) {
      const gate = (): ReturnType<VirtioPci['messageGate']> => this.messageGate();
      this.msix = new Msix(layout.vectors, core.queues.all().length, gate, messages);
    }
  }

  get interruptLine(): boolean {
    return this.lineLevel;
  }
  get interruptSource(): number {
    return this.wire.source;
  }
  /** Guest-physical address of the first common configuration structure, or of the legacy header's port; 0 until it is mapped. */
  get base(): number {
    const wanted = this.layout.structures.find(({ kind }) => kind === 'common' || kind === 'legacy');
    const bar = this.space.decoded().find((one) => one.bar.index === wanted?.bar);
    return bar === undefined || wanted === undefined ? 0 : bar.base + wanted.offset;
  }
  get messagesEnabled(): boolean {
    return this.messageGate().enabled;
  }
  /** Undefined without the capability. */
  inspectMessages(): MessageInspection | undefined {
    return this.msix?.inspect();
  }
  get command(): number {
    return this.space.command;
  }

  // What the core asks.

  reachesMemory(): boolean {
    return (this.space.command & pciCommand.busMaster) !== 0;
  }
  message(queue: number | undefined): SentMessage | undefined {
    return this.msix?.signal(queue);
  }
  /** The device was reset: selectors, and which vector each event has. The function's own registers stay. */
  afterReset(): void {
    Object.assign(this.selectors, freshSelectors());
    this.msix?.forgetVectors();
  }
  interruptChanged(): void {
    if (this.acting === undefined) this.driveLine(undefined);
  }

  // What fields of the structures act on.

  vectorOf(queue: number | undefined): number {
    return this.msix?.vectorOf(queue) ?? noVector;
  }
  mapVector(queue: number | undefined, vector: number): void {
    const refused = vector !== noVector && this.core.mood.refusesVector();
    this.msix?.map(queue, refused ? noVector : vector);
  }
  notifyOff(queue: number): number {
    return queue < this.core.queues.count ? this.layout.notifyOff(queue) : 0;
  }

  notifConfigData(queue: number): number {
    return this.usesNotifConfigData && queue < this.core.queues.count ? this.layout.notifConfigData(queue) : queue;
  }
  private get usesNotifConfigData(): boolean {
    return hasFeature(this.core.negotiatedFeatures ?? 0n, feature.NOTIF_CONFIG_DATA);
  }

  // Configuration space.

  attemptConfig(
    offset: number,
    size: ConfigAccessSize,
    kind: 'read' | 'write',
    value: number,
    by: Accessor,
  ): 'proceed' | 'stop' {
    return this.ask(configFacts(this.configSide, offset, size, kind, value), by);
  }

  readConfig(offset: number, size: ConfigAccessSize, by: Accessor): number {
    const facts = configFacts(this.configSide, offset, size, 'read', 0);
    const opening = openWindow(this.configSide, offset, size);
    this.acting = by;
    if (opening !== undefined) {
      const value = opening.spot === undefined ? 0n : this.valueAt(opening.spot, opening.length);
      if (opening.spot !== undefined) this.afterRead(opening.spot, opening.length, value);
      this.space.put(opening.dataOffset, opening.length, Number(value));
    }
    this.finish(facts, by);
    return this.space.read(offset, size);
  }

  writeConfig(offset: number, size: ConfigAccessSize, value: number, by: Accessor): void {
    const facts = configFacts(this.configSide, offset, size, 'write', value);
    const opening = openWindow(this.configSide, offset, size);
    const before = this.space.command;
    this.acting = by;
    if (opening === undefined) this.space.write(offset, size, value);
    else {
      this.space.put(offset, size, value);
      const data = BigInt(this.space.read(opening.dataOffset, opening.length));
      if (opening.spot !== undefined) this.apply(opening.spot, opening.length, data);
    }
    this.finish(facts, by);
    this.msix?.release();
    if ((this.space.command & ~before & pciCommand.busMaster) !== 0) this.core.memoryReached();
  }

  peekConfig(offset: number, size: ConfigAccessSize): number {
    return this.space.read(offset, size);
  }
  decoded(): readonly DecodedBar[] {
    return this.space.decoded();
  }

  save(): SavedState {
    const saved: SavedPci = {
      selectors: { ...this.selectors },
      lineLevel: this.lineLevel,
      space: this.space.save(),
      msix: this.msix?.save(),
    };
    return saved;
  }
  /** The wire's level is restored by the host bridge and the interrupt controller. */
  restore(state: SavedState): void {
    const saved = state as SavedPci;
    Object.assign(this.selectors, saved.selectors);
    this.lineLevel = saved.lineLevel;
    this.space.restore(saved.space);
    if (saved.msix !== undefined) this.msix?.restore(saved.msix);
  }

  // Behind the base address registers.

  private target(bar: number): BarTarget {
    const split = (offset: number, size: AccessSize, value: bigint): ReturnType<typeof partsOf> =>
      partsOf(this.spot(bar, offset), offset, size, value);
    return {
      attempt: (offset, size, kind, value, by) => {
        const facts = split(offset, size, value).flatMap(([part, width, bits, half]) =>
          this.facts(this.spot(bar, part), width, kind, bits, half),
        );
        return this.ask(facts, by);
      },
      read: (offset, size, by) => {
        let result = 0n;
        for (const [part, width, , half] of split(offset, size, 0n)) {
          const spot = this.spot(bar, part);
          const value = this.valueAt(spot, width);
          const facts = this.facts(spot, width, 'read', 0n, half);
          this.acting = by;
          this.afterRead(spot, width, value);
          this.finish(facts, by);
          result |= value << BigInt((part - offset) * 8);
        }
        return result;
      },
      write: (offset, size, value, by) => {
        for (const [part, width, bits, half] of split(offset, size, value)) {
          const spot = this.spot(bar, part);
          const facts = this.facts(spot, width, 'write', bits, half);
          this.acting = by;
          this.apply(spot, width, bits);
          this.finish(facts, by);
        }
        return true;
      },
      peek: (offset, size) =>
        split(offset, size, 0n).reduce(
          (result, [part, width]) =>
            result | (this.valueAt(this.spot(bar, part), width) << BigInt((part - offset) * 8)),
          0n,
        ),
    };
  }

  private spot(bar: number, offset: number): Spot {
    return spotAt(this.layout.structures, bar, offset, this.messagesEnabled);
  }

  private ask(facts: readonly RegisterFact[], by: Accessor): 'proceed' | 'stop' {
    let answer: 'proceed' | 'stop' = 'proceed';
    for (const fact of facts) if (this.sink.attempt({ ...fact, ...origin(by) }) === 'stop') answer = 'stop';
    return answer;
  }

  /** After an access took effect: its facts, then what it did to the wire. */
  private finish(facts: readonly RegisterFact[], by: Accessor): void {
    for (const fact of facts) this.sink.record({ ...fact, ...origin(by) });
    this.acting = undefined;
    this.driveLine(by);
  }

  private valueAt(spot: Spot, size: AccessSize): bigint {
    switch (spot.kind) {
      case 'config':
        return this.core.readConfig(spot.at, size);
      case 'field': {
        const { register, defect } = decodeField(spot.registers, spot.at, size, 'read');
        return defect === undefined ? BigInt((register?.read(this) ?? 0) >>> 0) : 0n;
      }
      case 'isr':
        return spot.at === 0 && size === 1 ? BigInt(this.core.interruptStatus) : 0n;
      case 'table':
        return wordPart(this.msix?.readTable(spot.at) ?? 0, spot.at, size);
      case 'pending':
        return wordPart(this.msix?.readPending(spot.at) ?? 0, spot.at, size);
      case 'memory':
        return this.core.sharedMemory[spot.instance]?.peek(spot.at, size) ?? 0n;
      case 'notify':
      case 'nothing':
        return 0n;
    }
  }

  /** Reading the ISR status acknowledges what it shows. [4.1.4.5] */
  private afterRead(spot: Spot, size: AccessSize, value: bigint): void {
    if (isIsr(spot, size) && value !== 0n) this.core.acknowledge(Number(value));
  }

  private apply(spot: Spot, size: AccessSize, value: bigint): void {
    switch (spot.kind) {
      case 'config':
        this.core.writeConfig(spot.at, littleEndian(value, size));
        return;
      case 'field': {
        const { register, defect } = decodeField(spot.registers, spot.at, size, 'write');
        this.core.useInterface(spot.structure === 'legacy' ? 'legacy' : 'modern');
        if (defect === undefined) register?.write?.(this, Number(value));
        else this.core.driverError('register-write', defectText(register, spot.at, size, defect));
        return;
      }
      case 'notify': {
        const queue = this.notifiedQueue(spot.at, Number(value & 0xffffn));
        if (queue !== undefined) this.core.notify(queue);
        return;
      }
      case 'table':
        if (size === 4) this.msix?.writeTable(spot.at, Number(value));
        return;
      case 'memory':
        this.core.sharedMemory[spot.instance]?.write(spot.at, size, value);
        return;
      case 'isr':
      case 'pending':
      case 'nothing':
        this.core.driverError('register-write', `${spot.structure} was written at ${spot.at}, where nothing can be`);
    }
  }

  /** The queue whose notification address this is; where several share it the value tells. Undefined: nobody's address. [4.1.4.4] */
  private notifiedQueue(at: number, value: number): number | undefined {
    const here = [...this.core.queues.all().keys()].filter(
      (queue) => this.layout.notifyOff(queue) * this.layout.notifyOffMultiplier === at,
    );
    if (here.length < 2) return here[0];
    if (!this.usesNotifConfigData) return value;
    return here.find((queue) => this.layout.notifConfigData(queue) === value) ?? nobody;
  }

  /** The facts that an access makes, worked out from the state before it. */
  private facts(
    spot: Spot,
    size: AccessSize,
    kind: 'read' | 'write',
    written: bigint,
    half: Half,
  ): readonly RegisterFact[] {
    const value = kind === 'read' ? this.valueAt(spot, size) : written;
    const device = this.core.name;
    const access = (register: string | undefined, defect?: AccessDefect): RegisterFact => ({
      kind: kind === 'read' ? 'register-read' : 'register-write',
      device,
      structure: spot.structure,
      ...(spot.instance > 0 && { instance: spot.instance }),
      offset: spot.at,
      size,
      value,
      register,
      ...(defect !== undefined && { defect }),
    });
    switch (spot.kind) {
      case 'config':
        return [configFact(device, kind, spot.at, size, value, this.core.configField(spot.at)?.name, half)];
      case 'field': {
        const { register, defect } = decodeField(spot.registers, spot.at, size, kind);
        if (defect !== undefined) return [access(register?.name, defect)];
        const meaning = (kind === 'read' ? register?.readFact : register?.writeFact)?.(this, Number(value));
        const said = meaning === undefined ? [] : [meaning];
        return [access(register?.name), ...said, ...(isIsr(spot, size) && kind === 'read' ? this.taken(value) : [])];
      }
      case 'notify': {
        const queue = this.notifiedQueue(spot.at, Number(value & 0xffffn));
        if (kind === 'read' || queue === undefined) {
          return [access('Queue Notify', queue === undefined ? 'no-register' : 'write-only')];
        }
        const meant = notifyRow.writeFact?.(this, Number(value));
        const fact: RegisterFact = {
          ...(meant?.kind === 'notify' ? meant : { kind: 'notify', device, value: Number(value) }),
          queue,
          exists: queue < this.core.queues.count,
          ...(this.usesNotifConfigData && queue !== nobody && { configData: this.notifConfigData(queue) }),
        };
        return [access('Queue Notify', size === 2 || size === 4 ? undefined : 'width'), fact];
      }
      case 'isr':
        if (spot.at !== 0) return [access(undefined, 'no-register')];
        if (kind === 'write') return [access('ISR status', 'read-only')];
        if (size !== 1) return [access('ISR status', 'width')];
        return [
          access('ISR status'),
          { kind: 'interrupt-status-read', device, value: Number(value) },
          ...this.taken(value),
        ];
      case 'table':
        return [access('MSI-X Table', size === 4 ? undefined : 'width')];
      case 'pending':
        return [access('MSI-X PBA', kind === 'write' ? 'read-only' : undefined)];
      case 'memory':
        // Memory is no register: what is done with it is the driver's own.
        return [];
      case 'nothing':
        return [access(undefined, 'no-register')];
    }
  }

  private taken(status: bigint): readonly RegisterFact[] {
    const value = Number(status);
    return value === 0
      ? []
      : [{ kind: 'interrupt-acknowledge', device: this.core.name, value, before: value, after: 0 }];
  }

  private messageGate(): { readonly enabled: boolean; readonly functionMasked: boolean; readonly busMaster: boolean } {
    const capability = this.space.capabilities.find(({ id }) => id === capabilityId.msix);
    const control = capability === undefined ? 0 : this.space.read(capability.offset + messageControl.offset, 2);
    return {
      enabled: (control & messageControl.enable) !== 0,
      functionMasked: (control & messageControl.functionMask) !== 0,
      busMaster: this.reachesMemory(),
    };
  }

  private driveLine(by: Accessor | undefined): void {
    const isPending = this.core.interruptStatus !== 0;
    this.space.put(configOffset.status, 1, this.statusByte(isPending));
    const isOff = this.messagesEnabled || (this.space.command & pciCommand.interruptDisable) !== 0;
    const level = isPending && !isOff;
    if (level === this.lineLevel) return;
    this.lineLevel = level;
    this.wire.set(level);
    this.sink.record({
      kind: 'interrupt-line',
      by: 'board',
      device: this.core.name,
      source: this.wire.source,
      level,
      ...(by !== undefined && { hart: by.hart, pc: by.pc }),
    });
  }

  private statusByte(pending: boolean): number {
    const list = this.space.capabilities.length > 0 ? pciStatus.capabilities : 0;
    return list | (pending ? pciStatus.interrupt : 0);
  }
}

type AccessDefect = 'no-register' | 'width' | 'read-only' | 'write-only';

function isIsr(spot: Spot, size: AccessSize): boolean {
  if (size !== 1) return false;
  return spot.kind === 'isr'
    ? spot.at === 0
    : spot.structure === 'legacy' && spot.kind === 'field' && spot.at === legacyIsrOffset;
}

/** The bytes of a 32-bit word that an access covers. */
function wordPart(word: number, offset: number, size: AccessSize): bigint {
  return BigInt.asUintN(size * 8, BigInt(word >>> 0) >> BigInt((offset & 3) * 8));
}
