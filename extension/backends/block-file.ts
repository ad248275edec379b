// A block device's bytes in a file of the host. The file is never changed in overlay mode; in write mode, only at the guest's flush.
// Guarantees: reads and writes outside the image throw RangeError; two sessions never share an overlay.
import * as fs from 'node:fs';
import type { BlockBackend } from '../../emulator/configuration';

export type BlockMode = 'overlay' | 'readonly' | 'write';

const sectorBytes = 512;
const blockBytes = 4096;

/** Why an image cannot be used; the message names the file, what was found and what to do. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
}

/** @throws ImageError when the file cannot be opened or is not a whole number of sectors. */
export function openBlockFile(file: string, mode: BlockMode): BlockBackend & { close(): void } {
  const descriptor = open(file, mode);
  const status = fs.fstatSync(descriptor);
  const problem = !status.isFile()
    ? 'is not a regular file'
    : status.size === 0
      ? 'is empty; a disk needs at least one sector of 512 bytes'
      : status.size % sectorBytes !== 0
        ? `has ${status.size} bytes, which is not a multiple of ${sectorBytes}; pad it to ${Math.ceil(status.size / sectorBytes) * sectorBytes} bytes (for example with truncate -s ${Math.ceil(status.size / sectorBytes) * sectorBytes})`
        : containerOf(descriptor);
  if (problem !== undefined) {
    fs.closeSync(descriptor);
    throw new ImageError(`image ${file} ${problem}`);
  }
  return new BlockFile(descriptor, file, mode, status.size);
}

/** Formats that hold a disk but are not its bytes, by how their files begin. */
const containers: readonly (readonly [begin: string, name: string])[] = [
  ['QFI\u00fb', 'a QCOW2'],
  ['KDMV', 'a VMDK'],
  ['vhdxfile', 'a VHDX'],
  ['<<< ', 'a VDI'],
  ['\u001f\u008b', 'a gzip'],
  ['\u00fd7zXZ', 'an xz'],
];

/** What is wrong with a file that is not a disk's own bytes; undefined for a raw image. */
function containerOf(descriptor: number): string | undefined {
  const begin = Buffer.alloc(8);
  fs.readSync(descriptor, begin, 0, begin.length, 0);
  const found = containers.find(([magic]) => begin.toString('latin1').startsWith(magic));
  if (found === undefined) return undefined;
  return `is ${found[1]} file, expected a raw image; convert it (for example with qemu-img convert -O raw, or by unpacking it)`;
}

function open(file: string, mode: BlockMode): number {
  try {
    return fs.openSync(file, mode === 'write' ? 'r+' : 'r');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const why =
      {
        ENOENT: 'does not exist',
        EACCES: mode === 'write' ? 'may not be written' : 'may not be read',
        EISDIR: 'is a folder',
      }[code] ?? `cannot be opened (${code || String(error)})`;
    throw new ImageError(`image ${file} ${why}; check the path in the device's "image"`);
  }
}

class BlockFile implements BlockBackend {
  readonly description: string;
  /** Blocks that the guest changed, by block number. In write mode: those not yet committed. */
  private readonly changed = new Map<number, Uint8Array>();

  constructor(
    private readonly descriptor: number,
    file: string,
    private readonly mode: BlockMode,
    readonly sizeBytes: number,
  ) {
    this.description = `${file.split(/[\\/]/).at(-1) ?? file}, ${mode}`;
  }

  read(offset: number, length: number): Uint8Array {
    this.check(offset, length);
    const bytes = new Uint8Array(length);
    this.readFile(bytes, offset);
    if (this.changed.size === 0) return bytes;
    for (const { block, within, at, count } of pieces(offset, length)) {
      const content = this.changed.get(block);
      if (content !== undefined) bytes.set(content.subarray(within, within + count), at);
    }
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    this.check(offset, bytes.length);
    if (this.mode === 'readonly') throw new RangeError('write to a read-only image');
    for (const { block, within, at, count } of pieces(offset, bytes.length)) {
      let content = this.changed.get(block);
      if (content === undefined) {
        content = this.blockOfFile(block);
        this.changed.set(block, content);
      }
      content.set(bytes.subarray(at, at + count), within);
    }
  }

  flush(): void {
    if (this.mode !== 'write') return;
    for (const [block, content] of this.changed) {
      const start = block * blockBytes;
      let written = 0;
      const length = Math.min(blockBytes, this.sizeBytes - start);
      while (written < length)
        written += fs.writeSync(this.descriptor, content, written, length - written, start + written);
    }
    fs.fsyncSync(this.descriptor);
    this.changed.clear();
  }

  close(): void {
    fs.closeSync(this.descriptor);
  }

  private check(offset: number, length: number): void {
    if (offset < 0 || length < 0 || offset + length > this.sizeBytes) {
      throw new RangeError(`bytes ${offset} to ${offset + length} of an image of ${this.sizeBytes}`);
    }
  }

  private blockOfFile(block: number): Uint8Array {
    const content = new Uint8Array(blockBytes);
    this.readFile(content, block * blockBytes);
    return content;
  }

  /** Fills `bytes` from a place in the file on; what lies behind its end stays as it is. */
  private readFile(bytes: Uint8Array, position: number): void {
    let got = 0;
    while (got < bytes.length) {
      const count = fs.readSync(this.descriptor, bytes, got, bytes.length - got, position + got);
      if (count === 0) break;
      got += count;
    }
  }
}

/** The parts of a byte range that lie in one block each. */
function* pieces(
  offset: number,
  length: number,
): Generator<{ block: number; within: number; at: number; count: number }> {
  let at = 0;
  while (at < length) {
    const position = offset + at;
    const within = position % blockBytes;
    const count = Math.min(blockBytes - within, length - at);
    yield { block: (position - within) / blockBytes, within, at, count };
    at += count;
  }
}
