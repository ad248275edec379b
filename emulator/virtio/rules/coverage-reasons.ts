// Why a statement or an ancestor's check has no rule, in our words. The most specific pattern counts: an id, or a beginning with `*`.
// `planned`: a later part of the product brings it. `not seen`: no machine can decide it, or nothing to decide.

export interface Reason {
  readonly pattern: string;
  readonly kind: 'planned' | 'not seen';
  readonly why: string;
}

const planned = (pattern: string, why: string): Reason => ({ pattern, kind: 'planned', why });
const notSeen = (pattern: string, why: string): Reason => ({ pattern, kind: 'not seen', why });

const payload = 'planned: ownership of payload. Needs loads of buffer bytes to be watched';
const virtualFunctions =
  'planned: SR-IOV. The command is for a group of virtual functions, which no device has; the self group has no such command';
const zoned = 'planned: zoned block devices. VIRTIO_BLK_F_ZONED is not offered yet';
const ownMind = 'what a driver makes of a value that it has read stays inside the driver';
const ipsec = 'planned: IPsec of network devices. No device offers its capabilities yet';
const statistics = 'planned: statistics and several hash contexts. No network device offers them yet';
const hostLimit = 'no demand on a driver: a limit of that host program, which this machine does not have';
/** A driver that gives up a device that others drive. */
const givesUp = (provoked: string): string =>
  `a driver that gives the device up looks like a guest without a driver; ${provoked}, so that its author sees`;
const notDriven =
  'a driver that gives such a device up looks like a guest without a driver; the device\'s "pci" attribute makes one, so that its author sees';

export const reasons: readonly Reason[] = [
  notSeen('core.features.driver.7', givesUp('the moods "withheldFeatures" and "refusedFeatures" withhold features')),
  notSeen('core.features.driver.8', givesUp('the mood "unknownFeatures" offers more')),
  planned(
    'core.config.driver.4',
    'planned: a configuration space that is longer than its structure; no device of this product has one',
  ),
  planned('core.admin.legacy-access.*', virtualFunctions),
  planned('core.admin.device-parts.*', virtualFunctions),
  notSeen('core.admin.commands.driver.9', ownMind),
  notSeen('core.admin.commands.driver.10', ownMind),
  planned('core.admin.commands.driver.11', virtualFunctions),
  notSeen('core.adminq.driver.6', ownMind),
  notSeen('core.adminq.driver.7', ownMind),
  notSeen(
    'core.adminq.driver.8',
    'every device here has one administration virtqueue, so there is no order between several',
  ),
  planned(
    'core.adminq.driver.9',
    'planned: a mood in which a device answers VIRTIO_ADMIN_STATUS_EAGAIN; none of these devices ever runs out of anything',
  ),
  notSeen(
    'core.reserved-features.driver.4',
    'the board has no IOMMU, so every physical address that lies in RAM is reachable; addresses outside are caught by queue.area-outside-memory and split.buffer-outside-memory',
  ),
  planned(
    'core.reserved-features.driver.11',
    'planned: VIRTIO_F_SR_IOV. No device offers it, and none has virtual functions',
  ),
  notSeen(
    'split.framing.driver.2',
    'the specification gives no number from which a chain is too fine, so every limit would be ours',
  ),
  notSeen(
    'split.avail-notif-suppression.driver.5',
    'with VIRTIO_F_EVENT_IDX a device has to keep flags at 0, so heeding the bit and ignoring it look alike',
  ),
  planned('mmio.registers.driver.6', 'planned: a slot whose MagicValue is another; nothing makes one yet'),
  planned(
    'mmio.registers.driver.8',
    'planned: a slot whose Version is neither 1 nor 2; nothing makes one yet. Version 1 is transport mmio-legacy, judged by its own rules',
  ),
  planned(
    'mmio.registers.driver.18',
    'planned: a device that sets undefined bits of InterruptStatus; none does yet. Acknowledging them is interrupt.undefined-bits-acknowledged',
  ),
  notSeen(
    'block.init.driver.1',
    'when a driver has to flush is known to its users only; a run without a flush proves nothing',
  ),
  planned('block.init.driver.6', zoned),
  planned('block.init.driver.8', zoned),
  planned('block.init.driver.10', zoned),
  planned('block.op.driver.10', 'planned: secure erase. VIRTIO_BLK_F_SECURE_ERASE is not offered yet'),
  planned('block.op.driver.15', payload),
  notSeen(
    'block.op.driver.16',
    'which segments of a failed request the driver counts as done stays inside it: it may read or write any of them afterwards either way',
  ),
  planned('block.op.driver.17', zoned),
  planned('block.op.driver.18', zoned),
  planned('block.op.driver.2*', zoned),
  planned('console.multiport-op.*', 'planned: console ports. VIRTIO_CONSOLE_F_MULTIPORT is not offered yet'),
  notSeen(
    'net.config.driver.4',
    'an address that the driver makes up shows only in its frames, where it may as well be one of a bridge',
  ),
  notSeen('net.config.driver.6', ownMind),
  notSeen('net.config.driver.11', ownMind),
  notSeen(
    'net.packet-transmission.driver.28',
    'checking its own packet is internal to the driver; what comes of it is net.checksum-place',
  ),
  notSeen('net.packet-transmission.driver.44', 'whether a driver can give exact header lengths is known to it only'),
  planned('net.packet-transmission.driver.47', ipsec),
  planned('net.packet-transmission.driver.48', ipsec),
  notSeen('net.processing-of-incoming-packets.*', ownMind),
  notSeen('net.control-virtqueue.inner-header-hash.driver.3', ownMind),
  notSeen(
    'net.control-virtqueue.setting-mac-address-filtering.driver.2',
    'whether the driver uses another address than mac shows only in its frames, where it may as well be one of a bridge',
  ),
  notSeen(
    'net.control-virtqueue.gratuitous-packet-sending.driver.1',
    'which packet announces the driver depends on its protocols; the acknowledgement is judged by net.announce-unanswered',
  ),
  planned('net.control-virtqueue.rss-context.driver.2', statistics),
  planned('net.control-virtqueue.rss-context.driver.3', statistics),
  notSeen('net.control-virtqueue.notifications-coalescing.driver.4', ownMind),
  planned('net.control-virtqueue.device-statistics.*', statistics),
  planned('net.ipsec-operation.*', ipsec),
  notSeen('pci.discovery.driver.1', notDriven),
  notSeen('pci.discovery.driver.2', notDriven),
  notSeen('pci.discovery.driver.3', notDriven),
  notSeen('pci.caps.driver.3', notDriven),
  notSeen(
    'pci.caps.driver.4',
    'a register that does not exist cannot be accessed; "reserved-bar" among the capabilities shows whether the driver passes over it',
  ),
  notSeen(
    'pci.caps.driver.5',
    'what a guest maps says nothing about what it uses, and large pages map more than was asked for',
  ),
  notSeen('pci.caps.driver.6', notDriven),
  notSeen('pci.msix.driver.1', notDriven),
  planned('crypto.*', 'planned: crypto device'),
  planned('balloon.*', 'planned: memory balloon'),
  planned('sound.*', 'planned: sound device'),
  planned('iommu.*', 'planned: IOMMU device'),
  planned('mem.*', 'planned: memory device'),
  planned('gpio.*', 'planned: GPIO device'),
  planned('i2c.*', 'planned: I2C adapter'),
  planned('rtc.*', 'planned: RTC device'),
  planned('vsock.*', 'planned: socket device'),
  planned('fs.*', 'planned: file system device'),
  planned('scsi.*', 'planned: SCSI host'),
  planned('input.*', 'planned: input device'),
  planned('spi.*', 'planned: SPI controller'),
  planned('media.*', 'planned: media device'),
  planned('scmi.*', 'planned: SCMI device'),
  planned('pmem.*', 'planned: persistent memory device'),
  planned('gpu.*', 'planned: GPU device'),
  planned('rpmb.*', 'planned: RPMB device'),
  planned('can.*', 'planned: CAN device'),
  notSeen(
    'lguest.msix-config-read',
    'no demand of the specification: a vector may be read, and that host program had none',
  ),
  notSeen('lguest.addr-64bit', 'no demand of the specification: that host program could not reach memory above 4 GiB'),
  notSeen('lguest.driver-feature-select', 'no demand of the specification: any window may be selected'),
  notSeen('akaros.reset-no-config', 'a device model of this machine always has a configuration space, if an empty one'),
  notSeen(
    'akaros.config-missing-read',
    'a device model of this machine always has a configuration space; reads beyond it are config.beyond-end',
  ),
  notSeen(
    'akaros.config-missing-write',
    'a device model of this machine always has a configuration space; writes beyond it are config.beyond-end',
  ),
  notSeen('akaros.reset-running', hostLimit),
  notSeen('akaros.queue-ready-no-service', hostLimit),
  notSeen('akaros.queue-ready-thread', hostLimit),
  notSeen(
    'akaros.queue-ready-revoke',
    `${hostLimit}; stopping a queue is legal, and doing it badly is queue.stop-not-read-back and queue.stopped-in-flight`,
  ),
  notSeen('akaros.notify-no-eventfd', hostLimit),
];

/** Why there is no rule for an id; undefined when nobody has said. */
export function reasonFor(id: string): Reason | undefined {
  let best: Reason | undefined;
  for (const reason of reasons) {
    const { pattern } = reason;
    const matches = pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern;
    if (matches && pattern.length > (best?.pattern.length ?? 0)) best = reason;
  }
  return best;
}
