// Twins for discovery, the initialisation sequence and the status bits. [virtio 1.4, 2.1, 3.1.1, 4.2.3.1.1]
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { blockFeature } from '../../../../emulator/virtio/spec/block';
import { status } from '../../../../emulator/virtio/spec/status';
import { type BenchOptions, blockDevice } from '../../../driver/bench';
import { blockParts, piecesOf } from '../../../driver/block';
import { TestModel } from '../../../driver/model';
import { at, introduce, negotiate, type Twin } from './twin';

let model = new TestModel();

/** A device that refuses what it did not offer; that it was accepted is not the matter here. */
const refusingBench = (): BenchOptions => ({
  own: { model: new TestModel(), offered: featureSet(feature.VERSION_1) },
  rules: { 'features.over-accepted': 'off' },
});

export const handshakeTwins: readonly Twin[] = [
  {
    rule: 'init.not-identified',
    script: (d, wrong) => {
      if (!wrong) d.probe();
      const pc = d.bench.nextPc;
      d.reset();
      d.acknowledge();
      return pc;
    },
  },
  {
    rule: 'init.device-id-not-read',
    script: (d, wrong) => {
      d.read('MagicValue');
      d.read('Version');
      if (!wrong) d.read('DeviceID');
      const pc = d.bench.nextPc;
      d.reset();
      return pc;
    },
  },
  {
    rule: 'init.placeholder-used',
    driver: { slot: 0 },
    script: (d, wrong) => {
      d.read('MagicValue');
      d.read('Version');
      const id = d.read('DeviceID');
      return id !== 0 || wrong ? at(d, () => d.write('Status', 0)) : undefined;
    },
  },
  {
    rule: 'status.bit-cleared',
    script: (d, wrong) => {
      d.start();
      return at(d, () => d.write('Status', wrong ? d.statusNow & ~status.ACKNOWLEDGE : d.statusNow));
    },
  },
  {
    rule: 'status.after-failed',
    script: (d, wrong) => {
      d.probe();
      d.reset();
      d.acknowledge();
      d.addStatus(status.FAILED);
      if (!wrong) d.reset();
      d.acknowledge();
      return at(d, () => d.driver());
    },
  },
  {
    rule: 'status.read-after-failed',
    script: (d, wrong) => {
      d.start();
      d.addStatus(status.FAILED);
      return at(d, () => d.read(wrong ? 'InterruptStatus' : 'Status'));
    },
  },
  {
    rule: 'status.unknown-bit',
    script: (d, wrong) => {
      d.start();
      return at(d, () => d.addStatus(wrong ? 0x20 : status.FAILED));
    },
  },
  {
    rule: 'status.steps-combined',
    script: (d, wrong) => {
      d.probe();
      d.reset();
      if (!wrong) d.acknowledge();
      return at(d, () => d.addStatus(status.ACKNOWLEDGE | status.DRIVER));
    },
  },
  {
    rule: 'status.reset-not-read-back',
    script: (d, wrong) => {
      d.probe();
      d.write('Status', 0);
      if (!wrong) d.awaitReset();
      return at(d, () => d.acknowledge());
    },
  },
  {
    rule: 'status.use-after-needs-reset',
    bench: () => {
      model = new TestModel();
      return { own: { model, offered: featureSet(feature.VERSION_1) } };
    },
    script: (d, wrong) => {
      d.start();
      if (wrong) model.breakDown();
      d.bench.run(1);
      return at(d, () => d.notify(d.queue()));
    },
  },
  {
    rule: 'status.needs-reset-unanswered',
    bench: () => ({ devices: [blockDevice({ queueSize: 64, mood: ['needsReset'] })] }),
    driver: { queueSize: 64 },
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      // More requests than the device serves before it needs a reset.
      for (let i = 0; i < 20; i++) {
        d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0, { sector: i, at: i * 0x800 }))));
      }
      d.notifyIfWanted(queue);
      d.bench.run(1_000_000);
      d.serveInterrupt();
      while (d.hasUsed(queue)) d.collect(queue);
      d.read('Status');
      if (!wrong) d.reset();
      d.bench.run(1_100_000_000);
      return undefined;
    },
  },
  {
    rule: 'status.suspend-unexpected',
    bench: () => ({ own: { model: new TestModel(), offered: featureSet(feature.VERSION_1, feature.SUSPEND) } }),
    driver: { features: featureSet(feature.VERSION_1, feature.SUSPEND) },
    script: (d, wrong) => {
      negotiate(d);
      if (!wrong) d.driverOk();
      return at(d, () => d.addStatus(status.SUSPEND));
    },
  },
  {
    rule: 'init.no-reset',
    script: (d, wrong) => {
      d.probe();
      if (!wrong) d.reset();
      return at(d, () => d.acknowledge());
    },
  },
  {
    rule: 'init.no-acknowledge',
    script: (d, wrong) => {
      d.probe();
      d.reset();
      if (!wrong) d.acknowledge();
      const pc = at(d, () => d.driver());
      d.negotiate();
      d.confirmFeatures();
      d.setUpQueue(0);
      d.driverOk();
      return pc;
    },
  },
  {
    rule: 'init.no-driver',
    script: (d, wrong) => {
      d.probe();
      d.reset();
      d.acknowledge();
      if (!wrong) {
        d.driver();
        d.negotiate();
      }
      return at(d, () => d.confirmFeatures());
    },
  },
  {
    rule: 'init.features-before-driver',
    script: (d, wrong) => {
      d.probe();
      d.reset();
      d.acknowledge();
      if (!wrong) d.driver();
      const pc = d.bench.nextPc + 4n;
      d.negotiate();
      if (wrong) d.driver();
      d.confirmFeatures();
      return pc;
    },
  },
  {
    rule: 'init.config-before-driver',
    script: (d, wrong) => {
      d.probe();
      d.reset();
      d.acknowledge();
      if (!wrong) d.driver();
      const pc = d.bench.nextPc + 4n;
      d.readWide(0);
      if (wrong) d.driver();
      return pc;
    },
  },
  {
    rule: 'init.config-write-before-features-ok',
    driver: { features: featureSet(feature.VERSION_1, blockFeature.CONFIG_WCE, blockFeature.FLUSH) },
    script: (d, wrong) => {
      introduce(d);
      d.negotiate();
      if (!wrong) d.confirmFeatures();
      return at(d, () => d.writeConfig(32, 1, 1));
    },
  },
  {
    rule: 'init.features-not-written',
    script: (d, wrong) => {
      introduce(d);
      d.readOffer();
      d.chooseFeatures();
      if (!wrong) d.writeFeatures();
      return at(d, () => d.confirmFeatures());
    },
  },
  {
    rule: 'init.queue-before-features-ok',
    script: (d, wrong) => {
      introduce(d);
      d.negotiate();
      if (!wrong) d.confirmFeatures();
      d.setUpQueue(0);
      if (wrong) d.confirmFeatures();
      d.driverOk();
      return undefined;
    },
  },
  {
    rule: 'init.no-features-ok',
    script: (d, wrong) => {
      introduce(d);
      d.negotiate();
      if (!wrong) d.confirmFeatures();
      return at(d, () => d.driverOk());
    },
  },
  {
    rule: 'init.features-ok-not-read-back',
    script: (d, wrong) => {
      introduce(d);
      d.negotiate();
      d.addStatus(status.FEATURES_OK);
      if (!wrong) d.readBackFeaturesOk();
      d.setUpQueue(0);
      d.driverOk();
      return undefined;
    },
  },
  {
    rule: 'init.refused-features-ok',
    bench: refusingBench,
    script: (d, wrong) => {
      introduce(d);
      d.readOffer();
      d.accepted = d.offered | featureSet(feature.EVENT_IDX);
      d.writeFeatures();
      d.confirmFeatures();
      if (!wrong) d.addStatus(status.FAILED);
      else d.setUpQueue(0);
      return undefined;
    },
  },
  {
    rule: 'init.given-up-silently',
    bench: refusingBench,
    script: (d, wrong) => {
      introduce(d);
      d.readOffer();
      d.accepted = d.offered | featureSet(feature.EVENT_IDX);
      d.writeFeatures();
      d.addStatus(status.FEATURES_OK);
      const pc = at(d, () => d.readBackFeaturesOk());
      if (!wrong) d.addStatus(status.FAILED);
      d.bench.idle();
      return pc;
    },
  },
  {
    rule: 'init.queue-after-driver-ok',
    script: (d, wrong) => {
      negotiate(d);
      if (wrong) d.driverOk();
      d.setUpQueue(0);
      if (!wrong) d.driverOk();
      return undefined;
    },
  },
  {
    rule: 'init.notify-before-driver-ok',
    script: (d, wrong) => {
      negotiate(d);
      const queue = d.setUpQueue(0);
      d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
      if (!wrong) d.driverOk();
      const pc = at(d, () => d.notify(queue));
      if (wrong) d.driverOk();
      d.waitUsed(queue);
      return pc;
    },
  },
  {
    rule: 'init.driver-ok-missing',
    script: (d, wrong) => {
      negotiate(d);
      const queue = d.setUpQueue(0);
      const head = d.addChain(queue, piecesOf(blockParts(d, 0)));
      d.storeSlot(queue, head);
      const pc = at(d, () => d.storeIndex(queue, 1));
      if (!wrong) {
        d.driverOk();
        d.notify(queue);
      }
      d.bench.run(20_000_000);
      d.bench.idle();
      return pc;
    },
  },
];
