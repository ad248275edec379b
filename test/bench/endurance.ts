// Whether a long uptime makes the emulator grow: a guest of 256 MB, all of it touched, wakes a hundred times a second for two hours of
// virtual time (warp), loads and stores all over its memory, and talks on its serial port. `npm run campaign:endurance [-- --seconds 7200]`
import { parseArgs } from 'node:util';
import { Machine } from '../../emulator/machine';
import { assemble } from '../assembler';

const memoryBytes = 256 << 20;
const period = 100_000; // 10 ms of the 10 MHz timebase
const samples = 6;
/** What the emulator may need besides guest RAM, and what counts as growth. [design: qualities] */
const greatestOverhead = 150;
const greatestGrowth = 16;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '7200' } } });
const seconds = Number(values.seconds);

const program = assemble([
  // Every page of RAM behind the program is touched.
  ['li', 'a0', 0x8000_1000],
  ['li', 'a1', 0x8000_0000 + memoryBytes],
  ['li', 'a2', 4096],
  'touch:',
  ['sd', 'a0', 0, 'a0'],
  ['add', 'a0', 'a0', 'a2'],
  ['bltu', 'a0', 'a1', 'touch'],
  ['li', 's0', 0x0200_4000],
  ['li', 's1', 0],
  ['li', 's2', period],
  ['li', 's3', 0x1000_0000],
  ['li', 's4', 0x8000_1000],
  ['li', 'a0', 0x80],
  ['csrw', 'mie', 'a0'],
  'tick:',
  ['add', 's1', 's1', 's2'],
  ['sd', 's1', 0, 's0'],
  ['wfi'],
  ['ld', 't0', 0, 's4'],
  ['addi', 't0', 't0', 1],
  ['sd', 't0', 0, 's4'],
  ['add', 's4', 's4', 'a2'],
  ['bltu', 's4', 'a1', 'say'],
  ['li', 's4', 0x8000_1000],
  'say:',
  ['sb', 't0', 0, 's3'],
  ['j', 'tick'],
]);

// Garbage that nobody has collected yet is no growth.
function residentMegabytes(): number {
  if (globalThis.gc === undefined) throw new Error('run it with node --expose-gc, as npm run campaign:endurance does');
  globalThis.gc();
  return Math.round(process.memoryUsage().rss / 2 ** 20);
}
const before = residentMegabytes();
let said = 0;
const machine = new Machine(
  {
    memoryBytes,
    harts: 1,
    bios: { kind: 'none' },
    guest: { name: 'endurance', bytes: program.bytes },
    devices: [],
    seed: 1,
    wallClockAtResetNanoseconds: 0n,
  },
  { output: (_, bytes) => (said += bytes.length) },
);
const seen: number[] = [];
for (let sample = 1; sample <= samples; sample++) {
  const until = (seconds * 1e9 * sample) / samples;
  while (machine.clock.now() < until) machine.run({ untilStep: machine.steps + 200_000, skipIdle: true });
  seen.push(residentMegabytes());
  console.log(
    `${Math.round(machine.clock.now() / 1e9)} s: ${machine.steps} steps, ${said} bytes said, ${seen.at(-1)} MiB resident`,
  );
}
const [first = 0, last = 0] = [seen[0], seen.at(-1)];
const overhead = last - before - (memoryBytes >> 20);
console.log(`before the machine ${before} MiB; besides guest RAM ${overhead} MiB; growth ${last - first} MiB`);
if (overhead > greatestOverhead || last - first > greatestGrowth) process.exitCode = 1;
