// Debian's U-Boot, unchanged, on every transport: it reads and writes a virtio disk, gets an address, pings and loads a file by TFTP, as on
// QEMU; and no alarm is raised but those that are true of its release (docs/real-guests.md says why).
import { after, test } from 'node:test';
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { crc32 } from 'node:zlib';
import type { TransportName } from '../../emulator/virtio/spec/feature';
import { ringside } from './harness/command';
import { repository } from './harness/compiler';
import { makeExt4 } from './harness/ext4';
import { holdDialogueOnQemu } from './harness/qemu-dialogue';

const firmware = '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';
const uboot = '/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin';
const scriptFile = path.join(repository, 'test/guest/uboot-transports.script');
const script = fs.readFileSync(scriptFile, 'utf8');

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-uboot-transports-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const disk = path.join(scratch, 'disk.img');
const onDisk = Array.from({ length: 100_000 }, (_, i) => String.fromCharCode(32 + ((i * 7 + (i >> 8)) % 90))).join('');
makeExt4(disk, { 'boot/kernel.bin': onDisk }, 8);
const served = path.join(scratch, 'served');
fs.mkdirSync(served);
const overNetwork = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
fs.writeFileSync(path.join(served, 'kernel.bin'), overNetwork);
const checksums = [onDisk, overNetwork].map((content) => crc32(content).toString(16).padStart(8, '0'));

/** What its uclass and its ring code do wrong everywhere. */
const everywhere = [
  'init.no-acknowledge',
  'init.no-reset',
  'ordering.notification-check',
  'ordering.publish',
  'ordering.used-index',
];
/** `virtio_pci_get_config` of its legacy driver ignores the offset: all six bytes of the address are mac[0]. */
const misread = 'net.address-ignored';
/** Its list of features holds VIRTIO_NET_F_MAC only; a legacy driver need not heed the other. */
const declined = 'net.mtu-declined';

interface Row {
  readonly transport: TransportName;
  /** QEMU's device and its properties, after `virtio-blk` and `virtio-net`. */
  readonly device: string;
  readonly board?: readonly string[];
  /** Of the network device, beside those above. */
  readonly alarms: readonly string[];
  readonly address: string;
}
const own = '52:54:00:12:34:56';
const first = '52:52:52:52:52:52';
const rows: readonly Row[] = [
  { transport: 'mmio', device: '-device', board: ['-global', 'virtio-mmio.force-legacy=false'], alarms: [declined], address: own },
  { transport: 'mmio-legacy', device: '-device', alarms: [], address: own },
  { transport: 'pci', device: '-pci,disable-legacy=on', alarms: [declined], address: own },
  // It takes the legacy driver for the numbers of a transitional device.
  { transport: 'pci-transitional', device: '-pci', alarms: [misread], address: first },
  { transport: 'pci-legacy', device: '-pci,disable-modern=on', alarms: [misread], address: first },
]; // prettier-ignore

for (const { transport, device, board = [], alarms, address } of rows) {
  test(`U-Boot over ${transport} uses disk and network as on QEMU, and what is reported is true`, async () => {
    const report = path.join(scratch, `${transport}.json`);
    const [ours, theirs] = await Promise.all([
      ringside([
        ...['run', '--bios', firmware, '--kernel', uboot, '--memory', '128M'],
        ...['--device', `block,name=vda,image=${disk},transport=${transport}`],
        ...['--device', `net,name=net0,backend=user,tftp=${served},transport=${transport}`],
        ...['--script', scriptFile, '--report', `json:${report}`],
      ]),
      holdDialogueOnQemu(
        [
          ...['-M', 'virt', '-m', '128', ...board, '-bios', firmware, '-kernel', uboot],
          ...['-drive', `file=${disk},if=none,format=raw,snapshot=on,id=disk`, '-device', `virtio-blk${device},drive=disk`],
          ...['-netdev', `user,id=user,tftp=${served}`, '-device', `virtio-net${device},netdev=user${device.startsWith("-pci") ? ",romfile=" : ""}`],
        ], // prettier-ignore
        scriptFile,
        script,
      ),
    ]);
    // 1: it broke rules, and the dialogue came to its end.
    assert.equal(ours.status, 1, `${ours.errors}\n${ours.output.slice(-2000)}`);
    for (const output of [ours.output, theirs]) {
      const sums = [...output.matchAll(/==> ([0-9a-f]{8})/g)].map(([, sum]) => sum);
      assert.deepEqual(sums, checksums);
      assert.ok(output.includes(`ethaddr=${address}`), output.slice(-2000));
    }
    const { violations } = JSON.parse(fs.readFileSync(report, 'utf8')) as {
      violations: readonly { rule: string; device: string }[];
    };
    const expected = [
      ...everywhere.flatMap((rule) => [`${rule} net0`, `${rule} vda`]),
      ...alarms.map((rule) => `${rule} net0`),
    ];
    assert.deepEqual(
      [...new Set(violations.map(({ rule, device: name }) => `${rule} ${name}`))].sort(),
      expected.sort(),
    );
  });
}
