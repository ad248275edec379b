// Loads what is not ELF: the Linux kernel's RISC-V `Image`, or bytes as they are. [Linux, RISC-V boot image header 0.2]
import { LoadError } from './load-error';
import type { LoadedProgram, LoadSource, LoadSpace } from './program';

/** The second magic number, in every version of the header: `RSC` and 5. */
const imageMagic = 0x05435352;
const imageMagicOffset = 0x38;
const imageHeaderBytes = 0x40;
const bigEndianFlag = 1n;

/** Files that a guest cannot begin with, and what to do about each. */
const unusable: readonly {
  readonly starts: readonly number[];
  readonly at?: number;
  readonly what: string;
  readonly advice: string;
}[] = [
  { starts: [0x1f, 0x8b], what: 'a gzip file', advice: 'unpack it with gunzip' },
  { starts: [0xfd, 0x37, 0x7a, 0x58, 0x5a], what: 'an xz file', advice: 'unpack it with unxz' },
  { starts: [0x28, 0xb5, 0x2f, 0xfd], what: 'a zstd file', advice: 'unpack it with unzstd' },
  { starts: [0x42, 0x5a, 0x68], what: 'a bzip2 file', advice: 'unpack it with bunzip2' },
  { starts: [0x27, 0x05, 0x19, 0x56], what: 'a U-Boot uImage', advice: 'give the kernel inside it' },
  {
    starts: [0xd0, 0x0d, 0xfe, 0xed],
    what: 'a device tree or FIT image',
    advice: 'give it as dtb, or the kernel inside it',
  },
  { starts: [0x7a, 0x69, 0x6d, 0x67], at: 4, what: 'a compressed EFI kernel', advice: 'give arch/riscv/boot/Image' },
];

export function isLinuxImage(bytes: Uint8Array): boolean {
  return bytes.length >= imageHeaderBytes && viewOf(bytes).getUint32(imageMagicOffset, true) === imageMagic;
}

/**
 * Loads the file's bytes at `address`; a Linux `Image` takes as much memory as its header says.
 * @throws LoadError when the file is empty, too large for RAM, or of a kind that cannot be executed as it is
 */
export function loadImage(source: LoadSource, ram: LoadSpace, address: number): LoadedProgram {
  const { bytes } = source;
  const refuse = (message: string): LoadError => new LoadError(source.attribute, `${source.name}: ${message}`);
  if (bytes.length === 0) throw refuse('expected a program, found an empty file');
  for (const { starts, at = 0, what, advice } of unusable) {
    if (starts.every((byte, index) => bytes[at + index] === byte)) {
      throw refuse(`expected an ELF executable, a Linux Image or a raw binary, found ${what}: ${advice}`);
    }
  }
  const linux = isLinuxImage(bytes);
  const memoryBytes = linux ? imageMemoryBytes(bytes, refuse) : bytes.length;
  if (address + memoryBytes > ram.base + ram.sizeBytes) {
    const space = ram.base + ram.sizeBytes - address;
    throw new LoadError(
      'memory',
      `${source.name} needs ${memoryBytes} bytes from 0x${address.toString(16)}, RAM has ${Math.max(0, space)} there: ` +
        'give the machine more memory',
    );
  }
  const piece = { address, bytes: bytes.slice(), memoryBytes, holdsCode: true };
  return { format: linux ? 'Linux Image' : 'raw', pieces: [piece], start: address };
}

function imageMemoryBytes(bytes: Uint8Array, refuse: (message: string) => LoadError): number {
  const view = viewOf(bytes);
  const imageSize = view.getBigUint64(0x10, true);
  const flags = view.getBigUint64(0x18, true);
  if ((flags & bigEndianFlag) !== 0n) throw refuse('expected a little-endian Linux Image, found a big-endian one');
  if (imageSize > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw refuse(`its header asks for ${imageSize} bytes of memory: the file is damaged`);
  }
  return Math.max(bytes.length, Number(imageSize));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
