// Bundles: the extension host's entry, the emulator's worker, the command line, the inspector page. `--minify` for the package.
import { build } from 'esbuild';
import { existsSync } from 'node:fs';

const minify = process.argv.includes('--minify');
const common = { bundle: true, minify, sourcemap: false, logLevel: 'warning', legalComments: 'none', charset: 'utf8' };
const node = { ...common, platform: 'node', format: 'cjs', target: 'node20' };
const page = { ...common, platform: 'browser', format: 'iife', target: 'es2022' };

const bundles = [
  { ...node, entryPoints: ['extension/extension.ts'], outfile: 'dist/extension.js', external: ['vscode'] },
  { ...node, entryPoints: ['extension/worker/entry.ts'], outfile: 'dist/worker.js' },
  { ...node, entryPoints: ['extension/cli/entry.ts'], outfile: 'dist/cli.js', banner: { js: '#!/usr/bin/env node' } },
  { ...page, entryPoints: ['webview/inspector.ts'], outfile: 'dist/inspector.js' },
  { ...page, entryPoints: ['webview/inspector.css'], outfile: 'dist/inspector.css' },
];
for (const bundle of bundles) {
  const [entry] = bundle.entryPoints;
  if (!existsSync(entry)) throw new Error(`${entry} is missing: the tree is incomplete`);
  await build(bundle);
}
