// The commands of the control queue: what each does to the device's settings. [virtio 1.4, 5.1.9.5]
// Guarantees: never throws; a command that is answered with ERR changes nothing.
import { linkAddressText } from '../../../network/describe';
import { addressBytes } from '../../../network/packet';
import { bitsOf, hasFeature } from '../../spec/feature';
import {
  controlClass,
  controlCommandOf,
  hashConfigFixedBytes,
  offloadFeatures,
  rssFixedBytes,
  rssKeyBytes,
  rssTableEntries,
} from '../../spec/net-control';
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
}

export interface ControlAnswer {
  readonly ok: boolean;
  /** What was asked, in words. */
  readonly description: string;
  /** Why it was refused. */
  readonly problem?: string;
}

interface Command {
  readonly number: number;
  readonly data: Uint8Array;
  readonly settings: NetSettings;
  readonly features: bigint;
  readonly maximumPairs: number;
}
/** Undefined: done. A text: why not. */
type Handler = (command: Command) => string | undefined;

/** @param data what follows class and command */
export function executeControl(
  ofClass: number,
  command: number,
  data: Uint8Array,
  settings: NetSettings,
  { features, maximumPairs }: { readonly features: bigint; readonly maximumPairs: number },
): ControlAnswer {
  const row = controlCommandOf(ofClass, command);
  if (row === undefined) {
    return { ok: false, description: `class ${ofClass}, command ${command}`, problem: 'there is no such command' };
  }
  const description = `${row.name.replace('VIRTIO_NET_CTRL_', '')}: ${row.meaning}${detail(ofClass, command, data)}`;
  const handler = handlers[ofClass]?.[command];
  if (handler === undefined || !hasFeature(features, row.feature)) {
    return { ok: false, description, problem: 'the feature was not negotiated' };
  }
  if (row.dataBytes !== undefined && data.length !== row.dataBytes) {
    return { ok: false, description, problem: `${data.length} bytes of data, ${row.dataBytes} are needed` };
  }
  const problem = handler({ number: command, data, settings, features, maximumPairs });
  return problem === undefined ? { ok: true, description } : { ok: false, description, problem };
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
      settings.gatherTransmit = readGathering(data);
      return undefined;
    },
    1: ({ data, settings }) => {
      settings.gatherReceive = readGathering(data);
      return undefined;
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

function readGathering(data: Uint8Array): Gathering {
  return { packets: le32(data, 0), microseconds: le32(data, 4) };
}

function detail(ofClass: number, command: number, data: Uint8Array): string {
  if (ofClass === controlClass.RX) return data[0] === 0 ? ', off' : ', on';
  if (ofClass === controlClass.MAC && command === 1) return ` ${linkAddressText(data.subarray(0, addressBytes))}`;
  if (ofClass === controlClass.VLAN) return ` ${le16(data, 0)}`;
  return ofClass === controlClass.MQ && command === 0 ? `, ${le16(data, 0)}` : '';
}

function le16(data: Uint8Array, at: number): number {
  return (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8);
}
function le32(data: Uint8Array, at: number): number {
  return le16(data, at) + le16(data, at + 2) * 0x1_0000;
}
