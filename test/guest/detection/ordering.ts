// Bugs of missing fences: the same driver with one fence less, on each transport they were found on. [virtio 1.4, 2.7.13.3.1, 2.7.13.4.1,
// 2.7.14]
import { featureSet } from '../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../emulator/virtio/spec/net';
import { usedOffset, availableOffset } from '../../../emulator/virtio/spec/split-ring';
import { type Bench, type BenchOptions, blockDevice, netDevice } from '../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../driver/block';
import { type DriverQueue, ScriptedDriver } from '../../driver/driver';
import { LegacyMmioDriver } from '../../driver/legacy-driver';
import { LegacyPciDriver } from '../../driver/legacy-pci-driver';
import type { Detection } from './detection';

type Interface = 'mmio' | 'mmio-legacy' | 'pci-legacy';
type Step = (d: ScriptedDriver, queue: DriverQueue, wrong: boolean) => void;

/** A driver of a block device whose steps are all fenced. */
function driverOf(transport: Interface, bench: Bench): ScriptedDriver {
  if (transport === 'mmio-legacy') return new LegacyMmioDriver(bench);
  // The size of a queue is the device's there.
  if (transport === 'pci-legacy') return new LegacyPciDriver(bench, { queueSize: 256 });
  return new ScriptedDriver(bench);
}

function ordered(transport: Interface): BenchOptions {
  return { devices: [blockDevice({ transport })], order: true };
}

function fence(bug: string, does: string, rule: string, transport: Interface, step: Step): Detection {
  return {
    bug,
    does,
    rule,
    bench: () => ordered(transport),
    script: (_, wrong, bench) => {
      const d = driverOf(transport, bench);
      d.start();
      step(d, d.queue(), wrong);
      return undefined;
    },
  };
}

/** Publishes a read; the caller notifies. */
function publishRead(d: ScriptedDriver, queue: DriverQueue): void {
  d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
}

/** Looks whether the device wants to be woken, ordered behind the publication or not, and wakes it. */
const checkWish: Step = (d, queue, wrong) => {
  publishRead(d, queue);
  if (!wrong) d.orderCheck();
  const wanted = d.ram(queue.used + usedOffset.flags, 2) === 0;
  if (wanted) d.notify(queue);
  d.waitUsed(queue);
};

/** Waits for a read and looks at `place`, ordered behind the used index or not. */
function lookAt(place: (d: ScriptedDriver, queue: DriverQueue) => number): Step {
  return (d, queue, wrong) => {
    publishRead(d, queue);
    d.notifyIfWanted(queue);
    while (!d.hasUsed(queue)) d.bench.run(500);
    if (!wrong) d.orderUsed();
    d.ram(place(d, queue), 1);
  };
}
const element = (_: ScriptedDriver, queue: DriverQueue): number => queue.used + usedOffset.id(0);

/** A packet on the transmit queue of a network device. */
function sendPacket(d: ScriptedDriver, orderCheck: boolean): void {
  const queue = d.queue(1);
  const pieces = [
    { address: d.buffer(), length: 12 },
    { address: d.buffer(0x100), length: 60 },
  ];
  d.publish(queue, d.addChain(queue, pieces));
  if (orderCheck) d.orderCheck();
  if (d.ram(queue.used + usedOffset.flags, 2) === 0) d.notify(queue);
  d.waitUsed(queue);
}

/** A driver of a network device that has filled its receive queue. */
function network(
  bug: string,
  does: string,
  rule: string,
  script: (d: ScriptedDriver, wrong: boolean) => void,
): Detection {
  return {
    bug,
    does,
    rule,
    bench: () => ({ devices: [netDevice({ featuresOff: featureSet(netFeature.MAC, netFeature.MTU) })], order: true }),
    driver: { queues: [0, 1] },
    script: (d, wrong) => {
      d.start();
      const receive = d.queue(0);
      d.publish(receive, d.addChain(receive, [{ address: d.buffer(0x1000), length: 1526, deviceWritable: true }]));
      d.notifyIfWanted(receive);
      script(d, wrong);
      return undefined;
    },
  };
}

export const orderingDetections: readonly Detection[] = [
  network(
    'VB-051',
    'stores the available index with no barrier behind the slot and the descriptors',
    'ordering.publish',
    (d, wrong) => {
      if (wrong) d.orderStores = () => undefined;
      sendPacket(d, true);
    },
  ),
  fence(
    'VB-053',
    'polls the used index and reads the answer with no barrier between',
    'ordering.used-index',
    'pci-legacy',
    lookAt((d) => d.buffer(0x80)),
  ),
  fence(
    'VB-055',
    'looks at the suppression flags with no barrier behind its available index',
    'ordering.notification-check',
    'mmio',
    checkWish,
  ),
  fence(
    'VB-057',
    'notifies with no barrier behind its available index',
    'ordering.doorbell',
    'mmio-legacy',
    (d, queue, wrong) => {
      publishRead(d, queue);
      if (wrong) d.orderDoorbell = () => undefined;
      d.notify(queue);
      d.waitUsed(queue);
    },
  ),
  fence(
    'VB-058',
    'reads the used element with no barrier behind the used index',
    'ordering.used-index',
    'mmio',
    lookAt(element),
  ),
  fence(
    'VB-061',
    'believes NO_NOTIFY from before its available index was seen',
    'ordering.notification-check',
    'pci-legacy',
    checkWish,
  ),
  network(
    'VB-063',
    'sends a burst and looks at the suppression flags with no barrier behind its available index',
    'ordering.notification-check',
    (d, wrong) => {
      for (let i = 0; i < 4; i++) sendPacket(d, !wrong || i < 3);
    },
  ),
  fence(
    'VB-065',
    'asks for interrupts again, looks once more with no barrier between, and sleeps',
    'ordering.recheck',
    'mmio',
    (d, queue, wrong) => {
      readSector(d);
      d.bench.store(queue.available + availableOffset.flags, 2, 1);
      d.bench.store(queue.available + availableOffset.flags, 2, 0);
      if (!wrong) d.bench.fence('w', 'r');
      d.ram(queue.used + usedOffset.idx, 2);
      d.bench.idle();
    },
  ),
];
