// Loading guests: ELF by program headers, Linux Image, raw; and what is said about files that cannot be loaded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadElf } from '../../../../emulator/board/loaders/elf';
import { loadImage } from '../../../../emulator/board/loaders/image';
import { loadProgram } from '../../../../emulator/board/loaders/index';
import { LoadError } from '../../../../emulator/board/loaders/load-error';
import type { LoadSource } from '../../../../emulator/board/loaders/program';
import { elfFile, type TestElf } from './elf-file';

const ram = { base: 0x8000_0000, sizeBytes: 16 << 20 };
const source = (bytes: Uint8Array, name = 'guest'): LoadSource => ({ attribute: 'program', name, bytes });
const code = Uint8Array.of(0x73, 0x00, 0x50, 0x10);
const load = (elf: TestElf) => loadElf(source(elfFile(elf)), ram);

test('segments go where their physical addresses say, in order, with zeros behind the bytes', () => {
  const loaded = load({
    entry: 0xffff_ffff_8000_0000n,
    segments: [
      { physicalAddress: 0x8010_0000n, bytes: Uint8Array.of(1, 2), memoryBytes: 0x1000n, flags: 6 },
      { physicalAddress: 0x8000_0000n, virtualAddress: 0xffff_ffff_8000_0000n, bytes: code, flags: 5 },
      { type: 4, physicalAddress: 0n, bytes: Uint8Array.of(9) },
    ],
  });
  assert.equal(loaded.format, 'ELF');
  assert.deepEqual(
    loaded.pieces.map(({ address, bytes, memoryBytes }) => [address, [...bytes], memoryBytes]),
    [
      [0x8000_0000, [...code], 4],
      [0x8010_0000, [1, 2], 0x1000],
    ],
  );
  assert.equal(loaded.start, 0x8000_0000);
});

test('execution begins at the lowest address, as on QEMU; at the entry point where that is no code', () => {
  const text = { physicalAddress: 0x8000_2000n, virtualAddress: 0x4000n, bytes: new Uint8Array(64), flags: 5 };
  const constants = { physicalAddress: 0x8000_0000n, bytes: new Uint8Array(64), flags: 4 };
  assert.equal(load({ entry: 0x4010n, segments: [text] }).start, 0x8000_2000);
  assert.equal(load({ entry: 0x4010n, segments: [constants, text] }).start, 0x8000_2010);
  const withHeader = { physicalAddress: 0x8000_0000n, bytes: code, offset: 0n, fileBytes: 100n, memoryBytes: 0x1000n };
  assert.equal(load({ entry: 0x8000_0078n, segments: [withHeader] }).start, 0x8000_0078);
});

const wrong: readonly [why: string, elf: TestElf, said: RegExp][] = [
  ['32-bit', { fileClass: 1 }, /expected a 64-bit ELF, found a 32-bit ELF: build it for rv64/],
  ['big-endian', { encoding: 2 }, /expected little-endian, found big-endian/],
  ['wrong machine', { machine: 62 }, /expected machine RISC-V \(243\), found x86-64 \(62\): build it with a riscv64/],
  ['unknown machine', { machine: 999 }, /found another machine \(999\)/],
  ['object file', { type: 1 }, /found an object file: link it first/],
  ['core dump', { type: 4 }, /found a core dump/],
  ['no segments', {}, /found none: link it/],
  [
    'below RAM',
    { segments: [{ physicalAddress: 0x1000n, bytes: code }] },
    /0x1000 to 0x1003 is outside RAM \(0x80000000 to 0x80ffffff\)/,
  ],
  [
    'too large',
    { segments: [{ physicalAddress: 0x8000_0000n, bytes: code, memoryBytes: 0x200_0000n }] },
    /give the machine more memory/,
  ],
  [
    'kernel addresses',
    { segments: [{ physicalAddress: 0xffff_ffff_8000_0000n, bytes: code }] },
    /arch\/riscv\/boot\/Image/,
  ],
  [
    'wrapping',
    { segments: [{ physicalAddress: 0xffff_ffff_ffff_fff0n, bytes: code, memoryBytes: 0xffff_ffff_ffff_ffffn }] },
    /outside RAM/,
  ],
  [
    'cut off',
    { segments: [{ physicalAddress: 0x8000_0000n, bytes: code, fileBytes: 5000n, memoryBytes: 5000n }] },
    /which has 124: it is cut off/,
  ],
  [
    'file part larger',
    { segments: [{ physicalAddress: 0x8000_0000n, bytes: code, memoryBytes: 2n }] },
    /the file is damaged/,
  ],
  ['needs a dynamic linker', { segments: [{ type: 3, physicalAddress: 0n, bytes: code }] }, /link it with -static/],
  [
    'overlap',
    {
      segments: [
        { physicalAddress: 0x8000_0000n, bytes: code, memoryBytes: 64n },
        { physicalAddress: 0x8000_0020n, bytes: code },
      ],
    },
    /segments at 0x80000000 and 0x80000020 overlap/,
  ],
];
for (const [why, elf, said] of wrong) {
  test(`an ELF is refused with its reason: ${why}`, () => {
    assert.throws(
      () => load(elf),
      (error: unknown) => {
        assert.ok(error instanceof LoadError);
        assert.equal(error.attribute, 'program');
        assert.match(error.message, /^guest: /);
        assert.match(error.message, said);
        return true;
      },
    );
  });
}

test('a file named .elf without the magic, and truncated headers, are refused', () => {
  assert.throws(
    () => loadProgram(source(Buffer.from('hello'), 'kernel.elf'), ram, ram.base),
    /expected the ELF magic 7f 45 4c 46, found 68 65 6c 6c/,
  );
  assert.throws(() => loadProgram(source(new Uint8Array(0), 'kernel.ELF'), ram, ram.base), /found an empty file/);
  const file = elfFile({ segments: [{ physicalAddress: 0x8000_0000n, bytes: code }] });
  assert.throws(
    () => loadElf(source(file.subarray(0, 40)), ram),
    /expected an ELF header of 64 bytes, the file has 40/,
  );
  assert.throws(
    () => loadElf(source(file.subarray(0, 100)), ram),
    /program headers reach to byte 120, the file has 100/,
  );
});

test('a raw file goes where it is told', () => {
  const loaded = loadProgram(source(code), ram, 0x8020_0000);
  assert.deepEqual([loaded.format, loaded.start, loaded.pieces[0]?.address], ['raw', 0x8020_0000, 0x8020_0000]);
});

function image(imageSize: bigint, flags = 0n): Uint8Array {
  const bytes = new Uint8Array(0x80);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0x10, imageSize, true);
  view.setBigUint64(0x18, flags, true);
  bytes.set(Buffer.from('RISCV\0\0\0RSC\x05', 'latin1'), 0x30);
  return bytes;
}

test('a Linux Image takes the memory that its header says', () => {
  const loaded = loadProgram(source(image(0x10_0000n)), ram, 0x8020_0000);
  assert.equal(loaded.format, 'Linux Image');
  assert.equal(loaded.pieces[0]?.memoryBytes, 0x10_0000);
  assert.equal(loadProgram(source(image(0n)), ram, 0x8020_0000).pieces[0]?.memoryBytes, 0x80, 'old headers say 0');
  assert.throws(
    () => loadImage(source(image(0x100_0000n)), ram, 0x8020_0000),
    (error: unknown) => {
      assert.ok(error instanceof LoadError);
      assert.equal(error.attribute, 'memory');
      assert.match(error.message, /needs 16777216 bytes from 0x80200000, RAM has 14680064 there/);
      return true;
    },
  );
  assert.throws(() => loadImage(source(image(1n, 1n)), ram, 0x8020_0000), /big-endian/);
  assert.throws(() => loadImage(source(image(1n << 60n)), ram, 0x8020_0000), /damaged/);
});

test('files that cannot be executed as they are say what to do', () => {
  const files: [number[], RegExp][] = [
    [[], /found an empty file/],
    [[0x1f, 0x8b, 8], /gzip file: unpack it with gunzip/],
    [[0x27, 0x05, 0x19, 0x56], /uImage/],
    [[0xd0, 0x0d, 0xfe, 0xed], /device tree or FIT image/],
    [[0x4d, 0x5a, 0, 0, 0x7a, 0x69, 0x6d, 0x67], /compressed EFI kernel/],
  ];
  for (const [bytes, said] of files)
    assert.throws(() => loadProgram(source(Uint8Array.from(bytes)), ram, ram.base), said);
});

test('any bytes, and any damage to a good ELF, are loaded inside RAM or refused with a LoadError', () => {
  const good = elfFile({
    segments: [
      { physicalAddress: 0x8000_0000n, bytes: new Uint8Array(32) },
      { physicalAddress: 0x8000_1000n, bytes: new Uint8Array(8), memoryBytes: 0x100n },
    ],
  });
  const damaged = fc
    .array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), { maxLength: 12 })
    .map((changes) => {
      const bytes = good.slice();
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
  const attempt = (bytes: Uint8Array): void => {
    try {
      const loaded = loadProgram(source(bytes), ram, 0x8020_0000);
      for (const piece of loaded.pieces) {
        assert.ok(piece.address >= ram.base && piece.address + piece.memoryBytes <= ram.base + ram.sizeBytes);
        assert.ok(piece.bytes.length <= piece.memoryBytes);
      }
    } catch (error) {
      assert.ok(error instanceof LoadError, String(error));
    }
  };
  fc.assert(
    fc.property(damaged, fc.nat(200), (bytes, cut) => {
      attempt(bytes);
      attempt(bytes.subarray(0, bytes.length - cut));
    }),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt), { numRuns: 300 });
});
