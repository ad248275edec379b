// Builds Linux 6.12, the first of Debian's kernels with drivers for an APLIC and IMSICs, from the 6.1 guest's configuration: `node
// test/guest/linux/newer-kernel.mjs`. A file of its own, because the 6.1 kernel is built anew whenever kernel.mjs changes. Takes about five
// minutes on two quiet cores.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { downloadPackage, packageVersion, unpackPackage } from './debian.mjs';

const sourcePackage = 'linux-source-6.12';
const configuration = path.join(import.meta.dirname, 'kernel.config');
/** What is called otherwise now; and without DWARF it takes half as long. */
const without = ['CONFIG_SOC_VIRT=y', 'CONFIG_DEBUG_INFO_DWARF5=y'];
const more = ['CONFIG_ARCH_VIRT=y', 'CONFIG_RISCV_APLIC=y', 'CONFIG_RISCV_IMSIC=y'];
const unused = ['*/drivers/gpu/drm/amd/include/*', '*/Documentation/*/*', '*/tools/testing/*'];

/**
 * Builds what is missing.
 * @param {string} cache folder
 * @returns {string} the path of the kernel as it boots
 */
export function newerLinuxKernel(cache) {
  const version = packageVersion(sourcePackage);
  const source = path.join(cache, `${sourcePackage}_${version}`);
  const lines = fs.readFileSync(configuration, 'utf8').split('\n');
  const wanted = [...lines.filter((line) => line.startsWith('CONFIG_') && !without.includes(line)), ...more];
  const key = createHash('sha256').update(version).update(wanted.join('\n'));
  const folder = path.join(cache, `linux-kernel-${key.digest('hex').slice(0, 16)}`);
  if (!fs.existsSync(path.join(source, 'complete'))) unpackSource(source);
  if (!fs.existsSync(path.join(folder, 'complete'))) build(folder, path.join(source, 'tree'), wanted);
  return path.join(folder, 'Image');
}

function unpackSource(folder) {
  const archive = `./usr/src/${sourcePackage}.tar.xz`;
  const tree = path.join(folder, 'tree');
  fs.rmSync(folder, { recursive: true, force: true });
  const file = downloadPackage(sourcePackage, folder);
  unpackPackage(file, folder, [archive]);
  fs.mkdirSync(tree);
  const exclusions = unused.map((glob) => `--exclude=${glob}`);
  const words = ['-xJf', path.join(folder, archive), '-C', tree, '--strip-components=1', ...exclusions];
  execFileSync('tar', words, { stdio: 'inherit' });
  for (const packed of [file, path.join(folder, 'usr')]) fs.rmSync(packed, { recursive: true });
  fs.writeFileSync(path.join(folder, 'complete'), '');
}

function build(folder, tree, wanted) {
  const objects = path.join(folder, 'objects');
  const seed = path.join(folder, 'kernel.config');
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(objects, { recursive: true });
  fs.writeFileSync(seed, `${wanted.join('\n')}\n`);
  const common = ['-s', `-j${os.availableParallelism() * 2}`, 'ARCH=riscv', 'CROSS_COMPILE=riscv64-linux-gnu-'];
  const make = (target, environment = {}) =>
    execFileSync('make', [...common, `O=${objects}`, target], {
      cwd: tree,
      env: { ...process.env, KBUILD_BUILD_USER: 'ringside', KBUILD_BUILD_HOST: 'ringside', ...environment },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  make('allnoconfig', { KCONFIG_ALLCONFIG: seed });
  const chosen = new Set(fs.readFileSync(path.join(objects, '.config'), 'utf8').split('\n'));
  const refused = wanted.filter((line) => !chosen.has(line));
  if (refused.length > 0)
    throw new Error(`this kernel cannot be configured with ${refused.join(', ')}: they depend on more`);
  make('Image');
  fs.copyFileSync(path.join(objects, 'arch/riscv/boot/Image'), path.join(folder, 'Image'));
  fs.rmSync(objects, { recursive: true });
  fs.writeFileSync(path.join(folder, 'complete'), '');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const cache = path.join(os.homedir(), '.cache', 'ringside');
  fs.mkdirSync(cache, { recursive: true });
  process.stdout.write(`${newerLinuxKernel(cache)}\n`);
}
