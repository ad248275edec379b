// Builds the Linux guest's kernel from Debian's source package. Takes about five minutes on two quiet cores, once for each configuration.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { downloadPackage, packageVersion, unpackPackage } from './debian.mjs';

const configuration = path.join(import.meta.dirname, 'kernel.config');
const sourcePackage = 'linux-source-6.1';
/** Never read here and hundreds of megabytes. */
const unused = ['*/drivers/gpu/drm/amd/include/*', '*/Documentation/*/*', '*/tools/testing/*'];
/** Kernels that differ in nothing but their build would otherwise differ in their bytes. */
const fixedBuild = {
  KBUILD_BUILD_TIMESTAMP: '2026-01-01 00:00:00 UTC',
  KBUILD_BUILD_USER: 'ringside',
  KBUILD_BUILD_HOST: 'ringside',
};

/**
 * Builds what is missing.
 * @param {string} cache folder
 * @returns {{ image: string, vmlinux: string, source: string }} paths: the kernel as it boots, the same with symbols and DWARF, and the
 *   folder of its sources
 */
export function linuxKernel(cache) {
  // The sources keep one place: the DWARF names them, and another configuration is built from the same ones.
  const version = packageVersion(sourcePackage);
  const source = path.join(cache, `${sourcePackage}_${version}`);
  const key = createHash('sha256').update(version);
  for (const file of [configuration, import.meta.filename]) key.update(fs.readFileSync(file));
  const folder = path.join(cache, `linux-kernel-${key.digest('hex').slice(0, 16)}`);
  const kernel = {
    image: path.join(folder, 'Image'),
    vmlinux: path.join(folder, 'vmlinux'),
    source: path.join(source, 'tree'),
  };
  if (!fs.existsSync(path.join(source, 'complete'))) unpackSource(source);
  if (!fs.existsSync(path.join(folder, 'complete'))) build(folder, kernel);
  return kernel;
}

function unpackSource(folder) {
  process.stderr.write(`guest:linux: fetching ${sourcePackage}\n`);
  fs.rmSync(folder, { recursive: true, force: true });
  const archive = `./usr/src/${sourcePackage}.tar.xz`;
  const file = downloadPackage(sourcePackage, folder);
  unpackPackage(file, folder, [archive]);
  const tree = path.join(folder, 'tree');
  fs.mkdirSync(tree);
  const exclusions = unused.map((glob) => `--exclude=${glob}`);
  const words = ['-xJf', path.join(folder, archive), '-C', tree, '--strip-components=1', ...exclusions];
  execFileSync('tar', words, { stdio: 'inherit' });
  for (const packed of [file, path.join(folder, 'usr')]) fs.rmSync(packed, { recursive: true });
  fs.writeFileSync(path.join(folder, 'complete'), '');
}

function build(folder, kernel) {
  const objects = path.join(folder, 'objects');
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(objects, { recursive: true });
  const jobs = 2 * os.availableParallelism();
  const common = ['-s', `-j${jobs}`, 'ARCH=riscv', 'CROSS_COMPILE=riscv64-linux-gnu-', `O=${objects}`];
  const make = (target, environment = {}) =>
    execFileSync('make', [...common, target], {
      cwd: kernel.source,
      env: { ...process.env, ...fixedBuild, ...environment },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  make('allnoconfig', { KCONFIG_ALLCONFIG: configuration });
  const chosen = new Set(fs.readFileSync(path.join(objects, '.config'), 'utf8').split('\n'));
  const wanted = fs
    .readFileSync(configuration, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('CONFIG_'));
  const refused = wanted.filter((line) => !chosen.has(line));
  if (refused.length > 0)
    throw new Error(
      `this kernel cannot be configured with ${refused.join(', ')}: kernel.config lacks what they depend on`,
    );
  process.stderr.write('guest:linux: building the kernel (about five minutes)\n');
  make('Image');
  fs.copyFileSync(path.join(objects, 'vmlinux'), kernel.vmlinux);
  fs.copyFileSync(path.join(objects, 'arch/riscv/boot/Image'), kernel.image);
  fs.rmSync(objects, { recursive: true });
  fs.writeFileSync(path.join(folder, 'complete'), '');
}
