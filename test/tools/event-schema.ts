// The JSON schema of the event stream as traces hold it, made from the TypeScript types of emulator/record/events.ts.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';
import { addressNames } from '../../extension/cli/trace';

/** In a trace, numbers beyond 2^53 and addresses are `0x` text. */
const hexText = '\n/** Hexadecimal with 0x.\n * @pattern ^0x[0-9a-f]+$ */\nexport type HexText = string;\n';

export function eventSchema(root: string): string {
  const source = fs.readFileSync(path.join(root, 'emulator/record/events.ts'), 'utf8');
  const asTraced = source
    .replace(/\bbigint\b/g, 'HexText')
    .replace(new RegExp(`\\b(${[...addressNames].join('|')})(\\??): number`, 'g'), '$1$2: HexText');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-schema-'));
  try {
    const file = path.join(folder, 'events.ts');
    fs.writeFileSync(file, asTraced + hexText);
    const schema = createGenerator({
      path: file,
      type: 'VirtioEvent',
      skipTypeCheck: true,
      expose: 'export',
    }).createSchema('VirtioEvent');
    return `${JSON.stringify({ title: 'Ringside virtio event', ...schema }, null, 1)}\n`;
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
