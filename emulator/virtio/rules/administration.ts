// Rules of commands on administration virtqueues, judged as they are published. [virtio 1.4, 2.12.1.6, 2.12.1.2.5, 2.12.1.3.6, 2.13.2]
import type { Chain } from '../../record/events';
import {
  type AdminCommand,
  adminCommandName,
  adminCommands,
  adminHeaderBytes,
  adminOpcode,
  bitmapOf,
  bytesOf,
  le,
  readResourceCommand,
  type ResourceCommand,
  type ResourceType,
  resourceTypesOf,
} from '../spec/administration';
import { bitsOf, feature } from '../spec/feature';
import { flowCapability, flowResourceCap, readSelectors } from '../spec/net-flow-filter';
import { commandIn, isAdministrationQueue, objectKey } from '../watch/administration';
import { elementPlace, type Publish } from './chain-evidence';
import { isReadable, totalOf } from './chain-bytes';
import { hex, seen } from './evidence';
import { type Finding, rule, type Rule, type RuleContext, type RuleTexts } from './rule';

type Texts = Pick<RuleTexts, 'id' | 'title' | 'why' | 'fix' | 'level' | 'covers' | 'section'> &
  Partial<Pick<RuleTexts, 'follows'>>;

/** A command on its way to the device. */
export interface SentAdminCommand {
  readonly command: AdminCommand;
  readonly chain: Chain;
  readonly at: RuleContext;
}

/** A rule about each command: a message, or undefined where it is kept. */
export function adminRule(texts: Texts, judge: (sent: SentAdminCommand) => string | undefined): Rule {
  return rule('administration', {
    blames: 'publish',
    ...texts,
    needs: { feature: feature.ADMIN_VQ, transport: 'pci' },
    on: ['publish'],
    broken: (fact, at) => {
      if (!isAdministrationQueue(at.device, fact.queue)) return false;
      return fact.chains.filter(isReadable).flatMap((chain) => {
        const command = commandIn(chain, at.memory);
        const message = judge({ command, chain, at });
        return message === undefined ? [] : [finding(message, command, chain, fact)];
      });
    },
  });
}

function finding(message: string, { opcode, group, data }: AdminCommand, chain: Chain, fact: Publish): Finding {
  const [first] = chain.elements;
  return {
    message: `Queue ${fact.queue}, chain ${chain.head}: ${message}.`,
    evidence: [
      seen('opcode', `${hex(opcode)} (${adminCommandName(opcode)})`),
      seen('group_type', group),
      seen('data bytes', data.length),
      seen('device-readable bytes', totalOf(chain, false)),
      seen('device-writable bytes', totalOf(chain, true)),
    ],
    place:
      first === undefined
        ? { kind: 'descriptor', queue: fact.queue, index: chain.head }
        : elementPlace(fact.queue, first, 'addr'),
  };
}

const isList = ({ opcode }: AdminCommand): boolean =>
  opcode === adminOpcode.LIST_QUERY || opcode === adminOpcode.LIST_USE;

const resourceOpcodes: readonly number[] = [
  adminOpcode.RESOURCE_OBJ_CREATE,
  adminOpcode.RESOURCE_OBJ_MODIFY,
  adminOpcode.RESOURCE_OBJ_QUERY,
  adminOpcode.RESOURCE_OBJ_DESTROY,
];
/** The object that a command is about, and what is known of its type. */
export function objectOf({
  command: { opcode, data },
  at,
}: SentAdminCommand): (ResourceCommand & { readonly row: ResourceType }) | undefined {
  if (!resourceOpcodes.includes(opcode)) return undefined;
  const object = readResourceCommand(data);
  const row = resourceTypesOf(at.device.description.deviceId).find(({ type }) => type === object.type);
  return row && { ...object, row };
}

const opcodeNames = (bits: bigint): string => bitsOf(bits).map(adminCommandName).join(', ');
const nameOf = ({ row: { name }, id }: { readonly row: ResourceType; readonly id: number }): string => `${name} ${id}`;

/** Objects that depend on this one. */
function dependents(sent: SentAdminCommand, type: number, id: number): readonly string[] {
  const rows = resourceTypesOf(sent.at.device.description.deviceId);
  return [...sent.at.device.administration.objects.values()].flatMap((object) => {
    const row = rows.find((one) => one.type === object.type);
    const refers = row?.references.some((one) => one.type === type && le(bytesOf(object.own), one.at, 4) === id);
    return row !== undefined && refers === true ? [nameOf({ row, id: object.id })] : [];
  });
}

/** What in a capability goes beyond what the device said; undefined where nothing does. */
function excess(capability: number, set: Uint8Array, offered: Uint8Array): string | undefined {
  if (capability === flowCapability.RESOURCE) {
    const { groups, classifiers, rules, rulesPerGroup, lastRulePriority, selectorsPerClassifier } = flowResourceCap;
    const fields = { groups, classifiers, rules, rulesPerGroup, lastRulePriority, selectorsPerClassifier };
    const over = Object.entries(fields).find(([, at]) => {
      const size = at < lastRulePriority ? 4 : 1;
      return le(set, at, size) > le(offered, at, size);
    });
    return over && `the limit of ${over[0]}`;
  }
  if (capability === flowCapability.SELECTOR) {
    const known = readSelectors(offered);
    const over = readSelectors(set).find(({ type, flags }) => {
      const row = known.find((one) => one.type === type);
      return row === undefined || (flags & ~row.flags) !== 0;
    });
    return over && `selector type ${over.type}`;
  }
  const actions = (bytes: Uint8Array): readonly number[] => [...bytes.subarray(8, 8 + (bytes[0] ?? 0))];
  const over = actions(set).find((action) => !actions(offered).includes(action));
  return over === undefined ? undefined : `action ${over}`;
}

const commandSection = '2.12.1.6';
const capabilitySection = '2.12.1.2.5';
const resourceSection = '2.12.1.3.6';

export const administrationRules: readonly Rule[] = [
  adminRule(
    {
      id: 'admin.part-empty',
      title: 'Driver sent an administration command without one of its parts',
      why: 'A command is a device-readable part, which says what to do, and a device-writable one, into which the device writes how it went. Without either the command is not executed, or its outcome is lost.',
      fix: 'Give each command a device-readable part of at least 24 bytes, and behind it a device-writable one of at least 8.',
      level: 'must',
      covers: ['core.adminq.driver.4'],
      section: '2.13.2',
    },
    ({ chain }) => {
      const empty = [false, true].filter((writable) => totalOf(chain, writable) === 0);
      if (empty.length === 0) return undefined;
      return `the ${empty.map((writable) => `device-${writable ? 'writable' : 'readable'}`).join(' and the ')} part is empty`;
    },
  ),
  adminRule(
    {
      id: 'admin.part-length',
      title: 'Driver sent an administration command whose parts are not whole 64-bit words',
      why: 'Devices read and write commands in words of 64 bits. A part that ends within one is cut off, or the device writes beyond it.',
      fix: 'Round the length of both parts up to a multiple of 8 and clear the padding.',
      level: 'must',
      covers: ['core.adminq.driver.3'],
      section: '2.13.2',
    },
    ({ chain }) => {
      const [readable, writable] = [totalOf(chain, false), totalOf(chain, true)];
      if (readable % 8 === 0 && writable % 8 === 0) return undefined;
      return `the parts have ${readable} device-readable and ${writable} device-writable bytes`;
    },
  ),
  adminRule(
    {
      id: 'admin.command-short',
      title: 'Driver sent less of an administration command than its structure has',
      why: 'What is missing counts as zero, so a field that was meant to say something says nothing.',
      fix: 'Send the whole structure of the command, even where it holds zeroes.',
      level: 'should',
      covers: ['core.adminq.driver.2'],
      section: '2.13.2',
      follows: ['admin.part-empty', 'admin.part-length'],
    },
    ({ command, chain }) => {
      const row = adminCommands.find(({ opcode }) => opcode === command.opcode);
      const given = totalOf(chain, false);
      const wanted = adminHeaderBytes + (row?.dataBytes ?? 0);
      if (row === undefined || given === 0 || given >= wanted) return undefined;
      return `${row.name} has ${given} device-readable bytes, its structure has ${wanted}`;
    },
  ),
  adminRule(
    {
      id: 'admin.list-use-missing',
      title: 'Driver sent an administration command before it had said which ones it uses',
      why: 'After a reset a device takes only the two commands about lists. All others fail until VIRTIO_ADMIN_CMD_LIST_USE has named them and come back with VIRTIO_ADMIN_STATUS_OK.',
      fix: 'Send VIRTIO_ADMIN_CMD_LIST_QUERY, then VIRTIO_ADMIN_CMD_LIST_USE with the commands that are understood, and wait for its status.',
      level: 'must',
      covers: ['core.admin.commands.driver.2'],
      section: commandSection,
    },
    ({ command, at }) =>
      isList(command) || at.device.administration.used.has(command.group)
        ? undefined
        : `${adminCommandName(command.opcode)} was sent before a LIST_USE for group type ${command.group} was completed`,
  ),
  adminRule(
    {
      id: 'admin.command-not-listed',
      title: 'Driver sent an administration command that is not in its list',
      why: 'The list of VIRTIO_ADMIN_CMD_LIST_USE is all that the device takes; another command fails although the device knows it.',
      fix: 'Name every command that is used, for this group type, in the newest VIRTIO_ADMIN_CMD_LIST_USE.',
      level: 'must',
      covers: ['core.admin.commands.driver.7'],
      section: commandSection,
    },
    ({ command, at }) => {
      const used = at.device.administration.used.get(command.group);
      if (used === undefined || ((used >> BigInt(command.opcode)) & 1n) === 1n) return undefined;
      return `${adminCommandName(command.opcode)} is not among the commands used: ${opcodeNames(used)}`;
    },
  ),
  adminRule(
    {
      id: 'admin.list-use-unreported',
      title: 'Driver wants to use administration commands that the device did not report',
      why: 'What VIRTIO_ADMIN_CMD_LIST_QUERY did not list the device does not have, and it refuses the whole list.',
      fix: 'Send VIRTIO_ADMIN_CMD_LIST_QUERY for the same group type first, and use the intersection with what the driver understands.',
      level: 'must',
      covers: ['core.admin.commands.driver.6'],
      section: commandSection,
    },
    ({ command, at }) => {
      if (command.opcode !== adminOpcode.LIST_USE) return undefined;
      const reported = at.device.administration.reported.get(command.group);
      const more = bitmapOf(command.data) & ~(reported ?? 0n);
      if (reported === undefined) return 'LIST_USE was sent before a LIST_QUERY of its group type was completed';
      return more === 0n ? undefined : `LIST_USE names ${opcodeNames(more)}, which LIST_QUERY did not report`;
    },
  ),
  adminRule(
    {
      id: 'admin.list-use-while-busy',
      title: 'Driver changed its list of administration commands while one was under way',
      why: 'It is open whether the command that is under way still counts under the old list or fails under the new one.',
      fix: 'Wait until every command has come back before sending VIRTIO_ADMIN_CMD_LIST_USE.',
      level: 'must',
      covers: ['core.admin.commands.driver.4'],
      section: commandSection,
    },
    ({ command, at }) => {
      const [other] = at.device.administration.outstanding.values();
      if (command.opcode !== adminOpcode.LIST_USE || other === undefined) return undefined;
      return `LIST_USE was sent while ${adminCommandName(other.opcode)} had not come back`;
    },
  ),
  adminRule(
    {
      id: 'admin.capability-exceeded',
      title: 'Driver set a capability beyond what the device has',
      why: 'The device offered limits, flags and entries; what goes beyond them cannot be kept, and the device may refuse all of it.',
      fix: 'Read the capability with VIRTIO_ADMIN_CMD_DEVICE_CAP_GET and set the same or less of each field.',
      level: 'must',
      covers: ['core.admin.capabilities.driver.2'],
      section: capabilitySection,
    },
    ({ command, at }) => {
      if (command.opcode !== adminOpcode.DRIVER_CAP_SET) return undefined;
      const id = le(command.data, 0, 2);
      const offered = at.device.administration.deviceCapabilities.get(id);
      if (offered === undefined) return `capability ${hex(id)} was set, which was never read from the device`;
      const over = excess(id, command.data.slice(8), bytesOf(offered));
      return over && `capability ${hex(id)} was set with more than the device has: ${over}`;
    },
  ),
  adminRule(
    {
      id: 'admin.capability-in-use',
      title: 'Driver changed a capability while objects depend on it',
      why: 'Objects were created within the limits that were in force. A smaller capability, or none, leaves them without ground.',
      fix: 'Destroy all objects that depend on the capability before setting it again.',
      level: 'must',
      covers: ['core.admin.capabilities.driver.3', 'core.admin.resources.driver.6'],
      section: capabilitySection,
    },
    ({ command, at }) => {
      if (command.opcode !== adminOpcode.DRIVER_CAP_SET) return undefined;
      const id = le(command.data, 0, 2);
      const rows = resourceTypesOf(at.device.description.deviceId).filter(({ capabilities }) =>
        capabilities.includes(id),
      );
      const object = [...at.device.administration.objects.values()].find(({ type }) =>
        rows.some((row) => row.type === type),
      );
      const row = rows.find(({ type }) => type === object?.type);
      return object && row && `capability ${hex(id)} was set while ${nameOf({ row, id: object.id })} exists`;
    },
  ),
  adminRule(
    {
      id: 'admin.capability-not-set',
      title: 'Driver used resource objects without setting their capabilities',
      why: 'Until the driver has set a capability its limits count as zero: the device has no room for such objects.',
      fix: 'Set every capability that the objects depend on with VIRTIO_ADMIN_CMD_DRIVER_CAP_SET, and wait for its status, before the first object.',
      level: 'must',
      covers: ['core.admin.capabilities.driver.1', 'net.flow-filter.driver.1'],
      section: capabilitySection,
      follows: ['admin.list-use-missing', 'admin.command-not-listed', 'admin.capability-exceeded'],
    },
    (sent) => {
      const object = objectOf(sent);
      const { driverCapabilities } = sent.at.device.administration;
      const missing = object?.row.capabilities.filter((id) => !driverCapabilities.has(id)) ?? [];
      if (object === undefined || missing.length === 0) return undefined;
      return `${nameOf(object)} was used before capability ${missing.map(hex).join(', ')} was set`;
    },
  ),
  adminRule(
    {
      id: 'admin.object-exists',
      title: 'Driver created a resource object that exists',
      why: 'An object is known by its type and id. A second one with the same id cannot be told from the first, and the device refuses it.',
      fix: 'Destroy the old object first, modify it, or take another id.',
      level: 'must',
      covers: ['core.admin.resources.driver.1'],
      section: resourceSection,
    },
    (sent) => {
      const object = objectOf(sent);
      if (object === undefined || sent.command.opcode !== adminOpcode.RESOURCE_OBJ_CREATE) return undefined;
      const exists = sent.at.device.administration.objects.has(objectKey(object.type, object.id));
      return exists ? `${nameOf(object)} was created again` : undefined;
    },
  ),
  adminRule(
    {
      id: 'admin.object-limit',
      title: 'Driver created more resource objects than it asked for',
      why: 'The limit that the driver set in the capability is what the device keeps room for; ids end below it.',
      fix: 'Set a larger limit, as far as the device offers it, or reuse ids of destroyed objects.',
      level: 'must',
      covers: ['core.admin.resources.driver.2'],
      section: resourceSection,
      follows: ['admin.capability-not-set'],
    },
    (sent) => {
      const object = objectOf(sent);
      if (object === undefined || sent.command.opcode !== adminOpcode.RESOURCE_OBJ_CREATE) return undefined;
      const { driverCapabilities, objects } = sent.at.device.administration;
      const capability = driverCapabilities.get(object.row.capabilities[0] ?? -1);
      if (capability === undefined) return undefined;
      const limit = le(bytesOf(capability), object.row.limitAt, 4);
      const count = [...objects.values()].filter(({ type }) => type === object.type).length;
      return object.id < limit && count < limit
        ? undefined
        : `${nameOf(object)} was created; the driver set a limit of ${limit}, and ${count} exist`;
    },
  ),
  adminRule(
    {
      id: 'admin.object-gone',
      title: 'Driver used a resource object that it had destroyed',
      why: 'The id means nothing any more; when it is taken again it means another object.',
      fix: 'Forget an object when its destruction has come back with VIRTIO_ADMIN_STATUS_OK.',
      level: 'should',
      covers: ['core.admin.resources.driver.3'],
      section: resourceSection,
    },
    (sent) => {
      const object = objectOf(sent);
      if (object === undefined || sent.command.opcode === adminOpcode.RESOURCE_OBJ_CREATE) return undefined;
      const { destroyed } = sent.at.device.administration;
      return destroyed.has(objectKey(object.type, object.id)) ? `${nameOf(object)} was destroyed before` : undefined;
    },
  ),
  adminRule(
    {
      id: 'admin.object-needed',
      title: 'Driver destroyed a resource object on which others depend',
      why: 'The dependent objects refer to nothing then. The device refuses, and the object stays.',
      fix: 'Destroy in the reverse order of creation: first the objects that refer to others.',
      level: 'should',
      covers: [
        'core.admin.resources.driver.4',
        'core.admin.resources.driver.5',
        'net.flow-filter.driver.2',
        'net.flow-filter.driver.4',
      ],
      section: resourceSection,
    },
    (sent) => {
      const object = objectOf(sent);
      if (object === undefined || sent.command.opcode !== adminOpcode.RESOURCE_OBJ_DESTROY) return undefined;
      const others = dependents(sent, object.type, object.id);
      return others.length === 0 ? undefined : `${nameOf(object)} was destroyed, on which ${others.join(', ')} depends`;
    },
  ),
  rule('administration', {
    id: 'admin.queue-index',
    title: 'Driver set up an administration virtqueue that the device does not have',
    why: 'Administration virtqueues stand from admin_queue_index on, which may lie far behind the other queues. Another index is no queue at all.',
    fix: 'Read admin_queue_index and admin_queue_num after FEATURES_OK and select queues in that range.',
    level: 'must',
    blames: 'access',
    covers: ['pci.common-cfg.driver.10'],
    section: '4.1.4.3.2',
    needs: { transport: 'pci', interface: 'modern', feature: feature.ADMIN_VQ },
    once: true,
    on: ['queue-setup', 'queue-ready-write'],
    broken: (fact, { device: { description, queues } }) => {
      const first = queues.length - description.administrationQueues;
      if (fact.queue < queues.length) return false;
      return {
        message: `Queue ${fact.queue} was set up; administration virtqueues are ${first} to ${queues.length - 1}.`,
        evidence: [
          seen('queue', fact.queue),
          seen('admin_queue_index', first),
          seen('admin_queue_num', description.administrationQueues),
        ],
        place: { kind: 'register', register: 'queue_select' },
      };
    },
  }),
];
