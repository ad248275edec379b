// Puts one configured device behind its transport: model, core, and a slot of the mmio window or a function of the PCI bus.
// [virtio 1.4, 4.1, 4.2]
import type { InterruptLine } from '../board/contract';
import type { PciHost } from '../board/pci/contract';
import type { GuestMemory } from '../bus/memory';
import type { Clock } from '../clock';
import type { DeviceConfiguration } from '../configuration';
import type { EventSink } from '../record/events';
import { type CoreEnvironment, VirtioCore } from './core';
import { createDevice, deviceTypes, offeredFeatures } from './device/create';
import { mainChannel } from './device/interface';
import { baitFeatures, baitInMood, DeviceMood, offerInMood, queueSizeInMood } from './mood';
import { layoutInMood } from './mood-layout';
import type { VirtioDeviceInspection } from './inspection';
import type { RingWatch } from './queue/ring-watch';
import { type FenceSource, StoreBuffer } from './store-buffer';
import { createSharedMemory } from './shared-memory';
import type { TransportName } from './spec/feature';
import { MmioTransport } from './transport/mmio';
import { mmioLegacyLayout } from './transport/mmio-legacy-registers';
import { mmioCurrentLayout } from './transport/mmio-registers';
import type { MessageSink } from './transport/msix';
import { VirtioPci } from './transport/pci';
import { layOut, type PciLayout } from './transport/pci-layout';

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
  /** Absent: nobody can tell, so that the mood `storeBuffer` delays nothing. */
  readonly fences?: FenceSource;
  readonly sink: EventSink;
  readonly slots: readonly VirtioSlot[];
  readonly pci: PciHost;
  /** Where MSI-X messages go; absent: the board has no interrupt controller for them, and MSI-X is refused. */
  readonly messages?: MessageSink;
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
  readonly interruptSource: number;
  /** Whether the device holds its interrupt wire up now; on PCI others may share it. */
  readonly interruptLine: boolean;
  /** Plain data, without any effect. */
  inspect(): VirtioDeviceInspection;
}

export interface PlacedDevice extends InspectableDevice {
  readonly core: VirtioCore;
  readonly transport: MmioTransport | VirtioPci;
}

/** The transport of a configured device. */
export function transportOf({ transport }: Pick<DeviceConfiguration, 'transport'>): TransportName {
  return transport ?? 'mmio';
}

export function isOnPci(configuration: Pick<DeviceConfiguration, 'transport'>): boolean {
  return transportOf(configuration).startsWith('pci');
}

/** Devices that name their number first, so that nobody takes it from them. */
export function placeOnPci(
  configurations: readonly DeviceConfiguration[],
  environment: VirtioEnvironment,
  ringWatch: RingWatch,
): PlacedDevice[] {
  const order = [...configurations].sort((a, b) => Number(a.slot === undefined) - Number(b.slot === undefined));
  return order.map((configuration) => placeOnBus(configuration, environment, ringWatch));
}

function placeOnBus(
  configuration: DeviceConfiguration,
  environment: VirtioEnvironment,
  ringWatch: RingWatch,
): PlacedDevice {
  const { pci, sink, messages } = environment;
  const transportName = transportOf(configuration);
  if (transportName === 'mmio' || transportName === 'mmio-legacy') throw new Error(`${transportName} is not on PCI`);
  const number = configuration.slot ?? pci.freeDevice();
  const forms = { pci: 'modern', 'pci-transitional': 'either', 'pci-legacy': 'legacy' } as const;
  const core: VirtioCore = makeCore(configuration, environment, ringWatch, {
    interface: forms[transportName],
    message: (_cause, queue) => transport.message(queue),
    reachesMemory: () => transport.reachesMemory(),
    afterReset: () => transport.afterReset(),
    interruptChanged: () => transport.interruptChanged(),
  });
  const wire = pci.wire(number, 0);
  const layout = layoutOf(configuration, transportName, core, messages !== undefined);
  const transport: VirtioPci = new VirtioPci({
    ...{ name: configuration.name, device: number, core, layout, wire, sink, messages },
  });
  pci.attach(transport);
  return {
    name: configuration.name,
    interruptSource: wire.source,
    get interruptLine() {
      return transport.interruptLine;
    },
    core,
    transport,
    inspect: () => {
      const messages = transport.inspectMessages();
      const seen = inspectDevice(configuration, core, transport, number, transport.base, wire.source);
      return messages === undefined ? seen : { ...seen, messages };
    },
  };
}

const leastConfigBytes = 4;

/** Throws an Error that names the device and the option. */
function layoutOf(
  { name, pci = {} }: DeviceConfiguration,
  transport: Parameters<typeof layOut>[0]['transport'],
  { device, queues, configLength, mood, sharedMemory }: VirtioCore,
  takesMessages: boolean,
): PciLayout {
  if ((pci.msixVectors ?? 0) > 0 && !takesMessages) {
    throw new Error(
      `device ${name}: pci.msixVectors: the board has no interrupt controller that takes messages; use 0, or aia aplic-imsic`,
    );
  }
  try {
    const { deviceId } = device;
    const total = queues.all().length;
    // One for each queue and one for configuration changes, as on QEMU.
    const msixVectors = pci.msixVectors ?? (takesMessages ? total + 1 : 0);
    const options = layoutInMood({ ...pci, msixVectors }, total, mood);
    // A type that has a configuration structure shows it, even when none of its fields exists. [4.1.4.6.1]
    const configBytes = Math.max(configLength, device.configFields.length > 0 ? leastConfigBytes : 0);
    return layOut({ transport, deviceId, queues: total, configBytes, sharedMemory, options });
  } catch (error) {
    throw new Error(`device ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function placeInSlot(
  configuration: DeviceConfiguration,
  slot: number,
  { base, interrupt }: VirtioSlot,
  environment: VirtioEnvironment,
  ringWatch: RingWatch,
): { readonly device: PlacedDevice; readonly transport: MmioTransport } {
  const { name } = configuration;
  const isLegacy = configuration.transport === 'mmio-legacy';
  const core: VirtioCore = makeCore(configuration, environment, ringWatch, {
    interface: isLegacy ? 'legacy' : 'modern',
    interruptChanged: () => transport.interruptChanged(),
  });
  const layout = isLegacy ? mmioLegacyLayout : mmioCurrentLayout;
  const transport = new MmioTransport(name, base, core, interrupt, environment.sink, layout);
  const device: PlacedDevice = {
    name,
    interruptSource: interrupt.source,
    get interruptLine() {
      return transport.interruptLine;
    },
    core,
    transport,
    inspect: () => inspectDevice(configuration, core, transport, slot, base, interrupt.source),
  };
  return { device, transport };
}

type TransportSide = Pick<
  CoreEnvironment,
  'interface' | 'interruptChanged' | 'message' | 'reachesMemory' | 'afterReset'
>;

function makeCore(
  configuration: DeviceConfiguration,
  environment: VirtioEnvironment,
  ringWatch: RingWatch,
  side: TransportSide,
): VirtioCore {
  const { name, fetchNanoseconds, completeNanoseconds, onDriverError } = configuration;
  const { memory, clock, sink, seed, fences } = environment;
  const mood = new DeviceMood(configuration.mood ?? [], configuration.hostile ?? false, seed, name);
  const { deviceId, queueSize: usualSize } = deviceTypes[configuration.type];
  const isModern = transportOf(configuration) === 'mmio' || transportOf(configuration) === 'pci';
  const baits = isModern ? baitInMood(baitFeatures & ~configuration.featuresOff, mood) : 0n;
  const usual = offeredFeatures({ ...configuration, featuresOn: configuration.featuresOn | baits });
  const offered = offerInMood(deviceId, usual, mood);
  const delays = mood.has('storeBuffer') && fences !== undefined;
  const queueSize = queueSizeInMood(configuration.queueSize ?? usualSize, 0, mood);
  return new VirtioCore({
    name,
    device: createDevice({ ...configuration, queueSize }, offered, (bytes) => environment.output(name, bytes)),
    offeredFeatures: offered,
    memory,
    clock,
    sink,
    ringWatch,
    fetchNanoseconds,
    completeNanoseconds,
    onDriverError,
    seed,
    mood,
    sharedMemory: createSharedMemory(name, configuration.sharedMemory ?? []),
    ...(delays && {
      storeBuffer: new StoreBuffer({ memory, fences, now: () => clock.now(), choose: (limit) => mood.choose(limit) }),
    }),
    dialect: configuration.dialect ?? '1.x',
    output: (channel, bytes) => environment.output(channel === mainChannel ? name : `${name}.${channel}`, bytes),
    ...side,
  });
}

function inspectDevice(
  configuration: DeviceConfiguration,
  core: VirtioCore,
  { selectors, interruptLine }: MmioTransport | VirtioPci,
  slot: number,
  base: number,
  interruptSource: number,
): VirtioDeviceInspection {
  return {
    name: core.name,
    typeName: core.device.typeName,
    deviceId: core.device.deviceId,
    transport: transportOf(configuration),
    dialect: core.dialect.name,
    sharedMemory: core.sharedMemory.length,
    administrationQueues: core.device.administrationQueues ?? 0,
    slot,
    base,
    interruptSource,
    onDriverError: configuration.onDriverError,
    status: core.status,
    needsReset: core.needsReset,
    offeredFeatures: core.offeredFeatures,
    acceptedFeatures: core.acceptedFeatures,
    negotiatedFeatures: core.negotiatedFeatures,
    deviceFeaturesSelect: selectors.deviceFeaturesSel,
    driverFeaturesSelect: selectors.driverFeaturesSel,
    queueSelect: selectors.queueSel,
    configGeneration: core.configGeneration,
    configFields: core.inspectConfig(),
    interruptStatus: core.interruptStatus,
    interruptLine,
    queues: core.inspectQueues(),
  };
}
