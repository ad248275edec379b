// A growing byte buffer with WebAssembly's integer encodings (LEB128). [WebAssembly core 2.0, 5.2]

export class ByteWriter {
  private buffer: Uint8Array<ArrayBuffer>;
  length = 0;

  /** @param expectedBytes what it has room for without growing */
  constructor(expectedBytes = 256) {
    this.buffer = new Uint8Array(expectedBytes);
  }

  byte(value: number): this {
    if (this.length === this.buffer.length) this.grow(1);
    this.buffer[this.length++] = value;
    return this;
  }
  bytes(values: Uint8Array): this {
    if (this.length + values.length > this.buffer.length) this.grow(values.length);
    this.buffer.set(values, this.length);
    this.length += values.length;
    return this;
  }
  /** Unsigned LEB128 of a value below 2^32. */
  unsigned(value: number): this {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    return this.byte(rest);
  }
  signed32(value: number): this {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }
  signed64(value: bigint): this {
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }
  float32(value: number): this {
    return this.bytes(new Uint8Array(new Float32Array([value]).buffer));
  }
  float64(value: number): this {
    return this.bytes(new Uint8Array(new Float64Array([value]).buffer));
  }
  /** A name: its UTF-8 length, then its bytes. Names here are ASCII. */
  name(text: string): this {
    this.unsigned(text.length);
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
    return this;
  }
  /** A section or other item that is preceded by its size in bytes. */
  sized(content: ByteWriter): this {
    return this.unsigned(content.length).bytes(content.take());
  }
  /** A copy of what was written. */
  take(): Uint8Array<ArrayBuffer> {
    return this.buffer.slice(0, this.length);
  }

  private grow(atLeast: number): void {
    const next = new Uint8Array(Math.max(this.buffer.length * 2, this.length + atLeast));
    next.set(this.buffer);
    this.buffer = next;
  }
}
