// Rings with hostile contents, over every transport, in both formats and under every policy: loops, wild addresses, over-long chains, flags
// of any lap, sizes and places changed while the device works. Nothing throws, nothing hangs, and the device stays within RAM.
// [virtio 1.4, 2.7, 2.8]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { eventOffset, lapBits, packedFlag } from '../../../../emulator/virtio/spec/packed-ring';
import { descriptorBytes } from '../../../../emulator/virtio/spec/split-ring';
import type { OnDriverError } from '../../../../emulator/configuration';
import { Bench, blockDevice, consoleDevice, entropyDevice, netDevice } from '../../../driver/bench';
import { type Combination, driverOf, forbidden, offerOf, reaches, reachName } from '../../../driver/combination';
import type { ScriptedDriver } from '../../../driver/driver';
import { PackedDriver } from '../../../driver/packed-driver';

const policies: readonly OnDriverError[] = ['qemu', 'needs-reset', 'ignore'];
const devices = [blockDevice, consoleDevice, entropyDevice, netDevice];
const [ramStart, ramEnd] = [0x8000_0000, 0x8010_0000];

/** An address inside the ring itself, of a buffer, at the edges of RAM, or anywhere. */
const address = fc.oneof(
  fc.constantFrom(0n, 0x8001_0000n, 0x8001_1000n, 0x8001_2000n, 0x8003_0000n, 0x800f_fff8n, 0x8010_0000n, 1n << 63n),
  fc.bigInt(0x8000_0000n, 0x8010_0000n),
  fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
);
const length = fc.oneof(
  fc.constantFrom(0, 1, 15, 16, 32, 64, 512, 0x10_0000, 0xffff_fff0, 0xffff_ffff),
  fc.nat(0xffff_ffff),
);
const word = fc.oneof(
  fc.nat(15),
  fc.constantFrom(...[0x80, 0x81, 0x83, 0x84, 0x85, 0x8000, 0x8001, 0x8005, 0x8080]),
  fc.nat(0xffff),
);
const descriptor = fc.record({ address, length, third: word, fourth: word });
type Descriptor = typeof descriptor extends fc.Arbitrary<infer D> ? D : never;

interface Round {
  readonly ring: readonly Descriptor[];
  readonly table: readonly Descriptor[];
  readonly driverArea: readonly number[];
  readonly steps: number;
  readonly reset: boolean;
  /** Written to a register of the queue while it is in use. */
  readonly change: { readonly register: string; readonly value: number } | undefined;
}
const round: fc.Arbitrary<Round> = fc.record({
  ring: fc.array(descriptor, { minLength: 1, maxLength: 8 }),
  table: fc.array(descriptor, { minLength: 1, maxLength: 8 }),
  driverArea: fc.array(word, { minLength: 2, maxLength: 10 }),
  steps: fc.integer({ min: 1, max: 30_000 }),
  reset: fc.boolean(),
  change: fc.option(
    fc.record({
      register: fc.constantFrom('QueueSize', 'QueueReady', 'QueueDescLow', 'QueueDeviceHigh', 'QueueReset', 'QueuePFN'),
      value: fc.oneof(fc.constantFrom(0, 1, 3, 4, 16, 0x8000, 0x8_0010, 0x8001_0008), fc.nat(0xffff_ffff)),
    }),
    { nil: undefined },
  ),
});

function fill(d: ScriptedDriver, at: number, descriptors: readonly Descriptor[]): void {
  descriptors.forEach(({ address: to, length: bytes, third, fourth }, i) => {
    const cell = at + i * descriptorBytes;
    d.bench.store(cell, 8, to);
    d.bench.store(cell + 8, 4, bytes);
    d.bench.store(cell + 12, 2, third);
    d.bench.store(cell + 14, 2, fourth);
  });
}

const registersOf = (legacy: boolean): readonly string[] =>
  legacy ? ['QueuePFN'] : ['QueueSize', 'QueueReady', 'QueueDescLow', 'QueueDeviceHigh', 'QueueReset'];

function run(combination: Combination, device: number, policy: OnDriverError, rounds: readonly Round[]): void {
  const make = devices[device] ?? blockDevice;
  const configuration = make({ ...offerOf(combination), queueSize: 8, onDriverError: policy });
  const bench = new Bench({ devices: [configuration], rules: { must: 'report' }, eventCapacity: 2_000 });
  const d = driverOf(bench, combination);
  // A device whose queue was reset under it may never finish what it has; the driver then gives up.
  d.awaitReset = () => void d.read('Status');
  d.start();
  const { descriptors, available } = d.queue();
  for (const { ring, table, driverArea, steps, reset, change } of rounds) {
    fill(d, d.table(), table);
    fill(d, descriptors, ring);
    driverArea.forEach((value, i) => bench.store(available + 2 * i, 2, value));
    d.notify(d.queue());
    bench.run(steps);
    if (change !== undefined && registersOf(combination.reach.legacy).includes(change.register)) {
      d.selectQueue(0);
      d.write(change.register, change.value);
    }
    if (device === 1) bench.input('console0', Uint8Array.of(1, 2, 3));
    if (device === 3) bench.input('net0', new Uint8Array(100).fill(0xff));
    if (reset) d.start();
  }
  bench.run(100_000);
  bench.idle();
  for (const event of bench.monitor.events.slice()) {
    assert.notEqual(event.kind, 'device-fault');
    if (event.kind !== 'dma-read' && event.kind !== 'dma-write') continue;
    assert.ok(event.address >= ramStart && event.address + event.length <= ramEnd, `${event.kind} at ${event.address}`);
  }
}

for (const reach of reaches) {
  for (const ring of ['split', 'packed'] as const) {
    if (forbidden({ reach, ring, features: [] }) !== undefined) continue;
    test(`${ring} rings with any contents over ${reachName(reach)}`, () => {
      const modern = [feature.IN_ORDER, feature.NOTIFICATION_DATA, feature.RING_RESET];
      const some = fc.subarray([feature.INDIRECT_DESC, feature.EVENT_IDX, ...(reach.legacy ? [] : modern)]);
      const rounds = fc.array(round, { minLength: 1, maxLength: 6 });
      fc.assert(
        fc.property(
          fc.nat(devices.length - 1),
          fc.constantFrom(...policies),
          some,
          rounds,
          (device, policy, features, all) => run({ reach, ring, features }, device, policy, all),
        ),
        { numRuns: 60, seed: 20261121 },
      );
    });
  }
}

test('a packed ring in which every descriptor goes on for ever', () => {
  for (const onDriverError of policies) {
    const bench = new Bench({
      devices: [blockDevice({ featuresOn: featureSet(feature.RING_PACKED), onDriverError })],
      rules: { must: 'report' },
    });
    const d = new PackedDriver(bench, { queueSize: 256 });
    d.start();
    const { descriptors, size } = d.queue();
    for (let lap = 0; lap < 3; lap++) {
      const bits = lap % 2 === 0 ? packedFlag.AVAIL : packedFlag.USED;
      for (let i = size - 1; i >= 0; i--) {
        fill(d, descriptors + i * descriptorBytes, [{ address: 0x8002_0000n, length: 16, third: 0, fourth: bits | 1 }]);
      }
      d.notify(d.queue());
      bench.run(50_000);
    }
    assert.ok(bench.monitor.violations.some(({ rule }) => rule === 'packed.list-too-long'));
    assert.equal(
      bench.monitor.events.slice().every(({ kind }) => kind !== 'device-fault'),
      true,
    );
    bench.store(d.queue().available + eventOffset.flags, 2, lapBits);
  }
});
