// Builds the Linux guest: `npm run guest:linux`. A small 6.1 kernel from Debian's source package, an initramfs and an ext4 disk with Debian's
// riscv64 busybox, all of it kept in ~/.cache/ringside under names that follow from what it is made from.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { installPackages } from '../../tools/install.mjs';
import { linuxKernel } from './kernel.mjs';
import { linuxUserSpace } from './user-space.mjs';

/**
 * Builds what is missing.
 * @returns {{ image: string, vmlinux: string, source: string, initrd: string, disk: string }} paths: the kernel as it boots, the same with
 *   symbols and DWARF, the folder of its sources, the initramfs, and an ext4 disk that is a root file system too
 */
export function linuxGuest() {
  const cache = path.join(os.homedir(), '.cache', 'ringside');
  fs.mkdirSync(cache, { recursive: true });
  installPackages(['guest', 'linux']);
  return { ...linuxUserSpace(cache), ...linuxKernel(cache) };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.stdout.write(`${JSON.stringify(linuxGuest(), undefined, 2)}\n`);
