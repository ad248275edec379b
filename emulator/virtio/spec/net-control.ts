// The control queue of a network device: classes, commands, what each command needs and carries. [virtio 1.4, 5.1.9.5]
import { netFeature } from './net';

/** Answer byte. */
export const controlAnswer = { OK: 0, ERR: 1 } as const;

export const controlClass = { RX: 0, MAC: 1, VLAN: 2, ANNOUNCE: 3, MQ: 4, GUEST_OFFLOADS: 5, NOTF_COAL: 6, HASH_TUNNEL: 7, STATS: 8, RSS_CTX: 9 } as const; // prettier-ignore

export interface ControlCommand {
  readonly controlClass: number;
  readonly command: number;
  /** In the specification's spelling. */
  readonly name: string;
  readonly meaning: string;
  /** The feature that has to be negotiated. */
  readonly feature: number;
  /** Bytes of command-specific data; undefined: it depends on the data. */
  readonly dataBytes: number | undefined;
  readonly section: string;
}

type Row = readonly [keyof typeof controlClass, number, string, string, keyof typeof netFeature, number | undefined];
const rows: readonly Row[] = [
  ['RX', 0, 'RX_PROMISC', 'receive everything', 'CTRL_RX', 1],
  ['RX', 1, 'RX_ALLMULTI', 'receive all multicast', 'CTRL_RX', 1],
  ['RX', 2, 'RX_ALLUNI', 'receive all unicast', 'CTRL_RX_EXTRA', 1],
  ['RX', 3, 'RX_NOMULTI', 'receive no multicast', 'CTRL_RX_EXTRA', 1],
  ['RX', 4, 'RX_NOUNI', 'receive no unicast', 'CTRL_RX_EXTRA', 1],
  ['RX', 5, 'RX_NOBCAST', 'receive no broadcast', 'CTRL_RX_EXTRA', 1],
  ['MAC', 0, 'MAC_TABLE_SET', 'set the address table', 'CTRL_RX', undefined],
  ['MAC', 1, 'MAC_ADDR_SET', 'set the address', 'CTRL_MAC_ADDR', 6],
  ['VLAN', 0, 'VLAN_ADD', 'receive a VLAN', 'CTRL_VLAN', 2],
  ['VLAN', 1, 'VLAN_DEL', 'receive a VLAN no more', 'CTRL_VLAN', 2],
  ['ANNOUNCE', 0, 'ANNOUNCE_ACK', 'announced', 'GUEST_ANNOUNCE', 0],
  ['MQ', 0, 'MQ_VQ_PAIRS_SET', 'use pairs of queues', 'MQ', 2],
  ['MQ', 1, 'MQ_RSS_CONFIG', 'spread packets by hash', 'RSS', undefined],
  ['MQ', 2, 'MQ_HASH_CONFIG', 'report hashes', 'HASH_REPORT', undefined],
  ['GUEST_OFFLOADS', 0, 'GUEST_OFFLOADS_SET', 'set receive offloads', 'CTRL_GUEST_OFFLOADS', 8],
  ['NOTF_COAL', 0, 'NOTF_COAL_TX_SET', 'gather transmit notifications', 'NOTF_COAL', 8],
  ['NOTF_COAL', 1, 'NOTF_COAL_RX_SET', 'gather receive notifications', 'NOTF_COAL', 8],
  ['NOTF_COAL', 2, 'NOTF_COAL_VQ_SET', 'gather notifications of a queue', 'VQ_NOTF_COAL', 12],
  ['NOTF_COAL', 3, 'NOTF_COAL_VQ_GET', 'ask how a queue gathers notifications', 'VQ_NOTF_COAL', undefined],
  ['HASH_TUNNEL', 0, 'HASH_TUNNEL_SET', 'hash inside tunnels', 'HASH_TUNNEL', 4],
  ['STATS', 0, 'STATS_QUERY', 'ask which statistics there are', 'DEVICE_STATS', 0],
  ['STATS', 1, 'STATS_GET', 'get statistics', 'DEVICE_STATS', undefined],
  ['RSS_CTX', 0, 'RSS_CTX_CAP_GET', 'ask for the hash contexts', 'RSS_CONTEXT', undefined],
  ['RSS_CTX', 1, 'RSS_CTX_ADD', 'add a hash context', 'RSS_CONTEXT', undefined],
  ['RSS_CTX', 2, 'RSS_CTX_MOD', 'change a hash context', 'RSS_CONTEXT', undefined],
  ['RSS_CTX', 3, 'RSS_CTX_DEL', 'delete a hash context', 'RSS_CONTEXT', undefined],
];
const sections: Readonly<Record<keyof typeof controlClass, string>> = { RX: '5.1.9.5.1', MAC: '5.1.9.5.2', VLAN: '5.1.9.5.3', ANNOUNCE: '5.1.9.5.4', MQ: '5.1.9.5.6', GUEST_OFFLOADS: '5.1.9.5.9', NOTF_COAL: '5.1.9.5.10', HASH_TUNNEL: '5.1.9.4.4', STATS: '5.1.9.5.11', RSS_CTX: '5.1.9.5.8' }; // prettier-ignore

export const controlCommands: readonly ControlCommand[] = rows.map(
  ([className, command, name, meaning, needed, dataBytes]) => ({
    controlClass: controlClass[className],
    command,
    name: `VIRTIO_NET_CTRL_${name}`,
    meaning,
    feature: netFeature[needed],
    dataBytes,
    section: sections[className],
  }),
);

export function controlCommandOf(ofClass: number, command: number): ControlCommand | undefined {
  return controlCommands.find((row) => row.controlClass === ofClass && row.command === command);
}

/** struct virtio_net_ctrl_coal, and where it lies in struct virtio_net_ctrl_coal_vq, behind vq_index and reserved. [5.1.9.5.10] */
export const gatheringBytes = 8;
export const gatheringAt = 4;

/** Offload bits of GUEST_OFFLOADS_SET are the bit numbers of the features. [5.1.9.5.9.1] */
export const offloadFeatures: readonly number[] = [
  netFeature.GUEST_CSUM,
  netFeature.GUEST_TSO4,
  netFeature.GUEST_TSO6,
  netFeature.GUEST_ECN,
  netFeature.GUEST_UFO,
  netFeature.GUEST_USO4,
  netFeature.GUEST_USO6,
];

/** What a hash is computed over, and how it is reported. [5.1.9.4.3.2, 5.1.9.4.3.4] */
export const hashType = { IPv4: 0, TCPv4: 1, UDPv4: 2, IPv6: 3, TCPv6: 4, UDPv6: 5 } as const;
export const hashReport = { NONE: 0, IPv4: 1, TCPv4: 2, UDPv4: 3, IPv6: 4, TCPv6: 5, UDPv6: 6 } as const;

/** Fixed part of the data of MQ_RSS_CONFIG before the indirection table: hash_types, mask, unclassified queue. [5.1.9.5.7.1] */
export const rssFixedBytes = 8;
/** MQ_HASH_CONFIG: hash_types, four reserved words, key length. [5.1.9.5.6.4] */
export const hashConfigFixedBytes = 13;
export const rssKeyBytes = 40;
export const rssTableEntries = 128;
