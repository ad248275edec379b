// How structures lie in a buffer: fields with offset, size and type, and how to read them. Little-endian. [virtio 1.4, 1.4]

export interface WireField {
  readonly name: string;
  /** Bytes from the start of the structure. */
  readonly offset: number;
  readonly type: 'u8' | 'le16' | 'le32' | 'le64' | 'bytes';
  /** Bytes. */
  readonly size: number;
  readonly meaning: string;
}

export interface WireStructure {
  readonly name: string;
  /** Bytes; the part that is always there when the structure ends in a variable part. */
  readonly size: number;
  readonly fields: readonly WireField[];
  readonly section: string;
}

/** The field called `name`. Throws RangeError when the structure has none: a mistake of the caller. */
export function fieldOf(structure: WireStructure, name: string): WireField {
  const field = structure.fields.find((f) => f.name === name);
  if (field === undefined) throw new RangeError(`${structure.name} has no field ${name}`);
  return field;
}

/** An integer field's value; bytes beyond the buffer's end count as 0. */
export function readField(structure: WireStructure, name: string, bytes: Uint8Array, base = 0): bigint {
  const { offset, size } = fieldOf(structure, name);
  const start = base + offset;
  let value = 0n;
  for (let from = (size - 1) & ~3; from >= 0; from -= 4) {
    value = (value << 32n) | BigInt(wordAt(bytes, start + from, Math.min(4, size - from)));
  }
  return value;
}

/** Up to four bytes as one number. */
function wordAt(bytes: Uint8Array, start: number, size: number): number {
  let word = 0;
  for (let i = size - 1; i >= 0; i--) word = (word << 8) | (bytes[start + i] ?? 0);
  return word >>> 0;
}

/** Little-endian bytes of a value. */
export function littleEndian(value: bigint | number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let rest = BigInt.asUintN(size * 8, BigInt(value));
  for (let i = 0; i < size; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}
