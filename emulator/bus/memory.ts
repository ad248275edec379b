// Guest memory as devices see it: physical addresses, little-endian, bounds checked. [virtio 1.4, 1.4]

/** Guest RAM for DMA, loaders and debuggers. Writes here are never driver accesses. */
export interface GuestMemory {
  readonly base: number;
  readonly sizeBytes: number;
  contains(address: number, length: number): boolean;
  /** A copy. Throws RangeError outside RAM: callers check `contains` first. */
  read(address: number, length: number): Uint8Array;
  write(address: number, bytes: Uint8Array): void;
  read16(address: number): number;
  read32(address: number): number;
  read64(address: number): bigint;
  write16(address: number, value: number): void;
  write32(address: number, value: number): void;
  write64(address: number, value: bigint): void;
}
