// Bundles the tests of `test/e2e/exthost`, opens a copy of the sample, and runs them. Options are those of run-extension-host-tests.mjs.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '../../..');
const outfile = path.join(root, 'out/exthost/suite.js');
await build({
  entryPoints: [path.join(root, 'test/e2e/exthost/suite.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  external: ['vscode', 'mocha'],
  logLevel: 'warning',
});
const folder = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-exthost-')), 'sample');
fs.cpSync(path.join(root, 'media/sample'), folder, { recursive: true });
const given = [
  '--extension',
  root,
  '--tests',
  outfile,
  '--folder',
  folder,
  '--artifacts',
  path.join(root, 'out/e2e/exthost'),
];
const runner = path.join(import.meta.dirname, 'run-extension-host-tests.mjs');
const { status } = spawnSync(process.execPath, [runner, ...given, ...process.argv.slice(2)], { stdio: 'inherit' });
fs.rmSync(path.dirname(folder), { recursive: true, force: true });
process.exitCode = status ?? 2;
