#!/usr/bin/env node
// Run a VS Code extension integration test suite (a module exporting run(), as for @vscode/test-electron)
// INSIDE a real extension host. One suite, three hosts, chosen in this order (force one with --host):
//   desktop      $VSCODE_EXECUTABLE is set: that VS Code / VSCodium binary
//   download     update.code.visualstudio.com is reachable and @vscode/test-electron is installed
//   code-server  installed by test/tools/install.mjs; no network, no display
// usage: run-exthost-tests.mjs --extension DIR --tests FILE.js [--folder DIR] [--host auto|desktop|download|code-server]
//                              [--version stable] [--timeout SECONDS] [--artifacts DIR]
//                              [--verbose]   also the workbench's own log lines (code-server)
// Exit status: 0 all passed, 1 failures, 2 the host did not work, ended early or timed out.
// The suite must write $EXTHOST_TEST_RESULTS (exthost-suite.ts does): the web workbench reports exit code 0 when the extension host just dies (seen).
// $EXTHOST_TEST_GREP selects tests.
import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { startServer, openWorkbench, isInstalled } from './workbench.mjs';

const { values: a } = parseArgs({
  options: {
    extension: { type: 'string', default: '.' },
    tests: { type: 'string' },
    folder: { type: 'string' },
    host: { type: 'string', default: 'auto' },
    version: { type: 'string', default: 'stable' },
    timeout: { type: 'string', default: '300' },
    artifacts: { type: 'string' },
    verbose: { type: 'boolean' },
  },
});
if (!a.tests || !fs.existsSync(a.tests)) {
  console.error('--tests FILE.js is missing or does not exist (the full name with .js is needed)');
  process.exit(2);
}
const extension = path.resolve(a.extension),
  tests = path.resolve(a.tests),
  folder = a.folder && path.resolve(a.folder),
  timeout = Number(a.timeout) * 1000;
const tmp = fs.mkdtempSync(path.join(os.tmpdir(), 'exthost-tests-')),
  results = path.join(tmp, 'results.json');
process.env.EXTHOST_TEST_RESULTS = results; // inherited by code-server / VS Code and from there by the extension host

const reachable = () =>
  fetch('https://update.code.visualstudio.com/api/releases/stable', { signal: AbortSignal.timeout(5000) }).then(
    (r) => r.ok,
    () => false,
  );
function testElectron() {
  for (const f of [import.meta.url, path.join(process.cwd(), 'x.js')])
    try {
      return createRequire(f)('@vscode/test-electron');
    } catch {
      /* next */
    }
}

async function choose() {
  if (a.host !== 'auto') return a.host;
  if (process.env.VSCODE_EXECUTABLE) return 'desktop';
  if (testElectron() && (await reachable())) return 'download';
  if (isInstalled()) return 'code-server';
  throw new Error(
    'no VS Code: set VSCODE_EXECUTABLE, or allow the download, or run "npm test", which installs code-server',
  );
}

/** Desktop VS Code: the very command line that @vscode/test-electron uses; under xvfb-run when there is no display. */
function desktop(exe) {
  const profile = path.join(tmp, 'p'); // short: VS Code's socket lies in there
  const args = [
    ...(folder ? [folder] : []),
    '--no-sandbox',
    '--disable-gpu-sandbox',
    '--disable-updates',
    '--skip-welcome',
    '--skip-release-notes',
    '--disable-workspace-trust',
    '--disable-telemetry',
    '--disable-extensions',
    `--user-data-dir=${profile}/data`,
    `--extensions-dir=${profile}/ext`,
    `--extensionDevelopmentPath=${extension}`,
    `--extensionTestsPath=${tests}`,
  ];
  const xvfb =
    process.platform === 'linux' &&
    !process.env.DISPLAY &&
    !process.env.WAYLAND_DISPLAY &&
    spawnSync('which', ['xvfb-run']).status === 0;
  const env = { ...process.env };
  delete env.ELECTRON_RUN_AS_NODE;
  for (const k of Object.keys(env)) if (k.startsWith('VSCODE_') && k !== 'VSCODE_EXECUTABLE') delete env[k];
  return new Promise((res) => {
    const p = xvfb
      ? spawn('xvfb-run', ['-a', exe, ...args], { stdio: 'inherit', env, detached: true })
      : spawn(exe, args, { stdio: 'inherit', env, detached: process.platform !== 'win32' });
    const t = setTimeout(() => {
      console.error('timed out');
      try {
        process.kill(-p.pid, 'SIGKILL');
      } catch {
        p.kill();
      }
      res(2);
    }, timeout);
    p.once('error', (e) => {
      console.error(e.message);
      clearTimeout(t);
      res(2);
    });
    p.once('exit', (c) => {
      clearTimeout(t);
      res(c === 0 ? 0 : 1);
    });
  });
}

async function codeServer() {
  const server = await startServer({ driver: true });
  let w;
  try {
    const done = {};
    done.promise = new Promise((r) => {
      done.resolve = r;
    });
    w = await openWorkbench(server, {
      folder,
      devExtension: extension,
      tests,
      waitReady: false,
      async onPage(page) {
        // The web workbench reports to these two when they exist (the mechanism @vscode/test-web uses too).
        let show = false;
        await page.exposeFunction('codeAutomationLog', (type, args) => {
          const text = String(args[0] ?? '');
          if (text === '[exthost-tests] begin') show = true;
          else if (text === '[exthost-tests] end') show = false;
          else if (/^(Ignoring fetching additional|Updating additional|\[AccountPolicyGate)/.test(text) && !a.verbose)
            return; // the workbench's own
          else if (show || a.verbose || type === 'error') (type === 'error' ? console.error : console.log)(...args);
        });
        await page.exposeFunction('codeAutomationExit', (code) => done.resolve(code));
      },
    });
    const code = await Promise.race([
      done.promise,
      new Promise((r) => setTimeout(r, timeout, 'timeout')),
      new Promise((r) => w.page.once('crash', () => r('the page crashed'))),
    ]);
    if (a.artifacts || typeof code !== 'number') {
      const dir = a.artifacts ?? path.join(os.tmpdir(), 'exthost-artifacts');
      fs.mkdirSync(dir, { recursive: true });
      await w.screenshot(path.join(dir, 'exthost-end.png')).catch(() => {});
      fs.writeFileSync(
        path.join(dir, 'exthost.log'),
        `${w.exthostLog()}\n--- console\n${w.console.map((c) => `${c.type}: ${c.text}`).join('\n')}\n--- server\n${server.log()}`,
      );
      if (typeof code !== 'number') console.error(`${code}; see ${dir}`);
    }
    return code === 0 ? 0 : typeof code === 'number' ? 1 : 2;
  } finally {
    await w?.close().catch(() => {});
    await server.stop();
  }
}

const t0 = Date.now();
let rc;
try {
  const host = await choose();
  console.log(`extension host tests in: ${host}`);
  rc =
    host === 'desktop'
      ? await desktop(process.env.VSCODE_EXECUTABLE)
      : host === 'download'
        ? await desktop(await testElectron().downloadAndUnzipVSCode(a.version))
        : await codeServer();
} catch (e) {
  console.error(e.stack ?? e);
  rc = 2;
}
let summary = 'no results: the suite did not run to its end';
if (fs.existsSync(results)) {
  const r = JSON.parse(fs.readFileSync(results, 'utf8')),
    n = (s) => r.tests.filter((t) => t.state === s).length;
  summary = `${n('passed')} passed, ${n('failed')} failed, ${n('skipped')} skipped`;
  if (a.artifacts) {
    fs.mkdirSync(a.artifacts, { recursive: true });
    fs.copyFileSync(results, path.join(a.artifacts, 'exthost-results.json'));
  }
  if (r.failures || !n('passed')) rc ||= 1;
} else rc = 2;
fs.rmSync(tmp, { recursive: true, force: true });
console.log(
  `extension host tests: ${rc === 0 ? 'ok' : 'FAILED'}: ${summary}; ${((Date.now() - t0) / 1000).toFixed(1)} s`,
);
process.exit(rc);
