// Reads the header of a packet that the driver sends and makes the header of one that it receives. [virtio 1.4, 5.1.9.2, 5.1.9.4]
import {
  checksumOffset,
  parseFrame,
  pseudoHeaderOf,
  tcpFlag,
  transportChecksumHolds,
  write16,
} from '../../../network/packet';
import { internetChecksum } from '../../../network/checksum';
import { hasFeature } from '../../spec/feature';
import { netFeature } from '../../spec/net';
import { gsoBit, gsoType, netHashHeader, netHeader, netHeaderFlag } from '../../spec/net-header';
import { littleEndian, readField } from '../../spec/wire-layout';
import type { PacketHash } from './hash';
import { segmentFrame } from './segment';

/** The frames that really leave, or why none does. */
export type Outgoing =
  | { readonly kind: 'frames'; readonly frames: readonly Uint8Array[] }
  | { readonly kind: 'dropped'; readonly why: string };

/** What the header of a sent packet asks, done: checksum completed, large packet cut. Flags whose feature is missing are ignored. */
export function completeOutgoing(header: Uint8Array, frame: Uint8Array, features: bigint): Outgoing {
  const field = (name: string): number => Number(readField(netHeader, name, header));
  const kind = field('gso_type') & ~gsoBit.ECN;
  const needsChecksum = (field('flags') & netHeaderFlag.NEEDS_CSUM) !== 0 && hasFeature(features, netFeature.CSUM);
  const supported = gsoFeatures.find((row) => row.type === kind);
  if (
    kind !== gsoType.NONE &&
    (supported === undefined || !supported.features.some((bit) => hasFeature(features, bit)))
  ) {
    return { kind: 'dropped', why: `gso_type ${kind} was not negotiated` };
  }
  if (kind !== gsoType.NONE) {
    const cut = segmentFrame(frame, field('gso_size'));
    return cut.kind === 'frames' ? cut : { kind: 'dropped', why: `it cannot be segmented: ${cut.why}` };
  }
  if (!needsChecksum) return { kind: 'frames', frames: [frame] };
  const start = field('csum_start');
  const at = start + field('csum_offset');
  if (at + 2 > frame.length)
    return { kind: 'dropped', why: `the checksum's place ${at} lies behind its ${frame.length} bytes` };
  const whole = frame.slice();
  const end = parseFrame(whole)?.internet?.end ?? whole.length;
  // The field holds the pseudo header's sum, so that summing over it gives the packet's checksum.
  const sum = internetChecksum(whole, start, Math.max(end, at + 2));
  write16(whole, at, sum === 0 ? 0xffff : sum);
  return { kind: 'frames', frames: [whole] };
}

const gsoFeatures: readonly { readonly type: number; readonly features: readonly number[] }[] = [
  { type: gsoType.TCPV4, features: [netFeature.HOST_TSO4] },
  { type: gsoType.TCPV6, features: [netFeature.HOST_TSO6] },
  { type: gsoType.UDP_L4, features: [netFeature.HOST_USO] },
];

/** A packet on its way to the driver: the frame and its header's fields. */
export interface Incoming {
  readonly frame: Uint8Array;
  readonly flags: number;
  readonly gsoType: number;
  readonly headerLength: number;
  readonly gsoSize: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

export interface IncomingOptions {
  /** Longest frame that goes to the driver in one piece, without the VLAN tag. */
  readonly maximumFrameBytes: number;
  /** Receive offloads in force, as feature bits. */
  readonly offloads: bigint;
}

/** A frame from outside as one packet or several, depending on what the driver takes. Empty: it is too long and cannot be cut. */
export function prepareIncoming(
  frame: Uint8Array,
  { maximumFrameBytes, offloads }: IncomingOptions,
): readonly Incoming[] {
  const packet = parseFrame(frame);
  const { internet, transport } = packet ?? {};
  const limit = maximumFrameBytes + (packet?.vlan === undefined ? 0 : 4);
  if (frame.length <= limit) return [whole(frame, offloads)];
  if (internet === undefined || transport?.kind !== 'tcp') return [];
  const headers = transport.offset + transport.headerBytes;
  const segmentBytes = limit - headers;
  if (segmentBytes < 1) return [];
  const needed = internet.version === 4 ? netFeature.GUEST_TSO4 : netFeature.GUEST_TSO6;
  const flags = frame[transport.offset + 13] ?? 0;
  const marked = (flags & (tcpFlag.CWR | tcpFlag.ECE)) !== 0;
  if (!hasFeature(offloads, needed) || (marked && !hasFeature(offloads, netFeature.GUEST_ECN))) {
    const cut = segmentFrame(frame, segmentBytes);
    return cut.kind === 'frames' ? cut.frames.map((segment) => whole(segment, offloads)) : [];
  }
  const partial = frame.slice();
  write16(partial, transport.offset + checksumOffset.tcp, pseudoHeaderOf(internet, transport));
  return [
    {
      frame: partial,
      flags: netHeaderFlag.NEEDS_CSUM,
      gsoType: (internet.version === 4 ? gsoType.TCPV4 : gsoType.TCPV6) | (marked ? gsoBit.ECN : 0),
      headerLength: headers,
      gsoSize: segmentBytes,
      checksumStart: transport.offset,
      checksumOffset: checksumOffset.tcp,
    },
  ];
}

/** A packet of ordinary size: its checksum is vouched for when the driver wants to know, and it was right. */
function whole(frame: Uint8Array, offloads: bigint): Incoming {
  const { internet, transport } = parseFrame(frame) ?? {};
  const valid =
    hasFeature(offloads, netFeature.GUEST_CSUM) &&
    internet !== undefined &&
    transport !== undefined &&
    transportChecksumHolds(frame, internet, transport);
  return {
    frame,
    flags: valid ? netHeaderFlag.DATA_VALID : 0,
    gsoType: gsoType.NONE,
    headerLength: 0,
    gsoSize: 0,
    checksumStart: 0,
    checksumOffset: 0,
  };
}

/** Header bytes for a packet that fills so many buffers. */
export function encodeHeader(
  packet: Incoming,
  bytes: number,
  buffers: number,
  hash: PacketHash | undefined,
): Uint8Array {
  const header = new Uint8Array(bytes);
  const values: Readonly<Record<string, number>> = {
    flags: packet.flags,
    gso_type: packet.gsoType,
    hdr_len: packet.headerLength,
    gso_size: packet.gsoSize,
    csum_start: packet.checksumStart,
    csum_offset: packet.checksumOffset,
    num_buffers: buffers,
    hash_value: hash?.value ?? 0,
    hash_report: hash?.report ?? 0,
  };
  for (const { name, offset, size } of netHashHeader.fields) {
    if (offset + size <= bytes) header.set(littleEndian(values[name] ?? 0, size), offset);
  }
  return header;
}
