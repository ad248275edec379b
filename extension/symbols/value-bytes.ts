// Reading the bytes of a located object: memory, registers, constants, and objects in pieces. [DWARF 5, 2.6.1]
import type { ReadMemory, RegisterFile } from './contract';
import { registerValue, Unavailable, type Location, type Piece } from './dwarf/expressions';

export interface Storage {
  readonly readMemory: ReadMemory;
  readonly registers: RegisterFile | undefined;
}

/** An object read at once is never larger; only children and previews of larger ones are. */
const mostBytes = 65536;

/** `size` bytes from `offset` on of a located object. Throws `Unavailable`. */
export function readBytes(location: Location, offset: number, size: number, storage: Storage): Uint8Array {
  if (size > mostBytes || size < 0) throw new Unavailable(`${size} bytes are too many to read at once`);
  switch (location.kind) {
    case 'memory': {
      const address = BigInt.asUintN(64, location.address + BigInt(Math.trunc(offset)));
      const bytes = storage.readMemory(address, size);
      if (bytes === undefined || bytes.length < size)
        throw new Unavailable(`memory at 0x${address.toString(16)} cannot be read`);
      return bytes.subarray(0, size);
    }
    case 'register': {
      // An object of two words in a register pair is described in pieces; more than one register here is damage.
      if (offset + size > 8) throw new Unavailable('it is larger than the register that holds it');
      return wordBytes(registerValue(storage.registers, location.register)).subarray(offset, offset + size);
    }
    case 'bytes': {
      if (offset >= location.bytes.length && size > 0) throw new Unavailable('the compiler kept only a part of it');
      const bytes = new Uint8Array(size);
      bytes.set(location.bytes.subarray(offset, offset + size));
      return bytes;
    }
    case 'pieces':
      return readPieces(location.pieces, offset, size, storage);
    case 'unavailable':
      throw new Unavailable(location.reason);
  }
}

function wordBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}

function readPieces(pieces: readonly Piece[], offset: number, size: number, storage: Storage): Uint8Array {
  const result = new Uint8Array(size);
  const first = offset * 8;
  const last = first + size * 8;
  let at = 0;
  for (const piece of pieces) {
    const low = Math.max(first, at);
    const high = Math.min(last, at + piece.bits);
    if (low < high) {
      const from = piece.bitOffset + (low - at);
      const start = Math.floor(from / 8);
      const source = readBytes(piece.location, start, Math.ceil((from + high - low) / 8) - start, storage);
      copyBits(source, from - start * 8, result, low - first, high - low);
    }
    at += piece.bits;
  }
  if (at < last) throw new Unavailable('the compiler kept only a part of it');
  return result;
}

function copyBits(from: Uint8Array, fromBit: number, to: Uint8Array, toBit: number, count: number): void {
  if (fromBit % 8 === 0 && toBit % 8 === 0 && count % 8 === 0) {
    to.set(from.subarray(fromBit / 8, (fromBit + count) / 8), toBit / 8);
    return;
  }
  for (let i = 0; i < count; i++) {
    const source = fromBit + i;
    const target = toBit + i;
    const bit = ((from[source >> 3] ?? 0) >> (source & 7)) & 1;
    to[target >> 3] = (to[target >> 3] ?? 0) | (bit << (target & 7));
  }
}

/** Bits `offset..offset + size` of an object, as an unsigned number. Throws `Unavailable`. */
export function readBits(location: Location, offset: number, size: number, storage: Storage): bigint {
  const start = Math.floor(offset / 8);
  const bytes = readBytes(location, start, Math.ceil((offset + size) / 8) - start, storage);
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return BigInt.asUintN(size, value >> BigInt(offset - start * 8));
}
