// Writes small ELF executables for loader tests, right ones and wrong ones.

export interface TestSegment {
  readonly type?: number;
  readonly flags?: number;
  readonly physicalAddress: bigint;
  readonly virtualAddress?: bigint;
  readonly bytes: Uint8Array;
  readonly memoryBytes?: bigint;
  /** Where the segment claims to be in the file; its true place when absent. */
  readonly offset?: bigint;
  readonly fileBytes?: bigint;
}

export interface TestElf {
  readonly entry?: bigint;
  readonly machine?: number;
  readonly type?: number;
  readonly fileClass?: number;
  readonly encoding?: number;
  readonly segments?: readonly TestSegment[];
}

export function elfFile(elf: TestElf): Uint8Array {
  const segments = elf.segments ?? [];
  const dataAt = 64 + segments.length * 56;
  const total = segments.reduce((sum, segment) => sum + segment.bytes.length, dataAt);
  const file = new Uint8Array(total);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, elf.fileClass ?? 2, elf.encoding ?? 1, 1]);
  view.setUint16(16, elf.type ?? 2, true);
  view.setUint16(18, elf.machine ?? 243, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, elf.entry ?? 0x8000_0000n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, segments.length, true);
  let offset = dataAt;
  segments.forEach((segment, index) => {
    const at = 64 + index * 56;
    view.setUint32(at, segment.type ?? 1, true);
    view.setUint32(at + 4, segment.flags ?? 7, true);
    view.setBigUint64(at + 8, segment.offset ?? BigInt(offset), true);
    view.setBigUint64(at + 16, segment.virtualAddress ?? segment.physicalAddress, true);
    view.setBigUint64(at + 24, segment.physicalAddress, true);
    view.setBigUint64(at + 32, segment.fileBytes ?? BigInt(segment.bytes.length), true);
    view.setBigUint64(at + 40, segment.memoryBytes ?? BigInt(segment.bytes.length), true);
    file.set(segment.bytes, offset);
    offset += segment.bytes.length;
  });
  return file;
}
