// Bits of InterruptStatus and InterruptACK. [virtio 1.4, 4.2.2]

export const interruptBit = { 'used-buffer': 1, 'config-change': 2 } as const;

export const interruptBits: readonly { readonly name: string; readonly mask: number; readonly meaning: string }[] = [
  { name: 'Used Buffer Notification', mask: interruptBit['used-buffer'], meaning: 'the device used a buffer' },
  {
    name: 'Configuration Change Notification',
    mask: interruptBit['config-change'],
    meaning: 'the configuration of the device changed',
  },
];
