// Composition of the virtio side of a machine: devices, their cores, the mmio slots, the PCI functions and the ring watch, from plain
// configuration. [virtio 1.4, 4; QEMU `virt` board: eight slots, the first device in the top one; PCI devices from 1 up]
import { virtioSharedMemory } from '../board/memory-map';
import type { MmioRegion, SavedState, Stateful, WatchedAccess } from '../bus/access';
import type { DeviceConfiguration } from '../configuration';
import type { EventSink, VirtioFact } from '../record/events';
import type { VirtioCore } from './core';
import { mainChannel } from './device/interface';
import {
  type InspectableDevice,
  isOnPci,
  type PlacedDevice,
  placeInSlot,
  placeOnPci,
  type VirtioEnvironment,
} from './placement';
import { type SavedRingWatch, RingWatch } from './queue/ring-watch';
import { placeSharedMemory } from './shared-memory';
import { EmptySlot, MmioTransport } from './transport/mmio';

export interface Virtio extends Stateful {
  /** One region for each slot, empty slots included, and the shared memory of virtio-mmio devices. */
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

export type { InspectableDevice, VirtioEnvironment, VirtioSlot } from './placement';

interface SavedVirtio {
  readonly devices: readonly { readonly core: SavedState; readonly transport: SavedState }[];
  readonly ringWatch: SavedRingWatch;
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

/** The devices that an interrupt source may speak for: of several on one wire those that hold it up. */
export function devicesAt<D extends Pick<InspectableDevice, 'interruptSource' | 'interruptLine'>>(
  devices: readonly D[],
  source: number,
): readonly D[] {
  const all = devices.filter((device) => device.interruptSource === source);
  return all.length < 2 ? all : all.filter((device) => device.interruptLine);
}

/** Builds devices and slots. Throws an Error that names the device when the configuration cannot work. */
export function createVirtio(configurations: readonly DeviceConfiguration[], environment: VirtioEnvironment): Virtio {
  const { memory, slots } = environment;
  const devices: PlacedDevice[] = [];
  const hasMoods = configurations.some(({ mood }) => (mood ?? []).length > 0);
  const sink = hasMoods
    ? hearing(environment.sink, (fact) => devices.find(({ name }) => name === fact.device)?.core)
    : environment.sink;
  const names = new Set<string>();
  for (const { name } of configurations) {
    if (names.has(name)) throw new Error(`two devices are called ${name}: names must differ`);
    names.add(name);
  }
  // Only what virtio itself watches: a debugger's watchpoint changes nothing that a device sees.
  const ringPages = new Set<number>();
  const ringWatch = new RingWatch(memory, sink, (page, flags) => {
    if (flags === 0) ringPages.delete(page);
    else ringPages.add(page);
    environment.setWatch(page, flags);
  });
  const isInRing = ({ physicalAddress, size }: WatchedAccess): boolean =>
    [physicalAddress, physicalAddress + size - 1].some((at) =>
      ringPages.has(Math.floor((at - memory.base) / pageBytes)),
    );
  const onMmio = configurations.filter((configuration) => !isOnPci(configuration));
  const assigned = assignSlots(onMmio, slots.length);
  const placed = new Map(onMmio.map((configuration, i) => [assigned[i], configuration] as const));
  devices.push(...placeOnPci(configurations.filter(isOnPci), { ...environment, sink }, ringWatch));
  const regions = slots.map((place, slot): MmioRegion => {
    const configuration = placed.get(slot);
    if (configuration === undefined) return new EmptySlot(`slot${slot}`, place.base, sink);
    const { device, transport } = placeInSlot(configuration, slot, place, { ...environment, sink }, ringWatch);
    devices.push(device);
    return transport;
  });
  const delayed = devices.filter(({ core }) => core.mood.has('storeBuffer'));
  const shared = devices
    .filter(({ transport }) => transport instanceof MmioTransport)
    .flatMap(({ core }) => core.sharedMemory);
  placeSharedMemory(shared, virtioSharedMemory);
  const order = configurations.map((configuration) => configuration.name);
  devices.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return {
    regions: [...regions, ...shared],
    devices,
    beforeWatched: (access) => ringWatch.before(access),
    afterWatched: (access) => {
      if (delayed.length > 0 && isInRing(access)) for (const { core } of delayed) core.stored(access);
      ringWatch.after(access);
    },
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

const pageBytes = 4096;

/** A sink that also tells a device with a mood what its driver does. */
function hearing(sink: EventSink, coreOf: (fact: VirtioFact) => VirtioCore | undefined): EventSink {
  return {
    attempt: (fact) => sink.attempt(fact),
    record: (fact) => {
      const event = sink.record(fact);
      if (fact.by === 'driver') coreOf(fact)?.noticed(fact);
      return event;
    },
    repeats: (fact) => sink.repeats?.(fact) ?? false,
  };
}
