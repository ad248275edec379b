// Bugs of network drivers: header lengths, receive buffers, configuration fields. [virtio 1.4, 5.1]
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../emulator/virtio/spec/net';
import { usedOffset } from '../../../emulator/virtio/spec/split-ring';
import { netAddress, netDevice } from '../../driver/bench';
import type { DriverOptions, Piece, ScriptedDriver } from '../../driver/driver';
import { type Ends, pattern, udp } from '../../driver/frames';
import { LegacyMmioDriver } from '../../driver/legacy-driver';
import { longTime } from '../../unit/rules/twins/waiting';
import type { Detection } from './detection';

const { MAC, MTU, MRG_RXBUF, GUEST_CSUM, GUEST_TSO4 } = netFeature;
const ends: Ends = {
  to: [0, 0, 0x0a, 0, 2, 2],
  from: [...netAddress],
  source: [10, 0, 2, 15],
  destination: [10, 0, 2, 2],
};

/** Features that would oblige the driver to more than the script is about. */
const plain = featureSet(MAC, MTU);
const bothQueues: DriverOptions = { queues: [0, 1] };
const ordinaryRoom = 1526;

function fill(d: ScriptedDriver, bytes = ordinaryRoom, at = 0x4000): void {
  const queue = d.queue(0);
  d.publish(queue, d.addChain(queue, [{ address: d.buffer(at), length: bytes, deviceWritable: true }]));
  d.notifyIfWanted(queue);
}

/** Header of zeroes and frame, at fixed places. */
function packet(d: ScriptedDriver, headerBytes: number, frame: Uint8Array): readonly Piece[] {
  d.bench.memory.write(d.buffer(), new Uint8Array(headerBytes));
  d.bench.memory.write(d.buffer(0x100), frame);
  return [
    { address: d.buffer(), length: headerBytes },
    { address: d.buffer(0x100), length: frame.length },
  ];
}
const datagram = (): Uint8Array => udp(ends, 1000, 2000, pattern(60));

function send(d: ScriptedDriver, pieces: readonly Piece[]): void {
  d.submit(d.queue(1), pieces);
}

export const netDetections: readonly Detection[] = [
  {
    bug: 'VB-036',
    does: 'loads mtu of a device that does not offer VIRTIO_NET_F_MTU',
    rule: 'config.gated-field',
    bench: (wrong) => ({ devices: [netDevice({ featuresOff: wrong ? plain : featureSet(MAC) })] }),
    driver: { ...bothQueues, features: featureSet(feature.VERSION_1, MTU) },
    script: (d) => {
      d.probe();
      d.reset();
      d.acknowledge();
      d.driver();
      d.readOffer();
      d.config(10, 2);
      return undefined;
    },
  },
  {
    bug: 'VB-184',
    does: 'puts a header of 10 bytes in front of its packets with VIRTIO_F_VERSION_1',
    rule: 'net.header-length',
    bench: () => ({ devices: [netDevice({ featuresOff: plain })] }),
    driver: bothQueues,
    script: (d, wrong) => {
      d.start();
      fill(d);
      send(d, packet(d, wrong ? 10 : 12, datagram()));
      return undefined;
    },
  },
  {
    bug: 'VB-186',
    does: 'puts a header of 12 bytes in front of its packets on a legacy device without VIRTIO_NET_F_MRG_RXBUF',
    rule: 'net.header-length',
    bench: () => ({ devices: [netDevice({ transport: 'mmio-legacy', featuresOff: plain })] }),
    script: (_, wrong, bench) => {
      const d = new LegacyMmioDriver(bench, bothQueues);
      d.start();
      fill(d);
      send(d, packet(d, wrong ? 12 : 10, datagram()));
      return undefined;
    },
  },
  {
    bug: 'VB-188',
    does: 'accepts VIRTIO_NET_F_GUEST_TSO4 and gives receive buffers of a page',
    rule: 'net.receive-buffer-small',
    bench: () => ({ devices: [netDevice({ featuresOff: plain | featureSet(MRG_RXBUF) })] }),
    driver: { ...bothQueues, features: featureSet(feature.VERSION_1, GUEST_CSUM, GUEST_TSO4) },
    script: (d, wrong) => {
      d.start();
      fill(d, wrong ? 4096 : 65_601);
      return undefined;
    },
  },
  {
    bug: 'VB-189',
    does: 'leaves the checksum of a packet out, with no feature and no header flag that would let the device fill it in',
    rule: 'net.checksum-wrong',
    bench: () => ({ devices: [netDevice({ featuresOff: plain })] }),
    driver: bothQueues,
    script: (d, wrong) => {
      d.start();
      fill(d);
      const frame = datagram();
      const udpChecksum = 40;
      if (wrong) frame.set([0x12, 0x34], udpChecksum);
      send(d, packet(d, 12, frame));
      return undefined;
    },
  },
  {
    bug: 'VB-194',
    does: 'takes every packet of a burst and gives no buffer back',
    rule: 'waiting.receive-queue-empty',
    bench: () => ({ devices: [netDevice({ featuresOff: plain })] }),
    driver: { ...bothQueues, queueSize: 2 },
    script: (d, wrong) => {
      d.start();
      const queue = d.queue(0);
      for (let i = 0; i < queue.size; i++) fill(d, ordinaryRoom, 0x4000 + i * 0x1000);
      d.bench.run(20_000);
      for (let i = 0; i < 3; i++) {
        d.bench.input('net0', datagram());
        d.bench.run(20_000);
        d.serveInterrupt();
        while (d.hasUsed(queue)) {
          const id = d.collect(queue);
          if (!wrong) fill(d, ordinaryRoom, 0x4000 + id * 0x1000);
        }
      }
      d.bench.run(longTime);
      return undefined;
    },
  },
  {
    bug: 'VB-122',
    does: 'takes the length of the descriptor for that of the packet, and passes on what was behind it',
    rule: 'ownership.read-beyond-length',
    bench: () => ({ devices: [netDevice({ featuresOff: plain })] }),
    driver: bothQueues,
    script: (d, wrong) => {
      d.start();
      const queue = d.queue(0);
      fill(d);
      d.bench.run(20_000);
      d.bench.input('net0', datagram());
      d.waitUsed(queue);
      const length = d.ram(queue.used + usedOffset.len(0), 4);
      for (let at = 0; at < (wrong ? ordinaryRoom : length); at++) d.ram(d.buffer(0x4000 + at), 1);
      return undefined;
    },
  },
  {
    bug: 'VB-120',
    does: 'builds the next packet in its only transmit buffer before the device has taken the one before',
    rule: 'ownership.buffer-stored',
    bench: () => ({ devices: [netDevice({ featuresOff: plain })], order: true }),
    driver: bothQueues,
    script: (d, wrong, bench) => {
      d.start();
      fill(d);
      const queue = d.queue(1);
      const next = (): void => bench.store(d.buffer(0x100) + 40, 4, 0x2a2a_2a2a);
      d.publish(queue, d.addChain(queue, packet(d, 12, datagram())));
      d.notifyIfWanted(queue);
      if (wrong) next();
      d.waitUsed(queue);
      if (!wrong) next();
      return undefined;
    },
  },
];
