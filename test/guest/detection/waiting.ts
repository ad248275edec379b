// Bugs of drivers that do not come back: sleeps under suppression, completions lost at the end of an interrupt, loads that a compiler
// took out of a loop. [virtio 1.4, 2.7.7, 2.7.8, 4.2.3.4]
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { availableOffset } from '../../../emulator/virtio/spec/split-ring';
import { type BenchOptions, blockDevice } from '../../driver/bench';
import { TestModel } from '../../driver/model';
import type { ScriptedDriver } from '../../driver/driver';
import { drain, longTime, send, serveOne, storeUsedEvent } from '../../unit/rules/twins/waiting';
import type { Detection } from './detection';

const withEventIdx = { features: featureSet(feature.VERSION_1, feature.EVENT_IDX) };

/** Sleeps until an interrupt comes, and serves it. */
function sleep(d: ScriptedDriver): void {
  d.bench.run(20_000);
  if (d.serveInterrupt()) drain(d, d.queue());
  d.bench.run(longTime);
}

/** Serves an interrupt whose second completion comes between the drain and the acknowledgement. */
function drainThenAcknowledge(d: ScriptedDriver, looksAgain: boolean): void {
  const source = d.bench.claim();
  const bits = d.readInterruptStatus();
  drain(d, d.queue());
  d.bench.run(10_000);
  d.acknowledgeInterrupt(bits);
  if (looksAgain) drain(d, d.queue());
  d.bench.complete(source);
}

/** A model whose configuration changes on command, in the top slot. */
let changing = new TestModel();
const changingModel = (): BenchOptions => {
  changing = new TestModel();
  return { own: { model: changing, offered: featureSet(feature.VERSION_1) } };
};

export const waitingDetections: readonly Detection[] = [
  {
    bug: 'VB-028',
    does: 'accepts every feature that is offered, VIRTIO_F_EVENT_IDX among them, and knows nothing of used_event',
    rule: 'waiting.event-idx-not-honoured',
    driver: withEventIdx,
    script: (d) => {
      d.start();
      serveOne(d);
      send(d);
      sleep(d);
      return undefined;
    },
    bench: (wrong) => ({ devices: [blockDevice(wrong ? {} : { featuresOff: featureSet(feature.EVENT_IDX) })] }),
  },
  {
    bug: 'VB-029',
    does: 'leaves used_event at 0 while its last seen index advances',
    rule: 'waiting.event-idx-not-honoured',
    driver: withEventIdx,
    script: (d, wrong) => {
      d.start();
      serveOne(d);
      if (!wrong) storeUsedEvent(d, d.queue(), d.queue().lastUsed);
      send(d);
      sleep(d);
      return undefined;
    },
  },
  {
    bug: 'VB-066',
    does: 'spins on a register copy of the used index, with interrupts off',
    rule: 'waiting.completion-unseen',
    script: (d, wrong) => {
      d.start();
      d.bench.maskInterrupts();
      send(d);
      if (wrong) d.hasUsed(d.queue());
      else d.waitUsed(d.queue());
      d.bench.run(longTime);
      return undefined;
    },
  },
  {
    bug: 'VB-141',
    does: 'stores an old value into used_event after another hart has collected more',
    rule: 'waiting.used-event-stale',
    driver: withEventIdx,
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      for (let i = 0; i < 3; i++) {
        storeUsedEvent(d, queue, queue.lastUsed);
        serveOne(d);
      }
      storeUsedEvent(d, queue, queue.lastUsed);
      if (wrong) storeUsedEvent(d, queue, queue.lastUsed - 2);
      send(d);
      sleep(d);
      return undefined;
    },
  },
  {
    bug: 'VB-143',
    does: 'sets available flags to 1 and sleeps until an interrupt comes',
    rule: 'waiting.interrupts-left-off',
    script: (d, wrong) => {
      d.start();
      const flags = d.queue().available + availableOffset.flags;
      d.bench.store(flags, 2, 1);
      send(d);
      if (!wrong) d.bench.store(flags, 2, 0);
      sleep(d);
      return undefined;
    },
  },
  ...['VB-147', 'VB-149'].map((bug): Detection => ({
    bug,
    does: 'drains the used ring, acknowledges, and returns without another look',
    rule: 'waiting.completion-hidden',
    script: (d, wrong) => {
      d.start();
      send(d);
      d.bench.run(5_000);
      send(d, 0x1000);
      while (!d.hasUsed(d.queue())) d.bench.run(500);
      drainThenAcknowledge(d, !wrong);
      d.bench.run(longTime);
      return undefined;
    },
  })),
  {
    bug: 'VB-151',
    does: 'serves either the queue or the configuration, and acknowledges both bits',
    rule: 'waiting.config-change-ignored',
    bench: changingModel,
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 64, deviceWritable: true }]));
      d.notify(queue);
      d.bench.run(20_000);
      changing.changeConfig();
      d.bench.run(100);
      const source = d.bench.claim();
      const bits = d.readInterruptStatus();
      if ((bits & 1) !== 0) drain(d, queue);
      if (!wrong && (bits & 2) !== 0) d.config(8, 4);
      d.acknowledgeInterrupt(bits);
      d.bench.complete(source);
      d.bench.run(longTime);
      return undefined;
    },
  },
  {
    bug: 'VB-153',
    does: 'scans its queues for every interrupt, whatever the cause says',
    rule: 'waiting.config-change-ignored',
    bench: changingModel,
    script: (d, wrong) => {
      d.start();
      changing.changeConfig();
      d.bench.run(100);
      changing.changeConfig();
      d.bench.run(100);
      const source = d.bench.claim();
      const bits = d.readInterruptStatus();
      drain(d, d.queue());
      d.acknowledgeInterrupt(bits);
      if (!wrong) d.read('Status');
      d.bench.complete(source);
      d.bench.run(longTime);
      return undefined;
    },
  },
];
