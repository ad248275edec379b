// Each handshake dialect spoken by a small C driver: one that keeps to it reads its sector without an alarm, one that does not is stopped.
import * as assert from 'node:assert/strict';
import * as path from 'node:path';
import { test } from 'node:test';
import { dialects, type DialectName } from '../../emulator/virtio/spec/dialect';
import { bareMetal, buildGuest, type GuestProgram, sampleFolder } from './harness/compiler';
import { runOnRingside } from './harness/ringside';

interface Speaker {
  readonly source: string;
  readonly device: Readonly<Record<string, string>>;
  /** What the violating driver is stopped for. */
  readonly rule: string;
  readonly prints: string;
}

const speakers: Readonly<Record<DialectName, Speaker>> = {
  '1.x': {
    source: 'current',
    device: {},
    rule: 'init.features-ok-not-read-back',
    prints: 'A driver writes descriptors, put\r\nread\r\n',
  },
  legacy: {
    source: 'legacy',
    device: { transport: 'mmio-legacy' },
    rule: 'legacy.features-ok-set',
    prints: 'read\r\n',
  },
  'draft-virtio30': {
    source: 'draft-virtio30',
    device: { dialect: 'draft-virtio30' },
    rule: 'draft.answer-not-read',
    prints: 'the notification waits\r\nread\r\n',
  },
};

const disk = path.join(sampleFolder, 'disk.img');

function program(source: string, violating: boolean): GuestProgram {
  return {
    name: `dialect-${source}`,
    sources: [
      ...bareMetal,
      'media/sample/trap.c',
      'media/sample/plic.c',
      'test/guest/programs/driver.c',
      `test/guest/programs/dialects/${source}.c`,
    ],
    flags: violating ? ['-DVIOLATION'] : [],
  };
}

for (const { name } of Object.values(dialects)) {
  const { source, device, rule, prints } = speakers[name];
  const attributes = { devices: [{ type: 'block', name: 'vda', image: disk, ...device }] };
  test(`${name}: a driver that speaks it reads a sector without an alarm`, async () => {
    const run = await runOnRingside({ elf: buildGuest(program(source, false)), attributes });
    assert.deepEqual(
      run.violations.map((violation) => `${violation.rule}: ${violation.message}`),
      [],
    );
    assert.deepEqual({ console: run.console, status: run.status }, { console: prints, status: 0 });
  });
  test(`${name}: a driver that breaks it is stopped`, async () => {
    const run = await runOnRingside({ elf: buildGuest(program(source, true)), attributes, onlyFirstStop: true });
    assert.equal(run.stops[0]?.rule, rule, run.stops[0]?.message);
  });
}
