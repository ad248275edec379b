// Watches administration virtqueues: commands that the device has, lists of commands, capabilities and resource objects, as far as the
// driver has been told that they are in force. [virtio 1.4, 2.12, 2.13]
import type { GuestMemory } from '../../bus/memory';
import type { Chain, VirtioEvent } from '../../record/events';
import { isReadable, readOut } from '../rules/chain-bytes';
import type { DriverEvent } from '../rules/rule';
import {
  type AdminCommand,
  adminAnswerBytes,
  adminOpcode,
  adminStatus,
  bitmapOf,
  le,
  readAdminCommand,
  readResourceCommand,
} from '../spec/administration';
import { feature, hasFeature } from '../spec/feature';
import type { DeviceState } from './state';

/** A command between publish and used entry. */
export interface OutstandingCommand {
  readonly event: DriverEvent;
  readonly chain: Chain;
  readonly opcode: number;
  readonly group: number;
  /** command_specific_data. */
  readonly data: readonly number[];
}

export interface WatchedObject {
  readonly type: number;
  readonly id: number;
  readonly own: readonly number[];
}

/** Plain data; starts anew with each lap. */
export interface AdministrationState {
  /** Opcodes as bits, by group type: what LIST_QUERY said, and what a successful LIST_USE named. */
  reported: Map<number, bigint>;
  used: Map<number, bigint>;
  /** In the order of publishing, by queue and head. */
  outstanding: Map<string, OutstandingCommand>;
  /** cap_specific_data by capability: what DEVICE_CAP_GET said, and what DRIVER_CAP_SET put in force. */
  deviceCapabilities: Map<number, readonly number[]>;
  driverCapabilities: Map<number, readonly number[]>;
  /** By type and id. */
  objects: Map<string, WatchedObject>;
  destroyed: Set<string>;
}

export function freshAdministration(): AdministrationState {
  return {
    reported: new Map(),
    used: new Map(),
    outstanding: new Map(),
    deviceCapabilities: new Map(),
    driverCapabilities: new Map(),
    objects: new Map(),
    destroyed: new Set(),
  };
}

export const objectKey = (type: number, id: number): string => `${type}:${id}`;

interface Subject {
  readonly features: { readonly accepted: bigint };
  readonly description: { readonly queueMaximumSizes: readonly number[]; readonly administrationQueues: number };
}
export function isAdministrationQueue({ features, description }: Subject, queue: number): boolean {
  const { queueMaximumSizes, administrationQueues } = description;
  return hasFeature(features.accepted, feature.ADMIN_VQ) && queue >= queueMaximumSizes.length - administrationQueues;
}

/** The command that a chain holds, as it stands in memory. */
export function commandIn(chain: Chain, memory: GuestMemory): AdminCommand {
  return readAdminCommand(readOut(chain, memory));
}

export function watchAdministration(state: DeviceState, event: VirtioEvent, memory: GuestMemory): void {
  if (!('queue' in event) || event.queue === undefined || !isAdministrationQueue(state, event.queue)) return;
  const { outstanding } = state.administration;
  if (event.kind === 'publish') {
    for (const chain of event.chains.filter(isReadable)) {
      const { opcode, group, data } = commandIn(chain, memory);
      outstanding.set(`${event.queue}:${chain.head}`, { event, chain, opcode, group, data: [...data] });
    }
  } else if (event.kind === 'used') {
    // With VIRTIO_F_IN_ORDER one entry stands for the oldest commands of the queue.
    const own = [...outstanding.keys()].filter((key) => key.startsWith(`${event.queue}:`));
    const done = event.batch === undefined ? [`${event.queue}:${event.head}`] : own.slice(0, event.batch);
    for (const key of done) {
      const command = outstanding.get(key);
      outstanding.delete(key);
      if (command !== undefined) complete(state.administration, command, answerOf(command, memory));
    }
  }
}

/** The device-writable part, as far as the driver gave one. */
function answerOf({ chain }: OutstandingCommand, memory: GuestMemory): Uint8Array {
  return readOut(chain, memory, true);
}

function complete(state: AdministrationState, command: OutstandingCommand, answer: Uint8Array): void {
  if (answer.length < 2 || le(answer, 0, 2) !== adminStatus.OK) return;
  const result = answer.slice(adminAnswerBytes);
  const data = Uint8Array.from(command.data);
  const capability = le(data, 0, 2);
  const { type, id, own } = readResourceCommand(data);
  const key = objectKey(type, id);
  switch (command.opcode) {
    case adminOpcode.LIST_QUERY:
      state.reported.set(command.group, bitmapOf(result));
      return;
    case adminOpcode.LIST_USE:
      state.used.set(command.group, bitmapOf(data));
      return;
    case adminOpcode.DEVICE_CAP_GET:
      state.deviceCapabilities.set(capability, [...result]);
      return;
    case adminOpcode.DRIVER_CAP_SET:
      state.driverCapabilities.set(capability, [...data.slice(8)]);
      return;
    case adminOpcode.RESOURCE_OBJ_CREATE:
    case adminOpcode.RESOURCE_OBJ_MODIFY:
      state.objects.set(key, { type, id, own: [...own] });
      state.destroyed.delete(key);
      return;
    case adminOpcode.RESOURCE_OBJ_DESTROY:
      if (state.objects.delete(key)) state.destroyed.add(key);
      return;
    default:
  }
}
