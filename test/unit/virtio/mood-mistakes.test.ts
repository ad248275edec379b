// Each mood shows a mistake that a friendly device hides: the careless driver works without it and fails under it; the careful one, which
// differs in one step, works under both. [virtio 1.4; moods]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MoodSwitch } from '../../../emulator/virtio/mood';
import { blockFeature } from '../../../emulator/virtio/spec/block';
import { bitsOf, feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { usedOffset } from '../../../emulator/virtio/spec/split-ring';
import { cfgType } from '../../../emulator/virtio/transport/pci-layout';
import { Bench, type BenchOptions, blockDevice, consoleDevice } from '../../driver/bench';
import { blockParts, piecesOf } from '../../driver/block';
import { type DriverQueue, ScriptedDriver } from '../../driver/driver';
import { PciDriver } from '../../driver/pci-driver';

interface Scene {
  readonly mood: MoodSwitch;
  readonly mistake: string;
  readonly seed?: number;
  readonly bench?: (mood: readonly MoodSwitch[]) => BenchOptions;
  /** What goes wrong, in words; empty: nothing. */
  readonly play: (bench: Bench, careless: boolean) => readonly string[];
}

const rulesOf = (bench: Bench, ...wanted: string[]): string[] =>
  [...new Set(bench.monitor.violations.map(({ rule }) => rule))].filter((rule) => wanted.includes(rule));

function live(bench: Bench, features = featureSet(feature.VERSION_1)): { d: ScriptedDriver; queue: DriverQueue } {
  const d = new ScriptedDriver(bench, { features });
  d.start();
  return { d, queue: d.queue() };
}

/** Adds a read of a sector whose buffers no other request uses. */
function addRead(d: ScriptedDriver, queue: DriverQueue, sector: number, at = sector % 2): number {
  return d.addChain(queue, piecesOf(blockParts(d, 0, { sector, at: at * 0x800 })));
}
const firstByte = (d: ScriptedDriver, at = 0): number => d.bench.memory.read(d.buffer(at * 0x800) + 0x100, 1)[0] ?? -1;

/** Like `serveInterrupt`, with the driver's own work between the claim and its end. */
function handle(d: ScriptedDriver, work: (bits: number) => void): boolean {
  const source = d.bench.claim();
  if (source === 0) return false;
  work(d.readInterruptStatus());
  d.bench.complete(source);
  return true;
}

const scenes: readonly Scene[] = [
  {
    mood: 'eagerFetch',
    mistake: 'fills the header after the publish, before the notification',
    play: (bench, careless) => {
      const { d, queue } = live(bench);
      const head = addRead(d, queue, 0, 0);
      const fill = (): void => bench.store(d.buffer(0) + 8, 8, 7);
      if (!careless) fill();
      d.publish(queue, head);
      bench.run(10);
      if (careless) fill();
      d.notifyIfWanted(queue);
      d.waitUsed(queue);
      return firstByte(d) === 7 ? [] : ['the wrong sector was read'];
    },
  },
  {
    mood: 'delayedCompletion',
    mistake: 'takes the time that a request took once for the time that it takes',
    play: (bench, careless) => {
      const { d, queue } = live(bench);
      d.publish(queue, addRead(d, queue, 5, 0));
      d.notifyIfWanted(queue);
      bench.run(20_000);
      if (!careless) while (!d.hasUsed(queue)) bench.run(5_000);
      return firstByte(d) === 5 ? [] : ['the data is not there'];
    },
  },
  {
    mood: 'outOfOrderCompletion',
    mistake: 'takes the next used entry for the oldest request',
    play: (bench, careless) => {
      const { d, queue } = live(bench);
      const wrong: string[] = [];
      for (let round = 0; round < 8; round++) {
        queue.nextFree = 0;
        const heads = [addRead(d, queue, 2 * round), addRead(d, queue, 2 * round + 1)];
        for (const head of heads) d.publish(queue, head);
        d.notifyIfWanted(queue);
        const ids = heads.map(() => d.waitUsed(queue));
        const taken = careless ? heads : ids;
        if (taken.some((id, i) => id !== ids[i])) wrong.push(`round ${round}: requests were mixed up`);
        d.serveInterrupt();
      }
      return wrong;
    },
  },
  {
    mood: 'batchedCompletion',
    mistake: 'takes one used entry for each interrupt',
    play: (bench, careless) => {
      const { d, queue } = live(bench);
      let collected = 0;
      const serve = (): void => {
        handle(d, (bits) => {
          d.acknowledgeInterrupt(bits);
          while (d.hasUsed(queue)) {
            d.collect(queue);
            collected++;
            if (careless) return;
          }
        });
      };
      for (let i = 0; i < 2; i++) {
        d.publish(queue, addRead(d, queue, i));
        d.notifyIfWanted(queue);
        bench.run(15_000);
        serve();
      }
      bench.run(200_000);
      serve();
      serve();
      return collected === 2 ? [] : [`${collected} of 2 requests came back`];
    },
  },
  {
    mood: 'worstMomentCompletion',
    mistake: 'empties the used ring first and acknowledges then',
    play: (bench, careless) => {
      const { d, queue } = live(bench);
      let collected = 0;
      const drain = (): void => {
        for (; d.hasUsed(queue); collected++) d.collect(queue);
      };
      for (let i = 0; i < 2; i++) {
        d.publish(queue, addRead(d, queue, i));
        d.notifyIfWanted(queue);
        bench.run(6_000);
      }
      for (let turn = 0; turn < 20; turn++) {
        bench.run(3_000);
        handle(d, (bits) => {
          if (careless) drain();
          d.acknowledgeInterrupt(bits);
          if (!careless) drain();
        });
      }
      return collected === 2 ? [] : [`${collected} of 2 requests came back`];
    },
  },
  {
    mood: 'changingSuppression',
    mistake: 'asks whether to notify before it publishes',
    play: (bench, careless) => {
      const { d, queue } = live(bench);
      const wrong: string[] = [];
      for (let i = 0; i < 20 && wrong.length === 0; i++) {
        queue.nextFree = 0;
        const head = addRead(d, queue, i);
        const early = d.isNotificationWanted(queue);
        bench.run(4_000);
        d.publish(queue, head);
        if (careless ? early : d.isNotificationWanted(queue)) d.notify(queue);
        bench.run(13_000);
        if (!d.hasUsed(queue)) bench.run(150_000);
        if (!d.hasUsed(queue)) wrong.push(`request ${i} was never looked at`);
        else d.collect(queue);
        d.serveInterrupt();
      }
      return wrong;
    },
  },
  {
    mood: 'interruptedSubmit',
    mistake: 'lets its interrupt handler publish while it publishes itself',
    play: (bench, careless) => {
      const { d, queue } = live(bench);
      const used: number[] = [];
      const handler = (): boolean =>
        handle(d, (bits) => {
          d.acknowledgeInterrupt(bits);
          while (d.hasUsed(queue)) used.push(d.collect(queue));
          // The next request goes out from here.
          if (queue.availableIndex < 8) {
            d.publish(queue, addRead(d, queue, 1, 1));
            d.notify(queue);
          }
        });
      for (let i = 0; i < 3; i++) {
        queue.nextFree = i * 3;
        const head = addRead(d, queue, 0, 0);
        d.storeSlot(queue, head);
        queue.published.push(head);
        // Interrupts are masked here by the careful one.
        if (careless) handler();
        queue.availableIndex++;
        d.orderStores();
        d.storeIndex(queue, queue.availableIndex);
        d.notify(queue);
        bench.run(60_000);
        while (d.hasUsed(queue)) used.push(d.collect(queue));
        d.serveInterrupt();
      }
      bench.run(60_000);
      while (d.hasUsed(queue)) used.push(d.collect(queue));
      return queue.published.length === 0 ? [] : [`${queue.published.length} requests are lost`];
    },
  },
  {
    mood: 'spuriousInterrupts',
    mistake: 'takes an interrupt for a used buffer',
    play: (bench, careless) => {
      const { d, queue } = live(bench);
      let published = 0;
      let collected = 0;
      for (let i = 0; i < 16; i++) {
        queue.nextFree = 0;
        if (published === collected) {
          d.publish(queue, addRead(d, queue, i));
          published++;
          d.notifyIfWanted(queue);
        }
        bench.run(20_000);
        handle(d, (bits) => {
          d.acknowledgeInterrupt(bits);
          if (careless) {
            d.collect(queue);
            collected++;
          } else for (; d.hasUsed(queue); collected++) d.collect(queue);
        });
        // An interrupt without a buffer, when nothing is under way.
        for (let turn = 0; turn < 2; turn++) {
          handle(d, (bits) => {
            d.acknowledgeInterrupt(bits);
            if (careless) collected++;
          });
          bench.run(250_000);
        }
      }
      return collected <= published ? [] : [`${collected} completions of ${published} requests`];
    },
  },
  {
    mood: 'slowReset',
    mistake: 'goes on at once after a reset',
    play: (bench, careless) => {
      const { d } = live(bench);
      d.write('Status', 0);
      d.statusNow = 0;
      if (!careless) while (d.read('Status') !== 0) bench.run(100);
      d.acknowledge();
      bench.run(20_000);
      return d.read('Status') === 1 ? [] : ['the step after the reset is lost'];
    },
  },
  {
    mood: 'refusedFeatures',
    mistake: 'does not look whether FEATURES_OK stayed',
    play: (bench, careless) => {
      const d = new ScriptedDriver(bench, { features: featureSet(feature.VERSION_1, blockFeature.FLUSH) });
      d.probe();
      d.reset();
      d.acknowledge();
      d.driver();
      d.negotiate();
      d.addStatus(8);
      if (!careless && !d.readBackFeaturesOk()) return [];
      d.setUpQueue(0);
      d.driverOk();
      return (d.read('Status') & 8) !== 0 ? [] : ['the device is driven with features that it does not have'];
    },
  },
  {
    mood: 'unknownFeatures',
    mistake: 'accepts everything that is offered',
    play: (bench, careless) => {
      const d = new ScriptedDriver(bench, {});
      d.probe();
      d.reset();
      d.acknowledge();
      d.driver();
      d.readOffer();
      d.accepted = careless ? d.offered : featureSet(feature.VERSION_1);
      d.writeFeatures();
      d.confirmFeatures();
      return rulesOf(bench, 'features.undefined-bit');
    },
  },
  {
    mood: 'baitFeatures',
    mistake: 'accepts ring features of which it has never heard',
    play: (bench, careless) => {
      const d = new ScriptedDriver(bench, {});
      const known = featureSet(feature.VERSION_1, feature.EVENT_IDX);
      d.probe();
      d.reset();
      d.acknowledge();
      d.driver();
      d.readOffer();
      const ringBits = bitsOf(d.offered).filter((bit) => bit >= 24 && bit !== feature.INDIRECT_DESC);
      const understood = d.offered & known;
      d.accepted = careless ? featureSet(...ringBits) : understood;
      d.writeFeatures();
      d.confirmFeatures();
      return (d.accepted & ~known) === 0n ? [] : ['it agreed to what it does not do'];
    },
  },
  {
    mood: 'withheldFeatures',
    seed: 3,
    mistake: 'sends a request without having looked whether its feature is there',
    play: (bench, careless) => {
      const optional = [blockFeature.FLUSH, blockFeature.DISCARD, blockFeature.WRITE_ZEROES];
      const { d, queue } = live(bench, featureSet(feature.VERSION_1, ...optional));
      const types = [4, 11, 13];
      optional.forEach((bit, i) => {
        if (!careless && (d.accepted & featureSet(bit)) === 0n) return;
        const parts = blockParts(d, types[i] ?? 0, { bytes: bit === blockFeature.FLUSH ? 0 : 16, at: 0 });
        for (const { address, length } of parts.data)
          for (let at = 0; at < length; at += 4) bench.store(address + at, 4, at === 8 ? 1 : 0);
        queue.nextFree = 0;
        d.submit(queue, piecesOf(parts));
      });
      return rulesOf(bench, 'block.request-not-negotiated');
    },
  },
  {
    mood: 'poisonedConfig',
    mistake: 'takes a field of a feature that is not there for 0',
    bench: (mood) => ({ devices: [blockDevice({ mood, featuresOff: featureSet(blockFeature.GEOMETRY) })] }),
    play: (bench, careless) => {
      const { d } = live(bench);
      const offered = (d.offered & featureSet(blockFeature.GEOMETRY)) !== 0n;
      const cylinders = careless || offered ? d.config(16, 2) : 0;
      return cylinders < 16_384 ? [] : [`a disk with ${cylinders} cylinders`];
    },
  },
  {
    mood: 'changingConfig',
    mistake: 'reads the generation and does not compare it',
    play: (bench, careless) => {
      const { d } = live(bench);
      for (let turn = 0; turn < 4; turn++) {
        let generation = d.read('ConfigGeneration');
        for (;;) {
          d.config(0, 4);
          d.config(4, 4);
          const after = d.read('ConfigGeneration');
          if (careless || after === generation) break;
          generation = after;
        }
        d.selectQueue(0);
        d.serveInterrupt();
      }
      return rulesOf(bench, 'config.generation-ignored');
    },
  },
  {
    mood: 'smallQueues',
    mistake: 'sets the size that it has memory for',
    play: (bench, careless) => {
      const { d } = live(bench);
      d.reset();
      d.acknowledge();
      d.driver();
      d.negotiate();
      d.confirmFeatures();
      d.selectQueue(0);
      const maximum = d.readMaximumSize();
      d.writeQueueSize(careless ? 64 : Math.min(64, maximum));
      return rulesOf(bench, 'queue.size-above-maximum');
    },
  },
  {
    mood: 'canary',
    mistake: 'takes the buffer for full, whatever the used length says',
    bench: (mood) => ({ devices: [consoleDevice({ mood })] }),
    play: (bench, careless) => {
      const { d, queue } = live(bench);
      d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 8, deviceWritable: true }]));
      d.notify(queue);
      bench.run(50_000);
      bench.input('console0', Uint8Array.of(0x68, 0x69));
      d.waitUsed(queue);
      const length = careless ? 8 : d.ram(queue.used + usedOffset.len(0), 4);
      const text = String.fromCharCode(...bench.memory.read(d.buffer(), length)).replace(/\0+$/, '');
      return text === 'hi' ? [] : [`read ${JSON.stringify(text)}`];
    },
  },
  {
    mood: 'needsReset',
    mistake: 'does not look at Status when the configuration changes',
    play: (bench, careless) => {
      let { d, queue } = live(bench);
      let finished = 0;
      for (let i = 0; i < 30; i++) {
        queue.nextFree = 0;
        d.publish(queue, addRead(d, queue, i));
        d.notifyIfWanted(queue);
        bench.run(60_000);
        let broken = false;
        handle(d, (bits) => {
          if (!careless && (bits & 2) !== 0) broken = (d.read('Status') & 64) !== 0;
          d.acknowledgeInterrupt(bits);
        });
        if (d.hasUsed(queue)) {
          d.collect(queue);
          finished++;
        }
        if (broken) ({ d, queue } = live(bench));
      }
      return finished >= 29 ? [] : [`${finished} of 30 requests were served`];
    },
  },
  {
    mood: 'runningAtBoot',
    mistake: 'adds to Status without a reset',
    play: (bench, careless) => {
      const d = new ScriptedDriver(bench);
      d.probe();
      if (!careless) d.reset();
      d.write('Status', d.read('Status') | 1);
      return d.read('Status') === 1 ? [] : ['the device is live before it is set up'];
    },
  },
  {
    mood: 'fewVectors',
    mistake: 'maps a vector for each queue without counting them',
    bench: (mood) => ({ devices: [consoleDevice({ mood, transport: 'pci', pci: { msixVectors: 3 } })] }),
    play: (bench, careless) => {
      const d = new PciDriver(bench, { queues: [0, 1] });
      d.start();
      d.selectQueue(1);
      const vectors = (d.bus.config(msix(d) + 2, 2) & 0x7ff) + 1;
      d.setField('queue_msix_vector', careless ? 2 : Math.min(2, vectors - 1));
      d.field('queue_msix_vector');
      return rulesOf(bench, 'pci.vector-out-of-range');
    },
  },
  {
    mood: 'refusedVectors',
    mistake: 'does not look whether a vector was mapped',
    bench: (mood) => ({ devices: [consoleDevice({ mood, transport: 'pci', pci: { msixVectors: 3 } })] }),
    play: (bench, careless) => {
      const d = new PciDriver(bench, { queues: [0, 1] });
      d.start();
      const deaf: string[] = [];
      for (let turn = 0; turn < 6; turn++) {
        d.selectQueue(turn % 2);
        d.setField('queue_msix_vector', 1);
        // The careful one tries again, as it may, or would fall back.
        for (let again = 0; !careless && d.field('queue_msix_vector') !== 1 && again < 50; again++)
          d.setField('queue_msix_vector', 1);
        if (d.field('queue_msix_vector') !== 1) deaf.push(`queue ${turn % 2} interrupts nobody`);
      }
      return deaf;
    },
  },
  {
    mood: 'baitCapabilities',
    seed: 3,
    mistake: 'takes the queue for its own notification offset',
    bench: (mood) => ({ devices: [consoleDevice({ mood, transport: 'pci' })] }),
    play: (bench, careless) => {
      const d = new PciDriver(bench, { queues: [0, 1] });
      d.start();
      const queue = d.queue(1);
      if (careless) for (const index of [0, 1]) d.notifyOff.set(index, index);
      d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 4 }]));
      bench.store(d.notifyAddress(queue.index), 2, 1);
      bench.run(60_000);
      const first = d.bus.structures.filter((one) => one.cfgType === cfgType.notify)[0];
      return d.hasUsed(queue) && first !== undefined ? [] : ['the doorbell of another queue was rung'];
    },
  },
];

/** Where the MSI-X capability stands. */
function msix(d: PciDriver): number {
  let at = d.bus.config(0x34, 1);
  while (at !== 0 && d.bus.config(at, 1) !== 0x11) at = d.bus.config(at + 1, 1);
  return at;
}

for (const {
  mood,
  mistake,
  seed = 1,
  bench = (switches: readonly MoodSwitch[]) => ({ devices: [blockDevice({ mood: switches })] }),
  play,
} of scenes) {
  const make = (switches: readonly MoodSwitch[]): Bench =>
    new Bench({ rules: { '*': 'report' }, order: true, seed, ...bench(switches) });
  test(`${mood}: a driver that ${mistake}`, () => {
    assert.deepEqual(play(make([]), true), [], 'a friendly device hides it');
    assert.notDeepEqual(play(make([mood]), true), [], 'the mood shows it');
    assert.deepEqual(play(make([mood]), false), [], 'the careful driver works');
    assert.deepEqual(play(make([]), false), [], 'and on a friendly device as well');
  });
}
