// Twins for virtio-pci. [virtio 1.4, 4.1]
import type { DeviceConfiguration, PciOptions } from '../../../../emulator/configuration';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../../emulator/virtio/spec/net';
import { cfgType } from '../../../../emulator/virtio/transport/pci-layout';
import { type Bench, blockDevice, netAddress, netDevice } from '../../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../../driver/block';
import type { DriverOptions } from '../../../driver/driver';
import { udp } from '../../../driver/frames';
import { PciDriver } from '../../../driver/pci-driver';
import { at, introduce, negotiate, type Twin } from './twin';

type Script = (driver: PciDriver, wrong: boolean, bench: Bench) => bigint | undefined;

function twin(rule: string, script: Script, pci: PciOptions = {}, driver: DriverOptions = {}): Twin {
  const featuresOn =
    (driver.features ?? 0n) & featureSet(feature.RING_PACKED, feature.NOTIFICATION_DATA, feature.NOTIF_CONFIG_DATA);
  return {
    rule,
    bench: () => ({ devices: [blockDevice({ transport: 'pci', pci, featuresOn })] }),
    script: (_, wrong, bench) => script(new PciDriver(bench, driver), wrong, bench),
  };
}

const notificationData: DriverOptions = { features: featureSet(feature.VERSION_1, feature.NOTIFICATION_DATA) };

const notifConfigData: DriverOptions = { features: featureSet(feature.VERSION_1, feature.NOTIF_CONFIG_DATA) };
const bothData: DriverOptions = {
  features: featureSet(feature.VERSION_1, feature.NOTIF_CONFIG_DATA, feature.NOTIFICATION_DATA),
};

/** One request, with a notification whose value is wrong. */
function notifiedWith(value: (d: PciDriver) => number): Script {
  return (d, wrong) => {
    d.start();
    const queue = d.queue();
    d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
    const size = (d.accepted & featureSet(feature.NOTIFICATION_DATA)) === 0n ? 2 : 4;
    const pc = at(d, () => d.bench.store(d.notifyAddress(0), size, wrong ? value(d) : d.notification(queue)));
    d.waitUsed(queue);
    return pc;
  };
}

/** An interrupt for a frame and for a change of the configuration; the violating driver forgets this half. */
function halfServed(forgotten: 'config' | 'queue'): Twin {
  const features = featureSet(feature.VERSION_1, netFeature.STATUS, netFeature.CTRL_VQ, netFeature.GUEST_ANNOUNCE);
  const featuresOff = featureSet(netFeature.MAC, netFeature.MTU);
  const device: DeviceConfiguration = {
    ...netDevice({ transport: 'pci', featuresOff }),
    type: 'net',
    ...{ address: netAddress, mtu: 1500, pairs: 1, announceAfterNanoseconds: 60_000 },
  };
  return {
    rule: 'pci.shared-cause-half-served',
    bench: () => ({ devices: [device] }),
    script: (_, wrong, bench) => {
      const d = new PciDriver(bench, { features, queues: [0, 1, 2] });
      d.start();
      const queue = d.queue();
      const room = { address: d.buffer(), length: 0x800, deviceWritable: true };
      d.publish(queue, d.addChain(queue, [room]));
      d.notifyIfWanted(queue);
      bench.run(20_000);
      bench.input('net0', udp(ends, 4000, 53, Uint8Array.of(1, 2, 3)));
      bench.run(100_000);
      const source = bench.claim();
      const pc = at(d, () => d.readInterruptStatus());
      if (!(wrong && forgotten === 'config')) d.config(6, 2);
      if (!(wrong && forgotten === 'queue') && d.hasUsed(queue)) d.collect(queue);
      bench.complete(source);
      bench.run(200_000_000);
      bench.idle();
      return pc;
    },
  };
}
const ends = { to: [...netAddress], from: [2, 0, 0, 0, 0, 1], source: [10, 0, 2, 2], destination: [10, 0, 2, 15] };

/** Of a capability of this type. */
function capability(d: PciDriver, type: number): number {
  return d.bus.structures.find((one) => one.cfgType === type)?.at ?? 0;
}

/** Points the access window at a place behind BAR4. */
function openWindow(d: PciDriver, offset: number, length: number): number {
  const window = capability(d, cfgType['config-access']);
  d.bus.writeConfig(window + 4, 1, 4);
  d.bus.writeConfig(window + 8, 4, offset);
  d.bus.writeConfig(window + 12, 4, length);
  return window + 16;
}

function enableMsix(d: PciDriver): void {
  d.bus.writeConfig(d.bus.msix + 2, 2, 0x8000);
}

/** Everything of a queue's set-up but the last write. */
function prepare(d: PciDriver, withUsedRing = true): void {
  const queue = d.placeQueue(0);
  d.queues.set(0, queue);
  d.selectQueue(0);
  d.readMaximumSize();
  d.writeQueueSize(queue.size);
  d.clearRings(queue);
  d.writeAddress('QueueDesc', queue.descriptors);
  d.writeAddress('QueueDriver', queue.available);
  if (withUsedRing) d.writeAddress('QueueDevice', queue.used);
}

export const pciTwins: readonly Twin[] = [
  ...(['config', 'queue'] as const).map((half) => halfServed(half)),
  twin('pci.field-width', (d, wrong) => {
    d.probe();
    const { address } = d.place('queue_size');
    return at(d, () => d.bench.load(address, wrong ? 4 : 2));
  }),
  twin('pci.field-width', (d, wrong) => {
    d.start();
    readSector(d);
    d.bench.run(200);
    return at(d, () => d.bench.load(d.bus.structure(cfgType.isr), wrong ? 4 : 1));
  }),
  twin('pci.read-only-field-written', (d, wrong) => {
    negotiate(d);
    d.selectQueue(0);
    return at(d, () => (wrong ? d.setField('queue_notify_off', 0) : d.field('queue_notify_off')));
  }),
  twin('pci.undefined-location', (d, wrong) => {
    d.probe();
    return at(d, () => d.bench.load(d.bus.structure(cfgType.common) + (wrong ? 0x100 : 18), 2));
  }),
  twin(
    'pci.reserved-capability-used',
    (d, wrong) => {
      d.probe();
      return at(d, () => d.bench.load(wrong ? d.bus.structure(0x7f) : d.place('num_queues').address, 2));
    },
    { capabilities: ['reserved-type', 'common', 'notify', 'isr', 'device'] },
  ),
  twin(
    'pci.later-structure-used',
    (d, wrong) => {
      d.probe();
      return at(d, () => d.bench.load(d.bus.structure(cfgType.common, wrong ? 1 : 0) + 18, 2));
    },
    { capabilities: ['common', 'notify', 'isr', 'device', 'common'] },
  ),
  twin('pci.capability-written', (d, wrong) => {
    d.probe();
    const window = capability(d, cfgType['config-access']);
    return at(d, () => d.bus.writeConfig(wrong ? capability(d, cfgType.common) + 8 : window + 8, 4, 0));
  }),
  twin(
    'pci.vendor-data-unqualified',
    (d, wrong) => {
      d.probe();
      const vendor = capability(d, cfgType.vendor);
      if (!wrong) d.bus.config(vendor + 4, 2);
      return at(d, () => d.bus.writeConfig(vendor + 8, 2, 1));
    },
    { capabilities: ['common', 'notify', 'isr', 'device', 'vendor'] },
  ),
  twin('pci.window-misaligned', (d, wrong) => {
    d.probe();
    const data = openWindow(d, wrong ? 0x11 : 0x12, 2);
    return at(d, () => d.bus.config(data, 2));
  }),
  twin('pci.window-outside', (d, wrong) => {
    d.probe();
    const data = openWindow(d, wrong ? 0x1_0000 : 0x12, 2);
    return at(d, () => d.bus.config(data, 2));
  }),
  twin('pci.bus-master-off', (d, wrong) => {
    negotiate(d);
    d.setUpQueue(0);
    if (wrong) d.bus.enable(2);
    return at(d, () => d.driverOk());
  }),
  twin('pci.reset-not-read-back', (d, wrong) => {
    d.probe();
    d.write('Status', 0);
    if (!wrong) d.read('Status');
    return at(d, () => d.acknowledge());
  }),
  twin('pci.queue-enable-value', (d, wrong) => {
    negotiate(d);
    prepare(d);
    return at(d, () => d.write('QueueReady', wrong ? 0 : 1));
  }),
  twin('pci.queue-not-configured', (d, wrong) => {
    negotiate(d);
    prepare(d, !wrong);
    return at(d, () => d.enableQueue());
  }),
  twin('pci.queue-changed-while-enabled', (d, wrong) => {
    negotiate(d);
    if (wrong) d.setUpQueue(0);
    else prepare(d);
    return at(d, () => d.writeAddress('QueueDesc', d.queue().descriptors));
  }),
  twin(
    'pci.packed-queue-size-zero',
    (d, wrong) => {
      negotiate(d);
      d.selectQueue(0);
      d.readMaximumSize();
      return at(d, () => d.writeQueueSize(wrong ? 0 : 3));
    },
    {},
    { features: featureSet(feature.VERSION_1, feature.RING_PACKED) },
  ),
  twin(
    'pci.vector-out-of-range',
    (d, wrong) => {
      negotiate(d);
      return at(d, () => d.setField('config_msix_vector', wrong ? 2 : 1));
    },
    { msixVectors: 2 },
  ),
  twin(
    'pci.vector-out-of-range',
    (d, wrong) => {
      negotiate(d);
      return at(d, () => d.setField('config_msix_vector', wrong ? 0 : 0xffff));
    },
    { msixVectors: 0 },
  ),
  twin(
    'pci.vector-not-read-back',
    (d, wrong) => {
      negotiate(d);
      enableMsix(d);
      prepare(d);
      d.setField('queue_msix_vector', 1);
      if (!wrong) d.field('queue_msix_vector');
      return at(d, () => d.enableQueue());
    },
    { msixVectors: 2 },
  ),
  twin(
    'pci.vector-not-read-back',
    (d, wrong) => {
      negotiate(d);
      enableMsix(d);
      d.setField('config_msix_vector', 1);
      if (!wrong) d.field('config_msix_vector');
      d.setUpQueue(0);
      return at(d, () => d.driverOk());
    },
    { msixVectors: 2 },
  ),
  twin(
    'pci.isr-read-with-msix',
    (d, wrong) => {
      d.start();
      if (wrong) enableMsix(d);
      return at(d, () => d.readInterruptStatus());
    },
    { msixVectors: 2 },
  ),
  twin('pci.isr-not-read', (d, wrong) => {
    d.start();
    readSector(d);
    d.bench.run(200);
    const source = d.bench.claim();
    if (!wrong) d.readInterruptStatus();
    d.bench.complete(source);
    d.bench.run(20_000_000);
    d.bench.idle();
    return undefined;
  }),
  twin('pci.notify-width', (d, wrong) => {
    d.start();
    const queue = d.queue();
    d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
    const pc = at(d, () => d.bench.store(d.notifyAddress(0), wrong ? 4 : 2, 0));
    d.waitUsed(queue);
    return pc;
  }),
  twin(
    'pci.notify-width',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
      const pc = at(d, () => (wrong ? d.bench.store(d.notifyAddress(0), 2, 0) : d.notify(queue)));
      d.waitUsed(queue);
      return pc;
    },
    {},
    notificationData,
  ),
  twin('pci.notify-value', (d, wrong) => {
    d.start();
    const queue = d.queue();
    d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
    const pc = at(d, () => d.bench.store(d.notifyAddress(0), 2, wrong ? 1 : 0));
    d.waitUsed(queue);
    return pc;
  }),
  twin(
    'pci.notify-value',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
      const value = d.notification(queue);
      const pc = at(d, () => d.bench.store(d.notifyAddress(0), 4, wrong ? value | 1 : value));
      d.waitUsed(queue);
      return pc;
    },
    {},
    notificationData,
  ),
  twin(
    'pci.notify-config-value',
    notifiedWith((d) => d.queue().index),
    {},
    notifConfigData,
  ),
  twin(
    'pci.notify-config-value',
    notifiedWith((d) => d.notification(d.queue()) & ~0xffff),
    {},
    bothData,
  ),
  twin(
    'pci.notify-config-value',
    (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
      const pc = at(d, () => d.bench.store(d.notifyAddress(0), 2, wrong ? 0 : 77));
      if (wrong) d.notify(queue);
      d.waitUsed(queue);
      return pc;
    },
    { notifyOffMultiplier: 0, queueNotifConfigData: [77] },
    notifConfigData,
  ),
  twin(
    'features.notif-config-data-declined',
    (d, wrong) => {
      introduce(d);
      d.readOffer();
      d.chooseFeatures();
      if (wrong) d.accepted &= ~featureSet(feature.NOTIF_CONFIG_DATA);
      d.writeFeatures();
      return at(d, () => d.addStatus(8));
    },
    {},
    notifConfigData,
  ),
];

/** Rules of mmio that judge PCI too. */
export const sharedPciTwins: readonly Twin[] = [
  twin('config.width', (d, wrong) => {
    introduce(d);
    d.readOffer();
    return at(d, () => d.config(12, wrong ? 1 : 4));
  }),
  twin('queue.not-available', (d, wrong) => {
    negotiate(d);
    d.selectQueue(wrong ? 1 : 0);
    d.readMaximumSize();
    return at(d, () => d.writeQueueSize(8));
  }),
];
