// Writes the generated documents, or with `--check` fails when one of them is stale.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { eventSchema } from './event-schema';
import { rulesMarkdown } from '../../emulator/virtio/rules/coverage-text';
import { detectionMarkdown } from '../guest/detection/page';

const root = path.resolve(__dirname, '../..');
const documents: readonly { readonly file: string; readonly make: () => string }[] = [
  { file: 'docs/rules.md', make: rulesMarkdown },
  { file: 'docs/detection.md', make: detectionMarkdown },
  { file: 'media/events.schema.json', make: () => eventSchema(root) },
];

const check = process.argv.includes('--check');
let stale = 0;
for (const { file, make } of documents) {
  const full = path.join(root, file);
  const text = make();
  const before = fs.existsSync(full) ? fs.readFileSync(full, 'utf8') : undefined;
  if (before === text) continue;
  if (check) {
    process.stderr.write(`${file} is stale: run "npm run docs" and commit it\n`);
    stale++;
  } else {
    fs.writeFileSync(full, text);
    process.stdout.write(`${file} written\n`);
  }
}
process.exitCode = stale === 0 ? 0 : 1;
