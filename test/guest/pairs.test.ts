// Each driver pair: the violating guest is stopped at the marked line for its rule, the conforming one passes without a word.
import { test } from 'node:test';
import * as assert from 'node:assert/strict';
import * as path from 'node:path';
import { buildGuest, sampleFolder } from './harness/compiler';
import { runOnQemu } from './harness/qemu';
import { runOnRingside } from './harness/ringside';
import { driverPairs, pairLine, pairProgram, pairSource } from './pairs';

const disk = path.join(sampleFolder, 'disk.img');

for (const pair of driverPairs) {
  test(`${pair.name}: the violating driver is stopped at its line`, async () => {
    const run = await runOnRingside({ elf: buildGuest(pairProgram(pair, true)), disk, onlyFirstStop: true });
    const [stop] = run.stops;
    assert.ok(stop, `no stop; console: ${run.console}`);
    assert.equal(stop.rule, pair.rule, stop.message);
    assert.equal(stop.function, pair.function);
    assert.ok(stop.source, 'the guest has line information');
    assert.equal(path.basename(stop.source.file), path.basename(pairSource(pair)));
    assert.equal(stop.source.line, pairLine(pair));
  });
  test(`${pair.name}: the conforming driver runs on without an alarm, as on QEMU`, async () => {
    const elf = buildGuest(pairProgram(pair, false));
    const run = await runOnRingside({ elf, disk });
    assert.deepEqual(
      run.violations.map(({ rule, message, source }) => ({ rule, message, line: source?.line })),
      [],
    );
    assert.deepEqual({ console: run.console, status: run.status }, runOnQemu({ elf, disk }));
  });
}
