// One hash over everything a guest could ever see, to show that two runs are the same run.
import type { SavedState } from '../bus/access';

const pageBytes = 4096;

/** 64 bits in hexadecimal. Pages of zeros cost nothing but count by their position. */
export function hashState(ram: Uint8Array, states: readonly SavedState[]): string {
  const hash = new Hash();
  const words = new Uint32Array(ram.buffer, ram.byteOffset, ram.length >> 2);
  for (let page = 0; page < ram.length / pageBytes; page++) {
    const start = page * (pageBytes >> 2);
    const end = start + (pageBytes >> 2);
    let first = start;
    while (first < end && words[first] === 0) first++;
    if (first === end) continue;
    hash.word(page);
    for (let i = start; i < end; i++) hash.word(words[i] ?? 0);
  }
  hashValue(hash, states);
  return hash.text();
}

/** Two 32-bit lanes of multiply-and-rotate mixing; not cryptographic. */
class Hash {
  private a = 0x9e3779b9;
  private b = 0x85ebca6b;
  word(value: number): void {
    this.a = Math.imul(this.a ^ value, 0x01000193);
    this.b = Math.imul(((this.b << 13) | (this.b >>> 19)) ^ value, 0xcc9e2d51);
  }
  text(): string {
    return (this.a >>> 0).toString(16).padStart(8, '0') + (this.b >>> 0).toString(16).padStart(8, '0');
  }
}

function hashText(hash: Hash, text: string): void {
  hash.word(text.length);
  for (let i = 0; i < text.length; i++) hash.word(text.charCodeAt(i));
}

/** Object keys count in sorted order, so that equal states hash equally however they were built. */
function hashValue(hash: Hash, value: unknown): void {
  if (value instanceof Uint8Array) {
    hash.word(value.length);
    for (const byte of value) hash.word(byte);
  } else if (Array.isArray(value)) {
    hash.word(value.length);
    for (const item of value) hashValue(hash, item);
  } else if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    hash.word(entries.length);
    for (const [key, item] of entries) {
      hashText(hash, key);
      hashValue(hash, item);
    }
  } else hashText(hash, `${typeof value} ${String(value)}`);
}
