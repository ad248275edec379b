// A machine without a processor: real RAM, clock, interrupt controller, virtio slots and monitor, and one hart whose accesses a script
// makes. They take the way of a guest's loads and stores: through the address map, or through RAM with its watched pages.
// Guarantees: a stop in front of an access is noted and then passed, as by a user who continues at once.
import type { Accessor, AccessSize, MmioRegion, WatchedAccess } from '../../emulator/bus/access';
import { AddressMap } from '../../emulator/bus/address-map';
import { Ram } from '../../emulator/bus/ram';
import { pcieInterrupts, ramBase, virtioSlot, virtioSlots } from '../../emulator/board/memory-map';
import { PcieHost } from '../../emulator/board/pci/host';
import { Plic } from '../../emulator/board/plic';
import { Clock } from '../../emulator/clock';
import type { BlockBackend, DeviceConfiguration, OnDriverError } from '../../emulator/configuration';
import { pageFlag } from '../../emulator/cpu/contract';
import { VirtioCore } from '../../emulator/virtio/core';
import type { VirtioDevice } from '../../emulator/virtio/device/interface';
import { RingWatch } from '../../emulator/virtio/queue/ring-watch';
import { catalogue } from '../../emulator/virtio/rules';
import { MmioTransport } from '../../emulator/virtio/transport/mmio';
import { createVirtio, devicesAt } from '../../emulator/virtio/virtio';
import type { Violation } from '../../emulator/virtio/violation';
import { createMonitor, type Monitor, type Watched } from '../../emulator/virtio/watch/monitor';
import { parsePolicy, RulePolicy } from '../../emulator/virtio/watch/policy';
import { BenchOrder } from './order';

/** A device model of a test's own, with everything it offers. */
export interface OwnModel {
  readonly model: VirtioDevice;
  /** Transport and ring bits included. */
  readonly offered: bigint;
}

export interface BenchOptions {
  /** Configured devices, or one model of the test's own in the top slot. Undefined: no device at all. */
  readonly devices?: readonly DeviceConfiguration[];
  readonly own?: OwnModel;
  /** As the launch attribute `rules`. */
  readonly rules?: Readonly<Record<string, string>>;
  readonly onDriverError?: OnDriverError;
  /** Virtual nanoseconds from notification to fetch and from fetch to completion; a step is one nanosecond. */
  readonly fetchNanoseconds?: number;
  readonly completeNanoseconds?: number;
  /** Of configured devices; 1 unless it says otherwise. */
  readonly seed?: number;
  readonly eventCapacity?: number;
  /** Whether the order of accesses is judged; then the script has to execute fences, which otherwise do nothing. */
  readonly order?: boolean;
}

/** A stop that the machine would have made. */
export interface Stop {
  readonly violation: Violation;
  /** In front of the access, or at the boundary after it. */
  readonly before: boolean;
}

const ramBytes = 1 << 20;
const pageBytes = 4096;
/** Registers of the first context. [RISC-V PLIC 1.0.0, 7 and 9] */
const plicEnable = 0x2000;
const plicClaim = 0x20_0004;
/** Name of a test's own model. */
export const ownName = 'own0';

export class Bench {
  readonly ramBase = ramBase;
  readonly memory: Ram;
  readonly clock: Clock;
  readonly monitor: Monitor;
  readonly stops: Stop[] = [];
  /** Steps taken: one for each access, and what `run` lets pass. */
  steps = 0;
  /** Where the next access is executed, unless it says otherwise. */
  nextPc = 0x8000_0000n;
  /** Which of two harts executes it. */
  hart: 0 | 1 = 0;
  private readonly ram = new Uint8Array(ramBytes);
  private readonly pageFlags = new Uint8Array(ramBytes / pageBytes);
  private readonly map: AddressMap;
  private readonly virtio: VirtioSide;
  private readonly plic: Plic;
  private readonly pci: PcieHost;
  /** MSI-X messages, in the order of sending. */
  readonly messages: { readonly address: bigint; readonly data: number }[] = [];
  /** What devices told the outside, in order. The channel is the device's name, with a suffix where it has several. */
  readonly outputs: { readonly channel: string; readonly bytes: Uint8Array }[] = [];
  private attempting = false;
  private readonly order: BenchOrder;
  private readonly judgesOrder: boolean;

  constructor(options: BenchOptions) {
    this.memory = new Ram({ ram: this.ram, ramBase, noteOutsideWrite: () => undefined });
    this.clock = new Clock(
      () => this.steps,
      1,
      () => undefined,
    );
    const parsed = parsePolicy(options.rules ?? {}, catalogue);
    const [problem] = parsed.problems;
    if (problem !== undefined) throw new Error(problem.message);
    this.judgesOrder = options.order === true;
    this.order = new BenchOrder((instruction) => {
      this.attempting = true;
      const answer = this.monitor.traced(instruction, true);
      this.attempting = false;
      if (answer === 'stop') this.monitor.traced(instruction, false);
    });
    this.monitor = createMonitor({
      now: () => ({ step: this.steps, virtualNanoseconds: this.clock.now() }),
      memory: this.memory,
      ...(options.order === true && { harts: this.order }),
      policy: new RulePolicy(catalogue, parsed.entries),
      wakeAfter: (nanoseconds) => this.clock.reschedule('rules', nanoseconds, 0),
      onViolation: (violation, stop) => {
        if (stop) this.stops.push({ violation, before: this.attempting });
      },
      ...(options.eventCapacity !== undefined && { eventCapacity: options.eventCapacity }),
    });
    this.clock.handle('rules', () => this.monitor.wake());
    this.plic = new Plic({
      clock: this.clock,
      harts: 1,
      setInterrupt: () => undefined,
      output: () => undefined,
      finish: () => undefined,
      wallClockAtResetNanoseconds: 0n,
    });
    this.pci = new PcieHost((source) => this.plic.line(source));
    this.virtio = options.own === undefined ? this.configured(options) : this.ownDevice(options.own, options);
    this.monitor.attach(this.virtio);
    this.map = new AddressMap([this.plic, ...this.pci.regions, ...this.virtio.regions]);
    this.plic.observe({
      claimed: (_context, source) => this.noteInterrupt('interrupt-claim', source),
      completed: (_context, source) => this.noteInterrupt('interrupt-complete', source),
    });
    for (let source = 1; source < pcieInterrupts.first + pcieInterrupts.count; source++) {
      this.plic.write(source * 4, 4, 1n);
    }
    this.unmaskInterrupts();
  }

  /** The devices, to look at them. */
  get devices(): Watched['devices'] {
    return this.virtio.devices;
  }

  /** What a guest could tell apart: RAM and the virtio side. */
  state(): string {
    return JSON.stringify([[...this.ram.subarray(0, 0x4_0000)].join(), this.virtio.save(), this.clock.now()], plain);
  }

  /** Base of the register window of a slot. */
  slot(slot: number): number {
    return virtioSlot(slot).base;
  }

  load(address: number, size: AccessSize, pc?: bigint): bigint {
    const by = this.access(address, pc);
    this.order.noteAccess(by.hart, 'load', address, size, by.pc, by.step);
    if (this.memory.contains(address, size)) {
      const value = this.value(address, size);
      const access = watched(by, address, size, 'load', value, value);
      this.watched(access, pageFlag.watchLoad, () => undefined);
      this.step();
      return value;
    }
    const region = this.region(address, size);
    this.attempt(region, address, size, 'read', 0n, by);
    const value = region.read(address - region.base, size, by);
    if (value === undefined) throw new Error(`load access fault at 0x${address.toString(16)}`);
    this.step();
    return value;
  }

  store(address: number, size: AccessSize, value: bigint | number, pc?: bigint): void {
    const by = this.access(address, pc);
    this.order.noteAccess(by.hart, 'store', address, size, by.pc, by.step);
    const bits = BigInt.asUintN(size * 8, BigInt(value));
    if (this.memory.contains(address, size)) {
      const access = watched(by, address, size, 'store', bits, this.value(address, size));
      this.watched(access, pageFlag.watchStore, () => this.memory.write(address, bytesOf(bits, size)));
      this.step();
      return;
    }
    const region = this.region(address, size);
    this.attempt(region, address, size, 'write', bits, by);
    if (!region.write(address - region.base, size, bits, by)) {
      throw new Error(`store access fault at 0x${address.toString(16)}`);
    }
    this.step();
  }

  /** Where the script says that its stack is. */
  set stackPointer(address: bigint) {
    this.order.stackPointer = address;
  }

  /** A fence with predecessor and successor sets such as `rw`. */
  fence(pred: string, succ: string): void {
    if (!this.judgesOrder) return;
    const by = this.access(0, undefined);
    this.order.noteFence(by.hart, pred, succ, by.pc, by.step);
    this.step();
  }

  /** Lets steps pass in which the hart does something else. */
  run(steps: number): void {
    const end = this.steps + steps;
    while (this.steps < end) {
      const next = this.clock.nextStep() ?? end;
      this.steps = Math.min(end, Math.max(this.steps + 1, next));
      this.runDue();
    }
  }

  /** The hart waits, with nothing pending: time jumps to what is due. Says whether anything was. */
  idle(): boolean {
    this.monitor.record({ kind: 'idle', by: 'board', device: undefined, harts: 1 });
    if (!this.clock.skip(Number.MAX_SAFE_INTEGER)) return false;
    this.runDue();
    return true;
  }

  /** Lets the devices do what is due next, and goes back to where they had not: time travel with rings in use. */
  goAheadAndBack(): void {
    const { steps } = this;
    const [ram, parts] = [this.ram.slice(), [this.virtio, this.plic, this.pci, this.monitor, this.clock]];
    const saved = parts.map((part) => part.save());
    const before = this.virtioState();
    const told = [this.outputs.length, this.messages.length] as const;
    this.idle();
    // What is told in the future has not been said.
    this.outputs.splice(told[0]);
    this.messages.splice(told[1]);
    this.ram.set(ram);
    this.steps = steps;
    parts.forEach((part, index) => part.restore(saved[index] ?? {}));
    if (this.virtioState() !== before) throw new Error('going back did not bring back what was there');
  }
  private virtioState(): string {
    return JSON.stringify([this.virtio.save(), this.clock.now()], plain);
  }

  /** Bytes from the outside for the device of that name. */
  input(device: string, bytes: Uint8Array): void {
    this.virtio.input(device, bytes);
    this.runDue();
  }

  maskInterrupts(): void {
    this.plic.write(plicEnable, 4, 0n);
    this.plic.write(plicEnable + 4, 4, 0n);
  }
  unmaskInterrupts(): void {
    this.plic.write(plicEnable, 4, 0x1fen);
    this.plic.write(plicEnable + 4, 4, 0xfn);
  }
  /** Claims at the interrupt controller; 0 when nothing is pending. */
  claim(): number {
    return Number(this.load(this.plic.base + plicClaim, 4));
  }
  complete(source: number): void {
    this.store(this.plic.base + plicClaim, 4, source);
  }

  private access(address: number, pc: bigint | undefined): Accessor {
    const at = pc ?? this.nextPc;
    if (pc === undefined) this.nextPc += 4n;
    return { hart: this.hart, pc: at, virtualAddress: BigInt(address), step: this.steps };
  }

  private watched(access: WatchedAccess, flag: number, effect: () => void): void {
    const first = Math.floor((access.physicalAddress - ramBase) / pageBytes);
    const last = Math.floor((access.physicalAddress + access.size - 1 - ramBase) / pageBytes);
    const isWatched = (((this.pageFlags[first] ?? 0) | (this.pageFlags[last] ?? 0)) & flag) !== 0;
    if (isWatched) {
      this.attempting = true;
      this.virtio.beforeWatched(access);
      this.attempting = false;
    }
    effect();
    if (isWatched) this.virtio.afterWatched(access);
  }

  private attempt(
    region: MmioRegion,
    address: number,
    size: AccessSize,
    kind: 'read' | 'write',
    value: bigint,
    by: Accessor,
  ): void {
    this.attempting = true;
    region.attempt?.(address - region.base, size, kind, value, by);
    this.attempting = false;
  }

  private region(address: number, size: AccessSize): MmioRegion {
    const region = this.map.find(address, size);
    if (region === undefined) throw new Error(`nothing answers at 0x${address.toString(16)}`);
    return region;
  }

  private step(): void {
    this.steps++;
    this.runDue();
  }
  private runDue(): void {
    while (this.clock.runOneDue());
  }

  private value(address: number, size: AccessSize): bigint {
    return this.memory.read(address, size).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  private noteInterrupt(kind: 'interrupt-claim' | 'interrupt-complete', source: number): void {
    for (const { name: device } of devicesAt(this.virtio.devices, source)) {
      this.monitor.record({ kind, by: 'board', device, source, context: 0, hart: 0, pc: this.nextPc - 4n });
    }
  }

  private watchPage(page: number, flags: number): void {
    this.pageFlags[page] = flags;
  }

  private configured(options: BenchOptions): VirtioSide {
    return createVirtio(options.devices ?? [], {
      memory: this.memory,
      clock: this.clock,
      ...(options.order === true && { fences: this.order }),
      sink: this.monitor,
      slots: this.slots(),
      pci: this.pci,
      messages: (address, data) => void this.messages.push({ address, data }),
      seed: options.seed ?? 1,
      output: (channel, bytes) => void this.outputs.push({ channel, bytes }),
      setWatch: (page, flags) => this.watchPage(page, flags),
    });
  }

  private slots(): { base: number; interrupt: ReturnType<Plic['line']> }[] {
    return Array.from({ length: virtioSlots.count }, (_, slot) => ({
      base: virtioSlot(slot).base,
      interrupt: this.plic.line(virtioSlot(slot).interrupt),
    }));
  }

  /** As `createVirtio` places a configured device, in the top slot. */
  private ownDevice({ model, offered }: OwnModel, options: BenchOptions): VirtioSide {
    const slot = virtioSlots.count - 1;
    const { base, interrupt } = virtioSlot(slot);
    const onDriverError = options.onDriverError ?? 'qemu';
    const ringWatch = new RingWatch(this.memory, this.monitor, (page, flags) => this.watchPage(page, flags));
    const core: VirtioCore = new VirtioCore({
      name: ownName,
      device: model,
      offeredFeatures: offered,
      memory: this.memory,
      clock: this.clock,
      sink: this.monitor,
      ringWatch,
      fetchNanoseconds: options.fetchNanoseconds ?? defaultFetch,
      completeNanoseconds: options.completeNanoseconds ?? defaultComplete,
      onDriverError,
      seed: 1,
      interface: 'modern',
      dialect: '1.x',
      output: () => undefined,
      interruptChanged: () => transport.interruptChanged(),
    });
    const transport = new MmioTransport(ownName, base, core, this.plic.line(interrupt), this.monitor);
    return {
      regions: [transport],
      devices: [
        {
          name: ownName,
          interruptSource: interrupt,
          get interruptLine() {
            return transport.interruptLine;
          },
          inspect: () => ({
            name: ownName,
            typeName: model.typeName,
            deviceId: model.deviceId,
            transport: 'mmio',
            dialect: '1.x',
            slot,
            base,
            interruptSource: interrupt,
            onDriverError,
            status: core.status,
            needsReset: core.needsReset,
            offeredFeatures: offered,
            acceptedFeatures: core.acceptedFeatures,
            negotiatedFeatures: core.negotiatedFeatures,
            deviceFeaturesSelect: transport.selectors.deviceFeaturesSel,
            driverFeaturesSelect: transport.selectors.driverFeaturesSel,
            queueSelect: transport.selectors.queueSel,
            configGeneration: core.configGeneration,
            configFields: core.inspectConfig(),
            interruptStatus: core.interruptStatus,
            interruptLine: transport.interruptLine,
            queues: core.inspectQueues(),
          }),
        },
      ],
      beforeWatched: (access) => ringWatch.before(access),
      afterWatched: (access) => ringWatch.after(access),
      input: (_device, bytes) => core.input('main', bytes),
      save: () => core.save(),
      restore: (saved) => core.restore(saved),
    };
  }
}

/** What a bench needs of either kind of device. */
interface VirtioSide extends Watched {
  readonly regions: readonly MmioRegion[];
  readonly devices: readonly (Watched['devices'][number] & {
    readonly interruptSource: number;
    readonly interruptLine: boolean;
  })[];
  beforeWatched(access: WatchedAccess): 'proceed' | 'stop';
  afterWatched(access: WatchedAccess): void;
  input(device: string, bytes: Uint8Array): void;
  save(): object;
  restore(saved: object): void;
}

const defaultFetch = 1_000;
const defaultComplete = 10_000;

const common = {
  featuresOn: 0n,
  featuresOff: 0n,
  fetchNanoseconds: defaultFetch,
  completeNanoseconds: defaultComplete,
  onDriverError: 'qemu' as OnDriverError,
};

type Changes = Partial<
  Pick<
    DeviceConfiguration,
    'featuresOn' | 'featuresOff' | 'onDriverError' | 'queueSize' | 'transport' | 'dialect' | 'pci' | 'mood' | 'hostile'
  >
>;

/** A block device of 64 sectors, each filled with its own number. */
export function blockDevice(changes: Changes & { readonly readOnly?: boolean } = {}): DeviceConfiguration {
  return { ...common, name: 'vda', type: 'block', backend: memoryDisk(64), readOnly: false, ...changes };
}
export function consoleDevice(changes: Changes = {}): DeviceConfiguration {
  return { ...common, name: 'console0', type: 'console', ...changes };
}
export function entropyDevice(changes: Changes = {}): DeviceConfiguration {
  return { ...common, name: 'rng0', type: 'entropy', ...changes };
}

/** A network device with one pair of queues, unless told otherwise. */
export function netDevice(
  changes: Changes & { readonly pairs?: number; readonly mtu?: number } = {},
): DeviceConfiguration {
  return { ...common, name: 'net0', type: 'net', address: netAddress, mtu: 1500, pairs: 1, ...changes };
}
export const netAddress = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);

function memoryDisk(sectors: number): BlockBackend {
  const bytes = Uint8Array.from({ length: sectors * 512 }, (_, i) => i >> 9);
  return {
    sizeBytes: bytes.length,
    description: 'a disk in memory',
    read: (offset, length) => bytes.slice(offset, offset + length),
    write: (offset, written) => bytes.set(written, offset),
    flush: () => undefined,
  };
}

function watched(
  by: Accessor,
  physicalAddress: number,
  size: AccessSize,
  kind: 'load' | 'store',
  value: bigint,
  before: bigint,
): WatchedAccess {
  return { ...by, physicalAddress, size, kind, loads: kind === 'load', value, before, acquire: false, release: false };
}

function bytesOf(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Number((value >> BigInt(i * 8)) & 0xffn));
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Map) return [...value];
  return value;
}
