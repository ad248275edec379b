// Cuts a large TCP or UDP packet into packets of one segment each, as segmentation offload asks, and recognises what may be handed over
// uncut. [virtio 1.4, 5.1.9.2; RFC 9293; RFC 768]
// Guarantees: never throws; what it makes is whole, with lengths and checksums right.
import {
  fillHeaderChecksum,
  fillTransportChecksum,
  type Packet,
  parseFrame,
  read16,
  read32,
  tcpFlag,
  write16,
  write32,
} from '../../../network/packet';

/** Most segments that one packet is cut into: 65,535 bytes of one byte each would be a flood. */
const maximumSegments = 2048;

export type Segmentation =
  | { readonly kind: 'frames'; readonly frames: readonly Uint8Array[] }
  | { readonly kind: 'impossible'; readonly why: string };

function impossible(why: string): Segmentation {
  return { kind: 'impossible', why };
}

/** @param segmentBytes payload of each segment but the last */
export function segmentFrame(frame: Uint8Array, segmentBytes: number): Segmentation {
  const packet = parseFrame(frame);
  const { internet, transport } = packet ?? {};
  if (internet === undefined || transport === undefined) return impossible('it is neither TCP nor UDP');
  if (segmentBytes < 1) return impossible('gso_size is 0');
  const start = transport.offset + transport.headerBytes;
  const payload = frame.subarray(start, internet.end);
  const count = Math.max(1, Math.ceil(payload.length / segmentBytes));
  if (count > maximumSegments) return impossible(`it would make ${count} segments, at most ${maximumSegments} are cut`);
  const frames = Array.from({ length: count }, (_, i) => {
    const data = payload.subarray(i * segmentBytes, (i + 1) * segmentBytes);
    const segment = new Uint8Array(start + data.length);
    segment.set(frame.subarray(0, start));
    segment.set(data, start);
    finishSegment(segment, packet, i, i * segmentBytes, i === count - 1);
    return segment;
  });
  return { kind: 'frames', frames };
}

/** Lengths, IPv4 identification, sequence number, flags and checksums of the segment `index`. */
function finishSegment(
  segment: Uint8Array,
  packet: Packet | undefined,
  index: number,
  dataOffset: number,
  isLast: boolean,
): void {
  const { internet, transport } = packet ?? {};
  if (internet === undefined || transport === undefined) return;
  if (internet.version === 4) {
    write16(segment, internet.offset + 2, segment.length - internet.offset);
    write16(segment, internet.offset + 4, (read16(segment, internet.offset + 4) + index) & 0xffff);
  } else write16(segment, internet.offset + 4, segment.length - internet.offset - 40);
  if (transport.kind === 'udp') write16(segment, transport.offset + 4, segment.length - transport.offset);
  else {
    write32(segment, transport.offset + 4, (read32(segment, transport.offset + 4) + dataOffset) % 2 ** 32);
    const flags = segment[transport.offset + 13] ?? 0;
    const untilLast = isLast ? 0 : tcpFlag.FIN | tcpFlag.PSH;
    const onlyFirst = index === 0 ? 0 : tcpFlag.CWR;
    segment[transport.offset + 13] = flags & ~(untilLast | onlyFirst);
  }
  const whole = { ...internet, end: segment.length };
  fillHeaderChecksum(segment, whole);
  fillTransportChecksum(segment, whole, transport);
}
