// Bounds-checked little-endian reading for ELF and DWARF, with LEB128. [DWARF 5, 7.6]
//
// Addresses inside this folder are sign-extended numbers: exact for every canonical Sv39 and Sv48 address, ordered, and an
// order of magnitude cheaper than bigint in tables of millions of rows. The facade converts to and from bigint.

/** Input ends early or contradicts itself. Caught where a part can be given up; never leaves the facade. */
export class MalformedInput extends Error {
  override readonly name = 'MalformedInput';
}

export function toNumber(address: bigint): number {
  return Number(BigInt.asIntN(64, address));
}

export function toBigint(address: number): bigint {
  return BigInt.asUintN(64, BigInt(Math.trunc(address)));
}

const chunk = 4096;

/** Decodes UTF-8; ill-formed sequences become U+FFFD. `TextDecoder` is not part of ES2022. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  let ascii = true;
  for (let i = start; i < end && ascii; i++) ascii = (bytes[i] ?? 0) < 0x80;
  let text = '';
  if (ascii) {
    for (let i = start; i < end; i += chunk) {
      text += String.fromCharCode(...bytes.subarray(i, Math.min(end, i + chunk)));
    }
    return text;
  }
  let i = start;
  while (i < end) {
    const first = bytes[i++] ?? 0;
    const extra = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : 3;
    if (extra === 0) {
      text += String.fromCharCode(first);
      continue;
    }
    if (first < 0xc2 || first > 0xf4) {
      text += '\ufffd';
      continue;
    }
    let point = first & (0x3f >> extra);
    let taken = 0;
    while (taken < extra && i < end && ((bytes[i] ?? 0) & 0xc0) === 0x80) {
      point = (point << 6) | ((bytes[i++] ?? 0) & 0x3f);
      taken++;
    }
    const valid = taken === extra && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    text += valid ? String.fromCodePoint(point) : '\ufffd';
  }
  return text;
}

export function encodeUtf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    const tail = (shift: number) => 0x80 | ((point >> shift) & 0x3f);
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), tail(0));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), tail(6), tail(0));
    else bytes.push(0xf0 | (point >> 18), tail(12), tail(6), tail(0));
  }
  return Uint8Array.from(bytes);
}

/** Offset of the zero byte that ends a string, or `end`. */
export function stringEnd(bytes: Uint8Array, start: number, end: number = bytes.length): number {
  if (start >= end) return end;
  const found = bytes.indexOf(0, start);
  return found < 0 || found > end ? end : found;
}

/** The zero-terminated string at an offset of a string section; empty when the offset is outside it. */
export function stringAt(bytes: Uint8Array, offset: number): string {
  return offset >= 0 && offset < bytes.length ? decodeUtf8(bytes, offset, stringEnd(bytes, offset)) : '';
}

/** Reads forward through `bytes`; every read checks the end and throws `MalformedInput` past it. */
export class Cursor {
  readonly #view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    public offset = 0,
    public end: number = bytes.length,
    /** A view of exactly `bytes`, where there is one already: making views is what costs when cursors are many. */
    view?: DataView,
  ) {
    this.#view = view ?? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (end > bytes.length) this.end = bytes.length;
  }

  get done(): boolean {
    return this.offset >= this.end;
  }

  #take(length: number): number {
    const at = this.offset;
    if (!(at >= 0 && length >= 0 && at + length <= this.end)) {
      throw new MalformedInput(`${length} bytes expected at offset 0x${at.toString(16)}, the data ends before that`);
    }
    this.offset = at + length;
    return at;
  }

  skip(length: number): void {
    this.#take(length);
  }

  u8(): number {
    if (this.offset >= this.end) this.#take(1);
    return this.bytes[this.offset++] ?? 0;
  }

  i8(): number {
    return (this.u8() << 24) >> 24;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u24(): number {
    return this.u16() + this.u8() * 0x10000;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** A 64-bit offset or length. Beyond 2^53 it is inexact, and outside every section anyway. */
  size64(): number {
    const at = this.#take(8);
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000;
  }

  /** A target address of 4 or 8 bytes, sign-extended. */
  address(size: number): number {
    if (size === 8) {
      const at = this.#take(8);
      return this.#view.getUint32(at, true) + this.#view.getInt32(at + 4, true) * 0x1_0000_0000;
    }
    if (size === 4) return this.u32();
    throw new MalformedInput(`address size 8 expected, found ${size}`);
  }

  /** An unsigned number of 1, 2, 4 or 8 bytes. */
  unsigned(size: number): number {
    switch (size) {
      case 1:
        return this.u8();
      case 2:
        return this.u16();
      case 4:
        return this.u32();
      case 8:
        return this.size64();
      default:
        throw new MalformedInput(`number of 1, 2, 4 or 8 bytes expected, found one of ${size}`);
    }
  }

  /** Inexact beyond 2^53, like `size64`. */
  uleb(): number {
    const start = this.offset;
    let byte = this.u8();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 0x80;
    do {
      byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
    } while (byte >= 0x80);
    return scale <= 2 ** 49 ? value : Number(this.#exactUnsigned(start));
  }

  /** Inexact beyond 2^53 from zero. */
  sleb(): number {
    const start = this.offset;
    let value = 0;
    let scale = 1;
    let byte: number;
    do {
      byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
    } while (byte >= 0x80);
    if (scale > 2 ** 49) return Number(this.#exactSigned(start));
    return (byte & 0x40) !== 0 ? value - scale : value;
  }

  uleb64(): bigint {
    const start = this.offset;
    this.skipLeb();
    return this.#exactUnsigned(start);
  }

  sleb64(): bigint {
    const start = this.offset;
    this.skipLeb();
    return this.#exactSigned(start);
  }

  #exactUnsigned(start: number): bigint {
    let value = 0n;
    let shift = 0n;
    for (let i = start; i < this.offset && shift < 64n; i++, shift += 7n) {
      value |= BigInt((this.bytes[i] ?? 0) & 0x7f) << shift;
    }
    return BigInt.asUintN(64, value);
  }

  #exactSigned(start: number): bigint {
    const value = this.#exactUnsigned(start);
    const bits = (this.offset - start) * 7;
    const negative = ((this.bytes[this.offset - 1] ?? 0) & 0x40) !== 0;
    return BigInt.asIntN(64, negative && bits < 64 ? value - (1n << BigInt(bits)) : value);
  }

  skipLeb(): void {
    while (this.u8() >= 0x80);
  }

  block(length: number): Uint8Array {
    const at = this.#take(length);
    return this.bytes.subarray(at, at + length);
  }

  string(): string {
    const start = this.offset;
    const end = this.skipString();
    return decodeUtf8(this.bytes, start, end);
  }

  /** Moves behind the terminating zero and returns where that zero is. */
  skipString(): number {
    const end = stringEnd(this.bytes, this.offset, this.end);
    if (end >= this.end) throw new MalformedInput(`string at offset 0x${this.offset.toString(16)} has no end`);
    this.offset = end + 1;
    return end;
  }
}
