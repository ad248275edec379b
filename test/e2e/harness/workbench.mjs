// Drives a real VS Code workbench (code-server: the VS Code server and web workbench with a Node extension host) in headless Chromium.
// Nothing leaves the machine: requests to other origins are refused and listed. Selectors of the workbench stand only here.
import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

// Locations, as test/tools/install.mjs leaves them.
export const CACHE = process.env.VSCODE_E2E_CACHE ?? path.join(os.homedir(), '.cache', 'vscode-e2e');
export const CS_NODE = path.join(CACHE, 'node', 'bin', 'node');
export const CS_DIR = path.join(CACHE, 'code-server', 'node_modules', 'code-server');
export const CS_ENTRY = path.join(CS_DIR, 'out', 'node', 'entry.js');
export const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
export const isInstalled = () => [CS_NODE, CS_ENTRY, CHROMIUM].every((f) => fs.existsSync(f));

function loadPlaywright() {
  // a dev dependency of the project: looked up from this file, then from the working directory
  for (const from of [import.meta.url, path.join(process.cwd(), 'x.js')])
    try {
      return createRequire(from)('playwright-core');
    } catch (e) {
      if (e.code !== 'MODULE_NOT_FOUND') throw e;
    }
  throw new Error('playwright-core is not installed: npm i -D playwright-core');
}

// Settings which keep the workbench quiet, offline and reproducible. Overridable per test.
export const QUIET_SETTINGS = {
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.enableExperiments': false,
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.editor.useModal': 'off', // else some editors (Settings, Running Extensions) open as a dialog over the window
  'workbench.localHistory.enabled': false,
  'security.workspace.trust.enabled': false,
  'window.menuBarVisibility': 'compact',
  'chat.disableAIFeatures': true,
  'git.enabled': false,
  'git.openRepositoryInParentFolders': 'never',
  'npm.autoDetect': 'off',
  'task.autoDetect': 'off',
  'debug.toolBarLocation': 'floating',
  'debug.openDebug': 'openOnSessionStart',
  'debug.internalConsoleOptions': 'neverOpen',
  'editor.minimap.enabled': false,
  'editor.cursorBlinking': 'solid',
};

// Only what is known noise of code-server itself; add patterns sparingly, never a catch-all.
export const KNOWN_NOISE = [
  /\/node_modules\/vsda\//, // proprietary module, absent from open builds; fetched in vain at each start
  /Timed out waiting for authentication provider 'github'/, // built-in extension, on a slow machine
  /vscode\.typescript-language-features/, // its browser half is not in the npm package
  // The workbench draws or opens a row of a tree that a refresh has just replaced; it logs that and draws the new one.
  /TreeError \[(VariablesView|ringside\.devices)\] Data tree node not found/,
];

const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
/** Poll f until it returns something truthy. */
export async function until(f, { timeout = 20000, every = 50, what = 'condition' } = {}) {
  const end = Date.now() + timeout;
  let err;
  for (;;) {
    try {
      const v = await f();
      if (v) return v;
      err = undefined;
    } catch (e) {
      err = e;
    }
    if (Date.now() > end)
      throw new Error(`timed out after ${timeout} ms waiting for ${what}${err ? `: ${err.message}` : ''}`);
    await sleep(every);
  }
}

// ---------------------------------------------------------------- the server
/**
 * Start code-server on a free loopback port with a fresh profile below `dir` (default: a temp folder).
 * opts: dir, settings, keybindings, vsix: [files to install first], env, verbose,
 *       trust (workspace trust stays on), readOnlyExtensions (their folder may not be written), driver (needed for devExtension/tests: development extensions are ignored without it), keep (the profile folder)
 */
export async function startServer(opts = {}) {
  if (!fs.existsSync(CS_ENTRY))
    throw new Error(`code-server is not installed in ${CACHE}; run "npm test", which installs it`);
  const ownDir = !opts.dir;
  const dir = opts.dir ?? fs.mkdtempSync(path.join(os.tmpdir(), 'vscode-e2e-'));
  const userData = path.join(dir, 'user-data'),
    exts = path.join(dir, 'extensions');
  fs.mkdirSync(path.join(userData, 'User'), { recursive: true });
  fs.mkdirSync(exts, { recursive: true });
  fs.writeFileSync(
    path.join(userData, 'User', 'settings.json'),
    JSON.stringify({ ...QUIET_SETTINGS, ...opts.settings }, null, 1),
  );
  if (opts.keybindings)
    fs.writeFileSync(path.join(userData, 'User', 'keybindings.json'), JSON.stringify(opts.keybindings));
  const config = path.join(dir, 'config.yaml');
  fs.writeFileSync(config, 'auth: none\ncert: false\n');

  // A clean environment: nothing of an outer VS Code / code-server / npm must leak in.
  const env = { ...opts.env };
  for (const [k, v] of Object.entries(process.env))
    if (!(k in env) && !/^(VSCODE_|CODE_SERVER_|ELECTRON_|npm_|NODE_OPTIONS$|NODE_PATH$|PORT$|PASSWORD$)/.test(k))
      env[k] = v;
  env.XDG_CONFIG_HOME = path.join(dir, 'xdg-config');
  env.XDG_DATA_HOME = path.join(dir, 'xdg-data');
  env.XDG_CACHE_HOME = path.join(dir, 'xdg-cache');
  env.EXTENSIONS_GALLERY ??= '{"serviceUrl":""}'; // no look-ups at open-vsx.org
  env.PATH = `${path.dirname(CS_NODE)}:${process.env.PATH}`;

  const base = [CS_ENTRY, '--config', config, '--user-data-dir', userData, '--extensions-dir', exts];
  for (const f of opts.vsix ?? []) {
    const r = spawnSync(CS_NODE, [...base, '--install-extension', path.resolve(f), '--force'], {
      env,
      encoding: 'utf8',
      timeout: 120000,
    });
    if (r.status !== 0) throw new Error(`installing ${f} failed (${r.status}): ${r.stdout}${r.stderr}`);
  }

  if (opts.readOnlyExtensions) spawnSync('chmod', ['-R', 'a-w', exts]);
  const t0 = performance.now();
  const proc = spawn(
    CS_NODE,
    [
      ...base,
      '--bind-addr',
      '127.0.0.1:0',
      '--auth',
      'none',
      '--disable-telemetry',
      '--disable-update-check',
      ...(opts.trust ? [] : ['--disable-workspace-trust']),
      '--disable-getting-started-override',
      '--ignore-last-opened',
      '--disable-proxy',
      '--idle-timeout-seconds',
      '120',
      // A *built* workbench honours ?payload=[["extensionDevelopmentPath",…]] only with this flag (it also gives window.driver);
      // it suppresses notification toasts: see notifications().
      ...(opts.driver ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
    ],
    { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true, cwd: dir },
  ); // detached: its own process group, so that we can end exactly it
  let log = '';
  const onData = (b) => {
    log += b;
    if (opts.verbose) process.stderr.write(b);
  };
  proc.stdout.on('data', onData);
  proc.stderr.on('data', onData);
  let exited;
  proc.once('exit', (c, s) => {
    exited = `code ${c} signal ${s}`;
  });

  async function stop() {
    const group = (sig) => {
      try {
        process.kill(-proc.pid, sig);
        return true;
      } catch {
        return false;
      }
    }; // only our own group
    group('SIGTERM');
    await until(() => !group(0), { timeout: 5000, what: 'code-server to end' }).catch(() => group('SIGKILL'));
    spawnSync('chmod', ['-R', 'u+w', exts]);
    if (ownDir && !opts.keep) fs.rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
  // If we go first, the server goes with us ('exit' is not raised by signals; after SIGKILL --idle-timeout-seconds ends it).
  const onExit = () => {
    try {
      process.kill(-proc.pid, 'SIGKILL');
    } catch {
      /* gone */
    }
  };
  const onSignal = (s) => {
    onExit();
    process.exit(s === 'SIGINT' ? 130 : 143);
  };
  process.once('exit', onExit);
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  const unhook = () => {
    process.removeListener('exit', onExit);
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
  };
  try {
    const url = await until(
      () => {
        if (exited) throw Object.assign(new Error(`code-server ended (${exited}):\n${log}`), { fatal: true });
        return /HTTP server listening on (http:\/\/[\d.]+:\d+)/.exec(log)?.[1];
      },
      { timeout: 30000, what: 'code-server to listen' },
    );
    return {
      url,
      dir,
      driver: !!opts.driver,
      userData,
      exts,
      pid: proc.pid,
      startMs: performance.now() - t0,
      log: () => log,
      stop: async () => {
        await stop();
        unhook();
      },
    };
  } catch (e) {
    await stop();
    unhook();
    throw new Error(`${e.message}\n${log}`);
  }
}

// ---------------------------------------------------------------- the workbench
/** URL of the workbench; devExtension/tests are folders/files on the server (no vsix needed). */
export function workbenchUrl(server, { folder, devExtension, tests, payload = [] } = {}) {
  const host = new URL(server.url).host,
    remote = (p) => `vscode-remote://${host}${path.resolve(p)}`;
  const pl = [...payload];
  for (const d of [devExtension ?? []].flat()) pl.push(['extensionDevelopmentPath', remote(d)]);
  if (tests) pl.push(['extensionTestsPath', remote(tests)]);
  const u = new URL(server.url);
  if (folder) u.searchParams.set('folder', path.resolve(folder));
  else u.searchParams.set('ew', 'true');
  if (pl.length) u.searchParams.set('payload', JSON.stringify(pl));
  return u.href;
}

/**
 * Open a workbench window in headless Chromium.
 * opts: folder, devExtension, tests, payload, viewport, headed, waitReady (default true)
 */
export async function openWorkbench(server, opts = {}) {
  if ((opts.devExtension || opts.tests) && !server.driver)
    throw new Error('devExtension/tests need startServer({ driver: true })');
  const { chromium } = loadPlaywright();
  const t0 = performance.now();
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: !opts.headed,
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
      ...(opts.chromiumArgs ?? []),
    ],
  });
  const context = await browser.newContext({
    viewport: opts.viewport ?? { width: 1400, height: 900 },
    locale: 'en-US',
    permissions: ['clipboard-read', 'clipboard-write'],
    ...opts.context,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(opts.timeout ?? 15000);
  const w = new Workbench(server, browser, context, page, opts);
  page.on('console', (m) => w.console.push({ type: m.type(), text: m.text(), url: m.location()?.url ?? '' }));
  page.on('pageerror', (e) => w.console.push({ type: 'pageerror', text: String(e?.stack ?? e), url: '' }));
  page.on('requestfailed', (r) => w.failedRequests.push(`${r.url()} ${r.failure()?.errorText}`));
  // Prove that nothing leaves the machine: whatever is not our server (or data:/blob:) is refused and noted.
  await context.route(/^https?:/, (route) => {
    if (new URL(route.request().url()).origin === server.url) return route.continue();
    w.externalRequests.push(route.request().url());
    return route.abort('internetdisconnected');
  });
  await opts.onPage?.(page); // before anything is loaded: exposeFunction, addInitScript, …
  await page.goto(workbenchUrl(server, opts), { waitUntil: 'domcontentloaded' });
  if (opts.waitReady !== false) await w.ready();
  w.openMs = performance.now() - t0;
  return w;
}

const esc = (s) => s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

export class Workbench {
  console = [];
  failedRequests = [];
  externalRequests = [];
  openMs = 0;
  constructor(server, browser, context, page, opts) {
    Object.assign(this, { server, browser, context, page, opts });
  }

  /** Workbench restored and the remote extension host connected. */
  async ready(timeout = 60000) {
    await this.page.locator('.monaco-workbench').waitFor({ timeout });
    // Theme, contributed views, commands and languages are there only once the remote extension host is up; it says so in its log.
    if (!this.opts.tests)
      await until(() => /Eager extensions activated/.test(this.exthostLog()), { timeout, what: 'the extension host' });
    await this.page.locator('.activitybar .action-item').first().waitFor({ timeout });
  }

  /** Run a command through the command palette by its label ("Debug: Start Debugging"). */
  async command(label, { timeout = 15000 } = {}) {
    const input = this.page.locator('.quick-input-widget input.input');
    const row = this.page
      .locator('.quick-input-list .monaco-list-row')
      .filter({ has: this.page.locator('.label-name', { hasText: new RegExp(`^${esc(label)}$`, 'i') }) })
      .first();
    await until(
      async () => {
        // contributed commands appear only once the extension host has reported them: ask again
        await this.page.keyboard.press('Escape');
        await this.page.keyboard.press('F1');
        await input.waitFor({ timeout: 3000 });
        await input.fill(`>${label}`);
        await row.waitFor({ timeout: 2000 });
        return true;
      },
      { timeout, what: `command "${label}" in the palette` },
    );
    await row.click();
    // The palette closes, or the command opens a picker of its own in its place.
    await until(async () => !(await input.isVisible()) || !(await input.inputValue()).startsWith('>'), {
      timeout: 5000,
      what: `the palette to close behind "${label}"`,
    });
  }

  /** Open a workspace file (path relative to the folder) through quick open. */
  async openFile(rel) {
    await this.page.keyboard.press('Escape');
    await this.page.keyboard.press('ControlOrMeta+P');
    const input = this.page.locator('.quick-input-widget input.input');
    await input.waitFor();
    await input.fill(rel);
    const row = this.page.locator('.quick-input-list .monaco-list-row', { hasText: path.basename(rel) }).first();
    await row.waitFor({ timeout: 15000 });
    await row.click();
    await this.page.locator('.tabs-container .tab.active', { hasText: path.basename(rel) }).waitFor();
    await this.page.locator('.editor-instance .view-lines').first().waitFor();
  }

  /** Click into the glyph margin of a visible line of the active editor. */
  async toggleBreakpoint(line) {
    const before = await this.breakpoints();
    const num = this.page
      .locator('.editor-instance .margin-view-overlays .line-numbers', { hasText: new RegExp(`^${line}$`) })
      .first();
    // The editor draws its lines anew after it has scrolled.
    const b = await until(() => num.boundingBox(), { what: `line ${line} to be in sight` });
    const m = await until(() => this.page.locator('.editor-instance .margin').first().boundingBox(), {
      what: 'the margin',
    });
    await this.page.mouse.click(m.x + 10, b.y + b.height / 2);
    await until(async () => (await this.breakpoints()) !== before, { what: `a breakpoint glyph at line ${line}` });
  }
  /** Number of breakpoint glyphs visible in the editor margins. */
  breakpoints() {
    return this.page
      .locator(
        '.glyph-margin-widgets [class*="codicon-debug-breakpoint"], .glyph-margin-widgets [class*="codicon-debug-stackframe-dot"]',
      )
      .count();
  }

  /** F5 and wait for the debug toolbar. */
  async startDebug() {
    await this.page.keyboard.press('F5');
    await this.page.locator('.debug-toolbar').waitFor({ timeout: 20000 });
  }
  /** Press a debug toolbar button by its tooltip: Continue, Step Over, Stop, … */
  async debugAction(name) {
    await this.page.locator(`.debug-toolbar .action-label[aria-label^="${name}"]:not(.disabled)`).first().click();
    await this.page.mouse.move(1, 1); // no tooltip in the next screenshot
  }
  /** Text of the Call Stack rows. */
  async callStack() {
    return this.page.locator('.debug-call-stack .monaco-list-row').allInnerTexts();
  }
  /** Line of the yellow "stopped here" glyph of the active editor, or undefined. */
  async stoppedLine() {
    const g = this.page.locator('.editor-instance .glyph-margin-widgets [class*="codicon-debug-stackframe"]').first();
    if (!(await g.count())) return undefined;
    const gb = await g.boundingBox();
    if (!gb) return undefined;
    for (const n of await this.page.locator('.editor-instance .margin-view-overlays .line-numbers').all()) {
      const b = await n.boundingBox();
      if (b && Math.abs(b.y - gb.y) < b.height / 2) return Number(await n.innerText());
    }
  }
  /** Variables view as { name: value } (expanded rows only). */
  async variables() {
    const rows = this.page.locator('.debug-variables .monaco-list-row');
    const out = {};
    for (const r of await rows.all()) {
      const name = (await r.locator('.expression .name').allInnerTexts())[0]?.replace(/:?\s*=?\s*$/, '').trim();
      if (name) out[name] = (await r.locator('.expression .value').allInnerTexts())[0] ?? '';
    }
    return out;
  }

  /** Show a view container of the activity bar by its title. */
  async activity(title) {
    const a = this.page.locator(`.activitybar .action-label[aria-label^="${title}"]`).first();
    await a.waitFor({ timeout: 15000 });
    const item = a.locator('xpath=ancestor::li[1]');
    if ((await item.getAttribute('class'))?.includes('checked')) return;
    await a.click();
  }

  /**
   * The innermost frame of a webview (an ordinary playwright Frame: locator(), evaluate(), …).
   * by: {title: <title> of its HTML} | {text} | {selector}
   */
  async webview(by, { timeout = 20000 } = {}) {
    return until(
      async () => {
        for (const f of this.page.frames()) {
          if (!/\/fake\.html/.test(f.url()) && f.name() !== 'active-frame') continue; // the content frame; its parent is pre/index.html
          try {
            const hit = await f.evaluate(
              (b) =>
                (b.title !== undefined && document.title === b.title) ||
                (b.text !== undefined && document.body?.innerText.includes(b.text)) ||
                (b.selector !== undefined && !!document.querySelector(b.selector)),
              by,
            );
            if (hit) return f;
          } catch {
            /* frame is being replaced */
          }
        }
      },
      {
        timeout,
        what: `webview ${JSON.stringify(by)}; frames: ${this.page
          .frames()
          .map((f) => f.url().slice(0, 120))
          .join(' | ')}`,
      },
    );
  }

  /** Messages of the notifications shown at the moment (toasts; with the driver flag there are none: opens the notification centre). */
  async notifications() {
    if (this.server.driver && !(await this.page.locator('.notifications-center.visible').count()))
      await this.command('Notifications: Show Notifications');
    return this.page.locator('.notification-list-item-message').allInnerTexts();
  }

  /** The report of "Developer: Startup Performance" (markdown); has "Extension Activation Stats". */
  async startupPerformance() {
    await this.command('Developer: Startup Performance');
    const ed = this.page.locator('.editor-group-container.active .monaco-editor').first();
    await ed.waitFor();
    await this.page.evaluate(() => navigator.clipboard.writeText(''));
    return until(
      async () => {
        // it fills up after opening
        await ed.click();
        await this.page.keyboard.press('ControlOrMeta+A');
        await this.page.keyboard.press('ControlOrMeta+C');
        const t = await this.page.evaluate(() => navigator.clipboard.readText());
        return /Extension Activation Stats/.test(t) && t;
      },
      { every: 300, what: 'the startup performance report' },
    );
  }
  /** { 'publisher.name': { loadCode, callActivate, finishActivate (ms), event } } of the extensions active by now. */
  async activationStats() {
    const t = await this.startupPerformance(),
      out = {};
    for (const l of t.slice(t.indexOf('## Extension Activation Stats')).split('\n').slice(1)) {
      if (l.startsWith('## ')) break;
      const c = l.split('|').map((x) => x.trim());
      if (c.length < 8 || !/^\d+$/.test(c[3])) continue;
      out[c[1]] = { loadCode: +c[3], callActivate: +c[4], finishActivate: +c[5], event: c[6] };
    }
    return out;
  }

  async screenshot(file) {
    fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
    await this.page.screenshot({ path: file });
    return file;
  }

  /** Console errors of the page, its webviews and (mirrored by VS Code) the extension host. */
  errors(ignore = KNOWN_NOISE) {
    return this.console.filter(
      (c) => (c.type === 'error' || c.type === 'pageerror') && !ignore.some((r) => r.test(c.text) || r.test(c.url)),
    );
  }

  /** Contents of the extension host's log file(s) on the server. */
  exthostLog() {
    const root = path.join(this.server.userData, 'logs');
    const out = [];
    const walk = (d) => {
      for (const e of fs.existsSync(d) ? fs.readdirSync(d, { withFileTypes: true }) : []) {
        const p = path.join(d, e.name);
        if (e.isDirectory()) walk(p);
        else if (/^(remote)?exthost.*\.log$/.test(e.name)) out.push(fs.readFileSync(p, 'utf8'));
      }
    };
    walk(root);
    return out.join('\n');
  }

  async close() {
    await this.browser.close();
  }
}

/** start server + open workbench, run f(workbench, server), always shut both down. On failure leaves a screenshot and the logs in opts.artifacts. */
export async function withWorkbench(opts, f) {
  const server = await startServer({ driver: !!(opts.devExtension || opts.tests), ...opts.server });
  let w;
  try {
    w = await openWorkbench(server, opts);
    return await f(w, server);
  } catch (e) {
    if (opts.artifacts) {
      fs.mkdirSync(opts.artifacts, { recursive: true });
      await w?.screenshot(path.join(opts.artifacts, 'failure.png')).catch(() => {});
      fs.writeFileSync(
        path.join(opts.artifacts, 'failure.log'),
        `${e.stack}\n\n--- console\n${w?.console.map((c) => `${c.type}: ${c.text}`).join('\n')}\n\n--- server\n${server.log()}\n\n--- exthost\n${w?.exthostLog() ?? ''}`,
      );
    }
    throw e;
  } finally {
    await w?.close().catch(() => {});
    await server.stop();
  }
}
