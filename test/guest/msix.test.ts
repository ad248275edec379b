// MSI-X over virtio-pci and IMSIC: the same driver on QEMU and here, every message and its identity. [virtio 1.4, 4.1.5.1.2; RISC-V AIA 1.0, 3]
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { buildGuest } from './harness/compiler';
import { runOnQemu } from './harness/qemu';
import { runOnRingside } from './harness/ringside';
import { messageProgram } from './message-guest';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-msix-'));
after(() => fs.rmSync(folder, { recursive: true }));
const disk = path.join(folder, 'disk.img');
fs.writeFileSync(disk, Buffer.from(Array.from({ length: 64 * 512 }, (_, at) => 0x40 + (Math.floor(at / 512) % 64))));

interface Variant {
  readonly name: string;
  readonly flags?: readonly string[];
  readonly transport?: 'pci' | 'pci-transitional' | 'pci-legacy';
  /** Of QEMU's device. */
  readonly qemu: string;
  readonly pci?: object;
  /** Rules that the driver breaks on purpose. */
  readonly broken?: readonly string[];
}
const modern = 'disable-legacy=on';
const variants: readonly Variant[] = [
  { name: 'a modern device', qemu: modern, broken: ['pci.vector-out-of-range'] },
  {
    name: 'a transitional device',
    transport: 'pci-transitional',
    qemu: 'disable-legacy=off',
    broken: ['pci.vector-out-of-range'],
  },
  {
    ...{ name: 'a legacy driver, whose configuration moves', flags: ['-DLEGACY'] },
    ...{ transport: 'pci-transitional', qemu: 'disable-legacy=off', broken: ['pci.vector-out-of-range'] },
  },
  {
    name: 'a legacy device',
    flags: ['-DLEGACY'],
    transport: 'pci-legacy',
    qemu: 'disable-legacy=off,disable-modern=on',
    broken: ['pci.vector-out-of-range'],
  },
  {
    name: 'too few vectors',
    flags: ['-DTOO_FEW'],
    qemu: `${modern},vectors=1`,
    pci: { msixVectors: 1 },
    broken: ['pci.vector-out-of-range'],
  },
  { name: 'no vectors', qemu: `${modern},vectors=0`, pci: { msixVectors: 0 } },
  {
    ...{ name: 'a driver that reads no vector back and asks the ISR status', flags: ['-DMISTAKES'], qemu: modern },
    broken: ['pci.vector-not-read-back', 'pci.isr-read-with-msix'],
  },
  {
    ...{ name: 'a configuration change', flags: ['-DBREAK'], qemu: modern },
    broken: ['pci.vector-out-of-range', 'split.head-out-of-range'],
  },
];

for (const { name, flags, transport = 'pci', qemu, pci, broken = [] } of variants) {
  test(`messages of ${name} are those of QEMU`, async () => {
    const elf = buildGuest(messageProgram(flags));
    const drive = ['-drive', `file=${disk},if=none,format=raw,snapshot=on,id=disk`];
    const device = ['-device', `virtio-blk-pci,drive=disk,queue-size=256,${qemu}`];
    const oracle = runOnQemu({ elf, extra: ['-M', 'virt,aia=aplic-imsic', ...drive, ...device] });
    assert.equal(oracle.status, 0, `the guest is sound on QEMU: ${oracle.console}`);
    const block = { type: 'block', name: 'vda', image: disk, mode: 'overlay', queueSize: 256, transport };
    const devices = [{ ...block, ...(pci !== undefined && { pci }) }];
    const ours = await runOnRingside({ elf, attributes: { aia: 'aplic-imsic', devices } });
    assert.equal(ours.console, oracle.console);
    assert.equal(ours.status, oracle.status);
    assert.deepEqual(
      ours.violations.map(({ rule }) => rule),
      broken,
    );
  });
}
