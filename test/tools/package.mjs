// Packs the extension as `dist/ringside.vsix` and checks the list of files in it and the sizes of the bundles.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';

const vsix = 'dist/ringside.vsix';
fs.rmSync(vsix, { force: true });
execFileSync(
  process.execPath,
  [
    'node_modules/@vscode/vsce/vsce',
    'package',
    '--no-dependencies',
    '--allow-missing-repository',
    '--no-rewrite-relative-links',
    '-o',
    vsix,
  ],
  {
    stdio: ['ignore', 'ignore', 'inherit'],
  },
);

/** What may be in the package, and the greatest size of each bundle in bytes. A new file is added here on purpose or not at all. */
const allowed = [
  /^extension\/(package\.json|readme\.md|changelog\.md|LICENSE\.txt)$/i,
  /^extension\/dist\/(extension|worker|cli|inspector)\.(js|css)$/,
  /^extension\/media\//,
  /^extension\/docs\/stopped-at-violation\.png$/,
  /^(extension\.vsixmanifest|\[Content_Types\]\.xml)$/,
];
const limits = {
  'dist/extension.js': 700_000,
  'dist/worker.js': 1_300_000,
  'dist/cli.js': 1_500_000,
  'dist/inspector.js': 500_000,
  [vsix]: 3_000_000,
};

const names = execFileSync(
  'python3',
  ['-c', 'import sys,zipfile;print("\\n".join(zipfile.ZipFile(sys.argv[1]).namelist()))', vsix],
  { encoding: 'utf8' },
)
  .trim()
  .split('\n');
const stray = names.filter((name) => !allowed.some((pattern) => pattern.test(name)));
if (stray.length > 0) throw new Error(`files that do not belong in the package: ${stray.join(', ')}`);
for (const needed of [
  'extension/dist/extension.js',
  'extension/dist/worker.js',
  'extension/dist/cli.js',
  'extension/dist/inspector.js',
  'extension/media/sample/faulty.elf',
])
  if (!names.includes(needed)) throw new Error(`${needed} is not in the package`);
for (const [file, limit] of Object.entries(limits)) {
  const size = fs.statSync(file).size;
  process.stdout.write(`${file}: ${Math.ceil(size / 1000)} kB of ${limit / 1000} kB\n`);
  if (size > limit) throw new Error(`${file} is ${size} bytes, more than ${limit}`);
}
