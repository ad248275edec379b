// Runs the built `ringside` command.
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { repository } from './compiler';

export interface CommandResult {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

/** @param words what follows `ringside` on the command line */
export function ringside(words: readonly string[]): Promise<CommandResult> {
  const program = path.join(repository, 'dist/cli.js');
  if (!fs.existsSync(program)) throw new Error(`${program} is missing: npm run build`);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...words], { cwd: repository, stdio: ['ignore', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => errors.push(bytes));
    child.on('error', reject);
    child.on('close', (status) =>
      resolve({
        status,
        output: Buffer.concat(output).toString('latin1'),
        errors: Buffer.concat(errors).toString('utf8'),
      }),
    );
  });
}
