// Makes an ext4 disk image from files.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

/** @param files path inside the image and content */
export function makeExt4(image: string, files: Readonly<Record<string, string>>, megabytes: number): void {
  const root = `${image}.root`;
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
  }
  try {
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', root, image, `${megabytes}M`], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/sbin:/usr/sbin` },
    });
  } catch (error) {
    throw new Error(`mke2fs did not make ${image}; on Debian it is in the package e2fsprogs`, { cause: error });
  }
  fs.rmSync(root, { recursive: true });
}
