// What gdb says about a guest at each instruction of a run in QEMU: the oracle for call stacks and variables.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ReadMemory, RegisterFile } from '../../../extension/symbols/index';
import { temporaryFile, type Guest } from './guest-build';

export interface GdbFrame {
  readonly function: string | null;
  readonly file: string | null;
  readonly line: number;
  readonly pc: string;
  readonly inlined: boolean;
  /** Numbers as text, `optimised out`, or null for aggregates. */
  readonly variables: Readonly<Record<string, string | null>>;
}

export interface Stop {
  readonly registers: RegisterFile;
  readonly readMemory: ReadMemory;
  readonly frames: readonly GdbFrame[];
}

interface Line {
  readonly pc: string;
  readonly x: readonly string[];
  readonly frames: readonly GdbFrame[];
  readonly memory: string;
}

const script = join(dirname(fileURLToPath(import.meta.url)), 'trace.py');
const needed = 'install the Debian packages gdb-multiarch and qemu-system-misc';

let traces = 0;

/** Single-steps a guest from `_start`, for at most `steps` instructions. `data` is what changes: data and stack. */
export function traceGuest(guest: Guest, steps: number, data: { readonly low: bigint; readonly high: bigint }): Stop[] {
  const output = temporaryFile(`trace-${++traces}.json`, '');
  const variables = {
    guest: `"${guest.path}"`,
    output: `"${output}"`,
    steps: String(steps),
    low: String(data.low),
    high: String(data.high),
  };
  const settings = Object.entries(variables).flatMap(([name, value]) => ['-ex', `set $${name} = ${value}`]);
  try {
    execFileSync('gdb-multiarch', ['-nx', '-batch', guest.path, ...settings, '-x', script], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    throw new Error(`gdb with QEMU is needed for this test and failed (${String(error)}): ${needed}`);
  }
  const lines = readFileSync(output, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  if (lines.length === 0) throw new Error(`gdb recorded no step of ${guest.path}: ${needed}`);
  return lines.map((text) => {
    const line: Line = JSON.parse(text) as Line;
    const memory = Uint8Array.from(Buffer.from(line.memory, 'hex'));
    return {
      registers: { pc: BigInt(line.pc), x: (index) => BigInt(line.x[index] ?? 0) },
      readMemory: (address, length) => {
        const offset = Number(address - data.low);
        return offset >= 0 && offset + length <= memory.length ? memory.subarray(offset, offset + length) : undefined;
      },
      frames: line.frames,
    };
  });
}
