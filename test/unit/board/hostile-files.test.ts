// Any bytes as ELF, Linux Image, device tree, or as accesses to fw_cfg and flash: an error that says why, or an answer, never a crash.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planBoot } from '../../../emulator/board/boot';
import { generateDeviceTree, randomSeedFor } from '../../../emulator/board/device-tree';
import { FirmwareConfiguration } from '../../../emulator/board/firmware-configuration';
import { FlashBank } from '../../../emulator/board/flash';
import { writeDeviceTree } from '../../../emulator/board/flattened-device-tree';
import { LoadError } from '../../../emulator/board/loaders/load-error';
import { memoryMap } from '../../../emulator/board/memory-map';
import { configuration, IdleCpu, memoryOf } from './bench';
import { elfFile } from './loaders/elf-file';

const runs = Number(process.env['FUZZ_RUNS'] ?? 150);
const tree = writeDeviceTree(
  generateDeviceTree({ harts: 2, aia: 'none', memoryBytes: 8 << 20, randomSeed: randomSeedFor(1), chosen: [] }),
);
const image = new Uint8Array(4096);
new DataView(image.buffer).setUint32(0x38, 0x0543_5352, true);
new DataView(image.buffer).setBigUint64(8, 0x20_0000n, true);
new DataView(image.buffer).setBigUint64(16, 0x4000n, true);

/** A file with some bytes changed, cut somewhere. */
const damaged = (file: Uint8Array) =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 12 }),
      fc.option(fc.nat(file.length), { freq: 4 }),
    )
    .map(([changes, end]) => {
      const bytes = file.slice();
      for (const [at, value] of changes) bytes[at] = value;
      return end === null ? bytes : bytes.slice(0, end);
    });

function loads(changes: Parameters<typeof configuration>[0]): void {
  try {
    planBoot(configuration({ memoryBytes: 8 << 20, ...changes }));
  } catch (error) {
    assert.ok(error instanceof LoadError, `${String(error)} is no LoadError`);
    assert.ok(error.message.length > 20);
  }
}

for (const [name, file] of [
  ['ELF', elfFile({ segments: [{ physicalAddress: 0x8000_0000n, bytes: new Uint8Array(300).fill(0x13) }] })],
  ['Image', image],
] as const) {
  test(`a damaged ${name} as guest`, () => {
    fc.assert(
      fc.property(damaged(file), fc.boolean(), (bytes, direct) =>
        loads({ guest: { name: 'guest', bytes }, bios: { kind: direct ? 'none' : 'builtin' } }),
      ),
      { numRuns: runs },
    );
  });
}

test('a damaged device tree', () => {
  fc.assert(
    fc.property(damaged(tree), fc.option(fc.string()), (bytes, append) =>
      loads({ deviceTree: { name: 'dtb', bytes }, ...(append !== null && { append }) }),
    ),
    { numRuns: runs },
  );
});

const accesses = (sizeBytes: number) =>
  fc.array(
    fc.record({
      size: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const),
      place: fc.nat(Math.min(sizeBytes, 0x8_0000) - 8),
      value: fc.oneof(fc.bigInt(0n, 0xffn), fc.bigInt(0n, (1n << 64n) - 1n), fc.bigInt(0x8000_0000n, 0x8080_0000n)),
      write: fc.boolean(),
    }),
    { maxLength: 60 },
  );

test('random accesses to fw_cfg and flash: peeks change nothing, saved states come back', () => {
  const cpu = new IdleCpu(1, 1 << 16);
  const memory = memoryOf(cpu);
  const devices = () => [new FirmwareConfiguration({ harts: 1 }, memory), new FlashBank('flash', memoryMap.flash0)];
  for (const place of [0, 1]) {
    const { sizeBytes } = devices()[place] ?? { sizeBytes: 16 };
    fc.assert(
      fc.property(accesses(sizeBytes), (all) => {
        const [device, copy] = [devices()[place], devices()[place]];
        assert.ok(device !== undefined && copy !== undefined);
        for (const { size, place: at, value, write } of all) {
          const offset = at - (at % size);
          if (write) device.write(offset, size, BigInt.asUintN(size * 8, value));
          else {
            const seen: bigint | undefined = device.peek(offset, size);
            assert.equal(device.peek(offset, size), seen);
            assert.equal(device.read(offset, size), seen);
          }
        }
        copy.restore(device.save());
        for (let offset = 0; offset < 24; offset += 4) assert.equal(copy.peek(offset, 4), device.peek(offset, 4));
      }),
      { numRuns: runs },
    );
  }
});
