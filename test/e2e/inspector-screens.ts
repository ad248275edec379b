// Draws every scene of the inspector in headless Chromium, in three themes and two widths, so that people can look at it.
// Run: npx tsx test/e2e/inspector-screens.ts [folder] [scene ...]. It fails when the page reports an error or a policy breach.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { scenes, type Scene } from '../fixtures/inspector/scenes';
import { themes } from '../fixtures/inspector/themes';
import { launchBrowser, openInspector, show } from './harness/inspector-page';

const sizes = [
  { name: '', width: 1100, height: 800 },
  { name: '-side', width: 360, height: 800 },
] as const;

const [folder = 'dist/screens', ...wanted] = process.argv.slice(2);

async function draw(page: Page, scene: Scene, file: string): Promise<void> {
  await show(page, scene.model, scene.screen);
  if (scene.open?.feature !== undefined)
    await page.locator(`tr:has(td:text-is("${scene.open.feature}"))`).first().click();
  if (scene.open?.hover !== undefined) await page.locator(`[data-thing="${scene.open.hover}"]`).last().hover();
  await page.screenshot({ path: file, caret: 'initial' });
}

async function main(): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const browser = await launchBrowser();
  const problems: string[] = [];
  try {
    for (const scene of scenes) {
      if (wanted.length > 0 && !wanted.includes(scene.name)) continue;
      for (const theme of themes) {
        for (const size of sizes) {
          const page = await openInspector(browser, theme, size, problems);
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
