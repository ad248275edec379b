// The files of the Linux guest, as `build.mjs` makes them.
import { execFileSync } from 'node:child_process';
import * as path from 'node:path';

/** Paths. */
export interface LinuxGuest {
  /** The kernel as it boots. */
  readonly image: string;
  /** The same with symbols and DWARF. */
  readonly vmlinux: string;
  /** The folder of its sources. */
  readonly source: string;
  readonly initrd: string;
  /** An ext4 disk that is a root file system too. */
  readonly disk: string;
}

/** Runs a program of this folder that makes files, and gives the path of one by its name. */
function madeBy(name: string): (name: keyof LinuxGuest) => string {
  const program = path.join(__dirname, name);
  const text = execFileSync(process.execPath, [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const made: unknown = JSON.parse(text);
  return (file) => {
    const value: unknown = typeof made === 'object' && made !== null ? Reflect.get(made, file) : undefined;
    if (typeof value !== 'string') throw new Error(`${program} names no ${file}: ${text}`);
    return value;
  };
}

/** Debian's own kernel with the same user space; it has no symbols here. */
export function debianKernelGuest(): Pick<LinuxGuest, 'image' | 'initrd' | 'disk'> {
  const file = madeBy('debian-kernel.mjs');
  return { image: file('image'), initrd: file('initrd'), disk: file('disk') };
}

/** Builds what is missing, which takes minutes the first time. */
export function linuxGuest(): LinuxGuest {
  const file = madeBy('build.mjs');
  return {
    image: file('image'),
    vmlinux: file('vmlinux'),
    source: file('source'),
    initrd: file('initrd'),
    disk: file('disk'),
  };
}
