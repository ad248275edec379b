// From a configuration to memory and first registers: placement as QEMU 7.2 does it, and files that do not fit together.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultBios, planBoot } from '../../../emulator/board/boot';
import { createBoard } from '../../../emulator/board/board';
import { readDeviceTree } from '../../../emulator/board/flattened-device-tree';
import { LoadError } from '../../../emulator/board/loaders/load-error';
import { asCpu, bench, configuration, IdleCpu, memoryOf, withoutGuest } from './bench';
import { elfFile } from './loaders/elf-file';

const mebibyte = 1 << 20;
const raw = { name: 'k.bin', bytes: new Uint8Array(5000).fill(1) };
const initrd = { name: 'i.bin', bytes: new Uint8Array(3000).fill(2) };
const firmware = { kind: 'file', name: 'fw.bin', bytes: new Uint8Array(0x2_0000).fill(3) } as const;
const elfAt = (address: bigint) => ({
  name: 'k.elf',
  bytes: elfFile({ entry: address, segments: [{ physicalAddress: address, bytes: Uint8Array.of(1, 2, 3, 4) }] }),
});
const placed = (plan: ReturnType<typeof planBoot>) => Object.fromEntries(plan.images.map((i) => [i.name, i.address]));

// Measured with QEMU 7.2: words of the reset ROM and /chosen of the dumped tree.
const measured = [
  { bios: { kind: 'none' }, memory: 128, kernel: 0x8000_0000, initrd: 0x8400_0000, tree: 0x87e0_0000 },
  { bios: { kind: 'none' }, memory: 1024, kernel: 0x8000_0000, initrd: 0x8800_0000, tree: 0xbfe0_0000 },
  { bios: firmware, memory: 128, kernel: 0x8020_0000, initrd: 0x8420_0000, tree: 0x87e0_0000 },
  { bios: { kind: 'builtin' }, memory: 128, kernel: 0x8020_0000, initrd: 0x8420_0000, tree: 0x87e0_0000 },
] as const;
for (const { bios, memory, kernel, initrd: initrdAt, tree } of measured) {
  test(`bios ${bios.kind} with ${memory} MiB places files where QEMU does`, () => {
    const plan = planBoot(configuration({ bios, memoryBytes: memory * mebibyte, guest: raw, initrd }));
    assert.deepEqual(placed(plan), {
      ...(bios.kind === 'file' && { firmware: 0x8000_0000 }),
      kernel,
      initrd: initrdAt,
      'device tree': tree,
    });
    assert.equal(plan.deviceTreeAddress, tree);
    assert.equal(plan.kernelEntry, kernel);
    const start = plan.starts[0];
    assert.equal(start?.pc, bios.kind === 'builtin' ? 0x8020_0000n : 0x8000_0000n);
    assert.equal(start?.mode, bios.kind === 'builtin' ? 'S' : 'M');
    const a1 = start?.registers.find(([register]) => register === 11)?.[1];
    assert.equal(a1, BigInt(tree));
    const chosen = readDeviceTree(plan.images.at(-1)!.bytes).root.children.find(({ name }) => name === 'chosen');
    const at = chosen?.properties.find(({ name }) => name === 'linux,initrd-start')?.value;
    assert.equal(Buffer.from(at ?? []).readUInt32BE(), initrdAt);
  });
}

test('without the builtin firmware every hart starts, with it the first one', () => {
  const none = planBoot(configuration({ harts: 3, bios: { kind: 'none' } }));
  assert.deepEqual(
    none.starts.map(({ hart, mode }) => [hart, mode]),
    [
      [0, 'M'],
      [1, 'M'],
      [2, 'M'],
    ],
  );
  assert.deepEqual(
    planBoot(configuration({ harts: 3 })).starts.map(({ hart, mode }) => [hart, mode]),
    [[0, 'S']],
  );
});

test('firmware learns through the dynamic information where the kernel begins', () => {
  const rom = (plan: { readonly resetRom: Uint8Array }): bigint => Buffer.from(plan.resetRom).readBigUInt64LE(0x38);
  assert.equal(rom(planBoot(configuration({ bios: firmware, guest: elfAt(0x8040_0000n) }))), 0x8040_0000n);
  const alone = withoutGuest({ bios: firmware });
  assert.equal(rom(planBoot(alone)), 0n);
});

test('bios defaults to none for an ELF at the start of RAM, else to builtin', () => {
  assert.equal(defaultBios(elfAt(0x8000_0000n), 128 * mebibyte).kind, 'none');
  assert.equal(defaultBios(elfAt(0x8020_0000n), 128 * mebibyte).kind, 'builtin');
  assert.equal(defaultBios(raw, 128 * mebibyte).kind, 'builtin');
});

test('an ELF without firmware starts at the start of RAM as on QEMU, or at its entry when nothing is there', () => {
  const plan = (address: bigint) =>
    planBoot(configuration({ bios: { kind: 'none' }, guest: elfAt(address) })).starts[0]?.pc;
  assert.equal(plan(0x8000_0000n), 0x8000_0000n);
  assert.equal(plan(0x8010_0000n), 0x8010_0000n);
});

const refused: readonly [why: string, changes: Parameters<typeof configuration>[0], attribute: string, said: RegExp][] =
  [
    [
      'kernel over firmware',
      { bios: firmware, guest: elfAt(0x8001_0000n) },
      'program',
      /kernel k\.elf at 0x80010000 .* overlaps firmware fw\.bin/,
    ],
    [
      'initrd larger than RAM',
      { initrd: { name: 'i', bytes: new Uint8Array(70 * mebibyte) } },
      'memory',
      /give the machine more memory/,
    ],
    [
      'initrd over the device tree',
      { initrd: { name: 'i', bytes: new Uint8Array(61 * mebibyte) } },
      'memory',
      /overlaps initrd i/,
    ],
    [
      'RAM too small',
      { memoryBytes: mebibyte, bios: { kind: 'none' } },
      'memory',
      /device tree at 0x80000000 .* overlaps kernel/,
    ],
    ['raw kernel behind RAM', { memoryBytes: 2 * mebibyte }, 'memory', /RAM has 0 there/],
    ['device tree that is none', { deviceTree: { name: 'x', bytes: new Uint8Array(100) } }, 'dtb', /magic number/],
  ];
for (const [why, changes, attribute, said] of refused) {
  test(`refused before anything starts: ${why}`, () => {
    assert.throws(
      () => planBoot(configuration(changes)),
      (error: unknown) => {
        assert.ok(error instanceof LoadError, String(error));
        assert.equal(error.attribute, attribute);
        assert.match(error.message, said);
        return true;
      },
    );
  });
}

test('no guest is only possible with a complete bios', () => {
  for (const kind of ['none', 'builtin'] as const) {
    const alone = withoutGuest({ bios: { kind } });
    assert.throws(() => planBoot(alone), /no guest is given: set program or kernel/);
  }
  const alone = withoutGuest({ bios: firmware, initrd });
  assert.throws(() => planBoot(alone), /set kernel too/);
});

test("a user's own tree goes to the guest byte for byte, or completed when there is something to say", () => {
  const generated = planBoot(configuration()).images.at(-1)!.bytes;
  const padded = Uint8Array.from([...generated, 0, 0, 0, 0]);
  const own = planBoot(configuration({ deviceTree: { name: 'own.dtb', bytes: padded } }));
  assert.deepEqual(own.images.at(-1)?.bytes, generated);
  const completed = planBoot(configuration({ deviceTree: { name: 'own.dtb', bytes: padded }, append: 'quiet' }));
  const chosen = readDeviceTree(completed.images.at(-1)!.bytes).root.children.find(({ name }) => name === 'chosen');
  assert.deepEqual(
    chosen?.properties.find(({ name }) => name === 'bootargs')?.value,
    Uint8Array.from(Buffer.from('quiet\0')),
  );
});

test('a reset loads the images and starts the harts', () => {
  const b = bench(2);
  const cpu = new IdleCpu(2, 8 * mebibyte);
  const board = createBoard(
    b.context,
    configuration({ harts: 2, memoryBytes: 8 * mebibyte, bios: { kind: 'none' }, guest: raw }),
    asCpu(cpu),
    memoryOf(cpu),
  );
  assert.equal(b.wire(1, 'MTIP'), false);
  const startHart = cpu.startHart.bind(cpu);
  cpu.startHart = (hart, pc, mode) => {
    assert.equal(b.wire(hart, 'MTIP'), false, 'a hart that starts would forget the wire');
    startHart(hart, pc, mode);
  };
  board.reset();
  assert.equal(b.wire(1, 'MTIP'), true);
  assert.deepEqual([...cpu.ram.subarray(0, 5001)], [...raw.bytes, 0]);
  assert.deepEqual(cpu.started, [
    { hart: 0, pc: 0x8000_0000n, mode: 'M' },
    { hart: 1, pc: 0x8000_0000n, mode: 'M' },
  ]);
  assert.deepEqual([cpu.readX(1, 10), cpu.readX(1, 11)], [1n, BigInt(board.plan.deviceTreeAddress)]);
  assert.equal(Buffer.from(cpu.ram.buffer).readUInt32BE(board.plan.deviceTreeAddress - 0x8000_0000), 0xd00d_feed);
  assert.equal(board.environmentCall(0), false, 'without the builtin firmware an environment call traps');
});
