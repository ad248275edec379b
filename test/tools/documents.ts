// Writes the generated documents, or with `--check` fails when one of them is stale.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { eventSchema } from './event-schema';
import { catalogue } from '../../emulator/virtio/rules';
import { rulePage } from '../../emulator/virtio/rules/page';
import { rulesMarkdown } from '../../emulator/virtio/rules/coverage-text';
import { ancestorsMarkdown } from '../ancestors/page';
import { moodsMarkdown } from './moods-page';
import { detectionMarkdown } from '../guest/detection/page';

const root = path.resolve(__dirname, '../..');
/** One page for each rule. */
const pages = 'docs/rules';
const documents: readonly { readonly file: string; readonly make: () => string }[] = [
  { file: 'docs/rules.md', make: rulesMarkdown },
  { file: 'docs/detection.md', make: detectionMarkdown },
  { file: 'docs/ancestors.md', make: ancestorsMarkdown },
  { file: 'docs/moods.md', make: moodsMarkdown },
  { file: 'media/events.schema.json', make: () => eventSchema(root) },
  ...catalogue.map((rule) => ({ file: `${pages}/${rule.id}.md`, make: () => rulePage(rule, catalogue) })),
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
    fs.mkdirSync(path.dirname(full), { recursive: true });
    fs.writeFileSync(full, text);
    process.stdout.write(`${file} written\n`);
  }
}
for (const name of fs.existsSync(path.join(root, pages)) ? fs.readdirSync(path.join(root, pages)) : []) {
  const file = `${pages}/${name}`;
  if (documents.some((document) => document.file === file)) continue;
  if (check) {
    process.stderr.write(`${file} is about no rule: run "npm run docs" and commit it\n`);
    stale++;
  } else {
    fs.rmSync(path.join(root, file));
    process.stdout.write(`${file} removed\n`);
  }
}
process.exitCode = stale === 0 ? 0 : 1;
