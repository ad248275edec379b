// Rules of packets that a network driver sends, judged on the chain as it is published. [virtio 1.4, 5.1.9.2, 5.1.9.2.1, 5.1.4.2]
import {
  checksumOffset,
  ethernetHeaderBytes,
  pseudoHeaderOf,
  read16,
  transportChecksumHolds,
} from '../../network/packet';
import { netFeature } from '../spec/net';
import { gsoBit, gsoType, netHeaderFlag } from '../spec/net-header';
import { wholeAddress } from '../watch/net';
import { hex } from './evidence';
import {
  has,
  headersOf,
  isGso,
  isMarked,
  isLongEnough,
  isTunnel,
  isWhole,
  name,
  needsChecksum,
  packetRule,
  sameSum,
  seemsShifted,
} from './net-packet-rule';
import { lastOf } from './net-request';
import type { Rule } from './rule';

const { TCPV4, TCPV6, UDP, UDP_L4, NONE } = gsoType;
const gsoNames: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(gsoType).map(([name, type]) => [type, name]),
);
const gsoFeature: Readonly<Record<number, number>> = {
  [TCPV4]: netFeature.HOST_TSO4,
  [TCPV6]: netFeature.HOST_TSO6,
  [UDP]: netFeature.HOST_UFO,
  [UDP_L4]: netFeature.HOST_USO,
};

export const netTransmitRules: readonly Rule[] = [
  packetRule(
    {
      id: 'net.header-short',
      title: 'Driver sent a packet without a whole header',
      why: 'Each packet begins with struct virtio_net_hdr, and its length follows from the features: 12 bytes with VIRTIO_F_VERSION_1 or VIRTIO_NET_F_MRG_RXBUF, 10 without both, more with further features. It is the same for sending and receiving.',
      fix: 'Put the header in front of the Ethernet frame, as long as the negotiated features say.',
      level: 'must',
      covers: ['net.packet-transmission.driver.1'],
      blames: 'descriptor store',
    },
    (packet) =>
      isLongEnough(packet)
        ? undefined
        : [
            `only ${packet.readableBytes} device-readable bytes; header and Ethernet header have ${packet.headerBytes + ethernetHeaderBytes}`,
            packet.chain.elements[0],
          ],
  ),
  packetRule(
    {
      id: 'net.header-length',
      title: 'Driver seems to use a header of the wrong length',
      why: 'The first descriptor is exactly as long as the header would be with other features. The device takes the first bytes of the frame for header, or of the header for frame, and everything after is shifted.',
      fix: 'Take the header length from the negotiated features: num_buffers is there with VIRTIO_F_VERSION_1 also without VIRTIO_NET_F_MRG_RXBUF, and VIRTIO_NET_F_HASH_REPORT adds 8 bytes.',
      level: 'hazard',
      covers: [],
      blames: 'descriptor store',
      follows: ['net.header-short'],
    },
    (packet) => {
      const [first] = packet.chain.elements;
      if (first === undefined || !seemsShifted(packet)) return undefined;
      return [`the first descriptor has ${first.length} bytes, the header has ${packet.headerBytes}`, first];
    },
  ),
  packetRule(
    {
      id: 'net.transmit-writable',
      title: 'Driver put a device-writable buffer into a transmit queue',
      why: 'The device only reads packets; what it may write is not part of one.',
      fix: 'Clear VIRTQ_DESC_F_WRITE on the buffers of transmit queues.',
      level: 'must',
      covers: [],
      section: '5.1.9.2.1',
      blames: 'descriptor store',
    },
    ({ chain, writableBytes }) =>
      writableBytes === 0 ? undefined : [`${writableBytes} device-writable bytes`, lastOf(chain, true)],
  ),
  packetRule(
    {
      id: 'net.num-buffers-sent',
      title: 'Driver set num_buffers in a packet that it sends',
      why: 'The field counts receive buffers. In a sent packet it has to be 0.',
      fix: 'Clear the whole header before you fill it in.',
      level: 'must',
      covers: ['net.packet-transmission.driver.2'],
    },
    (packet) => (isWhole(packet) && packet.numBuffers !== 0 ? `num_buffers is ${packet.numBuffers}` : undefined),
  ),
  packetRule(
    {
      id: 'net.flags-not-negotiated',
      title: 'Driver set header flags without VIRTIO_NET_F_CSUM',
      why: 'Without the feature the device completes no checksum and flags has to be 0; the packet leaves with a wrong checksum.',
      fix: 'Accept VIRTIO_NET_F_CSUM, or compute the checksum and leave flags at 0.',
      level: 'must',
      covers: ['net.packet-transmission.driver.3'],
      follows: ['net.receive-only-flags', 'net.tunnel-checksum-not-negotiated'],
      needs: { withoutFeature: netFeature.CSUM },
    },
    (packet) => (isWhole(packet) && packet.flags !== 0 ? `flags is ${hex(packet.flags)}` : undefined),
  ),
  packetRule(
    {
      id: 'net.checksum-wrong',
      title: 'Driver sent a packet with a wrong checksum',
      why: 'Without VIRTIO_NET_F_CSUM nobody completes checksums, so the receiver will drop this packet.',
      fix: 'Compute the TCP or UDP checksum, or accept VIRTIO_NET_F_CSUM and set VIRTIO_NET_HDR_F_NEEDS_CSUM.',
      level: 'should',
      covers: ['net.packet-transmission.driver.4'],
      follows: ['net.flags-not-negotiated'],
      needs: { withoutFeature: netFeature.CSUM },
    },
    ({ frame, packet, gsoType: kind }) => {
      const { internet, transport } = packet ?? {};
      if (internet === undefined || transport === undefined || kind !== NONE) return undefined;
      return transportChecksumHolds(frame, internet, transport)
        ? undefined
        : `the ${transport.kind.toUpperCase()} checksum is ${hex(read16(frame, transport.offset + checksumOffset[transport.kind]))}, which is not that of the packet`;
    },
  ),
  packetRule(
    {
      id: 'net.gso-not-negotiated',
      title: 'Driver asked for segmentation that was not negotiated',
      why: 'The device cuts large packets only for the kinds whose feature was negotiated; it drops others or lets them out as they are.',
      fix: 'Set gso_type to VIRTIO_NET_HDR_GSO_NONE, or accept the HOST_TSO4, HOST_TSO6, HOST_UFO or HOST_USO feature that belongs to the kind.',
      level: 'must',
      covers: [
        'net.packet-transmission.driver.7',
        'net.packet-transmission.driver.9',
        'net.packet-transmission.driver.11',
        'net.packet-transmission.driver.13',
        'net.packet-transmission.driver.31',
      ],
    },
    (packet, at) => {
      if (!isGso(packet)) return undefined;
      const needed = gsoFeature[packet.gsoType];
      if (needed === undefined) return `gso_type ${packet.gsoType} is not defined`;
      return has(at, needed) ? undefined : `gso_type is ${gsoNames[packet.gsoType] ?? ''}, which needs ${name(needed)}`;
    },
  ),
  packetRule(
    {
      id: 'net.gso-without-checksum',
      title: 'Driver asked for segmentation without checksumming',
      why: 'Each segment needs a checksum of its own, which only the device can compute.',
      fix: 'Set VIRTIO_NET_HDR_F_NEEDS_CSUM whenever gso_type is not VIRTIO_NET_HDR_GSO_NONE.',
      level: 'must',
      covers: ['net.packet-transmission.driver.32'],
      follows: ['net.gso-not-negotiated'],
    },
    (packet) =>
      isGso(packet) && (packet.flags & netHeaderFlag.NEEDS_CSUM) === 0
        ? `gso_type is ${gsoNames[packet.gsoType] ?? packet.gsoType} and flags is ${hex(packet.flags)}`
        : undefined,
  ),
  packetRule(
    {
      id: 'net.gso-size-zero',
      title: 'Driver asked for segmentation into empty segments',
      why: 'The field gives the payload of a segment. With 0 the device cannot cut the packet.',
      fix: 'Set gso_size to the maximum segment size of the connection.',
      level: 'must',
      covers: ['net.packet-transmission.driver.33'],
      follows: ['net.gso-not-negotiated'],
    },
    (packet) => (isGso(packet) && packet.gsoSize === 0 ? 'gso_size is 0' : undefined),
  ),
  packetRule(
    {
      id: 'net.header-length-inexact',
      title: 'Driver gave a header length that is not exact',
      why: 'With VIRTIO_NET_F_GUEST_HDRLEN the device copies exactly hdr_len bytes in front of each segment.',
      fix: 'Set hdr_len to the bytes up to and including the transport header.',
      level: 'must',
      covers: ['net.packet-transmission.driver.34'],
      follows: ['net.gso-not-negotiated'],
      needs: { feature: netFeature.GUEST_HDRLEN },
    },
    (packet) => {
      const headers = headersOf(packet);
      return isGso(packet) && !isTunnel(packet) && headers !== undefined && packet.headerLength !== headers
        ? `hdr_len is ${packet.headerLength}, the headers have ${headers} bytes`
        : undefined;
    },
  ),
  packetRule(
    {
      id: 'net.header-length-low',
      title: 'Driver gave a header length below that of the headers',
      why: 'The field tells the device how much of a large packet belongs to every segment. It is judged only where a packet is to be cut, because otherwise nobody looks at it.',
      fix: 'Set hdr_len to the bytes up to and including the transport header, or more.',
      level: 'should',
      covers: ['net.packet-transmission.driver.35'],
      follows: ['net.gso-not-negotiated'],
      needs: { withoutFeature: netFeature.GUEST_HDRLEN },
    },
    (packet) => {
      const headers = headersOf(packet);
      return isGso(packet) && !isTunnel(packet) && headers !== undefined && packet.headerLength < headers
        ? `hdr_len is ${packet.headerLength}, the headers have ${headers} bytes`
        : undefined;
    },
  ),
  packetRule(
    {
      id: 'net.ecn-unmarked',
      title: 'Driver did not mark a large packet with congestion notification',
      why: 'Only the first segment may carry the mark; the device clears it in the others when gso_type has VIRTIO_NET_HDR_GSO_ECN.',
      fix: 'Set VIRTIO_NET_HDR_GSO_ECN in gso_type when the TCP header has CWR.',
      level: 'must',
      covers: ['net.packet-transmission.driver.15'],
      needs: { feature: netFeature.HOST_ECN },
    },
    (packet) =>
      isGso(packet) && isMarked(packet) && (packet.gsoBits & gsoBit.ECN) === 0
        ? 'the TCP header has CWR and gso_type lacks VIRTIO_NET_HDR_GSO_ECN'
        : undefined,
  ),
  packetRule(
    {
      id: 'net.ecn-not-negotiated',
      title: 'Driver asked to cut a packet with congestion notification without VIRTIO_NET_F_HOST_ECN',
      why: 'A device without the feature repeats the mark in every segment, and the receiver takes it for several.',
      fix: 'Cut such packets in the driver, or accept VIRTIO_NET_F_HOST_ECN.',
      level: 'should',
      covers: ['net.packet-transmission.driver.14'],
      follows: ['net.gso-not-negotiated'],
      needs: { withoutFeature: netFeature.HOST_ECN },
    },
    (packet) => {
      if (!isGso(packet)) return undefined;
      if ((packet.gsoBits & gsoBit.ECN) !== 0) return 'gso_type has VIRTIO_NET_HDR_GSO_ECN';
      return isMarked(packet) ? 'the TCP header has CWR' : undefined;
    },
  ),
  packetRule(
    {
      id: 'net.checksum-place',
      title: 'Driver told the wrong place for a checksum',
      why: 'The device sums from csum_start to the end and stores the result csum_offset bytes behind csum_start. Elsewhere it destroys two bytes of the packet, and the checksum stays wrong.',
      fix: 'Let csum_start be the offset of the TCP or UDP header from the start of the frame, without virtio_net_hdr, and csum_offset 16 for TCP, 6 for UDP.',
      level: 'must',
      covers: ['net.packet-transmission.driver.30'],
      follows: ['net.flags-not-negotiated'],
    },
    (packet) => {
      if (!needsChecksum(packet)) return undefined;
      const at = packet.checksumStart + packet.checksumOffset;
      if (at + 2 > packet.frame.length)
        return `the checksum's place ${at} lies behind the packet's ${packet.frame.length} bytes`;
      const transport = packet.packet?.transport;
      // What lies behind the transport header may be an inner packet, whose checksum it is.
      if (transport === undefined || packet.checksumStart >= transport.offset + transport.headerBytes) return undefined;
      const offset = checksumOffset[transport.kind];
      return packet.checksumStart === transport.offset && packet.checksumOffset === offset
        ? undefined
        : `csum_start is ${packet.checksumStart} and csum_offset ${packet.checksumOffset}, the ${transport.kind.toUpperCase()} header is at ${transport.offset} and its checksum ${offset} bytes in`;
    },
  ),
  packetRule(
    {
      id: 'net.checksum-not-started',
      title: 'Driver did not begin the checksum that the device completes',
      why: 'The device sums over the field as it finds it. It has to hold the sum of the pseudo header, or addresses and length are missing from the result.',
      fix: "Store the ones' complement sum of the pseudo header (not its complement) in the checksum field.",
      level: 'must',
      covers: ['net.packet-transmission.driver.29'],
      follows: ['net.checksum-place', 'net.flags-not-negotiated'],
    },
    (packet) => {
      const { internet, transport } = packet.packet ?? {};
      if (!needsChecksum(packet) || internet === undefined || transport === undefined) return undefined;
      if (packet.checksumStart !== transport.offset || packet.checksumOffset !== checksumOffset[transport.kind])
        return undefined;
      const found = read16(packet.frame, packet.checksumStart + packet.checksumOffset);
      const wanted = pseudoHeaderOf(internet, transport);
      return sameSum(found, wanted)
        ? undefined
        : `the checksum field holds ${hex(found)}, the pseudo header sums to ${hex(wanted)}`;
    },
  ),
  packetRule(
    {
      id: 'net.receive-only-flags',
      title: 'Driver set flags that only the device sets',
      why: 'VIRTIO_NET_HDR_F_DATA_VALID and VIRTIO_NET_HDR_F_RSC_INFO tell of received packets and mean nothing in sent ones.',
      fix: 'Clear the header before you fill it in; do not send a received header back.',
      level: 'must',
      covers: ['net.packet-transmission.driver.45', 'net.packet-transmission.driver.46'],
    },
    (packet) => {
      const wrong = packet.flags & (netHeaderFlag.DATA_VALID | netHeaderFlag.RSC_INFO);
      return isWhole(packet) && wrong !== 0 ? `flags is ${hex(packet.flags)}` : undefined;
    },
  ),
  packetRule(
    {
      id: 'net.longer-than-mtu',
      title: 'Driver sent a packet longer than the MTU',
      why: 'This is the largest packet that the network takes. Only packets that the device cuts may be longer.',
      fix: 'Keep packets, without the Ethernet header, within mtu.',
      level: 'must',
      covers: ['net.config.driver.9'],
      section: '5.1.4.2',
      needs: { feature: netFeature.MTU },
    },
    (packet, at) => {
      const mtu = at.device.configValues.get('mtu');
      if (!isWhole(packet) || packet.gsoType !== NONE || mtu === undefined) return undefined;
      const limit = Number(mtu) + (packet.packet?.linkBytes ?? ethernetHeaderBytes);
      return packet.frame.length > limit
        ? `the frame has ${packet.frame.length} bytes, with mtu ${mtu} at most ${limit}`
        : undefined;
    },
  ),
  packetRule(
    {
      id: 'net.address-ignored',
      title: 'Driver sent packets without having read its address',
      why: 'The device gives the address of the interface in mac. With another one answers do not find their way.',
      fix: 'Read the six bytes of mac when VIRTIO_NET_F_MAC is negotiated.',
      level: 'must',
      covers: ['net.config.driver.3'],
      section: '5.1.4.2',
      once: true,
      needs: { feature: netFeature.MAC },
    },
    (_packet, at) =>
      (at.device.net.addressRead & wholeAddress) === wholeAddress
        ? undefined
        : 'not all six bytes of mac were ever read',
  ),
  packetRule(
    {
      id: 'net.no-receive-room',
      title: 'Driver sent packets without room for one to come in',
      why: 'With VIRTIO_NET_F_MTU the driver has to supply buffers for at least one packet of that size; what does not fit is dropped.',
      fix: 'Fill the receive queue before you send: one buffer of mtu and both headers, or several with VIRTIO_NET_F_MRG_RXBUF.',
      level: 'must',
      covers: ['net.config.driver.8'],
      section: '5.1.4.2',
      once: true,
      needs: { feature: netFeature.MTU },
    },
    ({ headerBytes }, at) => {
      const needed = Number(at.device.configValues.get('mtu') ?? 0n) + ethernetHeaderBytes + headerBytes;
      const { largestRoom, totalRoom } = at.device.net;
      const room = has(at, netFeature.MRG_RXBUF) ? totalRoom : largestRoom;
      return room >= needed
        ? undefined
        : `the receive buffers had room for ${room} bytes, a packet of size mtu needs ${needed}`;
    },
  ),
  packetRule(
    {
      id: 'net.transmit-before-pairs',
      title: 'Driver sent on a further transmit queue before it asked for it',
      why: 'After a reset only the first pair of queues is in use.',
      fix: 'Send VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET first, and use transmitq1 until then.',
      level: 'must',
      covers: ['net.control-virtqueue.automatic-receive-steering-in-multiqueue-mode.driver.3'],
      section: '5.1.9.5.6.1',
    },
    (_packet, at, fact) =>
      fact.queue > 1 && at.device.net.pairs === undefined
        ? `transmitq${(fact.queue >> 1) + 1} is used, no number of pairs was ever set`
        : undefined,
  ),
  packetRule(
    {
      id: 'net.transmit-beyond-pairs',
      title: 'Driver sent on a transmit queue that is not in use',
      why: 'The device serves only as many pairs as the last command asked for.',
      fix: 'Choose a transmit queue below virtqueue_pairs.',
      level: 'must',
      covers: ['net.control-virtqueue.automatic-receive-steering-in-multiqueue-mode.driver.4'],
      section: '5.1.9.5.6.1',
    },
    (_packet, at, fact) => {
      const { pairs } = at.device.net;
      return pairs !== undefined && fact.queue > 1 && fact.queue >> 1 >= pairs
        ? `transmitq${(fact.queue >> 1) + 1} is used, ${pairs} pairs were asked for`
        : undefined;
    },
  ),
  packetRule(
    {
      id: 'net.receive-queue-empty',
      title: 'Driver sends while a receive queue in use was never filled',
      why: 'After VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET the device may steer packets to each of the pairs. What it steers to a queue without buffers is lost.',
      fix: 'Fill every receive queue that is in use before the interface goes up.',
      level: 'should',
      covers: ['net.setting-up-receive-buffers.driver.5'],
      section: '5.1.9.3.1',
      once: true,
      follows: ['net.pairs-out-of-range', 'net.pairs-not-configured'],
      needs: { feature: netFeature.MQ },
    },
    (_packet, at) => {
      const { pairs } = at.device.net;
      const used = at.device.queues.slice(0, 2 * (pairs ?? 0)).filter(({ index }) => index % 2 === 0);
      const empty = used.find((queue) => queue.ready && queue.lastPublish === undefined);
      return empty === undefined
        ? undefined
        : `${pairs ?? 0} pairs are in use, and receive queue ${empty.index} has no buffers`;
    },
  ),
];
