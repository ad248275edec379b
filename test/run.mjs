// Runs every suite, installing first what they need: `node test/run.mjs [unit|guest|dap|e2e ...]`. The last line is "N passed, N failed".
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
process.chdir(root);
const all = ['unit', 'guest', 'dap', 'e2e'];
const chosen = process.argv.slice(2);
for (const name of chosen) if (!all.includes(name)) throw new Error(`no suite "${name}": there are ${all.join(', ')}`);
const suites = chosen.length > 0 ? chosen : all;

// A lock file newer than the installed tree means that dependencies changed.
const installed = 'node_modules/.package-lock.json';
if (!fs.existsSync(installed) || fs.statSync('package-lock.json').mtimeMs > fs.statSync(installed).mtimeMs + 60_000)
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { stdio: 'inherit' });

const { installPackages, installCodeServer } = await import('./tools/install.mjs');
installPackages(['guest', ...(suites.includes('e2e') ? ['e2e'] : [])]);
if (suites.includes('e2e')) installCodeServer();
if (suites.includes('guest')) {
  process.stdout.write('Linux guest: is there, or is built now, which takes some minutes once\n');
  execFileSync(process.execPath, ['test/guest/linux/build.mjs'], { stdio: ['ignore', 'ignore', 'inherit'] });
}
execFileSync(process.execPath, ['esbuild.mjs', '--minify'], { stdio: 'inherit' });
if (suites.includes('e2e')) execFileSync(process.execPath, ['test/tools/package.mjs'], { stdio: 'inherit' });

let passed = 0;
let failed = 0;
fs.mkdirSync('out', { recursive: true });
for (const suite of suites) {
  const files = list(path.join('test', suite))
    .filter((file) => /\.test\.(ts|mjs)$/.test(file))
    .sort();
  if (files.length === 0) throw new Error(`suite ${suite} has no tests`);
  const tap = path.join('out', `${suite}.tap`);
  // One workbench at a time; guests and units share the cores.
  const concurrency = suite === 'e2e' ? 1 : 2;
  const began = Date.now();
  const attempt = () =>
    spawnSync(
      process.execPath,
      [
        '--import',
        'tsx',
        '--test',
        `--test-concurrency=${concurrency}`,
        '--test-reporter=dot',
        '--test-reporter-destination=stdout',
        '--test-reporter=tap',
        `--test-reporter-destination=${tap}`,
        ...files,
      ],
      { stdio: 'inherit' },
    );
  let result = attempt();
  // A browser on a busy machine may miss a deadline once; what is broken is broken twice.
  if (suite === 'e2e' && result.status !== 0) {
    process.stdout.write('\ne2e failed, tried once more\n');
    result = attempt();
  }
  const report = fs.readFileSync(tap, 'utf8');
  const count = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(report)?.[1] ?? Number.NaN);
  const bad = count('fail') + count('cancelled') + count('skipped') + count('todo');
  if (!Number.isInteger(count('pass')) || !Number.isInteger(bad))
    throw new Error(`suite ${suite} died before its end (status ${result.status})`);
  passed += count('pass');
  failed += bad;
  if (bad === 0 && result.status !== 0) failed++;
  process.stdout.write(
    `\n${suite}: ${count('pass')} passed, ${bad} failed, ${Math.round((Date.now() - began) / 1000)} s\n`,
  );
  if (bad > 0) process.stdout.write(failures(report));
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

function list(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    return entry.isDirectory() ? list(name) : [name];
  });
}
/** The failing leaves of a TAP report with their diagnostics. */
function failures(report) {
  const lines = report.split('\n');
  const out = [];
  for (let i = 0; i < lines.length; i++) {
    if (!/^\s*not ok /.test(lines[i])) continue;
    const block = lines.slice(i, i + 40);
    const end = block.findIndex((line) => /^\s*\.\.\.$/.test(line));
    out.push(...block.slice(0, end < 0 ? 40 : end));
  }
  return `${out.join('\n').slice(0, 20_000)}\n`;
}
