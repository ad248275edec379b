// Network device: packets both ways, header lengths, merged buffers, offloads, filters, commands, several pairs of queues.
// [virtio 1.4, 5.1]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  parseFrame,
  pseudoHeaderOf,
  read16,
  read32,
  tcpFlag,
  transportChecksumHolds,
  write16,
} from '../../../../emulator/network/packet';
import { pseudoHeaderSum } from '../../../../emulator/network/checksum';
import { toeplitz } from '../../../../emulator/virtio/device/net/hash';
import { segmentFrame } from '../../../../emulator/virtio/device/net/segment';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../../emulator/virtio/spec/net';
import type { DeviceConfiguration } from '../../../../emulator/configuration';
import { broadcast, type Ends, pattern, tagged, tcp, udp } from '../../../driver/frames';
import { base, placesAt, ramBase, register, VirtioBench, withoutStamp } from '../bench';

const address = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const queues = [0, 1, 2, 3, 4].map((i) => placesAt(ramBase + i * 0x1000, 16));
const [receive = placesAt(0, 1), transmit = placesAt(0, 1), control = placesAt(0, 1)] = queues;
const buffers = ramBase + 0x10_000;
const roomBytes = 0x800;

/** A packet to the guest. */
const inward: Ends = {
  to: address,
  from: [0x52, 0x55, 10, 0, 2, 2],
  source: [10, 0, 2, 2],
  destination: [10, 0, 2, 15],
};
const outward: Ends = { to: inward.from, from: inward.to, source: inward.destination, destination: inward.source };

type NetChanges = Partial<Extract<DeviceConfiguration, { type: 'net' }>>;
function netBench(changes: NetChanges = {}): VirtioBench {
  const device = { ...base, name: 'net0', address: Uint8Array.from(address), mtu: 1500, pairs: 1, ...changes };
  return new VirtioBench([{ ...device, type: 'net' }]);
}

function started(features: readonly number[], changes: NetChanges = {}, used = 3): VirtioBench {
  const b = netBench(changes);
  b.start(queues.slice(0, used), features);
  return b;
}

/** Receive buffers of `bytes` each. */
function post(b: VirtioBench, count: number, bytes = roomBytes, queue = 0): void {
  const places = queues[queue] ?? receive;
  for (let i = 0; i < count; i++) b.descriptor(places.descriptor, i, buffers + i * roomBytes, bytes, 2);
  b.publish(places, ...Array.from({ length: count }, (_, i) => i));
  b.notify(queue);
  b.advance(50_000);
}

/** What arrived in one used receive buffer. */
function received(b: VirtioBench, slot = 0, queue = 0): Uint8Array {
  const { id, len } = b.usedElement(queues[queue] ?? receive, slot);
  return b.memory.read(buffers + id * roomBytes, len);
}

interface Header {
  readonly flags?: number;
  readonly gsoType?: number;
  readonly gsoSize?: number;
  readonly start?: number;
  readonly offset?: number;
}
function send(b: VirtioBench, frame: Uint8Array, header: Header = {}, queue = 1): void {
  const at = buffers + 0x8000;
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, header.flags ?? 0);
  view.setUint8(1, header.gsoType ?? 0);
  view.setUint16(4, header.gsoSize ?? 0, true);
  view.setUint16(6, header.start ?? 0, true);
  view.setUint16(8, header.offset ?? 0, true);
  b.memory.write(at, bytes);
  b.memory.write(at + 12, frame);
  const places = queues[queue] ?? transmit;
  b.chain(places.descriptor, 0, [
    { address: at, length: 12 },
    { address: at + 12, length: frame.length },
  ]);
  b.publish(places, 0);
  b.notify(queue);
  b.advance(50_000);
}
const frames = (b: VirtioBench, channel: string): Uint8Array[] =>
  b.output.filter((one) => one.channel === `net0.${channel}`).map((one) => one.bytes);

const commandAnswer = buffers + 0x1_0800;
/** Sends a command and returns its answer byte; `room` is how many device-writable bytes are behind that. */
function command(
  b: VirtioBench,
  ofClass: number,
  number: number,
  data: readonly number[],
  queue = 2,
  room = 0,
): number {
  const at = buffers + 0x1_0000;
  b.memory.write(at, Uint8Array.of(ofClass, number, ...data));
  b.memory.write(commandAnswer, new Uint8Array(9).fill(0xee));
  const places = queues[queue] ?? control;
  b.chain(places.descriptor, 0, [
    { address: at, length: 2 },
    ...(data.length > 0 ? [{ address: at + 2, length: data.length }] : []),
    { address: commandAnswer, length: 1 + room, writable: true },
  ]);
  b.publish(places, 0);
  b.notify(queue);
  b.advance(50_000);
  return b.memory.read(commandAnswer, 1)[0] ?? 0;
}
const le16 = (value: number): number[] => [value & 0xff, value >> 8];
const le32 = (value: number): number[] => [...le16(value & 0xffff), ...le16(Math.floor(value / 0x1_0000))];

describe('configuration', () => {
  it('gives address, status, pairs and mtu', () => {
    const b = netBench({ mtu: 9000, pairs: 2 });
    assert.deepEqual(
      Array.from({ length: 12 }, (_, i) => b.read(register.Config + i, 1)),
      [...address, 1, 0, 2, 0, 0x28, 0x23],
    );
    assert.deepEqual(
      b.inspect().queues.map(({ name }) => name),
      ['receiveq1', 'transmitq1', 'receiveq2', 'transmitq2', 'controlq'],
    );
  });
  it('puts the control queue behind the first pair when multiqueue is not accepted', () => {
    const b = netBench({ pairs: 2 });
    b.start(queues.slice(0, 3), [netFeature.CTRL_VQ, netFeature.CTRL_RX]);
    assert.equal(b.inspect().queues[2]?.name, 'controlq');
    assert.equal(command(b, 0, 0, [0]), 0);
  });
  it('drops what builds on a feature that is switched off', () => {
    const b = netBench({ featuresOff: featureSet(netFeature.CTRL_VQ, netFeature.CSUM) });
    const offered = b.inspect().offeredFeatures;
    const gone = [
      netFeature.CTRL_RX,
      netFeature.CTRL_RX_EXTRA,
      netFeature.CTRL_MAC_ADDR,
      netFeature.HOST_TSO4,
      netFeature.HOST_ECN,
    ];
    assert.equal(offered & featureSet(...gone), 0n);
    assert.notEqual(offered & featureSet(netFeature.MAC, netFeature.GUEST_TSO4), 0n);
    assert.equal(b.inspect().queues.length, 2);
  });
  it('refuses what it cannot do', () => {
    assert.throws(() => netBench({ featuresOn: featureSet(netFeature.HOST_UFO) }), /HOST_UFO is not supported/);
    assert.throws(() => netBench({ featuresOn: featureSet(netFeature.HASH_REPORT) }), /together with VIRTIO_NET_F_RSS/);
  });
});

describe('sending', () => {
  it('lets a frame out without its header and says what it is', () => {
    const b = started([]);
    const frame = udp(outward, 1000, 2000, pattern(100));
    send(b, frame);
    assert.deepEqual(frames(b, 'sent'), [frame]);
    assert.deepEqual(b.usedElement(transmit, 0), { id: 0, len: 0 });
    assert.match(
      b.eventsOf('request')[0]?.description ?? '',
      /send UDP 10\.0\.2\.15:1000 → 10\.0\.2\.2:2000, 100 bytes/,
    );
  });
  it('completes a partial checksum', () => {
    const b = started([netFeature.CSUM]);
    const frame = udp(outward, 1000, 2000, pattern(101));
    const partial = frame.slice();
    write16(partial, 40, pseudoHeaderSum(frame.slice(26, 30), frame.slice(30, 34), 17, 109));
    send(b, partial, { flags: 1, start: 34, offset: 6 });
    assert.deepEqual(frames(b, 'sent'), [frame]);
  });
  it('cuts a large TCP packet into right segments, over IPv4 and IPv6', () => {
    const v6 = (last: number): number[] => [0xfe, 0x80, ...Array.from({ length: 13 }, () => 0), last];
    for (const [ends, gsoType] of [
      [outward, 1],
      [{ ...outward, source: v6(1), destination: v6(2) }, 4],
    ] as const) {
      const b = started([netFeature.CSUM, netFeature.HOST_TSO4, netFeature.HOST_TSO6]);
      const data = pattern(3000);
      const large = tcp(
        ends,
        { sourcePort: 1, destinationPort: 2, sequence: 0xffff_fff0, flags: tcpFlag.ACK | tcpFlag.PSH },
        data,
      );
      send(b, large, { flags: 1, gsoType, gsoSize: 1400, start: 34, offset: 16 });
      const segments = frames(b, 'sent').map((frame) => {
        const { internet, transport } = parseFrame(frame) ?? {};
        assert.ok(internet !== undefined && transport !== undefined);
        assert.ok(transportChecksumHolds(frame, internet, transport));
        assert.equal(internet.end, frame.length);
        const start = transport.offset + transport.headerBytes;
        return {
          at: read32(frame, transport.offset + 4),
          flags: frame[transport.offset + 13],
          data: frame.slice(start),
        };
      });
      assert.deepEqual(
        segments.map(({ at, flags, data: part }) => [at, flags, part.length]),
        [
          [0xffff_fff0, tcpFlag.ACK, 1400],
          [1384, tcpFlag.ACK, 1400],
          [2784, tcpFlag.ACK | tcpFlag.PSH, 200],
        ],
      );
      assert.deepEqual(Uint8Array.from(segments.flatMap((one) => [...one.data])), data);
    }
  });
  it('drops a packet whose segmentation was not negotiated or makes no sense', () => {
    const b = started([netFeature.CSUM, netFeature.HOST_TSO4]);
    const frame = tcp(outward, { sourcePort: 1, destinationPort: 2 }, pattern(100));
    send(b, frame, { flags: 1, gsoType: 4, gsoSize: 50 });
    send(b, frame, { flags: 1, gsoType: 1, gsoSize: 0 });
    send(b, frame, { flags: 1, start: 60_000, offset: 60_000 });
    assert.deepEqual(frames(b, 'sent'), []);
    assert.deepEqual(
      b.eventsOf('request').map(({ status }) => status?.split(':')[0]),
      ['dropped', 'dropped', 'dropped'],
    );
  });
});

describe('receiving', () => {
  it('puts header and frame into one buffer and counts it', () => {
    const b = started([]);
    post(b, 2);
    const frame = udp(inward, 53, 1000, pattern(200));
    b.virtio.input('net0', frame);
    b.advance(50_000);
    const bytes = received(b);
    assert.deepEqual([...bytes.subarray(0, 12)], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    assert.deepEqual(bytes.slice(12), frame);
    assert.deepEqual(frames(b, 'received'), [frame]);
  });
  it('keeps frames until buffers come, in order', () => {
    const b = started([]);
    const sent = [1, 2, 3].map((n) => udp(inward, n, n, pattern(n)));
    for (const frame of sent) b.virtio.input('net0', frame);
    b.advance(10_000);
    post(b, 3);
    assert.deepEqual(
      [0, 1, 2].map((slot) => received(b, slot).slice(12)),
      sent,
    );
  });
  it('loses what comes while nobody drives it', () => {
    const b = netBench();
    b.virtio.input('net0', udp(inward, 1, 2, pattern(5)));
    b.start(queues.slice(0, 2));
    post(b, 1);
    assert.equal(b.usedIndex(receive), 0);
  });
  it('drops a frame that one buffer cannot hold, and uses the buffer for the next', () => {
    const b = started([]);
    post(b, 1, 100);
    b.virtio.input('net0', udp(inward, 1, 2, pattern(200)));
    const small = udp(inward, 1, 2, pattern(20));
    b.virtio.input('net0', small);
    b.advance(50_000);
    assert.equal(b.usedIndex(receive), 1);
    assert.deepEqual(received(b).slice(12), small);
  });
  it('spreads a frame over buffers with MRG_RXBUF: all full but the last, used together', () => {
    const b = started([netFeature.MRG_RXBUF]);
    post(b, 4, 100);
    const frame = udp(inward, 1, 2, pattern(200));
    b.virtio.input('net0', frame);
    b.advance(50_000);
    const parts = [0, 1, 2].map((slot) => received(b, slot));
    assert.deepEqual(
      parts.map((part) => part.length),
      [100, 100, 12 + frame.length - 200],
    );
    const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
    assert.equal(bytes[10], 3);
    assert.deepEqual(bytes.slice(12), frame);
    const moments = b.eventsOf('used').map(({ step }) => step);
    assert.equal(new Set(moments).size, 1);
  });
  it('vouches for a right checksum only when the driver wants to know', () => {
    const frame = udp(inward, 1, 2, pattern(30));
    const wrong = frame.slice();
    wrong[wrong.length - 1] = 0xee;
    for (const [features, bytes, flags] of [
      [[netFeature.GUEST_CSUM], frame, 2],
      [[netFeature.GUEST_CSUM], wrong, 0],
      [[], frame, 0],
    ] as const) {
      const b = started(features);
      post(b, 1);
      b.virtio.input('net0', bytes);
      b.advance(50_000);
      assert.equal(received(b)[0], flags);
    }
  });
  it('hands a large TCP packet over uncut to a driver that takes it, and in segments to another', () => {
    const large = tcp(inward, { sourcePort: 80, destinationPort: 1000, sequence: 7 }, pattern(4000));
    const taking = started([netFeature.GUEST_CSUM, netFeature.GUEST_TSO4, netFeature.MRG_RXBUF]);
    post(taking, 8);
    taking.virtio.input('net0', large);
    taking.advance(50_000);
    const header = received(taking);
    assert.deepEqual([header[0], header[1], header[4]! | (header[5]! << 8), header[10]], [1, 1, 1460, 2]);
    const plain = started([netFeature.MRG_RXBUF]);
    post(plain, 8);
    plain.virtio.input('net0', large);
    plain.advance(50_000);
    assert.deepEqual(
      [0, 1, 2].map((slot) => received(plain, slot).length),
      [12 + 1514, 12 + 1514, 12 + 54 + 1080],
    );
  });
  it('reports the hash of a packet', () => {
    const b = started([netFeature.CTRL_VQ, netFeature.RSS, netFeature.HASH_REPORT], {
      featuresOn: featureSet(netFeature.RSS, netFeature.HASH_REPORT),
    });
    const key = pattern(40);
    assert.equal(command(b, 4, 2, [...le32(0x3f), 0, 0, 0, 0, 0, 0, 0, 0, 40, ...key]), 0);
    post(b, 1);
    const frame = udp(inward, 1, 2, pattern(30));
    b.virtio.input('net0', frame);
    b.advance(50_000);
    const bytes = received(b);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    assert.equal(view.getUint32(12, true), toeplitz(key, frame.slice(26, 38)));
    assert.equal(view.getUint16(16, true), 3);
    assert.deepEqual(bytes.slice(20), frame);
  });
});

/** The example that every card's data sheet gives for TCP over IPv4: 66.9.149.187:2794 to 161.142.100.80:1766. */
it('computes the well-known example of the Toeplitz hash', () => {
  const key = Uint8Array.from(
    '6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa'.match(/../g) ?? [],
    (byte) => parseInt(byte, 16),
  );
  const input = Uint8Array.of(66, 9, 149, 187, 161, 142, 100, 80, 2794 >> 8, 2794 & 0xff, 1766 >> 8, 1766 & 0xff);
  assert.equal(toeplitz(key, input), 0x51ccc178);
  assert.equal(toeplitz(key, input.subarray(0, 8)), 0x323e8fc2);
});

describe('commands', () => {
  const all = [
    netFeature.CTRL_VQ,
    netFeature.CTRL_RX,
    netFeature.CTRL_RX_EXTRA,
    netFeature.CTRL_VLAN,
    netFeature.CTRL_MAC_ADDR,
  ];
  const arrives = (b: VirtioBench, frame: Uint8Array): boolean => {
    const before = frames(b, 'received').length;
    b.virtio.input('net0', frame);
    b.advance(50_000);
    return frames(b, 'received').length > before;
  };
  const to = (destination: readonly number[]): Uint8Array => udp({ ...inward, to: destination }, 1, 2, pattern(5));
  const other = [2, 0, 0, 0, 0, 9];
  const group = [1, 0, 0x5e, 0, 0, 1];

  it('filter what arrives', () => {
    const b = started(all);
    post(b, 16);
    const seen = (): boolean[] => [address, other, group, broadcast].map((destination) => arrives(b, to(destination)));
    assert.deepEqual(seen(), [true, true, true, true], 'everything until told otherwise');
    assert.equal(command(b, 0, 0, [0]), 0);
    assert.deepEqual(seen(), [true, false, false, true]);
    assert.equal(command(b, 1, 0, [...le32(1), ...other, ...le32(1), ...group]), 0);
    assert.deepEqual(seen(), [true, true, true, true]);
    assert.equal(command(b, 0, 5, [1]), 0);
    assert.equal(arrives(b, to(broadcast)), false);
  });
  it('choose VLANs', () => {
    const b = started(all);
    post(b, 8);
    assert.equal(arrives(b, tagged(to(address), 5)), false);
    assert.equal(command(b, 2, 0, le16(5)), 0);
    assert.deepEqual([arrives(b, tagged(to(address), 5)), arrives(b, tagged(to(address), 6))], [true, false]);
    assert.equal(command(b, 2, 1, le16(5)), 0);
    assert.equal(arrives(b, tagged(to(address), 5)), false);
  });
  it('set the address', () => {
    const b = started(all);
    assert.equal(command(b, 1, 1, other), 0);
    assert.equal(b.read(register.Config + 5, 1), 9);
    b.write(register.Status, 0);
    assert.equal(b.read(register.Config + 5, 1), 0x56, 'a reset restores the first one');
  });
  it('are refused without their feature, with wrong data, and when there is none such', () => {
    const b = started([netFeature.CTRL_VQ, netFeature.CTRL_RX]);
    assert.deepEqual(
      [
        command(b, 0, 2, [1]),
        command(b, 0, 0, [2]),
        command(b, 0, 0, [1, 1]),
        command(b, 9, 9, []),
        command(b, 1, 0, le32(0xffff_ffff)),
      ],
      [1, 1, 1, 1, 1],
    );
  });
  it('acknowledge an announcement that the device asked for', () => {
    const b = started([netFeature.CTRL_VQ, netFeature.GUEST_ANNOUNCE, netFeature.STATUS], {
      announceAfterNanoseconds: 100_000,
    });
    assert.equal(b.read(register.Config + 6, 2), 1);
    b.advance(200_000);
    assert.equal(b.read(register.Config + 6, 2), 3);
    assert.equal(b.eventsOf('config-change').length, 1);
    assert.equal(command(b, 3, 0, []), 0);
    assert.equal(b.read(register.Config + 6, 2), 1);
    assert.equal(command(b, 3, 0, []), 1);
  });
  it('switch receive offloads', () => {
    const b = started([...all, netFeature.GUEST_CSUM, netFeature.CTRL_GUEST_OFFLOADS]);
    post(b, 2);
    assert.equal(command(b, 5, 0, [0, 0, 0, 0, 0, 0, 0, 0]), 0);
    arrives(b, to(address));
    assert.equal(received(b)[0], 0);
    assert.equal(command(b, 5, 0, [...le32(1 << netFeature.GUEST_TSO4), ...le32(0)]), 1);
    assert.equal(command(b, 5, 0, [...le32(1 << netFeature.GUEST_CSUM), ...le32(0)]), 0);
    arrives(b, to(address));
    assert.equal(received(b, 1)[0], 2);
  });
  it('gather the notifications of receive buffers', () => {
    const b = started([netFeature.CTRL_VQ, netFeature.NOTF_COAL], { featuresOn: featureSet(netFeature.NOTF_COAL) });
    post(b, 8);
    assert.equal(command(b, 6, 1, [...le32(3), ...le32(1000)]), 0);
    for (let i = 0; i < 2; i++) b.virtio.input('net0', to(address));
    b.advance(100_000);
    assert.equal(b.usedIndex(receive), 0);
    b.virtio.input('net0', to(address));
    b.advance(100_000);
    assert.equal(b.usedIndex(receive), 3, 'the third one brings all');
    b.virtio.input('net0', to(address));
    b.advance(1_100_000);
    assert.equal(b.usedIndex(receive), 4, 'or the time');
  });
});

describe('parameters of single queues', () => {
  const bits = [netFeature.NOTF_COAL, netFeature.VQ_NOTF_COAL, feature.RING_RESET];
  const coalescing = (without: readonly number[] = []): VirtioBench =>
    started([netFeature.CTRL_VQ, ...bits.filter((bit) => !without.includes(bit))], { featuresOn: featureSet(...bits) });
  const set = (b: VirtioBench, queue: number, packets: number): number =>
    command(b, 6, 2, [...le16(queue), 0xee, 0xee, ...le32(packets), ...le32(1000)]);
  /** Answer byte, max_packets and max_usecs. */
  const get = (b: VirtioBench, queue: number, room = 8): number[] => {
    const ok = command(b, 6, 3, [...le16(queue), 0xee, 0xee], 2, room);
    const result = b.memory.read(commandAnswer + 1, 8);
    return [ok, read32(result.slice(0, 4).reverse(), 0), read32(result.slice(4).reverse(), 0)];
  };
  it('are set, told, and heeded', () => {
    const b = coalescing();
    post(b, 8);
    assert.deepEqual(get(b, 0), [0, 0, 0]);
    assert.equal(b.usedElement(control, 0).len, 9);
    assert.equal(set(b, 0, 2), 0);
    assert.deepEqual([get(b, 0), get(b, 1)], [[0, 2, 1000], [0, 0, 0]]); // prettier-ignore
    b.virtio.input('net0', udp(inward, 1, 2, pattern(10)));
    b.advance(100_000);
    assert.equal(b.usedIndex(receive), 0);
    b.virtio.input('net0', udp(inward, 1, 2, pattern(10)));
    b.advance(100_000);
    assert.equal(b.usedIndex(receive), 2);
  });
  it('give way to those of all queues, set later', () => {
    const b = coalescing();
    assert.deepEqual([set(b, 0, 2), set(b, 1, 3)], [0, 0]);
    assert.equal(command(b, 6, 1, [...le32(7), ...le32(70)]), 0);
    assert.deepEqual([get(b, 0), get(b, 1)], [[0, 7, 70], [0, 3, 1000]]); // prettier-ignore
  });
  it('are forgotten when the queue is reset and when the device is', () => {
    const b = coalescing();
    assert.equal(command(b, 6, 0, [...le32(5), ...le32(50)]), 0);
    assert.deepEqual([set(b, 0, 2), set(b, 1, 3), get(b, 1)], [0, 0, [0, 3, 1000]]);
    b.write(register.QueueSel, 1);
    b.write(0x0c0, 1);
    b.advance(50_000);
    assert.deepEqual([get(b, 1)[0], set(b, 1, 3)], [1, 1], 'while it is disabled');
    b.setUpQueue(1, transmit);
    assert.deepEqual([get(b, 1), get(b, 0)], [[0, 5, 50], [0, 2, 1000]]); // prettier-ignore
  });
  it('are refused for other queues, without room, and without the feature', () => {
    const b = coalescing();
    assert.deepEqual([set(b, 2, 1), set(b, 3, 1), get(b, 2)[0], get(b, 0, 7)[0]], [1, 1, 1, 1]);
    assert.equal(command(b, 6, 3, le16(0), 2, 8), 1);
    const without = coalescing([netFeature.VQ_NOTF_COAL]);
    assert.deepEqual([set(without, 0, 1), get(without, 0)[0]], [1, 1]);
    assert.equal(command(without, 6, 1, [...le32(3), ...le32(1000)]), 0);
  });
});

describe('large UDP packets', () => {
  const { GUEST_CSUM, GUEST_USO4, GUEST_USO6 } = netFeature;
  const large = (v6 = false): VirtioBench =>
    started([GUEST_CSUM, v6 ? GUEST_USO6 : GUEST_USO4], { featuresOn: featureSet(GUEST_USO4, GUEST_USO6) }, 2);
  const wide: Ends = { ...inward, source: [...pattern(16)], destination: [...pattern(16)] };
  for (const [name, ends] of [
    ['IPv4', inward],
    ['IPv6', wide],
  ] as const) {
    // prettier-ignore
    it(`are put together from what comes in at once over ${name}, until a shorter one`, () => {
      const b = large(ends === wide);
      post(b, 4);
      const parts = [100, 100, 30, 100].map((bytes) => udp(ends, 1, 2, pattern(bytes)));
      for (const part of parts) b.virtio.input('net0', part);
      b.advance(50_000);
      assert.equal(b.usedIndex(receive), 2);
      const [header, frame] = [received(b).subarray(0, 12), received(b).slice(12)];
      const headers = parts[0]!.length - 100;
      assert.deepEqual([...header], [1, 5, ...le16(headers), ...le16(100), ...le16(headers - 8), ...le16(6), 1, 0]);
      const { internet, transport } = parseFrame(frame)!;
      assert.equal(read16(frame, transport!.offset + 6), pseudoHeaderOf(internet!, transport!));
      const cut = segmentFrame(frame, 100);
      assert.equal(cut.kind, 'frames');
      const plain = (bytes: Uint8Array): number[] => {
        // The identification of IPv4 counts on in what was cut.
        const copy = bytes.slice();
        if (ends === inward) copy.fill(0, 18, 20).fill(0, 24, 26);
        return [...copy];
      };
      assert.deepEqual(cut.kind === 'frames' && cut.frames.map(plain), parts.slice(0, 3).map(plain));
      assert.deepEqual([...received(b, 1).slice(0, 2)], [2, 0]);
    });
  }
  it('stay apart for another flow, a wrong checksum, a longer one, other features, and offloads switched off', () => {
    const first = udp(inward, 1, 2, pattern(100));
    const wrong = first.slice();
    wrong[60]! ^= 1;
    const apart = [
      udp(inward, 1, 3, pattern(100)),
      wrong,
      udp(inward, 1, 2, pattern(101)),
      udp(wide, 1, 2, pattern(100)),
    ];
    for (const second of apart) {
      const b = large();
      post(b, 4);
      b.virtio.input('net0', first);
      b.virtio.input('net0', second);
      b.advance(50_000);
      assert.equal(b.usedIndex(receive), 2);
      assert.equal(received(b)[1], 0);
    }
    const other = started([GUEST_CSUM, GUEST_USO6], { featuresOn: featureSet(GUEST_USO4, GUEST_USO6) }, 2);
    post(other, 4);
    for (let i = 0; i < 2; i++) other.virtio.input('net0', first);
    other.advance(50_000);
    assert.equal(other.usedIndex(receive), 2);
  });
  it('are offered only with GUEST_CSUM', () => {
    assert.throws(
      () => netBench({ featuresOn: featureSet(GUEST_USO4), featuresOff: featureSet(GUEST_CSUM) }),
      /GUEST_USO4.*GUEST_CSUM/,
    );
  });
});

describe('several pairs', () => {
  const features = [netFeature.CTRL_VQ, netFeature.MQ];
  it('bring answers back over the pair that sent', () => {
    const b = started(features, { pairs: 2 }, 5);
    assert.deepEqual(
      [command(b, 4, 0, le16(0), 4), command(b, 4, 0, le16(3), 4), command(b, 4, 0, le16(2), 4)],
      [1, 1, 0],
    );
    post(b, 2, roomBytes, 2);
    send(b, udp(outward, 1000, 2000, pattern(10)), {}, 3);
    b.virtio.input('net0', udp(inward, 2000, 1000, pattern(20)));
    b.advance(50_000);
    assert.deepEqual([b.usedIndex(receive), b.usedIndex(queues[2]!)], [0, 1]);
  });
  it('are chosen by hash with RSS', () => {
    const b = started([...features, netFeature.RSS], { pairs: 2, featuresOn: featureSet(netFeature.RSS) }, 5);
    const config = (table: readonly number[]): number[] => [
      ...le32(0x3f),
      ...le16(table.length - 1),
      ...le16(0),
      ...table.flatMap(le16),
      ...le16(2),
      40,
      ...pattern(40),
    ];
    assert.equal(command(b, 4, 1, config([1, 1]), 4), 0);
    assert.equal(command(b, 4, 1, config([0, 1, 1]), 4), 1);
    assert.equal(command(b, 4, 1, config([0, 2]), 4), 1);
    post(b, 1, roomBytes, 2);
    b.virtio.input('net0', udp(inward, 2000, 1000, pattern(20)));
    b.advance(50_000);
    assert.equal(b.usedIndex(queues[2]!), 1);
  });
});

describe('frames that come by themselves', () => {
  const arrivals = [10_000, 30_000, 30_000].map((nanoseconds, i) => ({
    nanoseconds,
    bytes: udp(inward, 1, 2, pattern(i)),
  }));
  it('arrive in virtual time from DRIVER_OK on, and from the next one on again', () => {
    const b = netBench({ arrivals });
    for (let turn = 0; turn < 2; turn++) {
      b.events.length = 0;
      b.start(queues.slice(0, 2));
      const began = b.step;
      post(b, 4);
      b.advance(100_000);
      const times = b.eventsOf('fetch').map(({ virtualNanoseconds }) => virtualNanoseconds - began);
      assert.deepEqual(
        times.map((time) => Math.round(time / 10_000)),
        [1, 3, 3],
      );
      assert.deepEqual(
        [0, 1, 2].map((slot) => received(b, slot).slice(12)),
        arrivals.map(({ bytes }) => bytes),
      );
      b.memory.write(ramBase, new Uint8Array(0x5000));
    }
  });
});

describe('saved and restored', () => {
  it('goes on as if nothing had happened', () => {
    const act = (b: VirtioBench, pause: (b: VirtioBench) => VirtioBench): VirtioBench => {
      b.start(queues.slice(0, 3), [netFeature.MRG_RXBUF, netFeature.CTRL_VQ, netFeature.CTRL_RX]);
      post(b, 2, 100);
      command(b, 0, 0, [0]);
      b.virtio.input('net0', udp(inward, 1, 2, pattern(250)));
      b.advance(1_000);
      const after = pause(b);
      after.events.length = 0;
      after.descriptor(receive.descriptor, 2, buffers + 2 * roomBytes, 200, 2);
      after.publish(receive, 2);
      after.notify(0);
      after.advance(50_000);
      return after;
    };
    const plain = act(netBench(), (b) => b);
    const other = act(netBench(), (b) => {
      const copy = netBench();
      copy.step = b.step;
      copy.memory.write(ramBase, b.memory.read(ramBase, 0x3_0000));
      copy.clock.restore(structuredClone(b.clock.save()));
      copy.virtio.restore(structuredClone(b.virtio.save()));
      return copy;
    });
    assert.deepEqual(other.events.map(withoutStamp), plain.events.map(withoutStamp));
    assert.equal(plain.usedIndex(receive), 3);
  });
});

it('survives any buffers, headers and frames', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          queue: fc.nat(3),
          lengths: fc.array(fc.tuple(fc.oneof(fc.nat(40), fc.nat(70_000)), fc.boolean()), {
            minLength: 1,
            maxLength: 4,
          }),
          content: fc.uint8Array({ minLength: 80, maxLength: 80 }),
          frame: fc.oneof(
            fc.uint8Array({ maxLength: 200 }),
            fc.constantFrom(
              udp(inward, 1, 2, pattern(50)),
              tcp(inward, { sourcePort: 1, destinationPort: 2 }, pattern(9000)),
            ),
          ),
        }),
        { minLength: 1, maxLength: 12 },
      ),
      fc.bigInt({ min: 0n, max: (1n << 24n) - 1n }),
      (steps, features) => {
        const b = new VirtioBench([
          {
            ...base,
            name: 'net0',
            type: 'net',
            address: Uint8Array.from(address),
            mtu: 1500,
            pairs: 1,
            onDriverError: 'ignore',
          },
        ]);
        const bits = Array.from({ length: 24 }, (_, bit) => bit).filter(
          (bit) => ((features >> BigInt(bit)) & 1n) === 1n,
        );
        b.start(queues.slice(0, 3), bits);
        for (const { queue, lengths, content, frame } of steps) {
          b.memory.write(buffers, content);
          const places = queues[queue] ?? receive;
          b.chain(
            places.descriptor,
            0,
            [...lengths]
              .sort((x, y) => Number(x[1]) - Number(y[1]))
              .map(([length, writable], i) => ({ address: buffers + i * 16, length, writable })),
          );
          b.publish(places, 0);
          if (queue < 3) b.notify(queue);
          b.virtio.input('net0', frame);
          b.advance(50_000);
        }
        assert.deepEqual(b.eventsOf('device-fault'), []);
      },
    ),
    { numRuns: 300 },
  );
});
