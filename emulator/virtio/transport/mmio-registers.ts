// The registers of a virtio-mmio device, version 2: one row each. Reads, writes, peeks, width rules, the facts they make and the labels
// in pictures come from this table. [virtio 1.4, 4.2.2]
import type { RegisterFact } from '../../record/events';
import type { VirtioCore } from '../core';
import type { QueueAreas } from '../queue/ring';
import type { SharedRegion } from '../shared-memory';

/** What the transport itself remembers, beside the core. */
export interface MmioSelectors {
  deviceFeaturesSel: number;
  deviceFeaturesSelected: boolean;
  driverFeaturesSel: number;
  driverFeaturesSelected: boolean;
  queueSel: number;
  shmSel: number;
}

export interface MmioTarget {
  readonly core: VirtioCore;
  readonly selectors: MmioSelectors;
  /** Legacy devices only: the unit of QueuePFN in bytes. A device reset leaves it alone. */
  guestPageBytes: number;
}

export interface MmioRegister {
  /** Bytes from the start of the register block. */
  readonly offset: number;
  readonly name: string;
  /** Bits. */
  readonly width: 32;
  readonly access: 'r' | 'w' | 'rw';
  readonly section: string;
  /** Registers behind QueueSel act on the selected queue. */
  readonly per: 'device' | 'queue';
  readonly meaning: string;
  /** The value that a read gives; reading changes nothing, so this is the peek as well. */
  readonly read?: (t: MmioTarget) => number;
  readonly write?: (t: MmioTarget, value: number) => void;
  /** The fact that a read of `value` makes. */
  readonly readFact?: (t: MmioTarget, value: number) => RegisterFact;
  /** The fact that a write will make, worked out before it takes effect. */
  readonly writeFact?: (t: MmioTarget, value: number) => RegisterFact;
}

/** "virt", little-endian. */
export const mmioMagic = 0x74726976;
export const mmioVersion = 2;
/** "QEMU", little-endian: what guests know from the same board there. */
export const mmioVendor = 0x554d4551;
export const mmioConfigOffset = 0x100;
/** Bytes of one device's window. */
export const mmioWindowBytes = 0x1000;

const section = '4.2.2';
const allOnes = 0xffff_ffff;

type Common = Pick<MmioRegister, 'width' | 'section'>;
const common: Common = { width: 32, section };

function identity(
  offset: number,
  name: 'MagicValue' | 'Version' | 'DeviceID' | 'VendorID',
  meaning: string,
  read: (t: MmioTarget) => number,
): MmioRegister {
  return {
    ...common,
    offset,
    name,
    access: 'r',
    per: 'device',
    meaning,
    read,
    readFact: (t, value) => ({ kind: 'identity-read', device: t.core.name, register: name, value }),
  };
}

type SetupField = Extract<RegisterFact, { kind: 'queue-setup' }>['field'];

function queueSetup(
  offset: number,
  field: SetupField,
  meaning: string,
  write: (t: MmioTarget, value: number) => void,
): MmioRegister {
  return {
    ...common,
    offset,
    name: field,
    access: 'w',
    per: 'queue',
    meaning,
    write,
    writeFact: ({ core, selectors: { queueSel } }, value) => ({
      kind: 'queue-setup',
      device: core.name,
      queue: queueSel,
      field,
      value,
      ready: core.queueReady(queueSel),
    }),
  };
}

function queueAddress(
  offset: number,
  field: SetupField,
  area: keyof QueueAreas,
  half: 'low' | 'high',
  what: string,
): MmioRegister {
  const meaning = `address of the ${what}, ${half === 'low' ? 'lower' : 'upper'} 32 bits`;
  return queueSetup(offset, field, meaning, ({ core, selectors }, value) =>
    core.queues.writeAddress(selectors.queueSel, area, half, value),
  );
}

function sharedMemory(
  offset: number,
  name: string,
  meaning: string,
  value: (region: SharedRegion) => number,
): MmioRegister {
  return {
    ...common,
    offset,
    name,
    access: 'r',
    per: 'device',
    meaning,
    // Length and base of a region that does not exist are all ones.
    read: ({ core, selectors }) => {
      const region = core.sharedMemory.find(({ id }) => id === selectors.shmSel);
      return region === undefined ? allOnes : value(region);
    },
    readFact: ({ core }) => ({ kind: 'shared-memory-access', device: core.name, register: name }),
  };
}

export const mmioRegisters: readonly MmioRegister[] = [
  identity(0x000, 'MagicValue', 'says that this is a virtio device', () => mmioMagic),
  identity(0x004, 'Version', 'version of the register layout', () => mmioVersion),
  identity(0x008, 'DeviceID', 'kind of device, 0 for an empty slot', ({ core }) => core.device.deviceId),
  identity(0x00c, 'VendorID', 'who made the device', () => mmioVendor),
  {
    ...common,
    offset: 0x010,
    name: 'DeviceFeatures',
    access: 'r',
    per: 'device',
    meaning: 'the selected 32 offered feature bits',
    read: ({ core, selectors }) => core.offeredWindow(selectors.deviceFeaturesSel),
    readFact: ({ core, selectors }, value) => ({
      kind: 'device-features-read',
      device: core.name,
      window: selectors.deviceFeaturesSel,
      selected: selectors.deviceFeaturesSelected,
      value,
    }),
  },
  {
    ...common,
    offset: 0x014,
    name: 'DeviceFeaturesSel',
    access: 'w',
    per: 'device',
    meaning: 'selects which 32 offered bits DeviceFeatures shows',
    write: ({ selectors }, value) => {
      selectors.deviceFeaturesSel = value;
      selectors.deviceFeaturesSelected = true;
    },
    writeFact: ({ core }, value) => ({ kind: 'device-features-select', device: core.name, value }),
  },
  {
    ...common,
    offset: 0x020,
    name: 'DriverFeatures',
    access: 'w',
    per: 'device',
    meaning: 'the selected 32 accepted feature bits',
    write: ({ core, selectors }, value) => core.acceptWindow(selectors.driverFeaturesSel, value),
    writeFact: ({ core, selectors }, value) => ({
      kind: 'driver-features-write',
      device: core.name,
      window: selectors.driverFeaturesSel,
      selected: selectors.driverFeaturesSelected,
      value,
      acceptedBefore: core.acceptedFeatures,
      acceptedAfter: core.acceptedAfter(selectors.driverFeaturesSel, value),
    }),
  },
  {
    ...common,
    offset: 0x024,
    name: 'DriverFeaturesSel',
    access: 'w',
    per: 'device',
    meaning: 'selects which 32 accepted bits DriverFeatures sets',
    write: ({ selectors }, value) => {
      selectors.driverFeaturesSel = value;
      selectors.driverFeaturesSelected = true;
    },
    writeFact: ({ core }, value) => ({ kind: 'driver-features-select', device: core.name, value }),
  },
  {
    ...common,
    offset: 0x030,
    name: 'QueueSel',
    access: 'w',
    per: 'device',
    meaning: 'selects the queue that the queue registers act on',
    write: ({ selectors }, value) => {
      selectors.queueSel = value;
    },
    writeFact: ({ core }, value) => ({ kind: 'queue-select', device: core.name, value }),
  },
  {
    ...common,
    offset: 0x034,
    name: 'QueueSizeMax',
    access: 'r',
    per: 'queue',
    meaning: 'largest size of the queue, 0 when there is none',
    read: ({ core, selectors }) => core.queues.get(selectors.queueSel)?.maximumSize ?? 0,
    readFact: ({ core, selectors: { queueSel: queue } }, value) => ({
      kind: 'queue-size-max-read',
      device: core.name,
      queue,
      value,
    }),
  },
  queueSetup(0x038, 'QueueSize', 'size of the queue that the driver will use', ({ core, selectors }, value) =>
    core.queues.writeSize(selectors.queueSel, value),
  ),
  {
    ...common,
    offset: 0x044,
    name: 'QueueReady',
    access: 'rw',
    per: 'queue',
    meaning: '1: the device may use the queue',
    read: ({ core, selectors }) => (core.queueReady(selectors.queueSel) ? 1 : 0),
    write: ({ core, selectors }, value) => core.queues.writeReady(selectors.queueSel, value),
    readFact: ({ core, selectors: { queueSel: queue } }, value) => ({
      kind: 'queue-ready-read',
      device: core.name,
      queue,
      value,
    }),
    writeFact: ({ core, selectors: { queueSel: queue } }, value) => ({
      kind: 'queue-ready-write',
      device: core.name,
      queue,
      before: core.queueReady(queue) ? 1 : 0,
      value,
      after: core.queues.readyAfter(queue, value),
    }),
  },
  {
    ...common,
    offset: 0x050,
    name: 'QueueNotify',
    access: 'w',
    per: 'device',
    meaning: 'tells the device that a queue has new buffers',
    write: ({ core }, value) => core.notify(core.decodeNotification(value).queue),
    writeFact: ({ core }, value) => {
      const { queue, data } = core.decodeNotification(value);
      const exists = queue < core.queues.count;
      return { kind: 'notify', device: core.name, queue, value, exists, ...(data !== undefined && { data }) };
    },
  },
  {
    ...common,
    offset: 0x060,
    name: 'InterruptStatus',
    access: 'r',
    per: 'device',
    meaning: 'why the device interrupts',
    read: ({ core }) => core.interruptStatus,
    readFact: ({ core }, value) => ({ kind: 'interrupt-status-read', device: core.name, value }),
  },
  {
    ...common,
    offset: 0x064,
    name: 'InterruptACK',
    access: 'w',
    per: 'device',
    meaning: 'clears the reasons that were handled',
    write: ({ core }, value) => core.acknowledge(value),
    writeFact: ({ core }, value) => ({
      kind: 'interrupt-acknowledge',
      device: core.name,
      value,
      before: core.interruptStatus,
      after: core.interruptStatus & ~value,
    }),
  },
  {
    ...common,
    offset: 0x070,
    name: 'Status',
    access: 'rw',
    per: 'device',
    meaning: 'how far initialization is; writing 0 resets the device',
    read: ({ core }) => core.status,
    write: ({ core, selectors }, value) => {
      core.writeStatus(value);
      if (value === 0) Object.assign(selectors, freshSelectors());
    },
    readFact: ({ core }, value) => ({ kind: 'status-read', device: core.name, value }),
    writeFact: ({ core }, value) => ({
      kind: 'status-write',
      device: core.name,
      before: core.status,
      value,
      after: core.statusAfter(value),
    }),
  },
  queueAddress(0x080, 'QueueDescLow', 'descriptor', 'low', 'descriptor area'),
  queueAddress(0x084, 'QueueDescHigh', 'descriptor', 'high', 'descriptor area'),
  queueAddress(0x090, 'QueueDriverLow', 'available', 'low', 'driver area'),
  queueAddress(0x094, 'QueueDriverHigh', 'available', 'high', 'driver area'),
  queueAddress(0x0a0, 'QueueDeviceLow', 'used', 'low', 'device area'),
  queueAddress(0x0a4, 'QueueDeviceHigh', 'used', 'high', 'device area'),
  {
    ...common,
    offset: 0x0ac,
    name: 'SHMSel',
    access: 'w',
    per: 'device',
    meaning: 'selects a shared memory region',
    write: ({ selectors }, value) => {
      selectors.shmSel = value;
    },
    writeFact: ({ core }) => ({ kind: 'shared-memory-access', device: core.name, register: 'SHMSel' }),
  },
  sharedMemory(0x0b0, 'SHMLenLow', 'length of the shared memory region, lower 32 bits', (region) => region.sizeBytes),
  sharedMemory(0x0b4, 'SHMLenHigh', 'length of the shared memory region, upper 32 bits', () => 0),
  sharedMemory(0x0b8, 'SHMBaseLow', 'address of the shared memory region, lower 32 bits', (region) => region.base),
  sharedMemory(0x0bc, 'SHMBaseHigh', 'address of the shared memory region, upper 32 bits', () => 0),
  {
    ...common,
    offset: 0x0c0,
    name: 'QueueReset',
    access: 'rw',
    per: 'queue',
    meaning: 'resets the queue, with VIRTIO_F_RING_RESET',
    read: ({ core, selectors }) => (core.queueResetting(selectors.queueSel) ? 1 : 0),
    write: ({ core, selectors }, value) => core.resetQueue(selectors.queueSel, value),
    readFact: ({ core, selectors }, value) => ({
      kind: 'queue-reset-read',
      device: core.name,
      queue: selectors.queueSel,
      value,
    }),
    writeFact: ({ core, selectors }, value) => ({
      kind: 'queue-reset-write',
      device: core.name,
      queue: selectors.queueSel,
      value,
    }),
  },
  {
    ...common,
    offset: 0x0fc,
    name: 'ConfigGeneration',
    access: 'r',
    per: 'device',
    meaning: 'changes when the configuration space does',
    read: ({ core }) => core.configGeneration,
    readFact: ({ core }, value) => ({ kind: 'config-generation-read', device: core.name, value }),
  },
];

export function freshSelectors(): MmioSelectors {
  return {
    deviceFeaturesSel: 0,
    deviceFeaturesSelected: false,
    driverFeaturesSel: 0,
    driverFeaturesSelected: false,
    queueSel: 0,
    shmSel: 0,
  };
}

export type MmioDefect = 'no-register' | 'width' | 'read-only' | 'write-only';

/** A version of the register layout. */
export interface MmioLayout {
  readonly registers: readonly MmioRegister[];
  /** The register that an access below `mmioConfigOffset` touches first, and why it is not served as meant. */
  decode(
    offset: number,
    size: number,
    kind: 'read' | 'write',
  ): { readonly register: MmioRegister | undefined; readonly defect: MmioDefect | undefined };
}

export function mmioLayout(registers: readonly MmioRegister[]): MmioLayout {
  const byWord = new Map(registers.map((register) => [register.offset >> 2, register]));
  return {
    registers,
    decode: (offset, size, kind) => {
      const register = byWord.get(offset >> 2);
      if (register === undefined) return { register, defect: 'no-register' };
      if (size !== 4 || offset !== register.offset) return { register, defect: 'width' };
      if (kind === 'read' && register.access === 'w') return { register, defect: 'write-only' };
      if (kind === 'write' && register.access === 'r') return { register, defect: 'read-only' };
      return { register, defect: undefined };
    },
  };
}

/** Version 2. */
export const mmioCurrentLayout: MmioLayout = mmioLayout(mmioRegisters);
