// Real guests under moods: Linux, and U-Boot over OpenSBI, on each machine of the table and in each mood alone and together. Any alarm that is not
// known to be true fails, as does a guest that does not do its work. `npm run campaign:moods [-- WORDS]`: only runs whose name holds all of the
// words (parts between commas), e.g. `-- "Linux" "pci packed" strict`. Takes hours when nothing is left out.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { linuxGuest } from '../linux/guest';
import { trueAlarms } from './alarms';
import { type MoodRun, runUnderMoods } from './run';
import { arounds, linuxRun, moodChoices, sourceLines, ubootFiles, ubootRuns } from './table';

const words = process.argv.slice(2);
const seeds = (process.env['SEEDS'] ?? '1').split(',').map(Number);
const isChosen = ({ name }: MoodRun): boolean =>
  words.every((word) => word.split('|').some((part) => name.includes(part)));

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main(): Promise<number> {
  const guest = linuxGuest();
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-moods-'));
  try {
    const files = ubootFiles(scratch);
    const runs = seeds
      .flatMap((seed) =>
        moodChoices.flatMap((mood) => [
          ...ubootRuns(files, 'mmio', mood, seed),
          ...ubootRuns(files, 'pci', mood, seed),
          ...arounds.map((around) => linuxRun(guest, around, mood, seed)),
        ]),
      )
      .filter(isChosen);
    let failed = 0;
    const seen = new Set<string>();
    for (const run of runs) {
      const { shortcomings, alarms, known, steps, seconds, console } = await runUnderMoods(run);
      const isWrong = shortcomings.length > 0 || alarms.length > 0;
      if (isWrong) failed++;
      for (const rule of known) seen.add(`${run.guest} ${rule}`);
      const truth = known.length === 0 ? '' : `, true alarms ${known.join(' ')}`;
      say(`${isWrong ? 'FAILED' : 'ok    '} ${run.name}: ${steps} steps, ${seconds.toFixed(1)} s${truth}`);
      for (const each of shortcomings) say(`       ${each}`);
      for (const { rule, level, device, queue, pc, message, count, evidence } of alarms) {
        say(`       ${level} ${rule} at ${device} ${queue ?? ''} pc 0x${pc.toString(16)} (${count}): ${message}`);
        for (const { name, value } of evidence) say(`           ${name}: ${value}`);
        if (run.guest === 'Linux') for (const line of sourceLines(guest.vmlinux, [pc])) say(`           ${line}`);
      }
      if (shortcomings.length > 0) say(console.slice(-1500).replace(/^/gm, '       | '));
    }
    say(`${runs.length} runs, ${failed} failed`);
    if (words.length === 0) {
      const gone = trueAlarms.filter(({ guest: name, rule }) => !seen.has(`${name} ${rule}`));
      for (const { guest: name, rule } of gone)
        say(`no run raised ${rule} for ${name} any more: test/guest/moods/alarms.ts`);
      failed += gone.length;
    }
    return failed;
  } finally {
    fs.rmSync(scratch, { recursive: true });
  }
}

void main().then((failed) => {
  process.exitCode = failed === 0 ? 0 : 1;
});
