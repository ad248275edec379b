// Debian's own riscv64 kernel, unchanged, as a guest: 6.12 knows APLIC and IMSIC, which the 6.1 guest does not. Its drivers of disk, entropy
// and ext4 are modules, so an initramfs that loads them goes in front of the usual init. Kept in ~/.cache/ringside.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { downloadRiscvPackage, unpackPackage } from './debian.mjs';
import { makeInitramfs } from './initramfs.mjs';
import { linuxUserSpace } from './user-space.mjs';

/** Names whatever kernel is current. */
const metaPackage = 'linux-image-riscv64';
/** Those that others need come first. */
const modules = [
  'lib/crc16', 'crypto/crc32c_generic', 'lib/libcrc32c', 'fs/mbcache', 'fs/jbd2/jbd2', 'fs/ext4/ext4', 'drivers/virtio/virtio_mmio', 'drivers/block/virtio_blk',
  'drivers/char/hw_random/virtio-rng', 'net/core/failover', 'drivers/net/net_failover', 'drivers/net/virtio_net',
]; // prettier-ignore

/**
 * Fetches what is missing: 110 megabytes, once.
 * @returns {{ image: string, initrd: string, disk: string }} paths
 */
export function debianKernelGuest() {
  const cache = path.join(os.homedir(), '.cache', 'ringside');
  fs.mkdirSync(cache, { recursive: true });
  const user = linuxUserSpace(cache);
  const folder = path.join(cache, 'linux-debian');
  const made = {
    image: path.join(folder, 'vmlinux'),
    initrd: path.join(folder, path.basename(path.dirname(user.initrd))),
  };
  if (!fs.existsSync(path.join(folder, 'complete'))) fetchKernel(folder, made.image);
  if (!fs.existsSync(made.initrd)) fs.writeFileSync(made.initrd, initramfs(folder, user.initrd));
  return { ...made, disk: user.disk };
}

function fetchKernel(folder, image) {
  fs.rmSync(folder, { recursive: true, force: true });
  const scratch = path.join(folder, 'package');
  const meta = downloadRiscvPackage(metaPackage, path.join(folder, 'meta'));
  const depends = execFileSync('dpkg-deb', ['-f', meta, 'Depends'], { encoding: 'utf8' });
  const name = /^linux-image-\S+/.exec(depends)?.[0];
  if (name === undefined) throw new Error(`${metaPackage} names no kernel: ${depends}`);
  const release = name.replace('linux-image-', '');
  const file = downloadRiscvPackage(name, scratch);
  const inPackage = (module) => `./usr/lib/modules/${release}/kernel/${module}.ko.xz`;
  unpackPackage(file, scratch, [`./boot/vmlinux-${release}`, ...modules.map(inPackage)]);
  fs.renameSync(path.join(scratch, `boot/vmlinux-${release}`), image);
  for (const module of modules) {
    const bytes = execFileSync('xz', ['-dc', path.join(scratch, inPackage(module))], { maxBuffer: 1 << 26 });
    fs.writeFileSync(path.join(folder, `${path.basename(module)}.ko`), bytes);
  }
  for (const each of ['package', 'meta']) fs.rmSync(path.join(folder, each), { recursive: true });
  fs.writeFileSync(path.join(folder, 'complete'), '');
}

/** A second archive behind the first one lays its files over it. */
function initramfs(folder, first) {
  const names = modules.map((module) => `${path.basename(module)}.ko`);
  const init = [
    '#!/bin/busybox sh',
    ...names.map((name) => `/bin/busybox insmod /modules/${name} || echo "no module ${name}"`),
    // 100 ms for what probes behind insmod's back.
    '/bin/busybox usleep 100000',
    'exec /bin/busybox sh /bin/usual-init',
    '',
  ].join('\n');
  // This kernel has no console of the SBI in front of the virtio one.
  const usual = fs.readFileSync(path.join(import.meta.dirname, 'init.sh'), 'utf8').replaceAll('hvc1', 'hvc0');
  const second = makeInitramfs([
    { name: 'modules', mode: 0o755 },
    ...names.map((name) => ({
      name: `modules/${name}`,
      mode: 0o644,
      content: fs.readFileSync(path.join(folder, name)),
    })),
    { name: 'bin/usual-init', mode: 0o755, content: Buffer.from(usual) },
    { name: 'init', mode: 0o755, content: Buffer.from(init) },
  ]);
  return Buffer.concat([fs.readFileSync(first), second]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.stdout.write(`${JSON.stringify(debianKernelGuest(), undefined, 2)}\n`);
