// Prints the emulator's speed beside QEMU's on the same guests in the same run: npm run bench -- [--repeats 3] [--scale 1] [--only NAME].
// Measured from the guest's first to its last output, as time that passed and as processor time of all threads, which a busy machine
// does not distort; medians of the repeats, and their ratios. No test depends on it.
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { parseArgs } from 'node:util';
import { Machine } from '../../emulator/machine';
import { catalogue } from '../../emulator/virtio/rules';
import { RulePolicy } from '../../emulator/virtio/watch/policy';
import { allowEngineFeatures } from '../../extension/worker/engine-features';
import { loadMachine } from '../../extension/worker/load-machine';
import { parseLaunchConfiguration } from '../../extension/worker/parse-launch';
import { buildGuest } from '../guest/harness/compiler';
import { type BenchGuest, benchGuests, benchProgram, requestGuests } from './guests';
import { ownDevices, qemuDevices } from './devices';

interface Measurement {
  readonly console: string;
  /** From the first to the last byte of output. */
  readonly seconds: number;
  /** Processor time of all threads, in the same stretch. */
  readonly processorSeconds: number;
}
interface OwnMeasurement extends Measurement {
  readonly steps: number;
  /** The longest stretch in which the emulator could not have been paused. */
  readonly longestSliceMilliseconds: number;
}

/** Collects output and when its first and last bytes came. */
class Listener {
  private text = '';
  private first: readonly [number, number] | undefined;
  private last: readonly [number, number] = [0, 0];
  /** @param processorSeconds processor time that the emulator has used so far */
  constructor(private readonly processorSeconds: () => number) {}
  hear(bytes: Uint8Array): void {
    this.last = [performance.now() / 1000, this.processorSeconds()];
    this.first ??= this.last;
    this.text += Buffer.from(bytes).toString('latin1');
  }
  result(): Measurement {
    const [first, last] = [this.first ?? this.last, this.last];
    return { console: this.text, seconds: last[0] - first[0], processorSeconds: last[1] - first[1] };
  }
}

/** Of this process. */
function ownProcessorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
/** Of another process, in hundredths; the kernel counts in clock ticks. [proc(5)] */
function processorSecondsOf(pid: number): number {
  const fields = fs
    .readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function measureQemu(elf: string, guest: BenchGuest): Promise<Measurement> {
  const child = spawn(
    'qemu-system-riscv64',
    ['-M', 'virt', '-m', '128', '-smp', '1', '-bios', 'none', '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-kernel', elf, ...qemuDevices(guest)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  ); // prettier-ignore
  const listener = new Listener(() => (child.pid === undefined ? 0 : processorSecondsOf(child.pid)));
  child.stdout.on('data', (bytes: Buffer) => listener.hear(bytes));
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`QEMU ended with ${code ?? 'a signal'}`))));
  });
  return listener.result();
}

/** The stop word is looked at this often, so a longer slice says more about pauses than about speed. */
const sliceSteps = 100_000;

function measureEmulator(elf: string, guest: BenchGuest, checks: 'on' | 'off'): OwnMeasurement {
  const listener = new Listener(ownProcessorSeconds);
  const configuration = parseLaunchConfiguration(
    {
      type: 'virtio',
      request: 'launch',
      name: 'bench',
      program: elf,
      bios: 'none',
      clock: 'warp',
      devices: ownDevices(guest),
    },
    { resolvePath: (file) => file, mayWriteFiles: true },
  );
  const loaded = loadMachine(configuration);
  const policy = new RulePolicy(catalogue, [{ pattern: '*', action: checks === 'on' ? 'report' : 'off' }]);
  const { networks } = loaded;
  const machine: Machine = new Machine(
    loaded.machine,
    {
      output: (channel, bytes) => {
        if (!networks.output(channel, bytes, machine.clock.now())) listener.hear(bytes);
      },
    },
    { policy },
  );
  let longestSliceMilliseconds = 0;
  for (;;) {
    const began = performance.now();
    const exit = machine.run({ untilStep: machine.steps + sliceSteps, skipIdle: true });
    longestSliceMilliseconds = Math.max(longestSliceMilliseconds, performance.now() - began);
    if (exit.kind === 'finished') break;
    // The gateway of the network answers at once; the guest waits for nothing else.
    const frames = networks.take();
    for (const { channel, bytes } of frames) machine.input(channel, bytes);
    if (exit.kind !== 'limit' && frames.length === 0) throw new Error(`${elf} stopped with ${exit.kind}`);
  }
  loaded.close();
  const broken = machine.monitor.violations.find(({ level }) => level === 'must');
  if (broken !== undefined) throw new Error(`${guest.name} broke ${broken.rule}: ${broken.message}`);
  return { ...listener.result(), steps: machine.steps, longestSliceMilliseconds };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const [low = NaN, high = NaN] = [sorted[middle - (sorted.length % 2 === 0 ? 1 : 0)], sorted[middle]];
  return (low + high) / 2;
}

const columns = (...cells: readonly string[]): void =>
  console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(18) : cell.padStart(12))).join(''));

interface Ratios {
  readonly time: number;
  readonly processor: number;
}

/** Prints a guest's row; returns how many times faster than QEMU it ran. */
async function compare(guest: BenchGuest, repeats: number, scale: number): Promise<Ratios> {
  const elf = buildGuest(benchProgram(guest, scale));
  const ours: OwnMeasurement[] = [];
  const theirs: Measurement[] = [];
  const unchecked: OwnMeasurement[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const qemu = await measureQemu(elf, guest);
    const emulator = measureEmulator(elf, guest, 'on');
    if (qemu.console !== emulator.console)
      throw new Error(
        `${guest.name} prints ${JSON.stringify(emulator.console)}, on QEMU ${JSON.stringify(qemu.console)}`,
      );
    theirs.push(qemu);
    ours.push(emulator);
    unchecked.push(measureEmulator(elf, guest, 'off'));
  }
  const ratios = row(guest.name, ours, theirs);
  if (guest.usesDisk === true) row(`${guest.name}, no checks`, unchecked, theirs);
  const [judged, silent] = [processorOf(ours), processorOf(unchecked)];
  console.log(`  processor time with checks: ${(judged / silent).toFixed(2)} of that without`);
  if (guest.requests !== undefined) printRate(guest.requests, guest.rounds * scale, ours, unchecked, theirs);
  return ratios;
}

const processorOf = (all: readonly Measurement[]): number => median(all.map((each) => each.processorSeconds));

/** Requests in a second of processor time, which a busy machine does not distort. */
function printRate(
  { device, ring }: NonNullable<BenchGuest['requests']>,
  rounds: number,
  ours: readonly OwnMeasurement[],
  unchecked: readonly OwnMeasurement[],
  theirs: readonly Measurement[],
): void {
  const rate = (all: readonly Measurement[]): string => (rounds / processorOf(all)).toFixed(0);
  console.log(
    `  ${device}, ${ring} ring: ${rate(ours)} requests/s, ${rate(unchecked)} without checks, QEMU ${rate(theirs)}`,
  );
}

function row(name: string, ours: readonly OwnMeasurement[], theirs: readonly Measurement[]): Ratios {
  const time = (all: readonly Measurement[]): number => median(all.map(({ seconds }) => seconds));
  const processor = (all: readonly Measurement[]): number => median(all.map((each) => each.processorSeconds));
  const [own, peer] = [time(ours), time(theirs)];
  const [ownProcessor, peerProcessor] = [processor(ours), processor(theirs)];
  const ratios = { time: peer / own, processor: peerProcessor / ownProcessor };
  const cells = [own, peer, ratios.time, ownProcessor, peerProcessor, ratios.processor].map((cell) => cell.toFixed(2));
  const steps = Math.max(...ours.map((each) => each.steps));
  const longest = Math.max(...ours.map(({ longestSliceMilliseconds }) => longestSliceMilliseconds));
  columns(name, ...cells, (steps / own / 1e6).toFixed(0), longest.toFixed(0));
  return ratios;
}

/** Runs one guest again and again in one process; what the process keeps must not grow with it. */
function measureMemory(): void {
  const guest = benchGuests.find(({ usesDisk }) => usesDisk === true);
  if (guest === undefined) throw new Error('no guest uses a disk');
  const elf = buildGuest(benchProgram(guest, 2));
  const resident = (): number => process.memoryUsage().rss / 2 ** 20;
  const before = resident();
  const after = [0, 1, 2, 3].map(() => {
    measureEmulator(elf, guest, 'on');
    return resident().toFixed(0);
  });
  console.log(`resident MiB: ${before.toFixed(0)} before, then ${after.join(', ')} after 4 runs of ${guest.name}`);
}

async function main(): Promise<void> {
  allowEngineFeatures();
  const { values } = parseArgs({
    options: {
      repeats: { type: 'string', default: '3' },
      scale: { type: 'string', default: '1' },
      only: { type: 'string' },
    },
  });
  columns('guest', 'ours s', 'QEMU s', 'ratio', 'ours CPU s', 'QEMU CPU s', 'CPU ratio', 'MIPS', 'slice ms');
  const ratios: Ratios[] = [];
  const guests = [...benchGuests, ...requestGuests];
  for (const guest of guests.filter(({ name }) => values.only === undefined || values.only === name)) {
    const ratio = await compare(guest, Number(values.repeats), Number(values.scale));
    // Speed, not time: above 1 is faster than QEMU.
    if (guest.isClass) ratios.push(ratio);
  }
  const mean = (kind: keyof Ratios): string =>
    Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio[kind]), 0) / ratios.length).toFixed(2);
  if (ratios.length > 0) columns('mean of classes', '', '', mean('time'), '', '', mean('processor'));
  if (values.only === undefined) measureMemory();
}

void main();
