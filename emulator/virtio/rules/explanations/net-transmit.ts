// Explanations of the rules about packets that a driver sends. [virtio 1.4, 5.1.4.2, 5.1.9.2, 5.1.9.5.6.1]
// `header` is the struct virtio_net_hdr in front of a frame; header_length() follows from the negotiated features.
import type { ExplanationTable } from './explanation';

const plain = `memset(header, 0, header_length());
publish(transmit, readable(header, header_length()), readable(frame, length));`;

const cut = `header->flags = NEEDS_CSUM;
header->gso_type = GSO_TCPV4;
header->gso_size = mss;
header->hdr_len = 14 + 20 + 20;
header->csum_start = 14 + 20;
header->csum_offset = 16;`;

const tunnel = `header->gso_type = GSO_TCPV4 | GSO_UDP_TUNNEL_IPV4;
header->outer_th_offset = 14 + 20;
header->inner_nh_offset = 14 + 20 + 8 + 8 + 14; /* VXLAN */`;

export const netTransmitExplanations: ExplanationTable = {
  'net.header-short': {
    demanded: 'A packet begins with a whole struct virtio_net_hdr, in one descriptor or in several.',
    hardware:
      'QEMU breaks the device with “virtio-net header incorrect”; vhost-net drops the packet and writes a line into the host’s log that no guest sees.',
    wrong: `publish(transmit, readable(frame, length));`,
    right: plain,
  },
  'net.header-length': {
    demanded:
      'The header is as long as the features say: 12 bytes on every modern device, 10 only on legacy ones without mergeable buffers.',
    hardware:
      'With 10 bytes a modern device takes the first two bytes of the Ethernet address for num_buffers. Frames leave shifted by two, every switch drops them, and receiving seems to be broken as well.',
    wrong: `header_bytes = accepted & NET_F_MRG_RXBUF ? 12 : 10;`,
    right: `header_bytes = accepted & (F_VERSION_1 | NET_F_MRG_RXBUF) ? 12 : 10;`,
  },
  'net.transmit-writable': {
    demanded: 'All descriptors of a packet to send are device-readable.',
    hardware: 'QEMU sees a packet without a header and breaks the device; other devices send what is left of it.',
    wrong: `desc[i].flags = WRITE; /* left over from the receive queue */`,
    right: `desc[i].flags = 0;`,
  },
  'net.num-buffers-sent': {
    demanded: 'In packets that are sent num_buffers is 0.',
    hardware: 'Devices of today ignore the field on this way; one that gives it a meaning would not.',
    wrong: `header->num_buffers = 1;`,
    right: plain,
  },
  'net.flags-not-negotiated': {
    demanded: 'Without VIRTIO_NET_F_CSUM the flags of a sent packet are 0.',
    hardware:
      'The device passes the frame on as it is, with half a checksum. On a bridge inside one host nobody checks, and all works; through a real network card the peer drops it.',
    wrong: `header->flags = NEEDS_CSUM;`,
    right: `header->flags = accepted & NET_F_CSUM ? NEEDS_CSUM : 0;
if (header->flags == 0) complete_checksum(frame);`,
  },
  'net.checksum-wrong': {
    demanded: 'Without VIRTIO_NET_F_CSUM the driver hands over packets whose checksums are complete.',
    hardware:
      'The receiver counts a checksum error and waits for a repetition, which is as wrong. Peers on the same host are often told that the checksum was verified, so the mistake waits for the first remote one.',
    wrong: `tcp->checksum = 0; /* the device will see to it */`,
    right: `tcp->checksum = 0;
tcp->checksum = checksum(pseudo_header_sum(ip), tcp, length);`,
  },
  'net.gso-not-negotiated': {
    demanded: 'The driver asks for segmentation only of the kinds whose HOST feature was negotiated.',
    hardware:
      'A frame of 60,000 bytes arrives at something that takes 1,514. A tap interface refuses it, a card may hang its queue; small transfers never show it.',
    wrong: `header->gso_type = GSO_TCPV4;`,
    right: `header->gso_type = accepted & NET_F_HOST_TSO4 ? GSO_TCPV4 : GSO_NONE;`,
  },
  'net.gso-without-checksum': {
    demanded: 'A packet that is to be cut carries VIRTIO_NET_HDR_F_NEEDS_CSUM.',
    hardware:
      'Linux hosts guess where the transport header begins and mostly succeed; hardware repeats one checksum in all segments, and all but one of them are dropped.',
    wrong: `header->gso_type = GSO_TCPV4;
header->gso_size = mss;`,
    right: cut,
  },
  'net.gso-size-zero': {
    demanded: 'With a gso_type other than NONE, gso_size gives the payload of a segment and is not 0.',
    hardware: 'A Linux host rejects the packet with EINVAL, unseen by the guest; other devices divide by it.',
    wrong: `header->gso_type = GSO_TCPV4; /* gso_size stays 0 */`,
    right: cut,
  },
  'net.header-length-inexact': {
    demanded: 'With VIRTIO_NET_F_GUEST_HDRLEN hdr_len is exactly the length of all headers.',
    hardware:
      'Devices with the feature no longer parse the packet. Options of TCP that were not counted go once, into the first segment, as payload.',
    wrong: `header->hdr_len = 14 + 20 + 20; /* TCP without options */`,
    right: `header->hdr_len = 14 + ip_header_bytes + tcp->data_offset * 4;`,
  },
  'net.header-length-low': {
    demanded: 'The hint hdr_len reaches at least to the end of the headers.',
    hardware:
      'Most devices parse the headers themselves. One that trusts the hint copies so many bytes into its linear part and finds half a TCP header there.',
    wrong: `header->hdr_len = 14;`,
    right: cut,
  },
  'net.ecn-unmarked': {
    demanded: 'When a packet to be cut has CWR set in its TCP header, gso_type has VIRTIO_NET_HDR_GSO_ECN.',
    hardware:
      'The device repeats CWR in every segment. The receiver believes in as many reductions of the window; throughput falls on congested paths only.',
    wrong: `header->gso_type = GSO_TCPV4;`,
    right: `header->gso_type = GSO_TCPV4 | (tcp->cwr ? GSO_ECN : 0);`,
  },
  'net.ecn-not-negotiated': {
    demanded: 'Packets with congestion marks are cut by the device only with VIRTIO_NET_F_HOST_ECN.',
    hardware: 'Devices without it either drop the packet for an unknown gso_type or repeat the mark.',
    wrong: `header->gso_type = GSO_TCPV4 | GSO_ECN;`,
    right: `if (tcp->cwr && !(accepted & NET_F_HOST_ECN)) return send_in_segments(packet);`,
  },
  'net.checksum-place': {
    demanded: 'The field csum_start is where the transport header begins, csum_offset where its checksum lies.',
    hardware:
      'Linux hosts reject places outside the packet and trust the rest: two bytes of payload change on their way. A frame with a VLAN tag, four bytes longer, is the classic case.',
    wrong: `header->csum_start = sizeof(*header) + 14 + 20;`,
    right: `header->csum_start = ethernet_header_bytes(frame) + ip_header_bytes;
header->csum_offset = protocol == TCP ? 16 : 6;`,
  },
  'net.checksum-not-started': {
    demanded: 'The checksum field of such a packet holds the sum of the pseudo header.',
    hardware:
      'Every device that completes checksums adds to what it finds. The result is wrong by the addresses, always; it passes only where nobody checks, between guests of one host.',
    wrong: `tcp->checksum = 0;
header->flags = NEEDS_CSUM;`,
    right: `tcp->checksum = fold(pseudo_header_sum(ip)); /* not inverted */
header->flags = NEEDS_CSUM;`,
  },
  'net.receive-only-flags': {
    demanded: 'VIRTIO_NET_HDR_F_DATA_VALID and VIRTIO_NET_HDR_F_RSC_INFO are not set by drivers.',
    hardware:
      'A router that sends received buffers on with their headers sets them. Devices may drop the packet or trust a checksum that nobody verified.',
    wrong: `publish(transmit, readable(received, bytes)); /* header and all */`,
    right: `memset(received, 0, header_length());
publish(transmit, readable(received, bytes));`,
  },
  'net.longer-than-mtu': {
    demanded: 'With VIRTIO_NET_F_MTU packets that are not cut stay within mtu.',
    hardware:
      'Cloud networks carry packets inside packets and give an mtu of 1,450 or so. Larger ones vanish: ping works, a web page does not.',
    wrong: `interface->mtu = 1500;`,
    right: `interface->mtu = accepted & NET_F_MTU ? read_config16(MTU) : 1500;`,
  },
  'net.address-ignored': {
    demanded: 'With VIRTIO_NET_F_MAC the address in mac is the address of the interface.',
    hardware:
      'A user-mode network answers any address, so a made-up one works at the desk. Cloud switches drop frames whose source they did not assign.',
    wrong: `static const uint8_t address[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };`,
    right: `for (i = 0; i < 6; i++) address[i] = read_config8(MAC + i);`,
  },
  'net.no-receive-room': {
    demanded: 'With VIRTIO_NET_F_MTU the receive queue can take a packet of that size before anything is sent.',
    hardware:
      'The answer is faster than the driver: QEMU keeps a packet for a moment, a card drops it. The first ARP request is lost, and the interface comes up a second late or never.',
    wrong: `send_arp();
fill_receive_queue();`,
    right: `fill_receive_queue();
notify(receive);
send_arp();`,
  },
  'net.transmit-before-pairs': {
    demanded: 'Until VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET was answered only the first pair is used.',
    hardware:
      'QEMU has the further queues switched off and takes nothing from them: whatever one processor sends stays there.',
    wrong: `queue = transmit[this_processor];`,
    right: `set_queue_pairs(processors);
queue = transmit[this_processor];`,
  },
  'net.transmit-beyond-pairs': {
    demanded: 'Packets are sent on queues of the pairs that are in use.',
    hardware: 'The rest is switched off. After a processor was taken offline its flows hang, and no other.',
    wrong: `queue = transmit[hash % max_pairs];`,
    right: `queue = transmit[hash % pairs_in_use];`,
  },
  'net.receive-queue-empty': {
    demanded: 'Each receive queue in use has buffers when traffic begins.',
    hardware:
      'The device chooses the queue, by flow. One connection in four stands still, always the same while it lasts, and works when it is opened anew.',
    wrong: `fill(receive[0]);
set_queue_pairs(4);`,
    right: `for (i = 0; i < 4; i++) fill(receive[i]);
set_queue_pairs(4);`,
  },
  'net.tunnel-not-negotiated': {
    demanded: 'Bits of gso_type for inner packets are set only with VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO.',
    hardware: 'Older hosts know nothing of inner packets: an unknown gso_type drops the packet.',
    wrong: `header->gso_type |= GSO_UDP_TUNNEL_IPV4;`,
    right: `if (!(accepted & NET_F_HOST_UDP_TUNNEL_GSO)) return send_in_segments(packet);
header->gso_type |= GSO_UDP_TUNNEL_IPV4;`,
  },
  'net.tunnel-checksum-not-negotiated': {
    demanded: 'VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM needs VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM.',
    hardware:
      'Segments leave with an outer checksum that holds a pseudo header only; the far end of the tunnel drops them all.',
    wrong: `header->flags |= UDP_TUNNEL_CSUM;`,
    right: `if (accepted & NET_F_HOST_UDP_TUNNEL_GSO_CSUM) header->flags |= UDP_TUNNEL_CSUM;
else outer_udp->checksum = 0;`,
  },
  'net.tunnel-both-kinds': {
    demanded: 'At most one bit for the kind of inner packet is set.',
    hardware: 'The device takes one of the two header lengths, or refuses the packet.',
    wrong: `header->gso_type |= GSO_UDP_TUNNEL_IPV4;
if (inner_is_ipv6) header->gso_type |= GSO_UDP_TUNNEL_IPV6;`,
    right: `header->gso_type |= inner_is_ipv6 ? GSO_UDP_TUNNEL_IPV6 : GSO_UDP_TUNNEL_IPV4;`,
  },
  'net.tunnel-fragmentation': {
    demanded: 'Inside a tunnel VIRTIO_NET_HDR_GSO_UDP is not used.',
    hardware: 'No device fragments inner packets: it drops them.',
    wrong: `header->gso_type = GSO_UDP | GSO_UDP_TUNNEL_IPV4;`,
    right: `header->gso_type = GSO_UDP_L4 | GSO_UDP_TUNNEL_IPV4;`,
  },
  'net.tunnel-checksum-alone': {
    demanded: 'VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM comes only with a bit for the inner packet.',
    hardware: 'Without it nothing says where the outer header is; the device ignores the flag or drops the packet.',
    wrong: `header->flags |= UDP_TUNNEL_CSUM;
header->gso_type = GSO_TCPV4;`,
    right: `header->flags |= UDP_TUNNEL_CSUM;
${tunnel}`,
  },
  'net.tunnel-kind': {
    demanded: 'The bit names the version of the inner packet, not of the outer one.',
    hardware:
      'The device looks for an IPv4 header of 20 bytes in an IPv6 packet, and cuts in the middle of an address.',
    wrong: `header->gso_type |= outer_is_ipv6 ? GSO_UDP_TUNNEL_IPV6 : GSO_UDP_TUNNEL_IPV4;`,
    right: `header->gso_type |= inner_is_ipv6 ? GSO_UDP_TUNNEL_IPV6 : GSO_UDP_TUNNEL_IPV4;`,
  },
  'net.tunnel-offsets': {
    demanded:
      'The field outer_th_offset is the place of the outer UDP header, inner_nh_offset that of the inner IP header.',
    hardware:
      'The device writes lengths and checksums of each segment at these places. Elsewhere it damages the packet, or refuses it.',
    wrong: `header->outer_th_offset = 20; /* counted from the IP header */`,
    right: tunnel,
  },
  'net.tunnel-outer-checksum': {
    demanded: 'The outer UDP checksum is 0, or holds the pseudo header’s sum and is left to the device.',
    hardware:
      'A checksum over the large packet fits none of its segments. IPv6 receivers drop them, IPv4 receivers too unless the field is 0.',
    wrong: `outer_udp->checksum = checksum(outer_sum, outer_udp, whole_length);`,
    right: `outer_udp->checksum = 0;`,
  },
};
