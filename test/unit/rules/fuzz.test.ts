// Random drivers: whatever a hart does to registers and rings, the monitor does not fail, and what is reported, stopped at or
// switched off never changes what the guest sees.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessSize } from '../../../emulator/bus/access';
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { mmioRegisters } from '../../../emulator/virtio/transport/mmio-registers';
import { Bench, blockDevice, consoleDevice, entropyDevice, netDevice } from '../../driver/bench';
import { ScriptedDriver } from '../../driver/driver';
import { PackedDriver } from '../../driver/packed-driver';

const sizes: readonly AccessSize[] = [1, 2, 4, 8];
const offsets = mmioRegisters.map(({ offset }) => offset);
const interesting = [
  0, 1, 2, 3, 4, 7, 8, 11, 15, 16, 64, 128, 256, 0x7fff, 0x8000, 0xffff, 0x8001_0000, 0x8002_0000, 0xffff_ffff,
];

type Action =
  | {
      readonly kind: 'register';
      readonly offset: number;
      readonly size: AccessSize;
      readonly write?: number | undefined;
    }
  | { readonly kind: 'ring'; readonly offset: number; readonly size: AccessSize; readonly write?: number | undefined }
  | { readonly kind: 'step'; readonly what: 'reset' | 'start' | 'interrupt' | 'idle' | 'run' | 'read' };

const value = fc.oneof(fc.constantFrom(...interesting), fc.nat(0xffff_ffff));
const write = fc.option(value, { nil: undefined });
const size = fc.constantFrom(...sizes);
const aligned = (at: number, bytes: number): number => at - (at % bytes);

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('register' as const),
      offset: fc.oneof(fc.constantFrom(...offsets), fc.nat(0x17f)),
      size: fc.oneof(fc.constant(4 as const), size),
      write,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('ring' as const),
      offset: fc.oneof(
        fc.nat(0x7f),
        fc.nat(0x17).map((n) => 0x1000 + n),
        fc.nat(0x47).map((n) => 0x2000 + n),
        fc.constant(0x1002),
      ),
      size: fc.oneof(fc.constant(2 as const), size),
      write,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('step' as const),
      what: fc.constantFrom('reset', 'start', 'interrupt', 'idle', 'run', 'read'),
    }),
  },
);

const devices = [blockDevice, consoleDevice, entropyDevice, netDevice];

function run(actions: readonly Action[], device: number, rules: Readonly<Record<string, string>>): Bench {
  // Each device with each ring format.
  const isPacked = device >= devices.length;
  const featuresOn = isPacked ? featureSet(feature.RING_PACKED, feature.RING_RESET) : 0n;
  const configuration = (devices[device % devices.length] ?? blockDevice)({ featuresOn });
  const bench = new Bench({ devices: [configuration], rules, eventCapacity: 2000 });
  const d = new (isPacked ? PackedDriver : ScriptedDriver)(bench, {
    features: featureSet(
      feature.VERSION_1,
      feature.INDIRECT_DESC,
      ...(actions.length % 2 === 0 ? [feature.EVENT_IDX] : []),
    ),
  });
  d.start();
  const rings = d.queue().descriptors;
  for (const each of actions) {
    if (each.kind === 'step') step(d, each.what);
    else {
      const address = (each.kind === 'ring' ? rings : d.base) + aligned(each.offset, each.size);
      if (each.write === undefined) bench.load(address, each.size);
      else bench.store(address, each.size, each.write);
    }
  }
  bench.run(20_000);
  bench.idle();
  return bench;
}

function step(d: ScriptedDriver, what: Extract<Action, { kind: 'step' }>['what']): void {
  switch (what) {
    case 'reset':
      d.reset();
      return;
    case 'start':
      d.start();
      return;
    case 'interrupt':
      d.serveInterrupt();
      return;
    case 'idle':
      d.bench.idle();
      return;
    case 'run':
      d.bench.run(3_000);
      return;
    case 'read':
      d.publish(d.queue(), d.addChain(d.queue(), [{ address: d.buffer(), length: 64, deviceWritable: true }]));
      d.notifyIfWanted(d.queue());
  }
}

test('random drivers', () => {
  fc.assert(
    fc.property(
      fc.array(action, { minLength: 5, maxLength: 80 }),
      fc.nat(2 * devices.length - 1),
      (actions, device) => {
        const reported = run(actions, device, { must: 'report' });
        const stopped = run(actions, device, { must: 'break', should: 'break', hazard: 'break' });
        const silent = run(actions, device, { '*': 'off' });
        assert.equal(stopped.state(), reported.state());
        assert.equal(silent.state(), reported.state());
        assert.deepEqual(silent.monitor.violations, []);
        const essence = (bench: Bench): unknown =>
          bench.monitor.violations.map(({ rule, pc, step: at, queue, message, count }) => [
            rule,
            pc,
            at,
            queue,
            message,
            count,
          ]);
        assert.deepEqual(essence(stopped), essence(reported));
        for (const { violation } of stopped.stops)
          assert.equal(stopped.monitor.rootOf(violation.number).rule.length > 0, true);
      },
    ),
    { numRuns: 150, seed: 20261121 },
  );
});
