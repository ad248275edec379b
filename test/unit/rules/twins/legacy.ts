// Twins for the legacy interfaces, on a legacy virtio-mmio device. [virtio 1.4, 3.1.2, 4.2.4]
import { blockFeature } from '../../../../emulator/virtio/spec/block';
import { status } from '../../../../emulator/virtio/spec/status';
import { type Bench, blockDevice, netDevice } from '../../../driver/bench';
import { LegacyMmioDriver } from '../../../driver/legacy-driver';
import { at, type Twin } from './twin';

function twin(
  rule: string,
  script: (driver: LegacyMmioDriver, wrong: boolean, bench: Bench) => bigint | undefined,
): Twin {
  return {
    rule,
    bench: () => ({ devices: [blockDevice({ transport: 'mmio-legacy' })] }),
    script: (_, wrong, bench) => script(new LegacyMmioDriver(bench), wrong, bench),
  };
}

/** Discovery up to written features. */
function negotiate(d: LegacyMmioDriver, withPageSize = true): void {
  d.probe();
  if (withPageSize) d.writePageSize();
  d.reset();
  d.acknowledge();
  d.driver();
  d.negotiate();
}

export const legacyTwins: readonly Twin[] = [
  twin('legacy.features-ok-set', (d, wrong) => {
    negotiate(d);
    return at(d, () => d.addStatus(wrong ? status.FEATURES_OK : status.DRIVER));
  }),
  twin('legacy.features-after-use', (d, wrong) => {
    d.start();
    d.selectDriverFeatures(0);
    return at(d, () => d.write('DriverFeatures', wrong ? 1 << blockFeature.FLUSH : Number(d.accepted)));
  }),
  twin('legacy.used-before-driver-ok', (d, wrong) => {
    negotiate(d);
    const queue = d.setUpQueue(0);
    if (!wrong) d.driverOk();
    return at(d, () => d.notify(queue));
  }),
  twin('legacy.queue-moved-in-use', (d, wrong) => {
    negotiate(d);
    const { descriptors } = d.setUpQueue(0);
    if (!wrong) d.writePageFrame(0);
    return at(d, () => d.writePageFrame(descriptors / 4096));
  }),
  twin('legacy.queue-moved-in-use', (d, wrong) => {
    negotiate(d);
    d.setUpQueue(0);
    if (!wrong) d.writePageFrame(0);
    return at(d, () => d.writeAlignment());
  }),
  twin('legacy.page-size-not-written', (d, wrong) => {
    negotiate(d, false);
    if (!wrong) d.writePageSize();
    d.selectQueue(0);
    d.readMaximumSize();
    d.writeQueueSize(8);
    d.writeAlignment();
    return at(d, () => d.writePageFrame(d.placeQueue(0).descriptors / 4096));
  }),
  twin('legacy.page-size-unusable', (d, wrong) => {
    d.probe();
    return at(d, () => d.writePageSize(wrong ? 4000 : 4096));
  }),
  twin('legacy.align-unusable', (d, wrong) => {
    negotiate(d);
    d.selectQueue(0);
    return at(d, () => d.writeAlignment(wrong ? 100 : 128));
  }),
  twin('legacy.queue-not-configured', (d, wrong) => {
    negotiate(d);
    d.selectQueue(0);
    d.readMaximumSize();
    d.writeQueueSize(8);
    if (!wrong) d.writeAlignment();
    return at(d, () => d.writePageFrame(d.placeQueue(0).descriptors / 4096));
  }),
  {
    // The address is for the driver to set, the status is not. [5.1.4.3]
    rule: 'config.read-only-field',
    bench: () => ({ devices: [netDevice({ transport: 'mmio-legacy' })] }),
    script: (_, wrong, bench) => {
      const d = new LegacyMmioDriver(bench);
      negotiate(d);
      return at(d, () => (wrong ? d.writeConfig(6, 2, 1) : d.writeConfig(0, 1, 0x52)));
    },
  },
];
