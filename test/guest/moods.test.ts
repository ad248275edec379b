// A slice of the moods campaign that continuous integration can afford: U-Boot over OpenSBI reads and writes its disk under `strict`, with
// no alarm but those that are known to be true. `npm run campaign:moods` runs the whole table.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { runUnderMoods } from './moods/run';
import { moodChoices, ubootFiles, ubootRuns } from './moods/table';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-moods-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const files = ubootFiles(scratch);
const strict = moodChoices.find(({ name }) => name === 'strict');

for (const transport of ['mmio'] as const) {
  const runs = strict === undefined ? [] : ubootRuns(files, transport, strict, 1);
  for (const run of runs.filter(({ devices }) => devices.every(({ type }) => type === 'block'))) {
    test(run.name, async () => {
      const { shortcomings, alarms, known } = await runUnderMoods(run);
      assert.deepEqual(shortcomings, []);
      assert.deepEqual(
        alarms.map(({ rule, message }) => `${rule}: ${message}`),
        [],
      );
      assert.ok(known.includes('init.no-reset'), 'its mistakes are still found');
    });
  }
}
