// What the protocol tests know about the sample project: lines are found by their text, so that comments may move them.
import * as fs from 'node:fs';
import * as path from 'node:path';

export const sampleFolder = path.resolve(__dirname, '../../media/sample');

export function sampleConfiguration(guest: 'correct' | 'faulty', more: object = {}): object {
  return {
    program: path.join(sampleFolder, `${guest}.elf`),
    devices: [
      { type: 'block', name: 'vda', image: path.join(sampleFolder, 'disk.img') },
      { type: 'entropy', name: 'rng' },
    ],
    ...more,
  };
}

/** The only line of a sample source that contains the text. */
export function lineOf(file: string, text: string): number {
  const lines = fs.readFileSync(path.join(sampleFolder, file), 'utf8').split('\n');
  const found = lines.flatMap((line, index) => (line.includes(text) ? [index + 1] : []));
  if (found.length !== 1) throw new Error(`${file}: ${found.length} lines contain "${text}", expected one`);
  return found[0] ?? 0;
}
