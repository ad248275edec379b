// The inspector page in a real browser, under its own content security policy: what it draws, what it lets in, what it sends.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { parseIntent, plainText, type DescriptorRow, type InspectorModel } from '../../webview/model/inspector';
import { scenes } from '../fixtures/inspector/scenes';
import { themes } from '../fixtures/inspector/themes';
import { launchBrowser, openInspector, sentBy, show, type PageSize } from './harness/inspector-page';

const wide: PageSize = { width: 1100, height: 800 };
const narrow: PageSize = { width: 360, height: 800 };
const [dark] = themes;

function modelOf(name: string): InspectorModel {
  const scene = scenes.find((each) => each.name === name);
  assert.ok(scene !== undefined);
  return scene.model;
}

describe('inspector page', () => {
  let browser: Browser;
  const problems: string[] = [];
  const open = async (size: PageSize = wide): Promise<Page> => {
    assert.ok(dark !== undefined);
    return openInspector(browser, dark, size, problems);
  };
  const using = async (size: PageSize, body: (page: Page) => Promise<void>): Promise<void> => {
    const page = await open(size);
    try {
      await body(page);
    } finally {
      await page.close();
    }
    assert.deepEqual(problems.splice(0), []);
  };

  before(async () => {
    browser = await launchBrowser();
  });
  after(async () => {
    await browser.close();
  });

  it('draws every scene in every theme and width without an error or a breach of its policy', async () => {
    for (const theme of themes) {
      for (const size of [wide, narrow]) {
        const page = await openInspector(browser, theme, size, problems);
        let sequence = 1;
        for (const scene of scenes) {
          await show(page, { ...scene.model, sequence: sequence++ }, scene.screen);
          const text = await page.locator('#inspector').innerText();
          assert.ok(text.length > 40, `${scene.name}: ${text}`);
          assert.doesNotMatch(text, /undefined|NaN|\[object/, scene.name);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          assert.ok(overflow <= 0, `${scene.name} is ${overflow} pixels too wide`);
        }
        await page.close();
      }
    }
    assert.deepEqual(problems.splice(0), []);
  });

  it('says hello, acknowledges each picture, and sends only intents', async () => {
    await using(wide, async (page) => {
      await show(page, modelOf('split'), 'queues');
      const sent = await sentBy(page);
      assert.deepEqual(sent[0], { type: 'ready' });
      assert.ok(sent.some((message) => JSON.stringify(message) === '{"type":"rendered","sequence":1}'));
      for (const message of sent) assert.notEqual(parseIntent(message), null, JSON.stringify(message));
    });
  });

  it('keeps the newest picture when an older one comes late, and survives nonsense', async () => {
    await using(wide, async (page) => {
      await show(page, { ...modelOf('split'), sequence: 9, step: 999 }, 'queues');
      await page.evaluate(
        (messages) => {
          for (const message of messages) window.postMessage(message, '*');
        },
        [
          { type: 'snapshot', model: { ...modelOf('split'), sequence: 8, step: 111 } },
          null,
          7,
          { type: 'snapshot', model: { sequence: 'x' } },
          { type: 'show', screen: 'nowhere' },
        ],
      );
      await show(page, { ...modelOf('split'), sequence: 10, step: 1_000 }, 'queues');
      assert.match(await page.locator('.clock').innerText(), /step 1,000/);
    });
  });

  it('shows guest strings as text and nothing else', async () => {
    const hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>${7*7}';
    const poison = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(poison);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value).map(([key, each]) => [
          key,
          typeof each === 'string' &&
          ['label', 'strong', 'part', 'request', 'note', 'title', 'function', 'text', 'value', 'name'].includes(key)
            ? hostile
            : poison(each),
        ]),
      );
    };
    await using(wide, async (page) => {
      let sequence = 1;
      for (const scene of scenes) {
        const model = poison(scene.model) as InspectorModel;
        await show(page, { ...model, sequence: sequence++ }, scene.screen);
        assert.equal(await page.locator('img, script:not([nonce]), iframe, object').count(), 0, scene.name);
      }
      assert.equal(await page.title(), 'Ringside Inspector');
    });
  });

  it('is driven by keys', async () => {
    await using(wide, async (page) => {
      await show(page, modelOf('violation'), 'violations');
      await page.keyboard.press('p');
      await page.keyboard.press(']');
      await page.keyboard.press('3');
      await page.waitForSelector('main.queues');
      await page.locator('.descriptors tr[data-row]').first().focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowDown');
      assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('data-thing')), 'd2');
      await page.locator('.descriptors tr[data-thing=d3]').focus();
      await page.keyboard.press('Enter');
      await page.locator('.chain [data-card]').first().focus();
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('ArrowDown');
      assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('data-thing')), 'd3');
      const sent = JSON.stringify(await sentBy(page));
      assert.match(sent, /"type":"goToSource","file":"\/guest\/driver\.c","line":158/);
      assert.match(sent, /"type":"nextRingEvent"/);
      assert.match(sent, /"type":"showMemory","address":"0x80210040","lengthBytes":16/);
    });
  });

  it('outlines a thing wherever it appears and tells its bytes', async () => {
    await using(wide, async (page) => {
      await show(page, modelOf('split'), 'queues');
      await page.locator('.descriptors tr[data-thing=d3]').hover();
      assert.equal(await page.locator('[data-same]').count(), 3);
      assert.match(await page.locator('#hover').innerText(), /VIRTIO_BLK_T_OUT: write/);
      await page.keyboard.press('Escape');
      assert.equal(await page.locator('#hover').isVisible(), false);
    });
  });

  it('narrates to those who cannot see it, but not while the guest runs', async () => {
    await using(wide, async (page) => {
      const stopped = modelOf('split');
      await show(page, stopped, 'queues');
      const live = page.locator('[role=status]');
      assert.equal(await live.getAttribute('aria-live'), 'polite');
      const words = (await live.innerText()).replaceAll(/\s+/g, ' ');
      assert.ok(words.includes(plainText(stopped.narration?.sentence ?? ['-'])));
      await show(page, { ...stopped, session: 'running', sequence: 2 }, 'queues');
      assert.equal(await live.getAttribute('aria-live'), 'off');
    });
  });

  it('has a text form of every picture, and a name for every control', async () => {
    await using(wide, async (page) => {
      let sequence = 1;
      for (const scene of scenes) {
        await show(page, { ...scene.model, sequence: sequence++ }, scene.screen);
        const mute = await page.evaluate(() =>
          Array.from(document.querySelectorAll('#inspector svg'))
            .filter(
              (svg) =>
                svg.closest('[aria-hidden=true]') === null &&
                !(svg.getAttribute('role') === 'img' && (svg.getAttribute('aria-label') ?? '') !== ''),
            )
            .map((svg) => svg.outerHTML.slice(0, 120)),
        );
        assert.deepEqual(mute, [], scene.name);
        const nameless = await page.evaluate(() =>
          Array.from(document.querySelectorAll('#inspector button, #inspector vscode-button'))
            .filter(
              (button) => (button.textContent ?? '').trim() === '' && (button.getAttribute('aria-label') ?? '') === '',
            )
            .map((button) => button.outerHTML.slice(0, 120)),
        );
        assert.deepEqual(nameless, [], scene.name);
      }
    });
  });

  it('draws the largest queue with few rows, and asks for those it was not sent', async () => {
    const large = modelOf('split256');
    assert.ok(large.queue !== null && large.device !== null);
    const size = 32_768;
    const [row] = large.queue.descriptors;
    assert.ok(row !== undefined);
    const rows = Array.from({ length: 300 }, (_, index): DescriptorRow => ({ ...row, index }));
    const model: InspectorModel = {
      ...large,
      queue: { ...large.queue, size, states: 'IA'.repeat(size / 2), descriptors: rows },
    };
    await using(wide, async (page) => {
      await show(page, model, 'queues');
      assert.ok((await page.locator('#list-descriptors tr').count()) < 100);
      await page.locator('#list-descriptors').evaluate((list) => {
        list.scrollTop = 24 * 20_000;
      });
      await page.waitForFunction(
        () => document.querySelector('#list-descriptors tbody')?.textContent?.includes('20000') === true,
      );
      assert.ok((await page.locator('#list-descriptors tr').count()) < 100);
      await page.waitForFunction(() => JSON.stringify(Reflect.get(globalThis, 'sent')).includes('"type":"showRows"'));
      const asked = (await sentBy(page)).map(parseIntent).find((intent) => intent?.type === 'showRows');
      assert.ok(asked?.type === 'showRows' && asked.first <= 20_000 && asked.first + asked.count > 20_000);
    });
  });

  it('keeps to one column in a side bar', async () => {
    await using(narrow, async (page) => {
      await show(page, modelOf('split'), 'queues');
      assert.equal(await page.locator('.rings').count(), 0);
      assert.equal(await page.locator('.pointers tr').count(), 4);
      assert.match(await page.locator('.mini-chain').nth(1).innerText(), /3 → 4 → 5/);
    });
  });
});
