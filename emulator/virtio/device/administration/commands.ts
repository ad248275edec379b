// The group administration commands of the self group: what each does, and with which status and qualifier it ends. [virtio 1.4, 2.12.1]
// Guarantees: a command that fails changes nothing; opcode, group and member are judged in the demanded order.
import {
  type AdminCommand,
  adminCommandName,
  adminOpcode,
  adminQualifier,
  type AdminQualifierName,
  adminStatus,
  type AdminStatusName,
  bitmapOf,
  groupType,
  le,
  readResourceCommand,
  type ResourceType,
} from '../../spec/administration';

/** What a device can do, as its driver asks for it. */
export interface DeviceCapability {
  readonly id: number;
  /** cap_specific_data. */
  readonly bytes: Uint8Array;
  /** Why the driver cannot set this; undefined when it can. */
  problem(set: Uint8Array): string | undefined;
}

/** What a device model brings to its administration queue. */
export interface Administration {
  readonly capabilities: readonly DeviceCapability[];
  readonly resources: readonly ResourceType[];
  /** Why an object cannot be created, or changed, with this data; undefined when it can. */
  problem(type: number, own: Uint8Array, state: AdminState): string | undefined;
  /** Objects were created, changed or destroyed. */
  changed(state: AdminState): void;
}

/** An object with its own data. */
export interface ResourceObject {
  readonly type: number;
  readonly id: number;
  readonly own: Uint8Array;
}

/** Plain data; a device reset makes it fresh. */
export interface AdminState {
  /** Opcodes that the driver uses, as bits. */
  readonly used: bigint;
  readonly driverCapabilities: readonly (readonly [id: number, bytes: Uint8Array])[];
  readonly objects: readonly ResourceObject[];
}

export interface AdminAnswer {
  readonly status: AdminStatusName;
  readonly qualifier: AdminQualifierName;
  readonly result: Uint8Array;
  /** Undefined: nothing changed. */
  readonly state?: AdminState;
  /** For people, where it failed. */
  readonly problem?: string;
}

const always = (1n << BigInt(adminOpcode.LIST_QUERY)) | (1n << BigInt(adminOpcode.LIST_USE));

export function freshAdminState(): AdminState {
  return { used: always, driverCapabilities: [], objects: [] };
}

/** Opcodes as bits. A device without capabilities has only the two that list commands. */
export function supportedCommands({ capabilities }: Administration): bigint {
  if (capabilities.length === 0) return always;
  return Object.values(adminOpcode).reduce((bits, opcode) => bits | (1n << BigInt(opcode)), 0n);
}

export function capabilityOf(state: AdminState, id: number): Uint8Array | undefined {
  return state.driverCapabilities.find(([known]) => known === id)?.[1];
}

export function executeAdminCommand(command: AdminCommand, state: AdminState, device: Administration): AdminAnswer {
  const { opcode, group, member, data } = command;
  if (group !== groupType.SELF) return failed('EINVAL', 'INVALID_GROUP', `group type ${group}`);
  const bit = 1n << BigInt(opcode);
  if ((supportedCommands(device) & bit) === 0n) return failed('EINVAL', 'INVALID_OPCODE', 'not supported');
  if ((state.used & bit) === 0n) return failed('EINVAL', 'INVALID_OPCODE', 'not in the list of commands used');
  const usesMember = opcode !== adminOpcode.LIST_QUERY && opcode !== adminOpcode.LIST_USE;
  if (usesMember && member !== 0n) return failed('EINVAL', 'INVALID_MEMBER', `member ${member}`);
  switch (opcode) {
    case adminOpcode.LIST_QUERY:
      return done(wordsOf(supportedCommands(device)));
    case adminOpcode.LIST_USE:
      return useList(data, state, device);
    case adminOpcode.CAP_ID_LIST_QUERY:
      return done(wordsOf(device.capabilities.reduce((bits, { id }) => bits | (1n << BigInt(id)), 0n)));
    case adminOpcode.DEVICE_CAP_GET: {
      const id = le(data, 0, 2);
      const found = device.capabilities.find((one) => one.id === id);
      return found === undefined ? noCapability(id) : done(found.bytes);
    }
    case adminOpcode.DRIVER_CAP_SET:
      return setCapability(data, state, device);
    default:
      return resourceCommand(opcode, data, state, device);
  }
}

const nothing = new Uint8Array(0);
const done = (result: Uint8Array): AdminAnswer => ({ status: 'OK', qualifier: 'OK', result });
const changes = (state: AdminState): AdminAnswer => ({ ...done(nothing), state });
function failed(status: AdminStatusName, qualifier: AdminQualifierName, problem: string): AdminAnswer {
  return { status, qualifier, result: nothing, problem };
}
const noCapability = (id: number): AdminAnswer =>
  failed('ENXIO', 'INVALID_FIELD', `there is no capability 0x${id.toString(16)}`);

function useList(data: Uint8Array, state: AdminState, device: Administration): AdminAnswer {
  const wanted = bitmapOf(data);
  if ((wanted & ~supportedCommands(device)) !== 0n)
    return failed('EINVAL', 'INVALID_FIELD', 'the list holds commands that are not supported');
  return changes({ ...state, used: wanted });
}

function setCapability(data: Uint8Array, state: AdminState, device: Administration): AdminAnswer {
  const id = le(data, 0, 2);
  const found = device.capabilities.find((one) => one.id === id);
  if (found === undefined) return noCapability(id);
  const inUse = device.resources.filter(({ capabilities }) => capabilities.includes(id)).map(({ type }) => type);
  if (state.objects.some(({ type }) => inUse.includes(type)))
    return failed('EBUSY', 'INVALID_COMMAND', 'objects that depend on the capability exist');
  const bytes = found.bytes.map((_, i) => data[8 + i] ?? 0);
  const problem = found.problem(bytes);
  if (problem !== undefined) return failed('EINVAL', 'INVALID_FIELD', problem);
  const others = state.driverCapabilities.filter(([known]) => known !== id);
  return changes({ ...state, driverCapabilities: [...others, [id, bytes]] });
}

function resourceCommand(opcode: number, data: Uint8Array, state: AdminState, device: Administration): AdminAnswer {
  const { type, id, own } = readResourceCommand(data);
  const row = device.resources.find((one) => one.type === type);
  if (row === undefined) return failed('ENXIO', 'INVALID_FIELD', `there are no objects of type 0x${type.toString(16)}`);
  if (row.capabilities.some((capability) => capabilityOf(state, capability) === undefined))
    return failed('EINVAL', 'INVALID_OPCODE', 'the driver has not set the capabilities of such objects');
  const existing = state.objects.find((one) => one.type === type && one.id === id);
  const others = state.objects.filter((one) => one !== existing);
  if (opcode === adminOpcode.RESOURCE_OBJ_CREATE) {
    if (existing !== undefined) return failed('EEXIST', 'INVALID_FIELD', `object ${id} exists`);
    const limit = limitOf(row, state);
    if (id >= limit) return failed('ENOSPC', 'INVALID_FIELD', `object ids end at ${limit - 1}`);
  } else if (existing === undefined) return failed('ENXIO', 'INVALID_FIELD', `there is no object ${id}`);
  if (opcode === adminOpcode.RESOURCE_OBJ_QUERY) return done(existing?.own ?? nothing);
  const isNeeded = others.some((other) => refersTo(other, type, id, device.resources));
  if (opcode !== adminOpcode.RESOURCE_OBJ_CREATE && isNeeded)
    return failed('EBUSY', 'INVALID_COMMAND', `other objects depend on object ${id}`);
  if (opcode === adminOpcode.RESOURCE_OBJ_DESTROY) return changes({ ...state, objects: others });
  const problem = missingReference(row, own, state) ?? device.problem(type, own, { ...state, objects: others });
  if (problem !== undefined) return failed('EINVAL', 'INVALID_FIELD', problem);
  return changes({ ...state, objects: [...others, { type, id, own }] });
}

/** The number of objects of a type that the driver has asked for. */
export function limitOf(row: ResourceType, state: AdminState): number {
  return le(capabilityOf(state, row.capabilities[0] ?? -1) ?? nothing, row.limitAt, 4);
}

function refersTo(object: ResourceObject, type: number, id: number, rows: readonly ResourceType[]): boolean {
  const references = rows.find((row) => row.type === object.type)?.references ?? [];
  return references.some((reference) => reference.type === type && le(object.own, reference.at, 4) === id);
}

function missingReference(row: ResourceType, own: Uint8Array, { objects }: AdminState): string | undefined {
  const missing = row.references.find(
    (reference) => !objects.some(({ type, id }) => type === reference.type && id === le(own, reference.at, 4)),
  );
  return (
    missing &&
    `it refers to object ${le(own, missing.at, 4)} of type 0x${missing.type.toString(16)}, which does not exist`
  );
}

/** A set of numbers as 64-bit words, at least one. */
function wordsOf(bits: bigint): Uint8Array {
  const words = Math.max(1, Math.ceil(bits.toString(2).length / 64));
  return Uint8Array.from({ length: words * 8 }, (_, i) => Number((bits >> BigInt(8 * i)) & 0xffn));
}

/** For the picture of the queue. */
export function answerText({ opcode }: AdminCommand, answer: AdminAnswer): readonly [what: string, status: string] {
  const why = answer.problem === undefined ? '' : `: ${answer.problem}`;
  return [adminCommandName(opcode), `${answer.status}${why}`];
}

/** struct virtio_admin_cmd from status on, padded to whole 64-bit words. */
export function encodeAnswer({ status, qualifier, result }: AdminAnswer): Uint8Array {
  const bytes = new Uint8Array(8 + Math.ceil(result.length / 8) * 8);
  bytes.set([adminStatus[status], 0, adminQualifier[qualifier], 0]);
  bytes.set(result, 8);
  return bytes;
}
