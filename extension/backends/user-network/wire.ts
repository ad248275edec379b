// Builds the frames that the user network sends to the guest, and cuts datagrams that are longer than a frame. [RFC 791, 768, 9293, 792]
import { internetChecksum, pseudoHeaderSum } from '../../../emulator/network/checksum';
import { ethernetHeaderBytes, etherType, ipProtocol, write16, write32 } from '../../../emulator/network/packet';
import { gatewayLink } from './addresses';

/** Largest IPv4 packet to the guest. */
export const largestPacketBytes = 1500;
const ipHeaderBytes = 20;
const moreFragments = 0x2000;

export function ethernetFrame(to: ArrayLike<number>, type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ethernetHeaderBytes + payload.length);
  frame.set(to);
  frame.set(gatewayLink, 6);
  write16(frame, 12, type);
  frame.set(payload, ethernetHeaderBytes);
  return frame;
}

export interface Route {
  /** The guest's link address. */
  readonly link: ArrayLike<number>;
  readonly source: ArrayLike<number>;
  readonly destination: ArrayLike<number>;
}

/** Makes IPv4 frames and numbers them. */
export class PacketWriter {
  private identification = 0;

  /** One frame, or fragments when the payload is too long for one. `whole`: the device cuts it, being TCP. */
  internet(route: Route, protocol: number, payload: Uint8Array, whole = false): Uint8Array[] {
    this.identification = (this.identification + 1) & 0xffff;
    const room = whole ? payload.length : (largestPacketBytes - ipHeaderBytes) & ~7;
    const frames: Uint8Array[] = [];
    for (let at = 0; at === 0 || at < payload.length; at += room) {
      const part = payload.subarray(at, at + room);
      const isLast = at + part.length >= payload.length;
      frames.push(this.packet(route, protocol, part, (at >> 3) | (isLast ? 0 : moreFragments)));
    }
    return frames;
  }

  private packet({ link, source, destination }: Route, protocol: number, part: Uint8Array, offset: number): Uint8Array {
    const packet = new Uint8Array(ipHeaderBytes + part.length);
    packet[0] = 0x45;
    write16(packet, 2, packet.length);
    write16(packet, 4, this.identification);
    write16(packet, 6, offset);
    packet[8] = 64;
    packet[9] = protocol;
    packet.set(source, 12);
    packet.set(destination, 16);
    write16(packet, 10, internetChecksum(packet, 0, ipHeaderBytes));
    packet.set(part, ipHeaderBytes);
    return ethernetFrame(link, etherType.ipv4, packet);
  }

  udp(route: Route, sourcePort: number, destinationPort: number, data: Uint8Array): Uint8Array[] {
    const datagram = new Uint8Array(8 + data.length);
    write16(datagram, 0, sourcePort);
    write16(datagram, 2, destinationPort);
    write16(datagram, 4, datagram.length);
    datagram.set(data, 8);
    const sum = internetChecksum(datagram, 0, datagram.length, pseudo(route, ipProtocol.udp, datagram.length));
    // A sum of 0 means that there is none, which every receiver takes. All ones in its place mean the same as 0 [RFC 768], but a client that makes the
    // sum itself and compares, as BusyBox's for DHCP does, drops such a datagram, and drops it again each time it is sent again.
    write16(datagram, 6, sum);
    return this.internet(route, ipProtocol.udp, datagram);
  }

  /** An ICMP message: type, code, four bytes whose meaning depends on them, data. */
  icmp(route: Route, type: number, code: number, rest: number, data: Uint8Array): Uint8Array[] {
    const message = new Uint8Array(8 + data.length);
    message[0] = type;
    message[1] = code;
    write32(message, 4, rest);
    message.set(data, 8);
    write16(message, 2, internetChecksum(message));
    return this.internet(route, ipProtocol.icmp, message);
  }

  tcp(route: Route, segment: TcpSegment): Uint8Array[] {
    const options = segment.options ?? [];
    const header = 20 + options.length;
    const bytes = new Uint8Array(header + segment.data.length);
    write16(bytes, 0, segment.sourcePort);
    write16(bytes, 2, segment.destinationPort);
    write32(bytes, 4, segment.sequence);
    write32(bytes, 8, segment.acknowledgement);
    bytes[12] = (header / 4) << 4;
    bytes[13] = segment.flags;
    write16(bytes, 14, segment.window);
    bytes.set(options, 20);
    bytes.set(segment.data, header);
    write16(bytes, 16, internetChecksum(bytes, 0, bytes.length, pseudo(route, ipProtocol.tcp, bytes.length)));
    return this.internet(route, ipProtocol.tcp, bytes, true);
  }
}

export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  /** Padded to whole words. */
  readonly options?: readonly number[];
  readonly data: Uint8Array;
}

function pseudo({ source, destination }: Route, protocol: number, length: number): number {
  return pseudoHeaderSum(Uint8Array.from(source), Uint8Array.from(destination), protocol, length);
}
