// Ethernet frames for tests, with lengths and checksums right. [RFC 791, 768, 9293, 792, 8200]
import { internetChecksum } from '../../emulator/network/checksum';
import {
  fillHeaderChecksum,
  fillTransportChecksum,
  parseFrame,
  tcpFlag,
  write16,
  write32,
} from '../../emulator/network/packet';

export const broadcast = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] as const;

export interface Ends {
  readonly to: readonly number[];
  readonly from: readonly number[];
  readonly source: readonly number[];
  readonly destination: readonly number[];
}

export function ethernet(
  to: readonly number[],
  from: readonly number[],
  type: number,
  payload: Uint8Array,
): Uint8Array {
  const frame = new Uint8Array(14 + payload.length);
  frame.set(to);
  frame.set(from, 6);
  write16(frame, 12, type);
  frame.set(payload, 14);
  return frame;
}

/** The same frame with a VLAN tag. */
export function tagged(frame: Uint8Array, vlan: number): Uint8Array {
  const out = new Uint8Array(frame.length + 4);
  out.set(frame.subarray(0, 12));
  write16(out, 12, 0x8100);
  write16(out, 14, vlan);
  out.set(frame.subarray(12), 16);
  return out;
}

/** IPv4 for addresses of 4 bytes, IPv6 for 16. */
export function internet(ends: Ends, protocol: number, payload: Uint8Array): Uint8Array {
  const v6 = ends.source.length === 16;
  const headerBytes = v6 ? 40 : 20;
  const packet = new Uint8Array(headerBytes + payload.length);
  if (v6) {
    packet[0] = 0x60;
    write16(packet, 4, payload.length);
    packet[6] = protocol;
    packet[7] = 64;
    packet.set(ends.source, 8);
    packet.set(ends.destination, 24);
  } else {
    packet[0] = 0x45;
    write16(packet, 2, packet.length);
    packet[8] = 64;
    packet[9] = protocol;
    packet.set(ends.source, 12);
    packet.set(ends.destination, 16);
  }
  packet.set(payload, headerBytes);
  const frame = ethernet(ends.to, ends.from, v6 ? 0x86dd : 0x0800, packet);
  const parsed = parseFrame(frame);
  if (parsed?.internet !== undefined) {
    fillHeaderChecksum(frame, parsed.internet);
    if (parsed.transport !== undefined) fillTransportChecksum(frame, parsed.internet, parsed.transport);
  }
  return frame;
}

export function udp(ends: Ends, sourcePort: number, destinationPort: number, data: Uint8Array): Uint8Array {
  const datagram = new Uint8Array(8 + data.length);
  write16(datagram, 0, sourcePort);
  write16(datagram, 2, destinationPort);
  write16(datagram, 4, datagram.length);
  datagram.set(data, 8);
  return internet(ends, 17, datagram);
}

export interface TcpFields {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly options?: readonly number[];
}

export function tcp(ends: Ends, fields: TcpFields, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const options = fields.options ?? [];
  const segment = new Uint8Array(20 + options.length + data.length);
  write16(segment, 0, fields.sourcePort);
  write16(segment, 2, fields.destinationPort);
  write32(segment, 4, fields.sequence ?? 0);
  write32(segment, 8, fields.acknowledgement ?? 0);
  segment[12] = ((20 + options.length) / 4) << 4;
  segment[13] = fields.flags ?? tcpFlag.ACK;
  write16(segment, 14, fields.window ?? 0xffff);
  segment.set(options, 20);
  segment.set(data, 20 + options.length);
  return internet(ends, 6, segment);
}

export function echoRequest(ends: Ends, identifier: number, data: Uint8Array): Uint8Array {
  const message = new Uint8Array(8 + data.length);
  message[0] = 8;
  write16(message, 4, identifier);
  message.set(data, 8);
  write16(message, 2, internetChecksum(message));
  return internet(ends, 1, message);
}

/** Bytes that are easy to recognise. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
}
