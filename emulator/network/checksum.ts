// The Internet checksum: 16-bit ones' complement sums over big-endian words. [RFC 1071; RFC 9293, 3.1; RFC 8200, 8.1]

/** Folded 16-bit ones' complement sum of the bytes `from` to `to - 1`, added to `start`; an odd last byte counts as a high byte. */
export function onesComplementSum(bytes: Uint8Array, from = 0, to = bytes.length, start = 0): number {
  let sum = start;
  for (let i = from; i < to; i += 2) {
    sum += ((bytes[i] ?? 0) << 8) | (i + 1 < to ? (bytes[i + 1] ?? 0) : 0);
    if (sum > 0xffff_0000) sum = fold(sum);
  }
  return fold(sum);
}

/** The value that goes into a checksum field which was 0 while it was summed. */
export function internetChecksum(bytes: Uint8Array, from = 0, to = bytes.length, start = 0): number {
  return ~onesComplementSum(bytes, from, to, start) & 0xffff;
}

/** Sum of the pseudo header that TCP and UDP checksums begin with, for addresses of 4 or 16 bytes. */
export function pseudoHeaderSum(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  lengthBytes: number,
): number {
  const addresses = onesComplementSum(destination, 0, destination.length, onesComplementSum(source));
  return fold(addresses + protocol + (lengthBytes >>> 16) + (lengthBytes & 0xffff));
}

function fold(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest & 0xffff) + Math.floor(rest / 0x1_0000);
  return rest;
}
