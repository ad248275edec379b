// Bugs of packed rings: laps, buffer ids, leftovers in memory, suppression. [virtio 1.4, 2.8]
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../emulator/virtio/spec/net';
import { eventFlag, packedFlag, packedOffset } from '../../../emulator/virtio/spec/packed-ring';
import { descriptorBytes } from '../../../emulator/virtio/spec/split-ring';
import { type BenchOptions, blockDevice, netAddress, netDevice } from '../../driver/bench';
import { blockParts, piecesOf } from '../../driver/block';
import type { DriverOptions, DriverQueue } from '../../driver/driver';
import { pattern, udp } from '../../driver/frames';
import { PackedDriver } from '../../driver/packed-driver';
import type { Detection } from './detection';

/** A packet from the host. */
const datagram = (): Uint8Array => {
  const ends = { from: [0, 0, 0x0a, 0, 2, 2], to: [...netAddress], source: [10, 0, 2, 2], destination: [10, 0, 2, 15] };
  return udp(ends, 1000, 2000, pattern(60));
};

const withPacked = featureSet(feature.RING_PACKED);
const blockBench = (): BenchOptions => ({ devices: [blockDevice({ featuresOn: withPacked, queueSize: 256 })] });

function packed(
  bug: string,
  does: string,
  rule: string,
  script: (d: PackedDriver, wrong: boolean) => void,
  { bench = blockBench, driver = {} }: { readonly bench?: () => BenchOptions; readonly driver?: DriverOptions } = {},
): Detection {
  return {
    bug,
    does,
    rule,
    bench,
    script: (_, wrong, own) => {
      script(new PackedDriver(own, driver), wrong);
      return undefined;
    },
  };
}

function publishRead(d: PackedDriver, queue: DriverQueue, at = 0): void {
  d.addChain(queue, piecesOf(blockParts(d, 0, { at })));
  d.publish(queue);
}

/** A read in one descriptor; its list is not published yet. */
function addTable(d: PackedDriver, queue: DriverQueue): void {
  d.addIndirectChain(queue, piecesOf(blockParts(d, 0)), d.table());
}

const netBench = (): BenchOptions => ({
  devices: [netDevice({ featuresOn: withPacked, featuresOff: featureSet(netFeature.MAC, netFeature.MTU) })],
});

export const packedDetections: readonly Detection[] = [
  packed(
    'VB-059',
    'loads the device event suppression structure with no barrier behind the flags that publish',
    'ordering.packed-notification-check',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.addChain(queue, piecesOf(blockParts(d, 0)));
      d.orderStores();
      d.publish(queue);
      if (wrong) d.orderCheck = () => undefined;
      if (d.isNotificationWanted(queue)) d.notify(queue);
      d.waitUsed(queue);
    },
    { bench: () => ({ ...blockBench(), order: true }) },
  ),
  packed(
    'VB-087',
    'puts the header of a packet into a list of its own',
    'net.header-short',
    (d, wrong) => {
      d.start();
      const receive = d.queue(0);
      d.addChain(receive, [{ address: d.buffer(0x1000), length: 1526, deviceWritable: true }]);
      d.publish(receive);
      d.notifyIfWanted(receive);
      const queue = d.queue(1);
      const header = { address: d.buffer(), length: 12 };
      const frame = { address: d.buffer(0x100), length: 60 };
      d.addChain(queue, wrong ? [header] : [header, frame]);
      d.publish(queue);
      d.notify(queue);
      if (!wrong) d.waitUsed(queue);
    },
    { bench: netBench, driver: { queues: [0, 1] } },
  ),
  packed(
    'VB-097',
    'refills its receive queue with the buffer of the slot instead of the one that the buffer id names',
    'ownership.buffer-overlap',
    (d, wrong) => {
      d.start();
      const receive = d.queue(0);
      const post = (buffer: number): void => {
        d.addChain(receive, [{ address: d.buffer(0x1000 * (buffer + 1)), length: 1526, deviceWritable: true }]);
        d.publish(receive);
        d.notifyIfWanted(receive);
      };
      post(0);
      post(1);
      d.bench.run(20_000);
      d.bench.input('net0', datagram());
      const id = d.waitUsed(receive);
      post(wrong ? 1 - id : id);
    },
    { bench: netBench, driver: { queues: [0, 1] } },
  ),
  packed(
    'VB-099',
    'makes a list available under the id that was left in its slot',
    'packed.buffer-id-in-use',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      publishRead(d, queue);
      const last = d.descriptorAt(queue, 5) + packedOffset.id;
      d.addChain(queue, piecesOf(blockParts(d, 0, { at: 0x2000 })));
      if (wrong) d.bench.store(last, 2, 0);
      d.publish(queue);
      d.notify(queue);
      d.waitUsed(queue);
      if (!wrong) d.waitUsed(queue);
    },
  ),
  packed(
    'VB-101',
    'sets AVAIL of a slot of the second lap and keeps what the device left there',
    'packed.published-unseen',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      for (let i = 0; i < queue.size; i++) {
        addTable(d, queue);
        d.publish(queue);
        d.notify(queue);
        d.waitUsed(queue);
      }
      addTable(d, queue);
      const state = d.state(queue);
      if (wrong) state.headFlags |= packedFlag.AVAIL;
      d.publish(queue);
      d.notify(queue);
      if (!wrong) d.waitUsed(queue);
    },
    { driver: { queueSize: 4, features: featureSet(feature.INDIRECT_DESC) } },
  ),
  packed('VB-103', 'enables its queue over memory that it has not cleared', 'packed.not-zeroed', (d, wrong) => {
    d.probe();
    d.reset();
    d.acknowledge();
    d.driver();
    d.negotiate();
    d.confirmFeatures();
    const { descriptors } = d.placeQueue(0);
    d.bench.store(descriptors + descriptorBytes + packedOffset.flags, 2, packedFlag.AVAIL | packedFlag.USED);
    if (wrong) d.clearRings = () => undefined;
    d.setUpQueue(0);
  }),
  packed(
    'VB-105',
    'adds the bits of a new mode to those of the old one in its event flags',
    'packed.event-flags',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.wantInterrupts(queue, eventFlag.DISABLE);
      d.wantInterruptAt(queue, 0);
      if (wrong) d.wantInterrupts(queue, eventFlag.DISABLE | eventFlag.DESC);
    },
    { driver: { features: featureSet(feature.EVENT_IDX) } },
  ),
  packed(
    'VB-107',
    'notifies with the place of its last notification instead of its next descriptor',
    'notify.data-wrong',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      publishRead(d, queue);
      d.notify(queue);
      d.waitUsed(queue);
      const old = d.notification(queue);
      publishRead(d, queue);
      d.write('QueueNotify', wrong ? old : d.notification(queue));
      d.waitUsed(queue);
    },
    {
      bench: () => ({
        devices: [blockDevice({ featuresOn: withPacked | featureSet(feature.NOTIFICATION_DATA), queueSize: 256 })],
      }),
      driver: { features: featureSet(feature.NOTIFICATION_DATA) },
    },
  ),
  packed(
    'VB-106',
    'publishes past the device event offset and compares without the wrap counter',
    'notify.missing-at-event',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      publishRead(d, queue);
      if (!wrong) {
        d.notifyIfWanted(queue);
        d.waitUsed(queue);
      }
      d.bench.idle();
    },
    { driver: { features: featureSet(feature.EVENT_IDX) } },
  ),
];
