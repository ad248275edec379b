// Fetches Debian packages from the mirror that this machine is set up with, also those of another release and architecture.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

/** The release that carries riscv64 as a port of its own. */
const riscvRelease = 'trixie';

/** @returns {string} the version that would be downloaded */
export function packageVersion(name) {
  const text = execFileSync('apt-cache', ['show', '--no-all-versions', name], { encoding: 'utf8' });
  const version = /^Version: (.*)$/m.exec(text)?.[1];
  if (version === undefined)
    throw new Error(`apt knows no package ${name}; run apt-get update, or add Debian 12's main archive`);
  return version;
}

/** Downloads a package of this release into `folder`. @returns {string} the path of the .deb */
export function downloadPackage(name, folder) {
  return download([], name, folder);
}

/** Downloads a riscv64 package into `folder`, with an apt state of its own there, so that this machine's stays as it is. */
export function downloadRiscvPackage(name, folder) {
  const state = path.join(folder, 'apt');
  for (const each of ['lists/partial', 'cache/archives/partial', 'parts'])
    fs.mkdirSync(path.join(state, each), { recursive: true });
  fs.writeFileSync(path.join(state, 'status'), '');
  fs.writeFileSync(path.join(state, 'sources.list'), `deb ${configuredMirror()} ${riscvRelease} main\n`);
  const options = {
    'APT::Architecture': 'riscv64',
    'APT::Architectures': 'riscv64',
    'Dir::State': state,
    'Dir::State::Lists': path.join(state, 'lists'),
    'Dir::State::status': path.join(state, 'status'),
    'Dir::Cache': path.join(state, 'cache'),
    'Dir::Etc::SourceList': path.join(state, 'sources.list'),
    'Dir::Etc::SourceParts': path.join(state, 'parts'),
    'Dir::Etc::Preferences': path.join(state, 'preferences'),
    'Dir::Etc::PreferencesParts': path.join(state, 'parts'),
    'Acquire::Languages': 'none',
    // The user to whom root hands downloads may not write here.
    'APT::Sandbox::User': 'root',
  };
  const words = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  execFileSync('apt-get', [...words, 'update', '-qq'], { stdio: ['ignore', 'ignore', 'inherit'] });
  return download(words, name, folder);
}

/** Unpacks the data of a .deb. @param {readonly string[]} only paths inside it, all by default */
export function unpackPackage(file, folder, only = []) {
  fs.mkdirSync(folder, { recursive: true });
  const data = execFileSync('dpkg-deb', ['--fsys-tarfile', file], { maxBuffer: 2 ** 31 - 1 });
  execFileSync('tar', ['-x', '-C', folder, ...only], { input: data, stdio: ['pipe', 'inherit', 'inherit'] });
}

function configuredMirror() {
  const targets = execFileSync('apt-get', ['indextargets', '--format', '$(SITE) $(ORIGIN) $(LABEL) $(COMPONENT)'], {
    encoding: 'utf8',
  });
  const site = targets.split('\n').flatMap((line) => /^(\S+) Debian Debian main$/.exec(line)?.[1] ?? [])[0];
  if (site === undefined)
    throw new Error('apt is not set up with a mirror of Debian; run apt-get update, or add Debian 12 to its sources');
  return site;
}

function download(words, name, folder) {
  fs.mkdirSync(folder, { recursive: true });
  execFileSync('apt-get', [...words, '-o', 'APT::Sandbox::User=root', 'download', '-qq', name], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const found = fs.readdirSync(folder).filter((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
  if (found.length !== 1)
    throw new Error(`apt-get download ${name} left ${found.length} files in ${folder}, expected one`);
  return path.join(folder, found[0]);
}
