// One line about a frame, for pictures and traces: `TCP 10.0.2.15:1024 → 10.0.2.2:80 SYN`. Never throws.
import { etherType, ipProtocol, parseFrame, read16, tcpFlag } from './packet';

export function addressText(address: Uint8Array): string {
  return address.length === 4
    ? address.join('.')
    : Array.from({ length: address.length / 2 }, (_, i) => read16(address, i * 2).toString(16))
        .join(':')
        .replace(/(^|:)0(:0)+(:|$)/, '::');
}

export function linkAddressText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

const icmpNames: Readonly<Record<number, string>> = {
  0: 'echo reply',
  3: 'destination unreachable',
  8: 'echo request',
  11: 'time exceeded',
};
const icmpv6Names: Readonly<Record<number, string>> = {
  128: 'echo request',
  129: 'echo reply',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbour solicitation',
  136: 'neighbour advertisement',
  143: 'multicast listener report',
};
const services: Readonly<Record<number, string>> = { 53: 'DNS', 67: 'DHCP', 68: 'DHCP', 69: 'TFTP' };

export function describeFrame(frame: Uint8Array): string {
  const packet = parseFrame(frame);
  if (packet === undefined) return 'no Ethernet header';
  const tag = packet.vlan === undefined ? '' : `VLAN ${packet.vlan} `;
  const { internet, transport, linkBytes } = packet;
  if (packet.etherType === etherType.arp) return tag + describeArp(frame, linkBytes);
  if (internet === undefined) return `${tag}EtherType 0x${packet.etherType.toString(16).padStart(4, '0')}`;
  const source = addressText(internet.source);
  const destination = addressText(internet.destination);
  if (transport === undefined) {
    const at = internet.offset + internet.headerBytes;
    const names = internet.protocol === ipProtocol.icmp ? icmpNames : icmpv6Names;
    const isIcmp = internet.protocol === ipProtocol.icmp || internet.protocol === ipProtocol.icmpv6;
    const type = frame[at] ?? 0;
    const kind = internet.fragment
      ? 'fragment'
      : isIcmp
        ? `ICMP ${names[type] ?? `type ${type}`}`
        : `protocol ${internet.protocol}`;
    return `${tag}${kind} ${source} → ${destination}`;
  }
  const ports = `${portText(source, transport.sourcePort)} → ${portText(destination, transport.destinationPort)}`;
  const data = Math.max(0, internet.end - transport.offset - transport.headerBytes);
  if (transport.kind === 'udp') {
    const service = services[transport.destinationPort] ?? services[transport.sourcePort];
    return `${tag}${service ?? 'UDP'} ${ports}, ${byteCount(data)}`;
  }
  const flags = Object.entries(tcpFlag).filter(([, bit]) => ((frame[transport.offset + 13] ?? 0) & bit) !== 0);
  return `${tag}TCP ${ports} ${flags.map(([name]) => name).join(' ')}${data > 0 ? `, ${byteCount(data)}` : ''}`;
}

function describeArp(frame: Uint8Array, at: number): string {
  const sender = addressText(frame.slice(at + 14, at + 18));
  const target = addressText(frame.slice(at + 24, at + 28));
  return read16(frame, at + 6) === 1 ? `ARP who has ${target}, tell ${sender}` : `ARP ${sender} is here`;
}

function portText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function byteCount(bytes: number): string {
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}
