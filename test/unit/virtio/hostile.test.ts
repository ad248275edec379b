// Random drivers against every device and every policy: nothing throws, nothing hangs, and what can be seen stays consistent.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AccessSize } from '../../../emulator/bus/access';
import type { DeviceConfiguration, OnDriverError } from '../../../emulator/configuration';
import { mmioRegisters } from '../../../emulator/virtio/transport/mmio-registers';
import { base, blockConfiguration, placesAt, ramBase, ramBytes, register, TestDisk, VirtioBench } from './bench';

const queues = [placesAt(ramBase, 8), placesAt(ramBase + 0x1000, 4)];
const address = Uint8Array.of(2, 0, 0, 0, 0, 1);
const devices: readonly ((policy: OnDriverError) => DeviceConfiguration)[] = [
  (onDriverError) => blockConfiguration(new TestDisk(64 * 1024), { onDriverError }),
  (onDriverError) => ({ ...base, onDriverError, name: 'console0', type: 'console' }),
  (onDriverError) => ({ ...base, onDriverError, name: 'rng0', type: 'entropy' }),
  (onDriverError) => ({ ...base, onDriverError, name: 'net0', type: 'net', address, mtu: 1500, pairs: 1 }),
];

/** What comes from the outside for the devices that take something. */
const inputs: Readonly<Record<string, Uint8Array>> = {
  console0: Uint8Array.of(1, 2, 3),
  net0: new Uint8Array(100).fill(0xff),
};

type Step =
  | { readonly do: 'write' | 'read'; readonly offset: number; readonly size: AccessSize; readonly value: bigint }
  | { readonly do: 'store'; readonly address: number; readonly size: AccessSize; readonly value: bigint }
  | { readonly do: 'advance'; readonly nanoseconds: number }
  | { readonly do: 'start' }
  | { readonly do: 'input' };

const size = fc.constantFrom<AccessSize>(1, 2, 4, 8);
const value = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 3n, 4n, 7n, 8n, 15n, 16n, 64n, 0x8000_0000n, 0x8000_1000n, 0x800f_fff0n, 0xffff_ffffn),
  fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
);
const offset = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...mmioRegisters.map((r) => r.offset)) },
  { weight: 1, arbitrary: fc.nat(0xfff) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('write' as const, 'read' as const), offset, size, value }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('store' as const),
      address: fc.nat(0x1200).map((n) => ramBase + n),
      size,
      value,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), nanoseconds: fc.nat(15_000) }) },
  { weight: 2, arbitrary: fc.constant({ do: 'start' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'input' as const }) },
);

function perform(b: VirtioBench, action: Step): void {
  switch (action.do) {
    case 'write':
    case 'read': {
      const at = action.offset - (action.offset % action.size);
      const bits = BigInt.asUintN(8 * action.size, action.value);
      if (action.do === 'write') b.write(at, bits, action.size);
      else b.read(at, action.size);
      return;
    }
    case 'store':
      b.store(
        action.address - (action.address % action.size),
        action.size,
        BigInt.asUintN(8 * action.size, action.value),
      );
      return;
    case 'advance':
      b.advance(action.nanoseconds);
      return;
    case 'start':
      b.start(queues.slice(0, b.inspect().queues.length), [28, 29]);
      b.notify(0);
      return;
    case 'input':
      for (const [device, bytes] of Object.entries(inputs)) {
        if (b.inspect().name === device) b.virtio.input(device, bytes);
      }
  }
}

describe('any driver at all', () => {
  it('meets a device that answers, stays inside RAM and keeps its wire and its state together', () => {
    fc.assert(
      fc.property(
        fc.nat(devices.length - 1),
        fc.constantFrom<OnDriverError>('qemu', 'needs-reset', 'ignore'),
        fc.array(step, { maxLength: 60 }),
        (which, policy, steps) => {
          const make = devices[which];
          assert.ok(make !== undefined);
          const b = new VirtioBench([make(policy)]);
          for (const action of steps) {
            perform(b, action);
            const seen = b.inspect();
            assert.equal(b.lines.get(8) ?? false, seen.interruptStatus !== 0);
            assert.equal(seen.interruptLine, seen.interruptStatus !== 0);
            assert.equal((seen.status & 64) !== 0, seen.needsReset !== undefined);
          }
          b.advance(200_000);
          for (const queue of b.inspect().queues) {
            for (const flight of queue.inFlight) assert.notEqual(flight.state, 'fetched');
          }
          for (const event of [...b.eventsOf('dma-read'), ...b.eventsOf('dma-write')]) {
            assert.ok(event.address >= ramBase && event.address + event.length <= ramBase + ramBytes);
          }
          assert.deepEqual(
            b.eventsOf('device-fault').map((e) => e.message),
            [],
          );
          b.start(queues.slice(0, b.inspect().queues.length));
          assert.equal(b.read(register.Status), 15, 'a reset always helps');
        },
      ),
      { numRuns: 400 },
    );
  });
});
