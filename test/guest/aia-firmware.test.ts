// Debian's OpenSBI and U-Boot, unchanged, with each interrupt controller: what the firmware finds is what it finds on QEMU, and the disk on PCI is read.
import { after, test } from 'node:test';
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { ringside } from './harness/command';
import { holdDialogueOnQemu } from './harness/qemu-dialogue';

const firmware = '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';
const uboot = '/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin';
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-aia-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const disk = path.join(scratch, 'disk.img');
fs.writeFileSync(disk, Buffer.alloc(1 << 20, 'interrupts by message '));
const script = [
  'timeout 120',
  'expect Hit any key to stop autoboot',
  'send \\r',
  'expect =>\\x20',
  'send pci enum; virtio scan; virtio info\\r',
  'expect Capacity: 1\\.0 MB',
  'expect =>\\x20',
  'send virtio read 0x82000000 0 2\\r',
  'expect 2 blocks read: OK',
  'expect =>\\x20',
  'send md.b 0x82000000 16\\r',
  'expect interrupts by me',
  'expect =>\\x20',
].join('\n');
const scriptFile = path.join(scratch, 'dialogue');
fs.writeFileSync(scriptFile, script);

/** What OpenSBI says of the interrupt controller, by the names that it gives. */
function found(console: string): readonly (string | undefined)[] {
  return ['Platform IPI Device', 'Platform HART Count'].map(
    (name) => new RegExp(`${name} +: (.*?)\\r?$`, 'm').exec(console)?.[1],
  );
}

const boots = [
  { aia: 'aplic', harts: 1, transport: 'pci', qemu: 'disable-legacy=on' },
  { aia: 'aplic-imsic', harts: 1, transport: 'pci', qemu: 'disable-legacy=on' },
  { aia: 'aplic-imsic', harts: 4, transport: 'pci-transitional', qemu: 'disable-legacy=off' },
] as const;
for (const { aia, harts, transport, qemu } of boots) {
  test(`OpenSBI and U-Boot with aia ${aia}, ${harts} harts, ${transport}`, async () => {
    const own = ringside([
      ...['run', '--aia', aia, '--harts', String(harts), '--bios', firmware, '--kernel', uboot, '--script', scriptFile],
      ...['--device', `block,name=vda,image=${disk},transport=${transport}`, '--on-violation', 'continue'],
    ]);
    const oracle = holdDialogueOnQemu(
      [
        ...['-M', `virt,aia=${aia}`, '-m', '128', '-smp', String(harts), '-bios', firmware, '-kernel', uboot],
        ...['-drive', `file=${disk},if=none,format=raw,snapshot=on,id=disk`],
        ...['-device', `virtio-blk-pci,drive=disk,${qemu}`],
      ],
      scriptFile,
      script,
    );
    const { status, output, errors } = await own;
    // 1: U-Boot breaks rules, see uboot.test.ts.
    assert.equal(status, 1, `${errors}\n${output.slice(-2000)}`);
    assert.deepEqual(found(output), found(await oracle));
    assert.equal(found(output)[0], aia === 'aplic' ? 'aclint-mswi' : 'aia-imsic');
  });
}

test('U-Boot under the builtin SBI, where the APLIC sends messages', async () => {
  const { status, output, errors } = await ringside([
    ...['run', '--aia', 'aplic-imsic', '--bios', 'builtin', '--kernel', uboot, '--script', scriptFile],
    ...['--device', `block,name=vda,image=${disk},transport=pci`],
  ]);
  assert.equal(status, 1, `${errors}\n${output.slice(-2000)}`);
});
