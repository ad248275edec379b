// The Toeplitz hash of a packet, and the queue that it leads to. [virtio 1.4, 5.1.9.4.3, 5.1.9.5.7]
import { parseFrame, type InternetPart } from '../../../network/packet';
import { hashReport, hashType, rssKeyBytes } from '../../spec/net-control';

/** What the driver configured. Plain data. */
export interface HashSettings {
  readonly types: number;
  readonly key: Uint8Array;
}
export interface SpreadSettings extends HashSettings {
  /** Pairs of queues, by `hash & (table.length - 1)`. */
  readonly table: readonly number[];
  readonly unclassified: number;
}

export interface PacketHash {
  readonly value: number;
  readonly report: number;
}

/** Every type that is computed, as a bit set. */
export const supportedHashTypes = Object.values(hashType).reduce<number>((bits, bit) => bits | (1 << bit), 0);

const none: PacketHash = { value: 0, report: hashReport.NONE };

/** The first type in this order that is enabled and fits the packet counts. */
export function hashOf(frame: Uint8Array, { types, key }: HashSettings): PacketHash {
  const { internet, transport } = parseFrame(frame) ?? {};
  if (internet === undefined) return none;
  const version = internet.version === 4 ? 'IPv4' : 'IPv6';
  if (transport !== undefined) {
    const kind =
      transport.kind === 'tcp'
        ? (`TCP${version.slice(2)}` as 'TCPv4' | 'TCPv6')
        : (`UDP${version.slice(2)}` as 'UDPv4' | 'UDPv6');
    if ((types & (1 << hashType[kind])) !== 0) {
      const ports = frame.subarray(transport.offset, transport.offset + 4);
      return { value: toeplitz(key, addresses(internet, ports)), report: hashReport[kind] };
    }
  }
  if ((types & (1 << hashType[version])) === 0) return none;
  return { value: toeplitz(key, addresses(internet, new Uint8Array(0))), report: hashReport[version] };
}

/** The pair of queues that a packet belongs to. */
export function spread(hash: PacketHash, { table, unclassified }: SpreadSettings): number {
  if (hash.report === hashReport.NONE) return unclassified;
  return table[hash.value & (table.length - 1)] ?? unclassified;
}

function addresses({ source, destination }: InternetPart, ports: Uint8Array): Uint8Array {
  const input = new Uint8Array(source.length + destination.length + ports.length);
  input.set(source);
  input.set(destination, source.length);
  input.set(ports, source.length + destination.length);
  return input;
}

/** XOR of the 32-bit windows of the key that begin at each set bit of the input. The key counts as padded with zeroes. */
export function toeplitz(key: Uint8Array, input: Uint8Array): number {
  let window = (((key[0] ?? 0) << 24) | ((key[1] ?? 0) << 16) | ((key[2] ?? 0) << 8) | (key[3] ?? 0)) >>> 0;
  let hash = 0;
  for (const [i, byte] of input.entries()) {
    const next = i + 4 < Math.min(key.length, rssKeyBytes) ? (key[i + 4] ?? 0) : 0;
    for (let bit = 7; bit >= 0; bit--) {
      if (((byte >> bit) & 1) !== 0) hash ^= window;
      window = ((window << 1) | ((next >> bit) & 1)) >>> 0;
    }
  }
  return hash >>> 0;
}
