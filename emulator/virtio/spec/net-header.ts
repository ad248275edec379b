// The header before each packet of a network device, and how long it is. [virtio 1.4, 5.1.9, 5.1.9.1]
import { feature, hasFeature } from './feature';
import { netFeature } from './net';
import type { WireStructure } from './wire-layout';

/** Bits of `flags`. */
export const netHeaderFlag = { NEEDS_CSUM: 1, DATA_VALID: 2, RSC_INFO: 4, UDP_TUNNEL_CSUM: 8 } as const;
/** Values of `gso_type`, without the bits that may be added. */
export const gsoType = { NONE: 0, TCPV4: 1, UDP: 3, TCPV6: 4, UDP_L4: 5 } as const;
/** Bits that may be added to `gso_type`. */
export const gsoBit = { UDP_TUNNEL_IPV4: 0x20, UDP_TUNNEL_IPV6: 0x40, ECN: 0x80 } as const;

/** struct virtio_net_hdr with the fields that HASH_REPORT adds. */
export const netHeader: WireStructure = {
  name: 'virtio_net_hdr',
  size: 12,
  section: '5.1.9',
  fields: [
    { name: 'flags', offset: 0, type: 'u8', size: 1, meaning: 'checksum and coalescing marks' },
    { name: 'gso_type', offset: 1, type: 'u8', size: 1, meaning: 'kind of segmentation' },
    { name: 'hdr_len', offset: 2, type: 'le16', size: 2, meaning: 'length of the headers' },
    { name: 'gso_size', offset: 4, type: 'le16', size: 2, meaning: 'payload of a segment' },
    { name: 'csum_start', offset: 6, type: 'le16', size: 2, meaning: 'where checksumming begins' },
    { name: 'csum_offset', offset: 8, type: 'le16', size: 2, meaning: 'where the checksum goes' },
    { name: 'num_buffers', offset: 10, type: 'le16', size: 2, meaning: 'buffers that the packet fills' },
  ],
};
export const netHashHeader: WireStructure = {
  name: 'virtio_net_hdr',
  size: 20,
  section: '5.1.9',
  fields: [
    ...netHeader.fields,
    { name: 'hash_value', offset: 12, type: 'le32', size: 4, meaning: 'hash of the packet' },
    { name: 'hash_report', offset: 16, type: 'le16', size: 2, meaning: 'what was hashed' },
    { name: 'padding_reserved', offset: 18, type: 'le16', size: 2, meaning: 'nothing' },
  ],
};

/**
 * Bytes of the header with these negotiated features. A legacy driver's header has `num_buffers` only with MRG_RXBUF. Features that make
 * it longer still (HOST_UDP_TUNNEL_GSO, OUT_NET_HEADER, IPSEC) count too, so that a rule can say what the length should be.
 */
export function netHeaderBytes(features: bigint): number {
  if (hasFeature(features, netFeature.OUT_NET_HEADER) || hasFeature(features, netFeature.IPSEC)) return 32;
  if (hasFeature(features, netFeature.HOST_UDP_TUNNEL_GSO)) return 24;
  if (hasFeature(features, netFeature.HASH_REPORT)) return 20;
  return hasFeature(features, feature.VERSION_1) || hasFeature(features, netFeature.MRG_RXBUF) ? 12 : 10;
}
