// Where things are on the board and which interrupt source they drive: the map of QEMU's `virt` machine (7.2), as data.
// Sizes are those that answer on the bus; the device tree's `reg` lengths stand beside them where they are larger.

export interface MapEntry {
  /** Guest-physical address. */
  readonly base: number;
  readonly sizeBytes: number;
  /** Length in the device tree. */
  readonly declaredBytes: number;
  /** PLIC source. */
  readonly interrupt?: number;
}

export const memoryMap = {
  resetRom: { base: 0x1000, sizeBytes: 0xf000, declaredBytes: 0xf000 },
  testFinisher: { base: 0x10_0000, sizeBytes: 0x1000, declaredBytes: 0x1000 },
  rtc: { base: 0x10_1000, sizeBytes: 0x24, declaredBytes: 0x1000, interrupt: 11 },
  pcieIo: { base: 0x300_0000, sizeBytes: 0x1_0000, declaredBytes: 0x1_0000 },
  pcieEcam: { base: 0x3000_0000, sizeBytes: 0x1000_0000, declaredBytes: 0x1000_0000 },
  pcieMemory32: { base: 0x4000_0000, sizeBytes: 0x4000_0000, declaredBytes: 0x4000_0000 },
  /** Where QEMU has it for up to 14 GiB of RAM. */
  pcieMemory64: { base: 0x4_0000_0000, sizeBytes: 0x4_0000_0000, declaredBytes: 0x4_0000_0000 },
  clint: { base: 0x200_0000, sizeBytes: 0xc000, declaredBytes: 0x1_0000 },
  plic: { base: 0xc00_0000, sizeBytes: 0x60_0000, declaredBytes: 0x60_0000 },
  /** In the PLIC's place with `aia`. */
  aplicMachine: { base: 0xc00_0000, sizeBytes: 0x8000, declaredBytes: 0x8000 },
  aplicSupervisor: { base: 0xd00_0000, sizeBytes: 0x8000, declaredBytes: 0x8000 },
  /** One page for each hart answers. */
  imsicMachine: { base: 0x2400_0000, sizeBytes: 0x1000, declaredBytes: 0x1000 },
  imsicSupervisor: { base: 0x2800_0000, sizeBytes: 0x1000, declaredBytes: 0x1000 },
  uart0: { base: 0x1000_0000, sizeBytes: 8, declaredBytes: 0x100, interrupt: 10 },
  firmwareConfiguration: { base: 0x1010_0000, sizeBytes: 0x18, declaredBytes: 0x18 },
  flash0: { base: 0x2000_0000, sizeBytes: 0x200_0000, declaredBytes: 0x200_0000 },
  flash1: { base: 0x2200_0000, sizeBytes: 0x200_0000, declaredBytes: 0x200_0000 },
} as const satisfies Record<string, MapEntry>;

export const ramBase = 0x8000_0000;

/** The window of virtio-mmio slots: slot n is at base + n * stride and drives source firstInterrupt + n. */
export const virtioSlots = { count: 8, base: 0x1000_1000, strideBytes: 0x1000, firstInterrupt: 1 } as const;

/** Where shared memory regions of virtio-mmio devices stand; QEMU has nothing here. */
export const virtioSharedMemory = { base: 0x1001_0000, sizeBytes: 0xf_0000 } as const;

/** @param slot 0..7 */
export function virtioSlot(slot: number): { readonly base: number; readonly interrupt: number } {
  return {
    base: virtioSlots.base + slot * virtioSlots.strideBytes,
    interrupt: virtioSlots.firstInterrupt + slot,
  };
}

/** Sources of the four PCI interrupt wires. */
export const pcieInterrupts = { first: 32, count: 4 } as const;

/** PLIC sources are 1..interruptSources. */
export const interruptSources = 96;

/** Ticks of `mtime` and of the `time` CSR. */
export const timebaseHertz = 10_000_000;
export const nanosecondsPerTick = 1_000_000_000 / timebaseHertz;

/** Guest software below its kernel (firmware) begins at the start of RAM, a kernel under firmware 2 MiB above. */
export const firmwareAddress = ramBase;
export const kernelAddressUnderFirmware = ramBase + 0x20_0000;
