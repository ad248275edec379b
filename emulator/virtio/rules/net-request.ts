// Reads a published chain of a network device as what its queue makes of it, without executing it: a packet to send, room to receive, a
// command. [virtio 1.4, 5.1.2, 5.1.9]
import type { GuestMemory } from '../../bus/memory';
import { type Packet, parseFrame } from '../../network/packet';
import type { Chain } from '../../record/events';
import { hasFeature } from '../spec/feature';
import { controlQueue, netFeature } from '../spec/net';
import { type ControlCommand, controlCommandOf } from '../spec/net-control';
import { gsoBit, netHeader, netHeaderBytes } from '../spec/net-header';
import { readField } from '../spec/wire-layout';
import { readOut, totalOf } from './chain-bytes';

export { isReadable, lastOf, totalOf } from './chain-bytes';

export type NetQueueRole = 'receive' | 'transmit' | 'control';

/** What of a device's state says what its queues are for. */
export interface NetSubject {
  readonly features: { readonly accepted: bigint };
  readonly configValues: ReadonlyMap<string, bigint>;
}

/** Pairs of queues that the driver can use with what it negotiated. */
export function usablePairs({ features: { accepted }, configValues }: NetSubject): number {
  const multiqueue = hasFeature(accepted, netFeature.MQ) || hasFeature(accepted, netFeature.RSS);
  return multiqueue ? Math.max(1, Number(configValues.get('max_virtqueue_pairs') ?? 1n)) : 1;
}

/** Undefined: no queue that the driver has a use for. */
export function roleOf(subject: NetSubject, queue: number): NetQueueRole | undefined {
  const pairs = usablePairs(subject);
  if (queue < 2 * pairs) return queue % 2 === 0 ? 'receive' : 'transmit';
  const hasControl = hasFeature(subject.features.accepted, netFeature.CTRL_VQ);
  return hasControl && queue === controlQueue(pairs, true) ? 'control' : undefined;
}

/** A packet that the driver sends. */
export interface SentPacket {
  readonly chain: Chain;
  /** Bytes that the header has to have. */
  readonly headerBytes: number;
  readonly readableBytes: number;
  readonly writableBytes: number;
  readonly flags: number;
  /** Without the bits that may be added. */
  readonly gsoType: number;
  readonly gsoBits: number;
  readonly headerLength: number;
  readonly gsoSize: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
  readonly numBuffers: number;
  /** Of the longer header for tunnels; 0 where that is not in force. */
  readonly outerTransportOffset: number;
  readonly innerNetworkOffset: number;
  readonly frame: Uint8Array;
  readonly packet: Packet | undefined;
}

export interface SentCommand {
  readonly chain: Chain;
  readonly readableBytes: number;
  readonly writableBytes: number;
  readonly controlClass: number;
  readonly command: number;
  readonly row: ControlCommand | undefined;
  /** What follows class and command. */
  readonly data: Uint8Array;
}

const packets = new WeakMap<Chain, SentPacket>();
const commands = new WeakMap<Chain, SentCommand>();

/** The packet in a chain without defects, as it stands in memory when it is first asked for. */
export function readSentPacket(chain: Chain, accepted: bigint, memory: GuestMemory): SentPacket {
  const known = packets.get(chain);
  if (known !== undefined) return known;
  const headerBytes = netHeaderBytes(accepted);
  const bytes = readOut(chain, memory);
  const field = (name: string): number => Number(readField(netHeader, name, bytes));
  const le16 = (at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  const frame = bytes.subarray(headerBytes);
  const gso = field('gso_type');
  const bits = Object.values(gsoBit).reduce<number>((all, bit) => all | bit, 0);
  const packet: SentPacket = {
    chain,
    headerBytes,
    readableBytes: totalOf(chain, false),
    writableBytes: totalOf(chain, true),
    flags: field('flags'),
    gsoType: gso & ~bits,
    gsoBits: gso & bits,
    headerLength: field('hdr_len'),
    gsoSize: field('gso_size'),
    checksumStart: field('csum_start'),
    checksumOffset: field('csum_offset'),
    numBuffers: headerBytes < 12 ? 0 : field('num_buffers'),
    outerTransportOffset: headerBytes < 24 ? 0 : le16(20),
    innerNetworkOffset: headerBytes < 24 ? 0 : le16(22),
    frame,
    packet: parseFrame(frame),
  };
  packets.set(chain, packet);
  return packet;
}

export function readSentCommand(chain: Chain, memory: GuestMemory): SentCommand {
  const known = commands.get(chain);
  if (known !== undefined) return known;
  const bytes = readOut(chain, memory);
  const [controlClass = 0, number = 0] = bytes;
  const readableBytes = totalOf(chain, false);
  const command: SentCommand = {
    chain,
    readableBytes,
    writableBytes: totalOf(chain, true),
    controlClass,
    command: number,
    row: readableBytes < 2 ? undefined : controlCommandOf(controlClass, number),
    data: bytes.subarray(2),
  };
  commands.set(chain, command);
  return command;
}
