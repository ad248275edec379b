// Shared memory regions of a device: memory of its own that the driver maps. On virtio-mmio a region is a place of the address map, on
// PCI a part of a base address register. [virtio 1.4, 2.10]
import type { AccessSize, MmioRegion } from '../bus/access';
import type { SharedMemoryOptions } from '../configuration';

/** shmid is one byte on PCI. [4.1.4.7] */
const largestId = 0xff;
const pageBytes = 0x1000;
const largestBytes = 0x10_0000;

export class SharedRegion implements MmioRegion {
  readonly name: string;
  /** Guest-physical address on virtio-mmio; 0 on PCI, where the guest chooses it. */
  base = 0;
  readonly id: number;
  readonly sizeBytes: number;
  private readonly bytes: Uint8Array;

  constructor(device: string, { id, bytes }: SharedMemoryOptions) {
    this.name = `${device}.shm${id}`;
    this.id = id;
    this.sizeBytes = bytes;
    this.bytes = new Uint8Array(bytes);
  }

  read(offset: number, size: AccessSize): bigint {
    return this.peek(offset, size);
  }
  peek(offset: number, size: AccessSize): bigint {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[offset + i] ?? 0);
    return value;
  }
  write(offset: number, size: AccessSize, value: bigint): boolean {
    for (let i = 0; i < size && offset + i < this.sizeBytes; i++)
      this.bytes[offset + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    return true;
  }

  save(): Uint8Array {
    return this.bytes.slice();
  }
  restore(saved: Uint8Array): void {
    this.bytes.set(saved);
  }
}

/** Throws an Error that names the device and what cannot be. */
export function createSharedMemory(device: string, options: readonly SharedMemoryOptions[]): readonly SharedRegion[] {
  for (const [i, { id, bytes }] of options.entries()) {
    if (!Number.isInteger(id) || id < 0 || id > largestId)
      throw new Error(`device ${device}: sharedMemory has id ${id}, allowed are 0 to ${largestId}`);
    if (!Number.isInteger(bytes) || bytes < pageBytes || bytes > largestBytes || bytes % pageBytes !== 0)
      throw new Error(
        `device ${device}: sharedMemory ${id} has ${bytes} bytes, allowed are multiples of ${pageBytes} up to ${largestBytes}`,
      );
    if (options.findIndex((other) => other.id === id) !== i)
      throw new Error(`device ${device}: sharedMemory has id ${id} twice`);
  }
  return options.map((each) => new SharedRegion(device, each));
}

/** Gives the regions of virtio-mmio devices their places, one behind the other. Throws an Error when the window is too small. */
export function placeSharedMemory(regions: readonly SharedRegion[], window: { base: number; sizeBytes: number }): void {
  let next = window.base;
  for (const region of regions) {
    region.base = next;
    next += region.sizeBytes;
    if (next > window.base + window.sizeBytes)
      throw new Error(
        `${region.name}: the shared memory of all virtio-mmio devices has ${window.sizeBytes} bytes at most`,
      );
  }
}
