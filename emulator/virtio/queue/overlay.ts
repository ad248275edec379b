// Guest memory as an access will leave it: the bytes of the access laid over what is stored now. [design: who accesses]
import type { WatchedAccess } from '../../bus/access';
import type { GuestMemory } from '../../bus/memory';
import type { ReadableMemory } from './chain';

/** Bytes that stand for those in memory at the place of an access. */
export interface Overlay {
  readonly access: WatchedAccess;
  readonly bytes: bigint;
}

/** A field of 2, 4 or 8 bytes. */
export function readOverlaid(memory: GuestMemory, address: number, size: number, over: Overlay | undefined): bigint {
  let value = readMemory(memory, address, size);
  if (over === undefined) return value;
  const { physicalAddress, size: width } = over.access;
  const from = Math.max(address, physicalAddress);
  const to = Math.min(address + size, physicalAddress + width);
  for (let at = from; at < to; at++) {
    const byte = (over.bytes >> BigInt((at - physicalAddress) * 8)) & 0xffn;
    const shift = BigInt((at - address) * 8);
    value = (value & ~(0xffn << shift)) | (byte << shift);
  }
  return value;
}

/** Memory for walking chains as the device will find them once the store has taken effect. */
export function overlaidMemory(memory: GuestMemory, over: Overlay): ReadableMemory {
  const from = over.access.physicalAddress;
  const to = from + over.access.size;
  const isHit = (address: number, size: number): boolean => address < to && from < address + size;
  return {
    contains: (address, length) => memory.contains(address, length),
    read16: (address) => (isHit(address, 2) ? Number(readOverlaid(memory, address, 2, over)) : memory.read16(address)),
    read32: (address) => (isHit(address, 4) ? Number(readOverlaid(memory, address, 4, over)) : memory.read32(address)),
    read64: (address) => (isHit(address, 8) ? readOverlaid(memory, address, 8, over) : memory.read64(address)),
  };
}

function readMemory(memory: GuestMemory, address: number, size: number): bigint {
  if (size === 2) return BigInt(memory.read16(address));
  if (size === 4) return BigInt(memory.read32(address));
  return memory.read64(address);
}
