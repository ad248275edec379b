// `npm start`: installs, builds, and opens the sample project in VS Code with this extension. Uses the desktop `code` when it is on the
// path; otherwise serves VS Code (the npm package code-server) on loopback and prints the address.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

const root = import.meta.dirname;
process.chdir(root);
if (!fs.existsSync('node_modules/.package-lock.json'))
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { stdio: 'inherit' });
execFileSync(process.execPath, ['esbuild.mjs'], { stdio: 'inherit' });

const sample = path.join(os.tmpdir(), 'ringside-sample');
if (!fs.existsSync(sample)) fs.cpSync('media/sample', sample, { recursive: true });

const desktop = spawnSync('code', ['--version'], { encoding: 'utf8' });
if (desktop.status === 0) {
  const opened = spawnSync('code', ['--new-window', `--extensionDevelopmentPath=${root}`, sample], {
    stdio: 'inherit',
  });
  process.stdout.write(`The sample is open in VS Code (${sample}). Press F5 and choose "Ringside: faulty driver".\n`);
  process.exit(opened.status ?? 1);
}

const { cacheFolder, installCodeServer } = await import('./test/tools/install.mjs');
installCodeServer();
execFileSync(process.execPath, ['test/tools/package.mjs'], { stdio: ['ignore', 'ignore', 'inherit'] });
const node = path.join(cacheFolder, 'node', 'bin', 'node');
const server = path.join(cacheFolder, 'code-server', 'node_modules', 'code-server', 'out', 'node', 'entry.js');
const profile = path.join(os.homedir(), '.cache', 'ringside-start');
fs.mkdirSync(profile, { recursive: true });
const config = path.join(profile, 'config.yaml');
fs.writeFileSync(config, 'auth: none\ncert: false\n');
const base = [
  server,
  '--config',
  config,
  '--user-data-dir',
  path.join(profile, 'user-data'),
  '--extensions-dir',
  path.join(profile, 'extensions'),
];
const environment = {
  ...process.env,
  EXTENSIONS_GALLERY: '{"serviceUrl":""}',
  PATH: `${path.dirname(node)}:${process.env.PATH}`,
};
execFileSync(node, [...base, '--install-extension', path.resolve('dist/ringside.vsix'), '--force'], {
  env: environment,
  stdio: ['ignore', 'ignore', 'inherit'],
});
const port = process.env.RINGSIDE_PORT ?? '0';
const serving = spawn(
  node,
  [
    ...base,
    '--bind-addr',
    `127.0.0.1:${port}`,
    '--auth',
    'none',
    '--disable-telemetry',
    '--disable-update-check',
    '--disable-getting-started-override',
  ],
  {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
let said = '';
serving.stdout.on('data', (bytes) => {
  const before = said;
  said += bytes;
  const address = /HTTP server listening on (http:\/\/[\d.]+:\d+)/;
  if (!address.test(before) && address.test(said)) {
    process.stdout.write(
      `VS Code with the sample: ${address.exec(said)[1]}/?folder=${encodeURIComponent(sample)}\nOpen it in a browser, press F5 and choose "Ringside: faulty driver". Ctrl+C ends the server.\n`,
    );
  }
});
process.on('SIGINT', () => serving.kill('SIGTERM'));
serving.on('exit', (code) => process.exit(code ?? 0));
