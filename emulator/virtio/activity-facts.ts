// Facts that a device's activity makes of a ring, in the shape that the ring's format asks for. [virtio 1.4, 2.7.8, 2.7.10, 2.8.10]
import type { DeviceFact, DeviceOrigin } from '../record/events';
import type { DeviceRing, Suppression } from './queue/ring';

type Fact = DeviceFact & DeviceOrigin;
type Format = Pick<DeviceRing, 'format' | 'size'>;

/** @param batch chains that the one used entry gives back */
export function usedFact(
  device: string,
  queue: number,
  ring: Format,
  { head, length }: { readonly head: number; readonly length: number },
  slot: number,
  usedIndex: number,
  batch: number,
): Fact {
  const fact: Fact = { kind: 'used', by: 'device', device, queue, head, length, slot, usedIndex };
  if (batch === 1 && ring.format === 'split') return fact;
  return { ...fact, ...(batch > 1 && { batch }), ...packedSize(ring) };
}

export function suppressionFact(device: string, queue: number, ring: Format, { field, value }: Suppression): Fact {
  const fact: Fact = { kind: 'suppression', by: 'device', device, queue, field, value };
  return ring.format === 'split' ? fact : { ...fact, ...packedSize(ring) };
}

/** What tells the facts of a packed ring apart. */
function packedSize({ format, size }: Format): { readonly packedSize?: number } {
  return format === 'packed' ? { packedSize: size } : {};
}
