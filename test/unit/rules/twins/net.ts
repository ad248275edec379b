// Twins for network devices: packets, receive buffers, commands. [virtio 1.4, 5.1]
import { parseFrame, pseudoHeaderOf, tcpFlag, write16 } from '../../../../emulator/network/packet';
import { NetDevice } from '../../../../emulator/virtio/device/net/net';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../../emulator/virtio/spec/net';
import { netHeaderBytes } from '../../../../emulator/virtio/spec/net-header';
import { type BenchOptions, netAddress } from '../../../driver/bench';
import { type Piece, ScriptedDriver } from '../../../driver/driver';
import { type Ends, pattern, tcp, udp } from '../../../driver/frames';
import { handOver, introduce, negotiate, storePc, type Twin } from './twin';

const {
  CSUM, GUEST_CSUM, MTU, MAC, HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_USO, MRG_RXBUF, CTRL_VQ, CTRL_RX, CTRL_RX_EXTRA, MQ, RSS, HASH_REPORT,
  GUEST_HDRLEN, HOST_UDP_TUNNEL_GSO, HOST_UDP_TUNNEL_GSO_CSUM, STANDBY, GUEST_ANNOUNCE, STATUS, GUEST_TSO4, GUEST_USO4,
  GUEST_TSO6, CTRL_GUEST_OFFLOADS, VQ_NOTF_COAL, HASH_TUNNEL, SPEED_DUPLEX,
} = netFeature; // prettier-ignore

const ends: Ends = {
  to: [0, 0, 0x0a, 0, 2, 2],
  from: [...netAddress],
  source: [10, 0, 2, 15],
  destination: [10, 0, 2, 2],
};
const small = udp(ends, 1000, 2000, pattern(60));
const large = tcp(ends, { sourcePort: 1000, destinationPort: 2000 }, pattern(3000));
const packetArea = 0x6_0000;
const receiveArea = 0x8_0000;
const receiveStride = 0x1_1000;
const receiveRooms = 7;

interface NetOptions {
  readonly pairs?: number;
  readonly mtu?: number;
  readonly announceAfter?: number;
  /** What the device offers beyond what the driver accepts. */
  readonly alsoOffered?: readonly number[];
  readonly queues?: readonly number[];
}

/** A driver of a network device: reads its address and fills its receive queues before it does what a twin is about. */
class NetDriver {
  constructor(
    readonly d: ScriptedDriver,
    readonly features: readonly number[],
    readonly options: NetOptions,
  ) {}

  get headerBytes(): number {
    return netHeaderBytes(featureSet(feature.VERSION_1, ...this.features));
  }
  start(): void {
    this.d.start();
    this.readAddress();
    for (const queue of this.d.options.queues ?? []) {
      if (queue % 2 === 0 && queue !== this.controlIndex) this.fill(queue, this.ordinaryRoom);
    }
  }
  readAddress(): void {
    if (this.features.includes(MAC)) for (let i = 0; i < 6; i++) this.d.config(i, 1);
  }
  get ordinaryRoom(): number {
    const takesLarge = this.features.some((bit) => [GUEST_TSO4, GUEST_TSO6, GUEST_USO4].includes(bit as 7));
    return (takesLarge ? 65_589 : 1514) + this.headerBytes;
  }
  get controlIndex(): number {
    return 2 * (this.features.includes(MQ) || this.features.includes(RSS) ? (this.options.pairs ?? 1) : 1);
  }
  private fills = 0;
  /** Gives one receive buffer of its own. */
  fill(queue: number, bytes: number, deviceWritable = true): bigint {
    const pc = this.d.bench.nextPc;
    const own = this.d.queue(queue);
    const address = this.d.bench.ramBase + receiveArea + (this.fills++ % receiveRooms) * receiveStride;
    const head = this.d.addChain(own, [{ address, length: bytes, deviceWritable }]);
    this.d.publish(own, head);
    this.d.notifyIfWanted(own);
    return pc;
  }
  /** Header and frame, at fixed places; the header's fields by byte offset. */
  pieces(frame: Uint8Array, fields: Readonly<Record<number, number>> = {}): readonly Piece[] {
    const at = this.d.bench.ramBase + packetArea;
    const header = new Uint8Array(this.headerBytes);
    for (const [offset, value] of Object.entries(fields)) header[Number(offset)] = value;
    this.d.bench.memory.write(at, header);
    this.d.bench.memory.write(at + 0x100, frame);
    return [
      { address: at, length: header.length },
      { address: at + 0x100, length: frame.length },
    ];
  }
  send(pieces: readonly Piece[], wrong: boolean, queue = 1): void {
    const own = this.d.queue(queue);
    handOver(this.d, own, this.d.addChain(own, pieces), wrong);
  }
  command(ofClass: number, command: number, data: readonly number[], wrong: boolean, answerBytes = 1): bigint {
    const at = this.d.bench.ramBase + packetArea;
    this.d.bench.memory.write(at, Uint8Array.of(ofClass, command, ...data));
    const pc = this.d.bench.nextPc;
    const own = this.d.queue(this.controlIndex);
    const head = this.d.addChain(own, [
      { address: at, length: 2 },
      ...(data.length === 0 ? [] : [{ address: at + 2, length: data.length }]),
      ...(answerBytes === 0 ? [] : [{ address: at + 0x1000, length: answerBytes, deviceWritable: true }]),
    ]);
    handOver(this.d, own, head, wrong);
    return pc;
  }
}

function net(
  rule: string,
  features: readonly number[],
  act: (n: NetDriver, wrong: boolean) => bigint | undefined,
  options: NetOptions = {},
): Twin {
  return {
    rule,
    bench: (): BenchOptions => {
      const offered = featureSet(...features, ...(options.alsoOffered ?? []));
      const model = new NetDevice({
        address: netAddress,
        mtu: options.mtu ?? 1500,
        pairs: options.pairs ?? 1,
        queueSize: 16,
        features: offered,
        announceAfter: options.announceAfter,
        arrivals: [],
      });
      return { own: { model, offered: offered | featureSet(feature.VERSION_1) } };
    },
    driver: {
      features: featureSet(feature.VERSION_1, ...features),
      queues: options.queues ?? (features.includes(CTRL_VQ) ? [0, 1, 2] : [0, 1]),
    },
    script: (d, wrong) => act(new NetDriver(d, features, options), wrong),
  };
}

/** One packet whose header fields or frame depend on the twin. */
function packet(
  rule: string,
  features: readonly number[],
  of: (wrong: boolean) => { readonly frame?: Uint8Array; readonly fields?: Readonly<Record<number, number>> },
  options: NetOptions = {},
): Twin {
  return net(
    rule,
    features,
    (n, wrong) => {
      n.start();
      const { frame = small, fields = {} } = of(wrong);
      n.send(n.pieces(frame, fields), wrong);
      return undefined;
    },
    options,
  );
}

/** One command whose class, number or data depends on the twin. */
function command(
  rule: string,
  features: readonly number[],
  of: (wrong: boolean) => readonly [number, number, readonly number[]],
  options: NetOptions = {},
): Twin {
  return net(
    rule,
    features,
    (n, wrong) => {
      n.start();
      n.command(...of(wrong), wrong);
      return undefined;
    },
    options,
  );
}

/** A frame whose checksum the device completes, with the header fields that say so. */
function partial(frame: Uint8Array): { frame: Uint8Array; fields: Record<number, number> } {
  const { internet, transport } = parseFrame(frame) ?? {};
  if (internet === undefined || transport === undefined) throw new Error('a frame without a transport header');
  const copy = frame.slice();
  const offset = transport.kind === 'tcp' ? 16 : 6;
  write16(copy, transport.offset + offset, pseudoHeaderOf(internet, transport));
  return { frame: copy, fields: { 0: 1, 6: transport.offset, 8: offset } };
}
/** A packet to be cut: `type` and size go into the header. */
function gso(frame: Uint8Array, type: number, more: Readonly<Record<number, number>> = {}): ReturnType<typeof partial> {
  const { frame: copy, fields } = partial(frame);
  return { frame: copy, fields: { ...fields, 1: type, 2: 54, 4: 0xe8, 5: 3, ...more } };
}
const withFlags = (flags: number): Uint8Array =>
  tcp(ends, { sourcePort: 1, destinationPort: 2, flags: tcpFlag.ACK | flags }, pattern(3000));

/** An outer UDP packet of port 4789 around an inner frame, as VXLAN wraps it. */
function tunnel(outerChecksum = 0): Uint8Array {
  const inner = tcp(ends, { sourcePort: 1, destinationPort: 2 }, pattern(1000));
  const frame = udp(ends, 4000, 4789, Uint8Array.from([...pattern(8), ...inner]));
  write16(frame, 40, outerChecksum);
  return frame;
}
/** Its header: inner TCPv4, NEEDS_CSUM for the inner header, both offsets. */
const tunnelFields = (more: Readonly<Record<number, number>> = {}): Record<number, number> => ({
  0: 1, 1: 0x21, 2: 104, 4: 200, 6: 84, 8: 16, 20: 34, 22: 64, ...more,
}); // prettier-ignore
const outerSum = (): number => {
  const { internet, transport } = parseFrame(tunnel()) ?? {};
  return internet === undefined || transport === undefined ? 0 : pseudoHeaderOf(internet, transport);
};
const tunnelFeatures = [CSUM, HOST_TSO4, HOST_TSO6, HOST_USO, HOST_UDP_TUNNEL_GSO];

const le16 = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff];
const le32 = (value: number): number[] => [...le16(value), ...le16(Math.floor(value / 0x1_0000))];
const control = [CTRL_VQ, CTRL_RX];
const multiqueue = [CTRL_VQ, MQ];
const twoPairs: NetOptions = { pairs: 2, queues: [0, 1, 2, 3, 4] };
const spreadFeatures = [CTRL_VQ, RSS];
const spread = (table: readonly number[], types = 0x3f): readonly [number, number, readonly number[]] => [
  4,
  1,
  [...le32(types), ...le16(table.length - 1), 0, 0, ...table.flatMap(le16), ...le16(2), 40, ...pattern(40)],
];

/** A feature that the twins' drivers accept or not. */
function declined(rule: string, bit: number): Twin {
  return {
    ...net(rule, [bit], () => undefined),
    driver: { features: featureSet(feature.VERSION_1, bit) },
    script: (d, wrong) => {
      const wanting = new ScriptedDriver(d.bench, { features: featureSet(feature.VERSION_1, ...(wrong ? [] : [bit])) });
      negotiate(wanting);
      return undefined;
    },
  };
}
function withoutControl(rule: string, bits: readonly number[]): Twin {
  return {
    ...net(rule, [...bits, CTRL_VQ], () => undefined),
    script: (d, wrong) => {
      const accepted = [...bits, ...(wrong ? [] : [CTRL_VQ])];
      const choosing = new ScriptedDriver(d.bench, { features: featureSet(feature.VERSION_1, ...accepted) });
      introduce(choosing);
      choosing.negotiate();
      choosing.confirmFeatures();
      return undefined;
    },
  };
}

export const netTwins: readonly Twin[] = [
  net('net.header-short', [], (n, wrong) => {
    n.start();
    const [header] = n.pieces(small);
    const pc = storePc(n.d.bench.nextPc, 'len');
    n.send([{ address: header?.address ?? 0, length: wrong ? 20 : 60 }], wrong);
    return pc;
  }),
  net('net.header-length', [], (n, wrong) => {
    n.start();
    const [header, frame] = n.pieces(small);
    const pc = storePc(n.d.bench.nextPc, 'len');
    n.send([{ address: header?.address ?? 0, length: wrong ? 10 : 12 }, frame ?? { address: 0, length: 0 }], false);
    return pc;
  }),
  net('net.transmit-writable', [], (n, wrong) => {
    n.start();
    const pieces = n.pieces(small);
    const pc = storePc(n.d.bench.nextPc, 'len', 2);
    n.send([...pieces, ...(wrong ? [{ address: n.d.buffer(), length: 8, deviceWritable: true }] : [])], false);
    return pc;
  }),
  packet('net.num-buffers-sent', [], (wrong) => ({ fields: { 10: wrong ? 1 : 0 } })),
  packet('net.flags-not-negotiated', [], (wrong) => ({ fields: { 0: wrong ? 1 : 0 } })),
  packet('net.checksum-wrong', [], (wrong) => (wrong ? { frame: partial(small).frame } : {})),
  packet('net.gso-not-negotiated', [CSUM, HOST_TSO4], (wrong) => gso(large, wrong ? 4 : 1)),
  packet('net.gso-without-checksum', [CSUM, HOST_TSO4], (wrong) => gso(large, 1, wrong ? { 0: 0 } : {})),
  packet('net.gso-size-zero', [CSUM, HOST_TSO4], (wrong) => gso(large, 1, wrong ? { 4: 0, 5: 0 } : {})),
  packet('net.header-length-inexact', [CSUM, HOST_TSO4, GUEST_HDRLEN], (wrong) =>
    gso(large, 1, { 2: wrong ? 66 : 54 }),
  ),
  packet('net.header-length-low', [CSUM, HOST_TSO4], (wrong) => gso(large, 1, { 2: wrong ? 34 : 66 })),
  packet('net.ecn-unmarked', [CSUM, HOST_TSO4, HOST_ECN], (wrong) => gso(withFlags(tcpFlag.CWR), wrong ? 1 : 0x81)),
  packet('net.ecn-not-negotiated', [CSUM, HOST_TSO4], (wrong) => gso(withFlags(wrong ? tcpFlag.CWR : 0), 1)),
  packet('net.checksum-place', [CSUM], (wrong) => {
    const { frame, fields } = partial(small);
    return { frame, fields: { ...fields, 8: wrong ? 16 : 6 } };
  }),
  packet('net.checksum-place', [CSUM], (wrong) => {
    const { frame, fields } = partial(small);
    return { frame, fields: { ...fields, ...(wrong && { 7: 0x80 }) } };
  }),
  packet('net.checksum-not-started', [CSUM], (wrong) => {
    const { frame, fields } = partial(small);
    if (wrong) write16(frame, 40, 0);
    return { frame, fields };
  }),
  packet('net.receive-only-flags', [CSUM], (wrong) => {
    const { frame, fields } = partial(small);
    return { frame, fields: { ...fields, 0: wrong ? 3 : 1 } };
  }),
  packet('net.longer-than-mtu', [MTU], (wrong) => ({ frame: udp(ends, 1, 2, pattern(wrong ? 1473 : 1472)) })),
  net('net.address-ignored', [MAC], (n, wrong) => {
    n.d.start();
    if (!wrong) n.readAddress();
    n.send(n.pieces(small), wrong);
    return undefined;
  }),
  net('net.no-receive-room', [MTU, MRG_RXBUF], (n, wrong) => {
    n.d.start();
    n.fill(0, wrong ? 1000 : 1526);
    n.send(n.pieces(small), wrong);
    return undefined;
  }),
  net(
    'net.transmit-before-pairs',
    multiqueue,
    (n, wrong) => {
      n.start();
      if (!wrong) n.command(4, 0, le16(2), false);
      n.send(n.pieces(small), wrong, 3);
      return undefined;
    },
    twoPairs,
  ),
  net(
    'net.transmit-beyond-pairs',
    multiqueue,
    (n, wrong) => {
      n.start();
      n.command(4, 0, le16(wrong ? 1 : 2), false);
      n.send(n.pieces(small), wrong, 3);
      return undefined;
    },
    twoPairs,
  ),
  packet('net.tunnel-not-negotiated', [CSUM, HOST_TSO4], (wrong) => gso(large, wrong ? 0x21 : 1)),
  packet('net.tunnel-checksum-not-negotiated', tunnelFeatures, (wrong) => ({
    frame: tunnel(wrong ? outerSum() : 0),
    fields: tunnelFields({ 0: wrong ? 9 : 1 }),
  })),
  packet('net.tunnel-both-kinds', tunnelFeatures, (wrong) => ({
    frame: tunnel(),
    fields: tunnelFields({ 1: wrong ? 0x61 : 0x21 }),
  })),
  packet('net.tunnel-fragmentation', [...tunnelFeatures, netFeature.HOST_UFO], (wrong) => ({
    frame: tunnel(),
    fields: tunnelFields({ 1: wrong ? 0x23 : 0x21 }),
  })),
  packet('net.tunnel-checksum-alone', [...tunnelFeatures, HOST_UDP_TUNNEL_GSO_CSUM], (wrong) => {
    const { frame, fields } = partial(small);
    return { frame, fields: { ...fields, 0: wrong ? 9 : 1 } };
  }),
  packet('net.tunnel-kind', tunnelFeatures, (wrong) => ({
    frame: tunnel(),
    fields: tunnelFields({ 1: wrong ? 0x41 : 0x21 }),
  })),
  packet('net.tunnel-offsets', tunnelFeatures, (wrong) => ({
    frame: tunnel(),
    fields: tunnelFields({ 20: wrong ? 42 : 34 }),
  })),
  packet('net.tunnel-outer-checksum', tunnelFeatures, (wrong) => ({
    frame: tunnel(wrong ? 0x1234 : 0),
    fields: tunnelFields(),
  })),
  packet('net.tunnel-outer-checksum', [...tunnelFeatures, HOST_UDP_TUNNEL_GSO_CSUM], (wrong) => ({
    frame: tunnel(wrong ? 0 : outerSum()),
    fields: tunnelFields({ 0: 9 }),
  })),

  net('net.receive-readable', [], (n, wrong) => {
    n.start();
    return storePc(n.fill(0, n.ordinaryRoom, !wrong), 'flags');
  }),
  net('net.receive-header-room', [MRG_RXBUF], (n, wrong) => {
    n.start();
    return storePc(n.fill(0, wrong ? 10 : 12), 'len');
  }),
  net('net.receive-header-room', [MRG_RXBUF, CTRL_VQ, HASH_REPORT], (n, wrong) => {
    n.start();
    return storePc(n.fill(0, wrong ? 12 : 20), 'len');
  }),
  net('net.receive-buffer-small', [], (n, wrong) => {
    n.start();
    return storePc(n.fill(0, wrong ? 1514 : 1526), 'len');
  }),
  net('net.receive-buffer-small', [GUEST_CSUM, GUEST_TSO4], (n, wrong) => {
    n.start();
    return storePc(n.fill(0, wrong ? 1526 : 65_601), 'len');
  }),
  net('net.config-written', [MAC], (n, wrong) => {
    n.start();
    const pc = n.d.bench.nextPc;
    if (wrong) n.d.writeConfig(0, 1, 2);
    else n.d.config(0, 1);
    return pc;
  }),
  declined('net.mac-declined', MAC),
  declined('net.mtu-declined', MTU),
  declined('net.standby-declined', STANDBY),
  withoutControl('net.hash-report-without-control', [HASH_REPORT]),
  withoutControl('net.receive-modes-without-control', [CTRL_RX_EXTRA]),

  net('net.command-framing', control, (n, wrong) => {
    n.start();
    return storePc(n.command(0, 0, [1], wrong, wrong ? 0 : 1), 'len', 1);
  }),
  command('net.command-not-negotiated', control, (wrong) => [0, wrong ? 2 : 1, [1]]),
  command('net.command-not-negotiated', [CTRL_VQ, netFeature.CTRL_VLAN], (wrong) => [
    wrong ? 1 : 2,
    0,
    wrong ? [...le32(0), ...le32(0)] : le16(5),
  ]),
  command('net.command-unknown', control, (wrong) => [wrong ? 77 : 0, 0, [1]]),
  command('net.command-length', control, (wrong) => [0, 0, wrong ? le32(1) : [1]]),
  command('net.mode-value', control, (wrong) => [0, 0, [wrong ? 0xff : 1]]),
  command('net.address-table-framing', control, (wrong) => [
    1,
    0,
    [...le32(1), ...netAddress, ...(wrong ? [] : le32(0))],
  ]),
  command('net.pairs-out-of-range', multiqueue, (wrong) => [4, 0, le16(wrong ? 0 : 2)], twoPairs),
  command('net.pairs-out-of-range', multiqueue, (wrong) => [4, 0, le16(wrong ? 3 : 2)], twoPairs),
  {
    ...command('net.pairs-not-configured', multiqueue, (wrong) => [4, 0, le16(wrong ? 2 : 1)], {
      pairs: 2,
      queues: [0, 1, 4],
    }),
  },
  net(
    'net.receive-queue-empty',
    multiqueue,
    (n, wrong) => {
      n.d.start();
      n.fill(0, n.ordinaryRoom);
      n.command(4, 0, le16(2), false);
      if (!wrong) n.fill(2, n.ordinaryRoom);
      n.send(n.pieces(small), wrong);
      return undefined;
    },
    twoPairs,
  ),
  command('net.spread-table-size', spreadFeatures, (wrong) => spread(wrong ? [0, 1, 0] : [0, 1]), twoPairs),
  command(
    'net.spread-table-long',
    spreadFeatures,
    (wrong) => spread(Array.from({ length: wrong ? 256 : 128 }, () => 1)),
    twoPairs,
  ),
  command('net.spread-queue', spreadFeatures, (wrong) => spread([0, wrong ? 2 : 1]), twoPairs),
  command('net.hash-types', spreadFeatures, (wrong) => spread([0, 1], wrong ? 0x7f : 0x3f), twoPairs),
  command('net.offload-not-negotiated', [CTRL_VQ, GUEST_CSUM, CTRL_GUEST_OFFLOADS], (wrong) => [
    5,
    0,
    [...le32(wrong ? (1 << GUEST_CSUM) | (1 << GUEST_TSO4) : 1 << GUEST_CSUM), ...le32(0)],
  ]),
  command('net.coalescing-queue', [CTRL_VQ, VQ_NOTF_COAL], (wrong) => [
    6,
    2,
    [...le16(wrong ? 2 : 1), 0, 0, ...le32(1), ...le32(1)],
  ]),
  net('net.coalescing-answer-room', [CTRL_VQ, VQ_NOTF_COAL], (n, wrong) => {
    n.start();
    n.command(6, 3, [...le16(1), 0, 0], wrong, wrong ? 1 : 9);
    return undefined;
  }),
  command('net.tunnel-types', [CTRL_VQ, RSS, HASH_TUNNEL], (wrong) => [7, 0, le32(wrong ? 4 : 0)]),
  net(
    'net.link-unread',
    [CTRL_VQ, GUEST_ANNOUNCE, STATUS, SPEED_DUPLEX],
    (n, wrong) => {
      n.start();
      n.d.bench.run(200_000);
      const source = n.d.bench.claim();
      const bits = n.d.readInterruptStatus();
      const pc = n.d.bench.nextPc;
      n.d.acknowledgeInterrupt(bits);
      n.d.config(6, 2);
      if (!wrong) {
        n.d.config(12, 4);
        n.d.config(16, 1);
      }
      n.d.bench.complete(source);
      n.command(3, 0, [], false);
      n.d.bench.run(1_100_000_000);
      n.d.bench.idle();
      return pc;
    },
    { announceAfter: 100_000 },
  ),
  net(
    'net.announce-unanswered',
    [CTRL_VQ, GUEST_ANNOUNCE, STATUS],
    (n, wrong) => {
      n.start();
      n.d.bench.run(200_000);
      n.d.config(6, 2);
      if (!wrong) n.command(3, 0, [], false);
      n.d.bench.run(1_100_000_000);
      n.d.bench.idle();
      return undefined;
    },
    { announceAfter: 100_000 },
  ),
];
