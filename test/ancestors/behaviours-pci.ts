// What the review of the PCI layout settled: regions, capabilities, structures, vectors and the legacy header.
import {
  administration,
  type Behaviour,
  mmio,
  model,
  pci,
  ringReset,
  sharedMemory,
  twin,
  ubootGuest,
} from './behaviour';

const fields = pci('(pci.common.0 to pci.common.56)');
const readBack = pci('(pci.select-features, pci.select-queue)');
const ofQueue = pci('(pci.common.24 to pci.common.48)');
const lists = pci('(pci.cap-struct, pci.cap-notify, pci.cap-isr, pci.cap-device)');
const legacyReads = pci('(pci.legacy-header, pci.legacy-page)');
const vectors = pci('(pci.msix-map, pci.msix-isr)');
const modernReads = pci('of a modern device reads sectors with');
const passedOver = pci('(pci.cap-reserved-type, pci.cap-reserved-bar, pci.cap-vendor)');
const inPci = (rule: string): ReturnType<typeof twin> => twin('pci', rule);

export const pciLayout: readonly Behaviour[] = [
  { id: 'pci.regions', does: 'Capabilities say in which I/O or memory register, or in configuration space, a structure is.', here: 'modern structures are in memory and behind the access window; I/O is for the legacy header', tests: [lists, pci('(pci.cap-pci-cfg)'), legacyReads] },
  { id: 'pci.width', does: 'Fields are accessed at their own width.', tests: [inPci('pci.field-width')] },
  { id: 'pci.endian', does: 'Fields are little-endian.', tests: [pci('(pci.endian, pci.legacy-endian)')] },
  { id: 'pci.cap-scan', does: 'A driver first walks the list for capabilities with id 9.', tests: [lists, modernReads] },
  { id: 'pci.cap-struct', does: 'Such a capability has type, register, offset and length at fixed places.', tests: [lists] },
  { id: 'pci.cap-extra', does: 'One may be longer than a driver knows.', tests: [pci('(pci.cap-extra)')] },
  { id: 'pci.cap-common', does: 'Type 1: common configuration.', tests: [lists] },
  { id: 'pci.cap-notify', does: 'Type 2: notifications, with the multiplier behind.', tests: [lists] },
  { id: 'pci.cap-isr', does: 'Type 3: ISR status.', tests: [lists] },
  { id: 'pci.cap-device', does: 'Type 4: configuration of the device.', tests: [lists] },
  { id: 'pci.cap-pci-cfg', does: 'Type 5, of later days: a window in configuration space.', tests: [pci('(pci.cap-pci-cfg)'), inPci('pci.window-outside')] },
  { id: 'pci.cap-shm', does: 'Type 8, of later days: shared memory, with 64 bits.', tests: [sharedMemory('stands in a base address register of its own')] },
  { id: 'pci.cap-vendor', does: 'Type 9, of later days: data of a vendor.', tests: [passedOver, inPci('pci.vendor-data-unqualified')] },
  { id: 'pci.cap-reserved-type', does: 'Drivers pass over types that they do not know.', tests: [passedOver, inPci('pci.reserved-capability-used')] },
  { id: 'pci.cap-reserved-bar', does: 'Drivers pass over capabilities with a register above 5.', tests: [passedOver] },
  { id: 'pci.cap-order', does: 'Of several structures of a type the driver takes the first that it can use.', here: 'none is in I/O space', tests: [pci('(pci.cap-order)'), pci('may use the second structure of a type'), inPci('pci.later-structure-used')] },
  { id: 'pci.cap-bar', does: 'The register may be of either width, in memory or I/O.', here: 'memory only, but for the legacy header', tests: [pci('(pci.cap-bar)'), pci('sizes and places base address registers'), legacyReads] },
  { id: 'pci.cap-length', does: 'A structure may be longer than what a driver maps of it.', tests: [pci('(pci.cap-length)')] },
  { id: 'pci.common.0', does: 'device_feature_select, 32 bits.', tests: [fields, readBack] },
  { id: 'pci.common.4', does: 'device_feature, 32 bits, read only.', tests: [fields, readBack] },
  { id: 'pci.common.8', does: 'driver_feature_select, 32 bits.', tests: [fields, readBack] },
  { id: 'pci.common.12', does: 'driver_feature, 32 bits.', tests: [fields, modernReads] },
  { id: 'pci.common.16', does: 'The vector for configuration changes, 16 bits.', tests: [fields, pci('(pci.msix-readback)')] },
  { id: 'pci.common.18', does: 'num_queues, 16 bits, read only.', tests: [fields, readBack, inPci('pci.read-only-field-written')] },
  { id: 'pci.common.20', does: 'The status, 8 bits; 0 resets.', tests: [fields, ofQueue] },
  { id: 'pci.common.21', does: 'A byte without use then, the generation of the configuration now.', tests: [fields, model('changes its configuration: new generation')] },
  { id: 'pci.common.22', does: 'queue_select, 16 bits.', tests: [fields, readBack] },
  { id: 'pci.common.24', does: 'queue_size: the maximum at first, smaller if the driver likes, 0 where there is no queue.', tests: [fields, readBack, ofQueue] },
  { id: 'pci.common.26', does: 'The vector of the queue, 16 bits.', tests: [fields, ofQueue, vectors] },
  { id: 'pci.common.28', does: 'queue_enable, 16 bits.', tests: [fields, ofQueue, inPci('pci.queue-enable-value')] },
  { id: 'pci.common.30', does: 'queue_notify_off, 16 bits, read only, counted in multipliers.', tests: [fields, pci('(pci.notify-rule)')] },
  { id: 'pci.common.32', does: 'Address of the descriptors, 64 bits.', tests: [fields, ofQueue] },
  { id: 'pci.common.40', does: 'Address of the driver’s area, 64 bits.', tests: [fields, ofQueue] },
  { id: 'pci.common.48', does: 'Address of the device’s area, 64 bits.', tests: [fields, ofQueue] },
  { id: 'pci.common.56', does: 'Later fields: what to notify with, reset of a queue, place and number of administration queues.', tests: [fields, pci('VIRTIO_F_NOTIF_CONFIG_DATA'), ringReset('is reset while the device works on it'), administration('stands behind the other queues')] },
  { id: 'pci.select-features', does: 'Two windows of 32 features; further ones read 0.', tests: [readBack, twin('features', 'features.over-accepted')] },
  { id: 'pci.select-queue', does: 'queue_select says whose fields are seen.', tests: [readBack, ofQueue] },
  { id: 'pci.feature-lock', does: 'It was open when features are settled.', here: 'with FEATURES_OK, on every transport', tests: [mmio('drops DriverFeatures written after FEATURES_OK'), twin('features', 'features.changed-after-ok')] },
  { id: 'pci.notify-struct', does: 'Queues may be notified at one address, or at places two bytes apart.', tests: [pci('(pci.notify-multiplier)'), pci('a small multiplier')] },
  { id: 'pci.notify-rule', does: 'The place of a queue is its offset times the multiplier, from the structure’s start.', tests: [pci('(pci.notify-rule)')] },
  { id: 'pci.notify-multiplier', does: 'The multiplier is 0 or an even power of two.', tests: [pci('(pci.notify-multiplier)'), pci('pci\\.notifyOffMultiplier is 3')] },
  { id: 'pci.notify-write', does: 'What is stored there is the queue’s number, 16 bits.', here: 'in the later forms as well', tests: [inPci('pci.notify-value'), inPci('pci.notify-width'), inPci('pci.notify-config-value')] },
  { id: 'pci.isr', does: 'One byte says why there was an interrupt, and reading clears it.', tests: [pci('(pci.isr)')] },
  { id: 'pci.device-cfg', does: 'A device need not have a configuration.', tests: [pci('(pci.device-cfg)')] },
  { id: 'pci.legacy-bar0', does: 'A transitional device has the legacy header in I/O, behind register 0.', tests: [legacyReads, pci('pci\\.bar is 0')] },
  { id: 'pci.legacy-header', does: 'The legacy header has eight fields in 20 bytes.', tests: [legacyReads] },
  { id: 'pci.legacy-msix', does: 'With MSI-X two vectors follow, and the configuration moves behind them.', tests: [pci('(pci.legacy-msix)')] },
  { id: 'pci.legacy-features', does: 'Features from bit 32 on cannot be had there.', tests: [legacyReads] },
  { id: 'pci.legacy-endian', does: 'Legacy configuration has the guest’s byte order and takes any width.', here: 'guests are little-endian', tests: [pci('(pci.endian, pci.legacy-endian)')] },
  { id: 'pci.legacy-page', does: 'A legacy queue is one block, named by its page of 4096 bytes.', tests: [legacyReads] },
  { id: 'pci.legacy-detect', does: 'A function without virtio capabilities is a legacy device, which some drivers take and others leave alone.', here: 'a driver that leaves it alone is not among the tests', tests: [pci('identifies transitional and legacy devices'), legacyReads, ubootGuest("transport: 'pci-legacy'")] },
  { id: 'pci.queue-setup', does: 'A queue is selected, sized, given zeroed memory and perhaps a vector.', tests: [modernReads, vectors, twin('queue-setup', 'queue.index-not-zero'), inPci('pci.queue-not-configured')] },
  { id: 'pci.msix-map', does: 'A vector’s number joins an event to it, all ones part them.', tests: [vectors, pci('says nothing for a queue without a vector'), inPci('pci.vector-out-of-range')] },
  { id: 'pci.msix-readback', does: 'All ones on reading it back: that vector cannot be had.', tests: [pci('(pci.msix-readback)'), inPci('pci.vector-not-read-back')] },
  { id: 'pci.msix-isr', does: 'With MSI-X the ISR status does not tell of queues.', tests: [vectors, inPci('pci.isr-read-with-msix')] },
]; // prettier-ignore
