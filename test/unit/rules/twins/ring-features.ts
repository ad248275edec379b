// Twins for what ring features demand of drivers: notification data and the reset of one queue. [virtio 1.4, 2.6.1, 2.9]
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { blockDevice } from '../../../driver/bench';
import { blockParts, piecesOf } from '../../../driver/block';
import { PackedDriver } from '../../../driver/packed-driver';
import type { DriverQueue, ScriptedDriver } from '../../../driver/driver';
import { at, type Twin } from './twin';

const features = featureSet(feature.VERSION_1, feature.RING_RESET, feature.NOTIFICATION_DATA);
const driver = { features };
const bench = (ring: bigint) => () => ({
  devices: [blockDevice({ featuresOn: featureSet(feature.RING_RESET, feature.NOTIFICATION_DATA) | ring })],
});

function hand(d: ScriptedDriver, queue: DriverQueue, wrong: boolean): bigint {
  d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
  d.isNotificationWanted(queue);
  const value = d.notification(queue);
  const pc = at(d, () => d.write('QueueNotify', (wrong ? value ^ 0x8000_0000 : value) >>> 0));
  d.waitUsed(queue);
  return pc;
}

/** Started, with the reset of queue 0 written. */
function resetting(d: ScriptedDriver): void {
  d.start();
  d.selectQueue(0);
  d.write('QueueReset', 1);
}

export const ringFeatureTwins: readonly Twin[] = [
  {
    rule: 'notify.data-wrong',
    bench: bench(0n),
    driver,
    script: (d, wrong) => {
      d.start();
      return hand(d, d.queue(), wrong);
    },
  },
  {
    rule: 'notify.data-wrong',
    bench: bench(featureSet(feature.RING_PACKED)),
    script: (_plain, wrong, on) => {
      const d = new PackedDriver(on, driver);
      d.start();
      for (let i = 0; i < 4; i++) hand(d, d.queue(), false);
      return hand(d, d.queue(), wrong);
    },
  },
  {
    rule: 'queue.reset-not-read-back',
    bench: bench(0n),
    driver,
    script: (d, wrong) => {
      resetting(d);
      if (!wrong) d.awaitQueueReset();
      return at(d, () => d.writeQueueSize(4));
    },
  },
  {
    rule: 'queue.reset-not-configured',
    bench: bench(0n),
    driver,
    script: (d, wrong) => {
      resetting(d);
      d.awaitQueueReset();
      if (!wrong) {
        d.setUpQueue(0);
        return undefined;
      }
      d.clearRings(d.queue());
      return at(d, () => d.enableQueue());
    },
  },
];
