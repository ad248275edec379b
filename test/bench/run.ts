// Prints the emulator's speed beside QEMU's on the same guests in the same run: npm run bench -- [--repeats 3] [--scale 1] [--only NAME].
// Measured from the guest's first to its last output; medians of the repeats, and their ratio. No test depends on it.
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { Machine } from '../../emulator/machine';
import { allowFusedMultiplyAdd } from '../../extension/worker/fused-multiply-add';
import { loadMachine } from '../../extension/worker/load-machine';
import { parseLaunchConfiguration } from '../../extension/worker/parse-launch';
import { buildGuest } from '../guest/harness/compiler';
import { benchGuests, benchProgram } from './guests';

interface Measurement {
  readonly console: string;
  /** From the first to the last byte of output. */
  readonly seconds: number;
}

/** Collects output and when its first and last bytes came. */
class Listener {
  private text = '';
  private first: number | undefined;
  private last = 0;
  hear(bytes: Uint8Array): void {
    this.last = performance.now();
    this.first ??= this.last;
    this.text += Buffer.from(bytes).toString('latin1');
  }
  result(): Measurement {
    return { console: this.text, seconds: (this.last - (this.first ?? this.last)) / 1000 };
  }
}

async function measureQemu(elf: string): Promise<Measurement> {
  const listener = new Listener();
  const child = spawn(
    'qemu-system-riscv64',
    ['-M', 'virt', '-m', '128', '-smp', '1', '-bios', 'none', '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-kernel', elf],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  ); // prettier-ignore
  child.stdout.on('data', (bytes: Buffer) => listener.hear(bytes));
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`QEMU ended with ${code ?? 'a signal'}`))));
  });
  return listener.result();
}

function measureEmulator(elf: string): Measurement & { readonly steps: number } {
  const listener = new Listener();
  const configuration = parseLaunchConfiguration(
    { type: 'virtio', request: 'launch', name: 'bench', program: elf, bios: 'none', clock: 'warp', devices: [] },
    { resolvePath: (file) => file, mayWriteFiles: false },
  );
  const loaded = loadMachine(configuration);
  const machine = new Machine(loaded.machine, { output: (_, bytes) => listener.hear(bytes) });
  for (;;) {
    const exit = machine.run({ untilStep: machine.steps + 10_000_000, skipIdle: true });
    if (exit.kind === 'finished') break;
    if (exit.kind !== 'limit') throw new Error(`${elf} stopped with ${exit.kind}`);
  }
  loaded.close();
  return { ...listener.result(), steps: machine.steps };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const [low = NaN, high = NaN] = [sorted[middle - (sorted.length % 2 === 0 ? 1 : 0)], sorted[middle]];
  return (low + high) / 2;
}

async function main(): Promise<void> {
  allowFusedMultiplyAdd();
  const { values } = parseArgs({
    options: {
      repeats: { type: 'string', default: '3' },
      scale: { type: 'string', default: '1' },
      only: { type: 'string' },
    },
  });
  const columns = (...cells: readonly string[]): void =>
    console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(16) : cell.padStart(12))).join(''));
  columns('guest', 'ours s', 'QEMU s', 'ours/QEMU', 'MIPS');
  const ratios: number[] = [];
  for (const guest of benchGuests.filter(({ name }) => values.only === undefined || values.only === name)) {
    const elf = buildGuest(benchProgram(guest, Number(values.scale)));
    const ours: number[] = [];
    const theirs: number[] = [];
    let steps = 0;
    for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
      const qemu = await measureQemu(elf);
      const emulator = measureEmulator(elf);
      if (qemu.console !== emulator.console)
        throw new Error(
          `${guest.name} prints ${JSON.stringify(emulator.console)}, on QEMU ${JSON.stringify(qemu.console)}`,
        );
      theirs.push(qemu.seconds);
      ours.push(emulator.seconds);
      steps = emulator.steps;
    }
    const [own, peer] = [median(ours), median(theirs)];
    // Speed, not time: above 1 is faster than QEMU.
    ratios.push(peer / own);
    columns(guest.name, own.toFixed(2), peer.toFixed(2), (peer / own).toFixed(2), (steps / own / 1e6).toFixed(0));
  }
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  columns('geometric mean', '', '', mean.toFixed(2), '');
}

void main();
