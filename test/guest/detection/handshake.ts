// Bugs of the initialisation sequence, of features and of registers. [virtio 1.4, 2.1, 2.2, 2.4, 2.5, 3.1.1, 4.2.2]
import { blockFeature } from '../../../emulator/virtio/spec/block';
import { deviceId } from '../../../emulator/virtio/spec/device-id';
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../emulator/virtio/spec/net';
import { status } from '../../../emulator/virtio/spec/status';
import { blockDevice, consoleDevice, entropyDevice } from '../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../driver/block';
import type { ScriptedDriver } from '../../driver/driver';
import { TestModel } from '../../driver/model';
import { introduce, negotiate } from '../../unit/rules/twins/twin';
import type { Detection } from './detection';

/** Hands a read over and notifies, whatever the state of the device. */
function sendRead(d: ScriptedDriver): void {
  const queue = d.queue();
  d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
  d.notify(queue);
}

/** Gives one device-writable buffer to a queue and notifies. */
function post(d: ScriptedDriver, index: number): void {
  const queue = d.queue(index);
  d.publish(queue, d.addChain(queue, [{ address: d.buffer(index * 0x1000), length: 64, deviceWritable: true }]));
  d.notify(queue);
}

export const handshakeDetections: readonly Detection[] = [
  {
    bug: 'VB-001',
    does: 'sets DRIVER_OK and programs the queue only afterwards',
    rule: 'init.queue-after-driver-ok',
    script: (d, wrong) => {
      negotiate(d);
      if (wrong) d.driverOk();
      d.setUpQueue(0);
      if (!wrong) d.driverOk();
      sendRead(d);
      d.waitUsed(d.queue());
      return undefined;
    },
  },
  {
    bug: 'VB-002',
    does: 'sets FEATURES_OK and goes on without reading Status',
    rule: 'init.features-ok-not-read-back',
    script: (d, wrong) => {
      introduce(d);
      d.negotiate();
      d.addStatus(status.FEATURES_OK);
      if (!wrong) d.readBackFeaturesOk();
      d.setUpQueue(0);
      d.driverOk();
      readSector(d);
      return undefined;
    },
  },
  {
    bug: 'VB-004',
    does: 'leaves FEATURES_OK out when it initialises the device a second time',
    rule: 'init.queue-before-features-ok',
    script: (d, wrong) => {
      d.start();
      readSector(d);
      d.reset();
      d.acknowledge();
      d.driver();
      d.negotiate();
      if (!wrong) d.confirmFeatures();
      d.setUpQueue(0);
      d.driverOk();
      return undefined;
    },
  },
  {
    bug: 'VB-006',
    does: 'sets up its queue and publishes a request before it writes its features',
    rule: 'init.queue-before-features-ok',
    script: (d, wrong) => {
      introduce(d);
      if (!wrong) {
        d.negotiate();
        d.confirmFeatures();
      }
      const queue = d.setUpQueue(0);
      d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
      if (wrong) {
        d.negotiate();
        d.confirmFeatures();
      }
      d.driverOk();
      d.notify(queue);
      return undefined;
    },
  },
  {
    bug: 'VB-007',
    does: 'fills and notifies its receive queue before DRIVER_OK',
    rule: 'init.notify-before-driver-ok',
    bench: () => ({ devices: [consoleDevice()] }),
    script: (d, wrong) => {
      negotiate(d);
      d.setUpQueue(0);
      if (!wrong) d.driverOk();
      post(d, 0);
      if (wrong) d.driverOk();
      return undefined;
    },
  },
  {
    bug: 'VB-010',
    does: 'sends a command before DRIVER_OK and spins for the answer',
    rule: 'init.notify-before-driver-ok',
    script: (d, wrong) => {
      negotiate(d);
      d.setUpQueue(0);
      if (!wrong) d.driverOk();
      sendRead(d);
      for (let turn = 0; turn < 50; turn++) {
        if (d.hasUsed(d.queue())) break;
        d.bench.run(500);
      }
      return undefined;
    },
  },
  {
    bug: 'VB-012',
    does: 'queries the disk on the request queue while Status is ACKNOWLEDGE, DRIVER and FEATURES_OK',
    rule: 'init.notify-before-driver-ok',
    script: (d, wrong) => {
      negotiate(d);
      d.setUpQueue(0);
      if (!wrong) d.driverOk();
      const queue = d.queue();
      const parts = blockParts(d, 8, { bytes: 20 });
      d.publish(queue, d.addChain(queue, piecesOf(parts)));
      d.notify(queue);
      return undefined;
    },
  },
  {
    bug: 'VB-014',
    does: 'notifies a receive queue that is not enabled yet, before DRIVER_OK',
    rule: 'init.notify-before-driver-ok',
    bench: () => ({ devices: [consoleDevice()] }),
    script: (d, wrong) => {
      negotiate(d);
      if (wrong) d.write('QueueNotify', 0);
      d.setUpQueue(0);
      d.driverOk();
      post(d, 0);
      return undefined;
    },
  },
  {
    bug: 'VB-016',
    does: 'asks an entropy device for bytes after it has reset it',
    rule: 'init.notify-before-driver-ok',
    bench: () => ({ devices: [entropyDevice()] }),
    script: (d, wrong) => {
      d.start();
      post(d, 0);
      d.waitUsed(d.queue());
      if (wrong) d.reset();
      post(d, 0);
      return undefined;
    },
  },
  {
    bug: 'VB-017',
    does: 'takes over a device that earlier software left running, without a reset',
    rule: 'init.no-reset',
    script: (d, wrong) => {
      d.start();
      readSector(d);
      if (!wrong) d.reset();
      d.statusNow = 0;
      d.acknowledge();
      return undefined;
    },
  },
  {
    bug: 'VB-019',
    does: 'sets ACKNOWLEDGE, resets the device and continues with DRIVER',
    rule: 'init.no-acknowledge',
    script: (d, wrong) => {
      d.probe();
      d.reset();
      d.acknowledge();
      d.reset();
      if (!wrong) d.acknowledge();
      d.driver();
      return undefined;
    },
  },
  {
    bug: 'VB-021',
    does: 'writes 0 and then ACKNOWLEDGE to Status without a read in between',
    rule: 'status.reset-not-read-back',
    script: (d, wrong) => {
      d.probe();
      d.write('Status', 0);
      if (!wrong) d.awaitReset();
      d.acknowledge();
      return undefined;
    },
  },
  {
    bug: 'VB-026',
    does: 'writes 0 to the upper window of its features',
    rule: 'features.version-1-declined',
    script: (d, wrong) => {
      introduce(d);
      d.readOffer();
      d.chooseFeatures();
      d.writeFeatureWindow(0, 0);
      d.writeFeatureWindow(1, wrong ? 0 : 1);
      d.confirmFeatures();
      return undefined;
    },
  },
  {
    bug: 'VB-033',
    does: 'accepts VIRTIO_NET_F_MQ without VIRTIO_NET_F_CTRL_VQ',
    rule: 'features.requirement-missing',
    bench: () => ({
      own: {
        model: new TestModel({ deviceId: deviceId.net }),
        offered: featureSet(feature.VERSION_1, netFeature.CTRL_VQ, netFeature.MQ),
      },
    }),
    driver: { features: featureSet(feature.VERSION_1, netFeature.CTRL_VQ, netFeature.MQ) },
    script: (d, wrong) => {
      introduce(d);
      d.readOffer();
      d.chooseFeatures();
      if (wrong) d.accepted &= ~featureSet(netFeature.CTRL_VQ);
      d.writeFeatures();
      d.confirmFeatures();
      return undefined;
    },
  },
  {
    bug: 'VB-034',
    does: 'reads blk_size although VIRTIO_BLK_F_BLK_SIZE is not offered',
    rule: 'config.gated-field',
    bench: (wrong) => ({ devices: [blockDevice(wrong ? { featuresOff: featureSet(blockFeature.BLK_SIZE) } : {})] }),
    script: (d) => {
      negotiate(d);
      d.config(20, 4);
      return undefined;
    },
  },
  {
    bug: 'VB-070',
    does: 'reads both windows of the offer without storing the selector',
    rule: 'features.select-before-read',
    script: (d, wrong) => {
      introduce(d);
      if (wrong) {
        d.read('DeviceFeatures');
        d.read('DeviceFeatures');
      } else d.readOffer();
      return undefined;
    },
  },
  {
    bug: 'VB-164',
    does: 'copies the configuration space with loads wider than its fields',
    rule: 'config.width',
    bench: () => ({ own: { model: new TestModel(), offered: featureSet(feature.VERSION_1) } }),
    script: (d, wrong) => {
      negotiate(d);
      if (wrong) d.config(8, 2);
      else d.config(8, 4);
      return undefined;
    },
  },
  {
    bug: 'VB-168',
    does: 'reads blk_size four bytes too far, behind a field that it holds for longer than it is',
    rule: 'config.width',
    script: (d, wrong) => {
      negotiate(d);
      d.config(wrong ? 24 : 20, 4);
      return undefined;
    },
  },
  {
    bug: 'VB-171',
    does: 'reads the halves of capacity without looking at ConfigGeneration',
    rule: 'config.wide-read-unguarded',
    script: (d, wrong) => {
      introduce(d);
      d.negotiate();
      if (wrong) {
        d.config(0, 4);
        d.config(4, 4);
      } else d.readWide(0);
      d.confirmFeatures();
      return undefined;
    },
  },
];
