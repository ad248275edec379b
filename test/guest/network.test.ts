// Debian's U-Boot, unchanged, on the user network: DHCP, a ping and a file by TFTP, as on QEMU; byte for byte the same in each run; and no
// alarm but those that are true of every driver of its release (test/guest/uboot.test.ts says why) and one about its network driver.
import { after, test } from 'node:test';
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { crc32 } from 'node:zlib';
import { describeFrame } from '../../emulator/network/describe';
import { readCapture } from '../../extension/backends/capture';
import { ringside } from './harness/command';
import { repository } from './harness/compiler';
import { holdDialogueOnQemu } from './harness/qemu-dialogue';

const firmware = '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';
const uboot = '/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin';
const scriptFile = path.join(repository, 'test/guest/uboot-network.script');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-network-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const served = path.join(scratch, 'served');
fs.mkdirSync(served);
const kernel = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
fs.writeFileSync(path.join(served, 'kernel.bin'), kernel);
const checksum = crc32(kernel).toString(16).padStart(8, '0');

const runs = ['first', 'second'].map(async (name) => {
  const capture = path.join(scratch, `${name}.pcapng`);
  const report = path.join(scratch, `${name}.json`);
  const device = `net,name=net0,backend=user,tftp=${served},capture=${capture}`;
  const result = await ringside([
    ...['run', '--bios', firmware, '--kernel', uboot, '--memory', '128M', '--device', device],
    ...['--script', scriptFile, '--report', `json:${report}`],
  ]);
  return { ...result, capture, report };
});
const oracle = holdDialogueOnQemu(
  [
    ...['-M', 'virt', '-m', '128', '-global', 'virtio-mmio.force-legacy=false', '-bios', firmware, '-kernel', uboot],
    ...['-netdev', `user,id=user,tftp=${served}`, '-device', 'virtio-net-device,netdev=user'],
  ],
  scriptFile,
  fs.readFileSync(scriptFile, 'utf8'),
);

test('U-Boot gets an address, pings the gateway and loads a file, as on QEMU', async () => {
  const [first] = await Promise.all(runs);
  assert.equal(first?.status, 1, `${first?.errors ?? ''}\n${first?.output.slice(-2000) ?? ''}`);
  assert.ok(first.output.includes(`==> ${checksum}`), 'the file came through whole');
  assert.ok((await oracle).includes(`==> ${checksum}`));
});

test('two runs exchange the same frames at the same virtual times', async () => {
  const [first, second] = await Promise.all(runs);
  assert.ok(first !== undefined && second !== undefined);
  assert.ok(fs.readFileSync(first.capture).equals(fs.readFileSync(second.capture)));
  const frames = readCapture(first.capture);
  const texts = frames.map(({ bytes, direction }) => `${direction ?? ''} ${describeFrame(bytes)}`);
  for (const wanted of [
    /^sent DHCP 0\.0\.0\.0:68 → 255\.255\.255\.255:67/,
    /^received DHCP 10\.0\.2\.2:67/,
    /^sent ARP who has 10\.0\.2\.2, tell 10\.0\.2\.15/,
    /^received ARP 10\.0\.2\.2 is here/,
    /^sent ICMP echo request 10\.0\.2\.15 → 10\.0\.2\.2/,
    /^received ICMP echo reply 10\.0\.2\.2 → 10\.0\.2\.15/,
    /^sent TFTP 10\.0\.2\.15:\d+ → 10\.0\.2\.2:69/,
  ]) {
    assert.ok(
      texts.some((text) => wanted.test(text)),
      `${String(wanted)} in\n${texts.slice(0, 20).join('\n')}`,
    );
  }
});

test('what is reported is true: what its disk driver does wrong too, and a feature that it declines', async () => {
  const [first] = await Promise.all(runs);
  const { violations } = JSON.parse(fs.readFileSync(first?.report ?? '', 'utf8')) as {
    violations: readonly { rule: string; device: string }[];
  };
  assert.deepEqual([...new Set(violations.map(({ rule, device }) => `${rule} ${device}`))].sort(), [
    'init.no-acknowledge net0',
    'init.no-reset net0',
    // Its list of features holds VIRTIO_NET_F_MAC only: drivers/virtio/virtio_net.c.
    'net.mtu-declined net0',
    'ordering.notification-check net0',
    'ordering.publish net0',
    'ordering.used-index net0',
  ]);
});
