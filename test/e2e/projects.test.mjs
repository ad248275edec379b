// Ways into a project: the sample from the palette, the walkthrough, folders without a launch.json, and configurations that are wrong.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { pressF5, sampleSource, story, withRingside, withSample } from './harness/sample.mjs';
import { until } from './harness/workbench.mjs';

const dialog = (w) => w.page.locator('.monaco-dialog-box');
const files = (folder) => fs.readdirSync(folder, { recursive: true }).sort();

test('from an empty window to a running sample', { timeout: 240_000 }, async (t) => {
  await withRingside(
    'from-nothing',
    { told: [/Long running operations during shutdown/, /IndexedDB database/] },
    async (w, home) => {
      const step = story(t, w, 'from-nothing');

      await step('the walkthrough opens, and its steps lead on', async () => {
        await w.command('Ringside: Open Walkthrough');
        await w.page.getByText('See virtio with Ringside').first().waitFor();
        for (const title of [
          'Open the sample',
          'Press F5',
          'Look at the device',
          'Step the ring',
          'Boot your own guest',
        ])
          await w.page.locator('.getting-started-step', { hasText: title }).waitFor();
        await w.page.locator('.getting-started-step img, .getting-started-media img').first().waitFor();
      });

      await step('without a guest the views say how to begin', async () => {
        await w.activity('Ringside');
        await w.page.locator('.welcome-view', { hasText: 'Boot a guest' }).waitFor();
        await w.command('Ringside: Open Inspector');
        const page = await w.webview({ title: 'Ringside Inspector' });
        await page.getByRole('heading', { name: 'No session' }).waitFor();
      });

      await step('Open Sample Project copies every file, asks before, and opens the folder', async () => {
        await w.command('Ringside: Open Sample Project');
        await dialog(w).getByRole('button', { name: 'Put it in my home folder' }).click();
        const folder = path.join(home, 'ringside-sample');
        await until(() => fs.existsSync(path.join(folder, 'virtqueue.h')), { what: 'the copied sample' });
        await w.page
          .locator('.explorer-folders-view .monaco-list-row', { hasText: 'faulty.elf' })
          .waitFor({ timeout: 60_000 });
        assert.deepEqual(files(folder), files(sampleSource));
        for (const file of files(folder).filter((name) => fs.statSync(path.join(folder, name)).isFile()))
          assert.ok(
            fs.readFileSync(path.join(folder, file)).equals(fs.readFileSync(path.join(sampleSource, file))),
            file,
          );
        for (const file of ['faulty.elf', 'disk.img', '.vscode/launch.json'])
          assert.notEqual(fs.statSync(path.join(folder, file)).mode & 0o200, 0, `${file} can be written`);
      });
    },
  );
});

const broken = {
  type: 'virtio',
  request: 'launch',
  name: 'broken',
  program: '${workspaceFolder}/faulty.elf',
  memroy: '1G',
  devices: [{ type: 'block' }, { type: 'floppy' }],
};
const missing = { type: 'virtio', request: 'launch', name: 'missing', program: '${workspaceFolder}/nowhere.elf' };
const writing = {
  type: 'virtio',
  request: 'launch',
  name: 'odd image',
  program: '${workspaceFolder}/correct.elf',
  devices: [{ type: 'block', image: '${workspaceFolder}/odd.img' }],
};

/** Starts what the Run and Debug view has chosen, by name. */
async function start(w, name) {
  await w.command('Debug: Select and Start Debugging');
  await w.page.locator('.quick-input-list .monaco-list-row', { hasText: name }).first().click();
}

test('what cannot start says why', { timeout: 240_000 }, async (t) => {
  const prepare = (folder) => {
    const configurations = [broken, missing, writing];
    fs.writeFileSync(path.join(folder, '.vscode/launch.json'), JSON.stringify({ version: '0.2.0', configurations }));
    fs.writeFileSync(path.join(folder, 'odd.img'), Buffer.alloc(700));
  };
  await withSample('what-cannot-start', { prepare, told: [/“broken” cannot start/] }, async (w, folder) => {
    const step = story(t, w, 'what-cannot-start');

    await step('a wrong configuration is refused with every problem, before anything starts', async () => {
      await start(w, 'broken');
      await dialog(w).getByRole('button', { name: /Trust/ }).click();
      const said = w.page.locator('.notification-list-item-message', { hasText: 'cannot start' });
      await said.waitFor();
      const text = await said.innerText();
      assert.match(text, /memroy: unknown attribute \(did you mean "memory"\?\)/);
      assert.match(text, /devices\[0\]\.image: missing/);
      assert.match(text, /devices\[1\]\.type: found "floppy", expected one of block, console, entropy/);
      assert.equal(await w.page.locator('.debug-toolbar').count(), 0);
      await w.command('Notifications: Clear All Notifications');
    });

    await step('a guest that is not there, and an image of an odd size, are named', async () => {
      for (const [name, words] of [
        ['missing', /nowhere\.elf/],
        ['odd image', /odd\.img.*(512|sector)/s],
      ]) {
        await start(w, name);
        await dialog(w).waitFor();
        const text = await dialog(w).innerText();
        assert.match(text, words);
        await dialog(w).getByRole('button', { name: 'Cancel' }).click();
        await dialog(w).waitFor({ state: 'hidden' });
        await w.page.locator('.statusbar-item', { hasText: 'virtio:' }).waitFor({ state: 'hidden' });
      }
    });

    await step('without a launch.json there is a choice of the guests, and the chosen one boots', async () => {
      fs.rmSync(path.join(folder, '.vscode'), { recursive: true });
      await w.openFile('main.c');
      const guest = w.page.locator('.quick-input-widget input[placeholder="Which guest shall boot?"]');
      const kind = w.page.locator('.quick-input-list .monaco-list-row', { hasText: 'Ringside (virtio guest)' });
      // That launch.json is gone reaches the workbench a little later.
      await until(
        async () => {
          await pressF5(w);
          await guest.or(kind).first().waitFor({ timeout: 3000 });
          return true;
        },
        { timeout: 30_000, what: 'a choice' },
      );
      if (await kind.isVisible()) await kind.click();
      await guest.waitFor();
      const row = (text) => w.page.locator('.quick-input-list .monaco-list-row', { hasText: text });
      await row('correct.elf').waitFor();
      await row('faulty.elf').waitFor();
      await row('correct.elf').click();
      await w.page.locator('.terminal-wrapper, .debug-toolbar').first().waitFor();
      await until(async () => (await w.page.locator('.terminal-wrapper .xterm-rows').innerText()).includes('done'), {
        what: 'the end of the guest',
      });
    });
  });
});
