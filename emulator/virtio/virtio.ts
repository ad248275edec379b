// Composition of the virtio side of a machine: devices, their cores, the mmio slots and the ring watch, from plain configuration.
// [virtio 1.4, 4.2; QEMU `virt` board: eight slots, the first device in the top one]
import type { MmioRegion, SavedState, Stateful, WatchedAccess } from '../bus/access';
import type { GuestMemory } from '../bus/memory';
import type { InterruptLine } from '../board/contract';
import type { Clock } from '../clock';
import type { DeviceConfiguration } from '../configuration';
import type { EventSink } from '../record/events';
import { VirtioCore } from './core';
import { createDevice, offeredFeatures } from './device/create';
import { mainChannel } from './device/interface';
import type { VirtioDeviceInspection } from './inspection';
import { type SavedRingWatch, RingWatch } from './queue/ring-watch';
import { EmptySlot, MmioTransport } from './transport/mmio';
import { mmioLegacyLayout } from './transport/mmio-legacy-registers';
import { mmioCurrentLayout } from './transport/mmio-registers';

/** A place on the board where a virtio-mmio device can sit. */
export interface VirtioSlot {
  /** Guest-physical address of its register block, 0x1000 bytes. */
  readonly base: number;
  readonly interrupt: InterruptLine;
}

/** What the machine gives to virtio. */
export interface VirtioEnvironment {
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly sink: EventSink;
  readonly slots: readonly VirtioSlot[];
  /** Seed of the machine; each device draws its own sequence from it. */
  readonly seed: number;
  /** Bytes that a device sends out. The channel is the device's configured name. */
  output(channel: string, bytes: Uint8Array): void;
  /** Sets the watch flags (`pageFlag.watchLoad | pageFlag.watchStore`, or 0) of one 4 KiB page, counted from the start of RAM. */
  setWatch(page: number, flags: number): void;
}

/** One virtio device as the rest of the machine sees it. */
export interface InspectableDevice {
  readonly name: string;
  readonly slot: number;
  readonly base: number;
  readonly interruptSource: number;
  /** Plain data, without any effect. */
  inspect(): VirtioDeviceInspection;
}

export interface Virtio extends Stateful {
  /** One region for each slot, empty slots included. */
  readonly regions: readonly MmioRegion[];
  /** In the order of the configuration. */
  readonly devices: readonly InspectableDevice[];
  beforeWatched(access: WatchedAccess): 'proceed' | 'stop';
  afterWatched(access: WatchedAccess): void;
  /** Bytes from the outside for the device of that name, at a recorded step. Throws when there is no such device. */
  input(channel: string, bytes: Uint8Array): void;
  save(): SavedState;
  restore(state: SavedState): void;
}

interface SavedVirtio {
  readonly devices: readonly { readonly core: SavedState; readonly transport: SavedState }[];
  readonly ringWatch: SavedRingWatch;
}

interface PlacedDevice extends InspectableDevice {
  readonly core: VirtioCore;
  readonly transport: MmioTransport;
}

/**
 * The slot of each device, in the order of the devices: its own choice, or the highest that is free, as QEMU fills them. Throws an
 * Error that names the device when two want one slot, a slot does not exist or there are more devices than slots.
 */
export function assignSlots(
  devices: readonly Pick<DeviceConfiguration, 'name' | 'slot'>[],
  slotCount: number,
): number[] {
  const taken = new Map<number, string>();
  for (const { name, slot } of devices) {
    if (slot === undefined) continue;
    if (!Number.isInteger(slot) || slot < 0 || slot >= slotCount) {
      throw new Error(`device ${name}: slot ${slot} does not exist, allowed are 0 to ${slotCount - 1}`);
    }
    const other = taken.get(slot);
    if (other !== undefined) throw new Error(`device ${name}: slot ${slot} is taken by device ${other}`);
    taken.set(slot, name);
  }
  return devices.map(({ name, slot }) => {
    if (slot !== undefined) return slot;
    for (let free = slotCount - 1; free >= 0; free--) {
      if (taken.has(free)) continue;
      taken.set(free, name);
      return free;
    }
    throw new Error(`device ${name}: all ${slotCount} virtio-mmio slots are taken`);
  });
}

/** Builds devices and slots. Throws an Error that names the device when the configuration cannot work. */
export function createVirtio(configurations: readonly DeviceConfiguration[], environment: VirtioEnvironment): Virtio {
  const { memory, sink, slots } = environment;
  const names = new Set<string>();
  for (const { name } of configurations) {
    if (names.has(name)) throw new Error(`two devices are called ${name}: names must differ`);
    names.add(name);
  }
  const ringWatch = new RingWatch(memory, sink, (page, flags) => environment.setWatch(page, flags));
  const assigned = assignSlots(configurations, slots.length);
  const placed = new Map(configurations.map((configuration, i) => [assigned[i], configuration] as const));
  const devices: PlacedDevice[] = [];
  const regions = slots.map((place, slot): MmioRegion => {
    const configuration = placed.get(slot);
    if (configuration === undefined) return new EmptySlot(`slot${slot}`, place.base, sink);
    const device = placeDevice(configuration, slot, place, environment, ringWatch);
    devices.push(device);
    return device.transport;
  });
  const order = configurations.map((configuration) => configuration.name);
  devices.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return {
    regions,
    devices,
    beforeWatched: (access) => ringWatch.before(access),
    afterWatched: (access) => ringWatch.after(access),
    input: (channel, bytes) => {
      const device = devices.find((candidate) => candidate.name === channel);
      if (device === undefined) throw new Error(`there is no device ${channel} to take input`);
      device.core.input(mainChannel, bytes);
    },
    save: (): SavedVirtio => ({
      devices: devices.map(({ core, transport }) => ({ core: core.save(), transport: transport.save() })),
      ringWatch: ringWatch.save(),
    }),
    restore: (state) => {
      const saved = state as SavedVirtio;
      for (const [i, { core, transport }] of devices.entries()) {
        const own = saved.devices[i];
        if (own === undefined) throw new Error(`the saved state has no device ${core.name}`);
        core.restore(own.core);
        transport.restore(own.transport);
      }
      ringWatch.restore(saved.ringWatch);
    },
  };
}

function placeDevice(
  configuration: DeviceConfiguration,
  slot: number,
  { base, interrupt }: VirtioSlot,
  environment: VirtioEnvironment,
  ringWatch: RingWatch,
): PlacedDevice {
  const { name, fetchNanoseconds, completeNanoseconds, onDriverError } = configuration;
  const legacy = configuration.transport === 'mmio-legacy';
  const { memory, clock, sink, seed } = environment;
  const offered = offeredFeatures(configuration);
  const model = createDevice(configuration, offered, (bytes) => environment.output(name, bytes));
  const core: VirtioCore = new VirtioCore({
    name,
    device: model,
    offeredFeatures: offered,
    memory,
    clock,
    sink,
    ringWatch,
    fetchNanoseconds,
    completeNanoseconds,
    onDriverError,
    seed,
    interface: legacy ? 'legacy' : 'modern',
    dialect: configuration.dialect ?? '1.x',
    output: (channel, bytes) => environment.output(channel === mainChannel ? name : `${name}.${channel}`, bytes),
    interruptChanged: () => transport.interruptChanged(),
  });
  const transport = new MmioTransport(name, base, core, interrupt, sink, legacy ? mmioLegacyLayout : mmioCurrentLayout);
  return {
    name,
    slot,
    base,
    interruptSource: interrupt.source,
    core,
    transport,
    inspect: () => ({
      name,
      typeName: model.typeName,
      deviceId: model.deviceId,
      transport: configuration.transport ?? 'mmio',
      dialect: core.dialect.name,
      slot,
      base,
      interruptSource: interrupt.source,
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
  };
}
