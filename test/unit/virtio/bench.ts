// A bench for virtio's own tests: RAM, a clock that the test turns, a sink that keeps everything, and a tiny driver that goes through
// the same regions and watch hooks as a hart would.
import { Ram } from '../../../emulator/bus/ram';
import type { Accessor, AccessSize, MmioRegion, WatchedAccess } from '../../../emulator/bus/access';
import { PcieHost } from '../../../emulator/board/pci/host';
import { Clock } from '../../../emulator/clock';
import type { BlockBackend, DeviceConfiguration, DeviceConfigurationBase } from '../../../emulator/configuration';
import type { DriverFact, DriverOrigin, EventKind, VirtioEvent, VirtioFact } from '../../../emulator/record/events';
import { createVirtio, type Virtio } from '../../../emulator/virtio/virtio';
import type { VirtioDeviceInspection } from '../../../emulator/virtio/inspection';
import { featureSet } from '../../../emulator/virtio/spec/feature';
import { areaBytes } from '../../../emulator/virtio/spec/split-ring';

export const ramBase = 0x8000_0000;
export const ramBytes = 1024 * 1024;
const slotBase = 0x1000_1000;

export const register = {
  MagicValue: 0x000,
  Version: 0x004,
  DeviceID: 0x008,
  VendorID: 0x00c,
  DeviceFeatures: 0x010,
  DeviceFeaturesSel: 0x014,
  DriverFeatures: 0x020,
  DriverFeaturesSel: 0x024,
  QueueSel: 0x030,
  QueueSizeMax: 0x034,
  QueueSize: 0x038,
  QueueReady: 0x044,
  QueueNotify: 0x050,
  InterruptStatus: 0x060,
  InterruptACK: 0x064,
  Status: 0x070,
  QueueDescLow: 0x080,
  QueueDescHigh: 0x084,
  QueueDriverLow: 0x090,
  QueueDriverHigh: 0x094,
  QueueDeviceLow: 0x0a0,
  QueueDeviceHigh: 0x0a4,
  ConfigGeneration: 0x0fc,
  Config: 0x100,
} as const;

export const base: DeviceConfigurationBase = {
  name: 'vda',
  featuresOn: 0n,
  featuresOff: 0n,
  fetchNanoseconds: 1_000,
  completeNanoseconds: 10_000,
  onDriverError: 'qemu',
};

/** A disk in memory that remembers what was asked of it. */
export class TestDisk implements BlockBackend {
  readonly description = 'test disk';
  readonly bytes: Uint8Array;
  readonly calls: string[] = [];
  failure: string | undefined;
  constructor(readonly sizeBytes: number) {
    this.bytes = Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 7 + (i >> 9)) & 0xff);
  }
  read(offset: number, length: number): Uint8Array {
    this.note(`read ${offset} ${length}`);
    return this.bytes.slice(offset, offset + length);
  }
  write(offset: number, bytes: Uint8Array): void {
    this.note(`write ${offset} ${bytes.length}`);
    this.bytes.set(bytes, offset);
  }
  flush(): void {
    this.note('flush');
  }
  private note(call: string): void {
    if (this.failure !== undefined) throw new Error(this.failure);
    this.calls.push(call);
  }
}

export function blockConfiguration(
  disk: BlockBackend,
  more: Partial<DeviceConfigurationBase> & { readonly readOnly?: boolean; readonly serial?: string } = {},
): DeviceConfiguration {
  return { ...base, readOnly: false, ...more, type: 'block', backend: disk };
}

/** A descriptor to write; the chain helper fills NEXT and next. */
export interface Piece {
  readonly address: number;
  readonly length: number;
  readonly writable?: boolean;
}

/** Where a queue's areas lie. */
export interface QueuePlaces {
  readonly size: number;
  readonly descriptor: number;
  readonly available: number;
  readonly used: number;
}

export function placesAt(address: number, size: number): QueuePlaces {
  const available = address + areaBytes.descriptor(size);
  const used = (available + areaBytes.available(size) + 3) & ~3;
  return { size, descriptor: address, available, used: used >>> 0 };
}

/** The events that may have this kind, also where one shape serves two kinds. */
export type EventOf<K extends EventKind, E extends VirtioEvent = VirtioEvent> = E extends unknown
  ? K extends E['kind']
    ? E
    : never
  : never;

/** What was recorded, without where in the stream and when. */
export function withoutStamp(event: VirtioEvent): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(event).filter(([key]) => !['index', 'step', 'virtualNanoseconds'].includes(key)),
  );
}

export class VirtioBench {
  readonly memory: Ram;
  readonly events: VirtioEvent[] = [];
  readonly attempts: (DriverFact & DriverOrigin)[] = [];
  readonly output: { channel: string; bytes: Uint8Array }[] = [];
  readonly lines = new Map<number, boolean>();
  readonly watchFlags = new Map<number, number>();
  readonly clock: Clock;
  readonly virtio: Virtio;
  step = 0;
  /** What the sink answers to attempts. */
  answer: (fact: DriverFact & DriverOrigin) => 'proceed' | 'stop' = () => 'proceed';

  constructor(devices: readonly DeviceConfiguration[], seed = 1) {
    this.memory = new Ram({ ram: new Uint8Array(ramBytes), ramBase, noteOutsideWrite: () => undefined });
    this.clock = new Clock(
      () => this.step,
      1,
      () => undefined,
    );
    this.virtio = createVirtio(devices, {
      memory: this.memory,
      clock: this.clock,
      seed,
      sink: {
        attempt: (fact) => {
          this.attempts.push(fact);
          return this.answer(fact);
        },
        record: (fact) => this.note(fact),
      },
      slots: Array.from({ length: 8 }, (_, slot) => ({
        base: slotBase + slot * 0x1000,
        interrupt: { source: slot + 1, set: (level: boolean) => void this.lines.set(slot + 1, level) },
      })),
      pci: new PcieHost((source) => ({ source, set: (level) => void this.lines.set(source, level) })),
      output: (channel, bytes) => void this.output.push({ channel, bytes }),
      setWatch: (page, flags) => void this.watchFlags.set(page, flags),
    });
  }

  /** Keeps a fact as the event stream would. */
  note(fact: VirtioFact): VirtioEvent {
    const event = { ...fact, index: this.events.length, step: this.step, virtualNanoseconds: this.clock.now() };
    this.events.push(event);
    return event;
  }

  region(slot = 7): MmioRegion {
    const region = this.virtio.regions[slot];
    if (region === undefined) throw new Error(`no slot ${slot}`);
    return region;
  }

  inspect(index = 0): VirtioDeviceInspection {
    const device = this.virtio.devices[index];
    if (device === undefined) throw new Error(`no device ${index}`);
    return device.inspect();
  }

  by(): Accessor {
    return { hart: 0, pc: 0x8000_1000n + BigInt(this.step), virtualAddress: 0n, step: this.step };
  }

  read(offset: number, size: AccessSize = 4, slot = 7): number {
    const by = this.by();
    this.region(slot).attempt?.(offset, size, 'read', 0n, by);
    const value = this.region(slot).read(offset, size, by);
    this.step++;
    if (value === undefined) throw new Error(`access fault at 0x${offset.toString(16)}`);
    return Number(value);
  }

  write(offset: number, value: number | bigint, size: AccessSize = 4, slot = 7): void {
    const by = this.by();
    this.region(slot).attempt?.(offset, size, 'write', BigInt(value), by);
    const done = this.region(slot).write(offset, size, BigInt(value), by);
    this.step++;
    if (!done) throw new Error(`access fault at 0x${offset.toString(16)}`);
  }

  /** A hart's store to RAM, through the watch where the page is watched. */
  store(address: number, size: AccessSize, value: number | bigint): void {
    const access = this.access(address, size, 'store', BigInt(value));
    if (this.isWatched(address)) this.virtio.beforeWatched(access);
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = Number((BigInt(value) >> BigInt(8 * i)) & 0xffn);
    this.memory.write(address, bytes);
    if (this.isWatched(address)) this.virtio.afterWatched(access);
    this.step++;
  }

  load(address: number, size: AccessSize): bigint {
    const access = this.access(address, size, 'load', this.peek(address, size));
    if (this.isWatched(address)) {
      this.virtio.beforeWatched(access);
      this.virtio.afterWatched(access);
    }
    this.step++;
    return access.value;
  }

  access(address: number, size: AccessSize, kind: WatchedAccess['kind'], value: bigint): WatchedAccess {
    return {
      ...this.by(),
      physicalAddress: address,
      size,
      kind,
      loads: kind !== 'store',
      value,
      before: this.peek(address, size),
      acquire: false,
      release: false,
    };
  }

  /** Little-endian value in RAM. */
  peek(address: number, size: number): bigint {
    return this.memory.read(address, size).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  isWatched(address: number): boolean {
    return (this.watchFlags.get(Math.floor((address - ramBase) / 4096)) ?? 0) !== 0;
  }

  /** Runs what is due within the next `nanoseconds`, moving the clock. */
  advance(nanoseconds: number): void {
    const end = this.step + nanoseconds;
    for (;;) {
      if (this.clock.runOneDue()) continue;
      const next = this.clock.nextStep();
      if (next === undefined || next > end) break;
      this.step = Math.max(this.step, next);
    }
    this.step = end;
  }

  kinds(...only: EventKind[]): EventKind[] {
    return this.events.map((e) => e.kind).filter((kind) => only.length === 0 || only.includes(kind));
  }

  eventsOf<K extends EventKind>(kind: K): EventOf<K>[] {
    return this.events.filter((e): e is EventOf<K> => e.kind === kind);
  }

  // A tiny driver.

  /** Status up to FEATURES_OK with these accepted features (VERSION_1 is added). Returns the status read back. */
  negotiate(features: readonly number[] = [], slot = 7): number {
    const accepted = featureSet(32, ...features);
    for (const value of [0, 1, 3]) this.write(register.Status, value, 4, slot);
    for (const window of [0, 1]) {
      this.write(register.DriverFeaturesSel, window, 4, slot);
      this.write(register.DriverFeatures, (accepted >> BigInt(32 * window)) & 0xffff_ffffn, 4, slot);
    }
    this.write(register.Status, 11, 4, slot);
    return this.read(register.Status, 4, slot);
  }

  setUpQueue(queue: number, places: QueuePlaces, slot = 7): void {
    this.write(register.QueueSel, queue, 4, slot);
    this.write(register.QueueSize, places.size, 4, slot);
    for (const [low, address] of [
      [register.QueueDescLow, places.descriptor],
      [register.QueueDriverLow, places.available],
      [register.QueueDeviceLow, places.used],
    ] as const) {
      this.write(low, address, 4, slot);
      this.write(low + 4, 0, 4, slot);
    }
    this.write(register.QueueReady, 1, 4, slot);
  }

  /** Negotiation, one queue or more, DRIVER_OK. */
  start(queues: readonly QueuePlaces[], features: readonly number[] = [], slot = 7): void {
    this.negotiate(features, slot);
    queues.forEach((places, queue) => this.setUpQueue(queue, places, slot));
    this.write(register.Status, 15, 4, slot);
    this.advance(0);
  }

  descriptor(table: number, index: number, address: number | bigint, length: number, flags: number, next = 0): void {
    const at = table + 16 * index;
    this.store(at, 8, address);
    this.store(at + 8, 4, length);
    this.store(at + 12, 2, flags);
    this.store(at + 14, 2, next);
  }

  /** Writes a chain into consecutive descriptors from `head`. */
  chain(table: number, head: number, pieces: readonly Piece[]): void {
    pieces.forEach(({ address, length, writable }, i) => {
      const last = i === pieces.length - 1;
      this.descriptor(table, head + i, address, length, (writable ? 2 : 0) | (last ? 0 : 1), last ? 0 : head + i + 1);
    });
  }

  publish(places: QueuePlaces, ...heads: number[]): void {
    const index = this.memory.read16(places.available + 2);
    heads.forEach((head, i) => this.store(places.available + 4 + 2 * ((index + i) % places.size), 2, head));
    this.store(places.available + 2, 2, (index + heads.length) & 0xffff);
  }

  notify(queue: number, slot = 7): void {
    this.write(register.QueueNotify, queue, 4, slot);
  }

  usedIndex(places: QueuePlaces): number {
    return this.memory.read16(places.used + 2);
  }
  usedElement(places: QueuePlaces, slot: number): { id: number; len: number } {
    const at = places.used + 4 + 8 * slot;
    return { id: this.memory.read32(at), len: this.memory.read32(at + 4) };
  }
}
