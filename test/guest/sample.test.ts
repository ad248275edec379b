// The sample project: what is committed is what its sources give, it runs the same here and on QEMU, and the faulty driver is stopped
// at each of its mistakes, in the order that ANSWERS.md lists.
import { after, test } from 'node:test';
import * as assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { repository, sampleFolder } from './harness/compiler';
import { runOnQemu } from './harness/qemu';
import { runOnRingside } from './harness/ringside';

const correct = path.join(sampleFolder, 'correct.elf');
const faulty = path.join(sampleFolder, 'faulty.elf');
const disk = path.join(sampleFolder, 'disk.img');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-sample-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

test('build.sh gives the committed files, byte for byte, wherever the sample lies', () => {
  const copy = path.join(scratch, 'a folder elsewhere');
  fs.cpSync(sampleFolder, copy, { recursive: true });
  for (const name of ['correct.elf', 'faulty.elf', 'disk.img']) fs.rmSync(path.join(copy, name));
  execFileSync('./build.sh', { cwd: copy, stdio: ['ignore', 'ignore', 'inherit'] });
  for (const name of ['correct.elf', 'faulty.elf', 'disk.img'])
    assert.ok(fs.readFileSync(path.join(copy, name)).equals(fs.readFileSync(path.join(sampleFolder, name))), `${name} differs: run media/sample/build.sh and commit the result`); // prettier-ignore
});

test('no path of the building machine is in the guests', () => {
  for (const elf of [correct, faulty]) {
    const text = fs.readFileSync(elf).toString('latin1');
    assert.doesNotMatch(text, /\/(usr|home|root|tmp)\//);
    assert.ok(!text.includes(repository));
  }
});

test('both drivers print the same on QEMU, and end well', () => {
  const expected = runOnQemu({ elf: correct, disk });
  assert.equal(expected.status, 0);
  assert.match(expected.console, /written, flushed and verified\r\n[^]*identifier: vda\r\ndone\r\n$/);
  assert.deepEqual(runOnQemu({ elf: faulty, disk }), expected);
});

test('the correct driver runs without an alarm and prints what it prints on QEMU', async () => {
  const run = await runOnRingside({ elf: correct, disk });
  assert.deepEqual(
    run.violations.map(({ rule, message, source }) => ({ rule, message, line: source?.line })),
    [],
  );
  assert.deepEqual({ console: run.console, status: run.status }, runOnQemu({ elf: correct, disk }));
});

/** The mistakes in the order of a run: rule, file, and the text that the line of the stop ends. */
const mistakes = [
  ['init.no-acknowledge', 'faulty/virtio_mmio.c', 'status = DRIVER;\n    mmio_write32(base + Status, status);'],
  ['features.over-accepted', 'faulty/virtio_mmio.c', 'mmio_write32(base + DriverFeatures, (uint32_t)features);'],
  ['init.features-ok-not-read-back', 'faulty/virtio_mmio.c', 'mmio_write32(base + QueueSize, QUEUE_SIZE);'],
  ['config.width', 'faulty/virtio_mmio.c', 'value = mmio_read64(base + Config + offset);'],
  ['ownership.descriptor-changed', 'faulty/virtio_blk.c', 'queue.desc[last].next = 0;'],
  ['split.indirect-not-negotiated', 'faulty/virtio_blk.c', 'queue.desc[head].flags = VIRTQ_DESC_F_INDIRECT;'],
  ['interrupt.undefined-bits-acknowledged', 'faulty/virtio_mmio.c', 'mmio_write32(base + InterruptACK, handled | ~(uint32_t)CONFIGURATION_CHANGE_NOTIFICATION);'],
] as const; // prettier-ignore

/** The line on which a text ends that stands once in a file of the sample. */
function lineOfEnd(file: string, text: string): number {
  const [before, after, ...more] = fs.readFileSync(path.join(sampleFolder, file), 'utf8').split(text);
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error(`${file}: expected ${JSON.stringify(text)} once`);
  return `${before}${text}`.split('\n').length;
}

test('the faulty driver is stopped at each mistake, runs on, and ends as on QEMU', async () => {
  const before = fs.readFileSync(disk);
  const run = await runOnRingside({ elf: faulty, disk });
  assert.deepEqual(
    run.stops.map(({ rule, source }) => [rule, path.relative(sampleFolder, source?.file ?? ''), source?.line]),
    mistakes.map(([rule, file, text]) => [rule, file, lineOfEnd(file, text)]),
  );
  assert.deepEqual({ console: run.console, status: run.status }, runOnQemu({ elf: correct, disk }));
  assert.ok(fs.readFileSync(disk).equals(before), 'the image is untouched in overlay mode');
});

test('stops, reports and silence leave the guest in the same state', async () => {
  const silent = await runOnRingside({
    elf: faulty,
    disk,
    attributes: { rules: { must: 'off', should: 'off', hazard: 'off' } },
  });
  const reporting = await runOnRingside({ elf: faulty, disk, attributes: { rules: { must: 'report' } } });
  const stopping = await runOnRingside({ elf: faulty, disk });
  assert.equal(silent.stops.length, 0);
  assert.equal(reporting.stops.length, 0);
  assert.ok(reporting.violations.length >= mistakes.length);
  assert.equal(reporting.stateHash, silent.stateHash);
  assert.equal(stopping.stateHash, silent.stateHash);
});
