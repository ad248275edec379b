// Network device: features and their requirements, configuration space, queue numbers. [virtio 1.4, 5.1]
import type { ConfigField } from '../device/interface';
import type { FeatureBit } from './feature';

export const netFeature = {
  CSUM: 0,
  GUEST_CSUM: 1,
  CTRL_GUEST_OFFLOADS: 2,
  MTU: 3,
  MAC: 5,
  GUEST_TSO4: 7,
  GUEST_TSO6: 8,
  GUEST_ECN: 9,
  GUEST_UFO: 10,
  HOST_TSO4: 11,
  HOST_TSO6: 12,
  HOST_ECN: 13,
  HOST_UFO: 14,
  MRG_RXBUF: 15,
  STATUS: 16,
  CTRL_VQ: 17,
  CTRL_RX: 18,
  CTRL_VLAN: 19,
  CTRL_RX_EXTRA: 20,
  GUEST_ANNOUNCE: 21,
  MQ: 22,
  CTRL_MAC_ADDR: 23,
  DEVICE_STATS: 50,
  HASH_TUNNEL: 51,
  VQ_NOTF_COAL: 52,
  NOTF_COAL: 53,
  GUEST_USO4: 54,
  GUEST_USO6: 55,
  HOST_USO: 56,
  HASH_REPORT: 57,
  GUEST_HDRLEN: 59,
  RSS: 60,
  RSC_EXT: 61,
  STANDBY: 62,
  SPEED_DUPLEX: 63,
  RSS_CONTEXT: 64,
  GUEST_UDP_TUNNEL_GSO: 65,
  GUEST_UDP_TUNNEL_GSO_CSUM: 66,
  HOST_UDP_TUNNEL_GSO: 67,
  HOST_UDP_TUNNEL_GSO_CSUM: 68,
  OUT_NET_HEADER: 69,
  IPSEC: 70,
} as const;

const needs = netFeature;
/** One row: bit, name without prefix, meaning, requirements (one bit of each inner list). [5.1.3, 5.1.3.1] */
type Row = readonly [keyof typeof netFeature, string, (readonly (readonly number[])[])?];
const rows: readonly Row[] = [
  ['CSUM', 'The device completes partial checksums.'],
  ['GUEST_CSUM', 'The driver takes packets with a partial checksum.'],
  ['CTRL_GUEST_OFFLOADS', 'Receive offloads can be changed over the control queue.'],
  ['MTU', 'mtu gives the largest packet.'],
  ['MAC', 'mac gives the address of the interface.'],
  ['GUEST_TSO4', 'The driver takes merged TCP over IPv4 packets.', [[needs.GUEST_CSUM]]],
  ['GUEST_TSO6', 'The driver takes merged TCP over IPv6 packets.', [[needs.GUEST_CSUM]]],
  ['GUEST_ECN', 'The driver takes merged TCP packets with ECN.', [[needs.GUEST_TSO4, needs.GUEST_TSO6]]],
  ['GUEST_UFO', 'The driver takes UDP fragments merged into one.', [[needs.GUEST_CSUM]]],
  ['HOST_TSO4', 'The device splits large TCP over IPv4 packets.', [[needs.CSUM]]],
  ['HOST_TSO6', 'The device splits large TCP over IPv6 packets.', [[needs.CSUM]]],
  ['HOST_ECN', 'The device splits TCP packets with ECN.', [[needs.HOST_TSO4, needs.HOST_TSO6]]],
  ['HOST_UFO', 'The device fragments large UDP packets.', [[needs.CSUM]]],
  ['MRG_RXBUF', 'A received packet may fill several buffers.'],
  ['STATUS', 'status tells whether the link is up.'],
  ['CTRL_VQ', 'There is a control queue.'],
  ['CTRL_RX', 'Receive modes can be set over the control queue.', [[needs.CTRL_VQ]]],
  ['CTRL_VLAN', 'VLAN filters can be set over the control queue.', [[needs.CTRL_VQ]]],
  ['CTRL_RX_EXTRA', 'Further receive modes can be set over the control queue.'],
  ['GUEST_ANNOUNCE', 'The driver can announce itself when the device asks.', [[needs.CTRL_VQ]]],
  ['MQ', 'Several pairs of queues with automatic steering.', [[needs.CTRL_VQ]]],
  ['CTRL_MAC_ADDR', 'The address can be set over the control queue.', [[needs.CTRL_VQ]]],
  ['DEVICE_STATS', 'Statistics can be read over the control queue.'],
  ['HASH_TUNNEL', 'Hashes look inside encapsulated packets.', [[needs.CTRL_VQ], [needs.RSS, needs.HASH_REPORT]]],
  ['VQ_NOTF_COAL', 'Notifications can be gathered, per queue.', [[needs.CTRL_VQ]]],
  ['NOTF_COAL', 'Notifications can be gathered.', [[needs.CTRL_VQ]]],
  ['GUEST_USO4', 'The driver takes merged UDP over IPv4 packets.', [[needs.GUEST_CSUM]]],
  ['GUEST_USO6', 'The driver takes merged UDP over IPv6 packets.', [[needs.GUEST_CSUM]]],
  ['HOST_USO', 'The device splits large UDP packets.', [[needs.CSUM]]],
  ['HASH_REPORT', 'Each received packet comes with a hash.'],
  ['GUEST_HDRLEN', 'The driver gives the exact header length.'],
  ['RSS', 'Received packets are spread by a configurable hash.', [[needs.CTRL_VQ]]],
  ['RSC_EXT', 'The device reports how many segments and ACKs it merged.', [[needs.HOST_TSO4, needs.HOST_TSO6]]],
  ['STANDBY', 'The device may stand by for another with the same address.'],
  ['SPEED_DUPLEX', 'speed and duplex describe the link.'],
  ['RSS_CONTEXT', 'There are several sets of hash settings.', [[needs.CTRL_VQ], [needs.RSS]]],
  [
    'GUEST_UDP_TUNNEL_GSO',
    'The driver takes merged packets inside UDP tunnels.',
    [[needs.GUEST_TSO4], [needs.GUEST_TSO6], [needs.GUEST_USO4], [needs.GUEST_USO6]],
  ],
  [
    'GUEST_UDP_TUNNEL_GSO_CSUM',
    'The driver takes tunnelled packets with a partial outer checksum.',
    [[needs.GUEST_UDP_TUNNEL_GSO]],
  ],
  [
    'HOST_UDP_TUNNEL_GSO',
    'The device splits large packets inside UDP tunnels.',
    [[needs.HOST_TSO4], [needs.HOST_TSO6], [needs.HOST_USO]],
  ],
  [
    'HOST_UDP_TUNNEL_GSO_CSUM',
    'The device completes the outer checksum of tunnelled packets.',
    [[needs.HOST_UDP_TUNNEL_GSO]],
  ],
  ['OUT_NET_HEADER', 'The driver says where the outer network header begins.'],
  ['IPSEC', 'The device does IPsec for packets.'],
];

export const netFeatures: readonly FeatureBit[] = [
  ...rows.map(([name, meaning, requires]): FeatureBit => ({
    bit: netFeature[name],
    name: `VIRTIO_NET_F_${name}`,
    group: 'device',
    meaning,
    section: '5.1.3',
    ...(requires !== undefined && { requires }),
  })),
  {
    bit: 6,
    name: 'VIRTIO_NET_F_GSO',
    group: 'device',
    meaning: 'The device takes large packets of any kind.',
    section: '5.1.3.2',
    legacy: true,
  },
  {
    bit: 41,
    name: 'VIRTIO_NET_F_GUEST_RSC4',
    group: 'device',
    meaning: 'The device merges TCP over IPv4 packets.',
    section: '5.1.3.2',
    legacy: true,
  },
  {
    bit: 42,
    name: 'VIRTIO_NET_F_GUEST_RSC6',
    group: 'device',
    meaning: 'The device merges TCP over IPv6 packets.',
    section: '5.1.3.2',
    legacy: true,
  },
];

/** struct virtio_net_config. [5.1.4] */
export const netConfigFields: readonly ConfigField[] = [
  ...[0, 1, 2, 3, 4, 5].map((i): ConfigField => ({
    name: `mac[${i}]`,
    offset: i,
    size: 1,
    feature: netFeature.MAC,
    // [5.1.4.3]
    writable: 'legacy',
    meaning: `byte ${i} of the address`,
  })),
  { name: 'status', offset: 6, size: 2, feature: netFeature.STATUS, meaning: 'bit 0: link is up' },
  { name: 'max_virtqueue_pairs', offset: 8, size: 2, feature: netFeature.MQ, meaning: 'most pairs of queues' },
  { name: 'mtu', offset: 10, size: 2, feature: netFeature.MTU, meaning: 'largest packet in bytes' },
  { name: 'speed', offset: 12, size: 4, feature: netFeature.SPEED_DUPLEX, meaning: 'Mbit/s' },
  { name: 'duplex', offset: 16, size: 1, feature: netFeature.SPEED_DUPLEX, meaning: '1 full, 0 half' },
  { name: 'rss_max_key_size', offset: 17, size: 1, feature: netFeature.RSS, meaning: 'longest hash key in bytes' },
  {
    name: 'rss_max_indirection_table_length',
    offset: 18,
    size: 2,
    feature: netFeature.RSS,
    meaning: 'most entries of the steering table',
  },
  {
    name: 'supported_hash_types',
    offset: 20,
    size: 4,
    feature: netFeature.RSS,
    meaning: 'hashes the device can compute',
  },
  {
    name: 'supported_tunnel_types',
    offset: 24,
    size: 4,
    feature: netFeature.HASH_TUNNEL,
    meaning: 'encapsulations the device can look into',
  },
];

/** Bits of the field status. [5.1.4] */
export const netStatus = { LINK_UP: 1, ANNOUNCE: 2 } as const;

/** Queue numbers: pairs of receive and transmit queues, then the control queue. [5.1.2] */
export const receiveQueue = (pair: number): number => 2 * pair;
export const transmitQueue = (pair: number): number => 2 * pair + 1;

/** Queue number of the control queue: it comes behind all pairs that the driver can use. [5.1.2] */
export function controlQueue(pairs: number, multiqueue: boolean): number {
  return multiqueue ? 2 * pairs : 2;
}
