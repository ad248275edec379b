// The bytes that a chain names, wherever the driver cut them. [virtio 1.4, 2.6.4]
import type { GuestMemory } from '../../bus/memory';
import type { Chain, ChainElement } from '../../record/events';

/** More is not looked at: no packet and no command is longer. */
const greatestBytes = 128 * 1024;

export function totalOf(chain: Chain, deviceWritable: boolean): number {
  return chain.elements
    .filter((element) => element.deviceWritable === deviceWritable)
    .reduce((sum, { length }) => sum + length, 0);
}

/** Whether a chain can be read as what it means to be. */
export function isReadable(chain: Chain): boolean {
  return chain.defects.every(({ kind }) => kind === 'zero-length');
}

/** The last element of one direction. */
export function lastOf(chain: Chain, deviceWritable: boolean): ChainElement | undefined {
  return [...chain.elements].reverse().find((element) => element.deviceWritable === deviceWritable);
}

/** The bytes of one direction, the device-readable ones unless told otherwise. */
export function readOut(chain: Chain, memory: GuestMemory, deviceWritable = false): Uint8Array {
  const bytes = new Uint8Array(Math.min(greatestBytes, totalOf(chain, deviceWritable)));
  let at = 0;
  for (const element of chain.elements) {
    if (element.deviceWritable !== deviceWritable || at >= bytes.length) continue;
    const part = Math.min(element.length, bytes.length - at);
    bytes.set(memory.read(Number(element.address), part), at);
    at += part;
  }
  return bytes;
}
