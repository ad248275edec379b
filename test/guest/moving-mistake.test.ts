// A mistake is moved to a generated function, file and line, at -O0 and at -O2, with register accessors inline, out of line and as
// macros: rule, function, file and line follow it.
import { test } from 'node:test';
import * as assert from 'node:assert/strict';
import * as path from 'node:path';
import { buildGuest, sampleFolder } from './harness/compiler';
import { runOnRingside } from './harness/ringside';
import { type AccessorStyle, mistakes, moveMistake } from './moving-mistake';

const disk = path.join(sampleFolder, 'disk.img');
const firstSeed = 20_260;
const styles: readonly AccessorStyle[] = ['inline', 'out-of-line', 'macro'];

let seed = firstSeed;
for (const optimisation of ['-O0', '-O2'] as const) {
  for (const style of styles) {
    for (const mistake of mistakes) {
      const own = seed++;
      test(`${mistake.name}, accessors ${style}, ${optimisation}, seed ${own}`, async () => {
        const moved = moveMistake(mistake, style, optimisation, own);
        const { stops, console } = await runOnRingside({ elf: buildGuest(moved.program), disk, onlyFirstStop: true });
        const [stop] = stops;
        assert.ok(stop, `no stop; console: ${console}`);
        assert.deepEqual(
          {
            rule: stop.rule,
            function: stop.function,
            file: path.basename(stop.source?.file ?? ''),
            line: stop.source?.line,
          },
          { rule: mistake.rule, function: moved.function, file: moved.file, line: moved.line },
        );
      });
    }
    const own = seed++;
    test(`no mistake, accessors ${style}, ${optimisation}, seed ${own}`, async () => {
      const { violations, status } = await runOnRingside({
        elf: buildGuest(moveMistake(undefined, style, optimisation, own).program),
        disk,
      });
      assert.deepEqual(
        violations.map(({ rule, message }) => ({ rule, message })),
        [],
      );
      assert.equal(status, 0);
    });
  }
}
