// Makes the Linux guest's user space from Debian's riscv64 busybox: an initramfs, and an ext4 disk that is a root file system too.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { downloadRiscvPackage, unpackPackage } from './debian.mjs';
import { makeInitramfs } from './initramfs.mjs';

const here = import.meta.dirname;
const diskMegabytes = 16;
/** The files that it is made from. */
const ingredients = ['init.sh', 'lease.sh', 'check.c', 'user-space.mjs', 'initramfs.mjs'];

/**
 * Builds what is missing.
 * @param {string} cache folder
 * @returns {{ initrd: string, disk: string }} paths
 */
export function linuxUserSpace(cache) {
  const key = createHash('sha256');
  for (const file of ingredients) key.update(file).update(fs.readFileSync(path.join(here, file)));
  const folder = path.join(cache, `linux-user-${key.digest('hex').slice(0, 16)}`);
  const made = { initrd: path.join(folder, 'initramfs.cpio.gz'), disk: path.join(folder, 'disk.img') };
  if (fs.existsSync(path.join(folder, 'complete'))) return made;
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  makeUserSpace(folder, made);
  fs.writeFileSync(path.join(folder, 'complete'), '');
  return made;
}

function makeUserSpace(folder, made) {
  process.stderr.write('guest:linux: making the initramfs and the disk\n');
  const scratch = path.join(folder, 'user-space');
  const busyboxPackage = downloadRiscvPackage('busybox-static', scratch);
  const busyboxFile = './usr/bin/busybox';
  unpackPackage(busyboxPackage, scratch, [busyboxFile]);
  const busybox = fs.readFileSync(path.join(scratch, busyboxFile));
  const checker = path.join(scratch, 'check');
  execFileSync(
    'riscv64-linux-gnu-gcc',
    ['-O2', '-static', '-s', '-Wall', '-Wextra', '-Werror', '-o', checker, path.join(here, 'check.c')],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const check = fs.readFileSync(checker);
  const init = fs.readFileSync(path.join(here, 'init.sh'));
  const lease = fs.readFileSync(path.join(here, 'lease.sh'));
  fs.writeFileSync(
    made.initrd,
    makeInitramfs([
      ...['bin', 'dev', 'sbin'].map((name) => ({ name, mode: 0o755 })),
      // The kernel opens it for init before anything is mounted.
      { name: 'dev/console', mode: 0o600, device: [5, 1] },
      { name: 'bin/busybox', mode: 0o755, content: busybox },
      { name: 'bin/check', mode: 0o755, content: check },
      { name: 'bin/lease', mode: 0o755, content: lease },
      { name: 'init', mode: 0o755, content: init },
    ]),
  );

  const root = path.join(scratch, 'root');
  const files = { 'bin/busybox': busybox, 'bin/check': check, 'bin/lease': lease, init, ...dataFiles() };
  for (const name of ['proc', 'sys', 'dev', 'tmp', 'mnt', 'sbin'])
    fs.mkdirSync(path.join(root, name), { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content, { mode: 0o755 });
  }
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-E', 'root_owner=0:0', '-d', root, made.disk, `${diskMegabytes}M`], {
    env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/sbin:/usr/sbin` },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  fs.rmSync(scratch, { recursive: true });
}

/** Files of many sizes and their checksums, for the guest to read back. */
function dataFiles() {
  const sizes = [1, 511, 512, 4095, 4097, 70_000, 1_000_000];
  const contents = sizes.map((size, index) =>
    Buffer.from(Array.from({ length: size }, (_, at) => (at * 31 + (at >> 9) + index) & 0xff)),
  );
  const sums = contents.map(
    (bytes, index) => `${createHash('md5').update(bytes).digest('hex')}  ${sizes[index]}.bin\n`,
  );
  return {
    ...Object.fromEntries(contents.map((bytes, index) => [`data/${sizes[index]}.bin`, bytes])),
    'data/sums.md5': sums.join(''),
  };
}
