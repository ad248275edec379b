// Puts UDP datagrams of one flow that wait for the driver together into one large packet, as it allowed with GUEST_USO4 and GUEST_USO6.
// [virtio 1.4, 5.1.9.4.1; RFC 768]
// Guarantees: never throws; what is merged can be cut into exactly the datagrams that came, apart from the identification of IPv4.
import {
  checksumOffset,
  fillHeaderChecksum,
  type Packet,
  parseFrame,
  pseudoHeaderOf,
  read16,
  write16,
} from '../../../network/packet';
import { hasFeature } from '../../spec/feature';
import { netFeature } from '../../spec/net';
import { gsoType, netHeaderFlag } from '../../spec/net-header';
import type { Incoming } from './header';

/** Most datagrams in one packet, and its greatest length behind the link header: what IPv4 can say. */
const maximumSegments = 64;
const maximumPacketBytes = 65_535;

interface Datagrams {
  readonly internet: NonNullable<Packet['internet']>;
  readonly transport: NonNullable<Packet['transport']>;
  /** Where the payload begins. */
  readonly start: number;
  readonly payloadBytes: number;
}

/** The packet with `next` behind it; undefined when the two have to stay apart. `offloads` are those in force, as feature bits. */
export function mergeDatagrams(packet: Incoming, next: Incoming, offloads: bigint): Incoming | undefined {
  const first = datagramsOf(packet);
  const second = datagramsOf(next);
  if (first === undefined || second === undefined || next.gsoType !== gsoType.NONE) return undefined;
  const kind = first.internet.version === 4 ? netFeature.GUEST_USO4 : netFeature.GUEST_USO6;
  if (!hasFeature(offloads, netFeature.GUEST_CSUM) || !hasFeature(offloads, kind)) return undefined;
  // The checksum of each was found right, or else the driver would believe it of the whole. [5.1.9.4.1]
  const isMerged = packet.gsoType === gsoType.UDP_L4;
  if (!isMerged && !hasRightChecksum(packet, first)) return undefined;
  if (!hasRightChecksum(next, second) || !isSameFlow(packet.frame, first, next.frame, second)) return undefined;
  const segmentBytes = isMerged ? packet.gsoSize : first.payloadBytes;
  const isComplete = segmentBytes > 0 && first.payloadBytes % segmentBytes === 0;
  const bytes = first.start - first.internet.offset + first.payloadBytes + second.payloadBytes;
  if (!isComplete || second.payloadBytes < 1 || second.payloadBytes > segmentBytes) return undefined;
  if (first.payloadBytes / segmentBytes >= maximumSegments || bytes > maximumPacketBytes) return undefined;
  return joined(packet.frame, first, next.frame.subarray(second.start, second.internet.end), segmentBytes);
}

function datagramsOf({ frame, gsoType: kind }: Incoming): Datagrams | undefined {
  if (kind !== gsoType.NONE && kind !== gsoType.UDP_L4) return undefined;
  const { internet, transport } = parseFrame(frame) ?? {};
  if (internet === undefined || transport?.kind !== 'udp') return undefined;
  // Options and extension headers are left alone, and so are packets that may still be fragments.
  const isPlain = internet.headerBytes === (internet.version === 4 ? 20 : 40);
  if (!isPlain || (internet.version === 4 && (read16(frame, internet.offset + 6) & 0x3fff) !== 0)) return undefined;
  const start = transport.offset + transport.headerBytes;
  if (read16(frame, transport.offset + 4) !== internet.end - transport.offset) return undefined;
  return { internet, transport, start, payloadBytes: internet.end - start };
}

/** DATA_VALID was set for it, and it has a checksum at all. */
function hasRightChecksum({ frame, flags }: Incoming, { transport }: Datagrams): boolean {
  return (flags & netHeaderFlag.DATA_VALID) !== 0 && read16(frame, transport.offset + checksumOffset.udp) !== 0;
}

/** Whether all headers agree, apart from lengths, checksums and the identification of IPv4. */
function isSameFlow(a: Uint8Array, one: Datagrams, b: Uint8Array, other: Datagrams): boolean {
  if (one.start !== other.start || one.internet.version !== other.internet.version) return false;
  const { offset, version } = one.internet;
  const own = version === 4 ? [2, 3, 4, 5, 10, 11] : [4, 5];
  const differing = [...own.map((at) => offset + at), ...[4, 5, 6, 7].map((at) => one.transport.offset + at)];
  return a.subarray(0, one.start).every((byte, at) => byte === b[at] || differing.includes(at));
}

function joined(
  frame: Uint8Array,
  { internet, transport, start }: Datagrams,
  more: Uint8Array,
  size: number,
): Incoming {
  const end = internet.end + more.length;
  const whole = new Uint8Array(end);
  whole.set(frame.subarray(0, internet.end));
  whole.set(more, internet.end);
  if (internet.version === 4) write16(whole, internet.offset + 2, end - internet.offset);
  else write16(whole, internet.offset + 4, end - internet.offset - internet.headerBytes);
  write16(whole, transport.offset + 4, end - transport.offset);
  fillHeaderChecksum(whole, internet);
  write16(whole, transport.offset + checksumOffset.udp, pseudoHeaderOf({ ...internet, end }, transport));
  return {
    frame: whole,
    flags: netHeaderFlag.NEEDS_CSUM,
    gsoType: gsoType.UDP_L4,
    headerLength: start,
    gsoSize: size,
    checksumStart: transport.offset,
    checksumOffset: checksumOffset.udp,
  };
}
