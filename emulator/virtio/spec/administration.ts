// Group administration commands: opcodes, statuses, layouts, and which resource objects a type of device has. [virtio 1.4, 2.12, 2.13]
import { deviceId } from './device-id';
import { flowFilterResources } from './net-flow-filter';

/** Group types. The self group holds the device itself, as member 0. [2.12] */
export const groupType = { SELF: 0, SR_IOV: 1 } as const;

/** The table of opcodes and the descriptions of the commands disagree about MODIFY and QUERY; these are of the descriptions. [2.12.1.3] */
export const adminOpcode = {
  LIST_QUERY: 0x0,
  LIST_USE: 0x1,
  CAP_ID_LIST_QUERY: 0x7,
  DEVICE_CAP_GET: 0x8,
  DRIVER_CAP_SET: 0x9,
  RESOURCE_OBJ_CREATE: 0xa,
  RESOURCE_OBJ_MODIFY: 0xb,
  RESOURCE_OBJ_QUERY: 0xc,
  RESOURCE_OBJ_DESTROY: 0xd,
} as const;

/** Commands of the self group that this product knows. */
export interface AdminCommandRow {
  readonly opcode: number;
  readonly name: string;
  /** Bytes of command_specific_data up to what varies; 0 where the command has none. */
  readonly dataBytes: number;
}
export const adminCommands: readonly AdminCommandRow[] = [
  { opcode: adminOpcode.LIST_QUERY, name: 'VIRTIO_ADMIN_CMD_LIST_QUERY', dataBytes: 0 },
  { opcode: adminOpcode.LIST_USE, name: 'VIRTIO_ADMIN_CMD_LIST_USE', dataBytes: 8 },
  { opcode: adminOpcode.CAP_ID_LIST_QUERY, name: 'VIRTIO_ADMIN_CMD_CAP_ID_LIST_QUERY', dataBytes: 0 },
  { opcode: adminOpcode.DEVICE_CAP_GET, name: 'VIRTIO_ADMIN_CMD_DEVICE_CAP_GET', dataBytes: 8 },
  { opcode: adminOpcode.DRIVER_CAP_SET, name: 'VIRTIO_ADMIN_CMD_DRIVER_CAP_SET', dataBytes: 8 },
  { opcode: adminOpcode.RESOURCE_OBJ_CREATE, name: 'VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CREATE', dataBytes: 16 },
  { opcode: adminOpcode.RESOURCE_OBJ_MODIFY, name: 'VIRTIO_ADMIN_CMD_RESOURCE_OBJ_MODIFY', dataBytes: 16 },
  { opcode: adminOpcode.RESOURCE_OBJ_QUERY, name: 'VIRTIO_ADMIN_CMD_RESOURCE_OBJ_QUERY', dataBytes: 16 },
  { opcode: adminOpcode.RESOURCE_OBJ_DESTROY, name: 'VIRTIO_ADMIN_CMD_RESOURCE_OBJ_DESTROY', dataBytes: 8 },
];

/** The numbers are those of Linux errors. EEXIST is demanded for a second object, though it stands in no table. [2.12.1, 2.12.1.3.5] */
export const adminStatus = {
  OK: 0,
  ENXIO: 6,
  EAGAIN: 11,
  ENOMEM: 12,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  ENOSPC: 28,
} as const;
export type AdminStatusName = keyof typeof adminStatus;

export const adminQualifier = {
  OK: 0,
  INVALID_COMMAND: 1,
  INVALID_OPCODE: 2,
  INVALID_FIELD: 3,
  INVALID_GROUP: 4,
  INVALID_MEMBER: 5,
  NORESOURCE: 6,
  TRYAGAIN: 7,
} as const;
export type AdminQualifierName = keyof typeof adminQualifier;

/** struct virtio_admin_cmd: opcode, group_type, 12 reserved bytes, group_member_id; then status, status_qualifier, 4 reserved bytes. */
export const adminHeaderBytes = 24;
export const adminAnswerBytes = 8;
const memberOffset = 16;

export interface AdminCommand {
  readonly opcode: number;
  readonly group: number;
  readonly member: bigint;
  /** command_specific_data, as far as the driver gave it. */
  readonly data: Uint8Array;
}

/** What is missing reads as 0. [2.13.1] */
export function readAdminCommand(bytes: Uint8Array): AdminCommand {
  return {
    opcode: le(bytes, 0, 2),
    group: le(bytes, 2, 2),
    member: le64(bytes, memberOffset),
    data: bytes.slice(adminHeaderBytes),
  };
}

/** For people. */
export function adminCommandName(opcode: number): string {
  return adminCommands.find((row) => row.opcode === opcode)?.name ?? `command 0x${opcode.toString(16)}`;
}
export function adminStatusText(value: number): string {
  const name = Object.entries(adminStatus).find(([, number]) => number === value)?.[0];
  return name === undefined ? `status ${value}` : `VIRTIO_ADMIN_STATUS_${name}`;
}

/** A number of up to 4 bytes, least significant byte first; missing bytes are 0. */
export function le(bytes: Uint8Array, at: number, size: 1 | 2 | 4): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
function le64(bytes: Uint8Array, at: number): bigint {
  return BigInt(le(bytes, at, 4)) | (BigInt(le(bytes, at + 4, 4)) << 32n);
}
/** Bytes as watchers keep them. */
export function bytesOf(values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}
/** A set of numbers as an array of 64-bit words. */
export function bitmapOf(bytes: Uint8Array): bigint {
  return bytes.reduceRight((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
}

/** A reference from one object to another: at this byte of its own data stands the other's id, 32 bits. */
export interface ObjectReference {
  readonly type: number;
  readonly at: number;
}

/** A type of resource object. [2.12.1.3] */
export interface ResourceType {
  readonly type: number;
  readonly name: string;
  /** Capabilities that the driver sets before it uses such objects; the first holds the limit of their number. */
  readonly capabilities: readonly number[];
  /** Byte of the 32-bit limit in that capability. */
  readonly limitAt: number;
  readonly references: readonly ObjectReference[];
}

const resourceTypes: Readonly<Record<number, readonly ResourceType[]>> = { [deviceId.net]: flowFilterResources };

/** Types of resource objects that a type of device has. */
export function resourceTypesOf(device: number): readonly ResourceType[] {
  return resourceTypes[device] ?? [];
}

/** struct virtio_admin_cmd_resource_obj_cmd_hdr, flags where the command has them, and the object's own data. */
export interface ResourceCommand {
  readonly type: number;
  readonly id: number;
  readonly own: Uint8Array;
}
export function readResourceCommand(data: Uint8Array): ResourceCommand {
  return { type: le(data, 0, 2), id: le(data, 4, 4), own: data.slice(16) };
}
