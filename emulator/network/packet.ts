// Where the headers of an Ethernet frame lie, and writing the few fields that devices change. [IEEE 802.3, 802.1Q; RFC 791, 8200, 9293, 768]
// Guarantees: never throws, whatever the bytes; every offset that it gives lies inside the frame, and so does the header that begins there.
import { internetChecksum, pseudoHeaderSum } from './checksum';

export const etherType = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd } as const;
export const ipProtocol = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;
/** Flags of a TCP header. [RFC 9293, 3.1] */
export const tcpFlag = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32, ECE: 64, CWR: 128 } as const;

export const ethernetHeaderBytes = 14;
export const addressBytes = 6;
const vlanTagBytes = 4;

export interface InternetPart {
  readonly version: 4 | 6;
  /** From the start of the frame. */
  readonly offset: number;
  /** Extension headers of IPv6 included. */
  readonly headerBytes: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  /** Where the packet ends: shorter than the frame when that is padded. */
  readonly end: number;
  /** A fragment's part behind the first has no transport header. */
  readonly fragment: boolean;
}

export interface TransportPart {
  readonly kind: 'tcp' | 'udp';
  readonly offset: number;
  readonly headerBytes: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export interface Packet {
  readonly vlan: number | undefined;
  readonly etherType: number;
  /** Bytes before what the type names. */
  readonly linkBytes: number;
  readonly internet: InternetPart | undefined;
  readonly transport: TransportPart | undefined;
}

export function read16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
export function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value >> 8) & 0xff;
  bytes[at + 1] = value & 0xff;
}
export function read32(bytes: Uint8Array, at: number): number {
  return read16(bytes, at) * 0x1_0000 + read16(bytes, at + 2);
}
export function write32(bytes: Uint8Array, at: number, value: number): void {
  write16(bytes, at, Math.floor(value / 0x1_0000) & 0xffff);
  write16(bytes, at + 2, value & 0xffff);
}

/** Undefined when there is no whole Ethernet header. */
export function parseFrame(frame: Uint8Array): Packet | undefined {
  if (frame.length < ethernetHeaderBytes) return undefined;
  const outer = read16(frame, 12);
  const tagged = outer === etherType.vlan && frame.length >= ethernetHeaderBytes + vlanTagBytes;
  const linkBytes = ethernetHeaderBytes + (tagged ? vlanTagBytes : 0);
  const type = tagged ? read16(frame, 16) : outer;
  const internet =
    type === etherType.ipv4
      ? parseIpv4(frame, linkBytes)
      : type === etherType.ipv6
        ? parseIpv6(frame, linkBytes)
        : undefined;
  return {
    vlan: tagged ? read16(frame, 14) & 0xfff : undefined,
    etherType: type,
    linkBytes,
    internet,
    transport: internet === undefined ? undefined : parseTransport(frame, internet),
  };
}

function parseIpv4(frame: Uint8Array, offset: number): InternetPart | undefined {
  const first = frame[offset] ?? 0;
  const headerBytes = (first & 0xf) * 4;
  if (first >> 4 !== 4 || headerBytes < 20 || offset + headerBytes > frame.length) return undefined;
  const total = read16(frame, offset + 2);
  if (total < headerBytes) return undefined;
  return {
    version: 4,
    offset,
    headerBytes,
    source: frame.slice(offset + 12, offset + 16),
    destination: frame.slice(offset + 16, offset + 20),
    protocol: frame[offset + 9] ?? 0,
    end: Math.min(frame.length, offset + total),
    fragment: (read16(frame, offset + 6) & 0x1fff) !== 0,
  };
}

/** Extension headers that come before the transport header and have a length of their own. [RFC 8200, 4.1] */
const ipv6Extensions: readonly number[] = [0, 43, 60];
const ipv6Fragment = 44;
const ipv6HeaderBytes = 40;

function parseIpv6(frame: Uint8Array, offset: number): InternetPart | undefined {
  if (offset + ipv6HeaderBytes > frame.length || (frame[offset] ?? 0) >> 4 !== 6) return undefined;
  const end = Math.min(frame.length, offset + ipv6HeaderBytes + read16(frame, offset + 4));
  let protocol = frame[offset + 6] ?? 0;
  let headerBytes = ipv6HeaderBytes;
  let fragment = false;
  while (ipv6Extensions.includes(protocol) || protocol === ipv6Fragment) {
    const at = offset + headerBytes;
    if (at + 8 > end) return undefined;
    if (protocol === ipv6Fragment) fragment ||= (read16(frame, at + 2) & 0xfff8) !== 0;
    headerBytes += protocol === ipv6Fragment ? 8 : 8 * ((frame[at + 1] ?? 0) + 1);
    protocol = frame[at] ?? 0;
    if (offset + headerBytes > end) return undefined;
  }
  const source = frame.slice(offset + 8, offset + 24);
  const destination = frame.slice(offset + 24, offset + 40);
  return { version: 6, offset, headerBytes, source, destination, protocol, end, fragment };
}

function parseTransport(frame: Uint8Array, internet: InternetPart): TransportPart | undefined {
  if (internet.fragment) return undefined;
  const offset = internet.offset + internet.headerBytes;
  const isTcp = internet.protocol === ipProtocol.tcp;
  if (!isTcp && internet.protocol !== ipProtocol.udp) return undefined;
  const headerBytes = isTcp ? ((frame[offset + 12] ?? 0) >> 4) * 4 : 8;
  if (headerBytes < (isTcp ? 20 : 8) || offset + headerBytes > internet.end) return undefined;
  return {
    kind: isTcp ? 'tcp' : 'udp',
    offset,
    headerBytes,
    sourcePort: read16(frame, offset),
    destinationPort: read16(frame, offset + 2),
  };
}

/** Where the checksum field lies in a TCP or UDP header. */
export const checksumOffset = { tcp: 16, udp: 6 } as const;

/** Sum of the pseudo header of a packet with a transport header. */
export function pseudoHeaderOf({ source, destination, protocol, end }: InternetPart, transport: TransportPart): number {
  return pseudoHeaderSum(source, destination, protocol, end - transport.offset);
}

/** Writes the transport checksum of a packet, in place. A UDP sum of 0 is sent as all ones. [RFC 768] */
export function fillTransportChecksum(frame: Uint8Array, internet: InternetPart, transport: TransportPart): void {
  const at = transport.offset + checksumOffset[transport.kind];
  write16(frame, at, 0);
  const sum = internetChecksum(frame, transport.offset, internet.end, pseudoHeaderOf(internet, transport));
  write16(frame, at, sum === 0 && transport.kind === 'udp' ? 0xffff : sum);
}

/** Writes the header checksum of an IPv4 packet, in place; IPv6 has none. */
export function fillHeaderChecksum(frame: Uint8Array, internet: InternetPart): void {
  if (internet.version === 6) return;
  write16(frame, internet.offset + 10, 0);
  write16(
    frame,
    internet.offset + 10,
    internetChecksum(frame, internet.offset, internet.offset + internet.headerBytes),
  );
}

/** Whether the transport checksum of a packet is right; a UDP packet over IPv4 may do without. */
export function transportChecksumHolds(frame: Uint8Array, internet: InternetPart, transport: TransportPart): boolean {
  if (transport.kind === 'udp' && internet.version === 4 && read16(frame, transport.offset + 6) === 0) return true;
  return internetChecksum(frame, transport.offset, internet.end, pseudoHeaderOf(internet, transport)) === 0;
}

/** What follows the headers of IP. */
export function internetPayload(frame: Uint8Array, { offset, headerBytes, end }: InternetPart): Uint8Array {
  return frame.subarray(offset + headerBytes, end);
}
