// The watchers' state at power-on and at the start of each lap. [virtio 1.4, 2.4]
import type { VirtioEvent } from '../../record/events';
import type { VirtioDeviceInspection } from '../inspection';
import type { RingFormat } from '../queue/ring';
import { freshAdministration } from './administration';
import { freshConsumption } from './consumption';
import { freshNet } from './net';
import type { NotificationState, QueueState } from './queue-state';
import { freshSuspend } from './suspend';
import { freshAnnounced, freshWaiting } from './waiting';
import type { DeviceDescription, DeviceState, HandshakeState, InterruptState } from './state';

export function describe(name: string, seen: VirtioDeviceInspection): DeviceDescription {
  return Object.freeze({
    name,
    transport: seen.transport,
    dialect: seen.dialect,
    deviceId: seen.deviceId,
    offered: seen.offeredFeatures,
    queueMaximumSizes: seen.queues.map((queue) => queue.maximumSize),
    sharedMemory: seen.sharedMemory ?? 0,
    administrationQueues: seen.administrationQueues ?? 0,
    configFields: seen.configFields,
  });
}

/** A slot without a device: DeviceID 0, nothing offered. [virtio 1.4, 4.2.2] */
export function describePlaceholder(name: string): DeviceDescription {
  return Object.freeze({
    name,
    transport: 'mmio',
    dialect: '1.x',
    deviceId: 0,
    offered: 0n,
    queueMaximumSizes: [],
    sharedMemory: 0,
    administrationQueues: 0,
    configFields: [],
  });
}

export function freshDevice(description: DeviceDescription): DeviceState {
  return {
    description,
    configValues: new Map(description.configFields.map((field) => [field.name, field.value])),
    legacy: description.transport === 'mmio-legacy' || description.transport === 'pci-legacy',
    guestPageBytes: undefined,
    pci: { command: 0, msixEnabled: false, wireUp: false, vendorIdRead: false, unreadVectors: new Map() },
    lap: 0,
    handshake: freshHandshake(undefined),
    suspend: freshSuspend(),
    identity: {
      magicRead: false,
      versionRead: false,
      deviceIdRead: false,
      deviceId: undefined,
      usedOtherwise: false,
      usedBeforeDeviceId: false,
    },
    features: { windowsRead: new Set(), windowsEverRead: new Set(), windowsWritten: new Set(), accepted: 0n },
    config: { generation: undefined, readSince: false, staleSince: undefined, halves: new Map() },
    interrupt: freshInterrupt(),
    announced: freshAnnounced(),
    queues: description.queueMaximumSizes.map((maximumSize, index) => freshQueue(index, maximumSize)),
    administration: freshAdministration(),
    net: freshNet(),
    lastAccess: undefined,
    needsReset: undefined,
  };
}

/** A device reset: what belongs to the lap starts anew. */
export function startLap(state: DeviceState, reset: VirtioEvent): void {
  state.lap++;
  state.handshake = freshHandshake(reset);
  state.suspend = freshSuspend();
  state.features = { ...state.features, windowsRead: new Set(), windowsWritten: new Set(), accepted: 0n };
  state.config = { generation: undefined, readSince: false, staleSince: undefined, halves: new Map() };
  state.interrupt = freshInterrupt();
  state.announced = freshAnnounced();
  state.queues = state.queues.map(({ index, maximumSize }) => freshQueue(index, maximumSize));
  state.administration = freshAdministration();
  state.net = freshNet(state.net.addressRead);
  state.needsReset = undefined;
}

function freshHandshake(reset: VirtioEvent | undefined): HandshakeState {
  return {
    status: 0,
    reset,
    resetReadBack: false,
    resetDone: false,
    resetUsed: false,
    setBy: new Map(),
    written: 0,
    featuresOkUnread: false,
    featuresRefusedSeen: undefined,
    unread: 0,
    refused: 0,
  };
}

function freshInterrupt(): InterruptState {
  return {
    claim: undefined,
    serving: false,
    readSinceClaim: undefined,
    acknowledgedSinceClaim: false,
    seen: 0,
    seenBy: undefined,
    seenServing: 0,
  };
}

export function freshQueue(index: number, maximumSize: number): QueueState {
  return {
    index,
    maximumSize,
    setup: {
      QueueSize: undefined,
      QueueDescLow: undefined,
      QueueDescHigh: undefined,
      QueueDriverLow: undefined,
      QueueDriverHigh: undefined,
      QueueDeviceLow: undefined,
      QueueDeviceHigh: undefined,
    },
    maximumRead: false,
    alignWritten: false,
    ready: false,
    wasReady: false,
    stopUnread: undefined,
    resetUnread: undefined,
    wasReset: false,
    ...freshRing('split', 0, 0, 0, 0),
  };
}

/** A queue at the moment it is enabled. Addresses are guest-physical. */
export function freshRing(
  format: RingFormat,
  size: number,
  descriptorArea: number,
  driverArea: number,
  deviceArea: number,
): Omit<
  QueueState,
  | 'index'
  | 'maximumSize'
  | 'setup'
  | 'maximumRead'
  | 'alignWritten'
  | 'ready'
  | 'wasReady'
  | 'stopUnread'
  | 'resetUnread'
  | 'wasReset'
> {
  return {
    format,
    size,
    descriptorArea,
    driverArea,
    deviceArea,
    availableIndex: 0,
    fetchedIndex: 0,
    usedIndex: 0,
    collectedIndex: 0,
    usedFlags: 0,
    availEvent: 0,
    chains: new Map(),
    holderOf: new Map(),
    tables: new Map(),
    usedPositions: [],
    usedEnds: [],
    descriptorStores: new Map(),
    slotStores: new Map(),
    slotsSincePublish: new Set(),
    building: new Set(),
    newestStore: undefined,
    lastPublish: undefined,
    lastCollect: undefined,
    interruptWanted: undefined,
    looseRecheck: undefined,
    notification: freshNotification(),
    waiting: freshWaiting(),
    consumption: freshConsumption(),
    polled: undefined,
  };
}

function freshNotification(): NotificationState {
  return {
    owed: undefined,
    decidedIndex: 0,
    publishedSince: undefined,
    loaded: undefined,
    loadedFlags: undefined,
    loadedDesc: undefined,
    silencedAtPublish: false,
    fruitlessLoads: 0,
  };
}
