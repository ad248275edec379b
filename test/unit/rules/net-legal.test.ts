// Legal random traffic of a network device finds no violation: any packets, receive buffers and commands that the negotiated features
// allow, in any order, over any legal set of features, in split and packed rings. [virtio 1.4, 5.1]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseFrame, pseudoHeaderOf, write16 } from '../../../emulator/network/packet';
import { feature, featureSet, hasFeature } from '../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../emulator/virtio/spec/net';
import { Bench, netAddress, netDevice } from '../../driver/bench';
import { type DriverQueue, ScriptedDriver } from '../../driver/driver';
import { PackedDriver, packedFeatures } from '../../driver/packed-driver';
import { type Ends, pattern, tcp, udp } from '../../driver/frames';

const ends: Ends = {
  to: [0x52, 0x55, 10, 0, 2, 2],
  from: [...netAddress],
  source: [10, 0, 2, 15],
  destination: [10, 0, 2, 2],
};
const back: Ends = { to: ends.from, from: ends.to, source: ends.destination, destination: ends.source };
/** What a driver may leave out without a "should" being broken: everything but MAC and MTU. */
const optional = [
  netFeature.CSUM,
  netFeature.GUEST_CSUM,
  netFeature.HOST_TSO4,
  netFeature.MRG_RXBUF,
  netFeature.CTRL_RX,
  netFeature.CTRL_VLAN,
  feature.EVENT_IDX,
];

type Step =
  | {
      readonly kind: 'send';
      readonly bytes: number;
      readonly tcp: boolean;
      readonly offload: boolean;
      readonly cut: number;
    }
  | { readonly kind: 'arrive'; readonly bytes: number }
  | { readonly kind: 'command'; readonly which: number; readonly value: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('send' as const),
    bytes: fc.nat(1400),
    tcp: fc.boolean(),
    offload: fc.boolean(),
    cut: fc.nat(40),
  }),
  fc.record({ kind: fc.constant('arrive' as const), bytes: fc.nat(1400) }),
  fc.record({ kind: fc.constant('command' as const), which: fc.nat(4), value: fc.nat(0xfff) }),
);

test('legal traffic is not reported', () => {
  fc.assert(
    fc.property(fc.subarray(optional), fc.boolean(), fc.array(step, { maxLength: 25 }), (chosen, packed, steps) => {
      const legal = chosen.filter((bit) => bit !== netFeature.HOST_TSO4 || chosen.includes(netFeature.CSUM));
      const control = legal.some((bit) => bit === netFeature.CTRL_RX || bit === netFeature.CTRL_VLAN);
      const features = featureSet(
        feature.VERSION_1,
        netFeature.MAC,
        netFeature.MTU,
        ...legal,
        ...(control ? [netFeature.CTRL_VQ] : []),
      );
      const bench = new Bench({
        devices: [netDevice({ featuresOn: packed ? packedFeatures : 0n })],
        rules: { must: 'report', should: 'report', hazard: 'report' },
      });
      const options = { features, queues: control ? [0, 1, 2] : [0, 1] };
      const d = packed ? new PackedDriver(bench, options) : new ScriptedDriver(bench, options);
      d.start();
      for (let i = 0; i < 6; i++) d.config(i, 1);
      const receive = d.queue(0);
      const postOne = (): void =>
        give(d, receive, [{ address: bench.ramBase + 0x8_0000, length: 1600, deviceWritable: true }]);
      postOne();
      for (const each of steps) {
        if (each.kind === 'send')
          send(d, each, hasFeature(features, netFeature.CSUM), hasFeature(features, netFeature.HOST_TSO4));
        else if (each.kind === 'arrive') {
          bench.input('net0', udp(back, 1, 2, pattern(each.bytes)));
          bench.run(20_000);
          if (d.hasUsed(receive)) {
            d.collect(receive);
            postOne();
          }
        } else if (control) command(d, each.which, each.value, features);
      }
      assert.deepEqual(
        bench.monitor.violations.map(({ rule, message }) => `${rule}: ${message}`),
        [],
      );
    }),
    { numRuns: 150 },
  );
});

function give(d: ScriptedDriver, queue: DriverQueue, pieces: Parameters<ScriptedDriver['addChain']>[1]): void {
  d.publish(queue, d.addChain(queue, pieces));
  d.notifyIfWanted(queue);
}

function send(d: ScriptedDriver, packet: Extract<Step, { kind: 'send' }>, checksums: boolean, cuts: boolean): void {
  const at = d.bench.ramBase + 0x6_0000;
  const isLarge = packet.tcp && cuts && packet.offload;
  const data = pattern(isLarge ? packet.bytes * 4 : packet.bytes);
  const frame = packet.tcp ? tcp(ends, { sourcePort: 1, destinationPort: 2 }, data) : udp(ends, 1, 2, data);
  const header = new Uint8Array(12);
  const { internet, transport } = parseFrame(frame) ?? {};
  if (checksums && packet.offload && internet !== undefined && transport !== undefined) {
    const offset = packet.tcp ? 16 : 6;
    write16(frame, transport.offset + offset, pseudoHeaderOf(internet, transport));
    header.set([1, isLarge ? 1 : 0, 54, 0, 0xe8, 3, transport.offset, 0, offset, 0]);
  }
  d.bench.memory.write(at, header);
  d.bench.memory.write(at + 12, frame);
  // Anywhere but where a header of another length would end.
  const cut = 13 + packet.cut;
  const whole = { address: at, length: 12 + frame.length };
  const pieces =
    packet.cut > 20 || [20, 24, 32].includes(cut)
      ? [whole]
      : [
          { address: at, length: cut },
          { address: at + cut, length: whole.length - cut },
        ];
  give(d, d.queue(1), pieces);
  d.waitUsed(d.queue(1));
}

function command(d: ScriptedDriver, which: number, value: number, features: bigint): void {
  const le32 = (number: number): number[] => [number & 0xff, number >> 8, 0, 0];
  const rx = hasFeature(features, netFeature.CTRL_RX);
  const vlan = hasFeature(features, netFeature.CTRL_VLAN);
  const choices: readonly (readonly number[] | undefined)[] = [
    rx ? [0, 0, value & 1] : undefined,
    rx ? [0, 1, value & 1] : undefined,
    rx ? [1, 0, ...le32(1), ...netAddress, ...le32(0)] : undefined,
    vlan ? [2, 0, value & 0xff, value >> 8] : undefined,
    vlan ? [2, 1, value & 0xff, value >> 8] : undefined,
  ];
  const bytes = choices[which];
  if (bytes === undefined) return;
  const at = d.bench.ramBase + 0x7_0000;
  d.bench.memory.write(at, Uint8Array.from(bytes));
  give(d, d.queue(2), [
    { address: at, length: bytes.length },
    { address: at + 0x100, length: 1, deviceWritable: true },
  ]);
  d.waitUsed(d.queue(2));
  assert.equal(d.bench.memory.read(at + 0x100, 1)[0], 0, 'a legal command is carried out');
}
