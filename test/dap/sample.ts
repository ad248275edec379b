// What the protocol tests know about the sample project: lines are found by their text, so that comments may move them.
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { DebugTarget } from '../../extension/debug/target';
import { Client } from './client';

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

export type Stopped = DebugProtocol.StoppedEvent['body'];
export type Frames = { stackFrames: DebugProtocol.StackFrame[] };

/** A client of a session that a sample guest was launched in; `configure` runs before it starts. */
export async function launchSample<Target extends DebugTarget>(
  session: Target,
  guest: 'correct' | 'faulty',
  more: object = {},
  configure?: (client: Client) => Promise<unknown>,
): Promise<{ client: Client; session: Target }> {
  const client = new Client(session);
  await client.start(sampleConfiguration(guest, more), () => configure?.(client) ?? Promise.resolve());
  return { client, session };
}

/** The only line of a sample source that contains the text. */
export function lineOf(file: string, text: string): number {
  const lines = fs.readFileSync(path.join(sampleFolder, file), 'utf8').split('\n');
  const found = lines.flatMap((line, index) => (line.includes(text) ? [index + 1] : []));
  if (found.length !== 1) throw new Error(`${file}: ${found.length} lines contain "${text}", expected one`);
  return found[0] ?? 0;
}
