// Rules of packets inside UDP tunnels that a network driver sends. [virtio 1.4, 5.1.9.2.1]
import { checksumOffset, pseudoHeaderOf, read16 } from '../../network/packet';
import { netFeature } from '../spec/net';
import { gsoBit, gsoType, netHeaderFlag } from '../spec/net-header';
import { hex } from './evidence';
import { isTunnel, isWhole, packetRule, sameSum, tunnelBits } from './net-packet-rule';
import type { Rule } from './rule';

const { UDP } = gsoType;

export const netTunnelRules: readonly Rule[] = [
  packetRule(
    {
      id: 'net.tunnel-not-negotiated',
      title: 'Driver asked to cut a packet inside a tunnel without the feature',
      why: 'A device without VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO does not know these bits of gso_type and would cut the outer packet.',
      fix: 'Accept VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO, or cut the packet in the driver.',
      level: 'must',
      covers: ['net.packet-transmission.driver.17', 'net.packet-transmission.driver.20'],
      needs: { withoutFeature: netFeature.HOST_UDP_TUNNEL_GSO },
    },
    (packet) => (isTunnel(packet) ? `gso_type is ${hex(packet.gsoType | packet.gsoBits)}` : undefined),
  ),
  packetRule(
    {
      id: 'net.tunnel-checksum-not-negotiated',
      title: 'Driver asked for an outer checksum without the feature',
      why: 'Without VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM the device does not complete the outer UDP checksum.',
      fix: 'Accept the feature, or leave VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM clear and the outer checksum 0.',
      level: 'must',
      covers: ['net.packet-transmission.driver.22'],
      needs: { withoutFeature: netFeature.HOST_UDP_TUNNEL_GSO_CSUM },
    },
    (packet) =>
      isWhole(packet) && (packet.flags & netHeaderFlag.UDP_TUNNEL_CSUM) !== 0
        ? `flags is ${hex(packet.flags)}`
        : undefined,
  ),
  packetRule(
    {
      id: 'net.tunnel-both-kinds',
      title: 'Driver named two kinds of inner packet',
      why: 'The inner packet is IPv4 or IPv6, never both.',
      fix: 'Set one of VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4 and VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6.',
      level: 'must',
      covers: ['net.packet-transmission.driver.25'],
      follows: ['net.tunnel-not-negotiated'],
    },
    (packet) =>
      (packet.gsoBits & tunnelBits) === tunnelBits && isWhole(packet)
        ? `gso_type is ${hex(packet.gsoType | packet.gsoBits)}`
        : undefined,
  ),
  packetRule(
    {
      id: 'net.tunnel-fragmentation',
      title: 'Driver asked for UDP fragmentation inside a tunnel',
      why: 'Tunnels were defined after UDP fragmentation had been given up; only TCP and UDP segmentation work inside them.',
      fix: 'Use VIRTIO_NET_HDR_GSO_UDP_L4.',
      level: 'must',
      covers: ['net.packet-transmission.driver.24'],
      follows: ['net.tunnel-not-negotiated', 'net.gso-not-negotiated'],
    },
    (packet) =>
      isTunnel(packet) && packet.gsoType === UDP ? `gso_type is ${hex(packet.gsoType | packet.gsoBits)}` : undefined,
  ),
  packetRule(
    {
      id: 'net.tunnel-checksum-alone',
      title: 'Driver asked for an outer checksum of a packet that is in no tunnel',
      why: 'VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM belongs to packets whose gso_type names the inner packet.',
      fix: 'Set the bit of the inner packet in gso_type, or clear the flag.',
      level: 'must',
      covers: ['net.packet-transmission.driver.26'],
      needs: { feature: netFeature.HOST_UDP_TUNNEL_GSO_CSUM },
    },
    (packet) =>
      isWhole(packet) && (packet.flags & netHeaderFlag.UDP_TUNNEL_CSUM) !== 0 && !isTunnel(packet)
        ? `flags is ${hex(packet.flags)}, gso_type ${hex(packet.gsoType | packet.gsoBits)}`
        : undefined,
  ),
  packetRule(
    {
      id: 'net.tunnel-kind',
      title: 'Driver named the wrong kind of inner packet',
      why: 'The device finds the inner headers by the bit in gso_type: IPv4 and IPv6 headers have different lengths.',
      fix: 'Set VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4 for an inner IPv4 packet, VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6 for IPv6.',
      level: 'must',
      covers: ['net.packet-transmission.driver.18', 'net.packet-transmission.driver.19'],
      follows: ['net.tunnel-both-kinds', 'net.tunnel-offsets'],
      needs: { feature: netFeature.HOST_UDP_TUNNEL_GSO },
    },
    (packet) => {
      if (!isTunnel(packet)) return undefined;
      const version = (packet.frame[packet.innerNetworkOffset] ?? 0) >> 4;
      const named = (packet.gsoBits & gsoBit.UDP_TUNNEL_IPV4) !== 0 ? 4 : 6;
      return (version === 4 || version === 6) && version !== named
        ? `the inner packet is IPv${version}, gso_type says IPv${named}`
        : undefined;
    },
  ),
  packetRule(
    {
      id: 'net.tunnel-offsets',
      title: 'Driver gave wrong offsets of the headers of a tunnel',
      why: 'The field outer_th_offset has to be the place of the outer UDP header and inner_nh_offset that of the inner network header.',
      fix: 'Count both from the start of the frame, without virtio_net_hdr.',
      level: 'must',
      covers: ['net.packet-transmission.driver.37'],
      needs: { feature: netFeature.HOST_UDP_TUNNEL_GSO },
    },
    (packet) => {
      const outer = packet.packet?.transport;
      if (!isTunnel(packet) || outer?.kind !== 'udp') return undefined;
      if (packet.outerTransportOffset !== outer.offset)
        return `outer_th_offset is ${packet.outerTransportOffset}, the outer UDP header is at ${outer.offset}`;
      const version = (packet.frame[packet.innerNetworkOffset] ?? 0) >> 4;
      const isInside = packet.innerNetworkOffset >= outer.offset + outer.headerBytes;
      return isInside && (version === 4 || version === 6)
        ? undefined
        : `inner_nh_offset is ${packet.innerNetworkOffset}, where no inner IP header begins`;
    },
  ),
  packetRule(
    {
      id: 'net.tunnel-outer-checksum',
      title: 'Driver left an outer checksum that nobody can complete',
      why: 'The outer UDP checksum covers every byte of a segment, so it has to be 0 unless the device completes it; and then it has to hold the sum of the outer pseudo header.',
      fix: 'Store 0, or negotiate VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM, set VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM and store the sum of the pseudo header.',
      level: 'must',
      covers: [
        'net.packet-transmission.driver.21',
        'net.packet-transmission.driver.39',
        'net.packet-transmission.driver.40',
      ],
      follows: ['net.tunnel-checksum-not-negotiated', 'net.tunnel-offsets'],
      needs: { feature: netFeature.HOST_UDP_TUNNEL_GSO },
    },
    (packet) => {
      const { internet, transport } = packet.packet ?? {};
      if (!isTunnel(packet) || internet === undefined || transport?.kind !== 'udp') return undefined;
      const found = read16(packet.frame, transport.offset + checksumOffset.udp);
      if ((packet.flags & netHeaderFlag.UDP_TUNNEL_CSUM) === 0) {
        return found === 0
          ? undefined
          : `the outer UDP checksum is ${hex(found)} and the device is not asked to complete it`;
      }
      const wanted = pseudoHeaderOf(internet, transport);
      return sameSum(found, wanted)
        ? undefined
        : `the outer UDP checksum holds ${hex(found)}, the pseudo header sums to ${hex(wanted)}`;
    },
  ),
];
