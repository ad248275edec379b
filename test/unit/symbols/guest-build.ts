// Builds small RISC-V guests with the Debian cross tools, and runs the binutils that the results are compared with.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packages = { gcc: 'gcc-riscv64-linux-gnu', other: 'binutils-riscv64-linux-gnu' } as const;
const sources = join(dirname(fileURLToPath(import.meta.url)), 'guests');

/** Runs a cross tool; a missing one is an error that names its Debian package. */
export function runTool(
  tool: 'gcc' | 'objdump' | 'addr2line' | 'readelf' | 'objcopy' | 'nm' | 'strip',
  options: readonly string[],
): string {
  const program = `riscv64-linux-gnu-${tool}`;
  try {
    return execFileSync(program, options, {
      encoding: 'utf8',
      maxBuffer: 256 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      const name = tool === 'gcc' ? packages.gcc : packages.other;
      throw new Error(`${program} is needed for this test and was not found: install the Debian package ${name}`);
    }
    throw error;
  }
}

export interface Guest {
  readonly path: string;
  readonly image: Uint8Array;
}

const folder = mkdtempSync(join(tmpdir(), 'ringside-symbols-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const built = new Map<string, Guest>();

/** Builds `sources` (of the `guests` folder beside this file) with these options, once for each combination. */
export function buildGuest(files: readonly string[], options: readonly string[]): Guest {
  const key = [...files, ...options].join(' ');
  const known = built.get(key);
  if (known !== undefined) return known;
  const path = join(folder, `guest-${built.size}.elf`);
  const fixed = ['-ffreestanding', '-nostdlib', '-static', '-fno-pic', '-fno-pie', '-no-pie', '-mcmodel=medany'];
  const place = ['-Wl,-Ttext=0x80000000', '-Wl,--build-id=none', '-fno-stack-protector'];
  runTool('gcc', [...fixed, ...place, ...options, '-o', path, ...files.map((file) => join(sources, file)), '-lgcc']);
  const guest = { path, image: new Uint8Array(readFileSync(path)) };
  built.set(key, guest);
  return guest;
}

export function temporaryFile(name: string, contents: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, contents);
  return path;
}

/** Addresses of all instructions, by disassembly. */
export function instructionAddresses(guest: Guest): bigint[] {
  const text = runTool('objdump', ['-d', '--no-show-raw-insn', guest.path]);
  return [...text.matchAll(/^\s+([0-9a-f]+):\t/gm)].map((match) => BigInt(`0x${match[1] ?? '0'}`));
}
