// Drivers in pairs: the same C source breaks one rule with -DVIOLATION and keeps to the specification without it.
// The blamed line carries the marker `/* HERE */`.
import { bareMetal, type GuestProgram, lineOf } from './harness/compiler';

export interface DriverPair {
  /** File in programs/drivers, without its suffix. */
  readonly name: string;
  /** Id of the rule that the violating guest breaks first. */
  readonly rule: string;
  /** The function that the violation names. */
  readonly function: string;
  /** What the driver drives; absent: a split ring over mmio. */
  readonly on?: keyof typeof surroundings;
}

/** Where a driver runs: sources beside its own, the block device of the launch configuration, and QEMU's. */
export const surroundings = {
  mmio: { sources: [], device: {}, qemu: 'virtio-blk-device' },
  packed: {
    sources: ['test/guest/programs/packed/packed.c'],
    device: { ring: 'packed' },
    qemu: 'virtio-blk-device,packed=on',
  },
  pci: {
    sources: ['test/guest/programs/pci/pci.c', 'test/guest/programs/pci/block.c'],
    device: { transport: 'pci' },
    qemu: 'virtio-blk-pci,disable-legacy=on',
  },
} as const;

export const blamedLineMarker = '/* HERE */';

export const driverPairs: readonly DriverPair[] = [
  { name: 'status-acknowledge-skipped', rule: 'init.no-acknowledge', function: 'introduce' },
  { name: 'status-bit-cleared', rule: 'status.bit-cleared', function: 'introduce' },
  { name: 'reset-skipped', rule: 'init.no-reset', function: 'introduce' },
  { name: 'feature-not-offered', rule: 'features.over-accepted', function: 'choose_features' },
  { name: 'feature-word-not-selected', rule: 'features.select-before-read', function: 'low_features' },
  { name: 'features-ok-not-read-back', rule: 'init.features-ok-not-read-back', function: 'choose_queue' },
  { name: 'features-after-features-ok', rule: 'features.changed-after-ok', function: 'settle_features' },
  { name: 'queue-misaligned', rule: 'queue.misaligned', function: 'use_queue' },
  { name: 'queue-size-too-large', rule: 'queue.size-above-maximum', function: 'choose_size' },
  { name: 'queue-changed-while-ready', rule: 'queue.changed-while-ready', function: 'shrink' },
  { name: 'queue-disable-not-read-back', rule: 'queue.stop-not-read-back', function: 'restart_queue' },
  { name: 'notify-before-driver-ok', rule: 'init.notify-before-driver-ok', function: 'go_live' },
  { name: 'descriptor-stored-while-owned', rule: 'ownership.descriptor-changed', function: 'read_sector' },
  { name: 'available-index-decremented', rule: 'split.available-index-backwards', function: 'change_of_mind' },
  { name: 'available-flags-with-event-index', rule: 'split.available-flags', function: 'read_sector' },
  { name: 'indirect-not-negotiated', rule: 'split.indirect-not-negotiated', function: 'read_sector' },
  { name: 'indirect-and-next', rule: 'split.indirect-and-next', function: 'read_sector' },
  { name: 'readable-after-writable', rule: 'split.readable-after-writable', function: 'write_sector' },
  { name: 'chain-loop', rule: 'split.chain-endless', function: 'read_sector' },
  { name: 'head-out-of-range', rule: 'split.head-out-of-range', function: 'read_sector' },
  {
    name: 'interrupt-acknowledge-undefined-bits',
    rule: 'interrupt.undefined-bits-acknowledged',
    function: 'acknowledge_interrupt',
  },
  { name: 'register-width', rule: 'register.width', function: 'is_live' },
  { name: 'config-width', rule: 'config.width', function: 'capacity' },
  { name: 'read-only-register-written', rule: 'register.read-only-written', function: 'drop_interrupts' },
  { name: 'write-only-register-read', rule: 'register.write-only-read', function: 'select_queue' },
  { name: 'undescribed-register', rule: 'register.undefined', function: 'set_page_size' },
  { name: 'packed-head-before-tail', rule: 'packed.head-before-tail', function: 'read_sector', on: 'packed' },
  { name: 'packed-wrap-counter-forgotten', rule: 'packed.flags-wrong-lap', function: 'read_sector', on: 'packed' },
  { name: 'packed-publish-unfenced', rule: 'ordering.packed-publish', function: 'read_sector', on: 'packed' },
  {
    name: 'packed-suppression-unfenced',
    rule: 'ordering.packed-notification-check',
    function: 'read_sector',
    on: 'packed',
  },
  {
    name: 'packed-descriptor-stored-while-owned',
    rule: 'ownership.packed-descriptor-changed',
    function: 'read_sector',
    on: 'packed',
  },
  { name: 'packed-event-flags', rule: 'packed.event-flags', function: 'suppress', on: 'packed' },
  { name: 'pci-reset-not-read-back', rule: 'pci.reset-not-read-back', function: 'restart', on: 'pci' },
  { name: 'pci-field-width', rule: 'pci.field-width', function: 'choose_size', on: 'pci' },
  { name: 'pci-queue-enable-cleared', rule: 'pci.queue-enable-value', function: 'enable', on: 'pci' },
  { name: 'pci-queue-changed-while-enabled', rule: 'pci.queue-changed-while-enabled', function: 'shrink', on: 'pci' },
  { name: 'pci-bus-master-off', rule: 'pci.bus-master-off', function: 'go_live', on: 'pci' },
  { name: 'pci-notify-width', rule: 'pci.notify-width', function: 'read_sector', on: 'pci' },
];

export function pairSource(pair: DriverPair): string {
  return `test/guest/programs/drivers/${pair.name}.c`;
}
export function pairLine(pair: DriverPair): number {
  return lineOf(pairSource(pair), blamedLineMarker);
}
export function pairProgram(pair: DriverPair, violating: boolean): GuestProgram {
  return {
    name: pair.name,
    sources: [
      ...bareMetal,
      'media/sample/trap.c',
      'media/sample/plic.c',
      'test/guest/programs/driver.c',
      ...surroundings[pair.on ?? 'mmio'].sources,
      pairSource(pair),
    ],
    includes: ['test/guest/programs/packed', 'test/guest/programs/pci'],
    flags: violating ? ['-DVIOLATION'] : [],
  };
}
