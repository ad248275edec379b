// Twins for register and configuration accesses. [virtio 1.4, 2.5.1, 4.2.2.2]
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { TestModel } from '../../../driver/model';
import { at, introduce, negotiate, type Twin } from './twin';

let model = new TestModel();

export const registerTwins: readonly Twin[] = [
  {
    rule: 'register.undefined',
    script: (d, wrong) => {
      d.start();
      return at(d, () => d.bench.load(wrong ? d.base + 0x1c : d.register('Status'), 4));
    },
  },
  {
    rule: 'register.read-only-written',
    script: (d, wrong) => {
      introduce(d);
      d.readOffer();
      d.selectDriverFeatures(1);
      return at(d, () => d.write(wrong ? 'DeviceFeatures' : 'DriverFeatures', 1));
    },
  },
  {
    rule: 'register.write-only-read',
    script: (d, wrong) => {
      d.start();
      return at(d, () => d.read(wrong ? 'QueueSel' : 'QueueReady'));
    },
  },
  {
    rule: 'register.width',
    script: (d, wrong) => {
      d.start();
      return at(d, () => d.bench.load(d.register('Status'), wrong ? 1 : 4));
    },
  },
  {
    rule: 'register.shared-memory',
    script: (d, wrong) => {
      negotiate(d);
      return at(d, () => d.read(wrong ? 'SHMLenLow' : 'ConfigGeneration'));
    },
  },
  {
    rule: 'register.queue-reset-not-negotiated',
    script: (d, wrong) => {
      d.start();
      if (!wrong) d.stopQueue();
      return wrong ? at(d, () => d.write('QueueReset', 1)) : undefined;
    },
  },
  {
    rule: 'config.beyond-end',
    script: (d, wrong) => {
      negotiate(d);
      return at(d, () => d.config(wrong ? 0x200 : 20, 4));
    },
  },
  {
    rule: 'config.width',
    script: (d, wrong) => {
      negotiate(d);
      return at(d, () => d.config(20, wrong ? 2 : 4));
    },
  },
  {
    rule: 'config.read-only-field',
    script: (d, wrong) => {
      negotiate(d);
      return at(d, () => (wrong ? d.writeConfig(20, 4, 4096) : d.writeConfig(32, 1, 1)));
    },
  },
  {
    rule: 'config.gated-field',
    script: (d, wrong) => {
      negotiate(d);
      return at(d, () => d.config(wrong ? 64 : 40, 4));
    },
  },
  {
    rule: 'config.wide-read-unguarded',
    script: (d, wrong) => {
      negotiate(d);
      const pc = d.bench.nextPc;
      if (wrong) {
        d.config(0, 4);
        d.config(4, 4);
      } else d.readWide(0);
      d.setUpQueue(0);
      return pc;
    },
  },
  {
    rule: 'config.generation-ignored',
    bench: () => {
      model = new TestModel();
      return { own: { model, offered: featureSet(feature.VERSION_1) } };
    },
    script: (d, wrong) => {
      d.start();
      d.read('ConfigGeneration');
      d.config(0, 4);
      model.changeConfig();
      d.config(4, 4);
      d.read('ConfigGeneration');
      if (!wrong) d.readWide(0);
      return at(d, () => d.notify(d.queue()));
    },
  },
];
