// A kernel with two harts gets the same answers from the builtin SBI, from OpenSBI on this machine, and from OpenSBI on QEMU.
import { test } from 'node:test';
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import type { Bios } from '../../emulator/configuration';
import { Machine, type MachineExit } from '../../emulator/machine';
import { buildGuest } from './harness/compiler';
import { runOnQemu } from './harness/qemu';

const folder = 'test/guest/programs/sbi';
const firmware = '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';
const harts = 2;
/** OpenSBI needs 16 million steps to the kernel; only a hung guest gets here. */
const stepLimit = 200_000_000;

const elf = buildGuest({
  name: 'sbi-kernel',
  sources: [`${folder}/start.S`, `${folder}/kernel.c`],
  linkerScript: `${folder}/link.ld`,
});

/** What the kernel itself printed, without the firmware's greeting. */
const transcript = (console: string): string => console.slice(console.indexOf('probe: ')).replaceAll('\r', '');

function run(bios: Bios): { readonly transcript: string; readonly exit: MachineExit } {
  let console = '';
  const machine = new Machine(
    {
      memoryBytes: 128 << 20,
      harts,
      bios,
      guest: { name: 'sbi-kernel.elf', bytes: fs.readFileSync(elf) },
      devices: [],
      seed: 1,
      wallClockAtResetNanoseconds: 0n,
    },
    { output: (_channel, bytes) => (console += Buffer.from(bytes).toString('latin1')) },
  );
  const exit = machine.run({ untilStep: stepLimit, skipIdle: true });
  return { transcript: transcript(console), exit };
}

const oracle = transcript(runOnQemu({ elf, harts, bios: firmware }).console);

test('QEMU with OpenSBI runs the kernel to its end', () => {
  assert.match(oracle, /^probe: 1\n/);
  assert.match(oracle, /first seen: 11\nsecond seen: 22\nstopped\n/);
  assert.doesNotMatch(oracle, /not reached/);
});

for (const bios of [
  { kind: 'builtin' },
  { kind: 'file', name: 'fw_dynamic.bin', bytes: fs.readFileSync(firmware) },
] as const satisfies readonly Bios[]) {
  test(`bios ${bios.kind} answers the kernel as OpenSBI does on QEMU`, () => {
    const ours = run(bios);
    assert.equal(ours.transcript, oracle);
    assert.deepEqual(ours.exit, { kind: 'finished', outcome: { kind: 'power-off' } });
  });
}
