// One queue reset alone: what the device drops, how long it takes, and that the queue works again afterwards. [virtio 1.4, 2.6.1]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { Bench, blockDevice } from '../../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../../driver/block';
import { ScriptedDriver } from '../../../driver/driver';
import { PackedDriver } from '../../../driver/packed-driver';

const reset = featureSet(feature.RING_RESET);
const features = featureSet(feature.VERSION_1, feature.RING_RESET);

for (const [name, offered, make] of [
  ['split', reset, (bench: Bench) => new ScriptedDriver(bench, { features })],
  ['packed', reset | featureSet(feature.RING_PACKED), (bench: Bench) => new PackedDriver(bench, { features })],
] as const) {
  describe(`a ${name} queue`, () => {
    const started = (): ScriptedDriver => {
      const d = make(new Bench({ devices: [blockDevice({ featuresOn: offered })] }));
      d.start();
      return d;
    };

    it('is reset while the device works on it, and starts over', () => {
      const d = started();
      readSector(d, 3);
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
      d.notify(queue);
      d.bench.run(2_000);
      d.selectQueue(0);
      d.write('QueueReset', 1);
      assert.equal(d.read('QueueReset'), 1);
      assert.equal(d.read('QueueReady'), 1);
      d.bench.run(1_000);
      assert.equal(d.read('QueueReset'), 0);
      assert.equal(d.read('QueueReady'), 0);
      const used = d.bench.monitor.events.slice().filter(({ kind }) => kind === 'used').length;
      d.bench.run(100_000);
      assert.equal(d.bench.monitor.events.slice().filter(({ kind }) => kind === 'used').length, used);
      d.setUpQueue(0, { size: 4 });
      for (let sector = 0; sector < 10; sector++) readSector(d, sector);
      assert.deepEqual([...d.bench.memory.read(d.buffer(0x100), 1)], [9]);
      assert.deepEqual(
        d.bench.monitor.violations.map(({ rule, message }) => `${rule}: ${message}`),
        [],
      );
    });

    it('is not reset by other values', () => {
      const d = started();
      d.selectQueue(0);
      d.write('QueueReset', 2);
      assert.equal(d.read('QueueReset'), 0);
      readSector(d);
    });
  });
}

it('the register does nothing without the feature', () => {
  const d = new ScriptedDriver(new Bench({ devices: [blockDevice()] }));
  d.start();
  d.selectQueue(0);
  d.write('QueueReset', 1);
  assert.equal(d.read('QueueReset'), 0);
  readSector(d);
});
