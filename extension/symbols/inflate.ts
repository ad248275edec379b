// Decompression of zlib streams, as compressed ELF sections hold them. [RFC 1950, RFC 1951]
import { MalformedInput } from './bytes';

/** Decoding table of one canonical Huffman code: how many codes have each length, and the symbols in code order. */
interface Huffman {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

const longestCode = 15;
const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBase = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
const distanceExtra = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
/** Order in which a dynamic block gives the lengths of the code-length code. [RFC 1951, 3.2.7] */
const codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

function huffman(lengths: ArrayLike<number>): Huffman {
  const counts = new Uint16Array(longestCode + 1);
  for (let i = 0; i < lengths.length; i++) {
    const length = lengths[i] ?? 0;
    counts[length] = (counts[length] ?? 0) + 1;
  }
  counts[0] = 0;
  const starts = new Uint16Array(longestCode + 2);
  for (let length = 1; length <= longestCode; length++)
    starts[length + 1] = (starts[length] ?? 0) + (counts[length] ?? 0);
  const symbols = new Uint16Array(lengths.length);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol] ?? 0;
    if (length === 0) continue;
    const at = starts[length] ?? 0;
    starts[length] = at + 1;
    symbols[at] = symbol;
  }
  return { counts, symbols };
}

const fixedLengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288);
const fixedLiterals = huffman(fixedLengths);
const fixedDistances = huffman(new Uint8Array(30).fill(5));

class BitReader {
  #hold = 0;
  #count = 0;

  constructor(
    readonly bytes: Uint8Array,
    public offset: number,
  ) {}

  bits(count: number): number {
    while (this.#count < count) {
      const byte = this.bytes[this.offset++];
      if (byte === undefined) throw new MalformedInput('compressed data ends early');
      this.#hold |= byte << this.#count;
      this.#count += 8;
    }
    const value = this.#hold & ((1 << count) - 1);
    this.#hold >>>= count;
    this.#count -= count;
    return value;
  }

  align(): void {
    this.#hold = 0;
    this.#count = 0;
  }

  symbol(code: Huffman): number {
    let value = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= longestCode; length++) {
      value |= this.bits(1);
      const count = code.counts[length] ?? 0;
      if (value - first < count) return code.symbols[index + value - first] ?? 0;
      index += count;
      first = (first + count) << 1;
      value <<= 1;
    }
    throw new MalformedInput('compressed data holds a code that its table does not define');
  }
}

function dynamicCodes(input: BitReader): { literals: Huffman; distances: Huffman } {
  const literalCount = input.bits(5) + 257;
  const distanceCount = input.bits(5) + 1;
  const codeLengthCount = input.bits(4) + 4;
  const codeLengths = new Uint8Array(19);
  for (let i = 0; i < codeLengthCount; i++) codeLengths[codeLengthOrder[i] ?? 0] = input.bits(3);
  const code = huffman(codeLengths);
  const lengths = new Uint8Array(literalCount + distanceCount);
  let at = 0;
  while (at < lengths.length) {
    const symbol = input.symbol(code);
    if (symbol < 16) {
      lengths[at++] = symbol;
      continue;
    }
    const value = symbol === 16 ? lengths[at - 1] : 0;
    const repeat = symbol === 16 ? 3 + input.bits(2) : symbol === 17 ? 3 + input.bits(3) : 11 + input.bits(7);
    if (value === undefined || at + repeat > lengths.length)
      throw new MalformedInput('compressed data repeats a length wrongly');
    lengths.fill(value, at, at + repeat);
    at += repeat;
  }
  return { literals: huffman(lengths.subarray(0, literalCount)), distances: huffman(lengths.subarray(literalCount)) };
}

/** Inflates a zlib stream whose uncompressed size is known. Throws `MalformedInput`; checks the Adler-32 sum. */
export function inflateZlib(bytes: Uint8Array, size: number): Uint8Array {
  const header = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  if ((header & 0x0f00) !== 0x0800 || header % 31 !== 0 || (header & 0x20) !== 0) {
    throw new MalformedInput('zlib stream expected, found something else');
  }
  const input = new BitReader(bytes, 2);
  const output = new Uint8Array(size);
  let at = 0;
  let last = false;
  while (!last) {
    last = input.bits(1) === 1;
    const type = input.bits(2);
    if (type === 0) {
      input.align();
      const length = (bytes[input.offset] ?? 0) | ((bytes[input.offset + 1] ?? 0) << 8);
      const data = bytes.subarray(input.offset + 4, input.offset + 4 + length);
      if (data.length < length || at + length > size) throw new MalformedInput('stored block does not fit');
      output.set(data, at);
      at += length;
      input.offset += 4 + length;
      continue;
    }
    if (type === 3) throw new MalformedInput('compressed data holds a block of unknown type');
    const { literals, distances } =
      type === 1 ? { literals: fixedLiterals, distances: fixedDistances } : dynamicCodes(input);
    for (;;) {
      const symbol = input.symbol(literals);
      if (symbol === 256) break;
      if (symbol < 256) {
        if (at >= size) throw new MalformedInput(`${size} bytes expected, the stream holds more`);
        output[at++] = symbol;
        continue;
      }
      const row = symbol - 257;
      const length = (lengthBase[row] ?? size + 1) + input.bits(lengthExtra[row] ?? 0);
      const distanceRow = input.symbol(distances);
      const distance = (distanceBase[distanceRow] ?? at + 1) + input.bits(distanceExtra[distanceRow] ?? 0);
      if (distance > at || at + length > size) throw new MalformedInput('compressed data refers outside of itself');
      if (distance >= length) {
        output.copyWithin(at, at - distance, at - distance + length);
        at += length;
      } else {
        for (const stop = at + length; at < stop; at++) output[at] = output[at - distance] ?? 0;
      }
    }
  }
  if (at !== size) throw new MalformedInput(`${size} bytes expected, the stream holds ${at}`);
  const sum = bytes.subarray(input.offset, input.offset + 4);
  const expected = sum.reduce((value, byte) => value * 256 + byte, 0);
  if (sum.length < 4 || expected !== adler32(output))
    throw new MalformedInput('the check sum of compressed data is wrong');
  return output;
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let i = 0; i < bytes.length;) {
    // 3800 additions fit 32 bits before the remainder must be taken.
    for (const stop = Math.min(bytes.length, i + 3800); i < stop; i++) {
      a += bytes[i] ?? 0;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}
