// The published JSON schemas hold for what real runs write.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import Ajv from 'ajv';
import { ringside } from './harness/command';
import { repository, sampleFolder } from './harness/compiler';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-schemas-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const validator = (name: string) =>
  new Ajv({ strict: false }).compile(
    JSON.parse(fs.readFileSync(path.join(repository, 'media', name), 'utf8')) as object,
  );

for (const guest of ['correct', 'faulty']) {
  test(`report and trace of the ${guest} sample are as their schemas say`, async () => {
    const [report, trace] = [path.join(scratch, 'report.json'), path.join(scratch, 'trace.jsonl')];
    const disk = `block,image=${path.join(sampleFolder, 'disk.img')}`;
    await ringside([
      'run',
      '--device',
      disk,
      '--report',
      `json:${report}`,
      '--trace',
      trace,
      path.join(sampleFolder, `${guest}.elf`),
    ]);
    const isReport = validator('report.schema.json');
    assert.ok(isReport(JSON.parse(fs.readFileSync(report, 'utf8'))), JSON.stringify(isReport.errors));
    const isEvent = validator('events.schema.json');
    const lines = fs.readFileSync(trace, 'utf8').trim().split('\n');
    assert.ok(lines.length > 300);
    for (const line of lines) assert.ok(isEvent(JSON.parse(line)), `${line}\n${JSON.stringify(isEvent.errors)}`);
    assert.ok(!isEvent({ ...(JSON.parse(lines[0] ?? '{}') as object), kind: 'dance' }));
  });
}
