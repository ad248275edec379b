// Loads ELF executables: 64-bit little-endian RISC-V, by program headers. [System V gABI, 4 and 5; RISC-V psABI 8]
// Guarantees: reading never goes outside the file, and every refusal says what was expected, what was found and what to do.
import { LoadError } from './load-error';
import type { LoadedPiece, LoadedProgram, LoadSource, LoadSpace } from './program';

const magic = [0x7f, 0x45, 0x4c, 0x46] as const;
const fileClass = { bits32: 1, bits64: 2 } as const;
const dataEncoding = { littleEndian: 1, bigEndian: 2 } as const;
const fileType = { relocatable: 1, executable: 2, shared: 3, core: 4 } as const;
const riscv = 243;
const headerBytes = 64;
const programHeaderBytes = 56;
const segmentType = { load: 1, interpreter: 3 } as const;
const segmentExecutable = 1;

const machineNames: ReadonlyMap<number, string> = new Map([
  [3, 'x86'],
  [8, 'MIPS'],
  [20, 'PowerPC'],
  [21, '64-bit PowerPC'],
  [22, 'S/390'],
  [40, '32-bit Arm'],
  [62, 'x86-64'],
  [183, '64-bit Arm'],
  [258, 'LoongArch'],
]);

interface Segment {
  readonly executable: boolean;
  readonly offset: bigint;
  readonly virtualAddress: bigint;
  readonly physicalAddress: bigint;
  readonly fileBytes: bigint;
  readonly memoryBytes: bigint;
}

export function isElf(bytes: Uint8Array): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

/** @throws LoadError when the file is not a RISC-V executable that fits into RAM */
export function loadElf(source: LoadSource, ram: LoadSpace): LoadedProgram {
  const { bytes } = source;
  const refuse = (message: string): LoadError => new LoadError(source.attribute, `${source.name}: ${message}`);
  checkIdentification(bytes, refuse);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkType(view, refuse);

  const segments = readProgramHeaders(view, refuse);
  const loaded = segments.filter((segment) => segment.memoryBytes > 0n);
  if (loaded.length === 0) {
    throw refuse('expected at least one loadable segment (PT_LOAD), found none: link it into an executable');
  }
  const pieces = loaded.map((segment): LoadedPiece => {
    checkSegment(segment, bytes.length, ram, refuse);
    const offset = Number(segment.offset);
    return {
      address: Number(segment.physicalAddress),
      bytes: bytes.slice(offset, offset + Number(segment.fileBytes)),
      memoryBytes: Number(segment.memoryBytes),
      // A segment from the file's first byte on begins with the ELF header.
      holdsCode: segment.executable && offset > 0,
    };
  });
  pieces.sort((a, b) => a.address - b.address);
  checkOverlap(pieces, refuse);
  return { format: 'ELF', pieces, start: startOf(pieces, view.getBigUint64(24, true), loaded) };
}

type Refuse = (message: string) => LoadError;

function checkIdentification(bytes: Uint8Array, refuse: Refuse): void {
  if (!isElf(bytes)) {
    const found = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw refuse(
      `expected the ELF magic 7f 45 4c 46, found ${found === '' ? 'an empty file' : found}: ` +
        'give the linked executable, or a raw image under another name',
    );
  }
  if (bytes.length < headerBytes) {
    throw refuse(`expected an ELF header of ${headerBytes} bytes, the file has ${bytes.length}: it is cut off`);
  }
  if (bytes[4] !== fileClass.bits64) {
    const found = bytes[4] === fileClass.bits32 ? 'a 32-bit ELF' : `ELF class ${bytes[4]}`;
    throw refuse(`expected a 64-bit ELF, found ${found}: build it for rv64 (-march=rv64gc -mabi=lp64d)`);
  }
  if (bytes[5] !== dataEncoding.littleEndian) {
    const found = bytes[5] === dataEncoding.bigEndian ? 'big-endian' : `encoding ${bytes[5]}`;
    throw refuse(`expected little-endian, found ${found}: build it with -mlittle-endian`);
  }
}

function checkType(view: DataView, refuse: Refuse): void {
  const machine = view.getUint16(18, true);
  if (machine !== riscv) {
    const name = machineNames.get(machine) ?? 'another machine';
    throw refuse(`expected machine RISC-V (${riscv}), found ${name} (${machine}): build it with a riscv64 compiler`);
  }
  const type = view.getUint16(16, true);
  if (type === fileType.relocatable) {
    throw refuse('expected an executable, found an object file: link it first');
  }
  if (type !== fileType.executable && type !== fileType.shared) {
    const found = type === fileType.core ? 'a core dump' : `ELF type ${type}`;
    throw refuse(`expected an executable, found ${found}`);
  }
}

function readProgramHeaders(view: DataView, refuse: Refuse): readonly Segment[] {
  const offset = view.getBigUint64(32, true);
  const entryBytes = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  if (count > 0 && entryBytes < programHeaderBytes) {
    throw refuse(`expected program headers of ${programHeaderBytes} bytes, found ${entryBytes}: the file is damaged`);
  }
  const end = offset + BigInt(count) * BigInt(entryBytes);
  if (end > BigInt(view.byteLength)) {
    throw refuse(
      `its program headers reach to byte ${end}, the file has ${view.byteLength}: it is cut off, copy it again`,
    );
  }
  const segments: Segment[] = [];
  for (let index = 0; index < count; index++) {
    const at = Number(offset) + index * entryBytes;
    const type = view.getUint32(at, true);
    if (type === segmentType.interpreter) {
      throw refuse(
        'expected a program for the bare machine, found one that needs a dynamic linker: link it with -static',
      );
    }
    if (type !== segmentType.load) continue;
    segments.push({
      executable: (view.getUint32(at + 4, true) & segmentExecutable) !== 0,
      offset: view.getBigUint64(at + 8, true),
      virtualAddress: view.getBigUint64(at + 16, true),
      physicalAddress: view.getBigUint64(at + 24, true),
      fileBytes: view.getBigUint64(at + 32, true),
      memoryBytes: view.getBigUint64(at + 40, true),
    });
  }
  return segments;
}

function checkSegment(segment: Segment, fileLength: number, ram: LoadSpace, refuse: Refuse): void {
  const { physicalAddress, memoryBytes, fileBytes, offset } = segment;
  const end = physicalAddress + memoryBytes;
  const place = `the segment at ${hex(physicalAddress)} to ${hex(end - 1n)}`;
  if (fileBytes > memoryBytes) {
    throw refuse(`${place} has ${fileBytes} bytes in the file but only ${memoryBytes} in memory: the file is damaged`);
  }
  if (offset + fileBytes > BigInt(fileLength)) {
    throw refuse(`${place} reaches to byte ${offset + fileBytes} of the file, which has ${fileLength}: it is cut off`);
  }
  const ramEnd = BigInt(ram.base) + BigInt(ram.sizeBytes);
  if (physicalAddress >= BigInt(ram.base) && end <= ramEnd) return;
  const tooLarge = physicalAddress >= BigInt(ram.base) && physicalAddress < ramEnd;
  const kernelAddress = physicalAddress >= 1n << 63n || physicalAddress === 0n;
  throw refuse(
    `${place} is outside RAM (${hex(BigInt(ram.base))} to ${hex(ramEnd - 1n)}): ` +
      (tooLarge
        ? 'give the machine more memory'
        : `link it at ${hex(BigInt(ram.base))} or above` +
          (kernelAddress ? '; for a Linux kernel give arch/riscv/boot/Image and use vmlinux for symbols' : '')),
  );
}

function checkOverlap(pieces: readonly LoadedPiece[], refuse: Refuse): void {
  pieces.forEach((piece, index) => {
    const next = pieces[index + 1];
    if (next === undefined || piece.address + piece.memoryBytes <= next.address) return;
    throw refuse(
      `its segments at 0x${piece.address.toString(16)} and 0x${next.address.toString(16)} overlap in physical memory: ` +
        'check the load addresses (AT) in the linker script',
    );
  });
}

/**
 * The lowest address, as QEMU does, so that kernels with separate entries for firmware and ELF loaders start at the firmware's one;
 * where that is no code, the ELF entry point.
 */
function startOf(pieces: readonly LoadedPiece[], entry: bigint, segments: readonly Segment[]): number {
  const lowest = pieces[0];
  if (lowest?.holdsCode === true) return lowest.address;
  const inside = segments.find((s) => entry >= s.virtualAddress && entry < s.virtualAddress + s.memoryBytes);
  if (inside !== undefined) return Number(entry - inside.virtualAddress + inside.physicalAddress);
  return lowest?.address ?? 0;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
