// Floating-point numbers from their bytes, binary128 included. [IEEE 754-2019, 3.4]

/** `undefined` for a size that is no format of RISC-V. */
export function decodeFloat(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (bytes.length) {
    case 2:
      return decode(BigInt(view.getUint16(0, true)), 5, 10);
    case 4:
      return view.getFloat32(0, true);
    case 8:
      return view.getFloat64(0, true);
    case 16:
      return decode((view.getBigUint64(8, true) << 64n) | view.getBigUint64(0, true), 15, 112);
    default:
      return undefined;
  }
}

/** The nearest double of a binary format. */
function decode(bits: bigint, exponentBits: number, fractionBits: number): number {
  const fraction = bits & ((1n << BigInt(fractionBits)) - 1n);
  const exponent = Number((bits >> BigInt(fractionBits)) & ((1n << BigInt(exponentBits)) - 1n));
  const negative = bits >> BigInt(fractionBits + exponentBits) !== 0n;
  const greatest = 2 ** exponentBits - 1;
  const bias = greatest >> 1;
  const part = Number(fraction) / 2 ** fractionBits;
  const magnitude =
    exponent === greatest
      ? fraction === 0n
        ? Infinity
        : NaN
      : exponent === 0
        ? part * 2 ** (1 - bias)
        : (1 + part) * 2 ** (exponent - bias);
  return negative ? -magnitude : magnitude;
}

/** Shortest text that reads back as the same number in its format. */
export function floatText(value: number, size: number): string {
  if (size === 4 && Number.isFinite(value)) {
    for (let digits = 1; digits <= 9; digits++) {
      const text = value.toPrecision(digits);
      if (Math.fround(Number(text)) === value) return String(Number(text));
    }
  }
  return Object.is(value, -0) ? '-0' : String(value);
}
