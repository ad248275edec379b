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

/** Builds what is missing, which takes minutes the first time. */
export function linuxGuest(): LinuxGuest {
  const program = path.join(__dirname, 'build.mjs');
  const text = execFileSync(process.execPath, [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const made: unknown = JSON.parse(text);
  const file = (name: keyof LinuxGuest): string => {
    const value: unknown = typeof made === 'object' && made !== null ? Reflect.get(made, name) : undefined;
    if (typeof value !== 'string') throw new Error(`${program} names no ${name}: ${text}`);
    return value;
  };
  return {
    image: file('image'),
    vmlinux: file('vmlinux'),
    source: file('source'),
    initrd: file('initrd'),
    disk: file('disk'),
  };
}
