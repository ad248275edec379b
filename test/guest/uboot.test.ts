// Debian's U-Boot, unchanged, over OpenSBI, through `ringside run --script`: it finds, lists and reads a virtio disk, as on QEMU; and its
// driver's mistakes during initialisation are found at the register writes that make them.
import { after, test } from 'node:test';
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { crc32 } from 'node:zlib';
import { ringside } from './harness/command';
import { repository } from './harness/compiler';
import { makeExt4 } from './harness/ext4';
import { holdDialogueOnQemu } from './harness/qemu-dialogue';

const firmware = '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';
const uboot = '/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin';
const scriptFile = path.join(repository, 'test/guest/uboot.script');
const script = fs.readFileSync(scriptFile, 'utf8');

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-uboot-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const disk = path.join(scratch, 'disk.img');
const kernel = Array.from({ length: 100_000 }, (_, i) => String.fromCharCode(32 + ((i * 7 + (i >> 8)) % 90))).join('');
makeExt4(disk, { 'hello.txt': 'hello from the file system\n', 'boot/kernel.bin': kernel }, 8);
const checksum = crc32(kernel).toString(16).padStart(8, '0');

/** What U-Boot said from its prompt on, without what depends on time and on the maker of the disk. */
function answers(console: string): string {
  return console
    .slice(console.indexOf('=> '))
    .replace(/ in \d+ ms( \([^)]*\))?/g, '')
    .replace(/^Device 0: .*$/m, 'Device 0');
}

test('U-Boot over OpenSBI finds, lists and reads the disk, and says what it says on QEMU', async () => {
  const before = fs.readFileSync(disk);
  const report = path.join(scratch, 'report.json');
  const run = await ringside([
    ...['run', '--bios', firmware, '--kernel', uboot, '--memory', '128M'],
    ...['--device', `block,image=${disk}`, '--script', scriptFile, '--report', `json:${report}`],
  ]);
  assert.ok(run.status === 0 || run.status === 1, `status ${run.status}: ${run.errors}\n${run.output.slice(-2000)}`);
  assert.ok(run.output.includes(`==> ${checksum}`), 'the file came through whole');
  assert.ok(fs.readFileSync(disk).equals(before), 'the image is untouched in overlay mode');

  const oracle = await holdDialogueOnQemu(
    [
      ...['-M', 'virt', '-m', '128', '-global', 'virtio-mmio.force-legacy=false', '-bios', firmware, '-kernel', uboot],
      ...['-drive', `file=${disk},if=none,format=raw,snapshot=on,id=disk`, '-device', 'virtio-blk-device,drive=disk'],
    ],
    scriptFile,
    script,
  );
  assert.ok(oracle.includes(`==> ${checksum}`));
  assert.equal(answers(run.output), answers(oracle));
});
