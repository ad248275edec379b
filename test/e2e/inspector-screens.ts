// Draws every scene of the inspector in headless Chromium, in three themes and two widths, under the product's own content security
// policy. Run: npx tsx test/e2e/inspector-screens.ts [folder] [scene ...]. It fails when the page reports an error or a policy breach.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { inspectorHtml } from '../../extension/views/inspector-html';
import { scenes, type Scene } from '../fixtures/inspector/scenes';
import { themes, type Theme } from '../fixtures/inspector/themes';

const origin = 'http://inspector.test';
const sizes = [
  { name: '', width: 1100, height: 800 },
  { name: '-side', width: 360, height: 800 },
] as const;
type Size = (typeof sizes)[number];

const [folder = 'dist/screens', ...wanted] = process.argv.slice(2);
const root = join(__dirname, '../..');
const files: Readonly<Record<string, readonly [string, string]>> = {
  '/inspector.js': ['text/javascript', readFileSync(join(root, 'dist/inspector.js'), 'utf8')],
  '/inspector.css': ['text/css', readFileSync(join(root, 'dist/inspector.css'), 'utf8')],
  '/': [
    'text/html',
    inspectorHtml({
      cspSource: origin,
      nonce: 'screenshotscreenshot',
      scriptUri: '/inspector.js',
      styleUri: '/inspector.css',
    }),
  ],
};

async function open(browser: Browser, theme: Theme, size: Size, problems: string[]): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: size.width, height: size.height } });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.route(`${origin}/**`, async (route) => {
    const file = files[new URL(route.request().url()).pathname];
    if (file === undefined) await route.fulfill({ status: 404 });
    else await route.fulfill({ contentType: file[0], body: file[1] });
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

async function draw(page: Page, scene: Scene, file: string): Promise<void> {
  await page.evaluate(
    ({ model, screen }) => {
      window.postMessage({ type: 'snapshot', model }, '*');
      window.postMessage({ type: 'show', screen }, '*');
    },
    { model: scene.model, screen: scene.screen },
  );
  await page.waitForFunction((sequence) => {
    const sent: unknown = Reflect.get(globalThis, 'sent');
    return JSON.stringify(sent).includes(`"sequence":${sequence}`);
  }, scene.model.sequence);
  await page.waitForFunction((screen) => document.querySelector(`main.${screen}, main.bare`) !== null, scene.screen);
  if (scene.open?.feature !== undefined)
    await page.locator(`tr:has(td:text-is("${scene.open.feature}"))`).first().click();
  if (scene.open?.hover !== undefined) await page.locator(`[data-thing="${scene.open.hover}"]`).last().hover();
  await page.screenshot({ path: file, caret: 'initial' });
}

async function main(): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const problems: string[] = [];
  try {
    for (const scene of scenes) {
      if (wanted.length > 0 && !wanted.includes(scene.name)) continue;
      for (const theme of themes) {
        for (const size of sizes) {
          const page = await open(browser, theme, size, problems);
          await draw(page, scene, join(folder, `${scene.name}${size.name}-${theme.name}.png`));
          await page.close();
        }
      }
    }
  } finally {
    await browser.close();
  }
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

void main();
