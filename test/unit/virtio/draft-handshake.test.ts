// The device's side of the VIRTIO-30 draft: what it answers at each step, what waits for DEVICE_OK, and how a start is given up. Titles
// carry the behaviours' ids.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { feature } from '../../../emulator/virtio/spec/feature';
import { blockConfiguration, placesAt, ramBase, register, TestDisk, VirtioBench } from './bench';

const places = placesAt(ramBase, 8);

function draft(): VirtioBench {
  return new VirtioBench([{ ...blockConfiguration(new TestDisk(64 * 1024)), dialect: 'draft-virtio30' }]);
}
function accept(bench: VirtioBench, low: number): void {
  for (const [window, bits] of [
    [1, 1],
    [0, low],
  ] as const) {
    bench.write(register.DriverFeaturesSel, window);
    bench.write(register.DriverFeatures, bits);
  }
}
/** Writes a status and gives the device's answer. */
function ask(bench: VirtioBench, value: number): number {
  bench.write(register.Status, value);
  return bench.read(register.Status);
}
const offered = 1 << feature.INDIRECT_DESC;
const unknown = 1 << 23;

describe('the VIRTIO-30 handshake', () => {
  it('takes DRIVER back for features that were not offered, and agrees to others (virtio30.step-07, virtio30.step-08)', () => {
    const bench = draft();
    assert.equal(ask(bench, 1), 1);
    accept(bench, unknown);
    assert.equal(ask(bench, 3), 1);
    accept(bench, offered);
    assert.equal(ask(bench, 3), 3);
  });

  it('judges the smaller second set at DRIVER_OK, and takes that back (virtio30.step-09, virtio30.step-12, virtio30.step-13)', () => {
    const bench = draft();
    ask(bench, 1);
    accept(bench, offered);
    ask(bench, 3);
    bench.setUpQueue(0, places);
    accept(bench, unknown);
    assert.equal(ask(bench, 7), 3);
    accept(bench, 0);
    assert.equal(ask(bench, 7), 7);
  });

  it('settles features at DRIVER_OK, lets notifications wait for DEVICE_OK and serves them then (virtio30.step-11, virtio30.step-14 to -16)', () => {
    const bench = draft();
    ask(bench, 1);
    accept(bench, offered);
    ask(bench, 3);
    bench.setUpQueue(0, places);
    assert.equal(ask(bench, 7), 7);
    const settled = bench.inspect().acceptedFeatures;
    accept(bench, 0);
    assert.equal(bench.inspect().acceptedFeatures, settled);
    bench.memory.write32(ramBase + 0x8000, 4);
    bench.chain(places.descriptor, 0, [
      { address: ramBase + 0x8000, length: 16 },
      { address: ramBase + 0x8010, length: 1, writable: true },
    ]);
    bench.publish(places, 0);
    bench.notify(0);
    bench.advance(50_000);
    assert.deepEqual(bench.kinds('fetch', 'used', 'interrupt'), []);
    assert.equal(ask(bench, 15), 15);
    bench.advance(50_000);
    assert.deepEqual(bench.kinds('fetch', 'used', 'interrupt'), ['fetch', 'used', 'interrupt']);
  });

  it('is given up with FAILED and begun again after a reset (virtio30.step-02, virtio30.failed)', () => {
    const bench = draft();
    ask(bench, 1);
    accept(bench, unknown);
    ask(bench, 3);
    assert.equal(ask(bench, 0x81), 0x81);
    assert.equal(ask(bench, 0), 0);
    assert.equal(ask(bench, 1), 1);
    accept(bench, offered);
    assert.equal(ask(bench, 3), 3);
  });
});
