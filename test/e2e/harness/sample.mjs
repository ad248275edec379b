// The sample project in a workbench, as a user meets it: installed from the package, workspace trust on, extension folder read-only, no
// network. What can be seen is read from the page; nothing reaches behind it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { KNOWN_NOISE, until, withWorkbench } from './workbench.mjs';

export const root = path.resolve(import.meta.dirname, '../../..');
export const vsix = path.join(root, 'dist/ringside.vsix');
export const sampleSource = path.join(root, 'media/sample');
/** Where a failing test leaves its picture and logs. */
export const artifacts = (name) => path.join(root, 'out/e2e', name);

/** Workspace trust as it comes; a terminal whose text is in the page, not in a canvas. */
const settings = { 'security.workspace.trust.enabled': true, 'terminal.integrated.gpuAcceleration': 'off' };

/**
 * A fresh copy of the sample in a workbench. `f` gets the workbench and the folder; afterwards nothing may have left the machine, no error
 * may stand in the console, and neither extension nor disk image may have changed.
 */
export async function withSample(name, options, f) {
  const folder = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-e2e-')), 'sample');
  fs.cpSync(sampleSource, folder, { recursive: true });
  options.prepare?.(folder);
  try {
    await withRingside(name, { ...options, folder }, async (w) => {
      await f(w, folder);
      const image = fs.readFileSync(path.join(folder, 'disk.img'));
      assert.ok(image.equals(fs.readFileSync(path.join(sampleSource, 'disk.img'))), 'the disk image is byte-identical');
    });
  } finally {
    fs.rmSync(path.dirname(folder), { recursive: true, force: true });
  }
}

/** A workbench with the packaged extension. `told`: messages to the user, which VS Code also writes to its console. */
export async function withRingside(name, { folder, viewport, settings: more, told = [] }, f) {
  const server = {
    vsix: [vsix],
    trust: true,
    readOnlyExtensions: true,
    settings: { ...settings, ...more },
    env: { HOME: fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-home-')) },
  };
  try {
    await withWorkbench(
      { folder, artifacts: artifacts(name), viewport: viewport ?? { width: 1600, height: 1000 }, server },
      async (w, { exts }) => {
        const before = fingerprint(exts);
        await f(w, server.env.HOME);
        assert.deepEqual(w.externalRequests, [], 'nothing was asked of another host');
        assert.deepEqual(
          w.errors([...KNOWN_NOISE, ...told]).map((error) => error.text),
          [],
          'the console has no error',
        );
        assert.deepEqual(fingerprint(exts), before, 'the extension folder is as it was installed');
      },
    );
  } finally {
    fs.rmSync(server.env.HOME, { recursive: true, force: true });
  }
}

/** Path and hash of each file of the extension. */
function fingerprint(extensions) {
  const installed = fs.readdirSync(extensions).filter((entry) => entry.startsWith('ringside.'));
  assert.equal(installed.length, 1, 'the extension is installed once');
  const base = path.join(extensions, installed[0]);
  return fs
    .readdirSync(base, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
    .map((file) => `${path.relative(base, file)} ${createHash('sha256').update(fs.readFileSync(file)).digest('hex')}`);
}

/** The only line of a sample source that contains the text; with several texts, the first line behind them in this order. */
export function lineOf(file, ...texts) {
  const lines = fs.readFileSync(path.join(sampleSource, file), 'utf8').split('\n');
  let at = -1;
  for (const text of texts) {
    at = lines.findIndex((line, index) => index > at && line.includes(text));
    assert.ok(at >= 0, `${file} has no line with "${text}" there`);
  }
  return at + 1;
}

/**
 * What the faulty driver does wrong, in the order of a run: rule, title, blamed file and line, the file of the
 * stop if that is another, and whether the screen that comes up has a cell for it.
 */
export const mistakes = [
  {
    rule: 'init.no-acknowledge',
    title: 'Driver skipped ACKNOWLEDGE',
    file: 'virtio_mmio.c',
    line: lineOf('faulty/virtio_mmio.c', 'status = DRIVER;', 'mmio_write32(base + Status, status);'),
  },
  {
    rule: 'features.over-accepted',
    title: 'Driver accepted a feature that is not offered',
    file: 'virtio_mmio.c',
    line: lineOf('faulty/virtio_mmio.c', 'mmio_write32(base + DriverFeatures, (uint32_t)features);'),
  },
  {
    rule: 'init.features-ok-not-read-back',
    title: 'Driver did not read FEATURES_OK back',
    file: 'virtio_mmio.c',
    line: lineOf('faulty/virtio_mmio.c', 'mmio_write32(base + QueueSize, QUEUE_SIZE);'),
    marked: false,
  },
  {
    rule: 'config.width',
    title: 'Driver accessed a configuration field at a wrong width',
    file: 'virtio_mmio.c',
    line: lineOf('faulty/virtio_mmio.c', 'value = mmio_read64(base + Config + offset);'),
  },
  {
    rule: 'ownership.descriptor-changed',
    title: 'Driver changed a descriptor that the device owns',
    file: 'virtio_blk.c',
    line: lineOf('faulty/virtio_blk.c', 'queue.desc[last].next = 0;'),
  },
  {
    rule: 'split.indirect-not-negotiated',
    title: 'Driver used an indirect descriptor without VIRTIO_F_INDIRECT_DESC',
    file: 'virtio_blk.c',
    line: lineOf('faulty/virtio_blk.c', 'queue.desc[head].flags = VIRTQ_DESC_F_INDIRECT;'),
    stopsLater: 'virtqueue.c',
  },
  {
    rule: 'interrupt.undefined-bits-acknowledged',
    title: 'Driver acknowledged interrupt bits that do not exist',
    file: 'virtio_mmio.c',
    line: lineOf('faulty/virtio_mmio.c', 'mmio_write32(base + InterruptACK'),
    marked: false,
  },
];

/** F5, and the question for trust that comes with it in a folder that was not trusted before. */
export async function pressF5(w, trust) {
  await w.page.keyboard.press('F5');
  if (trust !== undefined)
    await w.page.locator('.monaco-dialog-box').getByRole('button', { name: trust }).click({ timeout: 20_000 });
}

/** Starts a launch configuration by its name. */
export async function startConfiguration(w, name) {
  await w.command('Debug: Select and Start Debugging');
  await w.page.locator('.quick-input-list .monaco-list-row', { hasText: name }).first().click();
}

/**
 * Title and text of the exception widget, once it tells of this. On a slow machine VS Code may fetch the stack twice and then finds that the
 * frame in focus is not in it: it shows the widget when the frame is chosen again.
 */
export async function exceptionWidget(w, title) {
  const widget = w.page.locator('.exception-widget').filter({ hasText: title });
  // Not the accessor that only carries the access: its frame is dimmed and has no widget.
  const told = w.page.locator('.debug-call-stack .monaco-list-row');
  let tries = 0;
  await until(
    async () => {
      await widget.waitFor({ timeout: 6000 }).catch(async (error) => {
        await told.nth((tries++ + 1) % 2).click();
        throw error;
      });
      return true;
    },
    { timeout: 40_000, what: `the exception widget with “${title}”` },
  );
  return (await widget.innerText()).replace(/\u00a0/g, ' ');
}

/** Waits until this file is the active editor. */
export const openEditor = (w, file) =>
  w.page.locator('.tabs-container .tab.active', { hasText: file }).first().waitFor({ timeout: 30_000 });

/** Waits until the guest stands at this line of this file. */
export async function standsAt(w, file, line) {
  await openEditor(w, file);
  await until(async () => (await w.stoppedLine()) === line, { timeout: 30_000, what: `a stop at ${file}:${line}` });
}

/** A view of the side bar by its title. */
export const pane = (w, title) => w.page.locator(`.pane:has(.pane-header .title:text-is("${title}"))`);

/** Rows of the Problems panel: `message [code] [Ln 49, Col 5]`. */
export async function problems(w) {
  if (!(await w.page.locator('.markers-panel').isVisible())) await w.command('Problems: Focus on Problems View');
  return (await w.page.locator('.markers-panel .monaco-list-row').allInnerTexts()).map((text) =>
    text.replace(/\s+/g, ' '),
  );
}

/** The inspector's page: a frame. */
export const inspector = (w) => w.webview({ title: 'Ringside Inspector' });

/** Turns the inspector to a screen. */
export async function showScreen(page, screen) {
  await page.locator(`#tab-${screen}`).click();
  await page.locator(`main.${screen}`).waitFor();
}

/** All that was printed in the terminal that is shown, as the accessible view of the terminal has it. */
export async function terminalText(w) {
  return (await w.page.locator('.terminal-wrapper .xterm-rows > div').allInnerTexts())
    .map((line) => line.replace(/\u00a0/g, ' ').trimEnd())
    .join('\n');
}

/** Steps of one story in one workbench: a subtest each. A step that fails leaves a picture, and those behind it are not tried. */
export function story(t, w, name) {
  let broken;
  return (title, f) =>
    t.test(title, async (step) => {
      if (broken !== undefined) throw new Error(`not tried, because “${broken}” failed`);
      try {
        await f(step);
      } catch (error) {
        broken = title;
        await w.screenshot(path.join(artifacts(name), `${title.replace(/\W+/g, '-')}.png`));
        throw error;
      }
    });
}
