// Guest RAM for everybody who is not a hart: device DMA, loaders and debuggers. Little-endian.
// Guarantees: every write is told to the processor, so that decoded code, reservations and dirty bits stay true.
import type { Cpu } from '../cpu/contract';
import type { GuestMemory } from './memory';

/** The part of the processor that owns the bytes. */
export type RamOwner = Pick<Cpu, 'ram' | 'ramBase' | 'noteOutsideWrite'>;

export class Ram implements GuestMemory {
  readonly base: number;
  readonly sizeBytes: number;
  private readonly view: DataView;

  constructor(private readonly owner: RamOwner) {
    this.base = owner.ramBase;
    this.sizeBytes = owner.ram.length;
    this.view = new DataView(owner.ram.buffer, owner.ram.byteOffset, owner.ram.byteLength);
  }

  contains(address: number, length: number): boolean {
    return (
      Number.isSafeInteger(address) &&
      Number.isSafeInteger(length) &&
      length >= 0 &&
      address >= this.base &&
      address + length <= this.base + this.sizeBytes
    );
  }

  read(address: number, length: number): Uint8Array {
    const offset = this.offset(address, length);
    return this.owner.ram.slice(offset, offset + length);
  }
  write(address: number, bytes: Uint8Array): void {
    const offset = this.offset(address, bytes.length);
    if (bytes.length === 0) return;
    this.owner.ram.set(bytes, offset);
    this.owner.noteOutsideWrite(address, bytes.length);
  }

  read16(address: number): number {
    return this.view.getUint16(this.offset(address, 2), true);
  }
  read32(address: number): number {
    return this.view.getUint32(this.offset(address, 4), true);
  }
  read64(address: number): bigint {
    return this.view.getBigUint64(this.offset(address, 8), true);
  }
  write16(address: number, value: number): void {
    this.view.setUint16(this.offset(address, 2), value, true);
    this.owner.noteOutsideWrite(address, 2);
  }
  write32(address: number, value: number): void {
    this.view.setUint32(this.offset(address, 4), value, true);
    this.owner.noteOutsideWrite(address, 4);
  }
  write64(address: number, value: bigint): void {
    this.view.setBigUint64(this.offset(address, 8), value, true);
    this.owner.noteOutsideWrite(address, 8);
  }

  private offset(address: number, length: number): number {
    if (!this.contains(address, length)) {
      throw new RangeError(
        `${length} bytes at 0x${address.toString(16)} are not inside RAM ` +
          `(0x${this.base.toString(16)} to 0x${(this.base + this.sizeBytes - 1).toString(16)}): check contains() first`,
      );
    }
    return address - this.base;
  }
}
