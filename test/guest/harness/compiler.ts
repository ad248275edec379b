// Builds C and assembly guests at test time. A guest is built once for each content of its sources, headers and flags, under out/guests/.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';

export const repository = path.resolve(__dirname, '../../..');
export const sampleFolder = path.join(repository, 'media/sample');
export const programFolder = path.join(repository, 'test/guest/programs');
const guestFolder = path.join(repository, 'out/guests');
const compiler = 'riscv64-linux-gnu-gcc';

export interface GuestProgram {
  /** File name of the ELF, without its suffix. */
  readonly name: string;
  /** Absolute paths, or relative to the repository. */
  readonly sources: readonly string[];
  /** Searched for headers before `media/sample` and `test/guest/programs`. */
  readonly includes?: readonly string[];
  /** Default `-O1`. */
  readonly optimisation?: '-O0' | '-O1' | '-O2' | '-Og';
  /** Default `lp64`; `lp64d` passes floating-point values in registers. */
  readonly abi?: 'lp64' | 'lp64d';
  /** Default: the sample's, which begins at the start of RAM. */
  readonly linkerScript?: string;
  /** Further compiler flags, `-D` switches for example. */
  readonly flags?: readonly string[];
}

/** What every bare-metal guest starts from: reset and trap entry, and the serial port. */
export const bareMetal = ['media/sample/start.S', 'media/sample/uart.c'] as const;

/** Returns the path of the ELF. Throws with the compiler's words when the guest does not compile. */
export function buildGuest(program: GuestProgram): string {
  const sources = program.sources.map((source) => path.resolve(repository, source));
  const includes = [...(program.includes ?? []).map((folder) => path.resolve(repository, folder)), sampleFolder, programFolder]; // prettier-ignore
  const script = program.linkerScript === undefined ? path.join(sampleFolder, 'link.ld') : path.resolve(repository, program.linkerScript); // prettier-ignore
  const flags = [
    '-march=rv64gc',
    `-mabi=${program.abi ?? 'lp64'}`,
    '-mcmodel=medany',
    '-std=gnu11',
    program.optimisation ?? '-O1',
    '-g',
    '-gdwarf-5',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-ffreestanding',
    '-fno-pic',
    '-fno-stack-protector',
    '-fno-asynchronous-unwind-tables',
    ...(program.flags ?? []),
    ...includes.map((folder) => `-I${folder}`),
    '-nostdlib',
    '-static',
    '-no-pie',
    '-Wl,--build-id=none',
    '-Wl,--no-warn-rwx-segments',
    '-T',
    script,
  ];

  const key = createHash('sha256').update(compilerVersion()).update(flags.join('\0'));
  for (const file of [script, ...sources, ...includes.flatMap(headersIn)])
    key.update(file).update(fs.readFileSync(file));
  const folder = path.join(guestFolder, key.digest('hex').slice(0, 16));
  const elf = path.join(folder, `${program.name}.elf`);
  if (fs.existsSync(elf)) return elf;

  fs.mkdirSync(folder, { recursive: true });
  // Tests run side by side: a half-written guest must never be seen under its final name.
  const unfinished = `${elf}.${process.pid}`;
  execFileSync(compiler, [...flags, '-o', unfinished, ...sources], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  fs.renameSync(unfinished, elf);
  return elf;
}

/** Line number, from 1, of the one line of a source file that contains `marker`. */
export function lineOf(source: string, marker: string): number {
  const lines = fs.readFileSync(path.resolve(repository, source), 'utf8').split('\n');
  const found = lines.flatMap((text, index) => (text.includes(marker) ? [index + 1] : []));
  if (found.length !== 1 || found[0] === undefined)
    throw new Error(`${source}: expected one line with ${marker}, found ${found.length}`);
  return found[0];
}

let version: string | undefined;
function compilerVersion(): string {
  try {
    return (version ??= execFileSync(compiler, ['--version'], { encoding: 'utf8' }));
  } catch (error) {
    throw new Error(`${compiler} cannot be run; it builds the guests. On Debian: apt install gcc-riscv64-linux-gnu`, { cause: error }); // prettier-ignore
  }
}

function headersIn(folder: string): string[] {
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.h'))
    .sort()
    .map((name) => path.join(folder, name));
}
