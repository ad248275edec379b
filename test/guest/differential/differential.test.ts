// The short form of the processor's differential test; the long one is campaign.ts.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import test from 'node:test';
import { instructionNames } from '../../../emulator/cpu/decoder';
import { repository } from '../harness/compiler';
import { runCampaign } from './campaign';
import { describeDifference } from './compare';
import { permittedMarkdown } from './permitted';

// A different stretch of the campaign each time one asks for it; the default is always the same.
const seed = Number(process.env['SEED'] ?? 2025);

test(`5,000 random sequences leave the same state as on QEMU, watched and unwatched; seed ${seed}`, () => {
  const result = runCampaign({ count: 5000, seed });
  assert.deepEqual(result.differences.map(describeDifference), []);
  assert.equal(result.sequences, 5000);
  assert.deepEqual([...result.instructions].sort(), [...instructionNames].sort(), 'every row of the table occurs');
  assert.ok(result.patches > 100, `${result.patches} programs that change themselves`);
  // That the sequences do something: without faults and calls there would be one trap each, the final ecall.
  assert.ok(result.traps > 2 * result.sequences, `only ${result.traps} traps`);
});

test('the published list of permitted differences is the one the test uses', () => {
  const published = fs.readFileSync(path.join(repository, 'docs/cpu-differences.md'), 'utf8');
  assert.equal(
    published,
    permittedMarkdown(),
    'write it with: npm run campaign:cpu -- --markdown > docs/cpu-differences.md',
  );
});
