// Mistakes in registers, status, features and the set-up of queues, over every transport. [virtio 1.4, 2.1, 2.2, 3.1, 4.1, 4.2]
import { blockFeature } from '../../../../emulator/virtio/spec/block';
import { featureSet } from '../../../../emulator/virtio/spec/feature';
import { status } from '../../../../emulator/virtio/spec/status';
import { cfgType } from '../../../../emulator/virtio/transport/pci-layout';
import { LegacyPciDriver } from '../../../driver/legacy-pci-driver';
import { PackedPciDriver } from '../../../driver/packed-pci-driver';
import type { PciBus } from '../../../driver/pci-bus';
import { PciDriver } from '../../../driver/pci-driver';
import type { Ring, Traffic } from '../../../driver/traffic';
import { all, isLegacy, isMmio, isModern, isPci, type Mistake } from './mistake';

function pci({ d }: Traffic): PciDriver {
  if (d instanceof PackedPciDriver) return d.registers;
  if (d instanceof PciDriver) return d;
  throw new Error('not a modern PCI driver');
}
function bus({ d }: Traffic): PciBus {
  if (d instanceof LegacyPciDriver || d instanceof PciDriver) return d.bus;
  if (d instanceof PackedPciDriver) return d.registers.bus;
  throw new Error('not a PCI driver');
}
const by =
  (mmio: string, onPci: string) =>
  (ring: Ring): string =>
    isPci(ring) ? onPci : mmio;

/** A new lap up to confirmed features. */
function negotiate({ d }: Traffic): void {
  d.reset();
  d.acknowledge();
  d.driver();
  d.negotiate();
  if (!(d instanceof LegacyPciDriver) && d.constructor.name !== 'LegacyMmioDriver') d.confirmFeatures();
}

export const transportMistakes: readonly Mistake[] = [
  {
    name: 'a status bit cleared',
    rule: () => 'status.bit-cleared',
    make: ({ d }) => d.write('Status', d.statusNow & ~status.DRIVER),
  },
  {
    name: 'going on after FAILED',
    rule: () => 'status.after-failed',
    make: ({ d, queue }) => {
      d.addStatus(status.FAILED);
      d.notify(queue);
    },
  },
  {
    name: 'ACKNOWLEDGE left out',
    rule: () => 'init.no-acknowledge',
    make: ({ d }) => {
      d.reset();
      d.driver();
    },
  },
  {
    name: 'DRIVER left out',
    rule: () => 'init.features-before-driver',
    make: ({ d }) => {
      d.reset();
      d.acknowledge();
      d.negotiate();
    },
  },
  {
    name: 'a reset that is not awaited',
    applies: isModern,
    rule: by('status.reset-not-read-back', 'pci.reset-not-read-back'),
    make: ({ d }) => {
      d.awaitReset = () => undefined;
      d.reset();
      d.acknowledge();
    },
  },
  {
    name: 'a feature that is not offered',
    rule: () => 'features.over-accepted',
    make: ({ d }) => {
      d.reset();
      d.acknowledge();
      d.driver();
      d.readOffer();
      d.chooseFeatures();
      d.accepted |= featureSet(blockFeature.RO);
      d.writeFeatures();
    },
  },
  {
    name: 'a feature accepted too late',
    rule: (ring) => (ring.reach.legacy ? 'legacy.features-after-use' : 'features.changed-after-ok'),
    make: ({ d }) => {
      d.writeFeatureWindow(0, Number((d.accepted | featureSet(blockFeature.FLUSH)) & 0xffff_ffffn));
    },
  },
  {
    name: 'FEATURES_OK left out',
    applies: isModern,
    rule: () => 'init.queue-before-features-ok',
    make: ({ d }) => {
      d.reset();
      d.acknowledge();
      d.driver();
      d.negotiate();
      d.setUpQueue(0);
    },
  },
  {
    name: 'FEATURES_OK not read back',
    applies: isModern,
    rule: () => 'init.features-ok-not-read-back',
    make: ({ d }) => {
      d.readBackFeaturesOk = () => true;
      d.reset();
      d.acknowledge();
      d.driver();
      d.negotiate();
      d.confirmFeatures();
      d.setUpQueue(0);
    },
  },
  {
    name: 'a notification before DRIVER_OK',
    rule: (ring) => (ring.reach.legacy ? 'legacy.used-before-driver-ok' : 'init.notify-before-driver-ok'),
    make: (t) => {
      negotiate(t);
      t.d.notify(t.d.setUpQueue(0));
    },
  },
  {
    name: 'a queue larger than the device can',
    applies: isModern,
    rule: () => 'queue.size-above-maximum',
    make: (t) => {
      negotiate(t);
      t.d.selectQueue(0);
      t.d.readMaximumSize();
      t.d.writeQueueSize(1024);
    },
  },
  {
    name: 'a split queue whose size is no power of two',
    applies: all(isModern, ({ packed }) => !packed),
    rule: () => 'queue.size-not-power-of-two',
    make: (t) => {
      negotiate(t);
      t.d.selectQueue(0);
      t.d.readMaximumSize();
      t.d.writeQueueSize(12);
    },
  },
  {
    name: 'a misaligned queue',
    applies: isModern,
    rule: (ring) => (ring.packed ? 'packed.misaligned' : 'queue.misaligned'),
    make: (t) => {
      negotiate(t);
      t.d.setUpQueue(0, { descriptors: t.queue.descriptors + 8 });
    },
  },
  {
    name: 'a queue outside memory',
    applies: isModern,
    rule: () => 'queue.area-outside-memory',
    make: (t) => {
      negotiate(t);
      t.d.clearRings = () => undefined;
      t.d.setUpQueue(0, { used: 0x4000_0000 });
    },
  },
  {
    name: 'a queue that changes while it is in use',
    applies: isModern,
    rule: by('queue.changed-while-ready', 'pci.queue-changed-while-enabled'),
    make: ({ d }) => {
      d.selectQueue(0);
      d.writeQueueSize(4);
    },
  },
  {
    name: 'a legacy queue that moves while it is in use',
    applies: isLegacy,
    rule: () => 'legacy.queue-moved-in-use',
    make: ({ d, queue }) => {
      d.selectQueue(0);
      d.write('QueuePFN', queue.descriptors / 4096 + 8);
    },
  },
  {
    name: 'a queue stopped and not awaited',
    applies: all(isModern, isMmio),
    rule: () => 'queue.stop-not-read-back',
    make: ({ d }) => {
      d.selectQueue(0);
      d.write('QueueReady', 0);
      d.writeQueueSize(4);
    },
  },
  {
    name: 'a value that enables no queue',
    applies: all(isModern, isPci),
    rule: () => 'pci.queue-enable-value',
    make: ({ d }) => {
      d.selectQueue(0);
      d.write('QueueReady', 0);
    },
  },
  {
    name: 'a read-only register written',
    rule: by('register.read-only-written', 'pci.read-only-field-written'),
    make: (t) => {
      if (isMmio(t.ring)) t.d.write('MagicValue', 0);
      else if (t.ring.reach.legacy) t.d.write('QueueSizeMax', 4);
      else pci(t).setField('num_queues', 4);
    },
  },
  {
    name: 'a register read in part',
    applies: (ring) => isMmio(ring) || isModern(ring),
    rule: by('register.width', 'pci.field-width'),
    make: (t) => {
      const place = isMmio(t.ring) ? t.d.register('Status') : pci(t).place('queue_size').address;
      t.bench.load(place, 1);
    },
  },
  {
    name: 'a place that is no register',
    applies: (ring) => isMmio(ring) || isModern(ring),
    rule: by('register.undefined', 'pci.undefined-location'),
    make: (t) => {
      t.bench.load(isMmio(t.ring) ? t.d.base + 0x0f0 : bus(t).structure(cfgType.common) + 0x100, 4);
    },
  },
  {
    name: 'a write-only register read',
    applies: isMmio,
    rule: () => 'register.write-only-read',
    make: ({ d }) => void d.read('QueueSel'),
  },
  {
    name: 'interrupt causes acknowledged that do not exist',
    applies: isMmio,
    rule: () => 'interrupt.undefined-bits-acknowledged',
    make: ({ d }) => d.write('InterruptACK', d.read('InterruptStatus') | 8),
  },
  {
    name: 'a configuration field read in part',
    applies: isModern,
    rule: () => 'config.width',
    make: ({ d }) => void d.config(20, 2),
  },
  {
    name: 'a configuration field written that is the device’s',
    rule: () => 'config.read-only-field',
    make: ({ d }) => d.writeConfig(20, 4, 4096),
  },
  {
    name: 'a notification that names no queue',
    rule: (ring) =>
      isPci(ring) && !ring.reach.legacy && !ring.notifConfigData ? 'pci.notify-value' : 'notify.unknown-queue',
    applies: ({ notifConfigData }) => !notifConfigData,
    make: (t) => {
      if (isMmio(t.ring) || t.ring.reach.legacy) t.d.write('QueueNotify', t.queue.index + 5);
      else pci(t).ring(0, (t.d.notification(t.queue) + 5) >>> 0);
    },
  },
  {
    name: 'wrong notification data',
    applies: ({ notificationData }) => notificationData,
    rule: () => 'notify.data-wrong',
    make: (t) => {
      const value = (t.d.notification(t.queue) ^ 0x4_0000) >>> 0;
      if (isMmio(t.ring)) t.d.write('QueueNotify', value);
      else pci(t).ring(0, value);
    },
  },
  {
    name: 'another value than the device asked to be notified with',
    applies: ({ notifConfigData }) => notifConfigData,
    rule: () => 'pci.notify-config-value',
    make: (t) => pci(t).ring(0, (t.d.notification(t.queue) ^ 0x40) >>> 0),
  },
  {
    name: 'a notification of the wrong width',
    applies: all(isModern, isPci),
    rule: () => 'pci.notify-width',
    make: (t) => t.bench.store(pci(t).notifyAddress(0), t.ring.notificationData ? 2 : 4, t.d.notification(t.queue)),
  },
  {
    name: 'a device started that may not reach memory',
    applies: isPci,
    rule: () => 'pci.bus-master-off',
    make: (t) => {
      negotiate(t);
      t.d.setUpQueue(0);
      bus(t).enable(3);
      t.d.driverOk();
    },
  },
  {
    name: 'a capability written',
    applies: all(isModern, isPci),
    rule: () => 'pci.capability-written',
    make: (t) => {
      const common = bus(t).structures.find((one) => one.cfgType === cfgType.common);
      bus(t).writeConfig((common?.at ?? 0) + 8, 4, 0);
    },
  },
];
