// A type 0 configuration space: header, base address registers and the list of capabilities, as bytes with a mask of what can be
// written. [PCI Local Bus 3.0, 6.1, 6.2.5, 6.7]
// Guarantees: any write at any place changes only bits that the masks allow; sizing works as the standard describes.
import type { SavedState, Stateful } from '../../bus/access';
import type { ConfigAccessSize, DecodedBar, PciBar } from './contract';

export const configSpaceBytes = 256;

/** Bits of the command register. */
export const pciCommand = { ioSpace: 1, memorySpace: 2, busMaster: 4, interruptDisable: 0x400 } as const;
/** Bits of the status register. */
export const pciStatus = { interrupt: 8, capabilities: 0x10 } as const;

export const configOffset = {
  command: 0x04,
  status: 0x06,
  bar: 0x10,
  capabilities: 0x34,
  interruptLine: 0x3c,
  firstCapability: 0x40,
} as const;

export interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  readonly revision: number;
  /** Base class, sub-class and programming interface: 24 bits. */
  readonly classCode: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
  /** 0: none, 1: INTA#. */
  readonly interruptPin: number;
}

/** What stands in the list after the two bytes of id and link. */
export interface PciCapability {
  readonly id: number;
  readonly name: string;
  readonly body: Uint8Array;
  /** Bits of `body` that can be written; absent: none. */
  readonly writable?: Uint8Array;
}

export interface PlacedCapability extends PciCapability {
  /** Of its id. */
  readonly offset: number;
  readonly sizeBytes: number;
}

interface HeaderField {
  readonly offset: number;
  readonly size: number;
  readonly name: string;
}

/** Names of the header's registers, for events and pictures. */
const header: readonly HeaderField[] = [
  { offset: 0x00, size: 2, name: 'Vendor ID' },
  { offset: 0x02, size: 2, name: 'Device ID' },
  { offset: 0x04, size: 2, name: 'Command' },
  { offset: 0x06, size: 2, name: 'Status' },
  { offset: 0x08, size: 1, name: 'Revision ID' },
  { offset: 0x09, size: 3, name: 'Class Code' },
  { offset: 0x0c, size: 1, name: 'Cache Line Size' },
  { offset: 0x0d, size: 1, name: 'Latency Timer' },
  { offset: 0x0e, size: 1, name: 'Header Type' },
  { offset: 0x0f, size: 1, name: 'BIST' },
  ...Array.from({ length: 6 }, (_, index) => ({ offset: 0x10 + index * 4, size: 4, name: `BAR${index}` })),
  { offset: 0x28, size: 4, name: 'CardBus CIS Pointer' },
  { offset: 0x2c, size: 2, name: 'Subsystem Vendor ID' },
  { offset: 0x2e, size: 2, name: 'Subsystem ID' },
  { offset: 0x30, size: 4, name: 'Expansion ROM Base Address' },
  { offset: 0x34, size: 1, name: 'Capabilities Pointer' },
  { offset: 0x3c, size: 1, name: 'Interrupt Line' },
  { offset: 0x3d, size: 1, name: 'Interrupt Pin' },
  { offset: 0x3e, size: 1, name: 'Min_Gnt' },
  { offset: 0x3f, size: 1, name: 'Max_Lat' },
];

/** Bits of a base address register that say what it is. */
const barType: Readonly<Record<PciBar['space'], number>> = { io: 1, memory32: 0, memory64: 4 };
const prefetchableBit = 8;

export class PciConfigSpace implements Stateful {
  readonly capabilities: readonly PlacedCapability[];
  private readonly bytes = new Uint8Array(configSpaceBytes);
  private readonly writable = new Uint8Array(configSpaceBytes);

  /** Throws RangeError when the capabilities do not fit. */
  constructor(
    identity: PciIdentity,
    private readonly bars: readonly PciBar[],
    capabilities: readonly PciCapability[],
  ) {
    this.put(0x00, 2, identity.vendor);
    this.put(0x02, 2, identity.device);
    this.put(0x08, 4, identity.revision | (identity.classCode << 8));
    this.put(0x2c, 2, identity.subsystemVendor);
    this.put(0x2e, 2, identity.subsystem);
    this.put(0x3d, 1, identity.interruptPin);
    const { ioSpace, memorySpace, busMaster, interruptDisable } = pciCommand;
    this.allow(configOffset.command, 2, ioSpace | memorySpace | busMaster | interruptDisable);
    this.allow(0x0c, 1, 0xff);
    this.allow(configOffset.interruptLine, 1, 0xff);
    for (const bar of bars) this.placeBar(bar);
    this.capabilities = this.placeCapabilities(capabilities);
  }

  get command(): number {
    return this.read(configOffset.command, 2);
  }

  /** Beyond the end all bits are ones. */
  read(offset: number, size: ConfigAccessSize): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.bytes[offset + i] ?? 0xff);
    return value;
  }

  write(offset: number, size: ConfigAccessSize, value: number): void {
    for (let i = 0; i < size; i++) {
      const at = offset + i;
      const mask = this.writable[at] ?? 0;
      this.bytes[at] = ((this.bytes[at] ?? 0) & ~mask) | ((value >>> (i * 8)) & mask);
    }
  }

  /** Sets what the function itself shows, whether or not a driver may write there. */
  put(offset: number, size: ConfigAccessSize, value: number): void {
    for (let i = 0; i < size; i++) this.bytes[offset + i] = (value >>> (i * 8)) & 0xff;
  }

  /** Address on the bus that a register holds, whether or not it decodes. */
  baseOf({ index, space }: PciBar): number {
    const low = this.read(configOffset.bar + index * 4, 4);
    if (space === 'io') return (low & ~3) >>> 0;
    const high = space === 'memory64' ? this.read(configOffset.bar + index * 4 + 4, 4) : 0;
    return ((low & ~0xf) >>> 0) + high * 2 ** 32;
  }

  decoded(): readonly DecodedBar[] {
    const { command } = this;
    return this.bars
      .filter(({ space }) => (command & (space === 'io' ? pciCommand.ioSpace : pciCommand.memorySpace)) !== 0)
      .map((bar) => ({ bar, base: this.baseOf(bar) }));
  }

  /** The capability that holds this byte. */
  capabilityAt(offset: number): PlacedCapability | undefined {
    return this.capabilities.find((one) => offset >= one.offset && offset < one.offset + one.sizeBytes);
  }

  /** For people: the header's register, or the capability and the place in it. */
  nameAt(offset: number): string | undefined {
    const field = header.find((one) => offset >= one.offset && offset < one.offset + one.size);
    if (field !== undefined) return field.name;
    const capability = this.capabilityAt(offset);
    return capability === undefined ? undefined : `${capability.name} + ${offset - capability.offset}`;
  }

  save(): SavedState {
    return { bytes: this.bytes.slice() };
  }
  restore(state: SavedState): void {
    this.bytes.set((state as { bytes: Uint8Array }).bytes);
  }

  private allow(offset: number, size: number, mask: number): void {
    for (let i = 0; i < size; i++) this.writable[offset + i] = (mask >>> (i * 8)) & 0xff;
  }

  /** Address bits below the size cannot be written: writing all ones and reading back tells the size. [PCI Local Bus 3.0, 6.2.5.1] */
  private placeBar({ index, space, prefetchable, sizeBytes }: PciBar): void {
    const smallest = space === 'io' ? 4 : 16;
    if (!(sizeBytes >= smallest && Number.isInteger(Math.log2(sizeBytes)) && sizeBytes <= 2 ** 31)) {
      throw new RangeError(`BAR${index}: ${sizeBytes} bytes, expected a power of two from ${smallest} to 2 GiB`);
    }
    const at = configOffset.bar + index * 4;
    this.put(at, 4, barType[space] | (prefetchable === true ? prefetchableBit : 0));
    this.allow(at, 4, ~(sizeBytes - 1));
    if (space === 'memory64') this.allow(at + 4, 4, 0xffff_ffff);
  }

  private placeCapabilities(capabilities: readonly PciCapability[]): readonly PlacedCapability[] {
    const placed: PlacedCapability[] = [];
    let offset: number = configOffset.firstCapability;
    for (const capability of capabilities) {
      const sizeBytes = 2 + capability.body.length;
      if (offset + sizeBytes > configSpaceBytes) {
        throw new RangeError(
          `capability ${capability.name} does not fit: the list needs more than ${configSpaceBytes} bytes`,
        );
      }
      placed.push({ ...capability, offset, sizeBytes });
      offset = (offset + sizeBytes + 3) & ~3;
    }
    placed.forEach((one, i) => {
      this.put(one.offset, 1, one.id);
      this.put(one.offset + 1, 1, placed[i + 1]?.offset ?? 0);
      this.bytes.set(one.body, one.offset + 2);
      if (one.writable !== undefined) this.writable.set(one.writable, one.offset + 2);
    });
    const [first] = placed;
    if (first !== undefined) {
      this.put(configOffset.capabilities, 1, first.offset);
      this.put(configOffset.status, 2, pciStatus.capabilities);
    }
    return placed;
  }
}
