// Runs a batch on QEMU: guest RAM is a file that is filled before and read afterwards.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { ramBytes } from './layout';

const program = 'qemu-system-riscv64';
/** What both machines have. The supervisor's extensions of page-table entries are off by default. */
const processor = 'rv64,h=false,sstc=true,zba=true,zbb=true,zbc=true,zbs=true,svinval=true,svnapot=true,svpbmt=true';
/** Only ends a hung guest; no result depends on it. */
const hangMilliseconds = 30_000;

export function qemuVersion(): string {
  const { stdout, error } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (error !== undefined)
    throw new Error(`${program} cannot be run: ${error.message}. On Debian: apt install qemu-system-misc`);
  return stdout.split('\n')[0] ?? '';
}

/** Returns RAM as the guest left it. `image` is RAM from its start on. */
export function runOnQemu(image: Uint8Array): Uint8Array {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'differential-'));
  try {
    const memory = path.join(folder, 'ram');
    fs.writeFileSync(memory, image);
    fs.truncateSync(memory, ramBytes);
    const words = [
      '-M', 'virt,memory-backend=ram', '-cpu', processor, '-smp', '1,maxcpus=2', // Otherwise QEMU splits atomics in two, and a store fault becomes a load fault.
 '-m', `${ramBytes >> 20}M`,
      '-object', `memory-backend-file,id=ram,size=${ramBytes},mem-path=${memory},share=on`,
      '-bios', 'none', '-display', 'none', '-monitor', 'none', '-serial', 'none', '-no-reboot',
    ]; // prettier-ignore
    const run = spawnSync(program, words, { encoding: 'utf8', timeout: hangMilliseconds });
    if (run.error !== undefined) throw new Error(`${program} did not end: ${run.error.message} ${run.stderr}`);
    if (run.status !== 0) throw new Error(`${program} ended with ${run.status ?? run.signal}: ${run.stderr}`);
    return new Uint8Array(fs.readFileSync(memory));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
