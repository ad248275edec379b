// Next Ring Event, step by step through the first requests of the correct driver, and back again. After each step the inspector's picture is compared with
// the trace that the command line writes of the same guest, folded up to the same event by the code below.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import {
  inspector,
  lineOf,
  pane,
  pressF5,
  root,
  showScreen,
  standsAt,
  startConfiguration,
  story,
  withSample,
} from './harness/sample.mjs';
import { until } from './harness/workbench.mjs';

const steps = 26;
const back = 9;
const [NEXT, WRITE] = [1, 2];

/** The events of a free run on the command line. */
function traceOf(folder) {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-trace-')), 'trace.jsonl');
  const block = `block,name=vda,serial=ringside-sample,image=${path.join(folder, 'disk.img')}`;
  const command = [
    'run',
    '--device',
    block,
    '--device',
    'entropy,name=rng',
    '--trace',
    file,
    path.join(folder, 'correct.elf'),
  ];
  execFileSync(process.execPath, [path.join(root, 'dist/cli.js'), ...command], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const events = fs
    .readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  fs.rmSync(path.dirname(file), { recursive: true });
  return events;
}

/** What stands in the ring, and who owns each descriptor, after the first `count` events. */
function ringAfter(events, count) {
  const ring = {
    status: 0,
    availIdx: 0,
    usedIdx: 0,
    avail: new Map(),
    used: new Map(),
    fields: new Map(),
    owner: new Map(),
  };
  const chains = new Map();
  const usedHeads = [];
  const own = (chain) => [
    ...chain.tables.map((table) => table.index),
    ...chain.elements.filter((one) => !one.indirect).map((one) => one.index),
  ];
  for (const event of events.slice(0, count)) {
    if (event.device !== 'vda') continue;
    if (event.kind === 'status-write') ring.status = event.after;
    if (event.kind === 'ring-store' && event.place.table === undefined) {
      const { part, field, index, slot } = event.place;
      const value = BigInt(event.after);
      if (part === 'descriptor') {
        ring.fields.set(`${index}.${field}`, value);
        if (field !== 'next') ring.owner.set(index, 'B');
      }
      if (part === 'available' && field === 'idx') ring.availIdx = Number(value);
      if (part === 'available' && field === 'ring') ring.avail.set(slot, Number(value));
    }
    if (event.kind === 'publish')
      for (const chain of event.chains) {
        chains.set(chain.head, own(chain));
        for (const index of own(chain)) ring.owner.set(index, 'A');
      }
    if (event.kind === 'fetch') for (const index of own(event.chain)) ring.owner.set(index, 'I');
    if (event.kind === 'used') {
      ring.usedIdx = event.usedIndex;
      ring.used.set(event.slot, { id: event.head, length: event.length });
      usedHeads.push(event.head);
      for (const index of chains.get(event.head)) ring.owner.set(index, 'U');
    }
    if (event.kind === 'collect')
      for (const head of usedHeads.slice(event.before, event.after))
        for (const index of chains.get(head)) if (ring.owner.get(index) === 'U') ring.owner.set(index, 'F');
  }
  return ring;
}

/** What the page shows of the split ring, as text. */
function readPicture(page) {
  return page.evaluate(() => {
    const rows = (name) =>
      [...document.querySelectorAll(`section.${name} tr[data-row]`)].map((row) =>
        [...row.cells].map((cell) => cell.innerText.trim()),
      );
    const position = (name) => /idx ([\d,]+)/.exec(document.querySelector(`section.${name} thead`).innerText)[1];
    return {
      past: document.querySelector('.chip.past') !== null,
      stopped: [...document.querySelectorAll('.chip')].some((chip) => chip.innerText.includes('Stopped')),
      events: document.querySelector('.transport').innerText,
      availIdx: position('available'),
      usedIdx: position('used'),
      available: rows('available'),
      used: rows('used'),
      descriptors: rows('descriptors'),
    };
  });
}

const eventsIn = (picture) => number(/event ([\d,]+) of/.exec(picture.events)[1]);

/** The picture of the next stop, with more than `count` events in it: before that the page does not take a step. */
async function pictureBehind(page, count, timeout = 30_000) {
  const newer = async () => {
    const picture = await readPicture(page);
    return picture.stopped && eventsIn(picture) > count && picture;
  };
  return until(newer, { timeout, what: `a picture behind event ${count}` });
}

const number = (text) => Number(text.replace(/[,_]/g, ''));

function compare(picture, events) {
  const count = eventsIn(picture);
  const ring = ringAfter(events, count);
  const at = `after event ${count} (${events[count - 1].kind})`;
  assert.equal(number(picture.availIdx), ring.availIdx & 0xffff, `available idx ${at}`);
  assert.equal(number(picture.usedIdx), ring.usedIdx & 0xffff, `used idx ${at}`);
  for (const [slot, , head] of picture.available) {
    const stored = ring.avail.get(number(slot));
    if (stored !== undefined) assert.equal(number(head), stored, `available ring[${slot}] ${at}`);
  }
  for (const [slot, id, length] of picture.used) {
    const stored = ring.used.get(number(slot));
    if (stored !== undefined)
      assert.deepEqual([number(id), number(length)], [stored.id, stored.length], `used ring[${slot}] ${at}`);
  }
  for (const [owner, index, address, length, direction, , next] of picture.descriptors) {
    const field = (name) => ring.fields.get(`${index}.${name}`);
    assert.equal(owner, ring.owner.get(number(index)) ?? 'F', `owner of descriptor ${index} ${at}`);
    if (owner === 'F') continue;
    if (field('addr') !== undefined)
      assert.equal(number(address), Number(field('addr')), `address of descriptor ${index} ${at}`);
    if (field('len') !== undefined)
      assert.equal(number(length), Number(field('len')), `length of descriptor ${index} ${at}`);
    if (field('flags') === undefined) continue;
    const flags = Number(field('flags'));
    if ((flags & 4) === 0)
      assert.equal(direction, (flags & WRITE) !== 0 ? '← dev' : '→ dev', `direction of descriptor ${index} ${at}`);
    if ((flags & NEXT) === 0) assert.equal(next, '–', `next of descriptor ${index} ${at}`);
    else if (field('next') !== undefined)
      assert.equal(number(next), Number(field('next')), `next of descriptor ${index} ${at}`);
  }
  return { count, kind: events[count - 1].kind };
}

test('Next Ring Event moves the picture, and the picture says what the trace says', { timeout: 300_000 }, async (t) => {
  await withSample('ring-steps', { viewport: { width: 2300, height: 1000 } }, async (w, folder) => {
    const step = story(t, w, 'ring-steps');
    const events = traceOf(folder);
    const line = lineOf('virtqueue.c', 'queue->avail.ring[queue->next_avail % QUEUE_SIZE] = head;');
    let page;
    let live = 0;

    await step('a breakpoint stops where the first chain is published', async () => {
      await w.openFile('virtqueue.c');
      await w.command('Go to Line/Column...');
      await w.page.keyboard.type(`${line}`);
      await w.page.keyboard.press('Enter');
      await w.toggleBreakpoint(line);
      await startConfiguration(w, 'Ringside: correct driver');
      await w.page.locator('.monaco-dialog-box').getByRole('button', { name: /Trust/ }).click();
      await standsAt(w, 'virtqueue.c', line);
      assert.equal(await w.page.locator('.exception-widget').count(), 0);
      await w.command('Ringside: Open Inspector');
      page = await inspector(w);
      await showScreen(page, 'queues');
      await page.locator('section.descriptors').waitFor();
      compare(await readPicture(page), events);
    });

    await step('and where the next three are: the picture equals the trace', async () => {
      for (let i = 0; i < 3; i++) {
        const before = eventsIn(await readPicture(page));
        await w.debugAction('Continue');
        compare(await pictureBehind(page, before), events);
      }
      await standsAt(w, 'virtqueue.c', line);
      await w.toggleBreakpoint(line);
    });

    // The picture may be there before the workbench has taken note of the stop: a step that is asked for then is not taken.
    const stepped = async (before, ask) => {
      for (let tries = 0; tries < 2; tries++) {
        await ask();
        const picture = await pictureBehind(page, before, 8000).catch(() => undefined);
        if (picture !== undefined) return picture;
      }
      await ask();
      return pictureBehind(page, before);
    };

    await step(`the picture equals the trace at each of ${steps} events`, async (one) => {
      const seen = new Map();
      let before = eventsIn(await readPicture(page));
      for (let i = 0; i < steps; i++) {
        const picture = await stepped(before, async () => {
          if (i % 4 === 0) await w.debugAction('Next Ring Event');
          else if (i % 4 === 1) await page.getByRole('button', { name: 'Next ring event' }).click();
          else await page.locator('#tab-queues').press(']');
        });
        const { count, kind } = compare(picture, events);
        before = count;
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
      }
      for (const kind of ['ring-store', 'publish', 'notify', 'fetch', 'used', 'interrupt', 'collect'])
        assert.ok(seen.has(kind), `no ${kind} among ${[...seen.keys()]}`);
      one.diagnostic([...seen].map(([kind, count]) => `${kind} ${count}`).join(', '));
    });

    await step(
      `back through ${back} of them, the picture equals the trace again, and says how far back it is`,
      async () => {
        const earlier = async (before, ask) => {
          const older = async () => {
            const picture = await readPicture(page);
            return picture.past && eventsIn(picture) < before && picture;
          };
          for (let tries = 0; tries < 2; tries++) {
            await ask();
            const picture = await until(older, { timeout: 8000, what: 'an earlier picture' }).catch(() => undefined);
            if (picture !== undefined) return picture;
          }
          await ask();
          return until(older, { timeout: 30_000, what: `a picture before event ${before}` });
        };
        live = eventsIn(await readPicture(page));
        let before = live;
        for (let i = 0; i < back; i++) {
          const picture = await earlier(before, async () => {
            if (i % 3 === 0) await w.debugAction('Previous Ring Event');
            else if (i % 3 === 1) await page.getByRole('button', { name: 'Previous ring event' }).click();
            else await page.locator('#tab-queues').press('[');
          });
          before = compare(picture, events).count;
          assert.match(picture.events, new RegExp(`of ${live}$`));
        }
      },
    );

    await step('the timeline shows what came after, leads to any event, and back to the live end', async () => {
      await showScreen(page, 'timeline');
      const ahead = page.locator('.event-list tr.ahead[data-event]');
      assert.ok((await ahead.count()) >= back - 1);
      const target = ahead.nth(2);
      const index = Number(await target.getAttribute('data-event')) + 1;
      await target.click({ position: { x: 20, y: 8 } });
      await until(async () => eventsIn({ events: await page.locator('.transport').innerText() }) === index, {
        what: `event ${index} to be shown`,
      });
      await page.getByRole('button', { name: 'Return to the live end' }).click();
      await until(async () => eventsIn({ events: await page.locator('.transport').innerText() }) === live, {
        what: 'the live end',
      });
      await page.locator('.chip.past').waitFor({ state: 'detached' });
      await showScreen(page, 'queues');
      compare(await readPicture(page), events);
    });

    await step('status and features say what the trace says', async () => {
      await showScreen(page, 'overview');
      const { status } = ringAfter(events, events.length);
      assert.equal(status, 0xf);
      await page.locator('main', { hasText: 'DRIVER_OK' }).waitFor();
      await page.locator('main', { hasText: '0x0f' }).waitFor();
      await showScreen(page, 'features');
      const accepted = events
        .filter((event) => event.device === 'vda' && event.kind === 'driver-features-write')
        .at(-1);
      const bits = await page
        .locator('table.features tr[data-row]:has(i.mark.accepted) td:first-child')
        .allInnerTexts();
      const set = bits.reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
      assert.equal(set, BigInt(accepted.acceptedAfter));
      await showScreen(page, 'queues');
    });

    await step('a hidden page is gone, and comes back with the present', async () => {
      // Not by a command: the last stop may have brought its source to the front.
      const tab = w.page.locator('.tabs-container .tab', { hasText: 'Ringside Inspector' });
      await tab.locator('.tab-actions .action-label').first().click();
      await until(() => !w.page.frames().some((frame) => frame === page) || page.isDetached(), {
        what: 'the page to go',
      });
      await w.activity('Ringside');
      const devices = pane(w, 'Devices');
      await devices.locator('.monaco-list-row', { hasText: 'vda' }).first().waitFor();
      await devices.locator('.monaco-list-row', { hasText: 'rng' }).first().click();
      page = await inspector(w);
      await page
        .locator('main', { hasText: 'entropy' })
        .or(page.locator('header', { hasText: 'rng' }))
        .first()
        .waitFor();
    });

    await step('the inspector also lives in the side bar', async () => {
      await pane(w, 'Inspector').locator('.pane-header').click();
      await until(
        async () => {
          const frames = [];
          for (const frame of w.page.frames())
            if (await frame.evaluate(() => document.title === 'Ringside Inspector').catch(() => false))
              frames.push(frame);
          return frames.length === 2;
        },
        { what: 'two inspector pages' },
      );
    });

    await step('continue runs the driver to its end without an alarm', async () => {
      await w.debugAction('Continue');
      await w.page.locator('.debug-toolbar').waitFor({ state: 'hidden', timeout: 30_000 });
      await w.page
        .locator('.statusbar-item[aria-label*="No Problems"], .statusbar-item[id="status.problems"]')
        .first()
        .waitFor();
      assert.match(await w.page.locator('[id="status.problems"]').innerText(), /^\s*0\s*0\s*$/);
    });
  });
});
