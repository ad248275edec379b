// How a virtio-pci device lays itself out: which structures stand where behind which base address register, and the capabilities that
// say so. Everything that a driver might wrongly take for granted is an option. [virtio 1.4, 4.1.4]
import type { PciCapability, PciIdentity } from '../../board/pci/config-space';
import type { PciBar } from '../../board/pci/contract';
import type { PciCapabilityName, PciOptions } from '../../configuration';
import type { PciStructureName } from '../../record/events';
import { deviceId } from '../spec/device-id';
import { littleEndian } from '../spec/wire-layout';
import { msixEntryBytes } from './msix';
import { pciCommonBytes } from './pci-registers';

/** Capability IDs. */
export const capabilityId = { vendor: 0x09, msix: 0x11 } as const;
/** cfg_type. [4.1.4] */
export const cfgType = {
  common: 1,
  notify: 2,
  isr: 3,
  device: 4,
  'config-access': 5,
  'shared-memory': 8,
  vendor: 9,
} as const;
/** A type and a register that the specification reserves. */
const reserved = { cfgType: 0x7f, bar: 6 } as const;
/** Somebody else's vendor ID, whose data nobody but their driver understands. */
export const foreignVendor = 0x1de4;

/** Where in a capability its fields stand, in bytes from its start. [4.1.4, 4.1.4.8, 4.1.4.9] */
export const capabilityField = { vendorId: 4, bar: 4, offset: 8, length: 12, data: 16 } as const;

/** A structure and where it stands. */
export interface PlacedStructure {
  readonly kind: PciStructureName;
  /** Counts those of one kind, in the order of the capabilities. */
  readonly instance: number;
  readonly bar: number;
  readonly offset: number;
  readonly length: number;
}

export interface PciLayout {
  readonly identity: PciIdentity;
  readonly bars: readonly Omit<PciBar, 'target'>[];
  readonly structures: readonly PlacedStructure[];
  readonly capabilities: readonly PciCapability[];
  readonly notifyOffMultiplier: number;
  notifyOff(queue: number): number;
  /** What a driver notifies a queue with under VIRTIO_F_NOTIF_CONFIG_DATA. */
  notifConfigData(queue: number): number;
  readonly vectors: number;
}

export interface LayoutRequest {
  readonly transport: 'pci' | 'pci-transitional' | 'pci-legacy';
  readonly deviceId: number;
  readonly queues: number;
  /** Bytes of the device-specific configuration; 0 for none. */
  readonly configBytes: number;
  readonly sharedMemory?: readonly { readonly id: number; readonly sizeBytes: number }[];
  readonly options: PciOptions;
}

const virtioVendor = 0x1af4;
/** What QEMU gives to devices of its own. */
const qemuSubsystem = 0x1100;
/** [4.1.2: Transitional PCI Device ID] */
const transitionalIds: Readonly<Record<number, number>> = {
  [deviceId.net]: 0x1000,
  [deviceId.block]: 0x1001,
  [deviceId.console]: 0x1003,
  [deviceId.entropy]: 0x1005,
};
const classCodes: Readonly<Record<number, number>> = {
  [deviceId.net]: 0x02_0000,
  [deviceId.block]: 0x01_0000,
  [deviceId.console]: 0x07_8000,
};
const otherClass = 0x00_ff00;

const defaultOrder: readonly PciCapabilityName[] = ['common', 'isr', 'device', 'notify', 'config-access'];
const structureBytes = 0x1000;
/** Not the queue's index, so that a driver that notifies with that shows. */
const firstNotifConfigData = 0x100;
const ioBarBytes = 0x80;
const msixBar = 1;

/** Throws an Error that says which option cannot be. */
export function layOut({
  transport,
  deviceId: id,
  queues,
  configBytes,
  sharedMemory = [],
  options,
}: LayoutRequest): PciLayout {
  const { bar = 4, barSpace = 'memory64', spacing = structureBytes, firstOffset = 0, msixVectors = 0 } = options;
  const multiplier = options.notifyOffMultiplier ?? 4;
  checkOptions(options, transport, id);
  const notifConfigData = (queue: number): number =>
    options.queueNotifConfigData?.[queue] ?? firstNotifConfigData + queue;
  checkNotifConfigData(Array.from({ length: queues }, (_, queue) => notifConfigData(queue)));
  const notifyOff = (queue: number): number => options.queueNotifyOff?.[queue] ?? queue;
  const furthest = Math.max(0, ...Array.from({ length: queues }, (_, queue) => notifyOff(queue) * multiplier));
  const bytesOf: Readonly<Record<'common' | 'notify' | 'isr' | 'device', number>> = {
    common: pciCommonBytes,
    notify: furthest + 4,
    isr: 1,
    device: configBytes,
  };
  const structures: PlacedStructure[] = [];
  const capabilities: PciCapability[] = [];
  const padding = options.capabilityPadding ?? 0;
  let next = firstOffset;
  const order = orderOf(transport, options, sharedMemory.length > 0);
  const sharedBar = bar === 2 ? 4 : 2;
  let sharedEnd = 0;
  for (const name of order) {
    switch (name) {
      case 'common':
      case 'notify':
      case 'isr':
      case 'device': {
        if (name === 'device' && configBytes === 0) continue;
        const length = Math.max(bytesOf[name], spacing);
        const instance = structures.filter(({ kind }) => kind === name).length;
        structures.push({ kind: name, instance, bar, offset: next, length });
        const extra = name === 'notify' ? littleEndian(multiplier, 4) : new Uint8Array(0);
        capabilities.push(structureCapability(name, cfgType[name], bar, next, length, extra, padding));
        next += (length + 3) & ~3;
        break;
      }
      case 'config-access':
        capabilities.push(windowCapability(padding));
        break;
      case 'shared-memory':
        for (const [instance, { id: shmid, sizeBytes }] of sharedMemory.entries()) {
          structures.push({ kind: name, instance, bar: sharedBar, offset: sharedEnd, length: sizeBytes });
          capabilities.push(sharedMemoryCapability(shmid, sharedBar, sharedEnd, sizeBytes, padding));
          sharedEnd += sizeBytes;
        }
        break;
      case 'vendor':
        capabilities.push(vendorCapability(padding));
        break;
      case 'reserved-type':
        structures.push({ kind: 'reserved', instance: 0, bar, offset: next, length: structureBytes });
        capabilities.push(
          structureCapability(name, reserved.cfgType, bar, next, structureBytes, new Uint8Array(0), padding),
        );
        next += structureBytes;
        break;
      case 'reserved-bar':
        capabilities.push(
          structureCapability(name, cfgType.common, reserved.bar, 0, structureBytes, new Uint8Array(0), padding),
        );
        break;
    }
  }
  const bars: Omit<PciBar, 'target'>[] = [];
  if (transport !== 'pci') {
    bars.push({ index: 0, space: 'io', sizeBytes: ioBarBytes });
    structures.push({ kind: 'legacy', instance: 0, bar: 0, offset: 0, length: ioBarBytes });
  }
  if (msixVectors > 0) {
    const table = msixVectors * msixEntryBytes;
    const pendingOffset = Math.max(0x800, 2 ** Math.ceil(Math.log2(table)));
    const pendingBytes = Math.ceil(msixVectors / 64) * 8;
    const sizeBytes = Math.max(0x1000, 2 ** Math.ceil(Math.log2(pendingOffset + pendingBytes)));
    bars.push({ index: msixBar, space: 'memory32', sizeBytes });
    structures.push({ kind: 'msix-table', instance: 0, bar: msixBar, offset: 0, length: table });
    structures.push({ kind: 'msix-pba', instance: 0, bar: msixBar, offset: pendingOffset, length: pendingBytes });
    // QEMU has it first.
    capabilities.unshift(msixCapability(msixVectors, pendingOffset));
  }
  if (sharedEnd > 0) {
    const sizeBytes = 2 ** Math.ceil(Math.log2(sharedEnd));
    bars.push({ index: sharedBar, space: 'memory64', prefetchable: true, sizeBytes });
  }
  if (next > 0) {
    const sizeBytes = Math.max(0x1000, 2 ** Math.ceil(Math.log2(next)));
    bars.push({ index: bar, space: barSpace, prefetchable: barSpace === 'memory64', sizeBytes });
  }
  return {
    identity: identityOf(transport, id, options.revision),
    bars,
    structures,
    capabilities,
    notifyOffMultiplier: multiplier,
    notifyOff,
    notifConfigData,
    vectors: msixVectors,
  };
}

/** Shared memory comes last unless the list says where. A legacy device has no list. */
function orderOf(
  transport: LayoutRequest['transport'],
  { capabilities = defaultOrder }: PciOptions,
  hasShared: boolean,
): readonly PciCapabilityName[] {
  if (transport === 'pci-legacy') return [];
  return hasShared && !capabilities.includes('shared-memory') ? [...capabilities, 'shared-memory'] : capabilities;
}

function checkOptions(options: PciOptions, transport: LayoutRequest['transport'], id: number): void {
  const { notifyOffMultiplier: multiplier = 4, msixVectors = 0, bar = 4, spacing = 4, firstOffset = 0 } = options;
  const isEvenPower = multiplier >= 2 && Number.isInteger(Math.log2(multiplier));
  if (multiplier !== 0 && !isEvenPower) {
    throw new Error(`pci.notifyOffMultiplier is ${multiplier}, allowed are 0 and even powers of two`);
  }
  if (!Number.isInteger(msixVectors) || msixVectors < 0 || msixVectors > 2048) {
    throw new Error(`pci.msixVectors is ${msixVectors}, allowed are 0 to 2048`);
  }
  if (transport === 'pci-transitional' && bar === 0) {
    throw new Error('pci.bar is 0, where a transitional device has its legacy header; use 2 or 4');
  }
  if (spacing % 4 !== 0 || spacing < 4 || firstOffset % 4 !== 0 || firstOffset < 0) {
    throw new Error('pci.spacing and pci.firstOffset are multiples of 4');
  }
  if (transport !== 'pci' && transitionalIds[id] === undefined) {
    throw new Error(`a device of type ${id} has no transitional PCI Device ID; use transport pci`);
  }
  if (options.capabilities === undefined || transport === 'pci-legacy') return;
  for (const name of ['common', 'notify', 'isr'] as const) {
    if (!options.capabilities.includes(name)) {
      throw new Error(`pci.capabilities lacks ${name}, without which no driver can use the device`);
    }
  }
}

/** Queues that share an address are told apart by it. */
function checkNotifConfigData(values: readonly number[]): void {
  const twice = values.find((value, queue) => values.indexOf(value) !== queue);
  if (twice !== undefined) throw new Error(`pci.queueNotifConfigData gives ${twice} to two queues`);
}

function identityOf(transport: LayoutRequest['transport'], id: number, revision: number | undefined): PciIdentity {
  const isModern = transport === 'pci';
  return {
    vendor: virtioVendor,
    device: isModern ? 0x1040 + id : (transitionalIds[id] ?? 0x1040 + id),
    // Legacy drivers take nothing but 0. [4.1.2.3]
    revision: isModern ? (revision ?? 1) : 0,
    classCode: classCodes[id] ?? otherClass,
    subsystemVendor: virtioVendor,
    subsystem: isModern ? qemuSubsystem : id,
    interruptPin: 1,
  };
}

/** Everything after the capability's id and link. */
function structureCapability(
  name: string,
  type: number,
  bar: number,
  offset: number,
  length: number,
  extra: Uint8Array,
  padding: number,
): PciCapability {
  const body = new Uint8Array(14 + extra.length + padding);
  body.set([2 + body.length, type, bar, 0, 0, 0]);
  body.set(littleEndian(offset, 4), 6);
  body.set(littleEndian(length, 4), 10);
  body.set(extra, 14);
  return { id: capabilityId.vendor, name: `virtio ${name} capability`, body };
}

/** struct virtio_pci_cap64: the upper halves of offset and length follow, and id tells the region. [4.1.4.7] */
function sharedMemoryCapability(
  shmid: number,
  bar: number,
  offset: number,
  length: number,
  padding: number,
): PciCapability {
  const type = cfgType['shared-memory'];
  const whole = structureCapability('shared-memory', type, bar, offset, length, new Uint8Array(8), padding);
  whole.body[3] = shmid;
  return whole;
}

/** Its bar, offset, length and data are the driver's to write. [4.1.4.9] */
function windowCapability(padding: number): PciCapability {
  const data = new Uint8Array(4);
  const whole = structureCapability('config-access', cfgType['config-access'], 0, 0, 0, data, padding);
  const writable = new Uint8Array(whole.body.length);
  writable.fill(0xff, capabilityField.bar - 2, capabilityField.bar - 1);
  writable.fill(0xff, capabilityField.offset - 2, capabilityField.data - 2);
  return { ...whole, writable };
}

/** vendor_id, then four bytes that only that vendor's driver may touch. [4.1.4.8] */
function vendorCapability(padding: number): PciCapability {
  const body = new Uint8Array(8 + padding);
  body.set([2 + body.length, cfgType.vendor]);
  body.set(littleEndian(foreignVendor, 2), 2);
  const writable = new Uint8Array(body.length);
  writable.fill(0xff, 4, 8);
  return { id: capabilityId.vendor, name: 'virtio vendor capability', body, writable };
}

/** Enable and function mask can be written. [PCI Local Bus 3.0, 6.8.2.3] */
function msixCapability(vectors: number, pendingOffset: number): PciCapability {
  const body = new Uint8Array(10);
  body.set(littleEndian(vectors - 1, 2));
  body.set(littleEndian(msixBar, 4), 2);
  body.set(littleEndian(pendingOffset | msixBar, 4), 6);
  const writable = new Uint8Array(10);
  writable[1] = 0xc0;
  return { id: capabilityId.msix, name: 'MSI-X capability', body, writable };
}
