// Device IDs and what they are called. [virtio 1.4, 5]

export const deviceId = { net: 1, block: 2, console: 3, entropy: 4 } as const;

const names: Readonly<Record<number, string>> = {
  0: 'placeholder',
  1: 'network device',
  2: 'block device',
  3: 'console',
  4: 'entropy source',
  5: 'memory ballooning (traditional)',
  6: 'ioMemory',
  7: 'rpmsg',
  8: 'SCSI host',
  9: '9P transport',
  10: 'mac80211 wlan',
  11: 'rproc serial',
  12: 'virtio CAIF',
  13: 'memory balloon',
  16: 'GPU device',
  17: 'RTC device',
  18: 'input device',
  19: 'socket device',
  20: 'crypto device',
  21: 'signal distribution module',
  22: 'pstore device',
  23: 'IOMMU device',
  24: 'memory device',
  25: 'sound device',
  26: 'file system device',
  27: 'PMEM device',
  28: 'RPMB device',
  29: 'mac80211 hwsim wireless simulation device',
  30: 'video encoder device',
  31: 'video decoder device',
  32: 'SCMI device',
  33: 'NitroSecureModule',
  34: 'I2C adapter',
  35: 'watchdog',
  36: 'CAN device',
  38: 'parameter server',
  39: 'audio policy device',
  40: 'Bluetooth device',
  41: 'GPIO device',
  42: 'RDMA device',
  43: 'camera device',
  44: 'ISM device',
  45: 'SPI controller',
  46: 'TEE device',
  47: 'CPU balloon device',
  48: 'media device',
  49: 'USB controller',
};

/** For people; unknown IDs say so. */
export function deviceName(id: number): string {
  return names[id] ?? `unknown device ${id}`;
}
