// The inspector page in headless Chromium, outside VS Code: the product's bundle under the product's own content security policy.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { inspectorHtml } from '../../../extension/views/inspector-html';
import type { InspectorModel, Screen } from '../../../webview/model/inspector';
import type { Theme } from '../../fixtures/inspector/themes';

const origin = 'http://inspector.test';
const root = join(__dirname, '../../..');

export interface PageSize {
  readonly width: number;
  readonly height: number;
}

function bundle(name: string): string {
  const file = join(root, 'dist', name);
  if (!existsSync(file)) throw new Error(`dist/${name} is missing: run "npm run build" first`);
  return readFileSync(file, 'utf8');
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
}

/** An empty inspector page. What it reports as errors, breaches of the policy included, is added to `problems`. */
export async function openInspector(browser: Browser, theme: Theme, size: PageSize, problems: string[]): Promise<Page> {
  const html = inspectorHtml({
    cspSource: origin,
    nonce: 'inspectorinspector',
    scriptUri: '/inspector.js',
    styleUri: '/inspector.css',
  });
  const files: Readonly<Record<string, readonly [string, string]>> = {
    '/': ['text/html', html],
    '/inspector.js': ['text/javascript', bundle('inspector.js')],
    '/inspector.css': ['text/css', bundle('inspector.css')],
  };
  const page = await browser.newPage({ viewport: size });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.route('**/*', async (route) => {
    const url = new URL(route.request().url());
    const file = url.origin === origin ? files[url.pathname] : undefined;
    if (file === undefined) {
      problems.push(`the page asked for ${url.href}`);
      await route.abort();
    } else await route.fulfill({ contentType: file[0], body: file[1] });
  });
  // As text, because a compiled function would refer to helpers of the compiler.
  await page.addInitScript(`
    const theme = ${JSON.stringify(theme)};
    globalThis.sent = [];
    globalThis.acquireVsCodeApi = () => ({ postMessage: (message) => sent.push(message), getState: () => undefined, setState: () => undefined });
    document.addEventListener('DOMContentLoaded', () => {
      document.body.className = theme.bodyClass;
      document.body.dataset.vscodeThemeKind = theme.bodyClass;
      for (const [name, value] of Object.entries(theme.variables)) document.documentElement.style.setProperty(name, value);
    });`);
  await page.goto(`${origin}/`);
  return page;
}

/** What the page sent to the extension so far. */
export async function sentBy(page: Page): Promise<readonly unknown[]> {
  return (await page.evaluate(() => Reflect.get(globalThis, 'sent') as unknown[])).slice();
}

/** Sends a snapshot and waits until it is drawn. */
export async function show(page: Page, model: InspectorModel, screen: Screen): Promise<void> {
  await page.evaluate(
    (messages) => {
      for (const message of messages) window.postMessage(message, '*');
    },
    [
      { type: 'snapshot', model },
      { type: 'show', screen },
    ],
  );
  await page.waitForFunction(
    (sequence) => JSON.stringify(Reflect.get(globalThis, 'sent')).includes(`"sequence":${sequence}`),
    model.sequence,
  );
  await page.waitForFunction((name) => document.querySelector(`main.${name}, main.bare`) !== null, screen);
}
