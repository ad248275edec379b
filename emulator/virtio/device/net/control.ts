// The commands of the control queue: what each does to the device's settings. [virtio 1.4, 5.1.9.5]
// Guarantees: never throws; a command that is answered with ERR changes nothing.
import { linkAddressText } from '../../../network/describe';
import { addressBytes } from '../../../network/packet';
import { bitsOf, hasFeature } from '../../spec/feature';
import {
  controlClass,
  controlCommandOf,
  gatheringAt,
  gatheringBytes,
  hashConfigFixedBytes,
  offloadFeatures,
  rssFixedBytes,
  rssKeyBytes,
  rssTableEntries,
} from '../../spec/net-control';
import { littleEndian } from '../../spec/wire-layout';
import { type FilterState, maximumTableAddresses } from './filter';
import { type HashSettings, type SpreadSettings, supportedHashTypes } from './hash';

/** When the driver wants to hear of used buffers; 0 means at once. */
export interface Gathering {
  readonly packets: number;
  readonly microseconds: number;
}

/** Everything that the driver can set. Plain data. */
export interface NetSettings {
  address: Uint8Array;
  announce: boolean;
  /** Pairs of queues in use. */
  pairs: number;
  filter: FilterState;
  /** Receive offloads in force, as feature bits. */
  offloads: bigint;
  spread: SpreadSettings | undefined;
  hash: HashSettings | undefined;
  gatherReceive: Gathering;
  gatherTransmit: Gathering;
  /** What was set for single queues, by their index; replaced as a whole. */
  gatherQueues: Readonly<Record<number, Gathering>>;
}

/** For a receive or transmit queue: what was set for it alone, else for all of its kind. [5.1.9.5.10] */
export function gatheringOf(settings: NetSettings, queue: number): Gathering {
  const ofKind = queue % 2 === 0 ? settings.gatherReceive : settings.gatherTransmit;
  return settings.gatherQueues[queue] ?? ofKind;
}

/** A queue that was disabled goes by what is set for all of its kind. [5.1.9.5.10.6] */
export function forgetGathering(settings: NetSettings, forgotten: (queue: number) => boolean): void {
  const kept = Object.entries(settings.gatherQueues).filter(([queue]) => !forgotten(Number(queue)));
  settings.gatherQueues = Object.fromEntries(kept);
}

export interface ControlAnswer {
  readonly ok: boolean;
  /** What was asked, in words. */
  readonly description: string;
  /** Why it was refused. */
  readonly problem?: string;
  /** What follows the answer byte; empty for most commands. */
  readonly result: Uint8Array;
}

/** What the commands need to know of the device. */
export interface ControlledDevice {
  /** Negotiated. */
  readonly features: bigint;
  readonly maximumPairs: number;
  /** An enabled receive or transmit queue. */
  readonly isEnabled: (queue: number) => boolean;
  /** Device-writable bytes behind the answer byte. */
  readonly resultRoom: number;
}

interface Command extends ControlledDevice {
  readonly number: number;
  readonly data: Uint8Array;
  readonly settings: NetSettings;
}
/** Undefined: done. A text: why not. Bytes: done, with this result. */
type Handler = (command: Command) => string | Uint8Array | undefined;

const noResult = new Uint8Array(0);

/** @param data what follows class and command */
export function executeControl(
  ofClass: number,
  command: number,
  data: Uint8Array,
  settings: NetSettings,
  device: ControlledDevice,
): ControlAnswer {
  const row = controlCommandOf(ofClass, command);
  if (row === undefined) {
    const unknown = `class ${ofClass}, command ${command}`;
    return { ok: false, description: unknown, problem: 'there is no such command', result: noResult };
  }
  const description = `${row.name.replace('VIRTIO_NET_CTRL_', '')}: ${row.meaning}${detail(ofClass, command, data)}`;
  const handler = handlers[ofClass]?.[command];
  if (handler === undefined || !hasFeature(device.features, row.feature)) {
    return { ok: false, description, problem: 'the feature was not negotiated', result: noResult };
  }
  if (row.dataBytes !== undefined && data.length !== row.dataBytes) {
    const problem = `${data.length} bytes of data, ${row.dataBytes} are needed`;
    return { ok: false, description, problem, result: noResult };
  }
  const done = handler({ ...device, number: command, data, settings });
  if (typeof done === 'string') return { ok: false, description, problem: done, result: noResult };
  return { ok: true, description, result: done ?? noResult };
}

const setMode: Handler = ({ number, data, settings }) => {
  const value = data[0] ?? 0;
  if (value > 1) return `${value} is neither 0 nor 1`;
  settings.filter.modes[number] = value === 1;
  return undefined;
};

const handlers: Readonly<Record<number, Readonly<Record<number, Handler>>>> = {
  [controlClass.RX]: { 0: setMode, 1: setMode, 2: setMode, 3: setMode, 4: setMode, 5: setMode },
  [controlClass.MAC]: {
    0: ({ data, settings }) => {
      const unicast = readAddresses(data, 0);
      const multicast = unicast === undefined ? undefined : readAddresses(data, unicast.end);
      if (unicast === undefined || multicast?.end !== data.length) return 'the lists do not fill the data';
      settings.filter.unicast = unicast.addresses.slice(0, maximumTableAddresses);
      settings.filter.multicast = multicast.addresses.slice(0, maximumTableAddresses);
      settings.filter.unicastOverflow = unicast.addresses.length > maximumTableAddresses;
      settings.filter.multicastOverflow = multicast.addresses.length > maximumTableAddresses;
      return undefined;
    },
    1: ({ data, settings }) => {
      settings.address = data.slice();
      return undefined;
    },
  },
  [controlClass.VLAN]: {
    0: ({ data, settings: { filter } }) => {
      const vlan = le16(data, 0);
      if (vlan > 0xfff) return `there is no VLAN ${vlan}`;
      if (!filter.vlans.includes(vlan)) filter.vlans.push(vlan);
      return undefined;
    },
    1: ({ data, settings: { filter } }) => {
      const vlan = le16(data, 0);
      if (vlan > 0xfff) return `there is no VLAN ${vlan}`;
      filter.vlans = filter.vlans.filter((each) => each !== vlan);
      return undefined;
    },
  },
  [controlClass.ANNOUNCE]: {
    0: ({ settings }) => {
      if (!settings.announce) return 'nothing was to be announced';
      settings.announce = false;
      return undefined;
    },
  },
  [controlClass.MQ]: {
    0: ({ data, settings, maximumPairs }) => {
      const pairs = le16(data, 0);
      if (pairs < 1 || pairs > maximumPairs) return `${pairs} pairs, allowed are 1 to ${maximumPairs}`;
      settings.pairs = pairs;
      settings.spread = undefined;
      return undefined;
    },
    1: setSpread,
    2: ({ data, settings }) => {
      const types = le32(data, 0);
      const keyBytes = data[hashConfigFixedBytes - 1] ?? 0;
      if (data.length !== hashConfigFixedBytes + keyBytes) return 'the key does not fill the data';
      const problem = hashProblem(types, keyBytes);
      if (problem === undefined) settings.hash = { types, key: data.slice(hashConfigFixedBytes) };
      return problem;
    },
  },
  [controlClass.GUEST_OFFLOADS]: {
    0: ({ data, settings, features }) => {
      const wanted = BigInt(le32(data, 0)) | (BigInt(le32(data, 4)) << 32n);
      const wrong = bitsOf(wanted).filter((bit) => !offloadFeatures.includes(bit) || !hasFeature(features, bit));
      if (wrong.length > 0) return `offload bits ${wrong.join(', ')} were not negotiated`;
      settings.offloads = wanted;
      return undefined;
    },
  },
  [controlClass.NOTF_COAL]: {
    0: ({ data, settings }) => {
      settings.gatherTransmit = readGathering(data, 0);
      forgetGathering(settings, (queue) => queue % 2 === 1);
      return undefined;
    },
    1: ({ data, settings }) => {
      settings.gatherReceive = readGathering(data, 0);
      forgetGathering(settings, (queue) => queue % 2 === 0);
      return undefined;
    },
    2: ({ data, settings, isEnabled }) => {
      const queue = le16(data, 0);
      if (!isEnabled(queue)) return notEnabled(queue);
      settings.gatherQueues = { ...settings.gatherQueues, [queue]: readGathering(data, gatheringAt) };
      return undefined;
    },
    3: ({ data, settings, isEnabled, resultRoom }) => {
      const queue = le16(data, 0);
      if (data.length < gatheringAt) return `${data.length} bytes of data, ${gatheringAt} are needed`;
      if (!isEnabled(queue)) return notEnabled(queue);
      if (resultRoom < gatheringBytes) return `room for ${resultRoom} bytes, the result has ${gatheringBytes}`;
      const { packets, microseconds } = gatheringOf(settings, queue);
      return Uint8Array.of(...littleEndian(packets, 4), ...littleEndian(microseconds, 4));
    },
  },
};

/** hash_types, mask, unclassified queue, table, greatest transmit queue, key. [5.1.9.5.7.1] */
function setSpread({ data, settings, maximumPairs }: Command): string | undefined {
  const types = le32(data, 0);
  const entries = le16(data, 4) + 1;
  if ((entries & (entries - 1)) !== 0 || entries > rssTableEntries) {
    return `a table of ${entries} entries; a power of two up to ${rssTableEntries} is needed`;
  }
  const afterTable = rssFixedBytes + 2 * entries;
  const keyBytes = data[afterTable + 2] ?? 0;
  if (data.length !== afterTable + 3 + keyBytes) return 'table and key do not fill the data';
  const table = Array.from({ length: entries }, (_, i) => le16(data, rssFixedBytes + 2 * i));
  const unclassified = le16(data, 6);
  const pairs = le16(data, afterTable);
  const problem = hashProblem(types, keyBytes);
  if (problem !== undefined) return problem;
  const beyond = [...table, unclassified].find((pair) => pair >= maximumPairs);
  if (beyond !== undefined) return `there is no receive queue ${beyond}`;
  if (pairs < 1 || pairs > maximumPairs) return `${pairs} transmit queues, allowed are 1 to ${maximumPairs}`;
  settings.spread = { types, key: data.slice(afterTable + 3), table, unclassified };
  settings.pairs = pairs;
  return undefined;
}

function hashProblem(types: number, keyBytes: number): string | undefined {
  if ((types & ~supportedHashTypes) !== 0) return `hash types 0x${types.toString(16)} are not all supported`;
  return keyBytes > rssKeyBytes ? `a key of ${keyBytes} bytes, at most ${rssKeyBytes} are supported` : undefined;
}

/** A le32 count and that many addresses, as texts. */
function readAddresses(data: Uint8Array, at: number): { addresses: string[]; end: number } | undefined {
  const count = le32(data, at);
  const end = at + 4 + count * addressBytes;
  if (at + 4 > data.length || end > data.length) return undefined;
  const addresses = Array.from({ length: count }, (_, i) => {
    const start = at + 4 + i * addressBytes;
    return data.slice(start, start + addressBytes).join();
  });
  return { addresses, end };
}

function readGathering(data: Uint8Array, at: number): Gathering {
  return { packets: le32(data, at), microseconds: le32(data, at + 4) };
}
function notEnabled(queue: number): string {
  return `queue ${queue} is no enabled receive or transmit queue`;
}

function detail(ofClass: number, command: number, data: Uint8Array): string {
  if (ofClass === controlClass.RX) return data[0] === 0 ? ', off' : ', on';
  if (ofClass === controlClass.MAC && command === 1) return ` ${linkAddressText(data.subarray(0, addressBytes))}`;
  if (ofClass === controlClass.VLAN) return ` ${le16(data, 0)}`;
  if (ofClass === controlClass.NOTF_COAL && command >= 2) return `, queue ${le16(data, 0)}`;
  return ofClass === controlClass.MQ && command === 0 ? `, ${le16(data, 0)}` : '';
}

function le16(data: Uint8Array, at: number): number {
  return (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8);
}
function le32(data: Uint8Array, at: number): number {
  return le16(data, at) + le16(data, at + 2) * 0x1_0000;
}
