// The common configuration structure of a virtio-pci device: one row for each field, with the effects that the mmio table gives the same
// register. [virtio 1.4, 4.1.4.3]
import type { RegisterFact } from '../../record/events';
import type { QueueAreas } from '../queue/ring';
import { type MmioDefect, type MmioRegister, mmioRegisters, type MmioTarget } from './mmio-registers';

/** "No vector". [4.1.5.1.2] */
export const noVector = 0xffff;

/** What the fields act on. */
export interface PciTarget extends MmioTarget {
  /** Vectors of MSI-X; 0 without the capability. */
  readonly vectorCount: number;
  /** NO_VECTOR where nothing is mapped. `undefined` stands for configuration changes. */
  vectorOf(queue: number | undefined): number;
  mapVector(queue: number | undefined, vector: number): void;
  /** queue_notify_off of a queue. */
  notifyOff(queue: number): number;
  /** queue_notif_config_data of a queue: its index where VIRTIO_F_NOTIF_CONFIG_DATA is not negotiated. */
  notifConfigData(queue: number): number;
}

export interface PciRegister {
  /** Bytes from the start of the structure. */
  readonly offset: number;
  readonly name: string;
  /** Bits. */
  readonly width: 8 | 16 | 32;
  readonly access: 'r' | 'w' | 'rw';
  readonly section: string;
  readonly per: 'device' | 'queue';
  readonly meaning: string;
  readonly read: (t: PciTarget) => number;
  readonly write?: (t: PciTarget, value: number) => void;
  readonly readFact?: (t: PciTarget, value: number) => RegisterFact;
  readonly writeFact?: (t: PciTarget, value: number) => RegisterFact;
}

const section = '4.1.4.3';

type Place = Pick<PciRegister, 'offset' | 'name' | 'width'>;

/** The mmio register of that name. */
export function mmioRow(name: string): MmioRegister {
  const row = mmioRegisters.find((register) => register.name === name);
  if (row === undefined) throw new RangeError(`the mmio table has no register ${name}`);
  return row;
}

/** A field with the effects of one mmio register for reading and one for writing. */
export function fieldOf(
  place: Place,
  from: { readonly read?: string; readonly write?: string },
  change: Partial<PciRegister> = {},
): PciRegister {
  const reader = from.read === undefined ? undefined : mmioRow(from.read);
  const writer = from.write === undefined ? undefined : mmioRow(from.write);
  const { per = 'device', meaning = '' } = writer ?? reader ?? {};
  const readable = reader?.read !== undefined || change.read !== undefined;
  return {
    ...place,
    section,
    access: writer === undefined ? 'r' : readable ? 'rw' : 'w',
    per,
    meaning,
    read: reader?.read ?? (() => 0),
    ...(reader?.readFact !== undefined && { readFact: reader.readFact }),
    ...(writer?.write !== undefined && { write: writer.write }),
    ...(writer?.writeFact !== undefined && { writeFact: writer.writeFact }),
    ...change,
  };
}

/** The vector of the selected queue, or of configuration changes. */
export function vectorField(place: Place, per: 'device' | 'queue'): PciRegister {
  const queueOf = (t: PciTarget): number | undefined => (per === 'queue' ? t.selectors.queueSel : undefined);
  return {
    ...place,
    section,
    access: 'rw',
    per,
    meaning: per === 'queue' ? 'MSI-X vector of the queue' : 'MSI-X vector of configuration changes',
    read: (t) => t.vectorOf(queueOf(t)),
    write: (t, value) => t.mapVector(queueOf(t), value),
    readFact: (t, value) => ({ kind: 'vector-read', device: t.core.name, queue: queueOf(t), value }),
    writeFact: (t, value) => ({
      kind: 'vector-write',
      device: t.core.name,
      queue: queueOf(t),
      value,
      after:
        value < t.vectorCount && (per === 'device' || t.selectors.queueSel < t.core.queues.count) ? value : noVector,
      vectors: t.vectorCount,
    }),
  };
}

function address(
  offset: number,
  name: string,
  area: keyof QueueAreas,
  half: 'low' | 'high',
  write: string,
): PciRegister {
  const shift = half === 'low' ? 0n : 32n;
  return fieldOf(
    { offset, name: `${name}_${half === 'low' ? 'lo' : 'hi'}`, width: 32 },
    { write },
    {
      read: ({ core, selectors }) =>
        Number(((core.queues.get(selectors.queueSel)?.areas[area] ?? 0n) >> shift) & 0xffff_ffffn),
    },
  );
}

const ready = mmioRow('QueueReady');

export const pciCommonRegisters: readonly PciRegister[] = [
  fieldOf(
    { offset: 0, name: 'device_feature_select', width: 32 },
    { write: 'DeviceFeaturesSel' },
    {
      read: ({ selectors }) => selectors.deviceFeaturesSel,
    },
  ),
  fieldOf({ offset: 4, name: 'device_feature', width: 32 }, { read: 'DeviceFeatures' }),
  fieldOf(
    { offset: 8, name: 'driver_feature_select', width: 32 },
    { write: 'DriverFeaturesSel' },
    {
      read: ({ selectors }) => selectors.driverFeaturesSel,
    },
  ),
  fieldOf(
    { offset: 12, name: 'driver_feature', width: 32 },
    { write: 'DriverFeatures' },
    {
      read: ({ core, selectors }) =>
        selectors.driverFeaturesSel < 4
          ? Number((core.acceptedFeatures >> BigInt(selectors.driverFeaturesSel * 32)) & 0xffff_ffffn)
          : 0,
    },
  ),
  vectorField({ offset: 16, name: 'config_msix_vector', width: 16 }, 'device'),
  {
    offset: 18,
    name: 'num_queues',
    width: 16,
    section,
    access: 'r',
    per: 'device',
    meaning: 'how many queues the device has, administration virtqueues left out',
    read: ({ core }) => core.ordinaryQueues,
  },
  fieldOf({ offset: 20, name: 'device_status', width: 8 }, { read: 'Status', write: 'Status' }),
  fieldOf(
    { offset: 21, name: 'config_generation', width: 8 },
    { read: 'ConfigGeneration' },
    {
      read: ({ core }) => core.configGeneration & 0xff,
    },
  ),
  fieldOf(
    { offset: 22, name: 'queue_select', width: 16 },
    { write: 'QueueSel' },
    {
      read: ({ selectors }) => selectors.queueSel,
    },
  ),
  fieldOf(
    { offset: 24, name: 'queue_size', width: 16 },
    { read: 'QueueSizeMax', write: 'QueueSize' },
    {
      // After a reset it shows the largest size. [4.1.4.3.1]
      read: ({ core, selectors }) => core.queues.get(selectors.queueSel)?.size ?? 0,
    },
  ),
  vectorField({ offset: 26, name: 'queue_msix_vector', width: 16 }, 'queue'),
  fieldOf(
    { offset: 28, name: 'queue_enable', width: 16 },
    { read: 'QueueReady', write: 'QueueReady' },
    {
      // Only 1 does something: on PCI a queue is stopped by a reset only.
      write: (t, value) => {
        if (value === 1) ready.write?.(t, value);
        else
          t.core.driverError(
            'register-write',
            `queue_enable of queue ${t.selectors.queueSel} was written with ${value}`,
          );
      },
      writeFact: ({ core, selectors: { queueSel: queue } }, value) => {
        const before = core.queueReady(queue) ? 1 : 0;
        const after = value === 1 ? core.queues.readyAfter(queue, value) : before;
        return { kind: 'queue-ready-write', device: core.name, queue, before, value, after };
      },
    },
  ),
  {
    offset: 30,
    name: 'queue_notify_off',
    width: 16,
    section,
    access: 'r',
    per: 'queue',
    meaning: 'where the queue is notified, in units of notify_off_multiplier',
    read: (t) => t.notifyOff(t.selectors.queueSel),
  },
  address(32, 'queue_desc', 'descriptor', 'low', 'QueueDescLow'),
  address(36, 'queue_desc', 'descriptor', 'high', 'QueueDescHigh'),
  address(40, 'queue_driver', 'available', 'low', 'QueueDriverLow'),
  address(44, 'queue_driver', 'available', 'high', 'QueueDriverHigh'),
  address(48, 'queue_device', 'used', 'low', 'QueueDeviceLow'),
  address(52, 'queue_device', 'used', 'high', 'QueueDeviceHigh'),
  {
    offset: 56,
    name: 'queue_notif_config_data',
    width: 16,
    section,
    access: 'r',
    per: 'queue',
    meaning: 'value to notify the queue with, with VIRTIO_F_NOTIF_CONFIG_DATA',
    read: (t) => t.notifConfigData(t.selectors.queueSel),
  },
  fieldOf({ offset: 58, name: 'queue_reset', width: 16 }, { read: 'QueueReset', write: 'QueueReset' }),
  {
    offset: 60,
    name: 'admin_queue_index',
    width: 16,
    section,
    access: 'r',
    per: 'device',
    meaning: 'index of the first administration virtqueue, with VIRTIO_F_ADMIN_VQ',
    read: ({ core }) => (core.queues.count > core.ordinaryQueues ? core.ordinaryQueues : 0),
  },
  {
    offset: 62,
    name: 'admin_queue_num',
    width: 16,
    section,
    access: 'r',
    per: 'device',
    meaning: 'how many administration virtqueues there are, with VIRTIO_F_ADMIN_VQ',
    read: ({ core }) => core.queues.count - core.ordinaryQueues,
  },
];

/** Bytes of the structure. */
export const pciCommonBytes = 64;

/** The field that an access touches first, and why it is not served as meant. */
export function decodeField(
  registers: readonly PciRegister[],
  offset: number,
  size: number,
  kind: 'read' | 'write',
): { readonly register: PciRegister | undefined; readonly defect: MmioDefect | undefined } {
  const register = registers.find((row) => offset >= row.offset && offset < row.offset + row.width / 8);
  if (register === undefined) return { register, defect: 'no-register' };
  if (size * 8 !== register.width || offset !== register.offset) return { register, defect: 'width' };
  if (kind === 'read' && register.access === 'w') return { register, defect: 'write-only' };
  if (kind === 'write' && register.access === 'r') return { register, defect: 'read-only' };
  return { register, defect: undefined };
}
