// Rings with hostile contents, in both formats and under every policy: loops, wild addresses, over-long chains, flags of any lap, changed
// while the device works. Nothing throws, nothing hangs, and the device stays within RAM. [virtio 1.4, 2.7, 2.8]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { eventOffset, lapBits, packedFlag } from '../../../../emulator/virtio/spec/packed-ring';
import { descriptorBytes } from '../../../../emulator/virtio/spec/split-ring';
import type { OnDriverError } from '../../../../emulator/configuration';
import { Bench, blockDevice, consoleDevice, entropyDevice } from '../../../driver/bench';
import { ScriptedDriver } from '../../../driver/driver';
import { PackedDriver } from '../../../driver/packed-driver';

const policies: readonly OnDriverError[] = ['qemu', 'needs-reset', 'ignore'];
const devices = [blockDevice, consoleDevice, entropyDevice];
const features = featureSet(feature.VERSION_1, feature.INDIRECT_DESC, feature.EVENT_IDX, feature.IN_ORDER);

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
}
const round: fc.Arbitrary<Round> = fc.record({
  ring: fc.array(descriptor, { minLength: 1, maxLength: 8 }),
  table: fc.array(descriptor, { minLength: 1, maxLength: 8 }),
  driverArea: fc.array(word, { minLength: 2, maxLength: 10 }),
  steps: fc.integer({ min: 1, max: 30_000 }),
  reset: fc.boolean(),
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

function run(isPacked: boolean, device: number, policy: OnDriverError, rounds: readonly Round[]): void {
  const on = featureSet(feature.IN_ORDER, ...(isPacked ? [feature.RING_PACKED] : []));
  const configuration = (devices[device] ?? blockDevice)({ featuresOn: on, onDriverError: policy });
  const bench = new Bench({ devices: [configuration], rules: { must: 'report' }, eventCapacity: 2_000 });
  const d = isPacked ? new PackedDriver(bench, { features }) : new ScriptedDriver(bench, { features });
  d.start();
  const { descriptors, available } = d.queue();
  for (const { ring, table, driverArea, steps, reset } of rounds) {
    fill(d, d.table(), table);
    fill(d, descriptors, ring);
    driverArea.forEach((value, i) => bench.store(available + 2 * i, 2, value));
    d.write('QueueNotify', 0);
    bench.run(steps);
    if (reset) d.start();
  }
  bench.run(100_000);
  bench.idle();
  assert.ok(bench.monitor.events.length > 0);
}

for (const [name, isPacked] of [
  ['split', false],
  ['packed', true],
] as const) {
  test(`${name} rings with any contents`, () => {
    fc.assert(
      fc.property(
        fc.nat(2),
        fc.constantFrom(...policies),
        fc.array(round, { minLength: 1, maxLength: 6 }),
        (device, policy, rounds) => run(isPacked, device, policy, rounds),
      ),
      { numRuns: 150, seed: 20261121 },
    );
  });
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
