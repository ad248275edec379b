// Moods: a driver that keeps to the specification works under each of them without an alarm, equal seeds give equal runs, and each
// switch shows. [virtio 1.4, 2.4.1, 2.5, 2.7.8, 2.7.8.2]
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type MoodSwitch, moodTable, poisonByte } from '../../../emulator/virtio/mood';
import { blockFeature } from '../../../emulator/virtio/spec/block';
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { Bench, type BenchOptions, blockDevice, consoleDevice } from '../../driver/bench';
import { blockParts, piecesOf } from '../../driver/block';
import { ScriptedDriver } from '../../driver/driver';

const names = moodTable.map(({ name }) => name);

function start(mood: readonly MoodSwitch[], options: Partial<BenchOptions> = {}, features?: bigint): ScriptedDriver {
  const bench = new Bench({ devices: [blockDevice({ mood })], rules: { '*': 'report' }, order: true, ...options });
  const d = new ScriptedDriver(bench, { queueSize: 4, ...(features !== undefined && { features }) });
  d.probe();
  d.reset();
  d.acknowledge();
  d.driver();
  d.negotiate();
  d.confirmFeatures();
  d.readWide(0);
  d.setUpQueue(0);
  d.driverOk();
  return d;
}

/** Reads sectors, one after the other and by interrupt, and looks once more after each acknowledgement. */
function work(d: ScriptedDriver): number[] {
  const queue = d.queue();
  const heads: number[] = [];
  for (let i = 0; i < 12; i++) {
    const head = d.addChain(queue, piecesOf(blockParts(d, 0, { sector: i })));
    // Three of four descriptors: the next request needs this one to be back.
    queue.nextFree = 0;
    d.publish(queue, head);
    d.notifyIfWanted(queue);
    for (let turn = 0; !d.hasUsed(queue); turn++) {
      assert.ok(turn < 5_000, 'the device gives the buffer back');
      d.bench.run(500);
      d.serveInterrupt();
    }
    heads.push(d.collect(queue));
    d.serveInterrupt();
  }
  d.bench.run(1_500_000_000);
  return heads;
}

const found = ({ bench }: ScriptedDriver): string[] =>
  bench.monitor.violations.map(({ rule, message }) => `${rule}: ${message}`);
const kinds = ({ bench }: ScriptedDriver): string[] =>
  bench.monitor.events.slice(0).map(({ kind, step }) => `${step} ${kind}`);

for (const mood of [
  ...names.map((name): readonly MoodSwitch[] => [name]),
  names.filter((n) => n !== 'refusedFeatures'),
]) {
  describe(mood.length === 1 ? `mood ${mood.join()}` : 'nearly all moods together', () => {
    for (const features of [featureSet(feature.VERSION_1), featureSet(feature.VERSION_1, feature.EVENT_IDX)]) {
      if (features !== featureSet(feature.VERSION_1) && mood.includes('refusedFeatures')) continue;
      test(`a conforming driver works without an alarm, features 0x${features.toString(16)}`, () => {
        const d = start(mood, {}, features);
        assert.equal(work(d).length, 12);
        assert.deepEqual(found(d), []);
      });
    }
    test('the same seed gives the same run', () => {
      const [first, second] = [start(mood), start(mood)];
      work(first);
      work(second);
      assert.deepEqual(kinds(first), kinds(second));
    });
  });
}

test('a slow reset shows the old status for a while', () => {
  const d = start(['slowReset']);
  d.write('Status', 0);
  assert.equal(d.read('Status'), 15);
  d.write('Status', 1);
  d.bench.run(6_000);
  assert.equal(d.read('Status'), 0);
});

test('a driver that does not await a slow reset is reported for just that', () => {
  const d = start(['slowReset']);
  d.write('Status', 0);
  d.statusNow = 0;
  d.acknowledge();
  assert.deepEqual(
    d.bench.monitor.violations.map(({ rule }) => rule),
    ['status.reset-not-read-back'],
  );
});

test('refused features leave FEATURES_OK clear until the driver asks for less', () => {
  const d = new ScriptedDriver(new Bench({ devices: [blockDevice({ mood: ['refusedFeatures'] })] }));
  d.probe();
  for (const [features, isTaken] of [
    [featureSet(feature.VERSION_1, blockFeature.FLUSH), false],
    [featureSet(feature.VERSION_1), true],
  ] as const) {
    d.reset();
    d.acknowledge();
    d.driver();
    d.readOffer();
    d.accepted = features;
    d.writeFeatures();
    d.addStatus(8);
    assert.equal(d.readBackFeaturesOk(), isTaken);
  }
});

test('unknown features are offered, and accepting them is refused', () => {
  const d = start(['unknownFeatures']);
  assert.notEqual(d.offered & ~start([]).offered, 0n);
});

test('withheld features are a part of the usual offer', () => {
  const [usual, withheld] = [start([]).offered, start(['withheldFeatures']).offered];
  assert.equal(withheld & ~usual, 0n);
  assert.notEqual(withheld, usual);
  assert.notEqual(withheld & featureSet(feature.VERSION_1), 0n);
});

test('configuration fields that do not exist are poisoned', () => {
  const d = start(['poisonedConfig']);
  assert.equal(d.config(8, 4), Number(BigInt(poisonByte) * 0x01010101n));
});

test('ConfigGeneration moves between two reads, and a loop comes to its end', () => {
  const d = start(['changingConfig']);
  const changes = d.bench.monitor.events.slice(0).filter(({ kind }) => kind === 'config-change');
  assert.ok(changes.length > 0 && changes.length <= 2);
});

test('queues are small, and not all alike', () => {
  const bench = new Bench({ devices: [consoleDevice({ mood: ['smallQueues'] })] });
  const sizes = bench.devices[0]?.inspect().queues.map(({ maximumSize }) => maximumSize) ?? [];
  for (const size of sizes) assert.ok(size >= 4 && size <= 32);
});

test('a device left running shows it, and a reset ends it', () => {
  const bench = new Bench({ devices: [blockDevice({ mood: ['runningAtBoot'] })] });
  const d = new ScriptedDriver(bench);
  d.probe();
  assert.equal(d.read('Status'), 15);
  d.acknowledge();
  assert.deepEqual(
    bench.monitor.violations.map(({ rule }) => rule),
    ['init.no-reset'],
  );
});

test('the canary stands behind the used length', () => {
  const bench = new Bench({ devices: [consoleDevice({ mood: ['canary'] })] });
  const d = new ScriptedDriver(bench);
  d.start();
  const queue = d.queue();
  d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 8, deviceWritable: true }]));
  d.notify(queue);
  bench.run(50_000);
  bench.input('console0', Uint8Array.of(1, 2));
  bench.run(50_000);
  assert.deepEqual([...bench.memory.read(d.buffer(), 8)], [1, 2, 0xc9, 0xc9, 0xc9, 0xc9, 0xc9, 0xc9]);
});

test('a hostile device is found out, and never taken for the driver', () => {
  const bench = new Bench({ devices: [blockDevice({ hostile: true })], rules: { '*': 'report' } });
  const d = new ScriptedDriver(bench);
  d.start();
  const queue = d.queue();
  for (let i = 0; i < 40 && bench.monitor.violations.length === 0; i++) {
    d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
    d.notify(queue);
    d.waitUsed(queue);
    d.serveInterrupt();
  }
  const [first] = bench.monitor.violations;
  assert.equal(first?.family, 'device-fault');
});
