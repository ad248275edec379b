// Each driver pair: the violating guest is stopped at the marked line for its rule, the conforming one passes without a word.
import { test } from 'node:test';
import * as assert from 'node:assert/strict';
import * as path from 'node:path';
import { buildGuest, sampleFolder } from './harness/compiler';
import { runOnQemu } from './harness/qemu';
import { runOnRingside } from './harness/ringside';
import { type DriverPair, driverPairs, pairLine, pairProgram, pairSource, surroundings } from './pairs';

const disk = path.join(sampleFolder, 'disk.img');

/** Hazards stop too: a pair may be about one. */
function attributes({ on = 'mmio' }: DriverPair): Readonly<Record<string, unknown>> {
  const block = { type: 'block', name: 'vda', image: disk, mode: 'overlay', serial: 'vda' };
  return { devices: [{ ...block, ...surroundings[on].device }], rules: { hazard: 'break' } };
}
function oracle(pair: DriverPair, elf: string): ReturnType<typeof runOnQemu> {
  const drive = ['-drive', `file=${disk},if=none,format=raw,snapshot=on,id=disk`];
  return runOnQemu({
    elf,
    extra: [...drive, '-device', `${surroundings[pair.on ?? 'mmio'].qemu},drive=disk,serial=vda`],
  });
}

for (const pair of driverPairs) {
  test(`${pair.name}: the violating driver is stopped at its line`, async () => {
    const run = await runOnRingside({
      elf: buildGuest(pairProgram(pair, true)),
      attributes: attributes(pair),
      onlyFirstStop: true,
    });
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
    const run = await runOnRingside({ elf, attributes: attributes(pair) });
    assert.deepEqual(
      run.violations.map(({ rule, message, source }) => ({ rule, message, line: source?.line })),
      [],
    );
    assert.deepEqual({ console: run.console, status: run.status }, oracle(pair, elf));
  });
}
