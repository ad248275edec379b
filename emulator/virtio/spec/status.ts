// Device status bits, as data. [virtio 1.4, 2.1]

export interface StatusBit {
  readonly name: string;
  readonly mask: number;
  /** Who may set it. */
  readonly setBy: 'driver' | 'device';
  readonly meaning: string;
  readonly section: string;
}

export const status = {
  ACKNOWLEDGE: 1,
  DRIVER: 2,
  DRIVER_OK: 4,
  FEATURES_OK: 8,
  SUSPEND: 16,
  DEVICE_NEEDS_RESET: 64,
  FAILED: 128,
} as const;

/** In the order in which a driver sets them, then the exceptional ones. */
export const statusBits: readonly StatusBit[] = [
  {
    name: 'ACKNOWLEDGE',
    mask: status.ACKNOWLEDGE,
    setBy: 'driver',
    meaning: 'The guest found the device and sees that it is a virtio device.',
    section: '2.1',
  },
  {
    name: 'DRIVER',
    mask: status.DRIVER,
    setBy: 'driver',
    meaning: 'The guest has a driver for this device.',
    section: '2.1',
  },
  {
    name: 'FEATURES_OK',
    mask: status.FEATURES_OK,
    setBy: 'driver',
    meaning: 'Feature negotiation is over. It stays clear when the device refuses the set.',
    section: '2.1',
  },
  {
    name: 'DRIVER_OK',
    mask: status.DRIVER_OK,
    setBy: 'driver',
    meaning: 'The driver is set up; the device is live and may use its queues.',
    section: '2.1',
  },
  {
    name: 'SUSPEND',
    mask: status.SUSPEND,
    setBy: 'driver',
    meaning: 'The driver asks the device to suspend; needs VIRTIO_F_SUSPEND.',
    section: '2.1',
  },
  {
    name: 'DEVICE_NEEDS_RESET',
    mask: status.DEVICE_NEEDS_RESET,
    setBy: 'device',
    meaning: 'The device met an error that only a reset can clear.',
    section: '2.1',
  },
  {
    name: 'FAILED',
    mask: status.FAILED,
    setBy: 'driver',
    meaning: 'The guest has given up on the device.',
    section: '2.1',
  },
];

export const definedStatusBits = statusBits.reduce((all, bit) => all | bit.mask, 0);

/** Names joined by ` | `, unknown bits as hexadecimal, `0` for none. */
export function statusText(value: number): string {
  const names = statusBits.filter((bit) => (value & bit.mask) !== 0).map((bit) => bit.name);
  const unknown = value & ~definedStatusBits;
  if (unknown !== 0) names.push(`0x${(unknown >>> 0).toString(16)}`);
  return names.length === 0 ? '0' : names.join(' | ');
}
